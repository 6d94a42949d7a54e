"""Headers that keep a browser from showing or running an answer that is data."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: On every answer that does not set its own. Answers hold data and are never shown as a page; the
#: pages for browsers have a policy of their own.
SECURITY_HEADERS = [
    (b"content-security-policy", b"default-src 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]


def secured(app: ASGIApp) -> ASGIApp:
    """Wrap the application, so that each of its answers has the headers."""

    async def secured_app(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                added = [header for header in SECURITY_HEADERS if header[0] not in own]
                message["headers"] = [*added, *message["headers"]]
            await send(message)

        await app(scope, receive, send_secured)

    return secured_app
