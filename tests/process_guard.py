"""A test that starts a process without the marker `process` fails where it starts it."""

import sys

import pytest

_EVENTS = frozenset({"os.fork", "os.posix_spawn", "subprocess.Popen"})


class ProcessGuard:
    """Watches the test that runs, through Python's audit events."""

    def __init__(self) -> None:
        self.item: pytest.Item | None = None

    def watch(self) -> None:
        """Start watching. An audit hook stays until the interpreter ends."""
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in _EVENTS and self.item and not self.item.get_closest_marker("process"):
            raise AssertionError(
                f"{self.item.nodeid} starts a process ({event}{arguments[:2]}) without a marker: "
                "add pytestmark = pytest.mark.process"
            )
