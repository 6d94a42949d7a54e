"""The bound of the queue before the model."""

from contextlib import ExitStack

import pytest

from server.errors import Overloaded
from server.inference.queue_limit import QueueLimit


def admitted(limit: QueueLimit, slots: int, stack: ExitStack) -> int:
    """Admit captions of so many slots until one is refused; their number."""
    for count in range(1000):
        try:
            stack.enter_context(limit.place(slots))
        except Overloaded:
            return count
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize(
    ("slots", "running"), [(1, 8), (3, 2), (5, 1), (8, 1)], ids=["1", "3", "5", "8"]
)
def test_the_queue_bound_counts_what_waits(slots: int, running: int) -> None:
    """`queue_size` captions wait besides the running ones, however many slots each takes."""
    with ExitStack() as stack:
        assert admitted(QueueLimit(queue_size=16, batch_size=8), slots, stack) == running + 16


def test_a_caption_that_ended_makes_room() -> None:
    """A refused caption is admitted after another one has ended."""
    limit = QueueLimit(queue_size=0, batch_size=1)
    with limit.place(1), pytest.raises(Overloaded), limit.place(1):
        pass
    with limit.place(1):
        assert limit.unfinished == 1
    assert limit.unfinished == 0


def test_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry-After is the time that the captions in progress need, though a batch ends at once."""
    now = 0.0
    monkeypatch.setattr("server.inference.queue_limit.perf_counter", lambda: now)
    limit = QueueLimit(queue_size=0, batch_size=4)
    for _ in range(3):
        with ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(limit.place(1))
            with pytest.raises(Overloaded) as refusal, limit.place(1):
                pass
            now += 20
    assert refusal.value.retry_after == 20
