"""Say what a finished stage depends on. It is reused only while all of that is unchanged."""

import hashlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path

from export.hub.files import CONFIGURATION, WEIGHTS
from export.manifest import TOOLS
from export.sources import Source
from export.stages.digests import Key, digest_of_files
from export.verification.parity import Case

ROOT = Path(__file__).parents[2]
#: The code that makes graphs and captions.
CODE = ("export", "server/captioning")


def graphs_key(source: Source) -> Key:
    """Return what exported graphs depend on: the checkpoint, this code, the tools' versions."""
    return {
        "checkpoint": source.revision or digest_of_checkpoint(source.directory),
        "code": digest_of_files(_code(), ROOT),
        **{tool: version(tool) for tool in TOOLS},
    }


def captions_key(source: Key, cases: Iterable[Case]) -> Key:
    """Return what transformers' captions depend on. `source` is the key of the graphs."""
    digest = hashlib.sha256()
    for case in cases:
        picture = hashlib.sha256(case.picture.data).hexdigest()
        digest.update(f"{picture} {case.prompt!r} {case.num_beams}\n".encode())
    return {**source, "pictures and prompts": digest.hexdigest(), "pillow": version("pillow")}


def digest_of_checkpoint(directory: Path) -> str:
    """Return the SHA-256 over the names and contents of a checkpoint's files."""
    patterns = (*CONFIGURATION, *WEIGHTS)
    files = [
        path
        for path in directory.iterdir()
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in patterns)
    ]
    return digest_of_files(files, directory)


def _code() -> Iterator[Path]:
    for folder in CODE:
        yield from (ROOT / folder).rglob("*.py")
