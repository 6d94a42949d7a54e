"""The functions that run in the process of one pipeline."""

from time import perf_counter

from benchmarks.errors import Unavailable, WrongAnswer
from benchmarks.peers.pipeline import Pipeline
from benchmarks.peers.registry import PEERS
from benchmarks.processes import peak_memory
from benchmarks.rows import Captioned, Loaded
from benchmarks.subjects import Subject

#: The pipeline of this process, kept between calls from its parent.
_pipelines: dict[str, Pipeline] = {}


def prepare(name: str, subject: Subject) -> None:
    """Write the files that the pipeline reads. Raises Unavailable."""
    try:
        PEERS[name].prepare(subject)
    except ImportError as exc:
        raise _lacking(exc) from exc


def load(name: str, subject: Subject, threads: int, jpeg: bytes) -> Loaded:
    """Open the pipeline and caption once. Raises Unavailable."""
    began = perf_counter()
    try:
        pipeline = PEERS[name].open(subject, threads)
    except ImportError as exc:
        raise _lacking(exc) from exc
    pipeline.caption(jpeg, 2)
    _pipelines[name] = pipeline
    return Loaded(name, PEERS[name].precision, perf_counter() - began)


def caption(number: int, name: str, jpeg: bytes, tokens: int) -> Captioned:
    """Measure one caption. Raises WrongAnswer for an empty one, or one that is too long."""
    phases = _pipelines[name].caption(jpeg, tokens)
    if not 1 <= len(phases.token_ids) <= tokens:
        raise WrongAnswer(
            f"{name} generated {len(phases.token_ids)} tokens where 1 to {tokens} were asked for"
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


def _lacking(exc: ImportError) -> Unavailable:
    return Unavailable(f"the package {exc.name} is not installed; pip install '.[bench]' has it")
