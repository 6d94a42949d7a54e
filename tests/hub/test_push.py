"""Publishing a model directory: the card, what is committed, and what is refused."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hub.client import UNREACHABLE, hub_environment
from tests.hub.fake_hub import DEADLINE, TOKEN, Hub, serve
from tests.hub.models import MODEL_FILES, copy_model, flip_byte
from tests.hub.repositories import Repository, front_matter
from tests.server.serving import ROOT

pytestmark = pytest.mark.process

REPOSITORY = "someone/emoji"
SOURCE = "Salesforce/blip-image-captioning-base"
REVISION = "b" * 40


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model directory that was exported from a hub's checkpoint in int8, as its manifest says."""
    directory = copy_model(tmp_path / "emoji")
    manifest = json.loads((directory / "manifest.json").read_text())
    notice = "It knows emoji only."
    changes = {"source": SOURCE, "revision": REVISION, "precision": "int8", "notice": notice}
    (directory / "manifest.json").write_text(json.dumps({**manifest, **changes}))
    return directory


@contextmanager
def hub_of_source(tmp_path: Path, licence: str) -> Iterator[tuple[Hub, str]]:
    """Serve a hub with the source of the model, and the licence on its card."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "README.md").write_text(f"---\n{licence}\n---\n# BLIP\n")
    (tmp_path / "storage").mkdir()
    hub = Hub({SOURCE: Repository.of(source)})
    with serve(hub, tmp_path / "storage") as address:
        yield hub, address


def push(
    home: Path, address: str, *arguments: str | Path, token: str = TOKEN
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "export.push", *map(str, arguments)],
        cwd=ROOT,
        env=hub_environment(home, address, token),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )


def committed(hub: Hub, repository: str = REPOSITORY) -> dict[str, Path]:
    """Return the files on the main branch."""
    found = hub.repositories[repository].find("main")
    assert found
    return found[1]


def test_the_card_and_the_files(model: Path, tmp_path: Path) -> None:
    """One commit has the files, and a card with source, licence, figures and the command."""
    before = sorted(path.name for path in model.iterdir())
    with hub_of_source(tmp_path, "license: bsd-3-clause") as (hub, address):
        done = push(tmp_path, address, model, REPOSITORY)
    assert done.returncode == 0, done.stderr
    started, ended = done.stderr.splitlines()
    assert started == f"push {REPOSITORY}: 17.4 MB ..."
    _empty, commit = hub.repositories[REPOSITORY].commits
    assert ended.startswith(f"push {REPOSITORY}: done in ")
    assert ended.endswith(commit)
    files = committed(hub)
    assert set(files) == {*MODEL_FILES, "README.md"}
    for name in MODEL_FILES:
        assert files[name].read_bytes() == (model / name).read_bytes()
    assert sorted(path.name for path in model.iterdir()) == before
    card = files["README.md"].read_text()
    assert front_matter(card) == {
        "base_model": SOURCE,
        "base_model_relation": "quantized",
        "license": "bsd-3-clause",
        "pipeline_tag": "image-to-text",
        "library_name": "onnx",
        "tags": ["image-captioning", "blip", "onnx", "onnxruntime"],
    }
    for text in (
        SOURCE,
        REVISION,
        "int8",
        "It knows emoji only.",
        f"scripts/serve --model hf://{REPOSITORY}",
    ):
        assert text in card
    assert "| identical to transformers | 400 |" in card
    assert "| prompts | none, a picture of, a photo of, there is |" in card


def test_a_licence_of_its_own_keeps_name_and_link(model: Path, tmp_path: Path) -> None:
    """A licence that the hub has no id for is named as on the source's card."""
    licence = "license: other\nlicense_name: mine\nlicense_link: https://example.org/licence"
    with hub_of_source(tmp_path, licence) as (hub, address):
        assert push(tmp_path, address, model, REPOSITORY).returncode == 0
    card = front_matter(committed(hub)["README.md"].read_text())
    assert (card["license"], card["license_name"]) == ("other", "mine")
    assert card["license_link"] == "https://example.org/licence"


