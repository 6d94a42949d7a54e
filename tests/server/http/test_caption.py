import asyncio
import gc
import logging
import re
import tracemalloc
from dataclasses import replace

import pytest
from starlette.types import Message, Scope

from server.app import create_app
from server.http.admission import Admission
from server.inference.phases import PHASES
from tests.server.fakes import MANIFEST, FakeModel
from tests.server.serving import acquired, all_waiting, app

pytestmark = pytest.mark.anyio

POST_CAPTION: Scope = {
    "type": "http",
    "method": "POST",
    "path": "/caption",
    "raw_path": b"/caption",
    "query_string": b"",
}


async def test_caption() -> None:
    """A picture in a form gets its caption, with the model's name and a confidence."""
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
    """Server-Timing gives the milliseconds of each phase, in the order of the phases."""
    async with app() as served:
        answer = await served.caption()

        timing = answer.headers["server-timing"]
        phases = re.findall(r"(\w+);dur=\d+\.\d\d(?:, |$)", timing)
        assert phases == [phase for phase in PHASES if phase != "wait"]


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
    """A refusal is one sentence for a person and a stable code for a program."""
    async with app(max_body_mb=1) as served:
        answer = await served.caption(image, fields)

        assert (answer.status_code, answer.json()["error_type"]) == (status, error_type)
        assert set(answer.json()) == {"error", "error_type"}
        assert answer.json()["error"].endswith(".")


async def test_no_form_at_all() -> None:
    """A request without a body, or with one of another type, is malformed."""
    async with app() as served:
        for answer in (
            await served.client.post("/caption"),
            await served.client.post("/caption", json={"image": "x"}),
            await served.client.post("/caption", data={"image": "x"}),
        ):
            assert (answer.status_code, answer.json()["error_type"]) == (400, "malformed_body")


async def test_charset() -> None:
    """A form in a charset other than UTF-8 is refused."""
    async with app() as served:
        headers = {"content-type": "multipart/form-data; boundary=x; charset=utf-7"}
        answer = await served.client.post("/caption", content=b"--x--\r\n", headers=headers)

        assert (answer.status_code, answer.json()["error_type"]) == (415, "unsupported_charset")


async def test_unknown_routes() -> None:
    """404 and 405 have the shape of every other error."""
    async with app() as served:
        missing = await served.client.get("/pictures")
        wrong = await served.client.get("/caption")
        slash = await served.client.post("/caption/")

        assert (missing.status_code, missing.json()["error_type"]) == (404, "not_found")
        assert (slash.status_code, slash.json()["error_type"]) == (404, "not_found")
        assert (wrong.status_code, wrong.json()["error_type"]) == (405, "method_not_allowed")
        assert wrong.headers["allow"] == "POST"


async def test_defect(caplog: pytest.LogCaptureFixture) -> None:
    """A defect is a 500 without details; the log has its traceback under the request's id."""
    async with app() as served:
        answer = await served.caption(b"defect")

        assert (answer.status_code, answer.json()["error_type"]) == (500, "internal_error")
        assert "secret" not in answer.text
        assert answer.headers["x-request-id"] in caplog.text
        assert "a secret detail" in caplog.text

        assert (await served.caption(b"x")).status_code == 200


async def test_health_and_info() -> None:
    """Health answers 200, and /info gives the model and its limits."""
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


async def test_notice(caplog: pytest.LogCaptureFixture) -> None:
    """The log of the start and /info have the model's notice."""
    caplog.set_level(logging.INFO, "server.app")
    model = FakeModel(manifest=replace(MANIFEST, notice="Knows emoji only."))
    async with app(model) as served:
        info = (await served.client.get("/info")).json()

    assert info["model"]["notice"] == "Knows emoji only."
    assert "notice: Knows emoji only." in caplog.messages


async def test_draining() -> None:
    """A draining server is live, not ready, and admits no captions."""
    async with app() as served:
        served.resources["admission"].drain()

        assert (await served.client.get("/health/live")).status_code == 200
        probe = await served.client.get("/health/ready")
        assert (probe.status_code, probe.json()["error_type"]) == (503, "draining")
        answer = await served.caption()
        assert (answer.status_code, answer.json()["error_type"]) == (503, "draining")
        assert answer.headers["retry-after"] == "1"


async def test_full_queue() -> None:
    """A caption beyond the queue is refused at once, and the server stays ready."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner, queue_size=0, batch_size=1) as served:
        first = asyncio.create_task(served.caption(b"one"))
        await acquired(captioner.started)

        second = await served.caption(b"two")
        assert (second.status_code, second.json()["error_type"]) == (503, "overloaded")
        assert int(second.headers["retry-after"]) >= 1
        assert (await served.client.get("/health/ready")).status_code == 200

        captioner.gate.set()
        assert (await first).status_code == 200
        assert (await served.caption(b"two")).status_code == 200


async def test_refused_before_reading() -> None:
    """A request that is not admitted is answered before any of its body is read."""
    async with app() as served:
        sent: list[Message] = []

        async def receive() -> Message:
            raise AssertionError("the body was read")

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {**POST_CAPTION, "headers": []}
        await create_app({**served.resources, "admission": Admission(0, receive_timeout=1.0)})(
            scope, receive, send
        )

        assert sent[0]["status"] == 503


async def test_upload_is_freed() -> None:
    """An upload's memory is free once it is answered, without a garbage collection."""
    image = bytes(1_000_000)
    body = b"--b\r\nContent-Disposition: form-data; name=image; filename=x\r\n\r\n%b\r\n--b--\r\n"
    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    statuses: list[int] = []

    async def send(message: Message) -> None:
        statuses.append(message.get("status", 0))

    async with app() as served:
        asgi = create_app(served.resources)

        async def upload() -> None:
            messages = [{"type": "http.request", "body": body % image, "more_body": False}]

            async def receive() -> Message:
                if not messages:
                    await asyncio.Event().wait()
                return messages.pop()

            await asgi({**POST_CAPTION, "headers": headers}, receive, send)

        await upload()
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(5):
                await upload()
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()

    assert statuses == [200, 0] * 6
    assert kept < 1_000_000


