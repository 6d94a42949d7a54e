"""Outliers: rescaling leaves fp32 as it is, and int8 as exact as without outliers."""

import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path

import onnx_ir as ir
import pytest
import torch
from rich.console import Console
from torch import Tensor

from export.__main__ import main
from export.checkpoint import Checkpoint, load_checkpoint
from export.int8.calibration import MAX_EXPONENT, candidates, sampled
from export.int8.foldings import foldings_of
from export.int8.quantise import Places
from export.int8.rescaling import Smoothing
from export.int8.smoothing import pixel_values_of, smooth
from export.sources import Source
from export.terminal.progress import show_steps
from export.verification.logits import logit_error, runtime_logits, transformers_logits
from export.verification.parity import Case, TokenIds
from export.verification.pictures import generate_pictures
from export.verification.simulated_int8 import fake_quantise_tensor
from server.captioning.model.directory import DECODER, ENCODER, read_manifest
from tests.export.checkpoints import LARGE_LIKE, build_checkpoint
from tests.export.int8.int8_export import export_int8
from tests.export.int8.outliers import add_massive_token, add_outlier_channels

PICTURES = generate_pictures(4)
CASES = [Case(picture, None, None) for picture in PICTURES]
CAPTION: TokenIds = (30522, 1037, 3861, 1997, 2045, 2003, 102)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint(tmp_path_factory.mktemp("outliers") / "checkpoint", LARGE_LIKE)


@pytest.fixture
def checkpoint(source: Path) -> Checkpoint:
    return load_checkpoint(Source(source, "large-like", None))


