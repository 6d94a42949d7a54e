"""int8: what is rewritten, what is kept, and what the gate says of it."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pytest
import torch
from numpy.typing import NDArray

from export.__main__ import main
from export.checkpoint import load_checkpoint
from export.cross_attention import find_cross_attentions
from export.errors import QuantisationError
from export.linears import find_linears
from export.quantise import ZERO_POINT, block_size, quantise, quantise_blocks, quantise_rows
from export.scores import find_scores
from export.sensitivity import layer_sensitivities, through_blocks, through_rows
from export.sources import Source
from export.verification.parity import cases_for
from export.verification.pictures import generate_pictures
from server.captioning.captioner import BlipCaptioner
from server.captioning.errors import ModelDirectoryError
from server.captioning.model.directory import (
    DECODER,
    ENCODER,
    FILES,
    read_manifest,
    sha256_of,
    write_manifest,
)
from server.captioning.model.encoder import EncodedImage
from tests.export.checkpoints import Geometry, build_checkpoint

# Widths of whole blocks, so that the word embedding lies there once.
WHOLE_BLOCKS = Geometry(32, 8, 32, 2, 2, 64, 2, 2, max_positions=32)
#: From and up to, in their type: all that an int8 can be, and tokens and masks of 1.
INTEGERS = {
    "tensor(int8)": (-127, 128, np.int8),
    "tensor(int32)": (-1000, 1000, np.int32),
    "tensor(int64)": (1, 2, np.int64),
}


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same checkpoint in fp32 and in int8."""
    directory = tmp_path_factory.mktemp("int8")
    checkpoint = build_checkpoint(directory / "checkpoint", WHOLE_BLOCKS)
    for precision in ("fp32", "int8"):
        output = directory / precision
        flags = ["--precision", precision, "--pictures", "2"]
        flags += ["--min-agreement", "0"] if precision == "int8" else []
        assert main([str(checkpoint), str(output), *flags]) == 0
    return directory / "fp32", directory / "int8"


def test_blocks_round_to_the_nearest_of_their_levels() -> None:
    """No weight is further from its value than half a step of its own block."""
    weight = np.random.default_rng(0).standard_normal((3, 40), dtype=np.float32)
    blocks, scales = quantise_blocks(weight, 16)
    assert blocks.shape == (3, 3, 16)
    restored = (blocks.astype(np.float32) - ZERO_POINT) * scales[..., None]
    steps = np.repeat(scales, 16, axis=1)[:, :40]
    assert (abs(restored.reshape(3, 48)[:, :40] - weight) <= steps * 0.501).all()


def test_a_row_of_zeros_stays_zero() -> None:
    """There is no scale to divide by."""
    rows, scales = quantise_rows(np.zeros((2, 5), np.float32))
    assert not rows.any()
    assert np.isfinite(scales).all()


@pytest.mark.parametrize(
    ("inputs", "size"), [(768, 128), (3072, 128), (192, 64), (64, 64), (48, 16), (40, 16), (7, 16)]
)
def test_blocks_divide_a_row_where_they_can(inputs: int, size: int) -> None:
    """So that nothing is padded in any usual width."""
    assert block_size(inputs) == size


def test_every_layer_is_quantised(exports: tuple[Path, Path]) -> None:
    """No linear one, score or cross-attention is left in fp32; files are a quarter as large."""
    fp32, int8 = exports
    for file in (ENCODER, DECODER):
        assert find_linears(onnx.load(fp32 / file))
        assert not find_linears(onnx.load(int8 / file))
    assert find_scores(onnx.load(fp32 / ENCODER))
    assert not find_scores(onnx.load(int8 / ENCODER))
    assert find_cross_attentions(onnx.load(fp32 / DECODER))
    assert not find_cross_attentions(onnx.load(int8 / DECODER))
    assert (int8 / DECODER).stat().st_size < 0.3 * (fp32 / DECODER).stat().st_size


def test_a_picture_takes_a_quarter_of_the_memory(exports: tuple[Path, Path]) -> None:
    """What waits between the graphs is in 8 bits too, but for a few sums and scales."""

    def encoded(directory: Path) -> EncodedImage:
        captioner = BlipCaptioner.open(directory, threads=1)
        return captioner.encode(np.zeros((1, 3, 32, 32), np.float32))

    fp32, int8 = (encoded(directory) for directory in exports)
    in_bytes = [each for each in int8.cross_key_values if each.dtype == np.int8]
    assert 4 * sum(each.nbytes for each in in_bytes) == fp32.nbytes
    assert len(in_bytes) == len(fp32.cross_key_values)


def test_the_manifest_records_the_gate(exports: tuple[Path, Path]) -> None:
    """Precision, what was asked for, and how near the captions and logits came."""
    manifest = read_manifest(exports[1])
    figures = manifest.verification
    assert manifest.precision == "int8"
    assert figures["min_agreement"] == 0
    assert figures["kept_fp32"] == []
    assert set(figures) >= {"identical_to_transformers", "token_agreement", "mean_logit_error"}
    cosine = figures["logit_cosine"]
    assert isinstance(cosine, float)
    assert cosine > 0.99


