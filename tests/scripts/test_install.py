"""scripts/install: which versions it asks pip for, in which environment, and what it repeats."""

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.markers import ROOT

pytestmark = pytest.mark.process

DEADLINE = 30.0  # seconds
EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]

#: Stands for the environment's Python: records its arguments, and is pip without an effect.
PYTHON = """#!/bin/sh
echo "$*" >>"$(dirname "$0")/../calls"
[ ! -e "$(dirname "$0")/../gate" ] || { echo started; read -r _ <"$(dirname "$0")/../gate"; } >&2
exit "${PIP_EXIT:-0}"
"""


class Checkout:
    """A copy of what scripts/install reads, and an environment with a pip that only records."""

    def __init__(self, root: Path, environment: str = ".venv") -> None:
        self.root, self.venv = root, root / environment
        (root / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "install", root / "scripts")
        for path in (ROOT / "pyproject.toml", *ROOT.glob("constraints*.txt")):
            shutil.copy(path, root)
        (self.venv / "bin").mkdir(parents=True)
        for program in ("python", "pip"):
            (self.venv / "bin" / program).write_text(PYTHON)
            (self.venv / "bin" / program).chmod(0o755)

    def start(self, *extra: str, **variables: str) -> subprocess.Popen[str]:
        kept = {key: text for key, text in os.environ.items() if key not in ("VENV", "TORCH_INDEX")}
        return subprocess.Popen(
            [self.root / "scripts" / "install", *extra],
            env=kept | variables,
            stderr=subprocess.PIPE,
            text=True,
        )

    def install(self, *extra: str, **variables: str) -> int:
        with self.start(*extra, **variables) as process:
            process.communicate(timeout=DEADLINE)
        return process.returncode

    def calls(self) -> list[list[str]]:
        """Return the arguments of each call of pip."""
        calls = self.venv / "calls"
        return [line.split() for line in calls.read_text().splitlines()] if calls.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


def needs_torch(extra: str) -> bool:
    requirements = [Requirement(line) for line in EXTRAS[extra]]
    inner = [name for each in requirements if each.name == "caption-server" for name in each.extras]
    return "torch" in {each.name for each in requirements} or any(map(needs_torch, inner))


def locks(call: list[str]) -> set[str]:
    """Return the files of versions that a call of pip is bound to."""
    return {each.removeprefix("--constraint=") for each in call if each.startswith("--constraint=")}


def test_lean_server_is_bound_to_its_own_versions(checkout: Checkout) -> None:
    """Without an extra pip installs the server, bound to constraints.txt alone."""
    assert checkout.install() == 0

    (call,) = checkout.calls()
    assert call[-1] == "."
    assert locks(call) == {"constraints.txt"}


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_extras_with_torch_are_bound_to_all_versions(checkout: Checkout, extra: str) -> None:
    """An extra that needs torch is bound to the export's versions and to torch's; no other is."""
    assert checkout.install(extra) == 0

    (call,) = checkout.calls()
    assert call[-1] == f".[{extra}]"
    torch = {"constraints-export.txt", "constraints-torch.txt"} if needs_torch(extra) else set()
    assert locks(call) == {"constraints.txt", *torch}


def test_torch_comes_first_and_alone_from_its_index(checkout: Checkout) -> None:
    """With TORCH_INDEX only torch is taken from that index, before pip's own has the rest."""
    assert checkout.install("export", TORCH_INDEX="http://127.0.0.1:9/cpu") == 0

    torch, rest = checkout.calls()
    assert torch[torch.index("--index-url") + 1] == "http://127.0.0.1:9/cpu"
    assert "--no-deps" in torch
    assert torch[-3:] == ["--constraint", "constraints-torch.txt", "torch"]
    assert "--index-url" not in rest


def test_lean_server_ignores_torch_index(checkout: Checkout) -> None:
    """TORCH_INDEX does not bring torch into the lean server."""
    assert checkout.install(TORCH_INDEX="http://127.0.0.1:9/cpu") == 0

    (call,) = checkout.calls()
    assert "torch" not in call


def test_environment_is_chosen_by_variable(tmp_path: Path) -> None:
    """VENV names the environment to install into."""
    checkout = Checkout(tmp_path / "checkout", ".venv-export")

    assert checkout.install("export", VENV=".venv-export") == 0

    assert len(checkout.calls()) == 1
    assert not (checkout.root / ".venv").exists()


def test_nothing_is_installed_twice(checkout: Checkout) -> None:
    """pip runs again only when the versions or the project's dependencies have changed."""
    for _ in range(2):
        assert checkout.install("export") == 0
    assert len(checkout.calls()) == 1

    with (checkout.root / "constraints-torch.txt").open("a") as file:
        file.write("# changed\n")
    assert checkout.install("export") == 0
    assert len(checkout.calls()) == 2


def test_failed_installation_is_repeated(checkout: Checkout) -> None:
    """An installation that failed does not count as one."""
    assert checkout.install(PIP_EXIT="3") == 3
    assert checkout.install() == 0
    assert len(checkout.calls()) == 2


def test_package_that_broke_off_is_installed_again(checkout: Checkout) -> None:
    """A package whose installation was interrupted is forgotten, so that pip installs it again."""
    packages = checkout.venv / "lib" / "python3.11" / "site-packages"
    whole, partial = packages / "whole-1.dist-info", packages / "partial-1.dist-info"
    for directory in (whole, partial):
        directory.mkdir(parents=True)
        (directory / "METADATA").touch()
    (whole / "INSTALLER").touch()

    assert checkout.install() == 0

    assert whole.exists()
    assert not partial.exists()


@pytest.fixture
def busy(checkout: Checkout) -> Iterator[subprocess.Popen[str]]:
    """Start an installation whose pip waits until a line is written to the file `gate`."""
    os.mkfifo(checkout.venv / "gate")
    with checkout.start() as process:
        assert process.stderr
        while process.stderr.readline() not in ("started\n", ""):
            pass
        yield process
        process.kill()


@pytest.mark.skipif(not shutil.which("flock"), reason="this system has no flock")
def test_second_installation_waits(checkout: Checkout, busy: subprocess.Popen[str]) -> None:
    """Of two installations at once the second says that it waits, and then installs nothing."""
    with checkout.start() as second:
        assert second.stderr
        assert second.stderr.readline() == "waiting for another installation into .venv\n"
        (checkout.venv / "gate").write_text("go\n")
        assert busy.wait(DEADLINE) == 0
        assert second.wait(DEADLINE) == 0

    assert len(checkout.calls()) == 1
