"""Measure latency: one request at a time (cold, cached, by digest, new prompt), and 8 at once."""

import asyncio
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack

from benchmarks.http.servers import start_server
from benchmarks.http.verification import Verifier, reference_captions
from benchmarks.latency import against, figures
from benchmarks.latency.sampling import PROMPT, sample
from benchmarks.options import (
    add_against_arguments,
    add_model_arguments,
    add_server_arguments,
    model_directories,
    positive,
)
from benchmarks.pictures import SIZES, draw
from benchmarks.processes import peak_memory
from benchmarks.rows import Kind, LatencyRow, ServerMemory
from benchmarks.runs import Run
from benchmarks.subjects import find_subject
from benchmarks.tables import Table


def add_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)
    add_server_arguments(parser)
    add_against_arguments(parser)
    parser.add_argument("--hits", type=positive, default=20, help="repeats of each cold request")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))


def measure(options: Namespace, run: Run[LatencyRow]) -> None:
    """Raises Unavailable, ModelDirectoryError and WrongAnswer."""
    if options.against:
        against.measure(options, run, figures.main_size(options.sizes), cache=True)
        return
    subject, rounds = find_subject(options.model), options.rounds or 5
    run.model = f"{subject.label}; ours in {options.precision}"
    run.settings = {"rounds": str(rounds), "hits": str(options.hits)}
    directories = model_directories(options, subject)
    pictures = {name: draw(SIZES[name], 0) for name in options.sizes}
    uploads: list[Kind] = ["cached"] * options.hits
    look_ups: list[Kind] = ["by digest"] * options.hits
    asked: list[Kind] = ["cold", *uploads, *look_ups, "new prompt"]
    kinds = {name: list(asked) for name in options.sizes}
    kinds[figures.main_size(options.sizes)].append("8 at once")
    run.say("captioning the pictures without a server")
    prompts = (None, PROMPT)
    known = reference_captions(directories, options.threads, list(pictures.values()), prompts)
    with ExitStack() as stack:
        run.say("starting servers")
        targets = [
            stack.enter_context(start_server(name, subject, directory, options.threads))
            for name, directory in directories.items()
        ]
        verifier = Verifier(known)
        asyncio.run(sample(targets, pictures, kinds, verifier, range(rounds + 1), run))
        run.rows += [ServerMemory(each.name, peak_memory(each.pid)) for each in targets]


def tables(run: Run[LatencyRow]) -> list[Table]:
    return against.tables(run) if against.OTHER in run.settings else figures.tables(run)
