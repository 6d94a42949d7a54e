"""The real pipelines and servers, on a model small enough to wait for."""

import asyncio
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import get_args

import onnx
import pytest
from onnx import TensorProto, helper

from benchmarks.floor.captions import caption_floors
from benchmarks.floor.work import multiplications, tensor_sizes, work_of
from benchmarks.http.references import reference_captions
from benchmarks.http.servers import bare_server, our_server, tutorial_server
from benchmarks.http.verification import Verifier
from benchmarks.latency import command as latency
from benchmarks.latency.command import PROMPT, sample_rounds
from benchmarks.load import command as load
from benchmarks.pictures import Size, draw
from benchmarks.pipelines import command
from benchmarks.plans import Plan
from benchmarks.progress import show_bar
from benchmarks.rows import Absent, Beyond, Captioned, CaptionFloor, Case, Loaded, PipelineRow
from benchmarks.runs import Run
from benchmarks.subjects import Subject
from export.__main__ import main
from server.captioning.captioner import Captioner
from server.captioning.options import GenerationOptions

pytestmark = [pytest.mark.parity, pytest.mark.process]

PICTURE = draw(Size("tiny", 40, 30, 12), 0)


def measure(subject: Subject, *pipelines: str) -> Run[PipelineRow]:
    options = Namespace(threads=1, rounds=1, tokens=[3, 5], size="50 KB", pipelines=list(pipelines))
    plan: Plan[PipelineRow] = Plan(
        "pipelines",
        "tiny",
        1,
        {},
        None,
        lambda bar: command.measure(options, subject, bar),
        lambda run: [],
    )
    return plan.run()


def test_pipelines_do_the_same_work(tiny_subject: Subject) -> None:
    """Ours and the tutorial's make as many tokens as asked for, and the same ones."""
    rows = measure(tiny_subject, "ours-fp32", "tutorial-torch").rows
    captions = [row for row in rows if isinstance(row, Captioned)]
    tokens = {(row.pipeline, row.tokens): row.token_ids for row in captions}
    assert {length: len(ids) for (_, length), ids in tokens.items()} == {3: 3, 5: 5}
    assert tokens["ours-fp32", 5] == tokens["tutorial-torch", 5]
    assert all(min(row.preprocess, row.encode, row.decode) > 0 for row in captions)
    assert all(row.peak_bytes > 10_000_000 for row in captions)
    assert [row.pipeline for row in rows if isinstance(row, Loaded)] == [
        "ours-fp32",
        "tutorial-torch",
    ]


def test_servers_captions_have_a_floor(tiny_subject: Subject) -> None:
    """A caption's least is measured here, for as many tokens as the model's captions have."""
    directories = {"server": tiny_subject.directories["fp32"]}
    known = reference_captions(directories, 1, [PICTURE], (None, PROMPT))
    (text,) = {text for question, text in known.captions["server"].items() if not question.prompt}
    caption = Captioner.open(directories["server"], threads=1).caption(
        PICTURE.jpeg, None, GenerationOptions()
    )
    assert (text, known.tokens) == (caption.text, {"server": len(caption.token_ids) - 1})
    (floor,) = caption_floors(tiny_subject, directories, known.tokens, threads=1)
    assert (floor.server, floor.precision) == ("server", "fp32")
    assert floor.tokens == known.tokens["server"]
    assert min(floor.encode, floor.token) > 0
    assert caption_floors(None, {}, {}, threads=1) == []


@pytest.mark.parametrize("benchmark", [latency, load])
def test_floors_are_measured_with_the_servers(benchmark: ModuleType, tiny_subject: Subject) -> None:
    """The same run that measures servers begins with what their captions take at least."""
    parser = ArgumentParser()
    benchmark.add_arguments(parser)
    options = parser.parse_args(["--servers", "ours", "tutorial", "--threads", "1"])

    async def first_rows() -> list[object]:
        with show_bar("fake", None) as bar:
            rows = benchmark.measure(options, tiny_subject, bar)
            found = [await anext(rows), await anext(rows)]
            await rows.aclose()
            return found

    floors = asyncio.run(first_rows())
    assert all(isinstance(row, CaptionFloor) for row in floors)
    assert [row.server for row in floors if isinstance(row, CaptionFloor)] == ["ours", "tutorial"]


