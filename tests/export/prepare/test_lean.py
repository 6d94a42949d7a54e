"""A preparation runs where only the lean server is installed."""

import subprocess
import sys
import tomllib

import pytest

from tests.markers import ROOT
from tests.test_check import installed_by

pytestmark = pytest.mark.process

#: Imports all modules of the package, and prints the distributions that they come from.
PROGRAM = """
import importlib, pkgutil, sys
from importlib.metadata import packages_distributions

import export.prepare
before = set(sys.modules)
for module in pkgutil.iter_modules(export.prepare.__path__, "export.prepare."):
    importlib.import_module(module.name)
distributions = packages_distributions()
packages = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*{each for name in packages for each in distributions.get(name, ())})
"""


def test_only_base_dependencies_are_imported() -> None:
    """No module of the package imports torch, transformers or rich, nor anything else beyond."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    imported = {name.replace("_", "-").lower() for name in done.stdout.split()}
    assert "huggingface-hub" in imported
    assert imported <= installed_by(project["dependencies"])
