"""Ollama's API: generate and chat over pictures (https://docs.ollama.com/api)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive

from server.errors import Refusal, UnsupportedDemand
from server.http.chat import echoed, prompt_for, reply, words
from server.http.endpoint import Parsed, Surface, route, texts
from server.http.json_bodies import read_json, to_json
from server.http.json_options import generation_options, rendering
from server.http.pictures import picture_of
from server.http.state import State
from server.inference.request import CaptionRequest, CaptionResult


class Message(msgspec.Struct):
    role: Any = None
    content: Any = None
    images: list[msgspec.Raw] | None = None


class Body(msgspec.Struct):
    """A body of /api/generate or /api/chat. Members without a use here have no type either."""

    model: Any = None
    prompt: Any = None
    images: list[msgspec.Raw] | None = None
    messages: list[Message] | None = None
    options: dict[str, Any] | None = None
    stream: bool | None = None
    format: Any = None
    keep_alive: Any = None

    def last_text(self) -> str | None:
        """Return the instruction: the prompt, or the text of the last message."""
        text = self.messages[-1].content if self.messages else self.prompt
        return text if isinstance(text, str) and text else None

    def pictures(self) -> list[msgspec.Raw]:
        """Return the pictures of the last message that has some, or of the body itself."""
        with_pictures = [each.images for each in self.messages or () if each.images]
        return (with_pictures[-1] if with_pictures else self.images) or []


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an answer needs of its request. `loading` is set for one that only loads the model."""

    model: str
    stream: bool
    is_chat: bool
    loading: Literal["load", "unload"] | None


async def parse(request: Request[State], receive: Receive) -> Parsed[Exchange]:
    asked = await read_json(request, receive, Body)
    if asked.format:
        raise UnsupportedDemand("This model writes captions, no JSON; leave 'format' out.")
    pictures = [
        picture_of(each, "images", request.state["form_limits"].body) for each in asked.pictures()
    ]
    options = asked.options or {}
    explicit = options.get("caption_prompt")
    prompt = prompt_for(
        request.state["chat_prompt"],
        asked.last_text(),
        explicit if isinstance(explicit, str) else None,
    )
    search = generation_options(_search_options(options, request))
    captions = [
        CaptionRequest.of((each.content,), prompt, search, image_digest=each.digest)
        for each in pictures
    ]
    is_chat = request.url.path.endswith("/chat")
    empty = not captions and not asked.last_text()
    exchange = Exchange(
        model=echoed(asked.model, request.state["model_name"]),
        stream=asked.stream is not False,
        is_chat=is_chat,
        loading=("unload" if asked.keep_alive in (0, "0", "0s") else "load") if empty else None,
    )
    return Parsed(captions, exchange, rendering(options))


def _search_options(options: Mapping[str, Any], request: Request[State]) -> dict[str, Any]:
    """Translate Ollama's options. `num_predict` is negative for no limit."""
    limit = options.get("num_predict")
    capped = request.state["served_model"].capped(limit if type(limit) is int else None)
    return {"max_new_tokens": capped, **options}


def render(
    request: Request[State], parsed: Parsed[Exchange], results: Sequence[CaptionResult]
) -> Response:
    exchange = parsed.details
    text = reply(texts(request, parsed, results))
    final = _final(request, exchange, results)
    if exchange.loading:
        return JSONResponse({**_piece(exchange, ""), **final})
    if not exchange.stream:
        return JSONResponse({**_piece(exchange, text), **final})
    return StreamingResponse(_lines(exchange, text, final), media_type="application/x-ndjson")


def _lines(exchange: Exchange, text: str, final: Mapping[str, object]) -> Iterator[bytes]:
    for word in words(text):
        yield to_json(_piece(exchange, word)) + b"\n"
    yield to_json({**_piece(exchange, ""), **final}) + b"\n"


def _piece(exchange: Exchange, text: str) -> dict[str, object]:
    created = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    content: dict[str, object] = {"response": text}
    if exchange.is_chat:
        content = {"message": {"role": "assistant", "content": text}}
    return {"model": exchange.model, "created_at": created, **content, "done": False}


def _final(
    request: Request[State], exchange: Exchange, results: Sequence[CaptionResult]
) -> dict[str, object]:
    """Return the members of the last object. Durations are in nanoseconds."""
    cut = any(each.caption.finish_reason == "length" for each in results)
    final: dict[str, object] = {
        "done": True,
        "done_reason": exchange.loading or ("length" if cut else "stop"),
    }
    if exchange.loading:
        return final
    phases = request.state["trace"].phases
    seconds = {name: phases.get(name, 0.0) for name in ("encode", "decode")}
    return {
        **final,
        "total_duration": _nanoseconds(sum(phases.values())),
        "load_duration": 0,
        "prompt_eval_count": len(results),
        "prompt_eval_duration": _nanoseconds(seconds["encode"]),
        "eval_count": sum(len(each.caption.token_ids) for each in results),
        "eval_duration": _nanoseconds(seconds["decode"]),
    }


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def render_error(refusal: Refusal) -> JSONResponse:
    return JSONResponse({"error": refusal.message}, refusal.status.code)


SURFACE = Surface("ollama", parse, render, render_error)

routes = [route("/api/generate", SURFACE), route("/api/chat", SURFACE)]
