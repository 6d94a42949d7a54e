"""Which modules of the export touch torch, transformers and Optimum."""

import ast
import re
from pathlib import Path

from tests.export.command import ROOT

LIBRARIES = {"optimum", "torch", "transformers"}


def libraries_of(module: Path) -> set[str]:
    """Return the libraries that a module imports itself."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names} & LIBRARIES


def test_documented_modules_alone_touch_the_libraries() -> None:
    """docs/export.md lists each module that imports one of them, with what it imports."""
    modules = {path: libraries_of(path) for path in (ROOT / "export").rglob("*.py")}
    found = {path.relative_to(ROOT).as_posix(): names for path, names in modules.items() if names}
    rows = re.findall(
        r"^\| `(export/\S+)` \| (.+) \|$", (ROOT / "docs/export.md").read_text(), re.M
    )
    assert {module: set(names.split(", ")) for module, names in rows} == found
