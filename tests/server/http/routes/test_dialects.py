"""What all dialects have in common: one cache, one admission, errors in their own shapes."""

import asyncio
import json
import random
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.server.fakes import FakeModel
from tests.server.http.routes.dialects import DIALECTS, PICTURE, Dialect, bare, data_url
from tests.server.serving import App, acquired, all_waiting, app, listening_app, until
from tests.server.valkey import Valkey

pytestmark = pytest.mark.anyio

dialects = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda each: each.name)

#: Bodies that each dialect has to survive.
MUTATIONS = 300


@dialects
async def test_captions(dialect: Dialect) -> None:
    """A picture in the dialect's JSON is captioned, whatever its Content-Type."""
    async with app() as served:
        for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
            answer = await dialect.send(served.client, PICTURE, **{"content-type": kind})

            assert answer.status_code == 200, answer.text
            assert dialect.caption(answer.json()) == "7 bytes"
            assert answer.headers["x-cache"] == "MISS"


@dialects
async def test_several_pictures(dialect: Dialect) -> None:
    """Several pictures are captioned in order, one line each, where the dialect allows them."""
    async with app() as served:
        answer = await dialect.send(served.client, b"a", b"abc")

    expected = "1 bytes\n3 bytes" if dialect.takes_many else "1 bytes"
    assert dialect.caption(answer.json()) == expected


@dialects
async def test_too_many_pictures(dialect: Dialect) -> None:
    """More pictures than --max-batch-images are refused before any is captioned."""
    async with app(max_batch_images=1) as served:
        answer = await dialect.send(served.client, b"a", b"b")

        if dialect.takes_many:
            assert answer.status_code == 422
            assert "2 pictures" in dialect.error(answer.json())
            assert served.captioner.inferences == 0


@dialects
async def test_no_picture(dialect: Dialect) -> None:
    """Without a picture a chat gets a sentence that says so, and any other request an error."""
    async with app() as served:
        answer = await dialect.send(served.client)

        assert served.captioner.inferences == 0
    if dialect.answers_text:
        assert answer.status_code == 200
        assert "no picture" in dialect.caption(answer.json())
        assert "x-cache" not in answer.headers
    else:
        assert answer.status_code == 400
        assert dialect.error(answer.json())


@dialects
@pytest.mark.parametrize(
    ("picture", "status"), [(b"text", 415), (b"cut", 422), (b"bomb", 413), (b"defect", 500)]
)
async def test_errors(dialect: Dialect, picture: bytes, status: int) -> None:
    """An error has its status and the dialect's own shape, without details of a defect."""
    async with app() as served:
        answer = await dialect.send(served.client, picture)

    assert answer.status_code == status
    assert dialect.error(answer.json()).endswith(".")
    assert "secret" not in answer.text


@dialects
async def test_wrong_key(dialect: Dialect) -> None:
    """A request without a valid key is refused in the dialect's shape, and a valid key passes."""
    async with app(api_key=("key",)) as served:
        for headers in ({}, {"authorization": "Bearer"}, {"authorization": "Bearer wrong"}):
            refused = await dialect.send(served.client, PICTURE, **headers)
            assert refused.status_code == 401
            assert "API key" in dialect.error(refused.json())
        answer = await dialect.send(served.client, PICTURE, authorization="Bearer key")

    assert answer.status_code == 200


@dialects
async def test_full_server(dialect: Dialect) -> None:
    """A full server refuses with 503 and Retry-After, in the dialect's shape."""
    async with app(max_in_flight=1) as served:
        with served.resources["admission"].admit():
            answer = await dialect.send(served.client, PICTURE)

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert dialect.error(answer.json())


@dialects
async def test_large_picture(dialect: Dialect) -> None:
    """--max-body-mb bounds the decoded picture: one of that size passes, a larger one does not."""
    async with app(max_body_mb=1) as served:
        fits = await dialect.send(served.client, bytes(1_000_000))
        large = await dialect.send(served.client, bytes(1_000_001))

    assert dialect.caption(fits.json()) == "1000000 bytes"
    assert large.status_code == 413
    assert dialect.error(large.json())


@dialects
async def test_compressed_body(dialect: Dialect) -> None:
    """A compressed body is refused."""
    async with app() as served:
        answer = await dialect.send(served.client, PICTURE, **{"content-encoding": "gzip"})

    assert answer.status_code == 415
    assert "gzip" in dialect.error(answer.json())


@pytest.mark.process
async def test_one_cache(valkey: Valkey) -> None:
    """A caption made through one dialect is a hit through every other one."""
    async with app(redis_url=valkey.url) as served:
        assert (await served.caption(PICTURE)).headers["x-cache"] == "MISS"
        for dialect in DIALECTS:
            answer = await dialect.send(served.client, PICTURE)
            assert answer.headers["x-cache"] == "HIT", dialect.name

        assert served.captioner.inferences == 1


