"""The names of model directories, and which of them count as finished."""

from dataclasses import replace
from pathlib import Path

import pytest

from export.prepare.errors import PrepareError, UsageError
from export.prepare.target import Target, is_hub_id
from server.captioning.model.directory import write_manifest
from tests.server.captioning.manifests import MANIFEST


def exported(target: Target, revision: str | None = None) -> Target:
    target.directory.mkdir(parents=True)
    manifest = replace(
        MANIFEST, source=target.hub_id, precision=target.precision, revision=revision
    )
    write_manifest(target.directory, manifest)
    return target


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Target("owner/name", None, "int8", Path("m")), "owner--name-int8"),
        (Target("owner/name", None, "fp32", Path("m")), "owner--name-fp32"),
        (Target("owner/name", "v1", "int8", Path("m")), "owner--name@v1-int8"),
        (Target("owner/name", "refs/pr/1", "int8", Path("m")), "owner--name@refs--pr--1-int8"),
    ],
)
def test_the_name_has_all_that_tells_exports_apart(target: Target, name: str) -> None:
    """Id, revision and precision give one folder below models."""
    assert target.directory == Path("m") / name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("owner/name", True),
        ("owner/name-1.5_b", True),
        ("name", False),
        ("./name", False),
        ("/owner/name", False),
        ("../name", False),
        ("a/b/c", False),
        ("hf://owner/name", False),
        ("owner/name@v1", False),
        ("folder/missing", False),
    ],
)
def test_hub_ids_are_told_from_paths(
    text: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OWNER/NAME is a hub id unless a folder OWNER is here."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert is_hub_id(text) is expected


@pytest.mark.parametrize(
    ("hub_id", "revision", "words"),
    [
        ("name", None, "name is no hub id"),
        ("a/b", "../x", "--revision ../x is no name"),
        ("a/b", "", "--revision  is no name"),
    ],
)
def test_texts_that_are_no_id_or_revision_are_refused(
    hub_id: str, revision: str | None, words: str
) -> None:
    """Neither becomes a path."""
    with pytest.raises(UsageError, match=words):
        Target(hub_id, revision, "int8", Path("models"))


def test_an_export_of_the_checkpoint_is_finished(tmp_path: Path) -> None:
    """Before it the directory is missing, and that is no error."""
    target = Target("owner/name", None, "int8", tmp_path)
    assert not target.is_finished()
    assert exported(target).is_finished()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Target("another/name", None, "int8", Path()), "source another/name"),
        (Target("owner/name", None, "fp32", Path()), "precision fp32"),
    ],
)
def test_an_export_of_something_else_is_refused(other: Target, words: str, tmp_path: Path) -> None:
    """The directory, the difference and the remedy are named."""
    target = Target("owner/name", None, "int8", tmp_path)
    exported(replace(other, models=tmp_path)).directory.rename(target.directory)
    with pytest.raises(PrepareError, match=f"{words}; remove it .rm -r {target.directory}"):
        target.is_finished()


def test_another_commit_is_refused(tmp_path: Path) -> None:
    """A revision that is a commit has to be the manifest's."""
    target = Target("owner/name", "c" * 40, "int8", tmp_path)
    exported(target, revision="d" * 40)
    with pytest.raises(PrepareError, match="commit " + "d" * 40):
        target.is_finished()


@pytest.mark.parametrize("manifest", [None, "{}"])
def test_a_directory_without_a_manifest_is_refused(manifest: str | None, tmp_path: Path) -> None:
    """Exports appear complete, so it is somebody else's, or of another version."""
    target = Target("owner/name", None, "int8", tmp_path)
    target.directory.mkdir()
    if manifest:
        (target.directory / "manifest.json").write_text(manifest)
    with pytest.raises(PrepareError, match=r"manifest\.json .*remove it"):
        target.is_finished()
