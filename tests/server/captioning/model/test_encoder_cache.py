from pathlib import Path

import numpy as np

from server.captioning.captioner import Captioner
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


def test_a_new_prompt_on_a_known_picture(captioner: Captioner, model_directory: Path) -> None:
    """It is captioned without being encoded again, and as if it had been."""
    remembering = Captioner.open(model_directory, threads=1, encoder_cache_bytes=10_000_000)
    picture = encoded(noise(0))
    remembering.caption(picture, None, GenerationOptions())
    again = remembering.caption(picture, "a picture of", GenerationOptions())
    assert again.timings.preprocess + again.timings.encode < 0.001
    expected = captioner.caption(picture, "a picture of", GenerationOptions())
    assert again.token_ids == expected.token_ids
