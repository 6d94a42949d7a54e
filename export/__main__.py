"""Export a BLIP checkpoint to a model directory: python -m export SOURCE OUTPUT."""

import os
import signal
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from export.arguments import keeps_more, kept_layers, parse, required_agreement
from export.errors import ExportError
from export.hub.upload import check_token
from export.output import check_output
from export.push import push_export
from export.sources import find_source
from export.terminal.progress import show_steps
from export.terminal.summary import print_summary, print_times


class Interrupted(BaseException):
    """SIGINT or SIGTERM. It is a BaseException, so that no library handles it as an error."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return its exit code: 0, 1 for a failed export, 128 + signal.

    Bad flags end the process with exit code 2.
    """
    options = parse(arguments)
    try:
        with interruptible():
            run(options)
    except ExportError as exc:
        report(str(exc), exc)
        return 1
    except Interrupted as exc:
        # OUTPUT did not exist before. If it does, this interrupted the push.
        done = "was written, but not pushed" if options.output.is_dir() else "was not written"
        report(f"interrupted; {options.output} {done}.", exc)
        return 128 + int(exc.args[0])
    return 0


def report(message: str, exc: BaseException) -> None:
    """Print one line: the message, and what the work directory notes about kept stages."""
    print("export:", message, *getattr(exc, "__notes__", ()), file=sys.stderr)


def run(options: Namespace) -> None:
    """Find the checkpoint, export it and print a summary. Raises ExportError."""
    check_output(options.output)
    if options.push_to_hub:
        check_token(options.push_to_hub)
    source = find_source(options.source, options.revision)
    # Let waiting threads sleep. On a busy machine, spinning threads make small layers in torch take
    # ten times as long. OpenMP reads this once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # These imports take seconds, so a wrong SOURCE is reported before them.
    from export.pipeline import ExportRequest, export_model
    from export.verification.gate import Gate

    request = ExportRequest(
        source=source,
        output=options.output,
        gate=Gate(
            precision=options.precision,
            min_agreement=required_agreement(options),
            kept_fp32=kept_layers(options),
        ),
        name=options.name or options.output.absolute().name,
        images=options.images,
        pictures=options.pictures,
        auto=keeps_more(options),
        restart=options.restart,
    )
    with show_steps() as steps:
        manifest = export_model(request, steps)
    print_summary(manifest, options.output)
    print_times(steps.records)
    if options.push_to_hub:
        push_export(options.output, options.push_to_hub, private=options.private)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn signals within the block into an exception, so that partial files get removed."""
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