def test_what_ours_does_beyond_one_caption(tiny_subject: Subject) -> None:
    """Large pictures, known ones and crowds are measured in every round, as the server has them."""
    beyond = [row for row in measure(tiny_subject, "ours-fp32").rows if isinstance(row, Beyond)]
    assert [row.case for row in beyond] == list(get_args(Case))
    assert all(row.seconds > 0 and row.resident_bytes > 10_000_000 for row in beyond)


def test_what_is_missing_is_named(tiny_subject: Subject) -> None:
    """A pipeline without its model or checkpoint is absent with a reason, others are measured."""
    subject = replace(tiny_subject, checkpoint=None)
    rows = measure(subject, "ours-int8", "tutorial-torch", "ours-fp32").rows
    absent = {row.pipeline: row.reason for row in rows if isinstance(row, Absent)}
    assert absent.keys() == {"ours-int8", "tutorial-torch"}
    assert "there is no int8 model directory" in absent["ours-int8"]
    assert "checkpoint of tiny is not here" in absent["tutorial-torch"]
    assert any(isinstance(row, Captioned) for row in rows)


def test_both_servers_side_by_side(tiny_subject: Subject) -> None:
    """The tutorial's server and ours answer what the model says, MISS and HIT where they must."""
    checkpoint = tiny_subject.checkpoint
    assert checkpoint
    directory = tiny_subject.directories["fp32"]
    directories = {"ours": directory, "tutorial": directory}
    known = reference_captions(directories, 1, [PICTURE], (None, PROMPT))

    async def measured() -> set[tuple[str, str]]:
        with (
            our_server(directory, 1) as ours,
            tutorial_server(checkpoint, 1) as tutorial,
            bare_server() as floor,
        ):
            rounds = sample_rounds(
                [ours, tutorial], floor, {"tiny": PICTURE}, 1, 1, Verifier(known.captions)
            )
            return {(row.server, row.kind) async for row in rounds}

    kinds = {"cold", "cached", "new prompt"}
    assert asyncio.run(measured()) == {
        ("bare route", "floor"),
        *(("ours", kind) for kind in kinds),
        *(("tutorial", kind) for kind in kinds),
    }


def test_work_is_counted() -> None:
    """A product of [2, 3] with [3, 4] is 24 multiplications, and open axes count as 1."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["left", "right"], ["product"])],
        "graph",
        [
            helper.make_tensor_value_info("left", TensorProto.FLOAT, ("batch", 2, 3)),
            helper.make_tensor_value_info("right", TensorProto.FLOAT, (3, 4)),
        ],
        [helper.make_tensor_value_info("product", TensorProto.FLOAT, ("batch", 2, 4))],
    )
    model: onnx.ModelProto = helper.make_model(graph)
    assert multiplications(model.graph.node, tensor_sizes(model)) == 24


def test_work_of_a_model_directory(tiny_subject: Subject) -> None:
    """Of 16 patches and a class token in 2 layers of 24 units, counted by hand."""
    work = work_of(tiny_subject.directories["fp32"])
    tokens, hidden, layers = 17, 24, 2
    patches = 16 * hidden * 3 * 8 * 8
    projections = tokens * hidden * hidden * (4 + 8 + 2) * layers
    attention = 2 * tokens * tokens * hidden * layers
    assert work.encoder_operations == pytest.approx(2 * (patches + projections + attention))
    assert work.attention_operations == pytest.approx(2 * attention)
    assert work.cross_bytes == 4 * tokens * hidden * 2 * layers


def test_work_does_not_depend_on_precision(tiny_subject: Subject, tmp_path: Path) -> None:
    """An int8 model directory has the arithmetic of the fp32 one, but for a few sums and means."""
    directory = tmp_path / "int8"
    options = ["--precision", "int8", "--min-agreement", "0", "--pictures", "1"]
    assert main([str(tiny_subject.checkpoint), str(directory), *options]) == 0
    quantised, plain = work_of(directory), work_of(tiny_subject.directories["fp32"])
    assert quantised.encoder_operations == pytest.approx(plain.encoder_operations, rel=0.01)
    assert quantised.cross_bytes == plain.cross_bytes
