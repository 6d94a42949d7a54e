"""Which failures of a transfer are worth a new attempt."""

import pytest
import requests
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from server.hub.transient import is_transient


def answer(status: int) -> HfHubHTTPError:
    response = requests.Response()
    response.status_code = status
    return HfHubHTTPError("refused", response=response)


def unasked(cause: Exception) -> LocalEntryNotFoundError:
    """Return the error of huggingface_hub for a file that the hub could not be asked about."""
    error = LocalEntryNotFoundError("no connection")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (requests.exceptions.ChunkedEncodingError(), True),
        (requests.ConnectionError(), True),
        (requests.Timeout(), True),
        (answer(503), True),
        (answer(429), True),
        (answer(403), False),
        (unasked(requests.ConnectionError()), True),
        (unasked(answer(403)), False),
        (OSError("Consistency check failed"), True),
        (OSError(28, "No space left on device"), False),
    ],
    ids=[
        "broken connection",
        "no connection",
        "timeout",
        "unavailable",
        "too many requests",
        "forbidden",
        "not asked for lack of a connection",
        "not asked for lack of rights",
        "wrong size",
        "disk full",
    ],
)
def test_only_failures_that_may_pass_are_retried(error: Exception, transient: bool) -> None:
    """A refusal and a full disk end the download at the first attempt."""
    assert is_transient(error) is transient
