"""Measure the latency of one request at a time (cold, cached, new prompt), and of 8 at once."""

import asyncio
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack

from benchmarks.http.verification import Verifier, reference_captions
from benchmarks.latency import against
from benchmarks.latency.figures import main_size, tables
from benchmarks.latency.sampling import PROMPT, Sampling, sample
from benchmarks.options import (
    add_server_arguments,
    chosen_subject,
    model_label,
    positive,
    references,
    start_servers,
)
from benchmarks.pictures import SIZES, draw
from benchmarks.processes import peak_memory
from benchmarks.rows import LatencyRow, ServerMemory
from benchmarks.runs import Run

__all__ = ["add_arguments", "measure", "tables"]


def add_arguments(parser: ArgumentParser) -> None:
    add_server_arguments(parser)
    against.add_arguments(parser)
    parser.add_argument("--hits", type=positive, default=20, help="repeats of each cold request")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))


def measure(options: Namespace, run: Run[LatencyRow]) -> None:
    """Raises Unavailable, ModelDirectoryError and WrongAnswer."""
    if options.against:
        against.measure(options, run, main_size(options.sizes), cache=True)
        return
    subject = chosen_subject(options)
    rounds = options.rounds or 5
    run.model = model_label(options, subject)
    run.settings = {"rounds": str(rounds), "hits": str(options.hits)}
    pictures = {name: draw(SIZES[name], 0) for name in options.sizes}
    run.say("captioning the pictures without a server")
    known = reference_captions(
        references(options, subject), options.threads, list(pictures.values()), (None, PROMPT)
    )
    sampling = Sampling(pictures, options.hits, new_prompt=True, burst=main_size(options.sizes))
    with ExitStack() as stack:
        run.say("starting servers")
        targets = start_servers(stack, options, subject, options.servers)
        asyncio.run(sample(targets, sampling, Verifier(known), range(rounds + 1), run))
        run.rows += [
            ServerMemory(target.name, peak_memory(target.pid)) for target in targets if target.pid
        ]
