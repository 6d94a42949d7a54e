"""A model directory is published, and servers elsewhere download and serve it."""

import json
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from server.captioning.model.directory import sha256_of
from server.hub.client import CHUNK
from tests.committed_model import EXAMPLES, shown_in, without_commas
from tests.hub.client import UNREACHABLE, hub_environment
from tests.hub.fake_hub import DEADLINE, TOKEN, Hub, serve
from tests.hub.models import MODEL_FILES, copy_model, flip_byte
from tests.hub.repositories import Line, Repository, Transfer
from tests.server.serving import ROOT, ServerProcess, server_process

pytestmark = pytest.mark.process

REPOSITORY = "someone/emoji"
REFERENCE = f"hf://{REPOSITORY}"
LARGE = "decoder_model.onnx"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return copy_model(tmp_path / "emoji")


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    (tmp_path / "storage").mkdir()
    return tmp_path / "storage"


def flags(*more: str) -> list[str]:
    return ["--model", REFERENCE, "--no-cache", "--threads", "1", *more]


def caption(server: ServerProcess) -> str:
    with EXAMPLES[0].open("rb") as picture:
        answer = httpx.post(f"{server.url}/caption", files={"image": picture}, timeout=DEADLINE)
    text = answer.raise_for_status().json()["caption"]
    return without_commas(str(text))


def start(home: Path, hub: str) -> subprocess.Popen[str]:
    """Start a server that is expected to end by itself, or by a signal."""
    return subprocess.Popen(
        [sys.executable, "-m", "server", "--port", "0", *flags()],
        cwd=ROOT,
        env=hub_environment(home, hub),
        stderr=subprocess.PIPE,
        text=True,
    )


def downloaded(home: Path) -> Path:
    """Return the directory of the model in the hub's cache."""
    (directory,) = (home / "hub").glob("models--*/snapshots/*")
    return directory