async def test_coalesced() -> None:
    """Equal requests at the same time are inferred once."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner) as served:
        requests = [asyncio.create_task(served.caption(b"same")) for _ in range(8)]
        await all_waiting(served.resources, 8)
        captioner.gate.set()
        answers = await asyncio.gather(*requests)

        assert captioner.inferences == 1
        assert sorted(answer.headers["x-cache"] for answer in answers) == ["COALESCED"] * 7 + [
            "MISS"
        ]
        assert {answer.json()["caption"] for answer in answers} == {"4 bytes"}


async def test_refresh_is_its_own_flight() -> None:
    """A request for a fresh caption does not share work that may end with a cached one."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner) as served:
        requests = [
            asyncio.create_task(served.caption(b"same")),
            asyncio.create_task(served.caption(b"same", headers={"cache-control": "no-cache"})),
        ]
        await all_waiting(served.resources, 2)
        captioner.gate.set()
        answers = await asyncio.gather(*requests)

        assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "BYPASS"]
        assert captioner.inferences == 2


async def test_errors_are_shared_but_not_kept() -> None:
    """An error goes to every waiting request, and the next request is inferred anew."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner) as served:
        requests = [asyncio.create_task(served.caption(b"cut")) for _ in range(3)]
        await all_waiting(served.resources, 3)
        captioner.gate.set()
        answers = await asyncio.gather(*requests)
        assert [answer.status_code for answer in answers] == [422] * 3

        assert (await served.caption(b"cut")).status_code == 422
        assert captioner.inferences == 2


async def test_prompts_do_not_coalesce() -> None:
    """Different prompts are different requests, at the same time too."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner) as served:
        requests = [
            asyncio.create_task(served.caption(b"same")),
            asyncio.create_task(served.caption(b"same", {"prompt": "a photo"})),
        ]
        await all_waiting(served.resources, 2)
        captioner.gate.set()
        await asyncio.gather(*requests)

        assert captioner.inferences == 2


async def test_empty_prompt_is_no_prompt() -> None:
    """An empty prompt, as every HTML form sends it, shares the caption of no prompt."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner) as served:
        requests = [
            asyncio.create_task(served.caption(b"same")),
            asyncio.create_task(served.caption(b"same", {"prompt": ""})),
        ]
        await all_waiting(served.resources, 2)
        captioner.gate.set()
        answers = await asyncio.gather(*requests)

        assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "COALESCED"]
        assert captioner.inferences == 1


async def test_cause_of_a_refusal_is_logged_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """The cause of a 4xx is in the log at debug under the request's id, and not above debug."""
    caplog.set_level(logging.DEBUG, "server.requests")
    async with app() as served:
        form = b"--b\r\nContent-Disposition: form-data; name=prompt\r\n\r\n\xff\r\n--b\r\n"
        form += b"Content-Disposition: form-data; name=image; filename=x\r\n\r\nx\r\n--b--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=b", "x-request-id": "me"}
        answer = await served.client.post("/caption", content=form, headers=headers)
        assert (answer.status_code, answer.json()["error_type"]) == (400, "invalid_field")

    (record,) = [r for r in caplog.records if "cause" in r.getMessage()]
    assert record.levelno == logging.DEBUG
    assert record.getMessage() == "request me: cause of invalid_field"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], UnicodeDecodeError)


@pytest.mark.parametrize("given", ["abc-123_X.y", "x" * 64])
async def test_request_id_is_kept(given: str) -> None:
    """A well-formed X-Request-ID is kept, so that one id goes through every log."""
    async with app() as served:
        answer = await served.client.get("/health", headers={"x-request-id": given})

        assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "ü".encode().decode("latin-1")])
async def test_request_id_is_made(given: str) -> None:
    """Any other X-Request-ID is replaced, because it goes into the log."""
    async with app() as served:
        headers = {b"x-request-id": given.encode("latin-1")}
        answer = await served.client.get("/health", headers=headers)

        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """A request leaves one log line: method, path, status, cache, milliseconds, id."""
    caplog.set_level(logging.INFO, "server.requests")
    async with app() as served:
        await served.caption(headers={"x-request-id": "me"})

        (line,) = [r.getMessage() for r in caplog.records if r.name == "server.requests"]
        assert re.fullmatch(r"POST /caption 200 MISS \d+\.\d me", line)


async def test_log_can_not_be_forged(caplog: pytest.LogCaptureFixture) -> None:
    """A path with an encoded line break stays on one log line."""
    caplog.set_level(logging.INFO, "server.requests")
    async with app() as served:
        await served.client.get("/x%0a2026 INFO forged")

        (line,) = [r.getMessage() for r in caplog.records if r.name == "server.requests"]
        assert line.startswith("GET /x%0a2026%20INFO%20forged 404 - ")
