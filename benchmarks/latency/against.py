"""Compare this checkout's server with another checkout's, for `--against CHECKOUT`.

Both checkouts are measured through interfaces that outlast a refactoring: `python -m export`,
`python -m server`, and HTTP with Server-Timing. Their modules may differ in every name. Each
exports its own model directory from the same checkpoint, because formats may differ too.

A round starts both servers anew, sends unrecorded requests to warm up, and then uploads new files
to both in turn, another one first each time. So neither a drift of the machine nor the luck of one
process with its memory pages is taken for a difference of the code. The ratio of a round is the
median over its pairs of requests next to each other in time. The result is the median over rounds
with its binomial interval (summaries.median_interval).

`latency --against` compares cold captions and cached hits. `pipelines --against` compares cold
captions of servers without a cache, in whole and by the phases of Server-Timing: little else than
the pipeline takes time there.
"""

import asyncio
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from pathlib import Path

from benchmarks.checkouts import Checkout
from benchmarks.http.servers import our_server
from benchmarks.http.verification import Verifier, reference_captions
from benchmarks.interleaving import rotated
from benchmarks.latency.figures import OTHER, THIS
from benchmarks.latency.sampling import Sampling, sample
from benchmarks.options import positive
from benchmarks.pictures import SIZES, draw
from benchmarks.rows import LatencyRow
from benchmarks.runs import Run
from benchmarks.subjects import BASE, find_subject

ROUNDS = 30
#: Repetitions of a round's requests while the same two processes run.
REPEATS = 4
HITS = 10


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="compare this checkout's server with that of another checkout, and with nothing else",
    )
    parser.add_argument("--rounds", type=positive, help=f"default: 5, with --against {ROUNDS}")


def measure(options: Namespace, run: Run[LatencyRow], size: str, cache: bool) -> None:
    """Raises Unavailable, ModelDirectoryError and WrongAnswer."""
    checkouts = {THIS: Checkout(), OTHER: Checkout.open(options.against)}
    subject = find_subject(options.model or BASE)
    checkpoint = subject.required_checkpoint("--against")
    rounds = options.rounds or ROUNDS
    run.model = f"{subject.label}, {options.precision}"
    run.settings = {name: checkout.commit() for name, checkout in checkouts.items()}
    run.settings["rounds"] = str(rounds)
    run.say("exporting with both checkouts, unless it is done (minutes)")
    directories = {
        name: checkout.export(checkpoint, subject.home, options.precision)
        for name, checkout in checkouts.items()
    }
    picture = draw(SIZES[size], 0)
    only_this = {THIS: directories[THIS]}
    verifier = Verifier(reference_captions(only_this, options.threads, [picture], [None]))
    sampling = Sampling({size: picture}, HITS if cache else 0)
    flags = () if cache else ("--no-cache",)
    for number in range(1, rounds + 1):
        with ExitStack() as stack:
            targets = [
                stack.enter_context(
                    our_server(name, directories[name], options.threads, checkout.path, flags)
                )
                for name, checkout in rotated(list(checkouts.items()), number)
            ]
            turns = [0, *[number] * REPEATS]
            asyncio.run(sample(targets, sampling, verifier, turns, run))
        equal = verifier.captions[THIS] == verifier.captions[OTHER]
        run.settings["captions"] = "equal" if equal else "different"
