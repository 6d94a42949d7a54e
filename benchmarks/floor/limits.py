"""The least time that a caption can take here: its work at the machine's best rates."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.rows import CaptionFloor, Kernel, MachineRate, Work
from benchmarks.tables import duration

#: By the precision of the weights: the arithmetic it could use, bytes that a weight takes, or an
#: element of the cross-attention's keys and values.
KERNELS: dict[str, Kernel] = {"fp32": "sgemm", "bf16": "bf16 gemm", "int8": "int8 gemm"}
#: Those of the encoder's attention: probabilities are too small and too many for 8 bits.
ATTENTION_KERNELS: dict[str, Kernel] = {**KERNELS, "int8": "sgemm"}
WEIGHT_BYTES = {"fp32": 4, "bf16": 2, "int8": 1}


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds that a precision takes at least on this machine."""

    encode: float
    token: float

    def caption(self, tokens: float) -> float:
        return self.encode + tokens * self.token


def best_rates(rows: Iterable[object]) -> dict[Kernel, float]:
    """The best of all rounds that are among the rows, operations or bytes a second."""
    rates: dict[Kernel, float] = {}
    for row in rows:
        if isinstance(row, MachineRate):
            rates[row.kernel] = max(rates.get(row.kernel, 0.0), row.rate)
    return rates


def floor_of(rows: Iterable[object], precision: str) -> Floor | None:
    """One caption at a time, every weight read from memory in every step of the decoder.

    A decoder that fits the processor's caches may be read faster than that.
    None where the machine's rates or the work are not among the rows.
    """
    found = tuple(rows)
    rates = best_rates(found)
    work = next((row for row in found if isinstance(row, Work)), None)
    needed = {KERNELS[precision], ATTENTION_KERNELS[precision], "memory read"}
    if work is None or not needed <= rates.keys():
        return None
    linear = work.encoder_operations - work.attention_operations
    read = (work.weight_bytes + work.cross_bytes) * WEIGHT_BYTES[precision] / 4
    return Floor(
        encode=linear / rates[KERNELS[precision]]
        + work.attention_operations / rates[ATTENTION_KERNELS[precision]],
        token=read / rates["memory read"],
    )


def caption_seconds(rows: Iterable[object], server: str) -> float | None:
    """The floor of a server's captions, if it is among the rows."""
    floors = (row for row in rows if isinstance(row, CaptionFloor) and row.server == server)
    return next((row.seconds for row in floors), None)


def describe_caption_floors(rows: Iterable[object]) -> str:
    """For a table's note; empty where there are none."""
    return "; ".join(
        f"{row.server} ({row.precision}): {duration(row.seconds)}, of which {duration(row.encode)} "
        f"to encode and {row.tokens:.3g} tokens of {duration(row.token)}"
        for row in rows
        if isinstance(row, CaptionFloor)
    )
