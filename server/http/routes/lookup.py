"""GET /caption/{digest}: the caption of a picture that was captioned before, without an upload."""

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.errors import FieldTooLong, InvalidField, NotCached
from server.http.endpoint import guarded
from server.http.etag import CACHE_CONTROL, etag_of, matches
from server.http.fields import MAX_PROMPT_BYTES, OPTIONS, generation_options, rendering
from server.http.routes.caption import SURFACE, caption_response
from server.http.state import State
from server.inference.request import CaptionRequest

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_FIELDS = ("prompt", *OPTIONS)


async def look_up(request: Request[State]) -> Response:
    """Answer from the cache alone.

    Raises NotCached, InvalidField for a malformed digest or field, and what /caption raises for
    options.
    """
    fields = _fields(request)
    asked = CaptionRequest.of(
        (),
        fields.get("prompt"),
        generation_options(fields),
        image_digest=_digest(request.path_params["digest"]),
    )
    wanted = rendering(fields)
    service = request.state["service"]
    result = await service.find(asked)
    if result is None:
        raise NotCached(
            "No caption of this picture, prompt and options is cached; send it to POST /caption."
        )
    request.state["trace"].add(result)
    etag = etag_of(result.key, wanted)
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": CACHE_CONTROL})
    text = service.render(asked, result.caption, wanted)
    return caption_response(request, text, result, wanted)


def _digest(text: str) -> bytes:
    if not _DIGEST.fullmatch(text):
        raise InvalidField(
            "The path has to end in the SHA-256 of the picture's file, 64 hex digits."
        )
    return bytes.fromhex(text)


def _fields(request: Request[State]) -> dict[str, str]:
    """Return the query's fields. Raises InvalidField and FieldTooLong."""
    given = request.query_params.multi_items()
    for name, value in given:
        if name not in _FIELDS:
            raise InvalidField(
                f"There is no field {name[:60]!r}; the fields are {', '.join(_FIELDS)}."
            )
        if len(value.encode("utf-8", "surrogatepass")) > MAX_PROMPT_BYTES:
            raise FieldTooLong(f"The field {name!r} is over {MAX_PROMPT_BYTES} bytes; shorten it.")
    fields = dict(given)
    if len(fields) != len(given):
        raise InvalidField("A field of the query occurs twice; send it once.")
    return fields


routes = [Route("/caption/{digest}", guarded(SURFACE, look_up), methods=["GET"], name="lookup")]
