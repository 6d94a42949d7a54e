"""POST /caption: a picture in a form, its caption in JSON."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.http.disconnect import while_connected
from server.http.forms import read_upload
from server.http.state import State
from server.inference.request import CaptionRequest


async def caption(request: Request[State]) -> JSONResponse:
    state = request.state
    trace = state["trace"]
    state["access"].require(request.headers)
    with state["admission"].admit():
        sending = state["admission"].senders.sending(request.receive)
        with trace.phase("read"):
            async with sending as receive:
                upload = await read_upload(request.headers, receive, state["form_limits"])
        outcome = await state["service"].caption(
            CaptionRequest.of(
                upload.image.content,
                upload.prompt,
                upload.options,
                image_digest=upload.image.sha256.digest(),
                refresh="no-cache" in request.headers.get("cache-control", "").lower(),
            ),
            partial(while_connected, request.receive),
        )
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
