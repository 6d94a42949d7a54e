"""A real browser: Debian's Chromium, driven by Playwright. Skipped where it is absent."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.server.http.page.caption_page import CaptionPage
from tests.server.http.page.pictures import png
from tests.server.http.page.watching import complaints_of
from tests.server.serving import ServerProcess, server_process

#: Root has no sandbox, nor have most containers. The other flags keep the browser from asking its
#: maker's hosts, and give it a camera that shows a test pattern.
FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
TIMEOUT_MS = 20_000


@pytest.fixture(scope="session")
def chromium() -> str:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium; .ci/run installs it")
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    # Playwright keeps an event loop in this thread, so it ends with its module: others run theirs.
    expect.set_options(timeout=TIMEOUT_MS)
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=FLAGS) as browser,
    ):
        yield browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as context:
        context.set_default_timeout(TIMEOUT_MS)
        yield context


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A server with a cache, shared by the tests of a module: each sends pictures of its own."""
    with server_process() as served:
        yield served


@pytest.fixture
def expected_statuses() -> set[int]:
    """Statuses of 4xx and 5xx that a test provokes. Each other one fails it."""
    return set()


@pytest.fixture
def page(context: BrowserContext, expected_statuses: set[int]) -> Iterator[CaptionPage]:
    """A page that had no error in the console, and no violation of its policy, when it closes."""
    tab = context.new_page()
    complaints = complaints_of(tab, expected_statuses)
    yield CaptionPage(tab)
    assert complaints == []


@pytest.fixture
def picture(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A picture that no other test sends."""
    path = tmp_path / "dog.png"
    path.write_bytes(png(request.node.name))
    return path
