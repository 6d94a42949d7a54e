import os
from collections.abc import Generator
from pathlib import Path

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


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import what `-m` excludes: torch may not be installed. Check what is imported."""
    if excluded_by(config.getoption("markexpr")) & markers_of(collection_path):
        return True
    if reason := complaint(collection_path):
        raise pytest.Collector.CollectError(reason)
    return None


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
