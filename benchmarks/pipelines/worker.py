"""The inside of a process that holds one pipeline."""

from time import perf_counter

from benchmarks.errors import PeerUnavailable, WrongAnswer
from benchmarks.peers.pipeline import Pipeline
from benchmarks.peers.registry import PEERS
from benchmarks.processes import peak_memory
from benchmarks.rows import Captioned, Loaded
from benchmarks.subjects import Subject

#: What this process holds between calls from its parent.
_pipelines: dict[str, Pipeline] = {}


def prepare(name: str, subject: Subject) -> None:
    """Make what the pipeline reads. Raises PeerUnavailable."""
    try:
        PEERS[name].prepare(subject)
    except ImportError as exc:
        raise _lacking(exc) from exc


def load(name: str, subject: Subject, threads: int, jpeg: bytes) -> Loaded:
    """Open the pipeline and give it its first caption. Raises PeerUnavailable."""
    began = perf_counter()
    try:
        pipeline = PEERS[name].open(subject, threads)
    except ImportError as exc:
        raise _lacking(exc) from exc
    pipeline.caption(jpeg, 2)
    _pipelines[name] = pipeline
    return Loaded(name, PEERS[name].precision, perf_counter() - began)


def caption(number: int, name: str, jpeg: bytes, tokens: int) -> Captioned:
    """One row of a round. Raises WrongAnswer for a caption of another length."""
    phases = _pipelines[name].caption(jpeg, tokens)
    if len(phases.token_ids) != tokens:
        raise WrongAnswer(
            f"{name} made {len(phases.token_ids)} tokens where {tokens} were asked for; it did "
            "other work than the rest"
        )
    return Captioned(
        round=number,
        pipeline=name,
        tokens=tokens,
        preprocess=phases.preprocess,
        encode=phases.encode,
        decode=phases.decode,
        token_ids=phases.token_ids,
        peak_bytes=peak_memory(),
    )


def _lacking(exc: ImportError) -> PeerUnavailable:
    return PeerUnavailable(
        f"the package {exc.name} is not installed; pip install '.[bench]' has it"
    )
