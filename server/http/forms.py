"""Read the form of a caption request, and check that each field is of its kind."""

from collections.abc import Mapping

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
from server.http.multipart import FormLimits, Part, read_form
from server.inference.rendering import Rendering
from server.inference.request import CaptionRequest


def form_limits(max_body: int) -> FormLimits:
    """List the form's fields with the bytes that each may have, in a body of `max_body` bytes."""
    options = dict.fromkeys(OPTIONS, MAX_OPTION_BYTES)
    return FormLimits(max_body, {"image": max_body, "prompt": MAX_PROMPT_BYTES, **options})


async def read_caption_form(
    headers: Headers, receive: Receive, limits: FormLimits
) -> tuple[CaptionRequest, Rendering]:
    """Read one caption request from a form, and how to render its caption.

    Raises what `read_form` raises, MissingField or InvalidField for a field of the wrong kind, and
    OptionOutOfRange.
    """
    form = await read_form(headers, receive, limits)
    image = _image(form)
    texts = {name: text_of(part) for name, part in form.items() if name != "image"}
    request = CaptionRequest.of(
        image.pieces,
        texts.get("prompt"),
        generation_options(texts),
        image_digest=image.sha256.digest(),
    )
    return request, rendering(texts)


def _image(form: Mapping[str, Part]) -> Part:
    image = form.get("image")
    if image is None:
        raise MissingField("The field 'image' is missing; it takes the picture's file.")
    if not image.is_file:
        raise InvalidField("The field 'image' is text; send a file, as in curl -F image=@FILE.")
    if image.size == 0:
        raise MissingField("The field 'image' is an empty file.")
    return image
