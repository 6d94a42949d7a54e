"""int8: what is rewritten, what is kept, and what the gate says of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime  # type: ignore[import-untyped]
import pytest
import torch
from numpy.typing import NDArray
from transformers import BlipConfig

from export.__main__ import main
from export.checkpoint import load_checkpoint
from export.errors import QuantisationError
from export.int8.quantise import IMAGE_NAME, Places, quantise
from export.int8.weights import ZERO_POINT, block_size, quantise_blocks, quantise_rows
from export.sources import Source
from export.verification.parity import cases_for
from export.verification.pictures import generate_pictures
from export.verification.sensitivity import SensitivityPass
from export.verification.simulated_int8 import fake_quantise_blocks, fake_quantise_rows
from server.captioning.captioner import BlipCaptioner
from server.captioning.errors import ModelDirectoryError
from server.captioning.model.directory import (
    DECODER,
    ENCODER,
    FILES,
    TOKENIZER,
    read_manifest,
    sha256_of,
    write_manifest,
)
from server.captioning.model.encoder import EncodedImage
from tests.export.checkpoints import Geometry, build_checkpoint

# Widths of whole blocks, so that the word embedding lies there once.
WHOLE_BLOCKS = Geometry(32, 8, 32, 2, 2, 64, 2, 2, max_positions=32)
#: From and up to, in their type: all that an int8 can be, and tokens and masks of 1.
INTEGERS = {"tensor(int8)": (-127, 128, np.int8), "tensor(int64)": (1, 2, np.int64)}


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


def places(directory: Path) -> tuple[list[str], int]:
    """Return the names of what is in fp32, and the number of cross-attentions in fp32."""
    found = Places.find(*(ir.load(directory / file).graph for file in (ENCODER, DECODER)))
    return found.names(), len(found.image_products)


def copy_graphs(source: Path, target: Path) -> BlipConfig:
    """Copy the graphs of an export. Returns the configuration of its checkpoint."""
    for file in (ENCODER, DECODER):
        (target / file).write_bytes((source / file).read_bytes())
    config: BlipConfig = BlipConfig.from_pretrained(source.parent / "checkpoint")
    return config


def test_every_layer_is_quantised(exports: tuple[Path, Path]) -> None:
    """No product of a layer is left in fp32; files are a quarter as large."""
    fp32, int8 = exports
    assert len(places(fp32)[0]) > 1
    assert places(fp32)[1] == 2
    assert places(int8) == ([], 0)
    assert (int8 / DECODER).stat().st_size < 0.3 * (fp32 / DECODER).stat().st_size


def test_an_encoded_picture_takes_half_the_memory(exports: tuple[Path, Path]) -> None:
    """Its hidden state is there twice, a byte a number, beside a scale and a mean per channel."""

    def encoded(directory: Path) -> EncodedImage:
        captioner = BlipCaptioner.open(directory, threads=1)
        return captioner.encode(np.zeros((32, 32, 3), np.uint8))

    fp32, int8 = (encoded(directory) for directory in exports)
    channels = 2 * 4 * WHOLE_BLOCKS.vision_hidden
    assert int8.nbytes - channels == fp32.nbytes // 2


def test_the_manifest_records_the_gate(exports: tuple[Path, Path]) -> None:
    """Precision, what was asked for, and how near the captions and logits came."""
    manifest = read_manifest(exports[1])
    figures = manifest.verification
    assert manifest.precision == "int8"
    assert figures["min_agreement"] == 0
    assert figures["kept_fp32"] == []
    assert set(figures) >= {"identical_to_transformers", "agreement_interval", "mean_logit_error"}
    cosine = figures["logit_cosine"]
    assert isinstance(cosine, float)
    assert cosine > 0.99


def test_rows_do_not_depend_on_each_other(exports: tuple[Path, Path]) -> None:
    """A row gets the same logits alone as beside a row of much larger activations."""
    session = onnxruntime.InferenceSession(exports[1] / DECODER, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    sizes = {"batch": 2, "image_batch": 2, "sequence": 1, "past": 3, "past + sequence": 4}
    feeds: dict[str, NDArray[Any]] = {}
    for node in session.get_inputs():
        shape = [sizes.get(size, size) for size in node.shape]
        values: NDArray[Any] = rng.standard_normal(shape, dtype=np.float32)
        if node.type in INTEGERS:
            low, high, dtype = INTEGERS[node.type]
            values = rng.integers(low, high, shape, dtype)
        elif "key_values" in node.name or "image" in node.name:
            values[1] *= 100
        feeds[node.name] = values
    (together,) = session.run(["logits"], feeds)
    (alone,) = session.run(["logits"], {name: array[:1] for name, array in feeds.items()})
    np.testing.assert_allclose(together[0], alone[0], atol=1e-4)


def test_layers_kept_in_fp32_stay_as_they_are(exports: tuple[Path, Path], tmp_path: Path) -> None:
    """By name or pattern; the word embedding stays with the layer that it is tied to."""
    config = copy_graphs(exports[0], tmp_path)
    kept = ["encoder.layers.0.*", "decoder.head.predictions.decoder", "decoder.layers.1.*.key"]
    quantise(tmp_path, config, kept)
    vision = ("query", "key", "value", "projection", "mlp.fc1", "mlp.fc2", "scores")
    names, cross_attentions = places(tmp_path)
    assert set(names) == {
        *(f"encoder.layers.0.{name}" for name in vision),
        "decoder.head.predictions.decoder",
        "decoder.layers.1.cross_attention.key",
    }
    assert cross_attentions == 0
    nodes = ir.load(tmp_path / DECODER).graph
    assert not any(node.op_type == "GatherBlockQuantized" for node in nodes)


def test_the_picture_can_stay_in_fp32(exports: tuple[Path, Path], tmp_path: Path) -> None:
    """Encoder and decoder then agree on float32, and the runtime takes them."""
    config = copy_graphs(exports[0], tmp_path)
    (tmp_path / TOKENIZER).write_bytes((exports[0] / TOKENIZER).read_bytes())
    quantise(tmp_path, config, [IMAGE_NAME])
    assert places(tmp_path) == ([IMAGE_NAME], 2)
    files = {name: sha256_of(tmp_path / name) for name in FILES}
    write_manifest(tmp_path, replace(read_manifest(exports[0]), files=files))
    captioner = BlipCaptioner.open(tmp_path, threads=1)
    (image,) = captioner.encode(np.zeros((32, 32, 3), np.uint8)).arrays
    assert image.dtype == np.float32


def test_every_layer_that_the_advice_may_name_can_be_kept_in_fp32(
    exports: tuple[Path, Path], tmp_path: Path
) -> None:
    """With all of them kept in fp32 there is no node of int8 left in either graph."""
    checkpoint = load_checkpoint(Source(exports[0].parent / "checkpoint", "tiny", None))
    case = cases_for(generate_pictures(1))[0]
    named = [each.layer for each in SensitivityPass(checkpoint, [case], [(1, 2, 3)])]
    quantise(tmp_path, copy_graphs(exports[0], tmp_path), named)
    for file in (ENCODER, DECODER):
        nodes = ir.load(tmp_path / file).graph
        assert not any("Quantize" in node.op_type or "NBits" in node.op_type for node in nodes)


def as_constant(graph: ir.Graph, name: str) -> None:
    """Have a node put out what an initializer was, as an exporter might."""
    weight = next(each for each in graph.initializers.values() if each.name == name)
    assert weight.const_value is not None
    node = ir.Node("", "Constant", [], [ir.AttrTensor("value", weight.const_value)])
    graph.insert_before(graph[0], node)
    weight.replace_all_uses_with(node.outputs[0])


def weight_of(graph: ir.Graph, module: str) -> str:
    """Return the name of the weight that a module's product reads."""
    (product,) = (
        each for each in graph if each.op_type == "MatMul" and f"/{module}/" in str(each.name)
    )
    weight = product.inputs[1]
    assert weight is not None
    assert weight.name is not None
    return weight.name


