import subprocess
from pathlib import Path

import pytest

from benchmarks.checkouts import Checkout
from benchmarks.errors import Unavailable

pytestmark = pytest.mark.process

EXPORT = "import pathlib, sys\npathlib.Path(sys.argv[2], sys.argv[3]).mkdir(parents=True)\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout whose export makes a directory with its first flag in it."""
    for package, code in (("server", ""), ("export", EXPORT)):
        (tmp_path / "checkout" / package).mkdir(parents=True)
        (tmp_path / "checkout" / package / "__main__.py").write_text(code)
    return Checkout.open(tmp_path / "checkout")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "config.json").write_text("{}")
    return tmp_path / "checkpoint"


def test_a_checkout_exports_with_its_own_code(
    checkout: Checkout, checkpoint: Path, tmp_path: Path
) -> None:
    """The export runs in the checkout's directory, once for the same code and checkpoint."""
    home = tmp_path / "home"
    directory = checkout.export(checkpoint, home, "fp32")
    assert [each.name for each in directory.iterdir()] == ["--precision=fp32"]
    (directory / "kept").touch()
    assert checkout.export(checkpoint, home, "fp32") == directory
    assert (directory / "kept").exists()


def test_other_code_or_weights_are_exported_anew(
    checkout: Checkout, checkpoint: Path, tmp_path: Path
) -> None:
    """A change of the export code, the checkpoint or the precision gives another directory."""
    home = tmp_path / "home"
    found = [checkout.export(checkpoint, home, "fp32"), checkout.export(checkpoint, home, "int8")]
    (checkout.path / "export" / "graphs.py").write_text("x = 1")
    found.append(checkout.export(checkpoint, home, "fp32"))
    (checkpoint / "config.json").write_text("{...}")
    found.append(checkout.export(checkpoint, home, "fp32"))
    assert len(set(found)) == 4


def test_a_failing_export_names_the_model(
    checkout: Checkout, checkpoint: Path, tmp_path: Path
) -> None:
    """An export that fails is an error with the model and the precision."""
    (checkout.path / "export" / "__main__.py").write_text("raise SystemExit(1)")
    with pytest.raises(Unavailable, match="does not export home as int8"):
        checkout.export(checkpoint, tmp_path / "home", "int8")


def test_a_commit_says_whether_files_changed(checkout: Checkout) -> None:
    """The commit is abbreviated, marked for changed files, and unknown without git."""
    assert checkout.commit() == "unknown"
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "First"]):
        subprocess.run(["git", *command], cwd=checkout.path, check=True)
    clean = checkout.commit()
    assert len(clean) >= 7
    (checkout.path / "server" / "__main__.py").write_text("changed")
    assert checkout.commit() == f"{clean}-dirty"