@pytest.fixture(scope="module")
def usual_error(source: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """The error of int8 without outliers and without rescaling."""
    checkpoint = load_checkpoint(Source(source, "large-like", None))
    return int8_error(checkpoint, tmp_path_factory.mktemp("usual") / "int8")


def smoothed(checkpoint: Checkpoint) -> Smoothing:
    with show_steps(Console(file=StringIO())) as steps:
        return smooth(checkpoint, PICTURES, steps)


def int8_error(checkpoint: Checkpoint, directory: Path) -> float:
    """Return the mean error of the logits of the int8 graphs."""
    return error_of(checkpoint, export_int8(checkpoint, directory))


def error_of(checkpoint: Checkpoint, directory: Path) -> float:
    along = CASES, [CAPTION] * len(CASES)
    found = runtime_logits(directory, *along)
    return logit_error(transformers_logits(checkpoint, *along), found).mean


@torch.inference_mode()
def logits_of(checkpoint: Checkpoint) -> Tensor:
    """Return the logits f32 [pictures, tokens, vocab] of transformers' own forward pass."""
    ids = torch.tensor([CAPTION] * len(PICTURES))
    pixel_values = pixel_values_of(checkpoint, PICTURES)
    logits: Tensor = checkpoint.model(pixel_values, input_ids=ids).logits
    return logits


@pytest.mark.parametrize("factor", [1, 100])
def test_rescaling_leaves_fp32_bit_for_bit(checkpoint: Checkpoint, factor: float) -> None:
    """With outliers to rescale, and without."""
    add_outlier_channels(list(foldings_of(checkpoint.model).values()), factor)
    before = logits_of(checkpoint)
    weights = {name: each.clone() for name, each in checkpoint.model.state_dict().items()}
    smoothing = smoothed(checkpoint)
    assert smoothing.rescaled > len(smoothing.factors) / 2
    changed = [
        name
        for name, each in checkpoint.model.state_dict().items()
        if (each != weights[name]).any()
    ]
    assert changed
    assert torch.equal(logits_of(checkpoint), before)


@pytest.mark.parametrize("factor", [32, 40])
def test_outliers_leave_the_function_as_it_is(checkpoint: Checkpoint, factor: float) -> None:
    """Bit for bit by a power of two, otherwise within rounding: else they would prove nothing."""
    before = logits_of(checkpoint)
    add_outlier_channels(list(foldings_of(checkpoint.model).values()), factor)
    tolerance = 0 if factor == 32 else 1e-4
    torch.testing.assert_close(logits_of(checkpoint), before, rtol=0, atol=tolerance)


def test_every_folding_is_of_channels_that_the_error_sees(checkpoint: Checkpoint) -> None:
    """A factor is chosen for each activation that can be rescaled, and only for those."""
    assert smoothed(checkpoint).factors.keys() == foldings_of(checkpoint.model).keys()


def test_sampled_rows_have_the_scale_of_all_rows() -> None:
    """Also where the largest value is in a row that is left out, and after a rescaling."""
    states = torch.randn(1, 1000, 4, generator=torch.Generator().manual_seed(0))
    states[0, 501, 2], states[0, 777, 1] = 90, -70
    rows = sampled(states)
    assert rows.shape[1] < states.shape[1] / 5
    for factors in (torch.ones(4), torch.tensor([1, 64, 64, 0.5])):
        exact = fake_quantise_tensor(states / factors)[:, 0]
        torch.testing.assert_close(fake_quantise_tensor(rows / factors)[:, 0], exact)


def test_the_record_survives_a_file(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Factors and layers are read as they were found, so a stage may keep them."""
    smoothing = smoothed(checkpoint)
    written = replace(smoothing, kept_fp32={"encoder.layers.0.mlp.fc2": 0.5})
    written.write(tmp_path)
    read = Smoothing.read(tmp_path)
    assert read.kept_fp32 == written.kept_fp32
    assert read.digest == smoothing.digest
    for name, factors in smoothing.factors.items():
        assert torch.equal(read.factors[name], factors)


def test_factors_are_powers_of_two_within_bounds() -> None:
    """Channels that are never used keep their scale, however large the others are."""
    states = torch.tensor([0, 1e-30, 0.1, 1, 3, 1e30])
    weights = torch.tensor([1, 1, 0, 0.3, 1, 1])
    for factors in candidates(states, weights):
        mantissas, exponents = torch.frexp(factors)
        assert (mantissas == 0.5).all()
        assert ((exponents - 1).abs() <= MAX_EXPONENT).all()
        assert factors[[0, 2]].tolist() == [1, 1]
    for factors in candidates(torch.zeros(2), weights[:2]):
        assert factors.tolist() == [1, 1]


def test_int8_is_as_exact_with_outlier_channels_as_without(
    checkpoint: Checkpoint, tmp_path: Path, usual_error: float
) -> None:
    """Channels 100 times as large cost nothing once they are rescaled, but much if not.

    The graphs have the same nodes, so the rescaling takes no time in the server.
    """
    add_outlier_channels(list(foldings_of(checkpoint.model).values()), 100)
    assert int8_error(checkpoint, tmp_path / "before") > 3 * usual_error
    smoothed(checkpoint)
    assert int8_error(checkpoint, tmp_path / "after") < 1.3 * usual_error
    for file in (ENCODER, DECODER):
        before, after = (ir.load(tmp_path / each / file).graph for each in ("before", "after"))
        assert [node.op_type for node in after] == [node.op_type for node in before]


def test_a_layer_that_a_token_dominates_stays_in_fp32(
    checkpoint: Checkpoint, source: Path, tmp_path: Path, usual_error: float
) -> None:
    """It alone; int8 is then as exact as without that token, and the manifest says why."""
    layer = add_massive_token(checkpoint.model, 100, pixel_values_of(checkpoint, PICTURES))
    assert int8_error(checkpoint, tmp_path / "before") > 3 * usual_error
    shutil.copytree(source, tmp_path / "checkpoint")
    checkpoint.model.save_pretrained(tmp_path / "checkpoint")
    output = tmp_path / "after"
    flags = ["--precision", "int8", "--pictures", "4", "--min-agreement", "0"]
    assert main([str(tmp_path / "checkpoint"), str(output), *flags]) == 0
    figures = read_manifest(output).verification
    kept = figures["kept_fp32_for_tokens"]
    assert isinstance(kept, dict)
    assert list(kept) == figures["kept_fp32"] == [layer]
    graphs = (ir.load(output / file).graph for file in (ENCODER, DECODER))
    assert Places.find(*graphs).names() == [layer]
    assert error_of(checkpoint, output) < 1.3 * usual_error
