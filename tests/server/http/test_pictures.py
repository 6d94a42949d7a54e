"""Pictures in JSON, in every form in which clients send them."""

import base64
import json
from hashlib import sha256

import msgspec
import pytest

from server.errors import BodyTooLarge, InvalidField, MissingField
from server.http.pictures import Picture, picture_of

CONTENT = bytes(range(256)) * 3 + b"?"
PLAIN = base64.b64encode(CONTENT).decode()
LIMIT = 1000


def read(value: object, limit: int = LIMIT, *, escape_slashes: bool = False) -> Picture:
    text = json.dumps(value)
    if escape_slashes:
        text = text.replace("/", "\\/")
    return picture_of(msgspec.Raw(text.encode()), "image", limit)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        f"data:image/jpeg;base64,{PLAIN}",
        f"data:;base64,{PLAIN}",
        f"data:application/octet-stream;base64,{PLAIN}",
        f"DATA:image/png;name=a.png;BASE64,{PLAIN}",
        PLAIN.rstrip("="),
        PLAIN.replace("+", "-").replace("/", "_"),
        "\n".join(PLAIN[i : i + 76] for i in range(0, len(PLAIN), 76)) + "\r\n",
    ],
)
@pytest.mark.parametrize("escape_slashes", [False, True])
def test_forms_of_base64(text: str, escape_slashes: bool) -> None:
    """Base64 is read bare or in a data URL, with blanks, without padding, with escaped slashes."""
    picture = read(text, escape_slashes=escape_slashes)

    assert picture == Picture(CONTENT, sha256(CONTENT).digest())


@pytest.mark.parametrize("value", [1, None, True, [PLAIN], {"url": PLAIN}, 1.5])
def test_no_string(value: object) -> None:
    """A picture that is no string is refused by the name of its member."""
    with pytest.raises(InvalidField, match="image"):
        read(value)


@pytest.mark.parametrize(
    "text", ["!", "not a picture!", "/9j/4AA=QSk", "\ud83d\ude00", "AAAAA", "\x00"]
)
def test_no_base64(text: str) -> None:
    """Text that is no base64 is refused."""
    with pytest.raises(InvalidField, match="not base64"):
        read(text)


@pytest.mark.parametrize("text", ["data:image/png,abc", "data:image/png;base64", "data:"])
def test_data_url_without_base64(text: str) -> None:
    """A data URL in another encoding is refused."""
    with pytest.raises(InvalidField, match=";base64"):
        read(text)


@pytest.mark.parametrize("text", ["http://example.org/a.jpg", "https://a", "file:///a", "ftp://a"])
def test_addresses_are_not_fetched(text: str) -> None:
    """An address instead of a picture is refused, as the server fetches nothing."""
    with pytest.raises(InvalidField, match="fetches nothing"):
        read(text)


@pytest.mark.parametrize("text", ["", "data:image/png;base64,", "  "])
def test_empty(text: str) -> None:
    """An empty picture is a missing one."""
    with pytest.raises(MissingField):
        read(text)


def test_limit_is_of_the_decoded_picture() -> None:
    """A picture of exactly the limit passes, and one byte more is refused."""
    assert len(read(base64.b64encode(bytes(LIMIT)).decode()).content) == LIMIT
    for more in (1, 2, 3, 1000):
        with pytest.raises(BodyTooLarge):
            read(base64.b64encode(bytes(LIMIT + more)).decode())
