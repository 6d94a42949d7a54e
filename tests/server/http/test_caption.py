import asyncio
import logging
import re

import pytest
from starlette.types import Message, Scope

from server.app import create_app
from server.http.admission import Admission
from tests.server.fakes import FakeModel
from tests.server.serving import App, app, until

pytestmark = pytest.mark.anyio


async def begun(captioner: FakeModel) -> None:
    assert await asyncio.to_thread(captioner.started.acquire, timeout=30)


async def test_caption() -> None:
    """A picture in a form gets its caption, with the model's name and how sure it is."""
    async with app() as served:
        answer = await served.caption(b"picture")

        assert answer.status_code == 200
        assert answer.json() == {
            "caption": "7 bytes",
            "cached": False,
            "model": "fake",
            "confidence": 0.75,
        }
        assert answer.headers["x-cache"] == "MISS"


async def test_prompt() -> None:
    """A prompt begins the caption."""
    async with app() as served:
        answer = await served.caption(b"picture", {"prompt": "a photo of"})

        assert answer.json()["caption"] == "a photo of 7 bytes"


async def test_server_timing() -> None:
    """Server-Timing says in milliseconds where the time of a request went, in order."""
    async with app() as served:
        answer = await served.caption()

        timing = answer.headers["server-timing"]
        phases = re.findall(r"(\w+);dur=\d+\.\d\d(?:, |$)", timing)
        assert phases == [
            "read",
            "cache",
            "lease",
            "preprocess",
            "queue",
            "encode",
            "decode",
            "store",
        ]


@pytest.mark.parametrize(
    ("image", "fields", "status", "error_type"),
    [
        (b"text named .jpg", {}, 415, "unsupported_image_format"),
        (b"cut in the middle", {}, 422, "undecodable_image"),
        (b"bomb", {}, 413, "image_too_large"),
        (b"x", {"prompt": "word " * 20}, 422, "prompt_too_long"),
        (b"x", {"prompt": "word " * 5000}, 422, "field_too_long"),
        (b"x", {"num_beams": "99"}, 422, "option_out_of_range"),
        (b"x", {"num_beams": "many"}, 400, "invalid_field"),
        (b"x", {"temperature": "1"}, 400, "invalid_field"),
        (b"", {}, 400, "missing_field"),
        (b"x" * 1_000_001, {}, 413, "body_too_large"),
    ],
)
async def test_refusals(image: bytes, fields: dict[str, str], status: int, error_type: str) -> None:
    """Whatever is wrong with a request, it is told so in one sentence and a stable code."""
    async with app(max_body_mb=1) as served:
        answer = await served.caption(image, fields)

        assert (answer.status_code, answer.json()["error_type"]) == (status, error_type)
        assert set(answer.json()) == {"error", "error_type"}
        assert answer.json()["error"].endswith(".")


async def test_no_form_at_all() -> None:
    """A request without a body, and one of another type, are told what to send."""
    async with app() as served:
        for answer in (
            await served.client.post("/caption"),
            await served.client.post("/caption", json={"image": "x"}),
            await served.client.post("/caption", data={"image": "x"}),
        ):
            assert (answer.status_code, answer.json()["error_type"]) == (400, "malformed_body")


async def test_charset() -> None:
    """A form in another charset than UTF-8 is refused."""
    async with app() as served:
        headers = {"content-type": "multipart/form-data; boundary=x; charset=utf-7"}
        answer = await served.client.post("/caption", content=b"--x--\r\n", headers=headers)

        assert (answer.status_code, answer.json()["error_type"]) == (415, "unsupported_charset")


async def test_unknown_routes() -> None:
    """404 and 405 have the shape of every other error."""
    async with app() as served:
        missing = await served.client.get("/captions")
        wrong = await served.client.get("/caption")
        slash = await served.client.post("/caption/")

        assert (missing.status_code, missing.json()["error_type"]) == (404, "not_found")
        assert (slash.status_code, slash.json()["error_type"]) == (404, "not_found")
        assert (wrong.status_code, wrong.json()["error_type"]) == (405, "method_not_allowed")
        assert wrong.headers["allow"] == "POST"


async def test_defect(caplog: pytest.LogCaptureFixture) -> None:
    """A defect is a 500 that shows nothing, and is in the log under the request's id."""
    async with app() as served:
        answer = await served.caption(b"defect")

        assert (answer.status_code, answer.json()["error_type"]) == (500, "internal_error")
        assert "secret" not in answer.text
        assert answer.headers["x-request-id"] in caplog.text
        assert "a secret detail" in caplog.text

        assert (await served.caption(b"x")).status_code == 200


async def test_health_and_info() -> None:
    """Live and ready, and which model answers within which limits."""
    async with app() as served:
        for path in ("/health", "/health/live", "/health/ready"):
            assert (await served.client.get(path)).status_code == 200
        info = (await served.client.get("/info")).json()

        assert served.captioner.warm
        assert info["model"]["name"] == "fake"
        assert info["model"]["digest"] == served.captioner.digest
        assert info["image"] == {"height": 8, "width": 8, "exact_decode": False}
        assert info["limits"]["body_bytes"] == 10_000_000
        assert info["options"]["num_beams"] == {"min": 1, "max": 16}


