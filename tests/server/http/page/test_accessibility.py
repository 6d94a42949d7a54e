"""The page by keyboard, on a phone, and under axe-core's rules."""

from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ViewportSize, expect

from tests.server.http.page.caption_page import CaptionPage
from tests.server.http.page.watching import complaints_of
from tests.server.serving import ServerProcess

pytestmark = pytest.mark.process

PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1200, "height": 900}


def serious(page: CaptionPage) -> list[str]:
    """Return what axe-core finds, without its minor findings."""
    found = Axe().run(page.page).response["violations"]
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found
        if each["impact"] in ("serious", "critical", "moderate")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe(
    scheme: Literal["light", "dark"],
    size: ViewportSize,
    browser: Browser,
    server: ServerProcess,
    picture: Path,
) -> None:
    """axe-core finds nothing wrong: empty, with a caption and an error, nor in the dialogs."""
    broken = picture.with_name("broken.png")
    broken.write_bytes(b"cut")
    with browser.new_context(color_scheme=scheme, viewport=size) as context:
        tab = context.new_page()
        complaints = complaints_of(tab, {422})
        page = CaptionPage(tab).open(server.url)
        assert serious(page) == []

        page.choose(picture, broken)
        page.expect_caption("dog.png", f"{len(picture.read_bytes())} bytes")
        expect(page.card("broken.png").locator(".problem")).to_be_visible()
        tab.get_by_text("Prompt and options").click()
        expect(tab.locator("#prompt")).to_be_visible()
        assert serious(page) == []

        for dialog in ("key-dialog", "camera-dialog"):
            tab.evaluate("(id) => document.getElementById(id).showModal()", dialog)
            assert serious(page) == []
            tab.evaluate("(id) => document.getElementById(id).close()", dialog)
        assert complaints == []


@pytest.mark.parametrize("width", [320, 360, 768])
def test_width(width: int, browser: Browser, server: ServerProcess, picture: Path) -> None:
    """Nothing is wider than the screen, down to 320 pixels."""
    long = picture.with_name(f"{'long' * 40}.png")
    long.write_bytes(picture.read_bytes())
    with browser.new_context(viewport={"width": width, "height": 700}) as context:
        page = CaptionPage(context.new_page()).open(server.url)
        page.choose(picture, long)
        page.expect_caption("dog.png", f"{len(picture.read_bytes())} bytes")
        page.page.get_by_text("Prompt and options").click()

        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.page.evaluate(overflow) == 0


def test_keyboard(page: CaptionPage, server: ServerProcess, picture: Path) -> None:
    """The keyboard reaches the picker first, then the camera, then the options."""
    page.open(server.url)
    keyboard = page.page.keyboard
    focused = "document.activeElement.id || document.activeElement.tagName"
    reached = []
    for _ in range(3):
        keyboard.press("Tab")
        reached.append(page.page.evaluate(focused))
    assert reached == ["files", "open-camera", "SUMMARY"]

    keyboard.press("Enter")
    keyboard.press("Tab")
    keyboard.type("a photo of")
    page.choose(picture)
    page.expect_caption("dog.png", f"a photo of {len(picture.read_bytes())} bytes")
    keyboard.press("Enter")
    card = page.card("dog.png")
    expect(card.locator(".badge").first).to_have_text("Cached")
    card.get_by_role("button", name="Remove").focus()
    keyboard.press("Enter")
    expect(page.page.locator(".card")).to_have_count(0)


def test_screen_reader(page: CaptionPage, server: ServerProcess, picture: Path) -> None:
    """A live region tells what happens, and the regions of the page have names."""
    page.open(server.url).choose(picture)
    size = f"{len(picture.read_bytes())} bytes"
    live = page.page.locator("#live")
    expect(live).to_have_attribute("aria-live", "polite")
    expect(live).to_contain_text("1 picture added.")
    expect(live).to_contain_text(f"dog.png: {size}")
    page.page.get_by_role("button", name="Remove: dog.png").click()
    expect(live).to_contain_text("dog.png removed.")
    page.choose(picture.rename(picture.with_name("cat.png")))
    for name in ("Add pictures", "Pictures 1", "Earlier captions"):
        expect(page.page.get_by_role("region", name=name, exact=True)).to_be_visible()
