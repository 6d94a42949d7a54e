"""A preparation runs where only the lean server is installed."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.utils import canonicalize_name

from tests.markers import ROOT
from tests.test_check import installed_by

pytestmark = pytest.mark.process

#: Imports all modules of the package without the modules that the first argument names.
PROGRAM = """
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys(sys.argv[1].split()))
import export.prepare
for module in pkgutil.iter_modules(export.prepare.__path__, "export.prepare."):
    importlib.import_module(module.name)
"""


def test_only_base_dependencies_are_imported() -> None:
    """The package imports neither torch, transformers or rich, nor anything else of the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed = installed_by(project["dependencies"])
    absent = [
        module
        for module, distributions in packages_distributions().items()
        if not installed & set(map(canonicalize_name, distributions))
    ]
    assert {"torch", "transformers", "rich"} <= set(absent)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, " ".join(absent)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
