"""An HTTP client for caption requests, timed from the first byte sent to the last byte received."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter

import aiohttp

from benchmarks.errors import Unavailable
from benchmarks.pictures import Picture

#: Seconds. No working server has a queue this long.
TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Question:
    """The inputs that decide a caption: a picture, by its name, and a prompt."""

    picture: str
    prompt: str | None = None

    def __str__(self) -> str:
        return self.picture if self.prompt is None else f"{self.picture} with {self.prompt!r}"


@dataclass(frozen=True, slots=True)
class Request:
    """A question as the bytes of a form, encoded before any clock runs."""

    question: Question
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; `seconds` is its latency, `phases` the server's own durations in seconds.

    `status` is 0 if nothing came back, and `error` gives the reason.
    """

    status: int
    seconds: float
    caption: str | None = None
    cached: bool | None = None
    x_cache: str | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A server under test. `states_cache`: its answers must have an X-Cache header."""

    name: str
    url: str
    states_cache: bool
    pid: int | None = None


async def prepare(picture: Picture, prompt: str | None, serial: str) -> Request:
    """Encode the upload of a file that no other `serial` has."""
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field(
        "image", picture.as_file(serial), filename="picture.jpg", content_type="image/jpeg"
    )
    if prompt is not None:
        form.add_field("prompt", prompt)
    payload = form()
    body = await payload.as_bytes()
    return Request(Question(picture.name, prompt), body, payload.headers["Content-Type"])


#: Idle connections are closed after this time. uvicorn closes them after 5 seconds, and a request
#: that is sent at that moment gets no answer.
IDLE_SECONDS = 2.0


class Client:
    """Opens as many connections as requests are in flight, and keeps them open."""

    def __init__(self, session: aiohttp.ClientSession, target: Target) -> None:
        self._session = session
        self._url = f"{target.url}/caption"
        self.target = target

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
        headers = {"Content-Type": request.content_type}
        began = perf_counter()
        try:
            async with self._session.post(self._url, data=request.body, headers=headers) as got:
                body = await got.read()
                seconds = perf_counter() - began
        except (aiohttp.ClientError, TimeoutError) as exc:
            return Answer(0, perf_counter() - began, error=str(exc) or type(exc).__name__)
        return _parse(got, body, seconds)

    async def must_answer(self, request: Request) -> Answer:
        """Send a request to a server that is not under load. Raises Unavailable."""
        answer = await self.ask(request)
        if answer.status == 0:
            raise Unavailable(
                f"no answer from {self.target.name} at {self.target.url}: {answer.error}; start a "
                "server with scripts/serve, or leave --url out"
            )
        return answer


def _parse(got: aiohttp.ClientResponse, body: bytes, seconds: float) -> Answer:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    fields = content if isinstance(content, dict) else {}
    return Answer(
        status=got.status,
        seconds=seconds,
        caption=fields.get("caption"),
        cached=fields.get("cached"),
        x_cache=got.headers.get("X-Cache"),
        phases=parse_server_timing(got.headers.get("Server-Timing", "")),
        error=str(fields.get("error") or fields.get("detail") or ""),
    )


def parse_server_timing(header: str) -> dict[str, float]:
    """Parse `name;dur=milliseconds` per phase (https://www.w3.org/TR/server-timing/) to seconds."""
    phases = {}
    for metric in header.split(","):
        name, _, duration = metric.strip().partition(";dur=")
        if duration:
            phases[name] = float(duration) / 1000
    return phases
