"""scripts/check works with what its own extra installs."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import (
    PackageNotFoundError,
    entry_points,
    packages_distributions,
    requires,
)

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.markers import ROOT

pytestmark = pytest.mark.process

#: Collects tests without the modules named by the first argument.
PROGRAM = """
import sys
import pytest

sys.modules.update(dict.fromkeys(sys.argv[1].split()))
sys.exit(pytest.main(["-q", "--collect-only", *sys.argv[2:]]))
"""


def installed_by(requirements: Iterable[str]) -> set[str]:
    """Return the canonical names of the distributions that these requirements install."""
    names: set[str] = set()
    waiting = [(text, "") for text in requirements]
    seen = set(waiting)
    while waiting:
        text, extra = waiting.pop()
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        names.add(canonicalize_name(requirement.name))
        try:
            lines = requires(requirement.name) or []
        except PackageNotFoundError:
            continue
        new = {(line, each) for line in lines for each in ("", *requirement.extras)} - seen
        seen |= new
        waiting += new
    return names


def test_collects_without_other_packages() -> None:
    """The tests of scripts/check import no package that the extra `check` does not install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed = installed_by(project["dependencies"] + project["optional-dependencies"]["check"])
    # pytest looks at its plugins' modules itself, at those too that are turned off.
    plugins = {each.module.partition(".")[0] for each in entry_points(group="pytest11")}
    absent = [
        module
        for module, distributions in packages_distributions().items()
        if not installed & set(map(canonicalize_name, distributions)) and module not in plugins
    ]
    assert {"torch", "transformers", "optimum"} <= set(absent)
    expression = re.search(r'-m "([^"]+)"', (ROOT / "scripts" / "check").read_text())
    assert expression

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, " ".join(absent), "-m", expression[1]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
