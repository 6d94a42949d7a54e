"""Say whether a model directory may be published."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate decides. `figures` are for the manifest, `summary` is one line."""

    decision: Literal["accepted", "warned", "refused"]
    figures: dict[str, object]
    summary: str
