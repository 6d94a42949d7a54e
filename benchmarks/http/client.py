"""An HTTP client for caption requests, timed from the first byte sent to the last byte received."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from time import perf_counter
from typing import NamedTuple

import aiohttp

from benchmarks.pictures import Picture

#: Seconds. No working server has a queue this long.
TIMEOUT = 120.0
#: Idle connections are closed after this time. uvicorn closes them after 5 seconds, and a request
#: that is sent at that moment gets no answer.
IDLE_SECONDS = 2.0


class Question(NamedTuple):
    """The inputs that decide a caption: a picture, by its name, and a prompt."""

    picture: str
    prompt: str | None = None

    def __str__(self) -> str:
        return self.picture if self.prompt is None else f"{self.picture} with {self.prompt!r}"


@dataclass(frozen=True, slots=True)
class Request:
    """A question as the bytes of a form, encoded before any clock runs; or as a path to look up."""

    question: Question
    body: bytes = b""
    content_type: str = ""
    path: str = "/caption"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; `seconds` is its latency, `phases` the server's own durations in seconds.

    `status` is 0 if nothing came back, and `error` gives the reason. `cache` is the X-Cache header,
    or what the body states without one. If the two differ, it names both.
    """

    status: int
    seconds: float
    caption: str | None = None
    cache: str = ""
    phases: dict[str, float] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A server under test."""

    name: str
    url: str
    pid: int = 0


async def prepare(picture: Picture, prompt: str | None, serial: str) -> Request:
    """Encode the upload of a file that no other `serial` has."""
    form = aiohttp.FormData(default_to_multipart=True)
    data = picture.as_file(serial)
    form.add_field("image", data, filename="picture.jpg", content_type="image/jpeg")
    if prompt is not None:
        form.add_field("prompt", prompt)
    payload = form()
    body = await payload.as_bytes()
    return Request(Question(picture.name, prompt), body, payload.headers["Content-Type"])


def look_up(picture: Picture, serial: str) -> Request:
    """Ask for the caption of the same file by its digest, without an upload."""
    digest = sha256(picture.as_file(serial)).hexdigest()
    return Request(Question(picture.name), path=f"/caption/{digest}")


@dataclass(frozen=True, slots=True)
class Client:
    """Opens as many connections as requests are in flight, and keeps them open."""

    session: aiohttp.ClientSession
    target: Target

    @classmethod
    @asynccontextmanager
    async def open(cls, target: Target) -> AsyncIterator["Client"]:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=5),
        ) as session:
            yield cls(session, target)

    async def ask(self, request: Request) -> Answer:
        """Send a request and return its answer, whatever the status."""
        method, headers = "GET", {}
        if request.body:
            method, headers = "POST", {"Content-Type": request.content_type}
        url, data = self.target.url + request.path, request.body or None
        began = perf_counter()
        try:
            async with self.session.request(method, url, data=data, headers=headers) as response:
                body = await response.read()
                return parse(response, body, perf_counter() - began)
        except (aiohttp.ClientError, TimeoutError) as exc:
            return Answer(0, perf_counter() - began, error=str(exc) or type(exc).__name__)


def parse(response: aiohttp.ClientResponse, body: bytes, seconds: float) -> Answer:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    fields = content if isinstance(content, dict) else {}
    cached = bool(fields.get("cached"))
    cache = response.headers.get("X-Cache", "HIT" if cached else "MISS")
    if (cache == "HIT") != cached:
        cache += f" and cached {cached}"
    return Answer(
        status=response.status,
        seconds=seconds,
        caption=fields.get("caption"),
        cache=cache,
        phases=parse_server_timing(response.headers.get("Server-Timing", "")),
        error=str(fields.get("error") or fields.get("detail") or ""),
    )


def parse_server_timing(header: str) -> dict[str, float]:
    """Parse `name;dur=milliseconds` per phase (https://www.w3.org/TR/server-timing/) to seconds."""
    metrics = re.findall(r"([\w-]+);dur=([\d.]+)", header)
    return {name: float(duration) / 1000 for name, duration in metrics}
