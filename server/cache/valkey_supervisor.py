"""A thread that starts the embedded Valkey, and starts it again whenever it ends."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic

from server.cache.valkey_process import EmbeddedValkeyError, ValkeyProcess

logger = logging.getLogger(__name__)

#: Seconds until a launched Valkey accepts connections; more counts as a failure.
START_TIMEOUT = 5.0

#: Seconds that Valkey has to end, after SIGTERM and again after SIGKILL.
STOP_TIMEOUT = 2.0

#: Seconds before a restart. The pause doubles with each restart, up to the last.
FIRST_PAUSE, LAST_PAUSE = 0.1, 10.0

#: Seconds after which a running Valkey counts as healthy, and the pauses begin anew.
HEALTHY_AFTER = 10.0

_POLL_SECONDS = 0.01


class ValkeySupervisor:
    """Keeps one Valkey process running, from `start` to `stop`.

    A thread of its own launches every process. The kernel kills a Valkey when the thread that
    launched it ends, so that thread has to live as long as Valkey should.
    """

    def __init__(self, launch: Callable[[], ValkeyProcess]) -> None:
        self._launch = launch
        self._process: ValkeyProcess | None = None
        self._pause = FIRST_PAUSE
        self._stopping = threading.Event()
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="valkey supervisor", daemon=True)

    def start(self) -> Future[None]:
        """Start the thread. The future is done when Valkey accepts connections.

        The future raises EmbeddedValkeyError if Valkey does not start; the thread has then ended.
        """
        # From here on the caller cannot cancel the future, whose result the thread will set.
        self._started.set_running_or_notify_cancel()
        self._thread.start()
        return self._started

    def stop(self) -> None:
        """End Valkey and the thread. Block for at most twice STOP_TIMEOUT."""
        self._stopping.set()
        for end in (ValkeyProcess.terminate, ValkeyProcess.kill):
            if self._process:
                end(self._process)
            self._thread.join(STOP_TIMEOUT)
            if not self._thread.is_alive():
                return
        logger.warning(
            "The embedded Valkey does not end after SIGKILL; the server ends without it."
        )

    def _run(self) -> None:
        try:
            process: ValkeyProcess | None = self._launch_ready()
        except BaseException as exc:
            self._started.set_exception(exc)
            return
        self._started.set_result(None)
        try:
            while process:
                process = self._supervise(process)
        except Exception:
            logger.exception("The supervisor of the embedded Valkey failed by a defect.")

    def _supervise(self, process: ValkeyProcess) -> ValkeyProcess | None:
        """Wait until the process ends. Return its successor, or None after `stop`."""
        healthy_at = monotonic() + HEALTHY_AFTER
        # `stop` cannot end a process that was being launched when it was called.
        if self._stopping.is_set():
            process.terminate()
        process.wait()
        if monotonic() >= healthy_at:
            self._pause = FIRST_PAUSE
        return self._relaunch(process.describe_end())

    def _relaunch(self, reason: str) -> ValkeyProcess | None:
        """Launch a process after a pause. Repeat until one is ready or `stop` is called."""
        while not self._stopping.is_set():
            logger.warning(
                "The embedded Valkey is down (%s); captions continue without it. "
                "It starts again in %.1f s.",
                *(reason, self._pause),
            )
            if self._stopping.wait(self._pause):
                break
            self._pause = min(2 * self._pause, LAST_PAUSE)
            try:
                process = self._launch_ready()
            except EmbeddedValkeyError as exc:
                reason = str(exc)
            else:
                logger.info("The embedded Valkey runs again.")
                return process
        return None

    def _launch_ready(self) -> ValkeyProcess:
        """Launch a process and wait until it accepts connections. Raises EmbeddedValkeyError."""
        deadline = monotonic() + START_TIMEOUT
        process = self._process = self._launch()
        while not process.accepts_connections():
            if process.has_ended():
                raise EmbeddedValkeyError(process.describe_end())
            if self._stopping.wait(_POLL_SECONDS) or monotonic() > deadline:
                process.kill()
                process.wait()
                raise EmbeddedValkeyError(
                    f"it accepts no connection within {START_TIMEOUT:g} s of its start"
                )
        return process
