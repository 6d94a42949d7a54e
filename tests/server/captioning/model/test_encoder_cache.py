from pathlib import Path

import numpy as np
import pytest

from server.captioning.captioner import BlipCaptioner
from server.captioning.model.encoder import EncodedImage
from server.captioning.model.encoder_cache import EncoderCache
from server.captioning.options import GenerationOptions
from tests.server.captioning.pictures import encoded, noise


def image(size: int) -> EncodedImage:
    return EncodedImage((np.zeros(size, np.float32),))


def test_a_picture_is_known_again() -> None:
    """What was put in is what comes out, under its own digest only."""
    cache = EncoderCache(100)
    kept = image(10)
    cache.put(b"kept", kept)
    assert cache.get(b"kept") is kept
    assert cache.get(b"other") is None


def test_the_longest_unused_goes_first() -> None:
    """Bytes are bounded, and looking at a picture counts as its use."""
    cache = EncoderCache(100)
    for digest in (b"used", b"unused"):
        cache.put(digest, image(10))
    cache.get(b"used")
    cache.put(b"new", image(12))
    assert cache.get(b"used")
    assert cache.get(b"unused") is None
    assert cache.get(b"new")


def test_what_can_not_fit_is_not_kept() -> None:
    """A picture beyond the bound changes nothing; a bound of 0 keeps nothing at all."""
    cache = EncoderCache(100)
    cache.put(b"small", image(10))
    cache.put(b"large", image(26))
    assert cache.get(b"small")
    assert cache.get(b"large") is None


def test_a_picture_is_replaced() -> None:
    """A picture that is put twice counts once."""
    cache = EncoderCache(100)
    for _ in range(3):
        cache.put(b"same", image(10))
    cache.put(b"other", image(15))
    assert cache.get(b"same")
    assert cache.get(b"other")


def test_a_new_prompt_on_a_known_picture(
    captioner: BlipCaptioner, model_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A known picture is neither decoded nor encoded again, and gets the same caption."""
    remembering = BlipCaptioner.open(model_directory, threads=1, encoder_cache_bytes=10_000_000)
    picture, request = encoded(noise(0)), captioner.resolve("a picture of", GenerationOptions())
    assert remembering.find_encoded(b"digest") is None
    remembering.prefill(remembering.decode(picture), b"digest", request)

    def encode(pixels: object) -> EncodedImage:
        raise AssertionError("the picture was encoded again")

    monkeypatch.setattr(remembering, "encode", encode)
    known = remembering.find_encoded(b"digest")
    assert known
    generation = remembering.prefill(known, b"digest", request)
    assert remembering.generate(generation.image, request).token_ids == (
        captioner.caption(picture, "a picture of", GenerationOptions()).token_ids
    )
