import os
from pathlib import Path

import pytest

from tests.endurance.figures import Report
from tests.scale import FULL
from tests.server.conftest import anyio_backend as anyio_backend
from tests.server.conftest import valkey as valkey

_REPORT = Report()


@pytest.fixture(scope="session")
def report() -> Report:
    """Shown at the end of a full run; kept in the directory that ENDURANCE_REPORT names."""
    return _REPORT


def pytest_terminal_summary() -> None:
    if FULL:
        print("\n", *(table.to_markdown() for table in _REPORT.tables()), sep="\n")


def pytest_sessionfinish() -> None:
    if directory := os.environ.get("ENDURANCE_REPORT"):
        _REPORT.write(Path(directory))
