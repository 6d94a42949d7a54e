"""The page as a person uses it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Locator, Page, Request, expect

#: Dispatches an event that bears files, as a browser does for a paste or a drop. Its value is
#: whether the page keeps the browser from doing what it does by default: opening the file.
_DISPATCH = """
({ event, files }) => {
  const data = new DataTransfer();
  for (const { name, type, content } of files) {
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    data.items.add(new File([bytes], name, { type }));
  }
  const options = { bubbles: true, cancelable: true };
  return !document.body.dispatchEvent(event === "paste"
    ? new ClipboardEvent(event, { ...options, clipboardData: data })
    : new DragEvent(event, { ...options, dataTransfer: data }));
}
"""


@dataclass
class CaptionPage:
    """`uploads` and `look_ups` are the requests that the page has sent for captions."""

    page: Page
    uploads: list[Request] = field(default_factory=list)
    look_ups: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._count)

    def _count(self, request: Request) -> None:
        if request.method == "POST":
            self.uploads.append(request)
        elif "/caption/" in request.url:
            self.look_ups.append(request)

    def open(self, url: str) -> "CaptionPage":
        self.page.goto(url)
        # It is set once the page knows the server.
        expect(self.page.locator("#model")).not_to_be_empty()
        return self

    def choose(self, *files: Path) -> None:
        self.page.get_by_label("Choose pictures").set_input_files(list(files))

    def send(self, event: str, files: Mapping[str, bytes]) -> bool:
        """Dispatch "paste", "dragenter" or "drop" with PNG files; return whether it is handled."""
        bodies = [
            {"name": name, "type": "image/png", "content": base64.b64encode(content).decode()}
            for name, content in files.items()
        ]
        handled: bool = self.page.evaluate(_DISPATCH, {"event": event, "files": bodies})
        return handled

    def card(self, name: str) -> Locator:
        return self.page.locator(".card", has_text=name)

    def captions(self) -> Sequence[str]:
        return self.page.locator(".card .caption").all_inner_texts()

    def expect_caption(self, name: str, text: str) -> Locator:
        card = self.card(name)
        expect(card.locator(".caption")).to_have_text(text)
        return card
