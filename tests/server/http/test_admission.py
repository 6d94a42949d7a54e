import pytest

from server.errors import Draining, Overloaded
from server.http.admission import Admission


def test_admission_is_bounded() -> None:
    """One request more than the limit is refused, until one has left."""
    admission = Admission(1)
    with admission.admit():
        with pytest.raises(Overloaded) as refusal, admission.admit():
            pass
        assert refusal.value.retry_after >= 1

    with admission.admit():
        assert admission.in_flight == 1


def test_draining() -> None:
    """Once draining, nobody is admitted, and who is inside stays."""
    admission = Admission(2)
    with admission.admit():
        admission.drain()
        with pytest.raises(Draining), admission.admit():
            pass
        assert admission.in_flight == 1
