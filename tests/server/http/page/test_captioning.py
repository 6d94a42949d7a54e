"""The page in a real browser: pictures come in, captions and errors come out."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.committed_model import EXAMPLES, shown_in
from tests.server.http.page.caption_page import CaptionPage
from tests.server.http.page.pictures import png
from tests.server.serving import ServerProcess, server_process

pytestmark = pytest.mark.process


def caption_of(picture: bytes) -> str:
    """Return what the fake model says of a picture."""
    return f"{len(picture)} bytes"


def test_a_file(page: CaptionPage, server: ServerProcess, picture: Path) -> None:
    """A chosen file is captioned, with confidence, cache status and milliseconds by phase."""
    page.open(server.url).choose(picture)

    card = page.expect_caption("dog.png", caption_of(picture.read_bytes()))
    expect(card.locator(".facts")).to_contain_text("75 % confident")
    expect(card.locator(".badge")).to_have_text("New")
    expect(card.locator(".timing")).to_contain_text(re.compile(r"total\s*[\d.]+ m?s"))
    for phase in ("read", "cache", "preprocess", "encode", "decode", "store", "transfer"):
        expect(card.locator(f".phases [data-phase={phase}]")).to_have_count(1)
    expect(card.get_by_role("img")).to_have_accessible_name(caption_of(picture.read_bytes()))


def test_a_known_picture_is_not_uploaded(
    page: CaptionPage, server: ServerProcess, picture: Path
) -> None:
    """A picture that is cached is found by its digest, without an upload."""
    page.open(server.url).choose(picture)
    page.expect_caption("dog.png", caption_of(picture.read_bytes()))
    assert (len(page.look_ups), len(page.uploads)) == (1, 1)

    page.open(server.url).choose(picture)
    card = page.expect_caption("dog.png", caption_of(picture.read_bytes()))
    expect(card.locator(".badge")).to_have_text(["Cached", "No upload"])
    assert (len(page.look_ups), len(page.uploads)) == (2, 1)


def test_a_paste(page: CaptionPage, server: ServerProcess) -> None:
    """A pasted picture is captioned; text that is pasted into a field stays text."""
    picture = png("a paste")
    assert page.open(server.url).send("paste", {"image.png": picture})

    page.expect_caption("pasted-1.png", caption_of(picture))


def test_a_drop(page: CaptionPage, server: ServerProcess) -> None:
    """Files that are dropped anywhere on the page are captioned, and the page shows where."""
    picture = png("a drop")
    page.open(server.url).send("dragenter", {"cat.png": picture})
    expect(page.page.locator("body")).to_have_class(re.compile("dropping"))

    assert page.send("drop", {"cat.png": picture})
    page.expect_caption("cat.png", caption_of(picture))
    expect(page.page.locator("body")).not_to_have_class(re.compile("dropping"))


def test_the_camera(page: CaptionPage, server: ServerProcess) -> None:
    """The camera's picture is captioned, and the camera is off afterwards."""
    page.open(server.url)
    page.page.get_by_role("button", name="Take a picture").click()
    shoot = page.page.get_by_role("button", name="Take the picture")
    expect(shoot).to_be_enabled()
    shoot.click()

    expect(page.card("camera-").locator(".caption")).to_have_text(re.compile(r"\d+ bytes"))
    expect(page.page.get_by_role("dialog")).to_have_count(0)
    assert page.page.evaluate("document.getElementById('viewfinder').srcObject") is None


def test_twelve_files_at_a_busy_server(
    page: CaptionPage, tmp_path: Path, expected_statuses: set[int]
) -> None:
    """Twelve files are captioned by a server that takes one at a time: 503 is asked again."""
    expected_statuses.add(503)
    files = [tmp_path / f"{number}.png" for number in range(12)]
    for file in files:
        file.write_bytes(png(f"twelve {file.name}"))
    with server_process("--max-in-flight", "1", "--no-cache") as busy:
        page.open(busy.url).choose(*files)

        expect(page.page.locator(".card .caption")).to_have_count(12, timeout=60_000)
        expect(page.page.locator("#count")).to_have_text("12")
    assert list(page.captions()) == [caption_of(file.read_bytes()) for file in files]


