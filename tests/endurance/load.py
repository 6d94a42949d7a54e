"""Requests for captions, many at once, over a real HTTP client."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import count

import aiohttp

#: Seconds. Longer than anything here may take.
TIMEOUT = 120

BOUNDARY = "a-boundary-in-no-picture"


@dataclass(frozen=True, slots=True)
class Answer:
    """`sent` on the wall clock, `seconds` from when it was to be sent; status 0: no answer."""

    sent: float
    seconds: float
    status: int
    cache: str | None = None
    caption: str | None = None
    closes: bool = False
    error: str = ""


def form(image: bytes, fields: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a form with a picture."""
    file = 'Content-Disposition: form-data; name="image"; filename="picture"'
    parts = [(file, image)]
    for name, text in (fields or {}).items():
        parts.append((f'Content-Disposition: form-data; name="{name}"', text.encode()))
    lines = [
        f"--{BOUNDARY}\r\n{header}\r\n\r\n".encode() + body + b"\r\n" for header, body in parts
    ]
    return b"".join([*lines, f"--{BOUNDARY}--\r\n".encode()])


class Caller:
    """An HTTP client that keeps its connections, unless it is to make one for each request."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, keeps_connections: bool = True) -> AsyncIterator["Caller"]:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=not keeps_connections),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT),
        ) as session:
            yield cls(session, url)

    async def caption(
        self, image: bytes, fields: Mapping[str, str] | None = None, sent: float | None = None
    ) -> Answer:
        return await self.post(form(image, fields), sent=sent)

    async def post(
        self, body: bytes, path: str = "/caption", kind: str = "", sent: float | None = None
    ) -> Answer:
        """Send a body and read the answer, whatever that is."""
        headers = {"Content-Type": kind or f"multipart/form-data; boundary={BOUNDARY}"}
        sent = sent or time.time()
        try:
            async with self.session.post(
                self.url + path, data=BytesIO(body), headers=headers
            ) as got:
                content = await got.json()
        except (aiohttp.ClientError, TimeoutError) as exc:
            return Answer(sent, time.time() - sent, 0, error=repr(exc))
        return Answer(
            sent,
            time.time() - sent,
            got.status,
            cache=got.headers.get("X-Cache"),
            caption=content.get("caption"),
            closes=got.headers.get("Connection") == "close",
            error=content.get("error_type", ""),
        )

    async def metric(self, name: str) -> float:
        async with self.session.get(f"{self.url}/metrics") as got:
            lines = (await got.text()).splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


async def open_loop(
    ask: Callable[[float], Awaitable[Answer]], rate: float, stop: asyncio.Event
) -> list[Answer]:
    """Ask `rate` times a second, whatever the answers take, until told to stop.

    Each is told when it was to be sent, from when its latency counts.
    """
    began = time.time()

    async def asked(due: float) -> Answer:
        return await ask(due)

    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in count():
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.time()))
            if stop.is_set():
                break
            tasks.append(group.create_task(asked(due)))
    return [task.result() for task in tasks]


async def closed_loop(
    ask: Callable[[], Awaitable[Answer]], connections: int, stop: Callable[[], bool]
) -> list[Answer]:
    """Ask again as soon as the answer is there, over so many connections, until told to stop."""
    answers: list[Answer] = []

    async def connection() -> None:
        while not stop():
            answers.append(await ask())

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(connection())
    return answers
