import random

import pytest

from server.cache.codec import VERSION, CachedCaption, decode, encode

KEY = "cap:v1:0123"
CAPTION = CachedCaption("ein schöner Apfel 🍎", (30522, 7, 102), -0.125, "stop")
VALUE = encode(KEY, CAPTION)


def test_round_trip() -> None:
    """What was put is what is got."""
    assert decode(KEY, VALUE) == CAPTION


def test_under_another_key() -> None:
    """A value that lies under a key it was not made for is none."""
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
        VALUE.replace(VERSION, b"cap:v0\n"),
    ],
)
def test_foreign_value(value: bytes) -> None:
    """A value of another program or another version is none."""
    assert decode(KEY, value) is None


def test_mutated_values() -> None:
    """A value with any bit turned over, or cut short, or extended, is none."""
    for position in range(len(VALUE)):
        mutated = bytearray(VALUE)
        mutated[position] ^= 1 << random.randrange(8)
        assert decode(KEY, bytes(mutated)) is None
        assert decode(KEY, VALUE[:position]) is None
    assert decode(KEY, VALUE + b" ") is None