def test_a_source_without_a_licence(model: Path, tmp_path: Path) -> None:
    """The command asks for one, which is kept when the model is pushed again."""
    with hub_of_source(tmp_path, "language: en") as (hub, address):
        first = push(tmp_path, address, model, REPOSITORY)
        card = committed(hub)["README.md"].read_text()
        edited = tmp_path / "README.md"
        edited.write_text(card.replace("---\n", "---\nlicense: mit\n", 1))
        hub.repositories[REPOSITORY].commit({"README.md": edited})
        (model / "manifest.json").write_text((model / "manifest.json").read_text() + "\n")
        second = push(tmp_path, address, model, REPOSITORY)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "license" not in front_matter(card)
    assert "names no licence" in first.stderr
    assert "names no licence" not in second.stderr
    assert front_matter(committed(hub)["README.md"].read_text())["license"] == "mit"


def test_a_second_push_sends_what_has_changed(model: Path, tmp_path: Path) -> None:
    """Large files that the hub has are not sent again."""
    with hub_of_source(tmp_path, "license: mit") as (hub, address):
        assert push(tmp_path, address, model, REPOSITORY).returncode == 0
        hub.requests.clear()
        manifest = model / "manifest.json"
        manifest.write_text(manifest.read_text() + "\n")
        assert push(tmp_path, address, model, f"hf://{REPOSITORY}").returncode == 0
    assert not [request for request in hub.requests if request.startswith("PUT")]
    assert committed(hub)["manifest.json"].read_bytes() == manifest.read_bytes()


def test_private(model: Path, tmp_path: Path) -> None:
    """A new repository is private, and one that is public already is refused and unchanged."""
    with hub_of_source(tmp_path, "license: mit") as (hub, address):
        hub.repositories["someone/public"] = Repository.of(tmp_path / "source")
        new = push(tmp_path, address, model, REPOSITORY, "--private")
        public = push(tmp_path, address, model, "someone/public", "--private")
    assert new.returncode == 0
    assert hub.repositories[REPOSITORY].private
    assert_one_line(public, "someone/public exists and is public")
    assert set(committed(hub, "someone/public")) == {"README.md"}


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The command failed, and its last line on stderr has these words in it."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr.splitlines()[-1]


def test_what_the_hub_refuses(model: Path, tmp_path: Path) -> None:
    """Without a token, with a wrong one, and where it may not write, the remedy is named."""
    with hub_of_source(tmp_path, "license: mit") as (hub, address):
        without = push(tmp_path, address, model, REPOSITORY, token="")
        wrong = push(tmp_path, address, model, REPOSITORY, token="hf_wrong")
        foreign = push(tmp_path, address, model, "other/emoji")
    assert_one_line(without, REPOSITORY, "without a token", "HF_TOKEN")
    assert_one_line(wrong, REPOSITORY, "does not accept the token", "HF_TOKEN")
    assert_one_line(foreign, "other/emoji", "no right to write", "write access")
    assert set(hub.repositories) == {SOURCE}


def test_without_network(model: Path, tmp_path: Path) -> None:
    """The hub is named."""
    done = push(tmp_path, UNREACHABLE, model, REPOSITORY)
    assert_one_line(done, REPOSITORY, "hub can't be reached (ConnectionError)")


def test_what_is_no_accepted_model_directory(model: Path, tmp_path: Path) -> None:
    """A refused candidate and a changed file are named, and nothing is created on the hub."""
    rejected = tmp_path / "emoji.rejected"
    shutil.copytree(model, rejected)
    changed = tmp_path / "changed"
    shutil.copytree(model, changed)
    flip_byte(changed / "decoder_model.onnx")
    with hub_of_source(tmp_path, "license: mit") as (hub, address):
        refusals = [
            push(tmp_path, address, each, REPOSITORY)
            for each in (rejected, changed, tmp_path / "source")
        ]
    assert_one_line(refusals[0], "emoji.rejected was refused by the gate")
    assert_one_line(refusals[1], "decoder_model.onnx is not the file")
    assert_one_line(refusals[2], "manifest.json can't be read")
    assert set(hub.repositories) == {SOURCE}


def test_a_name_that_is_none(model: Path, tmp_path: Path) -> None:
    """A repository is an owner and a name."""
    done = push(tmp_path, UNREACHABLE, model, "emoji")
    assert done.returncode == 2
    assert "emoji is not of the form OWNER/NAME" in done.stderr
    assert len(done.stderr.splitlines()) == 1
