"""The stage that decodes pictures, before the batcher."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from time import monotonic

from server.captioning.arrays import Pixels


class DecodeStage:
    """Decodes one picture at a time on a thread of its own.

    A picture takes up to four bytes a pixel while it is decoded, and less than 1 MB afterwards. So
    decoding one at a time bounds memory, while pictures wait as files.
    """

    def __init__(self, decode: Callable[[bytes], Pixels]) -> None:
        self._decode = decode
        self._in_progress = 0
        self._progressed_at = monotonic()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="decode")

    async def run(self, image: bytes) -> Pixels:
        """Decode a picture file. Raises ImageError."""
        if not self._in_progress:
            self._progressed_at = monotonic()
        self._in_progress += 1
        loop = asyncio.get_running_loop()
        decoding = self._executor.submit(self._decode, image)
        # Not when this coroutine ends: a decode that hangs outlives a client that leaves.
        decoding.add_done_callback(lambda _: _call_if_open(loop, self._end_one))
        return await asyncio.wrap_future(decoding)

    def seconds_without_progress(self) -> float:
        """Return the seconds since the last picture was decoded; 0.0 while none is."""
        return monotonic() - self._progressed_at if self._in_progress else 0.0

    def _end_one(self) -> None:
        self._in_progress -= 1
        self._progressed_at = monotonic()

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _call_if_open(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    # A decode may end after the server's event loop.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)


@contextmanager
def open_decode_stage(decode: Callable[[bytes], Pixels]) -> Iterator[DecodeStage]:
    stage = DecodeStage(decode)
    try:
        yield stage
    finally:
        stage.close()
