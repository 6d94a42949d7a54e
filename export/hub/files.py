"""The files of a checkpoint on the hub that an export needs."""

from collections.abc import Collection
from fnmatch import fnmatch

CONFIGURATION = ("*.json", "*.txt")
WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")  # the first kind that exists is downloaded


def checkpoint_files(names: Collection[str]) -> list[str]:
    """Select from a repository's files. Repositories hold the same weights in several formats."""
    top = [name for name in names if "/" not in name]
    kinds = [kind for kind in WEIGHTS if any(fnmatch(name, kind) for name in top)]
    wanted = (*CONFIGURATION, *kinds[:1])
    return [name for name in top if any(fnmatch(name, pattern) for pattern in wanted)]
