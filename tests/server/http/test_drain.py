"""Requests while a server stops, in a process of its own."""

import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.server.serving import ServerProcess, server_process, wait_until
from tests.server.test_process import REQUEST, embedded_valkey, ended, upload

pytestmark = pytest.mark.process


def ready(server: ServerProcess) -> bool:
    return httpx.get(f"{server.url}/health/ready").status_code == 200


def load(server: ServerProcess, stop: Callable[[], bool]) -> list[int]:
    """Send requests one after the other, each on a new connection, until `stop`."""
    statuses = []
    while not stop():
        statuses.append(upload(server).status_code)
    return statuses


@pytest.mark.parametrize("repeat", range(3))
def test_sigterm_under_load(repeat: int) -> None:
    """Clients that stop once the server is not ready lose no request, and the server exits."""
    with (
        server_process("--no-cache", "--drain-delay", "600") as server,
        ThreadPoolExecutor(4) as clients,
    ):
        noticed = threading.Event()
        loads = [clients.submit(load, server, noticed.is_set) for _ in range(4)]
        try:
            assert upload(server).status_code == 200
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: not ready(server))
            assert upload(server).status_code == 200
        finally:
            noticed.set()

        assert {status for each in loads for status in each.result(60)} == {200}
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
    assert "Traceback" not in "".join(server.log)


def test_the_drain_delay_ends() -> None:
    """After the drain delay the server exits by itself."""
    with server_process("--no-cache", "--drain-delay", "0.1") as server:
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(30) == 0
    assert "draining: not ready; stopping in 0.1 s" in "".join(server.log)


def test_kept_connection() -> None:
    """After the signal each answer closes its connection, so that no request is cut off later."""
    with (
        server_process("--no-cache", "--drain-delay", "600") as server,
        httpx.Client(base_url=server.url) as client,
    ):
        assert "connection" not in client.get("/health/live").headers

        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: client.get("/health/ready").status_code == 503)
        answer = client.get("/health/live")
        late = client.post("/caption", files={"image": b"picture"})

        assert late.status_code == 200
        assert {each.headers["connection"] for each in (answer, late)} == {"close"}


def test_second_signal() -> None:
    """A second signal ends the drain delay."""
    with server_process("--no-cache", "--drain-delay", "600") as server:
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not ready(server))
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(30) == 0


def test_stuck_upload() -> None:
    """An upload that never ends is answered 503 after --shutdown-timeout, and the server exits."""
    with (
        server_process("--no-cache", "--shutdown-timeout", "1") as server,
        socket.create_connection(("127.0.0.1", server.port)) as stuck,
    ):
        stuck.sendall(REQUEST[:-20])
        metrics = f"{server.url}/metrics"
        wait_until(lambda: "caption_requests_in_flight 1.0" in httpx.get(metrics).text)
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(30) == 0
        answer = stuck.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error_type"] == "draining"
    assert "Traceback" not in "".join(server.log)


def test_embedded_valkey_dies() -> None:
    """If the embedded Valkey dies, the server logs it once, goes on, and stops cleanly."""
    with server_process() as server:
        pid_fd = os.pidfd_open(embedded_valkey(server))
        signal.pidfd_send_signal(pid_fd, signal.SIGKILL)
        assert ended(pid_fd)
        os.close(pid_fd)

        assert [upload(server).status_code for _ in range(8)] == [200] * 8
        wait_until(lambda: "The embedded Valkey is down" in "".join(server.log))
        server.process.terminate()
        assert server.process.wait(30) == 0
    assert "".join(server.log).count("The embedded Valkey is down (SIGKILL)") == 1
