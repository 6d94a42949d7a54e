"""Small files of every allowed format, in the variants that reach different code in Pillow."""

import struct
import zlib
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from tests.server.captioning.pictures import encoded, noise

PICTURE = noise(0, 24, 16)

#: Large enough to be drafted for a target of 48 x 32.
LARGE = PICTURE.resize((192, 128), Image.Resampling.NEAREST)

XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'


def exif(orientation: int = 6, endian: str = ">") -> bytes:
    """An EXIF block with an orientation, text, a rational, and two directories inside."""
    block = Image.Exif()
    block.endian = endian
    block[0x0112] = orientation
    block[0x010F] = "maker"
    block[0x011A] = (72, 1)
    block.get_ifd(0x8769)[0x927C] = b"maker note"
    block.get_ifd(0x8825)[1] = "N"
    return block.tobytes()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(
    header: tuple[int, int, int, int], rows: bytes, extra: Iterable[tuple[bytes, bytes]] = ()
) -> bytes:
    """A PNG of (width, height, depth, color type), also of depths that Pillow doesn't write."""
    content = struct.pack(">IIBBBBB", *header, 0, 0, 0)
    chunks = [(b"IHDR", content), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def bmp(bits: int, compression: int, data: bytes, extra: bytes = b"") -> bytes:
    """A BMP of 8 x 8 pixels; `extra` is what stands between header and pixels."""
    start = 54 + len(extra)
    header = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, bits, compression, len(data), 1, 1, 0, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + extra + data


def deep() -> Image.Image:
    return Image.fromarray(np.asarray(PICTURE.convert("L"), np.uint16) * 257)


def _jpeg() -> list[bytes]:
    save = partial(encoded, format="JPEG")
    photoshop = b"Photoshop 3.0\0" + b"8BIM\x03\xed\0\0\0\0\0\x10" + bytes(16)
    segment = b"\xff\xed" + struct.pack(">H", len(photoshop) + 2) + photoshop
    plain = save(PICTURE)
    return [
        plain,
        plain[:2] + segment + plain[2:],
        save(PICTURE, progressive=True),
        save(PICTURE.convert("L")),
        save(PICTURE.convert("CMYK")),
        save(PICTURE, exif=exif(), xmp=XMP, icc_profile=bytes(99), comment=b"hello", dpi=(72, 72)),
        save(LARGE, exif=exif(8, "<")),
        save(LARGE, xmp=XMP, restart_marker_blocks=4),
    ]


def _mpo() -> list[bytes]:
    save = partial(encoded, format="MPO", save_all=True)
    return [
        save(PICTURE, append_images=[PICTURE]),
        save(LARGE, append_images=[PICTURE], exif=exif()),
    ]


def _png() -> list[bytes]:
    save = partial(encoded, format="PNG")
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(exif())}\n{exif().hex()}", zip=True)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
    palette = PICTURE.quantize(16)
    return [
        *(save(PICTURE.convert(mode)) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
        save(deep()),
        save(deep(), transparency=1000),
        save(PICTURE.convert("L"), transparency=5),
        save(PICTURE, transparency=(1, 2, 3)),
        save(palette, transparency=b"\x80" * 9),
        save(palette, transparency=7),
        save(PICTURE, pnginfo=text, icc_profile=bytes(99), dpi=(72, 72)),
        save(PICTURE, exif=exif()),
        save(PICTURE, save_all=True, append_images=[PICTURE.rotate(180)], duration=10),
        png((4, 1, 2, 0), b"\0\x1b", [(b"tRNS", b"\0\2")]),
        png((2, 1, 16, 2), b"\0" + bytes(12), [(b"tRNS", bytes(6))]),
        png((2, 1, 8, 2), b"\0" + bytes(6), [(b"gAMA", bytes(4)), (b"cHRM", bytes(32))]),
    ]


def _webp() -> list[bytes]:
    save = partial(encoded, format="WEBP")
    return [
        save(PICTURE),
        save(PICTURE.convert("RGBA"), lossless=True),
        save(PICTURE, exif=exif(), xmp=XMP, icc_profile=bytes(99)),
        save(PICTURE, save_all=True, append_images=[PICTURE.rotate(180)]),
    ]


def _gif() -> list[bytes]:
    save = partial(encoded, format="GIF")
    return [
        save(PICTURE, interlace=1, comment=b"hello"),
        save(PICTURE.convert("L")),
        save(PICTURE.convert("P"), transparency=3),
        save(PICTURE, save_all=True, append_images=[PICTURE.rotate(180)], disposal=2),
    ]


def _bmp() -> list[bytes]:
    run_lengths = (
        b"".join(bytes([4, value, 0, 4, 1, 2, 3, 4, 0, 0]) for value in range(8)) + b"\0\1"
    )
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    return [
        *(encoded(PICTURE.convert(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")),
        bmp(8, 1, run_lengths, bytes(1024)),
        bmp(4, 2, run_lengths, bytes(1024)),
        bmp(16, 3, bytes(128), masks),
    ]


def _tiff() -> list[bytes]:
    save = partial(encoded, format="TIFF")
    modes = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F")
    compressions = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma")
    oriented = Image.Exif()
    oriented[0x0112] = 6
    return [
        *(save(PICTURE.convert(mode)) for mode in modes),
        *(save(PICTURE, compression=compression) for compression in compressions),
        *(save(PICTURE.convert("1"), compression=name) for name in ("group3", "group4")),
        save(deep(), compression="tiff_lzw"),
        save(PICTURE, big_tiff=True),
        save(PICTURE, exif=oriented, tiffinfo={700: XMP}),
        save(PICTURE, save_all=True, append_images=[PICTURE], strip_size=100),
    ]


def _avif() -> list[bytes]:
    save = partial(encoded, format="AVIF", speed=10)
    return [
        save(PICTURE),
        save(PICTURE.convert("RGBA")),
        save(PICTURE.convert("L"), subsampling="4:0:0"),
        save(PICTURE, exif=exif(), xmp=XMP, icc_profile=bytes(99)),
    ]


_VARIANTS: dict[str, Callable[[], list[Any]]] = {
    "JPEG": _jpeg,
    "MPO": _mpo,
    "PNG": _png,
    "WEBP": _webp,
    "GIF": _gif,
    "BMP": _bmp,
    "TIFF": _tiff,
    "AVIF": _avif,
}

FORMATS = tuple(_VARIANTS)


@cache
def variants(format: str) -> list[bytes]:
    """Files of one format that decode to pictures."""
    return _VARIANTS[format]()
