"""The stage before the encoder: bytes -> uint8 pixels of the model's size."""

import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image

from server.captioning.errors import ImageTooLarge
from server.captioning.image.decode import decode
from server.captioning.image.picture_decoder import PictureDecoder
from tests.server.captioning.image.variants import FORMATS, LARGE, PICTURE, variants
from tests.server.captioning.manifests import MANIFEST
from tests.server.captioning.pictures import encoded, noise
from tests.server.serving import ROOT

#: Wider than high: 48 x 32.
TARGET = MANIFEST.image

#: Large enough to be drafted.
JPEG = encoded(LARGE, "JPEG")


@pytest.fixture(params=[True, False], ids=["exact", "draft"])
def decoder(request: pytest.FixtureRequest) -> Iterator[PictureDecoder]:
    decoder = PictureDecoder(TARGET, exact_decode=request.param)
    yield decoder
    decoder.close()


@pytest.fixture
def drafting() -> Iterator[PictureDecoder]:
    decoder = PictureDecoder(TARGET, exact_decode=False)
    yield decoder
    decoder.close()


@pytest.mark.parametrize("format", FORMATS)
def test_any_file_gives_pixels_of_the_model_s_size(decoder: PictureDecoder, format: str) -> None:
    """The result is uint8 [height, width, 3], whatever size and format the file has."""
    for file in variants(format):
        pixels = decoder(file)
        assert pixels.shape == (32, 48, 3)
        assert pixels.dtype == np.uint8


@pytest.mark.parametrize("resample", list(Image.Resampling))
def test_exact_pixels_are_the_whole_picture_resized(resample: int) -> None:
    """An exact decoder resizes the full picture with the manifest's filter."""
    decoder = PictureDecoder(replace(TARGET, resample=int(resample)), exact_decode=True)
    for data in (encoded(noise(0, 200, 90)), JPEG):
        expected = decode(data).resize((48, 32), Image.Resampling(resample))
        np.testing.assert_array_equal(decoder(data), np.asarray(expected))


def test_the_pixel_limit_is_the_one_given(decoder: PictureDecoder) -> None:
    """max_pixels bounds the whole picture, also where only a fraction of it would be decoded."""
    decoder(JPEG)
    for exact in (True, False):
        limit = LARGE.width * LARGE.height - 1
        with pytest.raises(ImageTooLarge, match=f"192 x 128 pixels; at most {limit} in all"):
            PictureDecoder(TARGET, max_pixels=limit, exact_decode=exact)(JPEG)


def test_several_threads_get_what_one_gets(decoder: PictureDecoder) -> None:
    """Calls at the same time don't disturb each other, although one thread helps them all."""
    files = [encoded(LARGE.rotate(angle), "JPEG") for angle in range(0, 180, 30)]
    expected = [decoder(file) for file in files]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(decoder, files * 20, timeout=60))
    for index, pixels in enumerate(found):
        np.testing.assert_array_equal(pixels, expected[index % len(files)])


def resize_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("resize")}


def test_close_ends_the_thread_and_decoding_goes_on(drafting: PictureDecoder) -> None:
    """The decoder's own thread ends with close(); later calls give the same without it."""
    before = resize_threads()
    pixels = drafting(JPEG)
    assert len(resize_threads() - before) == 1
    drafting.close()
    assert resize_threads() <= before
    np.testing.assert_array_equal(drafting(JPEG), pixels)
    assert resize_threads() <= before


def test_a_system_without_threads_decodes_on_one(
    monkeypatch: pytest.MonkeyPatch, drafting: PictureDecoder
) -> None:
    """Where no thread can be started the pixels are the same, and it is tried only once."""
    attempts: list[threading.Thread] = []

    def refuse(thread: threading.Thread) -> NoReturn:
        attempts.append(thread)
        raise RuntimeError("can't start new thread")

    expected = PictureDecoder(TARGET, exact_decode=False)(JPEG)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    for _ in range(3):
        np.testing.assert_array_equal(drafting(JPEG), expected)
    assert len(attempts) == 1


IMPORTED = """
import gc, threading
from concurrent.futures import Executor
import server.captioning.image.picture_decoder
print([each for each in gc.get_objects() if isinstance(each, Executor)], threading.active_count())
"""

WITHOUT_PILLOW = """
import sys
import server.captioning.image.version
import server.cache.key
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("PIL", "numpy")))
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("program", "printed"),
    [(IMPORTED, "[] 1"), (WITHOUT_PILLOW, "[]")],
    ids=["an import opens no threads", "the cache key needs no Pillow"],
)
def test_imports_do_little(program: str, printed: str) -> None:
    """Importing the package opens nothing, and the cache key's version needs no Pillow."""
    done: Any = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == printed, done.stderr


def test_pillow_s_warnings_are_ignored() -> None:
    """A file that Pillow warns about is decoded in silence, where warnings are errors too."""
    cut_exif = encoded(PICTURE, "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="Corrupt EXIF data"):
            decode(cut_exif)
        assert PictureDecoder(TARGET, exact_decode=True)(cut_exif).any()
