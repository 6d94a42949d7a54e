"""The page in a real browser: what is around a caption. The key, the clipboard, the history."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from server.inference.rendering import Rendering
from tests.server.http.page.caption_page import CaptionPage
from tests.server.http.page.pictures import png
from tests.server.serving import ServerProcess, server_process

pytestmark = pytest.mark.process

CAPTIONS = [
    "a dog to the left of a tree",
    "a picture of a dog .",
    "This is an image of two cats",
    'there are 3 "dogs" & <cats> in [brackets]',
    "there is a man",
    "photograph of Rome.",
    "a picture of ",
    "",
    "éclairs on a plate...",
]


def test_a_key(
    page: CaptionPage, picture: Path, tmp_path: Path, expected_statuses: set[int]
) -> None:
    """The page asks for a key, again after a wrong one, and keeps a good one in its tab."""
    expected_statuses.add(401)
    other = tmp_path / "other.png"
    other.write_bytes(png("with a key"))
    with server_process("--api-key", "sesame") as locked:
        page.open(locked.url).choose(picture, other)
        dialog = page.page.get_by_role("dialog", name="API key")
        expect(dialog).to_be_visible()
        expect(dialog.get_by_label("Key")).to_be_focused()
        dialog.get_by_label("Key").fill("wrong")
        dialog.get_by_role("button", name="Use this key").click()

        expect(dialog.get_by_text("did not accept")).to_be_visible()
        dialog.get_by_label("Key").fill("sesame")
        dialog.get_by_label("Key").press("Enter")
        page.expect_caption("dog.png", f"{len(picture.read_bytes())} bytes")
        page.expect_caption("other.png", f"{len(other.read_bytes())} bytes")

        page.open(locked.url).choose(picture)
        page.expect_caption("dog.png", f"{len(picture.read_bytes())} bytes")
    assert page.page.evaluate("Object.values(localStorage).join().includes('sesame')") is False


def test_no_key(page: CaptionPage, picture: Path, expected_statuses: set[int]) -> None:
    """A person without a key can leave the dialog; the picture shows why it has no caption."""
    expected_statuses.add(401)
    with server_process("--api-key", "sesame") as locked:
        page.open(locked.url).choose(picture)
        expect(page.page.get_by_role("dialog", name="API key")).to_be_visible()
        page.page.keyboard.press("Escape")

        expect(page.card("dog.png").locator(".problem")).to_contain_text("An API key is needed")
    assert page.uploads == []


def test_copies(
    context: BrowserContext, page: CaptionPage, server: ServerProcess, picture: Path
) -> None:
    """A caption is copied as text, as an HTML attribute and as Markdown."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    size = f"{len(picture.read_bytes())} bytes"
    page.open(server.url).choose(picture)
    card = page.expect_caption("dog.png", size)
    for name, copied in (
        ("Copy text", size),
        ("Copy alt", f'alt="{size}."'),
        ("Copy Markdown", f"![{size}.](<dog.png>)"),
    ):
        card.get_by_role("button", name=name).click()
        expect(page.page.locator("#live")).to_contain_text(f"Copied: {copied}")
        assert page.page.evaluate("navigator.clipboard.readText()") == copied