async def test_coalesced_across_dialects() -> None:
    """Equal requests in progress share one inference, whichever dialect they come in."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner) as served, asyncio.TaskGroup() as group:
        sent = [group.create_task(each.send(served.client, PICTURE)) for each in DIALECTS]
        await all_waiting(served.resources, len(DIALECTS))
        captioner.gate.set()
        statuses = sorted([(await each).headers["x-cache"] for each in sent])

    assert statuses == ["COALESCED"] * (len(DIALECTS) - 1) + ["MISS"]
    assert captioner.inferences == 1


@dialects
async def test_client_leaves(dialect: Dialect) -> None:
    """When the client leaves, its caption stops, and nothing is in flight any more."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with listening_app(captioner) as served:
        async with httpx.AsyncClient(base_url=served.url) as client:
            sent = asyncio.create_task(dialect.send(client, PICTURE))
            await acquired(captioner.started)
            sent.cancel()
        await acquired(captioner.stopped)
        await until(lambda: served.resources["admission"].in_flight == 0)


async def test_metrics_by_surface() -> None:
    """The request counter has the dialect as a label."""
    async with app() as served:
        for dialect in DIALECTS:
            await dialect.send(served.client, PICTURE)
        text = (await served.client.get("/metrics")).text

    samples = [s for f in text_string_to_metric_families(text) for s in f.samples]
    counted = {s.labels["surface"]: s.value for s in samples if s.name == "caption_requests_total"}
    assert counted == {
        surface: sum(each.surface == surface for each in DIALECTS)
        for surface in {each.surface for each in DIALECTS}
    }


@dialects
async def test_mutated_bodies(dialect: Dialect) -> None:
    """Hostile bodies never make a 5xx, and every error has the dialect's shape."""
    rng = random.Random(dialect.name)
    async with app() as served:
        for _ in range(MUTATIONS):
            body = mutate(rng, {**dialect.body([PICTURE]), **dialect.more})
            answer = await served.client.post(dialect.path, content=body)

            assert answer.status_code in (200, 400, 413, 415, 422), body[:300]
            if answer.status_code != 200:
                assert dialect.error(answer.json()), body[:300]


#: Values that a member never has, or has in a client that means harm.
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    1.5,
    "",
    " ",
    "\x00",
    "a\u2028b",
    "x" * 100_000,
    [],
    {},
    [[]],
    [None],
    {"": {}},
    bare(PICTURE)[:-1],
    bare(PICTURE) + "!",
    data_url(PICTURE, "text/html"),
    data_url(b""),
    "data:image/png,abc",
    "data:;base64",
    "https://example.org/a.png",
    "file:///etc/passwd",
    "\ud83d",
]


def mutate(rng: random.Random, body: Any) -> bytes:
    """Change a body's structure, or the bytes of its JSON."""
    changed = json.loads(json.dumps(body))
    for _ in range(rng.randint(0, 2)):
        changed = replaced(rng, changed)
    text = json.dumps(changed).encode()
    match rng.randrange(8):
        case 0:
            text = text[: rng.randrange(len(text) + 1)]
        case 1:
            place = rng.randrange(len(text) + 1)
            text = text[:place] + rng.randbytes(rng.randint(1, 3)) + text[place:]
        case 2:
            depth = rng.choice([50, 1000, 50_000])
            text = text.replace(b'"m"', b"[" * depth + b"]" * depth, 1)
        case 3:
            text = text.replace(b"false", b"9" * rng.choice([20, 400, 5000]), 1)
    return text


def replaced(rng: random.Random, value: Any) -> Any:
    """Replace, drop or double one member somewhere in a JSON value."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(list(value))
        if rng.random() < 0.1:
            return {key: each for key, each in value.items() if key != name}
        return {**value, name: replaced(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        return [*value[:place], replaced(rng, value[place]), *value[place:]]
    return rng.choice(VALUES)


async def streamed(served: App, path: str, body: Any) -> tuple[str, list[bytes]]:
    async with served.client.stream("POST", path, content=json.dumps(body)) as answer:
        pieces = [piece async for piece in answer.aiter_raw()]
        return answer.headers["content-type"], pieces


async def test_ollama_streams_by_default() -> None:
    """Without `stream` Ollama's answer is a line of JSON a word, and a last one with done."""
    async with app() as served:
        body = {"model": "m", "prompt": "x", "images": [bare(PICTURE)]}
        kind, pieces = await streamed(served, "/api/generate", body)

    lines = [json.loads(line) for line in b"".join(pieces).split(b"\n")[:-1]]
    assert kind == "application/x-ndjson"
    assert [line["response"] for line in lines] == ["7", " bytes", ""]
    assert [line["done"] for line in lines] == [False, False, True]
    assert lines[-1]["done_reason"] == "stop"
    assert all(type(lines[-1][each]) is int for each in ("total_duration", "eval_count"))


