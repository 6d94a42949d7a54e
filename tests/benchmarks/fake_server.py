"""A caption server on a real socket, honest or with a fault that would make it look fast."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks.http.client import Target

Fault = Literal["hit for everything", "wrong caption", "no cache", "refuses", "liar"]


@dataclass
class FakeServer:
    """Captions a picture with a digest of its pixels, whatever the file's comment says."""

    fault: Fault | None = None
    seen: set[tuple[bytes, str | None]] = field(default_factory=set)
    answered: int = 0

    async def caption(self, request: web.Request) -> web.Response:
        form = await request.post()
        image, prompt = form["image"], form.get("prompt")
        assert isinstance(image, web.FileField)
        data = image.file.read()
        key = data, prompt if isinstance(prompt, str) else None
        hit = self.fault == "hit for everything" or (key in self.seen and self.fault != "no cache")
        self.seen.add(key)
        self.answered += 1
        if self.fault == "refuses":
            return web.json_response({"error": "Too many pictures."}, status=503)
        text = f"{key[1] or 'picture'} {hashlib.sha256(data[-1000:]).hexdigest()[:8]}"
        if self.fault == "wrong caption" and self.answered > 2:
            text = "a dog"
        headers = {"X-Cache": "HIT" if hit else "MISS", "Server-Timing": "read;dur=1.5"}
        cached = not hit if self.fault == "liar" else hit
        return web.json_response({"caption": text, "cached": cached}, headers=headers)


@asynccontextmanager
async def serving(server: FakeServer) -> AsyncIterator[Target]:
    app = web.Application(client_max_size=20_000_000)
    app.router.add_post("/caption", server.caption)
    async with TestServer(app) as listening:
        yield Target("fake", str(listening.make_url("")).rstrip("/"))
