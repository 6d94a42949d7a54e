"""OpenAI's chat completions: POST /v1/chat/completions, whole or streamed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import time
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive

from server.errors import MissingField
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

MAX_CHOICES = 128


class Body(Options, kw_only=True):
    messages: list[Message] | None = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    n: Any = None
    response_format: Any = None
    stream_options: Any = None


@dataclass(frozen=True, slots=True)
class Chat:
    """What an answer needs of its request."""

    model: str
    choices: int
    stream: bool
    with_usage: bool


async def parse(request: Request[State], receive: Receive) -> Parsed[Chat]:
    asked = await read_json(request, receive, Body)
    if not asked.messages:
        raise MissingField("The member 'messages' is missing or empty.")
    require_captions_suffice(asked, format_of(asked.response_format))
    limit = asked.max_completion_tokens or asked.max_tokens
    captions, wanted = caption_requests(request, asked.messages, asked, limit)
    usage = isinstance(asked.stream_options, dict) and asked.stream_options.get("include_usage")
    chat = Chat(
        model=echoed(asked.model, request.state["model_name"]),
        choices=min(asked.n, MAX_CHOICES) if type(asked.n) is int and asked.n > 1 else 1,
        stream=bool(asked.stream),
        with_usage=usage is True,
    )
    return Parsed(captions, chat, wanted)


def render(
    request: Request[State], parsed: Parsed[Chat], results: Sequence[CaptionResult]
) -> Response:
    chat = parsed.details
    text = reply(texts(request, parsed, results))
    cut = any(each.caption.finish_reason == "length" for each in results)
    finish = "length" if cut else "stop"
    head = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time()), "model": chat.model}
    if chat.stream:
        events = _events(head, chat, text, finish, results)
        return StreamingResponse(events, media_type="text/event-stream")
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "finish_reason": finish,
            "logprobs": None,
        }
        for index in range(chat.choices)
    ]
    return JSONResponse(
        {**head, "object": "chat.completion", "choices": choices, "usage": _usage(results)}
    )


def _events(
    head: dict[str, object], chat: Chat, text: str, finish: str, results: Sequence[CaptionResult]
) -> Iterator[bytes]:
    """Yield server-sent events: the role, the words, the reason of the end, and [DONE]."""

    def event(choices: list[dict[str, object]], **more: object) -> bytes:
        chunk = {**head, "object": "chat.completion.chunk", "choices": choices, **more}
        return b"data: " + to_json(chunk) + b"\n\n"

    def delta(content: dict[str, str], finish_reason: str | None = None) -> bytes:
        return event(
            [
                {"index": index, "delta": content, "finish_reason": finish_reason, "logprobs": None}
                for index in range(chat.choices)
            ],
            **({"usage": None} if chat.with_usage else {}),
        )

    yield delta({"role": "assistant", "content": ""})
    for word in words(text):
        yield delta({"content": word})
    yield delta({}, finish)
    if chat.with_usage:
        yield event([], usage=_usage(results))
    yield b"data: [DONE]\n\n"


def _usage(results: Sequence[CaptionResult]) -> dict[str, int]:
    completion = sum(len(each.caption.token_ids) for each in results)
    return {
        "prompt_tokens": 0,
        "completion_tokens": completion,
        "total_tokens": completion,
    }


SURFACE = Surface("openai", parse, render, render_error)

routes = [route("/v1/chat/completions", SURFACE)]
