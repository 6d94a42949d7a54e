from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from server.errors import StartupError
from tests.server.fakes import FakeModel
from tests.server.serving import app, listening_app

pytestmark = pytest.mark.anyio

KEYS = ("first-key", "second-key")


def bearing(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def test_no_key() -> None:
    """With API keys, a request without one gets a 401 that says how to send it."""
    async with app(api_key=KEYS) as served:
        answer = await served.caption()

        assert (answer.status_code, answer.json()["error_type"]) == (401, "unauthorized")
        assert "Authorization: Bearer" in answer.json()["error"]
        assert answer.headers["www-authenticate"] == "Bearer"
        assert served.captioner.inferences == 0


@pytest.mark.parametrize(
    "headers",
    [
        bearing("third-key"),
        bearing("first-ke"),
        bearing("first-key second-key"),
        bearing(""),
        {"authorization": "first-key"},
        {"authorization": "Basic first-key"},
        {"authorization": "Bearer"},
    ],
)
async def test_wrong_key(headers: Mapping[str, str]) -> None:
    """A key that differs from every configured one, or is sent otherwise, is refused."""
    async with app(api_key=KEYS) as served:
        assert (await served.caption(headers=headers)).status_code == 401


async def test_key_that_is_not_ascii() -> None:
    """A key of bytes outside ASCII is a wrong key, not a defect."""
    async with app(api_key=KEYS) as served:
        headers = {b"authorization": b"Bearer \xff\xfe"}
        answer = await served.client.post("/caption", headers=headers)

        assert answer.status_code == 401


async def test_right_key(tmp_path: Path) -> None:
    """Each key is accepted, from flags and from the file."""
    file = tmp_path / "keys"
    file.write_text("third-key\nfourth-key\n")
    async with app(api_key=KEYS, api_key_file=file) as served:
        for key in (*KEYS, "third-key", "fourth-key"):
            assert (await served.caption(headers=bearing(key))).status_code == 200


async def test_health_needs_no_key() -> None:
    """Health and metrics need no key."""
    async with app(api_key=KEYS) as served:
        for path in ("/health/live", "/health/ready", "/metrics"):
            assert (await served.client.get(path)).status_code == 200


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
async def test_unusable_file(tmp_path: Path, content: bytes | None) -> None:
    """A key file that is missing, empty or not text prevents the start of the server."""
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(StartupError, match="keys"):
        async with app(api_key_file=file):
            pass


async def test_security_headers() -> None:
    """Every answer has the security headers."""
    async with listening_app(FakeModel()) as served, httpx.AsyncClient() as client:
        for path in ("/health", "/captions"):
            answer = await client.get(f"{served.url}{path}")

            assert answer.headers["content-security-policy"] == "default-src 'none'"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
