"""Pillow's exceptions on broken files become our errors; defects of ours, and of Pillow, do not."""

import logging
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from server.captioning.errors import ImageTooLarge, UndecodableImage
from server.captioning.image.decode import decode
from server.captioning.image.picture_decoder import PictureDecoder
from tests.server.captioning.image.variants import LARGE, PICTURE, png
from tests.server.captioning.manifests import MANIFEST
from tests.server.captioning.pictures import encoded
from tests.server.serving import ROOT

EXACT, DRAFTED = (PictureDecoder(MANIFEST.image, exact_decode=exact) for exact in (True, False))

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


@pytest.fixture
def failing_load(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Return a function that makes Pillow's decoding of PNG raise an exception."""

    def fail(failure: Exception) -> None:
        def load(_: PngImageFile) -> NoReturn:
            raise failure

        monkeypatch.setattr(PngImageFile, "load", load)

    return fail


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
@pytest.mark.parametrize("decoding", [EXACT, decode], ids=["PictureDecoder", "decode"])
def test_out_of_memory_is_too_large_and_a_warning(
    failing_load: Callable[[Exception], None],
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
    decoding: Callable[[bytes], Any],
) -> None:
    """However Pillow reports that memory ran out, the picture is too large; it logs a warning."""
    failing_load(failure)
    with caplog.at_level(logging.WARNING), pytest.raises(ImageTooLarge, match="more memory"):
        decoding(encoded(PICTURE))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Memory ran out" in caplog.text


OUT_OF_MEMORY = """
import resource, sys
from pathlib import Path
from server.captioning.errors import ImageTooLarge
from server.captioning.image.picture_decoder import PictureDecoder
from tests.server.captioning.manifests import MANIFEST

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


TRANSPARENT_INDEX_300 = png(
    (1, 1, 8, 3), b"\0\0", [(b"PLTE", bytes(3)), (b"tRNS", b"\xff" * 300 + b"\0")]
)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (cut(encoded(PICTURE, "JPEG", quality=100)), "can't decode JPEG: OSError: 'image file is"),
        (b"\xff\xd8\xff" + bytes(30), "can't open the file: UnidentifiedImageError"),
        (TRANSPARENT_INDEX_300, "can't convert to RGBA: ValueError: 'palette index out of range'"),
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


@pytest.mark.parametrize(
    "failure",
    [
        OSError,
        SyntaxError,
        ValueError,
        OverflowError,
        ZeroDivisionError,
        RuntimeError,
        IndexError,
        TypeError,
        KeyError,
        EOFError,
        struct.error,
    ],
)
def test_what_pillow_raises_on_broken_files_is_undecodable(
    failing_load: Callable[[Exception], None], failure: type[Exception]
) -> None:
    """Exceptions that were seen in Pillow's decoders, or that Pillow lists itself, are refusals."""
    failing_load(failure("seen in a decoder"))
    with pytest.raises(UndecodableImage):
        EXACT(encoded(PICTURE))


@pytest.mark.parametrize("failure", [AttributeError, AssertionError, NameError])
def test_an_exception_outside_the_list_is_a_defect(
    failing_load: Callable[[Exception], None], failure: type[Exception]
) -> None:
    """An exception that Pillow was never seen to raise on a broken file propagates."""
    failing_load(failure("never seen"))
    with pytest.raises(failure, match="never seen"):
        EXACT(encoded(PICTURE))
