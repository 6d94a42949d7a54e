import json
import random
from dataclasses import fields
from typing import Any

import pytest

from server.cache import codec
from server.cache.codec import VERSION, decode, encode
from server.captioning.caption import Caption

KEY = "cap:v1:0123"
CAPTION = Caption("ein schöner Apfel 🍎", (30522, 7, 102), 0.875, "stop")
VALUE = encode(KEY, CAPTION)
FIELDS = {
    "text": "a cat",
    "token_ids": [30522, 7],
    "confidence": 0.5,
    "finish_reason": "length",
}


def sealed(payload: bytes) -> bytes:
    """Return the value that a server with other fields, but the same version, would store."""
    return VERSION + codec._seal(KEY, payload) + payload


@pytest.mark.parametrize(
    "caption",
    [CAPTION, Caption("", (), 1.0, "length"), Caption("\ud800\x00", (0,), 5e-324, "stop")],
)
def test_round_trip(caption: Caption) -> None:
    """A stored caption is read back with all its fields."""
    assert decode(KEY, encode(KEY, caption)) == caption


def test_another_key() -> None:
    """A value found under a key that it was not stored under is a miss."""
    assert decode("cap:v1:0124", VALUE) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"a cat",
        b"\x80\x04pickle",
        b'{"text": "a cat"}',
        VERSION,
        VALUE[len(VERSION) :],
        VALUE.replace(VERSION, b"cap:v1\n"),
    ],
)
def test_foreign_value(value: bytes) -> None:
    """A value of another program or another version is a miss."""
    assert decode(KEY, value) is None


def test_sealed_fields_are_read() -> None:
    """The values that the next test spoils are read before that."""
    caption = decode(KEY, sealed(json.dumps(FIELDS).encode()))

    assert caption == Caption("a cat", (30522, 7), 0.5, "length")


@pytest.mark.parametrize("name", FIELDS)
def test_missing_field(name: str) -> None:
    """A sealed value that lacks a field is a miss."""
    spoiled = {key: value for key, value in FIELDS.items() if key != name}

    assert decode(KEY, sealed(json.dumps(spoiled).encode())) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"language": "en"},
        {"text": 5},
        {"text": None},
        {"token_ids": "30522"},
        {"token_ids": None},
        {"token_ids": {"0": 30522}},
        {"token_ids": [1.0]},
        {"token_ids": [True]},
        {"token_ids": [None]},
        {"confidence": "0.5"},
        {"confidence": None},
        {"confidence": True},
        {"confidence": 1},
        {"confidence": 0.0},
        {"confidence": -0.25},
        {"confidence": 1.0000001},
        {"confidence": float("nan")},
        {"confidence": float("inf")},
        {"finish_reason": "eos"},
        {"finish_reason": None},
        {"finish_reason": ["stop"]},
    ],
    ids=str,
)
def test_wrong_field(changed: dict[str, Any]) -> None:
    """A sealed value with an additional field, a wrong type or a number out of range is a miss."""
    assert decode(KEY, sealed(json.dumps(FIELDS | changed).encode())) is None


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"null", b"5", b"[]", b'"text"', b"\xff", b"[" * 100_000, b"{}", b"9" * 5000],
    ids=lambda payload: repr(payload[:9]),
)
def test_sealed_payload_that_is_no_caption(payload: bytes) -> None:
    """A sealed payload that is not a JSON object of a caption is a miss."""
    assert decode(KEY, sealed(payload)) is None


def test_every_field_is_stored() -> None:
    """The stored form has every field that two equal captions share."""
    compared = {field.name for field in fields(Caption) if field.compare}

    assert compared == FIELDS.keys()


def test_damaged_value() -> None:
    """A value with one flipped bit, cut short, or extended is a miss."""
    chance = random.Random(0)
    for position in range(len(VALUE)):
        damaged = bytearray(VALUE)
        damaged[position] ^= 1 << chance.randrange(8)
        assert decode(KEY, bytes(damaged)) is None
        assert decode(KEY, VALUE[:position]) is None
    assert decode(KEY, VALUE + b" ") is None
