"""Files and bodies made to break a server, through a real one with the real model."""

import os
import random
import re
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

from server.errors import STATUSES
from tests.server.serving import server_process

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

#: Spoilt pictures of each format; 450 make it three thousand and more.
ROUNDS = int(os.environ.get("HOSTILE_ROUNDS", "40"))

ERROR_TYPES = {status.error_type: status.code for status in STATUSES.values()}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """A client of a server that has to be the same one at the end, with no defect in its log."""
    with server_process("--no-cache", "--threads", "1", module="server") as server:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            yield client
        assert server.process.poll() is None
        server.process.terminate()
        assert server.process.wait(30) == 0
    assert "Traceback" not in "".join(server.log)


def outcome(answer: httpx.Response) -> str:
    """The error_type of an answer that is one the server has, or "caption"."""
    if answer.status_code == 200:
        assert isinstance(answer.json()["caption"], str)
        return "caption"
    error_type = answer.json()["error_type"]
    assert ERROR_TYPES[error_type] == answer.status_code < 500
    return str(error_type)


def upload(client: httpx.Client, image: bytes) -> str:
    return outcome(client.post("/caption", files={"image": image}))


def picture(format: str) -> bytes:
    noise = Image.frombytes("RGB", (24, 16), random.Random(0).randbytes(24 * 16 * 3))
    file = BytesIO()
    noise.save(file, format)
    return file.getvalue()


@pytest.mark.parametrize("format", FORMATS)
def test_truncated(client: httpx.Client, format: str) -> None:
    """A picture cut anywhere is captioned by what is there, or refused."""
    whole = picture(format)
    assert upload(client, whole) == "caption"
    for step in range(25):
        upload(client, whole[: 1 + len(whole) * step // 25])


@pytest.mark.parametrize("format", FORMATS)
def test_bits_flipped(client: httpx.Client, format: str) -> None:
    """A picture with a few wrong bits, most of them in its header, is captioned or refused."""
    chance = random.Random(format)
    whole = picture(format)
    for _ in range(ROUNDS):
        spoilt = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            end = len(spoilt) if chance.random() < 0.3 else min(len(spoilt), 200)
            spoilt[chance.randrange(end)] ^= 1 << chance.randrange(8)
        upload(client, bytes(spoilt))


def bomb(format: str) -> bytes:
    """A small file that says that it is 30,000 pixels wide and high."""
    file = bytearray(picture(format))
    if format == "PNG":
        file[16:24] = struct.pack(">II", 30_000, 30_000)
        file[29:33] = struct.pack(">I", zlib.crc32(file[12:29]))
    elif format == "GIF":
        file[6:10] = struct.pack("<HH", 30_000, 30_000)
    elif format == "BMP":
        file[18:26] = struct.pack("<ii", 30_000, 30_000)
    elif format == "JPEG":
        frame = file.index(b"\xff\xc0")
        file[frame + 5 : frame + 9] = struct.pack(">HH", 30_000, 30_000)
    return bytes(file)


@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "JPEG"])
def test_bomb(client: httpx.Client, format: str) -> None:
    """A picture of 900 million pixels is refused by its header."""
    assert upload(client, bomb(format)) == "image_too_large"


@pytest.mark.parametrize(
    "beginning",
    [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"%PDF-1.7\n", b"<svg>", b"8BPS\x00\x01", b"P6 1 1 "],
)
def test_other_formats(client: httpx.Client, beginning: bytes) -> None:
    """A format that is not on the list reaches no parser, whatever the file is called."""
    assert upload(client, beginning + bytes(200)) == "unsupported_image_format"


def test_pillows_regression_suite(client: httpx.Client, shared: Path) -> None:
    """Every file that once broke Pillow, or was made to, is captioned or refused."""
    for file in sorted((shared / "hostile" / "images").iterdir()):
        upload(client, file.read_bytes())


def test_multipart_suite(client: httpx.Client, shared: Path) -> None:
    """The bodies of python-multipart's suite, none of which has an image, are refused."""
    for file in sorted((shared / "hostile" / "multipart").glob("*.http")):
        found = re.search(r"^boundary: (\S+)", file.with_suffix(".yaml").read_text(), re.MULTILINE)
        assert found
        answer = client.post(
            "/caption",
            content=file.read_bytes(),
            headers={"content-type": f"multipart/form-data; boundary={found[1]}"},
        )

        assert outcome(answer) != "caption"
