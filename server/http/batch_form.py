"""Read the form of many pictures, each with its own prompt or with one for all."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Receive

from server.errors import InvalidField, MissingField
from server.http.fields import (
    MAX_OPTION_BYTES,
    MAX_PROMPT_BYTES,
    OPTIONS,
    generation_options,
    rendering,
    text_of,
)
from server.http.multipart import FormLimits, Part, read_parts
from server.inference.rendering import Rendering
from server.inference.request import CaptionRequest


@dataclass(frozen=True, slots=True)
class Batch:
    """One caption request a picture, in the order of the form, and the names of their files."""

    captions: Sequence[CaptionRequest]
    filenames: Sequence[str]
    rendering: Rendering


def batch_limits(max_body: int, max_pictures: int) -> FormLimits:
    """List the form's fields. `image` and `prompt` may occur `max_pictures` times."""
    options = dict.fromkeys(OPTIONS, MAX_OPTION_BYTES)
    fields = {"image": max_body, "prompt": MAX_PROMPT_BYTES, **options}
    return FormLimits(max_body, fields, dict.fromkeys(("image", "prompt"), max_pictures))


async def read_batch_form(headers: Headers, receive: Receive, limits: FormLimits) -> Batch:
    """Read the form. An empty file becomes a request too, so that it spoils no other one.

    Raises what `read_parts` raises, MissingField, InvalidField and OptionOutOfRange.
    """
    parts = await read_parts(headers, receive, limits)
    images = [part for part in parts if part.name == "image"]
    if not images:
        raise MissingField("The field 'image' is missing; it takes a picture's file, repeatedly.")
    if any(not image.is_file for image in images):
        raise InvalidField("A field 'image' is text; send files, as in curl -F image=@FILE.")
    prompts = _prompts([text_of(part) for part in parts if part.name == "prompt"], len(images))
    texts = {part.name: text_of(part) for part in parts if part.name in OPTIONS}
    options = generation_options(texts)
    captions = [
        CaptionRequest.of(image.pieces, prompt, options, image_digest=image.sha256.digest())
        for image, prompt in zip(images, prompts, strict=True)
    ]
    return Batch(captions, [_filename(image) for image in images], rendering(texts))


def _prompts(given: Sequence[str], count: int) -> Sequence[str | None]:
    if len(given) in (0, 1):
        return [given[0] if given else None] * count
    if len(given) != count:
        raise InvalidField(
            f"There are {len(given)} fields 'prompt' for {count} pictures; send one for all, or "
            "one a picture in the same order."
        )
    return given


def _filename(image: Part) -> str:
    return image.filename.decode("utf-8", "replace")
