"""No test module lacks a marker that it needs."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import markers
from tests.markers import TESTS, complaint, excluded_by, markers_of

MARKED = "import pytest\n\npytestmark = [pytest.mark.anyio, pytest.mark.parity]\n"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    return tmp_path / "test_module.py"


@pytest.fixture
def with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markers, "find_spec", lambda name: find_spec("pytest"))


@pytest.mark.parametrize(
    ("text", "imported"),
    [
        ("import torch.nn\n", "torch"),
        ("def test() -> None:\n    from export.__main__ import main\n", "export"),
        (
            "from tests.export.checkpoints import TINY\n",
            "torch through tests/export/checkpoints.py",
        ),
    ],
)
@pytest.mark.usefixtures("with_torch")
def test_an_oracle_without_a_marker(module: Path, text: str, imported: str) -> None:
    """A module that imports torch, itself or through another module, has to be marked."""
    module.write_text(text)
    reason = complaint(module)
    assert reason
    assert f"imports {imported} without a marker: add pytestmark" in reason

    marked = module.with_name("test_marked.py")
    marked.write_text(text + MARKED)
    assert complaint(marked) is None


def test_an_oracle_in_a_conftest(tmp_path: Path) -> None:
    """A conftest without a marked folder imports torch in its fixtures only."""
    (tmp_path / "conftest.py").write_text("def fixture() -> None:\n    import torch\n")
    assert complaint(tmp_path) is None

    imports = tmp_path / "imports"
    imports.mkdir()
    (imports / "conftest.py").write_text("import torch\n")
    assert "imports torch: import it in the fixture" in str(complaint(imports))


def test_torch_is_not_installed(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch a parity module is not imported; the error says how to get it."""
    monkeypatch.setattr(markers, "find_spec", lambda name: None)
    module.write_text(MARKED)
    assert "run scripts/install test" in str(complaint(module))


def test_markers_of_folders_and_modules(module: Path) -> None:
    """A test has the markers of its folder and of its module."""
    assert markers_of(TESTS / "endurance") == {"endurance", "process"}
    assert markers_of(TESTS / "endurance" / "test_memory.py") == {"endurance", "process"}
    assert markers_of(TESTS / "server") == set()
    module.write_text(MARKED)
    assert markers_of(module) == {"parity"}


@pytest.mark.parametrize(
    ("expression", "excluded"),
    [
        ("not parity and not process", {"parity", "process"}),
        ("hub and not parity", {"parity"}),
        ("not parity or hub", set()),
        ("not (parity and hub)", set()),
        ("", set()),
    ],
)
def test_what_an_expression_excludes(expression: str, excluded: set[str]) -> None:
    """Only a marker that no selected test can have is excluded."""
    assert excluded_by(expression) == excluded


def test_a_process_without_a_marker() -> None:
    """A test without the marker `process` fails where it starts a process."""
    with pytest.raises(AssertionError, match=r"starts a process .* add pytestmark"):
        subprocess.run([sys.executable, "-c", ""], check=True)
