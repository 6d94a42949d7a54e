"""GET / and GET /docs over HTTP. What they do in a browser is in tests/server/http/page/."""

import re

import pytest

from server.http.accept import prefers_html
from server.http.routes import docs, page
from tests.server.serving import app

pytestmark = pytest.mark.anyio

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
#: Bytes of all files of the page.
LIMIT = 60_000


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (CHROMIUM, True),
        ("text/html", True),
        ("application/json, Text/HTML ; q=1.0", True),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=much", False),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_who_prefers_html(accept: str, html: bool) -> None:
    """A header that names text/html, and does not prefer JSON, asks for the page."""
    assert prefers_html([accept]) is html


async def test_page_for_browsers() -> None:
    """A browser gets the page, without a key; caches keep it apart from the status."""
    async with app(api_key=("key",)) as served:
        answer = await served.client.get("/", headers={"Accept": CHROMIUM})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<h1>" in answer.text


async def test_status_for_programs() -> None:
    """Every other client gets a status in JSON, without a key."""
    async with app(api_key=("key",)) as served:
        answer = await served.client.get("/")

    assert answer.status_code == 200
    assert answer.json()["status"] == "The caption server is up."
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["content-security-policy"] == "default-src 'none'"


@pytest.mark.parametrize("accept", [CHROMIUM, "*/*"])
async def test_head(accept: str) -> None:
    """HEAD on the root is answered by 200: programs ask so whether the server is up."""
    async with app() as served:
        answer = await served.client.head("/", headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_files_that_a_page_names(path: str) -> None:
    """Each script and style that a page names is served from this server, and asks no other."""
    async with app() as served:
        document = await served.client.get(path, headers={"Accept": CHROMIUM})
        named = re.findall(r'(?:src|href)="((?:page|docs)/[^"]+)"', document.text)
        assert len(named) >= 3
        for name in named:
            answer = await served.client.get(f"/{name}")
            assert answer.status_code == 200, name
            assert re.match(r"text/(css|javascript); charset=utf-8", answer.headers["content-type"])

    assert re.findall(r'(?:src|href)="(?:https?:)?//', document.text) == []


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_policy(path: str) -> None:
    """A page's own policy allows scripts from its files alone."""
    async with app() as served:
        answer = await served.client.get(path, headers={"Accept": CHROMIUM})

    policy = dict(
        part.strip().partition(" ")[::2]
        for part in answer.headers["content-security-policy"].split(";")
    )
    assert len(answer.headers.get_list("content-security-policy")) == 1
    assert policy["default-src"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"


@pytest.mark.parametrize("path", ["/page/none.js", "/docs/none.js", "/page/..%2F..%2Fapp.py"])
async def test_no_such_file(path: str) -> None:
    """A name that is none of the page's files is answered by 404, in the server's own shape."""
    async with app() as served:
        answer = await served.client.get(path)

    assert (answer.status_code, answer.json()["error_type"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/docs", "/docs/swagger-ui.css"])
async def test_a_file_that_the_browser_has(path: str) -> None:
    """A browser that has a file is told so, and sends nothing twice."""
    async with app() as served:
        first = await served.client.get(path, headers={"Accept": CHROMIUM})
        headers = {"Accept": CHROMIUM, "If-None-Match": first.headers["etag"]}
        second = await served.client.get(path, headers=headers)

    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["etag"] == first.headers["etag"]


def test_size_of_the_page() -> None:
    """All files of the page together are small."""
    assert sum(len(asset.content) for asset in page.read_page().values()) < LIMIT


def test_every_file_of_the_page_is_named() -> None:
    """The document names each of its files, so that a browser fetches them at once."""
    document = page.read_page()[page.DOCUMENT].content.decode()
    named = set(re.findall(r'(?:src|href)="page/([^"]+)"', document))

    assert named == set(page.read_page()) - {page.DOCUMENT}


def test_documentation_is_shipped() -> None:
    """Swagger UI comes from an installed package."""
    assert len(docs.read_docs()["swagger-ui-bundle.js"].content) > 500_000
