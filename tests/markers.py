"""Markers of the tests, and the checks that no test module lacks one.

A module names its markers in `pytestmark`. The tables add those of whole folders and of fixtures.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tests.scale import FULL

TESTS = Path(__file__).parent
ROOT = TESTS.parent

#: Markers of every test below a folder of `tests/`.
FOLDERS = {
    "endurance": ("endurance", "process"),
    "export": ("parity",),
    "server/captioning/parity": ("parity",),
    # It imports Playwright, which only the `test` extra installs.
    "server/http/page": ("process",),
}
#: Markers of every test that uses a fixture.
FIXTURES = {"tiny_subject": "parity", "valkey": "process"}

#: Greatest seconds of a test with this marker. Tests without one have `timeout` of pyproject.toml.
TIMEOUTS = {"process": 120, "parity": 300, "hub": 300, "endurance": 3600 if FULL else 300}

#: Modules that only the `test` extra installs, and `export`, which imports them.
ORACLES = frozenset({"export", "optimum", "torch", "transformers"})


def markers_of(path: Path) -> set[str]:
    """Return the markers that every test in a folder or a module has."""
    place = path.relative_to(TESTS).as_posix() if path.is_relative_to(TESTS) else ""
    found = {
        marker
        for folder, markers in FOLDERS.items()
        if f"{place}/".startswith(f"{folder}/")
        for marker in markers
    }
    return found | _pytestmark(path) if path.suffix == ".py" else found


def excluded_by(expression: str) -> set[str]:
    """Return the markers that no selected test has, for `-m "not A and not B"`."""
    terms = expression.split(" and ")
    if any(" or " in term or "(" in term for term in terms):
        return set()
    return {term.strip().removeprefix("not ") for term in terms if term.startswith("not ")}


def complaint(path: Path) -> str | None:
    """Return why a test module or a folder must not be collected, or None."""
    place = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    if "parity" in markers_of(path):
        if find_spec("torch") is None:
            return f"{place} needs torch: run scripts/install test, or pass -m 'not parity'"
        return None
    if path.match("test_*.py") and (oracle := _oracle_of(path)):
        return f"{place} imports {oracle} without a marker: add pytestmark = pytest.mark.parity"
    conftest = path / "conftest.py"
    if conftest.is_file() and (oracle := _oracle_of(conftest)):
        return f"{place}/conftest.py imports {oracle}: import it in the fixture that needs it"
    return None


@cache
def _oracle_of(path: Path) -> str | None:
    """Return the oracle that importing a module imports, itself or through other modules.

    A test module also counts what its functions import.
    """
    modules, seen = [path], {path}
    while modules:
        module = modules.pop()
        for name in _imports(module):
            if name.partition(".")[0] in ORACLES:
                through = "" if module == path else f" through {module.relative_to(ROOT)}"
                return name.partition(".")[0] + through
            if (file := _file_of(name)) and file not in seen:
                seen.add(file)
                modules.append(file)
    return None


def _imports(module: Path) -> Iterator[str]:
    tree = ast.parse(module.read_text())
    for node in ast.walk(tree) if module.match("test_*.py") else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file_of(name: str) -> Path | None:
    """Return the file of one of this repository's modules."""
    file = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    return file if file.is_file() else None


def _pytestmark(module: Path) -> set[str]:
    """Read the names in a module's `pytestmark` without importing the module."""
    return {
        node.attr
        for statement in ast.parse(module.read_text()).body
        if isinstance(statement, ast.Assign) and _is_pytestmark(statement.targets)
        for node in ast.walk(statement.value)
        if isinstance(node, ast.Attribute) and node.attr in TIMEOUTS
    }


def _is_pytestmark(targets: Iterable[ast.expr]) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in targets)
