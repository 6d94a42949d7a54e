"""Run functions in a process of their own.

Two runtimes in one process would wait for each other's spinning threads.
"""

import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor


def process() -> ProcessPoolExecutor:
    """Return a fresh interpreter that serves all calls and ends with the `with` block."""
    # Ctrl-C reaches the whole process group, but the parent ends its workers.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), signal.signal, ignore)


def peak_memory(pid: int | str = "self") -> int:
    """Return the greatest resident memory that a process had, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmHWM"].split()[0]) * 1024
