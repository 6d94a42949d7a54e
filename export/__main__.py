"""python -m export SOURCE OUTPUT: a BLIP checkpoint becomes a model directory."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from export.errors import ExportError
from export.output import check_output
from export.progress import show_steps
from export.sources import find_source
from export.summary import print_summary


class Parser(argparse.ArgumentParser):
    """One line for a bad flag, without the usage above it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"export: {message}; see {self.prog} --help\n")


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM, as an exception that no library takes for an error of its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The process's exit code: 0, 1 for an export that failed, 2 for bad flags, 128 + signal."""
    options = parse(arguments)
    try:
        with interruptible():
            run(options)
    except ExportError as exc:
        print(f"export: {exc}", file=sys.stderr)
        return 1
    except Interrupted as exc:
        print(f"export: interrupted; {options.output} was not written.", file=sys.stderr)
        return 128 + int(exc.args[0])
    return 0


def run(options: argparse.Namespace) -> None:
    check_output(options.output)
    source = find_source(options.source, options.revision)
    # Waiting threads sleep: on a machine with other work to do, torch's spinning ones take ten
    # times as long over small layers. OpenMP reads this once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Imported here because it takes seconds, which nobody should wait for a wrong SOURCE.
    from export.gate import Gate
    from export.pipeline import ExportRequest, export_model

    request = ExportRequest(
        source=source,
        output=options.output,
        gate=Gate(
            precision=options.precision,
            min_agreement=options.min_agreement if options.precision == "int8" else 1.0,
            excluded=tuple(options.exclude),
        ),
        name=options.name or options.output.absolute().name,
        images=options.images,
        pictures=options.pictures,
    )
    with show_steps() as steps:
        manifest = export_model(request, steps)
    print_summary(manifest, options.output)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m export",
        description="Export a BLIP captioning checkpoint to an ONNX model directory, validated "
        "against transformers.",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a hub id, such as Salesforce/blip-image-captioning-base, or a checkpoint directory",
    )
    parser.add_argument(
        "output", metavar="OUTPUT", type=Path, help="the model directory to write; must not exist"
    )
    parser.add_argument(
        "--precision",
        choices=["fp32", "int8"],
        default="fp32",
        help="fp32 captions token for token as transformers; int8 is faster and smaller, and its "
        "captions have to pass --min-agreement (default: fp32)",
    )
    parser.add_argument(
        "--min-agreement",
        metavar="SHARE",
        type=share,
        default=0.98,
        help="of the captions, from 0 to 1, that have to be transformers' token for token in int8 "
        "(default: 0.98)",
    )
    parser.add_argument(
        "--exclude",
        metavar="LAYER",
        nargs="+",
        default=[],
        help="layers to keep in fp32, such as encoder.layers.0.mlp.fc2, encoder.layers.0.scores "
        "for its attention scores, or encoder.image_embeds for what the decoder sees of the "
        "picture; * stands for anything",
    )
    parser.add_argument("--revision", help="branch, tag or commit of the hub id (default: main)")
    parser.add_argument("--name", help="the model's name (default: OUTPUT's last part)")
    parser.add_argument(
        "--images",
        metavar="DIR",
        type=Path,
        help="compare captions on the pictures in DIR (default: on generated pictures)",
    )
    parser.add_argument(
        "--pictures",
        metavar="N",
        type=positive,
        help="compare captions on at most N pictures (default: all in DIR, else 200, or 8 for "
        "models of more than 50 million parameters); each is captioned with four prompts, greedily "
        "and with three beams",
    )
    return parser.parse_args(arguments)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn signals into an exception, so that what is half written gets removed."""
    previous = {number: signal.signal(number, _interrupt) for number in INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted(number)


if __name__ == "__main__":
    sys.exit(main())