def test_an_error(
    page: CaptionPage, server: ServerProcess, tmp_path: Path, expected_statuses: set[int]
) -> None:
    """A file that is no picture shows the server's sentence, and spoils no other picture."""
    expected_statuses.add(415)
    text, picture = tmp_path / "notes.png", tmp_path / "fine.png"
    text.write_bytes(b"text")
    picture.write_bytes(png("fine"))
    page.open(server.url).choose(text, picture)

    page.expect_caption("fine.png", caption_of(picture.read_bytes()))
    problem = page.card("notes.png").locator(".problem")
    expect(problem).to_have_text("The file is no picture of a supported format.")
    expect(page.card("notes.png").get_by_role("button", name="Caption again")).to_be_visible()
    expect(page.page.locator("#live")).to_contain_text("notes.png: The file is no picture")


def test_a_file_over_the_limit(page: CaptionPage, tmp_path: Path) -> None:
    """A file that the server would refuse for its size is not sent."""
    large = tmp_path / "large.png"
    large.write_bytes(bytes(1_100_000))
    with server_process("--max-body-mb", "1") as small:
        page.open(small.url).choose(large)

        problem = page.card("large.png").locator(".problem")
        expect(problem).to_have_text("This file has 1.1 MB; this server takes at most 1.0 MB.")
    assert page.uploads == []


def test_a_server_that_is_gone(
    page: CaptionPage, picture: Path, expected_statuses: set[int]
) -> None:
    """Without a server the picture shows so, and can be sent again."""
    with server_process("--no-cache") as served:
        page.open(served.url)
    page.choose(picture)

    expect(page.card("dog.png").locator(".problem")).to_contain_text("be reached")
    again = page.card("dog.png").get_by_role("button", name="Caption again")
    expect(again).to_be_visible()


def test_prompt_and_options(page: CaptionPage, server: ServerProcess, picture: Path) -> None:
    """A prompt begins the caption of the pictures on the page, once the form is sent."""
    page.open(server.url).choose(picture)
    size = caption_of(picture.read_bytes())
    page.expect_caption("dog.png", size)

    page.page.get_by_text("Prompt and options").click()
    page.page.get_by_label("Prompt", exact=True).fill("a photo of")
    page.page.get_by_label("Beams").fill("3")
    expect(page.page.locator("#options-set")).to_have_text("2 set")
    page.page.get_by_role("button", name="Caption 1 picture again").click()
    page.expect_caption("dog.png", f"a photo of {size}")

    page.page.get_by_label("Leave the prompt out").check()
    page.page.get_by_role("button", name="Caption 1 picture again").click()
    card = page.expect_caption("dog.png", size)
    expect(card.locator(".badge").first).to_have_text("Cached")


def test_ranges_of_the_loaded_model(page: CaptionPage, server: ServerProcess) -> None:
    """The form has the ranges of the model that is served."""
    page.open(server.url)

    expect(page.page.locator("#max_new_tokens")).to_have_attribute("max", "511")


def test_a_refused_option(
    page: CaptionPage, server: ServerProcess, picture: Path, expected_statuses: set[int]
) -> None:
    """A prompt that the model has no room for shows the server's sentence."""
    expected_statuses.add(422)
    page.open(server.url)
    page.page.get_by_text("Prompt and options").click()
    page.page.get_by_label("Prompt", exact=True).fill("word " * 20)
    page.choose(picture)

    expect(page.card("dog.png").locator(".problem")).to_contain_text("prompt")
    assert page.uploads == []


def test_a_removed_picture(page: CaptionPage, server: ServerProcess, picture: Path) -> None:
    """Removing the last picture takes the list away and leaves the focus on the page."""
    page.open(server.url).choose(picture)
    page.expect_caption("dog.png", caption_of(picture.read_bytes()))
    page.page.get_by_role("button", name="Remove: dog.png").click()

    expect(page.page.locator("#results")).to_be_hidden()
    expect(page.page.get_by_label("Choose pictures")).to_be_focused()


def test_a_real_picture(page: CaptionPage) -> None:
    """The committed model captions one of its examples."""
    example = EXAMPLES[0]
    with server_process(module="server") as real:
        page.open(real.url).choose(example)

        page.expect_caption(example.name, shown_in(example))
