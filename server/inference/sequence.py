"""Work that somebody else drives: a generator whose wants are fulfilled from outside."""

from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Generic, TypeVar

Want = TypeVar("Want")
Got = TypeVar("Got")


class Job(Generic[Want, Got]):
    """Work that goes from one want to the next, each of which somebody else fulfils."""

    def __init__(self, start: Callable[[], Generator[Want, Got, Any]], places: int) -> None:
        self._start = start
        self.places = places
        self._work: Generator[Want, Got, Any]
        self.want: Want
        self.future: Future[Any] = Future()
        self.abandoned = False
        #: Whether it was given a step.
        self.under_way = False

    def begin(self) -> bool:
        """Work up to the first want; False if the job is over."""
        if not self.future.set_running_or_notify_cancel():
            return False
        return self._advance(self._first)

    def go_on(self, got: Got) -> bool:
        """Work up to the next want; False if the job is over."""
        self.under_way = True
        return self._advance(lambda: self._work.send(got))

    def end_if_abandoned(self) -> bool:
        """Whether it was; asked once, for the answer may change at any time."""
        abandoned = self.abandoned
        if abandoned:
            self.end(CancelledError())
        return abandoned

    def end(self, exc: BaseException) -> None:
        """Whatever state it is in."""
        with suppress(Exception):  # `exc` is what its caller gets, if there is one still.
            self._work.close()
        if not self.future.done():
            self.future.set_exception(exc)

    def _first(self) -> Want:
        self._work = self._start()
        return next(self._work)

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
