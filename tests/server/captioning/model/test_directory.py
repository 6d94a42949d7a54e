"""A model directory is refused unless its files are the ones that its manifest lists."""

import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from server.captioning.captioner import BlipCaptioner
from server.captioning.errors import ModelDirectoryError
from server.captioning.model.directory import (
    FILES,
    REJECTED_MANIFEST,
    ModelDirectory,
    read_manifest,
    sha256_of,
    write_manifest,
)
from server.captioning.model.manifest import Manifest
from server.captioning.options import GenerationOptions
from tests.server.captioning.pictures import encoded, noise


@pytest.fixture
def copy(model_directory: Path, tmp_path: Path) -> Path:
    """Copy the model directory, so that a test can damage it."""
    directory = tmp_path / "model"
    directory.mkdir()
    for name in (*FILES, "manifest.json"):
        shutil.copy(model_directory / name, directory)
    return directory


def rewritten(directory: Path, manifest: Manifest) -> Path:
    """Write another manifest, which lists the files as they are now."""
    files = {name: sha256_of(directory / name) for name in FILES}
    write_manifest(directory, replace(manifest, files=files))
    return directory


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_found_and_the_file_named(copy: Path, name: str) -> None:
    """One flipped bit in any file is an error that names the file."""
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelDirectoryError, match=f"{name} is not the file that its manifest"):
        ModelDirectory.open(copy)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    """The error names the missing file and the command that writes a directory."""
    (copy / name).unlink()
    with pytest.raises(ModelDirectoryError, match=f"{name} can't be read.*python -m export"):
        ModelDirectory.open(copy)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A path without a directory gives an error of its own."""
    with pytest.raises(ModelDirectoryError, match=r"nowhere.manifest\.json can't be read: No such"):
        ModelDirectory.open(tmp_path / "nowhere")


def test_a_manifest_that_is_no_text_is_refused(copy: Path) -> None:
    """A manifest that is not UTF-8 gives the same error as an unreadable file."""
    (copy / "manifest.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelDirectoryError, match="not UTF-8"):
        ModelDirectory.open(copy)


@pytest.mark.parametrize("files", [{}, {"../../etc/passwd": "0" * 64}])
def test_a_manifest_lists_exactly_the_files_there_should_be(
    copy: Path, files: dict[str, str]
) -> None:
    """A manifest that lists fewer files, or files outside the directory, is refused."""
    write_manifest(copy, replace(read_manifest(copy), files=files))
    with pytest.raises(ModelDirectoryError, match=r"not decoder_model\.onnx, .*, tokenizer\.json"):
        ModelDirectory.open(copy)


def test_other_files_do_not_matter(copy: Path) -> None:
    """A directory may hold files that its manifest does not list."""
    (copy / "README.md").write_text("hello")
    assert ModelDirectory.open(copy).manifest == read_manifest(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_listed_file_that_is_no_model_is_refused(copy: Path, name: str) -> None:
    """A file with the right digest that is no graph or no tokenizer is refused."""
    (copy / name).write_bytes(b"garbage")
    directory = rewritten(copy, read_manifest(copy))
    with pytest.raises(ModelDirectoryError, match=name):
        BlipCaptioner.open(directory, threads=1)


def test_graphs_have_to_fit_the_manifest(copy: Path) -> None:
    """A graph whose sizes differ from the manifest is refused."""
    manifest = read_manifest(copy)
    for wrong in (
        replace(manifest, decoder=replace(manifest.decoder, layers=2)),
        replace(manifest, decoder=replace(manifest.decoder, layers=4)),
        replace(manifest, decoder=replace(manifest.decoder, vocab_size=40000)),
        replace(manifest, image=replace(manifest.image, height=64)),
        replace(manifest, encoder=replace(manifest.encoder, tokens=18)),
        replace(manifest, encoder=replace(manifest.encoder, width=23)),
    ):
        with pytest.raises(ModelDirectoryError, match="its manifest implies"):
            BlipCaptioner.open(rewritten(copy, wrong), threads=1)


def test_outputs_may_come_in_any_order(copy: Path, captioner: BlipCaptioner) -> None:
    """Outputs are matched by name, so a graph may list them in any order."""
    for file in ("encoder_model.onnx", "decoder_model.onnx"):
        graph = onnx.load(copy / file)
        outputs = list(graph.graph.output)
        del graph.graph.output[:]
        graph.graph.output.extend(reversed(outputs))
        onnx.save(graph, copy / file)
    reordered = BlipCaptioner.open(rewritten(copy, read_manifest(copy)), threads=1)
    picture = encoded(noise(0)), "a picture of", GenerationOptions()
    assert reordered.caption(*picture).token_ids == captioner.caption(*picture).token_ids


def test_graphs_cannot_change_places(copy: Path) -> None:
    """A decoder in the encoder's file is refused."""
    shutil.copy(copy / "decoder_model.onnx", copy / "encoder_model.onnx")
    with pytest.raises(ModelDirectoryError, match=r"encoder_model\.onnx has other inputs"):
        BlipCaptioner.open(rewritten(copy, read_manifest(copy)), threads=1)


def test_a_refused_export_is_not_served(copy: Path) -> None:
    """A directory whose manifest is named as rejected says what it is and the remedy."""
    (copy / "manifest.json").rename(copy / REJECTED_MANIFEST)
    with pytest.raises(ModelDirectoryError, match=r"an export that was refused.*--keep-fp32"):
        ModelDirectory.open(copy)
