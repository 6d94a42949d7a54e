"""Stands for `python -m export`: writes the committed model to OUTPUT, under SOURCE's name.

STUB_GATE: a named pipe; without a writer the stub waits. STUB_ENDS: how it ends instead.
"""

import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import cast

from server.captioning.model.directory import FILES, read_manifest, write_manifest
from server.captioning.model.manifest import Precision
from tests.committed_model import MODEL


def main(source: str, output: Path, *flags: str) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    print(f"stub: process {os.getpid()}: {' '.join(sys.argv[1:])}", file=sys.stderr, flush=True)
    if gate := os.environ.get("STUB_GATE"):
        wait(Path(gate))
    match os.environ.get("STUB_ENDS"):
        case "refused":
            output.with_name(f"{output.name}.rejected").mkdir()
            print("export: 3 of 9 captions equal transformers'", file=sys.stderr)
            return 1
        case "failed":
            print("export: the disk is full; free some.", file=sys.stderr)
            return 1
    given = dict(zip(flags[::2], flags[1::2], strict=False))
    publish(source, output, given["--precision"], given["--name"])
    return 0


def stop(number: int, frame: FrameType | None) -> None:
    print(f"stub: {signal.Signals(number).name}", file=sys.stderr, flush=True)
    if os.environ.get("STUB_ENDS") != "never":
        sys.exit(128 + number)


def wait(gate: Path) -> None:
    """Wait until another process opens the pipe for writing. A signal does not end the wait."""
    with gate.open("rb"):
        pass


def publish(source: str, output: Path, precision: str, name: str) -> None:
    partial = output.with_name(f".{output.name}.partial")
    partial.mkdir()
    for file in FILES:
        shutil.copy(MODEL / file, partial)
    manifest = replace(
        read_manifest(MODEL),
        source=source,
        precision=cast(Precision, precision),
        name=name,
        notice=None,
    )
    write_manifest(partial, manifest)
    partial.rename(output)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
