"""OpenAI's wire format of requests, and of errors (https://platform.openai.com/docs/api-reference)."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse

from server.errors import InvalidField, Refusal, UnsupportedDemand
from server.http.chat import prompt_for
from server.http.json_options import generation_options, rendering
from server.http.pictures import picture_of
from server.http.state import State
from server.inference.rendering import Rendering
from server.inference.request import CaptionRequest

#: The types of content parts, in chat completions and in responses.
_TEXTS, _PICTURES = ("text", "input_text"), ("image_url", "input_image")


class ImageUrl(msgspec.Struct):
    url: msgspec.Raw


class Part(msgspec.Struct):
    """A part of a message. `image_url` is an object with the picture in `url`, or a string."""

    type: str | None = None
    text: Any = None
    image_url: ImageUrl | str | None = None


class Message(msgspec.Struct):
    """A message. text-generation-webui puts `image_url` beside an empty `content`."""

    role: Any = None
    content: str | list[Part] | None = None
    image_url: ImageUrl | str | None = None

    def parts(self) -> list[Part]:
        own = [] if self.image_url is None else [Part("image_url", None, self.image_url)]
        if isinstance(self.content, str):
            return [Part("text", self.content), *own]
        return [*(self.content or []), *own]


class Options(msgspec.Struct, kw_only=True):
    """What chat completions and responses have in common."""

    model: Any = None
    stream: bool | None = None
    tool_choice: Any = None
    caption_prompt: str | None = None
    num_beams: Any = None
    repetition_penalty: Any = None
    no_repeat_ngram_size: Any = None
    length_penalty: Any = None
    return_full_text: Any = None
    style: Any = None
    max_chars: Any = None


def caption_requests(
    request: Request[State], messages: Sequence[Message], options: Options, max_tokens: Any
) -> tuple[list[CaptionRequest], Rendering]:
    """Return a caption request for each picture of the last message that has one.

    Raises what `picture_of` and the options raise.
    """
    state, members = request.state, msgspec.structs.asdict(options)
    limit = max_tokens if type(max_tokens) is int else None
    members["max_new_tokens"] = state["served_model"].capped(limit)
    search = generation_options(members)
    prompt = prompt_for(state["chat_prompt"], _last_text(messages), options.caption_prompt)
    pictures = [
        picture_of(each, "image_url", state["form_limits"].body) for each in _pictures(messages)
    ]
    requests = [
        CaptionRequest.of((each.content,), prompt, search, image_digest=each.digest)
        for each in pictures
    ]
    return requests, rendering(members)


def require_captions_suffice(options: Options, json_demanded: bool) -> None:
    """Raise UnsupportedDemand for JSON output, or for a tool call that is required."""
    if json_demanded:
        raise UnsupportedDemand("This model writes captions, no JSON; leave the format out.")
    if options.tool_choice == "required" or isinstance(options.tool_choice, dict):
        raise UnsupportedDemand("This model calls no tools; leave 'tool_choice' out.")


def format_of(member: Any) -> bool:
    """Return whether an output format is one of JSON."""
    kind = member.get("type") if isinstance(member, dict) else None
    return kind in ("json_object", "json_schema")


def _pictures(messages: Sequence[Message]) -> list[msgspec.Raw | str]:
    for message in reversed(messages):
        found = list(_pictures_of(message))
        if found:
            return found
    return []


def _pictures_of(message: Message) -> Iterator[msgspec.Raw | str]:
    for part in message.parts():
        if part.type not in _PICTURES:
            continue
        if part.image_url is None:
            raise InvalidField("A part with a picture has no 'image_url'; it takes a data URL.")
        yield part.image_url.url if isinstance(part.image_url, ImageUrl) else part.image_url


def _last_text(messages: Sequence[Message]) -> str | None:
    parts = messages[-1].parts() if messages else []
    texts = [each.text for each in parts if each.type in _TEXTS and isinstance(each.text, str)]
    return " ".join(texts) or None


def render_error(refusal: Refusal) -> JSONResponse:
    code = refusal.status.code
    error = {
        "message": refusal.message,
        "type": "server_error" if code >= 500 else "invalid_request_error",
        "param": None,
        "code": "invalid_api_key" if code == 401 else refusal.status.error_type,
    }
    return JSONResponse({"error": error}, code)
