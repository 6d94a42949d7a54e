"""What --model may name, and what is said where it names nothing that can be served."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.captioning.errors import AlteredFile
from server.captioning.model.directory import FILES, MANIFEST, ModelDirectory
from server.errors import StartupError
from server.model_source import explain, resolve_model
from tests.hub.client import UNREACHABLE, close_connections, use_hub
from tests.hub.fake_hub import Hub, serve
from tests.hub.models import copy_model, flip_byte
from tests.hub.repositories import Repository

REPOSITORY = "someone/emoji"
REFERENCE = f"hf://{REPOSITORY}"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory that nothing writes to."""
    return copy_model(tmp_path_factory.mktemp("models") / "emoji")


@pytest.fixture
def hub(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with the model, which this process asks."""
    hub = Hub({REPOSITORY: Repository.of(model)})
    with serve(hub, tmp_path) as address:
        use_hub(monkeypatch, address)
        yield hub
        close_connections()


@pytest.fixture
def changed(hub: Hub, tmp_path: Path) -> Path:
    """A directory of copies, which the hub's repository holds from now on."""
    directory = copy_model(tmp_path / "changed")
    hub.repositories[REPOSITORY] = Repository.of(directory)
    return directory


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_a_directory_is_returned_as_it_is(tmp_path: Path) -> None:
    """Whether it is there is found when it is loaded."""
    assert resolve_model(str(tmp_path)) == tmp_path
    assert resolve_model("models/nowhere") == Path("models/nowhere")


def test_a_hub_id_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint has to be exported first, which the server can't do."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StartupError, match="scripts/serve --model someone/blip`") as caught:
        resolve_model("someone/blip")
    assert "hf://someone/blip" in str(caught.value)


def test_a_malformed_reference_is_named() -> None:
    """The form is named, too."""
    with pytest.raises(StartupError, match=r"hf://blip is not of the form hf://OWNER/NAME"):
        resolve_model("hf://blip")


def test_a_model_is_downloaded(hub: Hub, model: Path, cache: Path) -> None:
    """The directory in the cache has the same files."""
    directory = resolve_model(REFERENCE, cache)

    assert cache in directory.parents
    assert ModelDirectory.open(directory).manifest == ModelDirectory.open(model).manifest


def test_the_cache_of_the_hub_is_the_default(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cache of its own, the server shares the one of other programs."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))

    assert cache in resolve_model(REFERENCE).parents


def test_a_revision_is_downloaded(hub: Hub, cache: Path) -> None:
    """A tag has its own commit."""
    assert resolve_model(f"{REFERENCE}@v1", cache).name == "b" * 40


def test_a_commit_in_the_cache_needs_no_request(hub: Hub, cache: Path) -> None:
    """A commit can't change, so the hub is not asked again."""
    directory = resolve_model(f"{REFERENCE}@{'b' * 40}", cache)
    hub.requests.clear()

    assert resolve_model(f"{REFERENCE}@{'b' * 40}", cache) == directory
    assert hub.requests == []


def test_a_branch_that_moved_is_downloaded(hub: Hub, changed: Path, cache: Path) -> None:
    """The next start serves the newest commit, and downloads only what has changed."""
    before = resolve_model(REFERENCE, cache)
    manifest = json.loads((changed / MANIFEST).read_text())
    new = changed.parent / MANIFEST
    new.write_text(json.dumps({**manifest, "name": "new"}))
    commit = hub.repositories[REPOSITORY].commit({MANIFEST: new})
    hub.requests.clear()

    directory = resolve_model(REFERENCE, cache)

    assert (before.name, directory.name) == ("a" * 40, commit)
    assert ModelDirectory.open(directory).manifest.name == "new"
    assert not [request for request in hub.requests if "GET" in request and "onnx" in request]


@pytest.mark.parametrize("offline", [True, False])
def test_the_cache_serves_where_the_hub_is_not_asked(
    offline: bool,
    hub: Hub,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """HF_HUB_OFFLINE is obeyed silently; an unreachable hub is worth a line."""
    directory = resolve_model(REFERENCE, cache)
    close_connections()
    use_hub(monkeypatch, UNREACHABLE, offline=offline)
    hub.requests.clear()
    caplog.clear()

    assert resolve_model(REFERENCE, cache) == directory

    assert hub.requests == []
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    if offline:
        assert warnings == []
    else:
        (line,) = warnings
        assert line.startswith(f"{REFERENCE}: commit aaaaaaaaaaaa from the cache is served: ")
        assert "can't be reached (ConnectionError)" in line


def test_a_repository_that_is_gone_is_served_from_the_cache(
    hub: Hub, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A restart does not depend on the hub's answer, but says what it is."""
    directory = resolve_model(REFERENCE, cache)
    hub.repositories.clear()

    assert resolve_model(REFERENCE, cache) == directory
    assert "is served: someone/emoji is not a public repository" in caplog.text


def refused(text: str, cache: Path) -> str:
    """Return the line with which a model is refused."""
    with pytest.raises(StartupError) as caught:
        resolve_model(text, cache)
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize("offline", [True, False])
def test_nothing_in_the_cache_and_no_hub(
    offline: bool, hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the reference, the cache and why the hub is not asked."""
    close_connections()
    use_hub(monkeypatch, UNREACHABLE, offline=offline)
    line = refused(REFERENCE, cache)
    assert line.startswith(f"{REFERENCE} is not in {cache}: ")
    assert ("HF_HUB_OFFLINE is set" if offline else "ConnectionError") in line


def test_a_partial_download_is_not_served(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory in the cache that lacks a file counts as absent."""
    (resolve_model(REFERENCE, cache) / FILES[0]).unlink()
    close_connections()
    use_hub(monkeypatch, UNREACHABLE)
    assert "is not in" in refused(REFERENCE, cache)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hf://someone/else", "is not a public repository on the hub; check its spelling"),
        ("hf://someone/gated", "is gated; accept its terms on the hub and set HF_TOKEN"),
        (f"{REFERENCE}@v9", "has no revision v9 on the hub"),
        ("hf://someone/-", "can't be a hub id"),
    ],
)
def test_what_the_hub_does_not_give(hub: Hub, cache: Path, text: str, words: str) -> None:
    """A repository that is missing, gated or has no such revision is named with the remedy."""
    hub.repositories["someone/gated"] = Repository(gated=True)
    assert words in refused(text, cache)


def test_a_checkpoint_names_the_command(hub: Hub, changed: Path, cache: Path) -> None:
    """A repository with a configuration and no manifest has to be exported."""
    (changed / MANIFEST).rename(changed / "config.json")
    hub.repositories[REPOSITORY] = Repository.of(changed)
    line = refused(REFERENCE, cache)
    assert "not a model directory but a checkpoint" in line
    assert "scripts/serve --model someone/emoji" in line


@pytest.mark.parametrize("name", [MANIFEST, *FILES])
def test_a_repository_without_a_file(name: str, hub: Hub, changed: Path, cache: Path) -> None:
    """The missing file is named, and nothing is downloaded."""
    (changed / name).unlink()
    hub.repositories[REPOSITORY] = Repository.of(changed)
    assert f"it has no {name}" in refused(REFERENCE, cache)
    assert not cache.exists()


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"schema_version": 99}', "\xff", "[" * 5000])
def test_a_garbage_manifest(manifest: str, hub: Hub, changed: Path, cache: Path) -> None:
    """A manifest that is none is refused before large files are downloaded."""
    (changed / MANIFEST).write_text(manifest, encoding="latin-1")
    line = refused(REFERENCE, cache)
    assert line.startswith(f"{REFERENCE} can't be served: ")
    assert "manifest.json" in line
    assert not [request for request in hub.requests if "onnx" in request]


def test_a_graph_that_the_manifest_does_not_list(hub: Hub, changed: Path, cache: Path) -> None:
    """A file that was replaced on the hub is named before it is downloaded."""
    flip_byte(changed / FILES[0])
    line = refused(REFERENCE, cache)
    assert f"{FILES[0]} on the hub is not the file that its manifest.json lists" in line
    assert not [request for request in hub.requests if "onnx" in request]


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_in_the_cache(name: str, hub: Hub, cache: Path) -> None:
    """The remedy is to delete the file that is named, after which a start downloads it again."""
    directory = resolve_model(REFERENCE, cache)
    blob = (directory / name).resolve()
    flip_byte(blob)
    with pytest.raises(AlteredFile) as caught:
        ModelDirectory.open(directory)

    line = explain(caught.value, REFERENCE)

    assert name in line
    assert f"delete {blob} and start again" in line
    blob.unlink()
    ModelDirectory.open(resolve_model(REFERENCE, cache))


def test_a_changed_byte_in_a_directory_has_another_remedy(model: Path, tmp_path: Path) -> None:
    """A directory that was exported here is not downloaded again."""
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    flip_byte(copy / FILES[0])
    with pytest.raises(AlteredFile) as caught:
        ModelDirectory.open(copy)
    assert "export the checkpoint again" in explain(caught.value, str(copy))


def test_a_changed_manifest_in_the_cache(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest's own digest is its name in the cache, so a change is found without the hub."""
    directory = resolve_model(REFERENCE, cache)
    manifest = (directory / MANIFEST).resolve()
    manifest.write_text(manifest.read_text().replace('"num_beams": 1,', '"num_beams": 2,'))
    close_connections()
    use_hub(monkeypatch, offline=True)
    assert "manifest.json is damaged: its SHA-1" in refused(REFERENCE, cache)
