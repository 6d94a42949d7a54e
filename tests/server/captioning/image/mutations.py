"""Seeded damage to picture files: cut, overwritten, spliced, or wrong in one field."""

import random
import struct
import zlib
from collections.abc import Sequence

from tests.server.captioning.image.variants import png_chunk

#: Numbers at which fields overflow, change their sign, or mean something else.
EDGES = (0, 1, 2, 3, 8, 16, 127, 128, 255, 256, 32767, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1)

#: Names under which Pillow keeps what a PNG's text chunks hold, beside what other chunks gave it.
PNG_NAMES = (b"transparency", b"exif", b"xmp", b"XML:com.adobe.xmp", b"Raw profile type exif")

PNG_KINDS = (b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"pHYs")

#: TIFF tags that decide how the pixels are read, and those of directories and XMP inside a file.
TIFF_TAGS = (256, 257, 258, 259, 262, 273, 274, 277, 279, 284, 317, 320, 322, 324, 338, 339, 700)
TIFF_DIRECTORIES = (34665, 34853, 40965)


def mutated(whole: bytes, format: str, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """Damage a file of `format`; `others` are files to take pieces from."""
    kind = chance.random()
    if kind < 0.1:
        return whole[: chance.randrange(len(whole))]
    if format == "PNG" and kind < 0.6:
        return _with_other_chunks(whole, chance, others)
    if format == "TIFF" and kind < 0.6:
        return with_other_entries(whole, chance)
    damaged = _overwritten(whole, chance, others)
    return _with_checksums(damaged) if format == "PNG" else damaged


def with_other_entries(tiff: bytes, chance: random.Random) -> bytes:
    """Change tag, type, count or value of a few entries in the first directory of TIFF or EXIF."""
    damaged = bytearray(tiff)
    start = 6 if damaged.startswith(b"Exif\0\0") else 0
    order = "<" if damaged[start : start + 2] == b"II" else ">"
    (offset,) = struct.unpack_from(f"{order}I", damaged, start + 4)
    first = start + offset + 2
    if first > len(damaged):
        return tiff
    (count,) = struct.unpack_from(f"{order}H", damaged, first - 2)
    for _ in range(chance.randint(1, 4)):
        entry = first + 12 * chance.randrange(max(1, min(count, 32)))
        if entry + 12 > len(damaged):
            continue
        field, layout, values = chance.choice(
            [
                (0, "H", (*TIFF_TAGS, *TIFF_DIRECTORIES)),
                (2, "H", range(19)),
                (4, "I", EDGES),
                (8, "I", (*EDGES, len(tiff), chance.randrange(2**32))),
            ]
        )
        struct.pack_into(order + layout, damaged, entry + field, chance.choice(values))
    return bytes(damaged)


def _overwritten(whole: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    damaged = bytearray(whole)
    header = chance.choice((60, 200, 600, len(whole)))
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(min(header, len(damaged)))
        other = chance.choice(others)
        start = chance.randrange(len(other))
        piece = chance.choice(
            (
                chance.randbytes(1),
                struct.pack(chance.choice("<>") + "H", chance.choice(EDGES) & 0xFFFF),
                struct.pack(chance.choice("<>") + "I", chance.choice(EDGES)),
                other[start : start + chance.randint(1, 64)],
            )
        )
        # In place mostly; sometimes everything behind it moves.
        length = chance.choice((len(piece), len(piece), len(piece), 0, len(piece) + 3))
        damaged[at : at + length] = piece
    return bytes(damaged)


def _with_other_chunks(whole: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    chunks = _chunks(whole)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(chunks))
        kind, content = chunks[at]
        change = chance.randrange(5)
        if change == 0 and len(chunks) > 1:
            del chunks[at]
        elif change == 1:
            chunks[at] = kind, content[: chance.randrange(len(content) + 1)]
        elif change == 2:
            chunks.insert(at, chance.choice(_chunks(chance.choice(others))))
        elif change == 3:
            filler = chance.choice((chance.randbytes(9), b"\xff" * chance.randint(1, 500) + b"\0"))
            chunks.insert(at, (chance.choice(PNG_KINDS), filler))
        else:
            chunks.insert(at, _text(chance))
    return whole[:8] + b"".join(png_chunk(*chunk) for chunk in chunks)


def _text(chance: random.Random) -> tuple[bytes, bytes]:
    name, value = chance.choice(PNG_NAMES), chance.choice((b"", b"7", chance.randbytes(20)))
    return chance.choice(
        (
            (b"tEXt", name + b"\0" + value),
            (b"zTXt", name + b"\0\0" + zlib.compress(value)),
            (b"iTXt", name + b"\0\0\0\0\0" + value),
        )
    )


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], 8
    while at + 8 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def _with_checksums(png: bytes) -> bytes:
    """Make the checksums right, so that the damage is found later than there."""
    return png[:8] + b"".join(png_chunk(*chunk) for chunk in _chunks(png))
