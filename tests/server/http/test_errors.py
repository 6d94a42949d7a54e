import inspect

import pytest

from server import errors
from server.captioning import errors as captioning

#: At start-up.
NEVER_ANSWERED = {captioning.ModelDirectoryError}


def leaves(module: object, base: type[Exception]) -> list[type[Exception]]:
    """The error classes of a module that no other derives from."""
    classes = [
        kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, base)
    ]
    return [kind for kind in classes if not kind.__subclasses__() and kind not in NEVER_ANSWERED]


@pytest.mark.parametrize(
    "kind",
    leaves(captioning, captioning.CaptioningError) + leaves(errors, errors.RequestError),
)
def test_every_error_has_a_status(kind: type[Exception]) -> None:
    """No error that a request can meet is missing from the table, so none becomes a 500."""
    assert 400 <= errors.STATUSES[kind].code <= 503
    assert errors.STATUSES[kind].code != 500


def test_error_types_are_distinct() -> None:
    """A client can tell any two errors apart by their error_type."""
    types = [status.error_type for status in errors.STATUSES.values()]

    assert len(set(types)) == len(types)


def test_tree_in_docstring() -> None:
    """The tree at the top of the file has every class of the hierarchy."""
    tree = errors.__doc__ or ""

    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.RequestError):
            assert name in tree
