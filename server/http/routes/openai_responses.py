"""OpenAI's responses: POST /v1/responses, whole or streamed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import time
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive

from server.http.chat import echoed, reply, words
from server.http.endpoint import Parsed, Surface, route, texts
from server.http.json_bodies import read_json, to_json
from server.http.routes.openai_types import (
    Message,
    Options,
    caption_requests,
    format_of,
    render_error,
    require_captions_suffice,
)
from server.http.state import State
from server.inference.request import CaptionResult

Json = dict[str, Any]


class Body(Options, kw_only=True):
    input: str | list[Message] | None = None
    max_output_tokens: Any = None
    text: Any = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer needs of its request."""

    model: str
    stream: bool


async def parse(request: Request[State], receive: Receive) -> Parsed[Asked]:
    body = await read_json(request, receive, Body)
    output_format = body.text.get("format") if isinstance(body.text, dict) else None
    require_captions_suffice(body, format_of(output_format))
    messages = body.input if isinstance(body.input, list) else [Message("user", body.input)]
    captions, wanted = caption_requests(request, messages, body, body.max_output_tokens)
    model = echoed(body.model, request.state["model_name"])
    return Parsed(captions, Asked(model, bool(body.stream)), wanted)


def render(
    request: Request[State], parsed: Parsed[Asked], results: Sequence[CaptionResult]
) -> Response:
    text = reply(texts(request, parsed, results))
    tokens = sum(len(each.caption.token_ids) for each in results)
    answer = _Answer(parsed.details.model, text, tokens)
    if parsed.details.stream:
        return StreamingResponse(answer.events(), media_type="text/event-stream")
    return JSONResponse(answer.response("completed", [answer.item("completed", text)]))


class _Answer:
    """One response and its message, whole or as the events that build it."""

    def __init__(self, model: str, text: str, tokens: int) -> None:
        self.text = text
        self._tokens = tokens
        self._message = f"msg_{uuid4().hex}"
        self._head: Json = {
            "id": f"resp_{uuid4().hex}",
            "object": "response",
            "created_at": int(time()),
            "model": model,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "parallel_tool_calls": False,
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
        }

    def response(self, status: str, output: list[Json]) -> Json:
        usage: Json | None = None
        if status == "completed":
            usage = {
                "input_tokens": 0,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": self._tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": self._tokens,
            }
        return {**self._head, "status": status, "output": output, "usage": usage}

    def item(self, status: str, text: str | None) -> Json:
        content = [] if text is None else [self.part(text)]
        return {
            "type": "message",
            "id": self._message,
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def part(self, text: str) -> Json:
        return {"type": "output_text", "text": text, "annotations": []}

    def events(self) -> Iterator[bytes]:
        """Yield server-sent events in the order that OpenAI's SDKs rely on."""
        place: Json = {"item_id": self._message, "output_index": 0, "content_index": 0}
        begun, done = self.item("in_progress", None), self.item("completed", self.text)
        events: list[tuple[str, Json]] = [
            ("response.created", {"response": self.response("in_progress", [])}),
            ("response.output_item.added", {"output_index": 0, "item": begun}),
            ("response.content_part.added", {**place, "part": self.part("")}),
            *(
                ("response.output_text.delta", {**place, "delta": word, "logprobs": []})
                for word in words(self.text)
            ),
            ("response.output_text.done", {**place, "text": self.text, "logprobs": []}),
            ("response.content_part.done", {**place, "part": self.part(self.text)}),
            ("response.output_item.done", {"output_index": 0, "item": done}),
            ("response.completed", {"response": self.response("completed", [done])}),
        ]
        for number, (kind, members) in enumerate(events):
            data = to_json({"type": kind, "sequence_number": number, **members})
            yield b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


SURFACE = Surface("openai", parse, render, render_error)

routes = [route("/v1/responses", SURFACE)]
