import pytest

from server.errors import Draining, Overloaded
from server.http.admission import Admission


def test_admission_is_bounded() -> None:
    """A request beyond the limit is refused until one in flight has ended."""
    admission = Admission(1, receive_timeout=1.0)
    with admission.admit():
        with pytest.raises(Overloaded) as refusal, admission.admit():
            pass
        assert refusal.value.retry_after >= 1

    with admission.admit():
        assert admission.in_flight == 1


def test_draining() -> None:
    """A draining server admits no request, and requests in flight stay."""
    admission = Admission(2, receive_timeout=1.0)
    with admission.admit():
        admission.drain()
        with pytest.raises(Draining), admission.admit():
            pass
        assert admission.in_flight == 1


def test_announced_drain() -> None:
    """After a drain is announced requests are still admitted, and the server is not ready."""
    admission = Admission(1, receive_timeout=1.0)
    admission.announce_drain()

    assert not admission.ready
    with admission.admit():
        assert admission.in_flight == 1
