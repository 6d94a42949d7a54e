"""POST /captions: a line of JSON a picture, in the order of completion."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.server.fakes import FakeModel
from tests.server.serving import acquired, all_waiting, app, listening_app, until

pytestmark = pytest.mark.anyio


def form(*pictures: bytes, prompts: tuple[str, ...] = (), **options: str) -> list[Any]:
    """Build the parts of a form for httpx."""
    files = [("image", (f"{index}.jpg", each)) for index, each in enumerate(pictures)]
    texts = [("prompt", (None, each)) for each in prompts]
    return [*files, *texts, *((name, (None, text)) for name, text in options.items())]


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the lines in the order of the pictures."""
    return sorted(map(json.loads, answer.text.splitlines()), key=lambda each: each["index"])


async def test_one_bad_file_spoils_nothing() -> None:
    """Each picture gets its caption or its own error, with its index and the name of its file."""
    async with app() as served:
        answer = await served.client.post(
            "/captions", files=form(b"a", b"text", b"", b"abc", b"defect")
        )

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    good, text, empty, other, defect = lines(answer)
    assert good == {
        "index": 0,
        "filename": "0.jpg",
        "caption": "1 bytes",
        "cached": False,
        "confidence": 0.75,
    }
    assert (other["caption"], other["filename"]) == ("3 bytes", "3.jpg")
    assert text["error_type"] == "unsupported_image_format"
    assert empty["filename"] == "2.jpg"
    assert defect["error_type"] == "internal_error"
    assert "secret" not in answer.text


async def test_prompts() -> None:
    """One prompt is for all pictures; several belong to the pictures in their order."""
    async with app() as served:
        one = await served.client.post("/captions", files=form(b"a", b"ab", prompts=("p",)))
        two = await served.client.post("/captions", files=form(b"a", b"ab", prompts=("p", "")))
        three = await served.client.post("/captions", files=form(b"a", prompts=("p", "q", "r")))

    assert [each["caption"] for each in lines(one)] == ["p 1 bytes", "p 2 bytes"]
    assert [each["caption"] for each in lines(two)] == ["p 1 bytes", "2 bytes"]
    assert (three.status_code, three.json()["error_type"]) == (400, "invalid_field")


async def test_options_and_rendering() -> None:
    """Options are for all pictures, those of the text included."""
    async with app() as served:
        answer = await served.client.post(
            "/captions", files=form(b"a", prompts=("p",), return_full_text="false", style="alt")
        )
        bad = await served.client.post("/captions", files=form(b"a", num_beams="99"))
        # The fake model's decoder has positions for 511.
        long = await served.client.post("/captions", files=form(b"a", max_new_tokens="512"))

    assert lines(answer)[0]["caption"] == "1 bytes."
    for refused in (bad, long):
        assert (refused.status_code, refused.json()["error_type"]) == (422, "option_out_of_range")


async def test_number_of_pictures() -> None:
    """More pictures than --max-batch-images are refused, and so is a form without any."""
    async with app(max_batch_images=2) as served:
        fits = await served.client.post("/captions", files=form(b"a", b"b"))
        many = await served.client.post("/captions", files=form(b"a", b"b", b"c"))
        none = await served.client.post("/captions", files=form(prompts=("p",)))

    assert (fits.status_code, len(lines(fits))) == (200, 2)
    assert (many.status_code, many.json()["error_type"]) == (422, "too_many_pictures")
    assert (none.status_code, none.json()["error_type"]) == (400, "missing_field")


async def test_waits_for_room_in_the_queue() -> None:
    """Many pictures are all captioned by a server whose queue holds one."""
    async with app(queue_size=0, batch_size=1) as served:
        pictures = [bytes(1 + index) for index in range(20)]
        answer, other = await asyncio.gather(
            served.client.post("/captions", files=form(*pictures)),
            served.client.post("/captions", files=form(*reversed(pictures))),
        )

    for each in (answer, other):
        assert all("caption" in line for line in lines(each)), each.text


async def test_one_admission() -> None:
    """A request of many pictures counts once, until its last line is sent."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner, max_in_flight=1) as served:
        sending = asyncio.create_task(served.client.post("/captions", files=form(b"a", b"b")))
        await all_waiting(served.resources, 2)

        assert served.resources["admission"].in_flight == 1
        assert (await served.caption()).status_code == 503
        captioner.gate.set()
        assert len(lines(await sending)) == 2
        assert served.resources["admission"].in_flight == 0


async def test_first_line_before_the_last_caption() -> None:
    """A line is sent as soon as its caption is done."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with listening_app(captioner) as served, httpx.AsyncClient() as client:
        request = client.build_request(
            "POST", f"{served.url}/captions", files=form(b"text", b"picture")
        )
        answer = await client.send(request, stream=True)
        received = answer.aiter_lines()
        async with asyncio.timeout(30):
            first = json.loads(await anext(received))
        assert (first["index"], first["error_type"]) == (0, "unsupported_image_format")
        captioner.gate.set()
        async with asyncio.timeout(30):
            last = json.loads(await anext(received))
        assert last["caption"] == "7 bytes"
        await answer.aclose()


async def test_client_leaves() -> None:
    """When the client leaves, running captions stop and waiting ones never start."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with listening_app(captioner, batch_size=1) as served:
        async with httpx.AsyncClient() as client:
            request = client.build_request(
                "POST", f"{served.url}/captions", files=form(*[bytes(n) for n in range(1, 6)])
            )
            answer = await client.send(request, stream=True)
            await acquired(captioner.started)
            await answer.aclose()
        await acquired(captioner.stopped)
        await until(lambda: served.resources["admission"].in_flight == 0)

    assert captioner.inferences == 1