def test_rows_do_not_depend_on_each_other(exports: tuple[Path, Path]) -> None:
    """A row gets the same logits alone as beside a row of much larger activations."""
    session = onnxruntime.InferenceSession(exports[1] / DECODER, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    sizes = {"batch": 2, "cross_batch": 2, "sequence": 1, "past": 3, "past + sequence": 4}
    feeds: dict[str, NDArray[Any]] = {}
    for node in session.get_inputs():
        shape = [sizes.get(size, size) for size in node.shape]
        values: NDArray[Any] = rng.standard_normal(shape, dtype=np.float32)
        if node.type in INTEGERS:
            low, high, dtype = INTEGERS[node.type]
            values = rng.integers(low, high, shape, dtype)
        elif "key_values" in node.name:
            values[1] *= 100
        feeds[node.name] = values
    (together,) = session.run(["logits"], feeds)
    (alone,) = session.run(["logits"], {name: array[:1] for name, array in feeds.items()})
    np.testing.assert_allclose(together[0], alone[0], atol=1e-4)


def test_excluded_layers_stay_as_they_are(exports: tuple[Path, Path], tmp_path: Path) -> None:
    """By name or pattern; the word embedding stays with the layer that it is tied to."""
    for file in (ENCODER, DECODER):
        (tmp_path / file).write_bytes((exports[0] / file).read_bytes())
    kept = [
        "encoder.layers.0.*",
        "decoder.head.predictions.decoder",
        "decoder.layers.1.*.key_values",
    ]
    quantise(tmp_path, kept)
    encoder, decoder = (onnx.load(tmp_path / file) for file in (ENCODER, DECODER))
    assert {each.name.partition(".mlp")[0] for each in find_linears(encoder)} == {
        f"layers.0{part}" for part in ("", ".query", ".key", ".value", ".projection")
    }
    assert [each.name for each in find_scores(encoder)] == ["layers.0.scores"]
    assert [each.name for each in find_cross_attentions(decoder)] == [
        "layers.1.cross_attention.key_values"
    ]
    assert [each.name for each in find_linears(decoder)] == ["head.predictions.decoder"]
    assert not any(node.op_type == "GatherBlockQuantized" for node in decoder.graph.node)


def test_every_layer_that_the_advice_may_name_can_be_excluded(
    exports: tuple[Path, Path], tmp_path: Path
) -> None:
    """With all of them kept in fp32 there is no node of int8 left in either graph."""
    checkpoint = load_checkpoint(Source(exports[0].parent / "checkpoint", "tiny", None))
    case = cases_for(generate_pictures(1))[0]
    named = [each.layer for each in layer_sensitivities(checkpoint, [case], [(1, 2, 3)])]
    for file in (ENCODER, DECODER):
        (tmp_path / file).write_bytes((exports[0] / file).read_bytes())
    quantise(tmp_path, named)
    for file in (ENCODER, DECODER):
        nodes = onnx.load(tmp_path / file).graph.node
        assert not any("Quantize" in node.op_type or "NBits" in node.op_type for node in nodes)


def test_graphs_of_different_precision_are_refused(
    exports: tuple[Path, Path], tmp_path: Path
) -> None:
    """Not while a picture waits for its caption."""
    for name in FILES:
        (tmp_path / name).write_bytes((exports[0] / name).read_bytes())
    (tmp_path / ENCODER).write_bytes((exports[1] / ENCODER).read_bytes())
    files = {name: sha256_of(tmp_path / name) for name in FILES}
    write_manifest(tmp_path, replace(read_manifest(exports[0]), files=files))
    with pytest.raises(ModelDirectoryError, match=r"decoder_model\.onnx has other inputs"):
        BlipCaptioner.open(tmp_path, threads=1)


def test_a_name_that_fits_no_layer_is_told(exports: tuple[Path, Path]) -> None:
    """With examples of names that do."""
    with pytest.raises(QuantisationError, match=r"--exclude encoder\.nothing .* encoder\.layers"):
        quantise(exports[0], ["encoder.nothing"])


def test_too_few_equal_captions_fail_and_name_layers(
    exports: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Random weights make near-ties, which int8 tips: the export says which layers do most."""
    checkpoint = exports[0].parent / "checkpoint"
    output = tmp_path / "model"
    flags = ["--precision", "int8", "--pictures", "6", "--min-agreement", "1"]
    assert main([str(checkpoint), str(output), *flags]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert "captions differ from transformers'" in message
    assert "--min-agreement requires 100.0%" in message
    assert "decoder.layers." in message
    assert os.listdir(tmp_path) == []


def test_the_simulation_rounds_as_the_export_does() -> None:
    """Within half a step, and not at all what lies on a level already."""
    weight = torch.randn(4, 40, generator=torch.Generator().manual_seed(0))
    for through in (through_rows, through_blocks):
        rounded = through(weight)
        assert 0 < (rounded - weight).abs().max() < weight.abs().max() / 250
        torch.testing.assert_close(through(rounded), rounded)
