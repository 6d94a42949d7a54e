"""Flags that several benchmarks share, and what they choose."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import ExitStack
from pathlib import Path

from benchmarks.errors import ModelUnavailable
from benchmarks.http.client import Target
from benchmarks.http.servers import our_server, tutorial_server
from benchmarks.subjects import BASE, Subject, find_subject
from server.captioning.threads import available_threads

SERVERS = ("ours", "tutorial")


def positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def positive_number(text: str) -> float:
    return _number(text, 0, float("inf"))


def share(text: str) -> float:
    return 0.0 if text == "0" else _number(text, 0, 1)


def _number(text: str, low: float, high: float) -> float:
    """In (low, high]; infinity and NaN are no numbers here."""
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not low < number <= high or number == float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number above {low:g}, at most {high:g}")
    return number


def add_model_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="DIR",
        help=f"model directory, or `{BASE}` for base geometry with random weights (default)",
    )
    parser.add_argument(
        "--threads",
        type=positive,
        default=available_threads(),
        help="threads that each pipeline computes with (default: %(default)s, all there are)",
    )


def add_server_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument("--precision", choices=["fp32", "int8"], default="fp32")
    parser.add_argument(
        "--url",
        help="measure the server that runs there and start none; with --model its captions are "
        "compared with that model's, else with its own first ones",
    )
    parser.add_argument(
        "--no-x-cache",
        action="store_true",
        help="the server of --url states in its body alone whether a caption was cached",
    )
    parser.add_argument(
        "--servers",
        nargs="+",
        choices=SERVERS,
        default=list(SERVERS),
        help="servers to start and measure side by side (default: all)",
    )


def chosen_subject(options: Namespace) -> Subject | None:
    """The model to measure with; None for a server by URL of which no model is known.

    Raises ModelUnavailable, also for a form of the model that a server to be started lacks.
    """
    if options.url and options.model is None:
        return None
    subject = find_subject(options.model or BASE)
    subject.directory(options.precision)
    if not options.url and "tutorial" in options.servers and subject.checkpoint is None:
        raise ModelUnavailable(
            f"the tutorial's server needs the transformers checkpoint of {subject.label}, which is "
            "not here; leave it out with --servers ours"
        )
    return subject


def model_label(options: Namespace, subject: Subject | None) -> str:
    return f"{subject.label}; ours in {options.precision}" if subject else f"{options.url}"


def references(options: Namespace, subject: Subject | None) -> dict[str, Path]:
    """By server, the model directory that captions as it does, as far as there is one."""
    if subject is None:
        return {}
    precisions = {"tutorial": "fp32"}
    wanted = {
        name: precisions.get(name, options.precision)
        for name in (["server"] if options.url else options.servers)
    }
    return {
        name: subject.directories[precision]
        for name, precision in wanted.items()
        if precision in subject.directories
    }


def start_servers(stack: ExitStack, options: Namespace, subject: Subject | None) -> list[Target]:
    """The servers to measure, running until the stack closes. Raises ServerUnavailable."""
    if options.url:
        return [Target("server", options.url.rstrip("/"), states_cache=not options.no_x_cache)]
    assert subject
    targets = []
    if "ours" in options.servers:
        directory = subject.directory(options.precision)
        targets.append(stack.enter_context(our_server(directory, options.threads)))
    if "tutorial" in options.servers:
        assert subject.checkpoint
        targets.append(stack.enter_context(tutorial_server(subject.checkpoint, options.threads)))
    return targets
