"""POST /captions: many pictures in one form, and a line of JSON for each as soon as it is done."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from server.http.batch_form import batch_limits, read_batch_form
from server.http.disconnect import while_connected
from server.http.endpoint import Parse, Parsed, enter, read
from server.http.json_bodies import to_json
from server.http.responses import RenderError, render_error
from server.http.state import State
from server.http.telemetry import refusal_of_error
from server.inference.request import CaptionRequest

Filenames = Sequence[str]


@dataclass(frozen=True, slots=True)
class BatchSurface:
    """The server's own dialect, which answers picture by picture."""

    name: str
    parse: Parse[Filenames]
    render_error: RenderError = render_error


class BatchEndpoint:
    """Answers in the order of completion. One admission counts for the whole request.

    As many pictures as there are batch slots are in progress at once. Where other requests fill the
    queue, a picture waits for room instead of being refused. A picture that fails gets a line with
    its error. A client that leaves stops all that is not finished.
    """

    def __init__(self, surface: BatchSurface) -> None:
        self.surface = surface

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request[State](scope, receive)
        enter(request, self.surface)
        with request.state["admission"].admit():
            parsed = await read(request, self.surface)
            headers = [(b"content-type", b"application/x-ndjson")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await while_connected(receive, _send_lines(request, parsed, send))


async def parse(request: Request[State], receive: Receive) -> Parsed[Filenames]:
    limits = batch_limits(request.state["form_limits"].body, request.state["max_batch_images"])
    batch = await read_batch_form(request.headers, receive, limits)
    # All pictures share the options: a bad one is the request's error, not that of each picture.
    request.state["service"].check(batch.captions[0].options)
    return Parsed(batch.captions, batch.filenames, batch.rendering)


async def _send_lines(request: Request[State], parsed: Parsed[Filenames], send: Send) -> None:
    waiting = iter(enumerate(parsed.captions))

    async def work() -> None:
        # The workers share one iterator, so each takes the next picture that none has begun.
        for index, asked in waiting:
            outcome = await _outcome(request, parsed, asked)
            line = {"index": index, "filename": parsed.details[index], **outcome}
            body = to_json(line) + b"\n"
            await send({"type": "http.response.body", "body": body, "more_body": True})

    async with asyncio.TaskGroup() as workers:
        for _ in range(min(request.state["service"].batch_slots, len(parsed.captions))):
            workers.create_task(work())
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _outcome(
    request: Request[State], parsed: Parsed[Filenames], asked: CaptionRequest
) -> Mapping[str, object]:
    """Return the members of a caption, or of its error. A defect is logged with its traceback."""
    state = request.state
    try:
        result = await state["service"].caption_patiently(asked)
    except Exception as error:
        refusal = refusal_of_error(error, state["trace"].request_id)
        return {"error": refusal.message, "error_type": refusal.status.error_type}
    state["trace"].add(result)
    return {
        "caption": state["service"].render(asked, result.caption, parsed.rendering),
        "cached": result.cache == "HIT",
        "confidence": result.caption.confidence,
    }


SURFACE = BatchSurface("captions", parse)

routes = [Route("/captions", BatchEndpoint(SURFACE), methods=["POST"], name="captions")]
