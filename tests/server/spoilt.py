"""Pictures and forms made to break whoever parses them."""

import random
import struct
import zlib
from io import BytesIO

from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

#: Of a bomb, in pixels: within every format's own limits, WebP's being the narrowest.
SIDE = 16_000

WIDTH, HEIGHT = 24, 16

CONTENT_TYPE = "multipart/form-data; boundary=frontier"

#: What a form is made of, for it to be put where it does not belong.
TOKENS = (
    b"\r\n",
    b"\r\n\r\n",
    b"\r\n--frontier\r\n",
    b"\r\n--frontier--\r\n",
    b"--",
    b'"',
    b"\\",
    b":",
    b";",
    b"=",
    b"\x00",
    b"\xff",
    b"; charset=utf-7",
    b"; filename*=utf-8''%ff",
    b'; filename="x"',
    b"name=",
    b"Content-Type: text/plain; charset=undefined\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Disposition: form-data; name=",
)


def picture(format: str, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    noise = random.Random(0).randbytes(width * height * 3)
    file = BytesIO()
    Image.frombytes("RGB", (width, height), noise).save(file, format)
    return file.getvalue()


def flipped(whole: bytes, chance: random.Random) -> bytes:
    """A file with a few wrong bits, most of them in its header."""
    spoilt = bytearray(whole)
    for _ in range(chance.randint(1, 8)):
        end = len(spoilt) if chance.random() < 0.3 else min(len(spoilt), 200)
        spoilt[chance.randrange(end)] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


def bomb(format: str) -> bytes:
    """A small file whose header says that it is SIDE pixels wide and high."""
    file = bytearray(picture(format))

    def write(layout: str, start: int) -> None:
        struct.pack_into(layout, file, start, SIDE, SIDE)

    if format == "PNG":
        write(">II", 16)
        struct.pack_into(">I", file, 29, zlib.crc32(file[12:29]))
    elif format == "GIF":
        write("<HH", 6)
    elif format == "BMP":
        write("<ii", 18)
    elif format == "JPEG":
        write(">HH", file.index(b"\xff\xc0") + 5)
    elif format == "WEBP":
        write("<HH", file.index(b"\x9d\x01\x2a") + 3)
    elif format == "AVIF":
        write(">II", file.index(b"ispe") + 8)
    elif format == "TIFF":
        for tag, side in ((256, WIDTH), (257, HEIGHT)):
            of_one_long = struct.pack("<HHII", tag, 4, 1, side)
            struct.pack_into("<I", file, file.index(of_one_long) + 8, SIDE)
    return bytes(file)


def text_bomb(kind: bytes) -> bytes:
    """A PNG with 100 MB of zeros in a compressed chunk beside the picture."""
    whole = picture("PNG")
    payload = kind + b"name\x00\x00" + zlib.compress(bytes(100_000_000))
    chunk = struct.pack(">I", len(payload) - 4) + payload + struct.pack(">I", zlib.crc32(payload))
    end_of_header = 33
    return whole[:end_of_header] + chunk + whole[end_of_header:]


def form() -> bytes:
    """A caption request's body with a field of every kind, and most of it is no picture."""
    parts = (
        (b'image"; filename="x.png"\r\nContent-Type: image/png', picture("PNG", 1, 1)),
        (b'prompt"', b"a picture of"),
        (b'num_beams"', b"1"),
        (b'length_penalty"', b"1.0"),
    )
    return (
        b"".join(
            b'--frontier\r\nContent-Disposition: form-data; name="%b\r\n\r\n%b\r\n' % part
            for part in parts
        )
        + b"--frontier--\r\n"
    )


def mutated(whole: bytes, chance: random.Random) -> bytes:
    """A form with pieces removed, repeated, replaced or put in, and maybe cut."""
    body = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(body))
        end = start + chance.randint(0, 12)
        piece = bytes(body[start:end])
        token = chance.choice(TOKENS)
        body[start:end] = chance.choice([b"", piece * 2, chance.randbytes(3), token, piece + token])
    return bytes(body[: chance.randrange(len(body))] if chance.random() < 0.1 else body)
