"""Replace this process by a program that the kernel kills when its parent ends.

    python valkey_launcher.py PARENT_PID PROGRAM ARGUMENT...

The server runs this script by its path, as a new process. It cannot set the parent-death signal
between fork and exec itself: Python code there can deadlock on a lock that another thread held at
the fork.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def exec_bound_to_parent(parent: int, program: str, *arguments: str) -> None:
    """Replace this process by `program`. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    # A parent that ended before the call above sends no signal.
    if os.getppid() != parent:
        sys.exit("its parent process has ended")
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    try:
        exec_bound_to_parent(int(sys.argv[1]), *sys.argv[2:])
    except OSError as exc:
        sys.exit(f"{sys.argv[2]}: {exc.strerror}")
