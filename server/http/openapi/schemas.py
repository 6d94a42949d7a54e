"""Schemas of the OpenAPI document: answers, and the fields of a request."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from server.captioning.lengths import option_ranges
from server.captioning.model.manifest import Manifest
from server.http.fields import NUMBERS, integer
from server.inference.rendering import MAX_CHARS_RANGE, STYLES

Schema: TypeAlias = Mapping[str, Any]

#: The SHA-256 of the README's picture.
EXAMPLE_DIGEST = "1b8ed3c4533863611930a96edb32276e68a6d4cf01ccd4d4ee1ba617fdeb2271"

ERROR: Schema = {
    "type": "object",
    "required": ["error", "error_type"],
    "properties": {
        "error": {"type": "string", "description": "One sentence for a person."},
        "error_type": {"type": "string", "description": "A stable code for a program."},
    },
}
CAPTION: Schema = {
    "type": "object",
    "required": ["caption", "cached", "model", "confidence"],
    "properties": {
        "caption": {"type": "string"},
        "cached": {"type": "boolean", "description": "Whether it came from the cache."},
        "model": {"type": "string"},
        "confidence": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1,
            "description": "Geometric mean of the probabilities of the generated tokens.",
        },
    },
    "example": {
        "caption": "a dog to the left of a tree",
        "cached": False,
        "model": "emoji_blip",
        "confidence": 0.997,
    },
}
_LINE_OF: dict[str, Schema] = {
    "index": {"type": "integer", "minimum": 0, "description": "The picture's place in the form."},
    "filename": {"type": "string"},
}
_CAPTION_MEMBERS = ("caption", "cached", "confidence")
BATCH_LINE: Schema = {
    "type": "object",
    "required": [*_LINE_OF, *_CAPTION_MEMBERS],
    "properties": {**_LINE_OF, **{each: CAPTION["properties"][each] for each in _CAPTION_MEMBERS}},
}
BATCH_ERROR: Schema = {
    "type": "object",
    "required": [*_LINE_OF, *ERROR["properties"]],
    "properties": {**_LINE_OF, **ERROR["properties"]},
}
STATUS: Schema = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string", "example": "The caption server is up."}},
}


def caption_fields(manifest: Manifest) -> dict[str, Schema]:
    """Describe the fields of a form or a query but the picture, in the loaded model's ranges."""
    properties: dict[str, Schema] = {
        "prompt": {
            "type": "string",
            "description": "Text that the caption continues. An empty prompt is no prompt.",
            "example": "a photo of",
        },
    }
    for name, (low, high) in option_ranges(manifest).items():
        properties[name] = {
            "type": "integer" if NUMBERS[name] is integer else "number",
            "minimum": low,
            "maximum": high,
            "description": "If absent, the model's own setting.",
        }
    low, high = MAX_CHARS_RANGE
    return properties | {
        "return_full_text": {
            "enum": ["true", "false", "1", "0"],
            "default": "true",
            "description": "Whether the text begins with the prompt.",
        },
        "style": {
            "enum": list(STYLES),
            "default": "plain",
            "description": '`alt`: a sentence without "a picture of", as an alternative text.',
        },
        "max_chars": {
            "type": "integer",
            "minimum": low,
            "maximum": high,
            "description": "Cut the text at a word.",
        },
    }
