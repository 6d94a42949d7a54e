from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from server.app import ROUTES
from server.errors import StartupError
from tests.server.fakes import FakeModel
from tests.server.serving import app, listening_app

pytestmark = pytest.mark.anyio

KEYS = ("first-key", "second-key")


def bearing(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize("path", [r.path for r in ROUTES if "POST" in (r.methods or ())])
async def test_every_route_that_infers(path: str) -> None:
    """With API keys, no route that infers answers a request without one: a 401 that says how."""
    async with app(api_key=KEYS) as served:
        answer = await served.client.post(path, files={"image": b"picture"})

        assert (answer.status_code, answer.json()["error_type"]) == (401, "unauthorized")
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
    """A key that is not exactly one of them, or not sent as one, is none."""
    async with app(api_key=KEYS) as served:
        assert (await served.caption(headers=headers)).status_code == 401


async def test_key_that_is_not_ascii() -> None:
    """Bytes that no key has are a wrong key and no defect."""
    async with app(api_key=KEYS) as served:
        headers = {b"authorization": b"Bearer \xff\xfe"}
        answer = await served.client.post("/caption", headers=headers)

        assert answer.status_code == 401


async def test_right_key(tmp_path: Path) -> None:
    """Each key opens, those of flags and those of a file."""
    file = tmp_path / "keys"
    file.write_text("third-key\nfourth-key\n")
    async with app(api_key=KEYS, api_key_file=file) as served:
        for key in (*KEYS, "third-key", "fourth-key"):
            assert (await served.caption(headers=bearing(key))).status_code == 200


async def test_health_needs_no_key() -> None:
    """Whoever watches the server needs no key."""
    async with app(api_key=KEYS) as served:
        for path in ("/health/live", "/health/ready", "/metrics"):
            assert (await served.client.get(path)).status_code == 200


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
async def test_unusable_file(tmp_path: Path, content: bytes | None) -> None:
    """A key file that is missing, empty or no text ends the start, and never opens the server."""
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(StartupError, match="keys"):
        async with app(api_key_file=file):
            pass


async def test_security_headers() -> None:
    """Every answer tells browsers to take it as what it says it is, and not to frame it."""
    async with listening_app(FakeModel()) as served, httpx.AsyncClient() as client:
        for path in ("/health", "/captions"):
            answer = await client.get(f"{served.url}{path}")

            assert answer.headers["content-security-policy"] == "default-src 'none'"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
