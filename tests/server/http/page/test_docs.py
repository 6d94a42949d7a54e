"""GET /docs in a real browser: Swagger UI shows the document and sends requests."""

import pytest
from playwright.sync_api import expect

from tests.server.http.page.caption_page import CaptionPage
from tests.server.serving import ServerProcess

pytestmark = pytest.mark.process


def test_documentation(page: CaptionPage, server: ServerProcess) -> None:
    """The documentation lists the operations, asks no other server, and tries one out."""
    hosts = set()
    page.page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.page.goto(f"{server.url}/docs")
    expect(page.page.locator(".opblock")).to_have_count(11)

    page.page.locator("#operations-Server-live").get_by_role("button").first.click()
    page.page.get_by_role("button", name="Execute").click()
    response = page.page.locator("#operations-Server-live .live-responses-table")
    expect(response).to_contain_text('"status": "live"')
    assert hosts == {server.url.removeprefix("http://")}
