"""The page at http:// of another machine, where browsers withhold hashing, clipboard and camera."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.server.http.page.caption_page import CaptionPage
from tests.server.http.page.conftest import FLAGS
from tests.server.http.page.watching import complaints_of
from tests.server.serving import ServerProcess, server_process

pytestmark = pytest.mark.process

#: An address for documentation (RFC 5737). It exists in the network namespace alone.
ADDRESS = "192.0.2.1"

#: Runs a command in a network namespace of its own, in which the address is this machine's.
ISOLATED = (
    *("unshare", "--net", "sh", "-c"),
    f'ip link set lo up && ip address add {ADDRESS}/32 dev lo && exec "$@"',
    "sh",
)


@pytest.fixture(scope="module")
def isolated() -> Iterator[ServerProcess]:
    """A server in a network namespace. Skipped where this user may not make one."""
    allowed = (
        all(map(shutil.which, ("unshare", "nsenter", "ip")))
        and not subprocess.run([*ISOLATED, "true"], capture_output=True, timeout=30).returncode
    )
    if not allowed:
        pytest.skip("no right to make a network namespace, or no iproute2")
    with server_process("--host", ADDRESS, within=ISOLATED) as served:
        yield served


def test_another_machine(
    chromium: str, isolated: ServerProcess, picture: Path, tmp_path: Path
) -> None:
    """Pictures are uploaded at once, copied by a selection, and taken by the phone's own camera."""
    inside = tmp_path / "chromium"
    command = f"nsenter --net --target {isolated.process.pid}"
    inside.write_text(f'#!/bin/sh\nexec {command} {chromium} "$@"\n')
    inside.chmod(0o755)
    size = f"{len(picture.read_bytes())} bytes"
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=inside, args=FLAGS) as browser,
    ):
        tab = browser.new_page()
        complaints = complaints_of(tab)
        page = CaptionPage(tab).open(f"http://{ADDRESS}:{isolated.port}")
        assert tab.evaluate("[isSecureContext, typeof crypto.subtle]") == [False, "undefined"]
        expect(tab.locator("#open-camera")).to_be_hidden()
        expect(tab.locator("#capture")).to_have_attribute("capture", "environment")
        page.page.get_by_label("Take a picture").set_input_files(picture)

        card = page.expect_caption("dog.png", size)
        assert (len(page.look_ups), len(page.uploads)) == (0, 1)
        card.get_by_role("button", name="Copy text").click()
        expect(tab.locator("#live")).to_contain_text(f"Copied: {size}")
        expect(tab.locator(".selection")).to_have_count(0)
        assert complaints == []
