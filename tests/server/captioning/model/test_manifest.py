"""manifest.json is read strictly, and has a digest."""

import json
from dataclasses import replace
from typing import Any

import pytest

from server.captioning.errors import ModelDirectoryError
from server.captioning.model.manifest import Manifest
from tests.server.captioning.manifests import MANIFEST


def test_a_manifest_survives_the_round_trip() -> None:
    """A manifest that is written and read again is the same."""
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def test_digest_tells_models_apart() -> None:
    """Every field that captions depend on changes the digest."""
    changes: dict[str, Any] = {
        "image": replace(MANIFEST.image, resample=2),
        "encoder": replace(MANIFEST.encoder, width=23),
        "decoder": replace(MANIFEST.decoder, max_positions=100),
        "tokens": replace(MANIFEST.tokens, clean_up_spaces=False),
        "generation": replace(MANIFEST.generation, early_stopping=True),
        "files": {"encoder_model.onnx": "1" * 64},
    }
    for name, value in changes.items():
        change: dict[str, Any] = {name: value}
        assert replace(MANIFEST, **change).digest != MANIFEST.digest, name


def test_digest_does_not_depend_on_how_the_model_was_made() -> None:
    """Tool versions, figures and names do not change the digest."""
    remade = replace(MANIFEST, tools={}, verification={}, name="other", revision=None, notice="new")
    assert remade.digest == MANIFEST.digest


def test_a_notice_is_optional() -> None:
    """A manifest without the field, as older exports write it, has no notice."""
    assert "notice" not in json.loads(MANIFEST.to_json())
    assert Manifest.from_json(MANIFEST.to_json()).notice is None
    noticed = replace(MANIFEST, notice="Knows emoji only.")
    assert Manifest.from_json(noticed.to_json()) == noticed


def changed(path: str, value: Any) -> str:
    document = json.loads(MANIFEST.to_json())
    *parents, name = path.split(".")
    record = document
    for parent in parents:
        record = record[parent]
    record[name] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("schema_version", 1, "schema_version is 1, this server reads 2"),
        ("schema_version", None, "schema_version is None"),
        ("name", 5, "name is 5, not str"),
        ("precision", "fp16", "precision is 'fp16'"),
        ("notice", 1, "notice is 1, not str or NoneType"),
        ("revision", 1, "revision is 1, not str or NoneType"),
        ("image", [], r"image is \[\], not an object"),
        ("image.mean", [0.1, 0.2], r"image.mean is \[0.1, 0.2\]"),
        ("image.std", [1, 1, "x"], r"image.std\[2\] is 'x', not float"),
        ("decoder.layers", True, "decoder.layers is True, not int"),
        ("decoder.colour", "red", "decoder.colour is not a field of this schema"),
        ("generation.early_stopping", "soon", "generation.early_stopping is 'soon'"),
        ("files", {"a": None}, "files.a is None, not str"),
    ],
)
def test_a_malformed_manifest_names_the_field(path: str, value: Any, complaint: str) -> None:
    """The error names the field, its value and the remedy."""
    with pytest.raises(ModelDirectoryError, match=complaint + ".*export the checkpoint again"):
        Manifest.from_json(changed(path, value))


def test_a_missing_field_is_named() -> None:
    """A missing field without a default is an error that names it."""
    document = json.loads(MANIFEST.to_json())
    del document["tokens"]["sep"]
    with pytest.raises(ModelDirectoryError, match=r"tokens\.sep is missing"):
        Manifest.from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_text_that_is_no_manifest_is_refused(text: str) -> None:
    """Any other JSON, and text that is not JSON, gives the same error."""
    with pytest.raises(ModelDirectoryError, match=r"manifest\.json is malformed"):
        Manifest.from_json(text)


def test_whole_numbers_pass_for_floats() -> None:
    """An integer is accepted for a float, because JSON writers may drop the ".0"."""
    assert Manifest.from_json(changed("generation.length_penalty", 1)) == MANIFEST


def test_early_stopping_takes_never() -> None:
    """early_stopping may be "never", beside true and false."""
    read = Manifest.from_json(changed("generation.early_stopping", "never"))
    assert read.generation.early_stopping == "never"
