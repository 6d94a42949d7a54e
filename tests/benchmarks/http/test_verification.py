"""A server that answers wrong fails the benchmark, whatever its speed."""

import asyncio

import pytest

from benchmarks.errors import WrongAnswer
from benchmarks.http.client import Question, Target
from benchmarks.http.verification import Verifier, reference_captions
from benchmarks.latency.sampling import sample
from benchmarks.pictures import Size, draw
from benchmarks.rows import Kind, LatencyRow, LatencySample
from benchmarks.runs import Run
from benchmarks.subjects import Subject
from server.captioning.captioner import BlipCaptioner
from server.captioning.options import GenerationOptions
from tests.benchmarks.fake_server import FakeServer, Fault, serving
from tests.benchmarks.recorded import run

PICTURES = {"tiny": draw(Size("tiny", 40, 30, 12), 0)}
KINDS: dict[str, list[Kind]] = {"tiny": ["cold", "cached", "cached", "new prompt", "8 at once"]}


def measure(server: FakeServer, verifier: Verifier | None = None) -> list[LatencySample]:
    """Measure one recorded round after the round that warms up."""
    measured: Run[LatencyRow] = run("latency", [], rounds="1")

    async def rounds() -> None:
        async with serving(server) as target:
            await sample([target], PICTURES, KINDS, verifier or Verifier({}), [0, 1], measured)

    asyncio.run(rounds())
    return [row for row in measured.rows if isinstance(row, LatencySample)]


def test_an_honest_server_is_measured() -> None:
    """A cold request, its repeats, a new prompt and a burst are recorded, with phases."""
    server = FakeServer()
    rows = measure(server)
    assert [row.kind for row in rows] == ["cold", "cached", "cached", "new prompt", "8 at once"]
    assert all(row.seconds > 0 for row in rows)
    assert rows[0].phases == {"read": 0.0015}
    assert server.answered == 2 * (4 + 8)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("hit for everything", "with HIT where it must be MISS"),
        ("no cache", "with MISS where it must be HIT"),
        ("wrong caption", "captioned .* 'a dog' where the caption is"),
        ("refuses", r"status 503 \(Too many pictures.\) where a caption must be"),
        ("liar", "with MISS and cached True where it must be MISS"),
    ],
)
def test_a_broken_server_fails_the_benchmark(fault: Fault, message: str) -> None:
    """Each kind of wrong answer ends the run and is named."""
    with pytest.raises(WrongAnswer, match=message):
        measure(FakeServer(fault))


def test_captions_known_in_advance_count() -> None:
    """A server that is wrong from its first answer on is caught by the model's own caption."""
    verifier = Verifier({"fake": {Question(PICTURES["tiny"].name): "the model's caption"}})
    with pytest.raises(WrongAnswer, match='where the caption is "the model\'s caption"'):
        measure(FakeServer(), verifier)


def test_references_are_the_models_captions(tiny_subject: Subject) -> None:
    """References are the captions of the runtime, by server and with every prompt."""
    directory, picture = tiny_subject.given["fp32"], PICTURES["tiny"]
    found = reference_captions({"ours": directory}, 1, [picture], (None, "a picture of"))
    captioner = BlipCaptioner.open(directory, threads=1)
    expected = {
        Question(picture.name, prompt): captioner.caption(
            picture.jpeg, prompt, GenerationOptions()
        ).text
        for prompt in (None, "a picture of")
    }
    assert found == {"ours": expected}


def test_a_server_that_does_not_answer() -> None:
    """A server that has died ends the run with the reason."""
    target = Target("ours", "http://127.0.0.1:9")
    measured: Run[LatencyRow] = run("latency", [], rounds="1")
    with pytest.raises(WrongAnswer, match=r"ours answered tiny 0 with status 0 \(Cannot connect"):
        asyncio.run(sample([target], PICTURES, KINDS, Verifier({}), [1], measured))
