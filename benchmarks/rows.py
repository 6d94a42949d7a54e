"""What is measured, one record each; durations in seconds."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["cold", "new prompt", "cached", "floor"]


@dataclass(frozen=True, slots=True)
class LatencySample:
    """One request; `phases` as the server states them. The floor is a route that only reads."""

    round: int
    server: str
    size: str
    kind: Kind
    seconds: float
    phases: dict[str, float]


@dataclass(frozen=True, slots=True)
class CaptionFloor:
    """The least that a caption without prompt takes a server, at this machine's best rates.

    `encode` is of the picture, `token` of a decoder step, of which there are `tokens` on average.
    """

    server: str
    precision: str
    encode: float
    token: float
    tokens: float

    @property
    def seconds(self) -> float:
        return self.encode + self.tokens * self.token


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """One level of load on one server.

    `level` is a number of connections that each wait for their answer (closed loop), or requests
    a second that arrive whatever the server does (open loop). `latencies` are those of captions,
    in an open loop from when they were to be sent. `statuses` counts answers, 0 for none at all.
    `hits` were answered from the cache, `expected_hits` were in it.
    """

    server: str
    loop: Literal["closed", "open"]
    level: float
    seconds: float
    latencies: tuple[float, ...]
    statuses: dict[int, int]
    hits: int
    expected_hits: int


@dataclass(frozen=True, slots=True)
class Absent:
    """A pipeline that can't be measured here."""

    pipeline: str
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """How long a pipeline took from a running interpreter to its first caption."""

    pipeline: str
    precision: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Captioned:
    """One caption of `tokens` tokens; `peak_bytes` is the most memory its process had until now."""

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


@dataclass(frozen=True, slots=True)
class Work:
    """What a caption takes at least: arithmetic of the encoder, bytes that a token's step reads.

    Multiplications and additions both count; those of attention, between activations alone, are
    among the encoder's. Bytes are those of fp32.
    """

    encoder_operations: float
    attention_operations: float
    weight_bytes: float
    cross_bytes: float


#: Each beside the one that it is compared with.
Case = Literal[
    "preprocess 12 MP",
    "preprocess 12 MP, decoded in full",
    "new prompt on a known picture",
    "the same on a new picture",
    "one of 8 pictures at once",
    "one of 8 pictures in turn",
]


@dataclass(frozen=True, slots=True)
class Beyond:
    """What one caption alone doesn't show, as the server does it; `seconds` are for one picture.

    `resident_bytes` is the memory that the process then has.
    """

    round: int
    case: Case
    seconds: float
    resident_bytes: int


Kernel = Literal["sgemm", "bf16 gemm", "int8 gemm", "memory read"]


@dataclass(frozen=True, slots=True)
class MachineRate:
    """What this machine did in one round: operations or bytes a second."""

    round: int
    kernel: Kernel
    rate: float


LatencyRow = LatencySample | CaptionFloor
LoadRow = LoadPoint | CaptionFloor
PipelineRow = Absent | Loaded | Captioned | Beyond | Work | MachineRate
