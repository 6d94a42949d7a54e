"""The record of how a checkpoint is prepared for int8, and applying it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import BlipForConditionalGeneration

from export.int8.calibration import exponents_of, powers_of_two
from export.int8.foldings import foldings_of

FILE = "factors.json"


@dataclass(frozen=True, slots=True)
class Smoothing:
    """What makes int8 of a checkpoint more exact.

    Attributes:
        factors: powers of two f32 [channels], to divide an activation's channels by; the names are
            those of export.int8.foldings
        kept_fp32: products to keep in fp32, named as for --keep-fp32, with int8's error in each
    """

    factors: Mapping[str, Tensor]
    kept_fp32: Mapping[str, float]

    @property
    def rescaled(self) -> int:
        """Count the activations that are changed."""
        return sum(bool((each != 1).any()) for each in self.factors.values())

    @property
    def figures(self) -> dict[str, object]:
        """Return figures for the manifest."""
        errors = {name: round(error, 4) for name, error in self.kept_fp32.items()}
        return {"rescaled_activations": self.rescaled, "kept_fp32_for_tokens": errors}

    def __str__(self) -> str:
        line = f"{self.rescaled} of {len(self.factors)} activations are rescaled by powers of two"
        if not self.kept_fp32:
            return line
        kept = ", ".join(f"{name} ({error:.0%})" for name, error in self.kept_fp32.items())
        return f"{line}; in fp32, as a few tokens dominate (int8's error): {kept}"

    @property
    def digest(self) -> str:
        """Return a digest of the factors."""
        return hashlib.sha256(json.dumps(self._exponents()).encode()).hexdigest()

    def write(self, directory: Path) -> None:
        record = {"exponents": self._exponents(), "kept_fp32": dict(self.kept_fp32)}
        (directory / FILE).write_text(json.dumps(record), encoding="utf-8")

    @classmethod
    def read(cls, directory: Path) -> "Smoothing":
        record = json.loads((directory / FILE).read_text(encoding="utf-8"))
        exponents = record["exponents"].items()
        factors = {name: powers_of_two(torch.tensor(each)) for name, each in exponents}
        return cls(factors, record["kept_fp32"])

    def _exponents(self) -> dict[str, list[int]]:
        return {name: exponents_of(each) for name, each in self.factors.items()}

    def apply(self, model: BlipForConditionalGeneration) -> None:
        """Rescale a model's channels in place. In fp32 it computes the same numbers as before."""
        for name, folding in foldings_of(model).items():
            folding.apply(self.factors[name])
