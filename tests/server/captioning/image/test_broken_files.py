"""Broken files give our errors, and our own defects are not taken for broken files."""

import logging
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from server.captioning.errors import ImageError, ImageTooLarge, UndecodableImage
from server.captioning.image.picture_decoder import PictureDecoder
from tests.scale import FULL
from tests.server.captioning.image.mutations import mutated
from tests.server.captioning.image.variants import FORMATS, LARGE, PICTURE, png, variants
from tests.server.captioning.manifests import MANIFEST
from tests.server.captioning.pictures import encoded
from tests.server.serving import ROOT

TARGET = replace(MANIFEST.image, width=48, height=32)

#: Of each format.
MUTATIONS = 25_000 if FULL else 1000

EXACT, DRAFTED = (
    PictureDecoder(TARGET, max_pixels=300_000, exact_decode=exact) for exact in (True, False)
)


def outcome(decode: PictureDecoder, data: bytes) -> str:
    """Return "pixels" or the name of our error; every other exception leaves this function."""
    try:
        pixels = decode(data)
    except ImageError as error:
        return type(error).__name__
    assert pixels.shape == (32, 48, 3)
    assert pixels.dtype == np.uint8
    return "pixels"


@pytest.mark.parametrize("format", FORMATS)
def test_mutated_files_give_pixels_or_our_errors(format: str) -> None:
    """No damage to a file makes any other exception than an ImageError."""
    chance = random.Random(format)
    files = variants(format)
    outcomes = Counter(
        outcome(decode, mutated(chance.choice(files), format, chance, files))
        for _ in range(MUTATIONS // 2)
        for decode in (EXACT, DRAFTED)
    )
    print(dict(outcomes))
    assert {"pixels", "UndecodableImage", "UnsupportedImageFormat"} <= outcomes.keys()
    assert outcomes.keys() <= {
        "pixels",
        "UndecodableImage",
        "UnsupportedImageFormat",
        "ImageTooLarge",
    }


@pytest.mark.parametrize("format", FORMATS)
def test_the_mutated_files_are_pictures_before(format: str) -> None:
    """Every file that is mutated above decodes to pixels while it is whole."""
    for file in variants(format):
        assert outcome(EXACT, file) == outcome(DRAFTED, file) == "pixels"


def test_the_hostile_set_gives_pixels_or_our_errors(shared: Path) -> None:
    """Pillow's own collection of files that once broke it is decoded or refused."""
    files = sorted((shared / "hostile" / "images").iterdir())
    outcomes = Counter(
        outcome(decode, file.read_bytes()) for file in files for decode in (EXACT, DRAFTED)
    )
    assert outcomes.total() == 2 * len(files) > 400
    assert {"pixels", "UndecodableImage"} <= outcomes.keys()


TRANSPARENCY_AS_TEXT = (b"tEXt", b"transparency\0a")
PALETTE_INDEX_300 = (b"tRNS", b"\xff" * 300 + b"\0")


@pytest.mark.parametrize(
    "data",
    [
        png((4, 1, 2, 0), b"\0\x1b", [TRANSPARENCY_AS_TEXT]),
        png((4, 1, 8, 2), b"\0" + bytes(12), [TRANSPARENCY_AS_TEXT]),
        png((1, 1, 8, 3), b"\0\0", [(b"PLTE", bytes(3)), PALETTE_INDEX_300]),
        png((1, 1, 8, 3), b"\0\0"),
        png((1, 1, 8, 0), b"\0\0")[:33],
    ],
    ids=[
        "text instead of a gray",
        "text instead of a color",
        "transparent palette index 300",
        "no palette",
        "no pixels",
    ],
)
def test_contradictions_that_only_a_conversion_finds_are_undecodable(data: bytes) -> None:
    """A PNG that Pillow opens, and whose fields contradict each other, is a broken picture."""
    with pytest.raises(UndecodableImage):
        EXACT(data)


def a_16_bit_gray_with_a_transparent_color() -> bytes:
    """A PNG whose second header changes its mode after the transparent color was read."""
    color = png((1, 1, 8, 2), b"", [(b"tRNS", bytes(6))])
    gray = png((1, 1, 16, 0), b"\0\0\0")
    return color[: 33 + 18] + gray[8:]


def test_a_second_header_changes_nothing_about_the_first_one_s_fields() -> None:
    """A transparent color that doesn't fit the mode is ignored in a deep picture."""
    assert EXACT(a_16_bit_gray_with_a_transparent_color()).max() == 0


#: Our own code, and a file whose decoding runs it.
OURS: dict[str, bytes] = {
    "decode.scale_transparent_color": encoded(PICTURE),
    "decode.to_rgb": encoded(PICTURE),
    "decode.exif_transpose": encoded(PICTURE),
    "decode.transposition_of": encoded(PICTURE),
    "decode._check_size": encoded(PICTURE),
    "color._over_white": encoded(PICTURE.convert("RGBA")),
    "color._scale": encoded(PICTURE.convert("F"), "TIFF"),
    "picture_decoder.jpeg_draft.draft": encoded(LARGE, "JPEG"),
    "resize.Resizer.resize": encoded(LARGE, "JPEG"),
}


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("defect", [TypeError, KeyError, ValueError, OSError, RuntimeError])
def test_a_defect_of_ours_is_not_a_broken_picture(
    monkeypatch: pytest.MonkeyPatch, name: str, defect: type[Exception]
) -> None:
    """An exception from our own code propagates, of whatever type: it becomes a 500."""

    def defective(*_: object, **__: object) -> NoReturn:
        raise defect("a defect of ours")

    monkeypatch.setattr(f"server.captioning.image.{name}", defective)
    with pytest.raises(defect, match="a defect of ours"):
        DRAFTED(OURS[name])


@pytest.mark.parametrize(
    "failure",
    [
        MemoryError(),
        OSError("out of memory when reading image file"),
        OSError("decoder error -9"),
        RuntimeError("Failed to decode frame 0: Out of memory"),
    ],
    ids=repr,
)
def test_out_of_memory_is_too_large_and_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    """However Pillow reports that memory ran out, the picture is too large; it logs a warning."""

    def load(_: PngImageFile) -> NoReturn:
        raise failure

    monkeypatch.setattr(PngImageFile, "load", load)
    with caplog.at_level(logging.WARNING), pytest.raises(ImageTooLarge, match="more memory"):
        EXACT(encoded(PICTURE))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Memory ran out" in caplog.text


OUT_OF_MEMORY = """
import resource, sys
from pathlib import Path
from server.captioning.errors import ImageTooLarge
from tests.server.captioning.image.test_broken_files import MANIFEST, PictureDecoder

decode = PictureDecoder(MANIFEST.image, exact_decode=True)
data = Path(sys.argv[1]).read_bytes()
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 100_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    decode(data)
except ImageTooLarge as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on address space is Linux's")
@pytest.mark.process
def test_a_process_without_memory_refuses_the_picture(tmp_path: Path) -> None:
    """A picture within the limit on pixels that takes more memory than there is is too large."""
    file = tmp_path / "large.png"
    file.write_bytes(encoded(Image.new("RGB", (7000, 7000))))
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "needs more memory than the server has left" in done.stdout, done.stderr
    assert "Memory ran out" in done.stderr


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (cut(encoded(PICTURE, "JPEG", quality=100)), "can't decode JPEG: OSError: 'image file is"),
        (b"\xff\xd8\xff" + bytes(30), "can't open the file: UnidentifiedImageError"),
        (png((1, 1, 8, 3), b"\0\0", [(b"PLTE", bytes(3)), PALETTE_INDEX_300]), "convert to RGBA"),
    ],
    ids=["truncated", "unidentified", "contradiction"],
)
def test_the_cause_of_a_refusal_is_logged_at_debug(
    caplog: pytest.LogCaptureFixture, data: bytes, cause: str
) -> None:
    """A developer can read why a picture was refused; an operator's log is not filled with it."""
    with caplog.at_level(logging.DEBUG, "server.captioning"), pytest.raises(UndecodableImage):
        EXACT(data)
    ours = [record for record in caplog.records if record.name.startswith("server.")]
    assert [record.levelname for record in ours] == ["DEBUG"]
    assert cause in ours[0].getMessage()
    assert len(ours[0].getMessage()) < 250


@pytest.fixture
def failing_load(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    def fail(failure: Exception) -> None:
        def load(_: PngImageFile) -> NoReturn:
            raise failure

        monkeypatch.setattr(PngImageFile, "load", load)

    return fail


def test_a_logged_cause_is_short_and_on_one_line(
    caplog: pytest.LogCaptureFixture, failing_load: Callable[[Exception], None]
) -> None:
    """A message of Pillow's that quotes the file can't fill the log or forge a line."""
    failing_load(ValueError("\n2026-01-01 forged " + "x" * 5000))
    with caplog.at_level(logging.DEBUG, "server.captioning"), pytest.raises(UndecodableImage):
        EXACT(encoded(PICTURE))
    (message,) = (each.getMessage() for each in caplog.records if each.name.startswith("server."))
    assert "\n" not in message
    assert len(message) < 250


def test_an_exception_outside_the_list_is_a_defect(
    failing_load: Callable[[Exception], None],
) -> None:
    """What Pillow is not known to raise on broken files propagates too."""
    failing_load(AttributeError("no such thing"))
    with pytest.raises(AttributeError):
        EXACT(encoded(PICTURE))