@dataclass(frozen=True)
class Published:
    """A cache into which a server has downloaded a model that was pushed, and what it said."""

    model: Path
    home: Path
    info: object
    caption: str
    log: str


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Push a model, and serve it once from an empty cache."""
    storage, home = tmp_path_factory.mktemp("storage"), tmp_path_factory.mktemp("home")
    model = copy_model(tmp_path_factory.mktemp("models") / "emoji")
    with serve(Hub(), storage) as address:
        pushed = subprocess.run(
            [sys.executable, "-m", "export.push", str(model), REPOSITORY],
            cwd=ROOT,
            env=hub_environment(home, address, TOKEN),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        assert pushed.returncode == 0, pushed.stderr
        assert pushed.stdout == f"serve it: scripts/serve --model {REFERENCE}\n"
        environment = hub_environment(home, address)
        with server_process(*flags(), module="server", environment=environment) as server:
            made = caption(server)
            info = httpx.get(f"{server.url}/info").json()["model"]
    return Published(model, home, info, made, "".join(server.log))


def test_what_was_pushed_is_served(published: Published) -> None:
    """The files have the digests of the directory that was pushed, and captions are right."""
    assert f"download {REPOSITORY}: 4 files, 17.4 MB; " in published.log
    assert f"download {REPOSITORY}: done in " in published.log
    assert published.caption == shown_in(EXAMPLES[0])
    assert {name: sha256_of(downloaded(published.home) / name) for name in MODEL_FILES} == {
        name: sha256_of(published.model / name) for name in MODEL_FILES
    }


def test_later_starts_need_no_network(published: Published) -> None:
    """With HF_HUB_OFFLINE and no hub, the same model is served."""
    offline = {**hub_environment(published.home), "HF_HUB_OFFLINE": "1"}
    with server_process(*flags(), module="server", environment=offline) as server:
        assert httpx.get(f"{server.url}/info").json()["model"] == published.info
        assert caption(server) == shown_in(EXAMPLES[0])


def test_a_changed_byte_is_refused(published: Published, tmp_path: Path) -> None:
    """A file of the cache that has changed ends the start with a line that names it."""
    home = tmp_path / "home"
    shutil.copytree(published.home, home, symlinks=True)
    blob = (downloaded(home) / LARGE).resolve()
    flip_byte(blob)
    process = start(home, UNREACHABLE)
    _, stderr = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    last = stderr.splitlines()[-1]
    assert last.startswith("python -m server: ")
    assert f"{LARGE} is not the file that its manifest lists" in last
    assert f"delete {blob} and start again" in last
    assert "Traceback" not in stderr


def test_an_interrupted_download_is_continued(model: Path, storage: Path, tmp_path: Path) -> None:
    """A signal ends the download at once, and the next start gets the rest only."""
    hub = Hub({REPOSITORY: Repository.of(model)})
    with serve(hub, storage) as address:
        for number, arrived in ((signal.SIGINT, 2 * CHUNK), (signal.SIGTERM, 4 * CHUNK)):
            released = threading.Event()
            hub.line = Line(breaks=(2 * CHUNK + 10,), stalled=released, file=LARGE)
            process = start(tmp_path, address)
            try:
                partial = wait_for_partial(hub, tmp_path, arrived)
                process.send_signal(number)
                _, stderr = process.communicate(timeout=DEADLINE / 4)
            finally:
                process.kill()
                released.set()
            assert process.returncode == 128 + number
            assert stderr.splitlines()[-1].endswith("interrupted; what arrived is kept")
            assert partial.stat().st_size == arrived
        hub.line = Line(file=LARGE)
        environment = hub_environment(tmp_path, address)
        with server_process(*flags(), module="server", environment=environment):
            pass
    size = (model / LARGE).stat().st_size
    assert hub.line.transfers == [Transfer(start=4 * CHUNK, sent=size - 4 * CHUNK)]


def wait_for_partial(hub: Hub, home: Path, size: int) -> Path:
    """Wait until so many bytes of the large file are on the disk. Return where."""
    assert hub.line.reached.wait(DEADLINE)
    waited = threading.Event()
    for _ in range(int(DEADLINE / 0.05)):
        for partial in (home / "hub").glob("models--*/blobs/*.incomplete"):
            if partial.stat().st_size == size:
                return partial
        waited.wait(0.05)
    raise AssertionError(f"{size} bytes did not arrive within {DEADLINE} s")


def test_two_starts_at_once_download_once(model: Path, storage: Path, tmp_path: Path) -> None:
    """The second start waits for the first one's download and says so; both serve."""
    released = threading.Event()
    hub = Hub({REPOSITORY: Repository.of(model)})
    size = (model / LARGE).stat().st_size
    hub.line = Line(breaks=(size // 2,), stalled=released, resumes=True, file=LARGE)
    with serve(hub, storage) as address, ThreadPoolExecutor() as pool:
        environment = hub_environment(tmp_path, address)

        def serve_once() -> str:
            with server_process(*flags(), module="server", environment=environment) as server:
                return caption(server)

        first = pool.submit(serve_once)
        assert hub.line.reached.wait(DEADLINE)
        second = start(tmp_path, address)
        assert second.stderr is not None
        try:
            assert any("another process downloads" in line for line in second.stderr)
            released.set()
            assert first.result(DEADLINE) == shown_in(EXAMPLES[0])
            assert any("listening on" in line for line in second.stderr)
        finally:
            released.set()
            second.kill()
            second.communicate()
    assert hub.line.transfers == [Transfer(start=0, sent=size)]


def test_json_logs_stay_json(model: Path, storage: Path, tmp_path: Path) -> None:
    """The progress of a download is logged like everything else."""
    with serve(Hub({REPOSITORY: Repository.of(model)}), storage) as address:
        environment = hub_environment(tmp_path, address)
        json_flags = flags("--log-format", "json", "--model-cache", str(tmp_path / "cache"))
        with server_process(*json_flags, module="server", environment=environment) as server:
            lines = [json.loads(line)["message"] for line in server.log]
    assert any(line.startswith(f"download {REPOSITORY}: done in ") for line in lines)
    assert (tmp_path / "cache" / "models--someone--emoji").is_dir()
    assert not (tmp_path / "hub").exists()