def rename_softmax(graph: ir.Graph) -> None:
    next(node for node in graph if node.op_type == "Softmax").op_type = "Hardmax"


def untie_embedding(graph: ir.Graph) -> None:
    head = next(each for each in reversed(graph) if each.op_type == "Gemm")
    weight = head.inputs[1]
    assert weight is not None
    (gather,) = (each.node for each in weight.uses() if each.node.op_type == "Gather")
    gather.op_type = "GatherElements"


def rename_attention(graph: ir.Graph) -> None:
    next(node for node in graph if "attend/MatMul_1" in str(node.name)).name = "MatMul_77"


@pytest.mark.parametrize(
    ("file", "change", "complaint"),
    [
        (
            ENCODER,
            lambda graph: as_constant(graph, weight_of(graph, "layers.1/mlp/fc1")),
            "11 linear layers of the encoder .* imply 12",
        ),
        (ENCODER, rename_softmax, "1 attention scores of the encoder .* imply 2"),
        (
            DECODER,
            lambda graph: as_constant(graph, weight_of(graph, "layers.0/attention/qkv")),
            "13 linear layers of the decoder .* imply 14",
        ),
        (
            DECODER,
            lambda graph: as_constant(graph, weight_of(graph, "layers.0/cross_attention/value")),
            "3 per-head products of the decoder .* imply 4",
        ),
        (DECODER, untie_embedding, "0 word embeddings tied to the word head .* imply 1"),
        (DECODER, rename_attention, "1 cross-attentions of the decoder .* imply 2"),
    ],
)
def test_a_graph_that_the_exporter_wrote_otherwise_is_refused(
    exports: tuple[Path, Path],
    tmp_path: Path,
    file: str,
    change: Callable[[ir.Graph], None],
    complaint: str,
) -> None:
    """Where less is found than the configuration implies, nothing stays in fp32 unnoticed."""
    config = copy_graphs(exports[0], tmp_path)
    model = ir.load(tmp_path / file)
    change(model.graph)
    ir.save(model, tmp_path / file)
    with pytest.raises(QuantisationError, match=complaint):
        quantise(tmp_path, config)


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


def test_a_name_that_fits_no_layer_is_told(exports: tuple[Path, Path], tmp_path: Path) -> None:
    """With examples of names that do."""
    config = copy_graphs(exports[0], tmp_path)
    with pytest.raises(QuantisationError, match=r"--keep-fp32 encoder\.nothing .* encoder\.layers"):
        quantise(tmp_path, config, ["encoder.nothing"])


def test_the_simulation_rounds_as_the_export_does() -> None:
    """Within half a step, and not at all what lies on a level already."""
    weight = torch.randn(4, 40, generator=torch.Generator().manual_seed(0))
    for fake_quantise in (fake_quantise_rows, fake_quantise_blocks):
        rounded = fake_quantise(weight)
        assert 0 < (rounded - weight).abs().max() < weight.abs().max() / 250
        torch.testing.assert_close(fake_quantise(rounded), rounded)