async def test_openai_streams_on_demand() -> None:
    """With `stream` OpenAI's answer is events of a word each, then the usage and [DONE]."""
    async with app() as served:
        chat = DIALECTS[3]
        more = {"stream": True, "stream_options": {"include_usage": True}}
        body = {**chat.body([PICTURE]), **more}
        kind, pieces = await streamed(served, chat.path, body)

    events = b"".join(pieces).split(b"\n\n")
    assert kind.startswith("text/event-stream")
    assert events[-2:] == [b"data: [DONE]", b""]
    chunks = [json.loads(each.removeprefix(b"data: ")) for each in events[:-2]]
    deltas = [each["choices"][0]["delta"] for each in chunks[:-1]]
    assert "".join(each.get("content", "") for each in deltas) == "7 bytes"
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["prompt_tokens"]) == ([], 0)


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1/chat/completions", {"response_format": {"type": "json_object"}}),
        ("/v1/chat/completions", {"tool_choice": "required", "tools": [{}]}),
        ("/v1/responses", {"text": {"format": {"type": "json_schema"}}}),
        ("/api/generate", {"format": "json"}),
        ("/sdapi/v1/interrogate", {"model": "deepdanbooru"}),
    ],
)
async def test_demands_that_no_caption_meets(path: str, more: dict[str, Any]) -> None:
    """JSON output, required tools and tags are refused, and the message says so."""
    dialect = next(each for each in DIALECTS if each.path == path)
    async with app() as served:
        body = {**dialect.body([PICTURE]), **more}
        answer = await served.client.post(path, content=json.dumps(body))

    assert answer.status_code == 400
    assert dialect.error(answer.json())


@pytest.mark.parametrize(("chat_prompt", "text"), [("ignore", ""), ("prefix", "a b ")])
async def test_text_of_a_chat(chat_prompt: str, text: str) -> None:
    """A chat's text is ignored, or continued with --chat-prompt prefix; caption_prompt wins."""
    async with app(chat_prompt=chat_prompt) as served:
        for path, body in (
            ("/api/generate", {"prompt": "a b", "images": [bare(PICTURE)], "stream": False}),
            (
                "/v1/chat/completions",
                {
                    "messages": [
                        {
                            "content": [
                                {"type": "text", "text": "a b"},
                                {"type": "image_url", "image_url": data_url(PICTURE)},
                            ]
                        }
                    ]
                },
            ),
        ):
            dialect = next(each for each in DIALECTS if each.path == path)
            plain = await served.client.post(path, content=json.dumps(body))
            assert dialect.caption(plain.json()) == f"{text}7 bytes"
            explicit: dict[str, Any] = {**body, "caption_prompt": "c"}
            if path == "/api/generate":
                explicit = {**body, "options": {"caption_prompt": "c"}}
            asked = await served.client.post(path, content=json.dumps(explicit))
            assert dialect.caption(asked.json()) == "c 7 bytes"


async def test_ollama_loads_and_unloads() -> None:
    """A request without prompt and picture loads the model, and gets no caption."""
    async with app() as served:
        for keep_alive, reason in ((None, "load"), ("5m", "load"), (0, "unload")):
            body = {"model": "m", "keep_alive": keep_alive}
            answer = await served.client.post("/api/generate", json=body)
            assert answer.json()["done_reason"] == reason
            assert answer.json()["response"] == ""


@pytest.mark.parametrize(
    "path", ["/v1/models", "/api/tags", "/api/ps", "/v2", "/api/modules", "/v2/models/any"]
)
async def test_listings_need_a_key(path: str) -> None:
    """With API keys, a listing needs one as captions do."""
    async with app(api_key=("key",)) as served:
        assert (await served.client.get(path)).status_code == 401
        headers = {"Authorization": "Bearer key"}
        assert (await served.client.get(path, headers=headers)).status_code == 200


async def test_model_aliases() -> None:
    """The listings have the served model, and each alias."""
    async with app(model_alias=("llava", "gpt-4o")) as served:
        models = (await served.client.get("/v1/models")).json()["data"]
        tags = (await served.client.get("/api/tags")).json()["models"]

    assert [each["id"] for each in models] == ["fake", "llava", "gpt-4o"]
    assert [each["name"] for each in tags] == ["fake", "llava", "gpt-4o"]
