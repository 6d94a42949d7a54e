"""The flags that several benchmarks share, and the models and servers that they choose."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.http.client import Target
from benchmarks.http.servers import our_server, tutorial_server
from benchmarks.project import available_threads
from benchmarks.subjects import BASE, Subject, find_subject

SERVERS = ("ours", "tutorial")


def positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def number(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise ArgumentTypeError(f"{text!r} is not a number between {least:g} and {most:g}")
        return value

    return parse


def add_model_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="DIR",
        help=f"model directory, or `{BASE}`: base geometry with random weights (default)",
    )
    parser.add_argument(
        "--threads",
        type=positive,
        default=available_threads(),
        help="threads of each server or pipeline (default: %(default)s, all that are available)",
    )


def add_server_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument("--precision", choices=["fp32", "int8"], default="int8")
    parser.add_argument(
        "--url",
        help="measure the server at this address and start none; its captions are compared with "
        "those of --model, or with its own first ones",
    )
    parser.add_argument(
        "--servers",
        nargs="+",
        choices=SERVERS,
        default=list(SERVERS),
        help="servers to start and measure side by side (default: all)",
    )


def chosen_subject(options: Namespace) -> Subject | None:
    """Return the model to measure with; None for a server by URL without --model.

    Raises Unavailable, also for a checkpoint that the tutorial's server lacks.
    """
    if options.url and options.model is None:
        return None
    subject = find_subject(options.model or BASE)
    if not options.url and "tutorial" in options.servers:
        subject.required_checkpoint("the tutorial's server (leave it out with --servers ours)")
    return subject


def model_label(options: Namespace, subject: Subject | None) -> str:
    return f"{subject.label}; ours in {options.precision}" if subject else f"{options.url}"


def references(options: Namespace, subject: Subject | None) -> dict[str, Path]:
    """Return, by server, the model directory with the same captions. Raises Unavailable."""
    if subject is None:
        return {}
    names = ["server"] if options.url else options.servers
    precisions = {name: "fp32" if name == "tutorial" else options.precision for name in names}
    return {name: subject.directory(precision) for name, precision in precisions.items()}


def start_servers(
    stack: ExitStack, options: Namespace, subject: Subject | None, names: list[str]
) -> list[Target]:
    """Start the named servers, or name that of --url; the stack stops them. Raises Unavailable."""
    if subject is None or options.url:
        return [Target("server", options.url.rstrip("/"), states_cache=False)]
    targets = []
    if "ours" in names:
        directory = subject.directory(options.precision)
        targets.append(stack.enter_context(our_server("ours", directory, options.threads)))
    if "tutorial" in names:
        checkpoint = subject.required_checkpoint("the tutorial's server")
        targets.append(stack.enter_context(tutorial_server(checkpoint, options.threads)))
    return targets