def test_copies_without_a_clipboard(
    context: BrowserContext, page: CaptionPage, server: ServerProcess, picture: Path
) -> None:
    """Without navigator.clipboard a caption is copied by a selection."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.page.add_init_script(
        "navigator.clipboard.writeText = () => Promise.reject(new Error('no clipboard'))"
    )
    size = f"{len(picture.read_bytes())} bytes"
    page.open(server.url).choose(picture)
    card = page.expect_caption("dog.png", size)
    card.get_by_role("button", name="Copy text").click()

    expect(page.page.locator("#live")).to_contain_text(f"Copied: {size}")
    assert page.page.evaluate("navigator.clipboard.readText()") == size


def test_alternative_texts(page: CaptionPage, server: ServerProcess) -> None:
    """The page's alternative text is the server's own, for each kind of caption."""
    page.open(server.url)
    texts = page.page.evaluate(
        "async (captions) => { const { altText } = await import('/page/copy.js');"
        " return captions.map(altText); }",
        CAPTIONS,
    )

    assert texts == [Rendering(style="alt").apply(caption) for caption in CAPTIONS]


def test_an_attribute_is_escaped(page: CaptionPage, server: ServerProcess) -> None:
    """The copied attribute, parsed as HTML, has the alternative text."""
    page.open(server.url)
    caption = CAPTIONS[3]
    attribute = page.page.evaluate(
        "async (caption) => (await import('/page/copy.js')).altAttribute(caption)", caption
    )
    # Another document: this one makes no HTML of text.
    page.page.goto("about:blank")
    parsed = page.page.evaluate(
        "(html) => new DOMParser().parseFromString(html, 'text/html').querySelector('img').alt",
        f"<img {attribute}>",
    )

    assert parsed == Rendering(style="alt").apply(caption)


def test_history(page: CaptionPage, server: ServerProcess, picture: Path) -> None:
    """Captions stay in the browser with a small picture, until they are cleared."""
    size = f"{len(picture.read_bytes())} bytes"
    page.open(server.url).choose(picture)
    page.expect_caption("dog.png", size)
    # The caption shows a moment before it is remembered.
    page.page.wait_for_function("localStorage.getItem('caption-server:history') !== null")

    page.open(server.url)
    entry = page.page.locator(".entry")
    expect(entry).to_have_count(1)
    expect(entry.locator(".entry-caption")).to_have_text(size)
    assert entry.locator("img").evaluate("(image) => image.naturalWidth") == 96

    clear = page.page.locator("#clear-history")
    clear.click()
    expect(entry).to_have_count(0)
    clear.click()
    expect(entry).to_have_count(1)
    clear.click()
    page.open(server.url)
    expect(page.page.locator("#history")).to_be_hidden()


def test_history_is_bounded(page: CaptionPage, server: ServerProcess, picture: Path) -> None:
    """The history holds 60 captions, whatever the storage held before, and the newest is first."""
    entry = {"caption": "a cat", "thumbnail": "", "time": 0}
    stored = json.dumps([{**entry, "name": f"{number}.png"} for number in range(100)] + [1, None])
    page.open(server.url)
    page.page.evaluate("(text) => localStorage.setItem('caption-server:history', text)", stored)
    page.open(server.url).choose(picture)
    page.expect_caption("dog.png", f"{len(picture.read_bytes())} bytes")
    # The newest is on the page already.
    expect(page.page.locator(".entry")).to_have_count(59)

    page.open(server.url)
    expect(page.page.locator(".entry").first).to_contain_text("dog.png")
    expect(page.page.locator(".entry")).to_have_count(60)


@pytest.mark.parametrize(
    "script",
    [
        "delete window.localStorage; Object.defineProperty(window, 'localStorage',"
        " { get() { throw new DOMException('', 'SecurityError'); } });"
        " Object.defineProperty(window, 'sessionStorage',"
        " { get() { throw new DOMException('', 'SecurityError'); } })",
        "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); }",
        "localStorage.setItem('caption-server:history', 'no JSON');"
        " Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); }",
    ],
    ids=["off", "full", "of something else"],
)
def test_storage_that_fails(
    script: str, page: CaptionPage, server: ServerProcess, picture: Path
) -> None:
    """Where the browser stores nothing, captions work, and the history says that it won't stay."""
    page.page.add_init_script(script)
    page.open(server.url).choose(picture)

    page.expect_caption("dog.png", f"{len(picture.read_bytes())} bytes")
    page.page.get_by_role("button", name="Remove all").click()
    expect(page.page.locator(".entry")).to_have_count(1)
    expect(page.page.locator("#history-note")).to_contain_text("until this page closes")


def test_a_notice(page: CaptionPage, server: ServerProcess) -> None:
    """The page shows the notice of the model that is a demonstration, and its command as code."""
    page.open(server.url)
    expect(page.page.locator("#notice")).to_be_hidden()

    with server_process(module="server") as demonstration:
        page.open(demonstration.url)
        expect(page.page.locator("#notice")).to_contain_text("demonstration model")
        expect(page.page.locator("#notice code")).to_have_text(re.compile("^scripts/serve --model"))
