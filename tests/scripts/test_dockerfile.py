"""The Dockerfile: its arguments, the files it copies, and what its stages depend on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from server.command_line import options
from server.settings import Settings
from tests.markers import ROOT

PAGE = (ROOT / "docs" / "container.md").read_text()


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: what it starts from, and its instructions as pairs of keyword and arguments."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def of(self, keyword: str) -> list[str]:
        return [text for each, text in self.instructions if each == keyword]


def instructions() -> Iterator[tuple[str, str]]:
    """Yield keyword and arguments of each instruction, comments and line breaks removed."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line:
            keyword, _, arguments = line.partition(" ")
            yield keyword, arguments


def parse() -> tuple[set[str], dict[str, Stage]]:
    """Return the arguments before the first stage, and the stages by name; the last is `image`."""
    stages: dict[str, Stage] = {}
    outer = Stage("")
    stage = outer
    for keyword, arguments in instructions():
        if keyword == "FROM":
            base, _, name = arguments.partition(" AS ")
            stage = stages[name or "image"] = Stage(base)
        else:
            stage.instructions.append((keyword, arguments))
    return {text.partition("=")[0] for text in outer.of("ARG")}, stages


OUTER, STAGES = parse()


def ancestors(name: str) -> list[Stage]:
    """Return a stage and those it starts from."""
    stage = STAGES[name]
    return [stage, *(ancestors(stage.base) if stage.base in STAGES else [])]


@pytest.mark.parametrize("name", STAGES)
def test_arguments_are_declared(name: str) -> None:
    """Each argument that a stage's commands use is declared in that stage or one before it."""
    declared = {text.partition("=")[0] for each in ancestors(name) for text in each.of("ARG")}
    used = {
        match for text in STAGES[name].of("RUN") for match in re.findall(r"\$\{?([A-Z_]+)", text)
    }

    assert used <= declared
    assert set(re.findall(r"\$\{?([A-Z_]+)", STAGES[name].base)) <= OUTER


@pytest.mark.parametrize("name", STAGES)
def test_copied_files_exist(name: str) -> None:
    """Each file that a stage copies from the checkout exists there."""
    for text in STAGES[name].of("COPY"):
        if not text.startswith("--from="):
            for source in text.split()[:-1]:
                assert list(ROOT.glob(source)), source


@pytest.mark.parametrize("name", STAGES)
def test_versions_are_copied_before_they_bind(name: str) -> None:
    """pip finds each file of versions that a stage's command names."""
    copied = " ".join(text for each in ancestors(name) for text in each.of("COPY"))
    copied = copied.replace("constraints*.txt", " ".join(path.name for path in ROOT.glob("*.txt")))

    for text in STAGES[name].of("RUN"):
        assert set(re.findall(r"--constraint (\S+)", text)) <= set(copied.split())


def test_torch_is_installed_apart() -> None:
    """The layers up to torch's depend on torch's version and index only."""
    (torch,) = ancestors("torch")

    assert torch.of("COPY") == ["constraints-torch.txt ./"]
    assert torch.of("ARG") == ['TORCH_INDEX=""']


def test_image_has_no_torch() -> None:
    """The image takes the lean environment and a model directory from the stages, nothing else."""
    (image,) = ancestors("image")
    taken = [text for text in image.of("COPY") if text.startswith("--from=")]

    assert taken == ["--from=lean /venv /venv", "--from=chosen /model models/default"]
    assert "torch" not in " ".join(text for each in ancestors("lean") for text in each.of("RUN"))


def test_checkpoint_chooses_the_stage_that_exports() -> None:
    """The model comes from the export if there is a CHECKPOINT, else from the checkout."""
    assert STAGES["chosen"].base == "model${CHECKPOINT:+-exported}"
    assert STAGES["model-exported"].base == "exporter"
    assert STAGES["model"].base == "${BASE}"


def test_variables_are_options() -> None:
    """Each CAPTION_ variable of the image and of its page is an option of the server."""
    (variables,) = STAGES["image"].of("ENV")
    named = set(re.findall(r"\bCAPTION_[A-Z_]+", variables + PAGE))

    assert named
    assert named <= {option.variable for option in options(Settings)}


def test_page_names_arguments_that_exist() -> None:
    """The page about the container lists the build arguments of the Dockerfile, and no others."""
    table = set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE))
    declared = {text.partition("=")[0] for stage in STAGES.values() for text in stage.of("ARG")}

    assert table == declared | OUTER
    assert set(re.findall(r"--build-arg ([A-Z_]+)", PAGE)) <= table
