"""POST /caption: a picture in a form, its caption in JSON."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.http.forms import read_upload
from server.http.state import State


async def caption(request: Request[State]) -> JSONResponse:
    state = request.state
    trace = state["trace"]
    state["access"].require(request.headers)
    with state["admission"].admit():
        sending = state["admission"].senders.sending(request.receive)
        with trace.phase("read"):
            async with sending as receive:
                upload = await read_upload(request.headers, receive, state["form_limits"])
        refresh = "no-cache" in request.headers.get("cache-control", "").lower()
        outcome = await state["pipeline"].caption(upload, refresh=refresh, receive=request.receive)
    trace.cache = outcome.cache
    trace.phases.update(outcome.phases)
    return JSONResponse(
        {
            "caption": outcome.caption.text,
            "cached": outcome.cache == "HIT",
            "model": state["model_name"],
            "confidence": outcome.caption.confidence,
        }
    )


routes = [Route("/caption", caption, methods=["POST"])]
