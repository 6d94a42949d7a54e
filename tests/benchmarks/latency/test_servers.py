"""The real servers, on a model small enough to wait for."""

import json
from pathlib import Path

import pytest

from benchmarks import subjects
from benchmarks.__main__ import main
from benchmarks.checkouts import ROOT
from benchmarks.subjects import Subject

pytestmark = pytest.mark.process

#: A server that answers every upload with a hit, as a fast and broken one would.
BROKEN = """
import sys
from aiohttp import web

async def caption(request):
    await request.read()
    return web.json_response({"caption": "a dog", "cached": True}, headers={"X-Cache": "HIT"})

app = web.Application(client_max_size=10**7)
app.router.add_post("/caption", caption)
port = next(int(each[7:]) for each in sys.argv if each.startswith("--port="))
web.run_app(app, host="127.0.0.1", port=port, print=None)
"""


@pytest.fixture(autouse=True)
def _work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(subjects, "WORK", tmp_path / "work")


def flags(subject: Subject) -> list[str]:
    return ["--model", str(subject.given["fp32"]), "--precision=fp32", "--threads=1"]


def test_both_servers_are_measured_side_by_side(tiny_subject: Subject, tmp_path: Path) -> None:
    """The tutorial's server and ours answer the model's captions, each kind in every round."""
    record = tmp_path / "run.json"
    options = ["--rounds=1", "--hits=2", "--sizes", "50 KB", "--json", str(record)]
    assert main(["latency", *flags(tiny_subject), *options]) == 0
    rows = json.loads(record.read_text())["rows"]
    hits = {"ours": ["cached"] * 2 + ["by digest"] * 2, "tutorial": ["cached"] * 2}
    for server in ("ours", "tutorial"):
        samples = [row for row in rows if row["server"] == server and "kind" in row]
        kinds = ["cold", *hits[server], "new prompt", "8 at once"]
        assert [row["kind"] for row in samples] == kinds
        (memory,) = [row for row in rows if row["server"] == server and "peak_bytes" in row]
        assert memory["peak_bytes"] > 10_000_000


@pytest.mark.parametrize("name", ["latency", "pipelines"])
def test_two_checkouts_are_measured_in_turn(
    name: str, tiny_subject: Subject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--against measures both checkouts' servers as often, with captions that are equal."""
    other, record = tmp_path / "other", tmp_path / "run.json"
    other.mkdir()
    for package in ("server", "export"):
        (other / package).symlink_to(ROOT / package)
    options = ["--rounds=1", f"--against={other}", f"--json={record}"]
    assert main([name, *flags(tiny_subject), *options]) == 0
    run = json.loads(record.read_text())
    assert run["settings"]["captions"] == "equal"
    kinds = {
        side: [row["kind"] for row in run["rows"] if row["server"] == side]
        for side in ("this", "other")
    }
    assert kinds["this"] == kinds["other"]
    assert kinds["this"].count("cold") == 4
    assert ("cached" in kinds["this"]) == (name == "latency")
    assert "this / other" in capsys.readouterr().out


def test_a_broken_checkout_fails(
    tiny_subject: Subject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkout whose server claims hits for new files gives no figures."""
    other = tmp_path / "other"
    (other / "server").mkdir(parents=True)
    (other / "server" / "__main__.py").write_text(BROKEN)
    (other / "export").symlink_to(ROOT / "export")
    (other / "server" / "captioning").symlink_to(ROOT / "server" / "captioning")
    (other / "server" / "__init__.py").touch()
    assert main(["latency", *flags(tiny_subject), f"--against={other}"]) == 1
    assert "other answered 200 KB 0 with HIT where it must be MISS" in capsys.readouterr().err
