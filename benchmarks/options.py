"""The flags that several benchmarks share."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path

from benchmarks.subjects import BASE, Subject
from server.captioning.threads import available_threads

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
        default=BASE,
        help=f"model directory, or `{BASE}`: BLIP-base's shapes with random weights (default)",
    )
    parser.add_argument(
        "--threads",
        type=positive,
        default=available_threads(),
        help="threads of each server or pipeline (default: %(default)s, all that are available)",
    )


def add_server_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--precision", choices=["fp32", "int8"], default="int8", help="of our server")
    add("--servers", nargs="+", choices=SERVERS, default=list(SERVERS), help="default: all")


def add_against_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="compare this checkout's server with that of another checkout, and with nothing else",
    )
    parser.add_argument("--rounds", type=positive, help="default: 5, with --against 30")


def model_directories(options: Namespace, subject: Subject) -> dict[str, Path]:
    """Return, by server, the model directory with the same captions. Raises Unavailable."""
    if "tutorial" in options.servers:
        subject.required_checkpoint("the tutorial's server (leave it out with --servers ours)")
    precisions = {"ours": options.precision, "tutorial": "fp32"}
    return {name: subject.directory(precisions[name]) for name in options.servers}
