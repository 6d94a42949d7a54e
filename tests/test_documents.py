"""The documents for contributors name files and options that exist."""

import re
from dataclasses import fields

import pytest

from server.settings import Settings
from tests.markers import ROOT

#: A path of at least one folder and a name.
PATH = re.compile(r"(?<![\w/.:])(?:\.?\w+/)+[\w.-]*\w")


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "examples/README.md"])
def test_named_files_exist(document: str) -> None:
    """Each path in a document is one of the repository, but for NAME and what is installed."""
    paths = set(PATH.findall((ROOT / document).read_text()))
    committed = {path for path in paths if "NAME" not in path and not path.startswith(".venv/")}
    assert committed
    assert [path for path in sorted(committed) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "SECURITY.md"])
def test_named_options_exist(document: str) -> None:
    """Each flag in backticks is an option of the server, or --help, or the export's --precision."""
    named = set(re.findall(r"`(--[a-z-]+)`", (ROOT / document).read_text()))
    server = {"--" + field.name.replace("_", "-") for field in fields(Settings)}
    assert named
    assert named <= {*server, "--help", "--precision"}
