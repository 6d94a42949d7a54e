"""The way of a caption request through cache, single flight, decoding and batcher."""

import asyncio
from dataclasses import replace

import pytest

from server.captioning.errors import OptionOutOfRange, PromptTooLong
from server.captioning.options import GenerationOptions
from server.inference.request import CaptionRequest
from tests.server.fakes import MANIFEST, FakeModel
from tests.server.serving import App, app, until
from tests.server.valkey import Valkey

pytestmark = pytest.mark.anyio

DEFAULTS = replace(
    MANIFEST.generation,
    num_beams=3,
    repetition_penalty=1.5,
    no_repeat_ngram_size=2,
    length_penalty=0.5,
)


async def status(served: App, request: CaptionRequest) -> str:
    return (await served.resources["service"].caption(request)).cache


async def test_no_prompt_and_an_empty_one_share_an_entry(valkey: Valkey) -> None:
    """An empty prompt, as every HTML form sends it, is no prompt."""
    async with app(redis_url=valkey.url, redis_timeout=5.0) as served:
        assert await status(served, CaptionRequest.of(b"picture", None)) == "MISS"
        assert await status(served, CaptionRequest.of(b"picture", "")) == "HIT"
        assert await status(served, CaptionRequest.of(b"picture", " ")) == "MISS"


@pytest.mark.parametrize(
    "explicit",
    [
        {"max_new_tokens": 20},
        {"num_beams": 3},
        {"repetition_penalty": 1.5},
        {"no_repeat_ngram_size": 2},
        {"length_penalty": 0.5},
    ],
    ids=str,
)
async def test_a_default_shares_its_entry(valkey: Valkey, explicit: dict[str, int]) -> None:
    """An absent option and the model's own default, given explicitly, are one request."""
    model = FakeModel(manifest=replace(MANIFEST, generation=DEFAULTS))
    async with app(model, redis_url=valkey.url, redis_timeout=5.0) as served:
        assert await status(served, CaptionRequest.of(b"picture")) == "MISS"
        options = GenerationOptions(**explicit)
        assert await status(served, CaptionRequest.of(b"picture", None, options)) == "HIT"
        other = GenerationOptions(num_beams=2)
        assert await status(served, CaptionRequest.of(b"picture", None, other)) == "MISS"


async def test_a_bad_request_costs_no_decode() -> None:
    """A prompt that is too long and an option out of range are refused before the look-up."""
    async with app() as served:
        with pytest.raises(PromptTooLong):
            await status(served, CaptionRequest.of(b"picture", "word " * 20))
        options = GenerationOptions(max_new_tokens=512)
        with pytest.raises(OptionOutOfRange):
            await status(served, CaptionRequest.of(b"picture", None, options))
        assert served.captioner.inferences == 0


async def test_phases_are_those_of_the_request_itself() -> None:
    """A coalesced request has waited; only the request that inferred has the model's phases."""
    model = FakeModel()
    model.gate.clear()
    async with app(model) as served:
        service = served.resources["service"]
        tasks = [
            asyncio.create_task(service.caption(CaptionRequest.of(b"picture"))) for _ in range(8)
        ]
        await until(lambda: service.waiting == 8)
        model.gate.set()
        first, *others = [await task for task in tasks]

    phases = ["cache", "lease", "preprocess", "queue", "encode", "decode", "store"]
    assert list(first.phases) == phases
    assert [result.cache for result in others] == ["COALESCED"] * 7
    assert all(list(result.phases) == ["cache", "wait"] for result in others)


async def test_the_queue_is_bounded() -> None:
    """With captions of 16 beams, `queue_size` of them wait besides the running one."""
    model = FakeModel()
    model.gate.clear()
    options = GenerationOptions(num_beams=16)
    async with app(model, queue_size=2, batch_size=8) as served:
        tasks = [
            asyncio.create_task(served.caption(str(number).encode(), {"num_beams": "16"}))
            for number in range(4)
        ]
        done, _ = await asyncio.wait(tasks, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().status_code for task in done] == [503]
        model.gate.set()
        statuses = [(await task).status_code for task in tasks]
        assert sorted(statuses) == [200, 200, 200, 503]
        assert await status(served, CaptionRequest.of(b"later", None, options)) == "MISS"
