"""GET /caption/{digest}: cached captions without an upload, and their entity tags."""

from hashlib import sha256

import pytest

from tests.server.serving import app
from tests.server.valkey import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.process]

PICTURE = b"picture"
DIGEST = sha256(PICTURE).hexdigest()


async def test_found_after_an_upload(valkey: Valkey) -> None:
    """The caption of an uploaded picture is found by its digest, with prompt and options."""
    async with app(redis_url=valkey.url) as served:
        fields = {"prompt": "a b", "num_beams": "2"}
        assert (await served.client.get(f"/caption/{DIGEST}")).status_code == 404
        uploaded = await served.caption(PICTURE, fields)

        found = await served.client.get(f"/caption/{DIGEST.upper()}", params=fields)
        other = await served.client.get(f"/caption/{DIGEST}", params={"prompt": "a b"})

    assert found.status_code == 200
    assert found.json() == {**uploaded.json(), "cached": True}
    assert found.headers["x-cache"] == "HIT"
    assert found.headers["etag"] == uploaded.headers["etag"]
    assert found.headers["cache-control"] == "private, no-cache"
    assert (other.status_code, other.json()["error_type"]) == (404, "not_cached")
    assert served.captioner.inferences == 1


async def test_rendering_is_no_part_of_the_key(valkey: Valkey) -> None:
    """A cached caption is found in every rendering, each with a tag of its own."""
    async with app(redis_url=valkey.url) as served:
        await served.caption(PICTURE, {"prompt": "a"})
        path, prompt = f"/caption/{DIGEST}", {"prompt": "a"}
        plain = await served.client.get(path, params=prompt)
        short = await served.client.get(path, params={**prompt, "return_full_text": "false"})
        alt = await served.client.get(path, params={**prompt, "style": "alt", "max_chars": "10"})

    assert plain.json()["caption"] == "a 7 bytes"
    assert short.json()["caption"] == "7 bytes"
    assert alt.json()["caption"] == "A 7 bytes."
    assert len({each.headers["etag"] for each in (plain, short, alt)}) == 3
    assert served.captioner.inferences == 1


async def test_if_none_match(valkey: Valkey) -> None:
    """A client that has the caption gets 304 without a body; a POST ignores the header."""
    async with app(redis_url=valkey.url) as served:
        etag = (await served.caption(PICTURE)).headers["etag"]
        for given in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
            headers = {"If-None-Match": given}
            same = await served.client.get(f"/caption/{DIGEST}", headers=headers)
            assert (same.status_code, same.content) == (304, b"")
            assert same.headers["etag"] == etag
            assert (await served.caption(PICTURE, headers=headers)).status_code == 200
        headers = {"If-None-Match": '"other"'}
        assert (await served.client.get(f"/caption/{DIGEST}", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "error_type"),
    [
        ("abc", 400, "invalid_field"),
        ("g" * 64, 400, "invalid_field"),
        (DIGEST + "?beams=1", 400, "invalid_field"),
        (DIGEST + "?num_beams=one", 400, "invalid_field"),
        (DIGEST + "?num_beams=99", 422, "option_out_of_range"),
        (DIGEST + "?style=loud", 422, "option_out_of_range"),
        (DIGEST + "?prompt=a&prompt=b", 400, "invalid_field"),
        (DIGEST + "?prompt=" + "x" * 9000, 422, "field_too_long"),
    ],
)
async def test_refusals(path: str, status: int, error_type: str) -> None:
    """A malformed digest and bad fields are refused as a form's are."""
    async with app() as served:
        answer = await served.client.get(f"/caption/{path}")

    assert (answer.status_code, answer.json()["error_type"]) == (status, error_type)


async def test_needs_a_key() -> None:
    """With API keys, a look-up without one is refused."""
    async with app(api_key=("key",)) as served:
        assert (await served.client.get(f"/caption/{DIGEST}")).status_code == 401
        headers = {"Authorization": "Bearer key"}
        assert (await served.client.get(f"/caption/{DIGEST}", headers=headers)).status_code == 404
