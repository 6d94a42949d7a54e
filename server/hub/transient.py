"""Tell failures of a transfer that may pass from those that a new attempt cannot mend."""

from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from requests.exceptions import ChunkedEncodingError, ConnectionError, RequestException, Timeout

TRANSIENT_STATUSES = (408, 429, *range(500, 600))


def is_transient(exc: BaseException) -> bool:
    """Return whether a new attempt may succeed after `exc`."""
    match exc:
        case LocalEntryNotFoundError():  # the cause is why the hub could not be asked
            return exc.__cause__ is not None and is_transient(exc.__cause__)
        case HfHubHTTPError():
            return exc.response is not None and exc.response.status_code in TRANSIENT_STATUSES
        case RequestException():
            return isinstance(exc, ConnectionError | Timeout | ChunkedEncodingError)
        case OSError():
            # huggingface_hub's own check of a file's size; errors of the file system have a number.
            return exc.errno is None
    return False


def cause(exc: BaseException) -> str:
    """Return the name of the failure."""
    return type(exc.__cause__ if isinstance(exc, LocalEntryNotFoundError) else exc).__name__
