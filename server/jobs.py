"""Work that somebody else drives: a generator whose wants are fulfilled from outside."""

from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

Want = TypeVar("Want")
Got = TypeVar("Got")


class Job(Generic[Want, Got]):
    """Work that goes from one want to the next, each of which somebody else fulfils."""

    def __init__(self, start: Callable[[], Generator[Want, Got, Any]]) -> None:
        self._start = start
        self._work: Generator[Want, Got, Any]
        self.want: Want
        self.future: Future[Any] = Future()
        self.abandoned = False

    def begin(self) -> bool:
        """Work up to the first want; False if the job is over."""
        if not self.future.set_running_or_notify_cancel():
            return False
        self._work = self._start()
        return self._advance(lambda: next(self._work))

    def go_on(self, got: Got) -> bool:
        """Work up to the next want; False if the job is over."""
        return self._advance(lambda: self._work.send(got))

    def end(self, exc: BaseException) -> None:
        self._work.close()
        self.future.set_exception(exc)

    def _advance(self, work: Callable[[], Want]) -> bool:
        try:
            self.want = work()
        except StopIteration as stop:
            self.future.set_result(stop.value)
            return False
        except BaseException as exc:  # For whoever waits, on another thread.
            self.future.set_exception(exc)
            return False
        return True
