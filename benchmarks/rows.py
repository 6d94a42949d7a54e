"""Records of measurements, one dataclass per kind of row; all durations in seconds."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["cold", "new prompt", "cached", "by digest", "8 at once"]


@dataclass(frozen=True, slots=True)
class LatencySample:
    """One request, with the phases that the server states in Server-Timing.

    For "8 at once", `seconds` is an eighth of the time until all eight are answered.
    """

    round: int
    server: str
    size: str
    kind: Kind
    seconds: float
    phases: dict[str, float]


@dataclass(frozen=True, slots=True)
class ServerMemory:
    """The greatest resident memory of a server process after all rounds."""

    server: str
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """Requests at `rate` a second on average, on one server, until the last answer.

    `latencies` are those of captions and count from the scheduled time of the request. `statuses`
    counts answers by HTTP status, 0 for no answer. `hits` were answered from the cache.
    """

    server: str
    rate: float
    seconds: float
    latencies: tuple[float, ...]
    statuses: dict[int, int]
    hits: int


@dataclass(frozen=True, slots=True)
class Absent:
    """A pipeline that cannot be measured on this machine."""

    pipeline: str
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The time from a running interpreter to a pipeline's first caption."""

    pipeline: str
    precision: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Captioned:
    """One caption of at most `tokens` tokens; `peak_bytes` is its process's greatest memory."""

    round: int
    pipeline: str
    tokens: int
    preprocess: float
    encode: float
    decode: float
    token_ids: tuple[int, ...]
    peak_bytes: int

    @property
    def seconds(self) -> float:
        return self.preprocess + self.encode + self.decode

    @property
    def seconds_per_token(self) -> float:
        return self.decode / len(self.token_ids)


@dataclass(frozen=True, slots=True)
class Work:
    """The least work of a caption of one picture, bytes as in fp32.

    Multiplications and additions both count as operations. `attention_operations`, the products of
    two activations, are part of `encoder_operations`. A decoder step reads `step_bytes`: weights
    and the encoder's last hidden state.
    """

    encoder_operations: float
    attention_operations: float
    step_bytes: float


Kernel = Literal["fp32 gemm", "bf16 gemm", "int8 gemm", "memory read"]


@dataclass(frozen=True, slots=True)
class MachineRate:
    """The rate of one kernel in one round, in operations or bytes a second."""

    round: int
    kernel: Kernel
    rate: float


LatencyRow = LatencySample | ServerMemory
RooflineRow = Work | MachineRate
PipelineRow = Absent | Loaded | Captioned | Work | MachineRate
