import inspect

import pytest

from server import errors
from server.captioning import errors as captioning

#: Raised before there is a request.
NEVER_ANSWERED = {captioning.ModelDirectoryError, captioning.AlteredFile}


def leaves(module: object, base: type[Exception]) -> list[type[Exception]]:
    """List the error classes of a module that no other class derives from."""
    classes = [
        kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, base)
    ]
    return [kind for kind in classes if not kind.__subclasses__() and kind not in NEVER_ANSWERED]


@pytest.mark.parametrize(
    "kind",
    leaves(captioning, captioning.CaptioningError) + leaves(errors, errors.RequestError),
)
def test_every_error_has_a_row(kind: type[Exception]) -> None:
    """Each error that a request can meet has a row of its own, and only a defect is a 500."""
    assert 400 <= errors.STATUSES[kind].code <= 503
    assert (errors.STATUSES[kind].code == 500) == (kind is errors.InternalError)


def test_error_types_are_distinct() -> None:
    """A client can tell any two errors apart by their error_type."""
    types = [status.error_type for status in errors.STATUSES.values()]

    assert len(set(types)) == len(types)


def test_row_of_a_base() -> None:
    """An error without a row has the row of its nearest base, with its own message and headers."""

    class TooBusy(errors.Overloaded):
        pass

    refusal = errors.refusal_for(TooBusy("Too busy.", retry_after=7))

    assert refusal is not None
    assert refusal.status is errors.STATUSES[errors.Overloaded]
    assert (refusal.message, refusal.headers) == ("Too busy.", {"Retry-After": "7"})
    assert errors.refusal_for(ZeroDivisionError()) is None


def test_tree_in_docstring() -> None:
    """The tree at the top of the file has every class of the hierarchy."""
    tree = errors.__doc__ or ""

    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.RequestError):
            assert name in tree
