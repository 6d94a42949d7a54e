"""The exported files, as ONNX Runtime and a reader of bytes see them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pytest
from numpy.typing import NDArray

from export.__main__ import main
from server.captioning.model.directory import FILES
from tests.export.checkpoints import ODD, TINY, build_checkpoint

Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def decode(tiny_export: Path) -> Callable[[Arrays], list[NDArray[np.float32]]]:
    session = onnxruntime.InferenceSession(
        tiny_export / "decoder_model.onnx", providers=["CPUExecutionProvider"]
    )
    return lambda inputs: list(session.run(None, inputs))


def decoder_inputs(batch: int, sequence: int, past: int, image_batch: int) -> Arrays:
    rng = np.random.default_rng(batch + sequence)
    heads, head_dim = TINY.text_heads, TINY.text_hidden // TINY.text_heads
    inputs: Arrays = {
        "input_ids": rng.integers(TINY.vocab_size, size=(batch, sequence)),
        "position_ids": np.tile(np.arange(past, past + sequence), (batch, 1)),
        "attention_mask": np.ones((batch, past + sequence), np.int64),
    }
    for layer in range(TINY.text_layers):
        for kind in ("key", "value"):
            inputs[f"past_key_values.{layer}.{kind}"] = rng.standard_normal(
                (batch, heads, past, head_dim), dtype=np.float32
            )
    inputs["image_embeds"] = rng.standard_normal(
        (image_batch, 17, TINY.vision_hidden), dtype=np.float32
    )
    return inputs


def test_beams_share_one_picture(decode: Callable[[Arrays], list[NDArray[np.float32]]]) -> None:
    """An image batch of 1 means the same as the picture repeated for every row."""
    shared = decoder_inputs(batch=3, sequence=1, past=5, image_batch=1)
    repeated = {
        name: np.repeat(array, 3, axis=0) if name == "image_embeds" else array
        for name, array in shared.items()
    }
    for one, other in zip(decode(shared), decode(repeated), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_rows_of_a_batch_do_not_touch(
    decode: Callable[[Arrays], list[NDArray[np.float32]]],
) -> None:
    """Each row of a batch gets what it gets alone, its own picture included."""
    batch = decoder_inputs(batch=2, sequence=3, past=4, image_batch=2)
    together = decode(batch)
    for row in range(2):
        alone = decode({name: array[row : row + 1] for name, array in batch.items()})
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one[row : row + 1], other, atol=1e-5)


def test_tied_weights_lie_in_the_file_once(tiny_export: Path) -> None:
    """Word embedding and output layer, half of a small model, share one initializer."""
    model = onnx.load(tiny_export / "decoder_model.onnx")
    size = TINY.vocab_size * TINY.text_hidden
    assert sum(np.prod(weight.dims) == size for weight in model.graph.initializer) == 1
    assert (tiny_export / "decoder_model.onnx").stat().st_size < 1.3 * 4 * size


def test_files_name_nothing_of_this_machine(tiny_export: Path, tiny_checkpoint: Path) -> None:
    """No path of the checkpoint, of the code or of a library is in any file."""
    parents = {tiny_checkpoint.parent, tiny_export.parent, Path(onnx.__file__).parents[1]}
    paths = [str(path).encode() for path in (*parents, Path(__file__).parents[2])]
    for file in (*FILES, "manifest.json"):
        content = (tiny_export / file).read_bytes()
        assert not any(path in content for path in paths), file


def test_the_same_checkpoint_gives_the_same_bytes(
    tiny_checkpoint: Path, tiny_export: Path, tmp_path: Path
) -> None:
    """A second export is the first, manifest included."""
    again = tmp_path / "tiny"
    assert main([str(tiny_checkpoint), str(again), "--pictures", "2"]) == 0
    names = sorted(path.name for path in tiny_export.iterdir())
    assert names == sorted([*FILES, "manifest.json"])
    assert sorted(path.name for path in again.iterdir()) == names
    for name in names:
        assert (again / name).read_bytes() == (tiny_export / name).read_bytes(), name


def test_axes_have_the_names_of_the_contract(tmp_path: Path) -> None:
    """Inputs and outputs of a geometry in which no two sizes agree."""
    checkpoint = build_checkpoint(tmp_path / "odd", ODD)
    assert main([str(checkpoint), str(tmp_path / "model"), "--pictures", "1"]) == 0

    def shapes(file: str) -> dict[str, list[int | str]]:
        session = onnxruntime.InferenceSession(
            tmp_path / "model" / file, providers=["CPUExecutionProvider"]
        )
        return {node.name: node.shape for node in (*session.get_inputs(), *session.get_outputs())}

    encoder, decoder = shapes("encoder_model.onnx"), shapes("decoder_model.onnx")
    names = [f"{layer}.{kind}" for layer in range(3) for kind in ("key", "value")]
    assert encoder == {
        "pixel_values": ["batch", 3, 42, 42],
        "image_embeds": ["batch", 37, 36],
    }
    assert decoder == {
        "input_ids": ["batch", "sequence"],
        "position_ids": ["batch", "sequence"],
        "attention_mask": ["batch", "past + sequence"],
        **{f"past_key_values.{name}": ["batch", 5, "past", 8] for name in names},
        "image_embeds": ["image_batch", 37, 36],
        "logits": ["batch", 30530],
        **{f"present.{name}": ["batch", 5, "past + sequence", 8] for name in names},
    }
