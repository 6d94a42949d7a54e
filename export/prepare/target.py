"""The model directory of a hub id: its name below models/, and whether it is finished."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from export.prepare.errors import PrepareError, UsageError
from server.captioning.errors import ModelDirectoryError
from server.captioning.model.directory import MANIFEST, read_manifest
from server.captioning.model.manifest import Precision

PRECISIONS = get_args(Precision)

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
REVISION = re.compile(r"\w[\w./-]*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")


def is_hub_id(text: str) -> bool:
    """Return whether `text` is OWNER/NAME and no path: no folder here has OWNER's name."""
    return bool(HUB_ID.fullmatch(text)) and not Path(text).parent.exists()


@dataclass(frozen=True, slots=True)
class Target:
    """A checkpoint on the hub, and the precision in which it is exported below `models`."""

    hub_id: str
    revision: str | None
    precision: Precision
    models: Path

    def __post_init__(self) -> None:
        """Check the texts that become a path. Raises UsageError."""
        if not HUB_ID.fullmatch(self.hub_id):
            raise UsageError(
                f"{self.hub_id} is no hub id such as Salesforce/blip-image-captioning-base; "
                "correct it."
            )
        if self.revision is not None and not REVISION.fullmatch(self.revision):
            raise UsageError(
                f"--revision {self.revision} is no name of a branch, tag or commit; correct it."
            )

    @property
    def name(self) -> str:
        """The model's name in captions: the hub id without its owner."""
        return self.hub_id.partition("/")[2]

    @property
    def directory(self) -> Path:
        revision = f"@{self.revision}" if self.revision else ""
        name = f"{self.hub_id}{revision}".replace("/", "--")
        return self.models / f"{name}-{self.precision}"

    @property
    def work(self) -> Path:
        """The directory in which the export keeps its stages until it succeeds."""
        return self.directory.with_name(f".{self.directory.name}.export")

    @property
    def rejected(self) -> Path:
        """The directory to which the export moves a candidate that the gate refuses."""
        return self.directory.with_name(f"{self.directory.name}.rejected")

    def is_finished(self) -> bool:
        """Return whether the directory is there and is the export of this checkpoint.

        The export creates it complete. Raises PrepareError if it is there and holds anything else.
        """
        if not os.path.lexists(self.directory):
            return False
        try:
            manifest = read_manifest(self.directory)
        except ModelDirectoryError as exc:
            raise self._foreign(str(exc).partition(";")[0]) from exc
        if manifest.source != self.hub_id:
            raise self._foreign(f"its {MANIFEST} names the source {manifest.source}")
        if manifest.precision != self.precision:
            raise self._foreign(f"its {MANIFEST} names the precision {manifest.precision}")
        if COMMIT.fullmatch(self.revision or "") and manifest.revision != self.revision:
            raise self._foreign(f"its {MANIFEST} names the commit {manifest.revision}")
        return True

    def _foreign(self, why: str) -> PrepareError:
        return PrepareError(
            f"{self.directory} is not an export of {self.hub_id} that this version reads: {why}; "
            f"remove it (rm -r {self.directory}) and run the same command again."
        )
