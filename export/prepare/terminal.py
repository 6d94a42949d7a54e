"""What a preparation prints on stderr. stdout is left to the result."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from export.prepare.errors import Interrupted, PrepareError


def say(line: str) -> None:
    """Print one line at once, so that it stays in order with the lines of children."""
    print(f"prepare: {line}", file=sys.stderr, flush=True)


def gigabytes(size: int) -> str:
    """Return a number of bytes in GB with one decimal, or in MB below 0.1 GB."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.0f} MB"


@contextmanager
def reporting() -> Iterator[None]:
    """End the process with one line and an exit status if the block raises an expected error."""
    try:
        yield
    except PrepareError as exc:
        if str(exc):
            say(str(exc))
        raise SystemExit(exc.exit_status) from exc
    except Interrupted as exc:
        say("interrupted; finished work is kept: run the same command again to continue.")
        raise SystemExit(exc.exit_status) from exc
