"""The tutorial's server, served until Ctrl-C: to be looked at, or measured with --url."""

import threading
from argparse import ArgumentParser, Namespace

from rich.console import Console

from benchmarks.errors import ModelUnavailable
from benchmarks.http.servers import tutorial_server
from benchmarks.options import add_model_arguments
from benchmarks.subjects import BASE, find_subject


def add_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)


def run(options: Namespace, console: Console) -> None:
    """Raises ModelUnavailable and ServerUnavailable."""
    subject = find_subject(options.model or BASE)
    if subject.checkpoint is None:
        raise ModelUnavailable(f"the transformers checkpoint of {subject.label} is not here")
    with tutorial_server(subject.checkpoint, options.threads) as target:
        console.print(f"the tutorial's server, {subject.label}: POST {target.url}/caption")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            console.print("stopped")
