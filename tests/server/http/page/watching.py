"""Watch what a page complains about: errors, exceptions, violations of its policy."""

import re
from collections.abc import Collection

from playwright.sync_api import ConsoleMessage, Page

#: Chromium writes each answer of 4xx or 5xx into the console, even one that the page expects.
_ANSWER = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")
_LOOK_UP = re.compile(r"/caption/[0-9a-f]{64}(\?|$)")

_REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


def complaints_of(page: Page, expected: Collection[int] = ()) -> list[str]:
    """Return a list that grows with each complaint from now on.

    A look-up of a picture that is not cached is no complaint, nor an answer of an expected status.
    """
    complaints: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        url = message.location["url"]
        status = int(found[1]) if (found := _ANSWER.match(message.text)) else None
        if message.text.startswith("Failed to load resource: net::ERR_CONNECTION_REFUSED"):
            # A server that is gone: only a test that ended one sees this.
            return
        if status not in expected and not (status == 404 and _LOOK_UP.search(url)):
            complaints.append(f"{message.type}: {message.text} {url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
    page.add_init_script(_REPORT_VIOLATIONS)
    return complaints
