"""Free memory goes back to the system after a model is loaded."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

PROGRAM = """
from pathlib import Path
from resource import getpagesize

from server.captioning.memory import give_back_free_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()

blocks = [bytes(2000) for _ in range(50_000)]
del blocks[:-1]  # The last keeps the heap from shrinking by itself.
before = resident()
give_back_free_memory()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives back the middle")
def test_free_memory_goes_back_to_the_system() -> None:
    """Free memory in the middle of the heap is returned, with used memory behind it."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=60
    )
    assert int(ran.stdout) > 50_000_000
