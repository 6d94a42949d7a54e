import os
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

from tests.markers import FIXTURES, TIMEOUTS, complaint, excluded_by, markers_of
from tests.process_guard import ProcessGuard

# The tests' models are too small to share among threads, which would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A failure can be repeated, and a busy machine makes none.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of material beside the checkout, which a clean clone does not have."""
    if not SHARED.is_dir():
        pytest.skip("no shared material beside this checkout")
    return SHARED


_process_guard = ProcessGuard()


def pytest_configure() -> None:
    _process_guard.watch()


def pytest_report_header() -> str | None:
    if find_spec("torch"):
        return None
    return "torch is not installed: pass -m 'not parity', or run scripts/install test"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import what `-m` excludes: torch may not be installed."""
    return bool(excluded_by(config.getoption("markexpr")) & markers_of(collection_path)) or None


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Refuse to import a module that lacks its marker, or one that needs torch where it is not."""
    if not isinstance(collector, (pytest.Module, pytest.Directory)):
        return
    if reason := complaint(collector.path):

        def refuse() -> NoReturn:
            raise pytest.Collector.CollectError(reason)

        collector.collect = refuse  # type: ignore[method-assign]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Add the markers of the test's folder and fixtures, and its timeout."""
    fixtures = getattr(item, "fixturenames", ())
    for marker in markers_of(item.path) | {FIXTURES[each] for each in fixtures if each in FIXTURES}:
        if item.get_closest_marker(marker) is None:
            item.add_marker(marker)
    if item.get_closest_marker("timeout") is None:
        seconds = [TIMEOUTS[each.name] for each in item.iter_markers() if each.name in TIMEOUTS]
        if seconds:
            item.add_marker(pytest.mark.timeout(max(seconds)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _process_guard.item = item
    try:
        return (yield)
    finally:
        _process_guard.item = None
