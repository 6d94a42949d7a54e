"""Read the peak memory of this process."""

import resource
import sys

#: getrusage counts kilobytes, but on macOS bytes.
UNIT = 1 if sys.platform == "darwin" else 1024


def peak_memory() -> int:
    """Return the most memory, in bytes, that was resident at once since the process started.

    The largest child process that has ended is added, as if both had peaked together.
    """
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_maxrss for usage in usages) * UNIT