async def test_draining() -> None:
    """A draining server is alive, not ready, and takes no captions."""
    async with app() as served:
        served.resources["admission"].drain()

        assert (await served.client.get("/health/live")).status_code == 200
        assert (await served.client.get("/health/ready")).status_code == 503
        answer = await served.caption()
        assert (answer.status_code, answer.json()["error_type"]) == (503, "draining")
        assert answer.headers["retry-after"] == "1"


async def test_full_queue() -> None:
    """What the queue has no room for is refused at once; health is not touched by it."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner, queue_size=0, batch_size=1) as served:
        first = asyncio.create_task(served.caption(b"one"))
        await begun(captioner)

        second = await served.caption(b"two")
        assert (second.status_code, second.json()["error_type"]) == (503, "overloaded")
        assert int(second.headers["retry-after"]) >= 1
        assert (await served.client.get("/health/ready")).status_code == 200

        captioner.gate.set()
        assert (await first).status_code == 200
        assert (await served.caption(b"two")).status_code == 200


async def test_refused_before_reading() -> None:
    """A request that is not admitted is answered without reading a byte of its body."""
    async with app() as served:
        sent: list[Message] = []

        async def receive() -> Message:
            raise AssertionError("the body was read")

        async def send(message: Message) -> None:
            sent.append(message)

        scope: Scope = {
            "type": "http",
            "method": "POST",
            "path": "/caption",
            "raw_path": b"/caption",
            "query_string": b"",
            "headers": [],
        }
        await create_app({**served.resources, "admission": Admission(0)})(scope, receive, send)

        assert sent[0]["status"] == 503


async def all_waiting(served: App, count: int) -> None:
    await until(lambda: served.resources["service"].waiting == count)


async def test_coalesced() -> None:
    """The same picture from many clients at once is inferred once."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner) as served:
        requests = [asyncio.create_task(served.caption(b"same")) for _ in range(8)]
        await all_waiting(served, 8)
        captioner.gate.set()
        answers = await asyncio.gather(*requests)

        assert captioner.inferences == 1
        assert sorted(answer.headers["x-cache"] for answer in answers) == ["COALESCED"] * 7 + [
            "MISS"
        ]
        assert {answer.json()["caption"] for answer in answers} == {"4 bytes"}


async def test_refresh_is_its_own_flight() -> None:
    """Whoever asks for a fresh caption does not share work that may end in the cache."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner) as served:
        requests = [
            asyncio.create_task(served.caption(b"same")),
            asyncio.create_task(served.caption(b"same", headers={"cache-control": "no-cache"})),
        ]
        await all_waiting(served, 2)
        captioner.gate.set()
        answers = await asyncio.gather(*requests)

        assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "BYPASS"]
        assert captioner.inferences == 2


async def test_errors_are_shared_but_not_kept() -> None:
    """A broken picture is broken for all who wait, and looked at again for the next."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner) as served:
        requests = [asyncio.create_task(served.caption(b"cut")) for _ in range(3)]
        await all_waiting(served, 3)
        captioner.gate.set()
        answers = await asyncio.gather(*requests)
        assert [answer.status_code for answer in answers] == [422] * 3

        assert (await served.caption(b"cut")).status_code == 422
        assert captioner.inferences == 2


async def test_prompts_do_not_coalesce() -> None:
    """Two prompts on one picture are different requests, in flight too."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner) as served:
        requests = [
            asyncio.create_task(served.caption(b"same")),
            asyncio.create_task(served.caption(b"same", {"prompt": "a dog"})),
        ]
        await all_waiting(served, 2)
        captioner.gate.set()
        await asyncio.gather(*requests)

        assert captioner.inferences == 2


@pytest.mark.parametrize("given", ["abc-123_X.y", "x" * 64])
async def test_request_id_is_kept(given: str) -> None:
    """A sane X-Request-ID comes back, so that one id goes through every log."""
    async with app() as served:
        answer = await served.client.get("/health", headers={"x-request-id": given})

        assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "ü".encode().decode("latin-1")])
async def test_request_id_is_made(given: str) -> None:
    """Anything else in X-Request-ID is replaced: it would end up in the log."""
    async with app() as served:
        headers = {b"x-request-id": given.encode("latin-1")}
        answer = await served.client.get("/health", headers=headers)

        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """A request leaves one line: method, path, status, cache, milliseconds, id."""
    caplog.set_level(logging.INFO, "server.requests")
    async with app() as served:
        await served.caption(headers={"x-request-id": "me"})

        (line,) = [r.getMessage() for r in caplog.records if r.name == "server.requests"]
        assert re.fullmatch(r"POST /caption 200 MISS \d+\.\d me", line)


async def test_log_can_not_be_forged(caplog: pytest.LogCaptureFixture) -> None:
    """A path with an encoded line break stays on its line."""
    caplog.set_level(logging.INFO, "server.requests")
    async with app() as served:
        await served.client.get("/x%0a2026 INFO forged")

        (line,) = [r.getMessage() for r in caplog.records if r.name == "server.requests"]
        assert line.startswith("GET /x%0a2026%20INFO%20forged 404 - ")
