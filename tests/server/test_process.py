"""Behaviour that needs real sockets or a process of its own."""

import asyncio
import os
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.server.fakes import FakeModel
from tests.server.serving import (
    ROOT,
    ServerProcess,
    acquired,
    all_waiting,
    clean_environment,
    listening_app,
    server_process,
    until,
)
from tests.server.valkey import embedded_pid

pytestmark = pytest.mark.process

FORM = (
    b"--b\r\n"
    b'Content-Disposition: form-data; name="image"; filename="x.jpg"\r\n\r\n'
    b"picture\r\n"
    b"--b--\r\n"
)
REQUEST = (
    b"POST /caption HTTP/1.1\r\nHost: app\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n"
    b"Content-Length: %d\r\n\r\n" % len(FORM)
) + FORM


def upload(server: ServerProcess) -> httpx.Response:
    return httpx.post(f"{server.url}/caption", files={"image": b"picture"})


def embedded_valkey(server: ServerProcess) -> int:
    """Return the process id of the Valkey that the server embeds."""
    return embedded_pid(server.process.pid)


def ended(pid_fd: int) -> bool:
    return bool(select.select([pid_fd], [], [], 30)[0])


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m server` where it cannot start."""
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_from_start_to_sigterm() -> None:
    """A server logs its model and cache, answers, caches, and leaves no process or directory."""
    with server_process("--cache-memory-mb", "16") as server:
        start = "".join(server.log)
        assert "model: fake, fp32, digest" in start
        assert "threads: 1" in start
        assert "cache: embedded Valkey, up to 16 MB" in start

        assert [upload(server).headers["x-cache"] for _ in range(2)] == ["MISS", "HIT"]

        valkey = embedded_valkey(server)
        directory = Path(f"/proc/{valkey}/cwd").readlink()
        assert oct(directory.stat().st_mode)[-3:] == "700"
        server.process.terminate()
        assert server.process.wait(60) == 0
        assert not Path(f"/proc/{valkey}").exists()
        assert not directory.exists()
    log = "".join(server.log)
    assert re.search(r"POST /caption 200 HIT \d+\.\d [0-9a-f]{32}", log)
    assert "Traceback" not in log


def test_sigkill_takes_valkey_along() -> None:
    """The embedded Valkey does not outlive a killed server."""
    with server_process() as server:
        pid_fd = os.pidfd_open(embedded_valkey(server))
        server.process.kill()

        assert ended(pid_fd)
        os.close(pid_fd)


def test_ctrl_c_spares_valkey() -> None:
    """Ctrl-C in a terminal does not reach Valkey, so that requests in flight keep their cache."""
    with server_process() as server:
        assert os.getpgid(embedded_valkey(server)) != os.getpgid(server.process.pid)


def test_redis_absent() -> None:
    """A server whose Redis is unreachable starts and captions."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"redis://:hidden@127.0.0.1:{free.getsockname()[1]}"
    with server_process("--redis-url", url) as server:
        assert upload(server).status_code == 200
    log = "".join(server.log)
    assert "cache is unreachable" in log
    assert "hidden" not in log


def test_json_log() -> None:
    """With --log-format json every line is an object with the request's fields."""
    with server_process("--no-cache", "--log-format", "json") as server:
        upload(server)
        server.process.terminate()
        server.process.wait(60)
    assert all(line.startswith('{"time":') for line in server.log)
    assert '"path": "/caption", "status": 200, "cache": "MISS"' in "".join(server.log)


def test_port_in_use() -> None:
    """A port in use ends the start with one line that names it, and status 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("--port", port)

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert port in line
    assert "--port" in line


@pytest.mark.parametrize("manifest", [None, "{}", "not JSON"])
def test_no_model(tmp_path: Path, manifest: str | None) -> None:
    """A missing or malformed model directory ends the start with one line, and status 1."""
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)

    done = run("--port", "0", "--model", str(tmp_path))

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "manifest.json" in line


def test_bad_flag() -> None:
    """A bad flag ends the start with one line, and status 2."""
    done = run("--port", "many")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.anyio
async def test_client_leaves() -> None:
    """Inference stops when its only client disconnects."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with listening_app(captioner) as app:
        _, writer = await asyncio.open_connection("127.0.0.1", app.port)
        writer.write(REQUEST)
        await acquired(captioner.started)

        writer.close()

        await acquired(captioner.stopped)


@pytest.mark.anyio
async def test_one_of_two_clients_leaves() -> None:
    """Inference goes on while one of its clients still waits."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with listening_app(captioner) as app, httpx.AsyncClient() as client:
        _, writer = await asyncio.open_connection("127.0.0.1", app.port)
        writer.write(REQUEST)
        await acquired(captioner.started)
        second = asyncio.create_task(client.post(f"{app.url}/caption", files={"image": b"picture"}))
        await all_waiting(app.resources, 2)

        writer.close()
        await all_waiting(app.resources, 1)
        captioner.gate.set()

        assert (await second).headers["x-cache"] == "COALESCED"
        assert captioner.inferences == 1


@pytest.mark.anyio
async def test_client_leaves_in_mid_upload(caplog: pytest.LogCaptureFixture) -> None:
    """A connection that ends in the middle of an upload is logged as 499, not as an error."""
    caplog.set_level("INFO")
    async with listening_app(FakeModel()) as app, httpx.AsyncClient() as client:
        _, writer = await asyncio.open_connection("127.0.0.1", app.port)
        writer.write(REQUEST[:-20])
        await until(lambda: app.resources["admission"].in_flight == 1)
        writer.close()
        await until(lambda: app.resources["admission"].in_flight == 0)

        answer = await client.post(f"{app.url}/caption", files={"image": b"picture"})
        assert answer.status_code == 200
    assert "POST /caption 499 - " in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.anyio
async def test_health_during_inference() -> None:
    """Health answers during inference, because inference does not block the event loop."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with listening_app(captioner) as app, httpx.AsyncClient() as client:
        caption = asyncio.create_task(
            client.post(f"{app.url}/caption", files={"image": b"picture"})
        )
        await acquired(captioner.started)

        assert (await client.get(f"{app.url}/health/live", timeout=30)).status_code == 200

        captioner.gate.set()
        await caption


@pytest.mark.anyio
async def test_sigterm_with_work_in_flight() -> None:
    """After a signal no caption is admitted, and requests in flight are answered."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with listening_app(captioner) as app, httpx.AsyncClient() as client:
        in_flight = asyncio.create_task(
            client.post(f"{app.url}/caption", files={"image": b"picture"})
        )
        await acquired(captioner.started)
        async with httpx.AsyncClient() as other:
            await other.get(f"{app.url}/health/live")

            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0)

            late = await other.post(f"{app.url}/caption", files={"image": b"picture"})
            assert (late.status_code, late.json()["error_type"]) == (503, "draining")
        captioner.gate.set()

        assert (await in_flight).status_code == 200
        await asyncio.wait_for(app.serving, 30)


@pytest.mark.anyio
@pytest.mark.parametrize("first", [b"", b"GET /health/live HTTP/1.1\r\nHost: app\r\n\r\n"])
async def test_request_on_its_way_at_the_end(first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request on an idle connection is answered although the server has just closed."""
    monkeypatch.setattr("server.http.uvicorn_protocol.LINGER", 30)
    async with listening_app(FakeModel()) as app:
        reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
        writer.write(first)
        if first:
            await reader.readuntil(b"}")
        await until(lambda: bool(app.server.server_state.connections))
        app.server.handle_exit(signal.SIGTERM, None)
        await until(lambda: not any(each.is_serving() for each in app.server.servers))

        writer.write(REQUEST)
        answer = await reader.read()
        writer.close()

        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"connection: close" in answer
        await asyncio.wait_for(app.serving, 30)
