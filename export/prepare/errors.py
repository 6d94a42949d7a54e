"""The ways in which a preparation ends without a model directory."""


class PrepareError(Exception):
    """A preparation fails. The message is one line: the thing, its value and a remedy."""

    exit_status = 1


class UsageError(PrepareError):
    """The command line or a variable is wrong."""

    exit_status = 2


class ExportFailed(PrepareError):
    """The export ended with an error, which its own last line explains."""

    def __init__(self, exit_status: int) -> None:
        super().__init__()
        self.exit_status = exit_status


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP. It is a BaseException, so that no library handles it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_status = 128 + number
