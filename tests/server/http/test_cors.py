"""Web pages of other origins: refused unless they are allowed."""

import pytest

from tests.server.serving import app

pytestmark = pytest.mark.anyio

ORIGIN = "https://example.org"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,bypass-tunnel-reminder",
}


async def test_no_origin_by_default() -> None:
    """Without --cors-origin no page of another origin may read an answer."""
    async with app() as served:
        answer = await served.caption(headers={"Origin": ORIGIN})
        preflight = await served.client.options("/caption", headers=PREFLIGHT)

    assert answer.status_code == 200
    for each in (answer, preflight):
        assert "access-control-allow-origin" not in each.headers


@pytest.mark.parametrize("allowed", [(ORIGIN,), ("https://other.org", ORIGIN), ("*",)])
async def test_allowed_origin(allowed: tuple[str, ...]) -> None:
    """A page of an allowed origin may send any header, and reads captions and errors."""
    async with app(cors_origin=allowed, api_key=("key",)) as served:
        preflight = await served.client.options("/caption", headers=PREFLIGHT)
        refused = await served.caption(headers={"Origin": ORIGIN})
        headers = {"Origin": ORIGIN, "Authorization": "Bearer key"}
        answer = await served.caption(headers=headers)

    assert preflight.status_code == 200
    allowed_headers = preflight.headers["access-control-allow-headers"]
    assert {"authorization", "bypass-tunnel-reminder"} <= set(allowed_headers.split(","))
    assert (refused.status_code, answer.status_code) == (401, 200)
    for each in (preflight, refused, answer):
        assert each.headers["access-control-allow-origin"] in (ORIGIN, "*")
    assert "X-Cache" in answer.headers["access-control-expose-headers"]


async def test_other_origin() -> None:
    """A page of an origin that is not allowed is refused at the preflight."""
    async with app(cors_origin=("https://other.org",)) as served:
        assert (await served.client.options("/caption", headers=PREFLIGHT)).status_code == 400
