"""Serve the tutorial's server until Ctrl-C, to be inspected or measured with --url."""

import threading
from argparse import ArgumentParser, Namespace

from rich.console import Console

from benchmarks.http.servers import tutorial_server
from benchmarks.options import add_model_arguments
from benchmarks.subjects import BASE, find_subject


def add_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)


def run(options: Namespace, console: Console) -> None:
    """Raises Unavailable."""
    subject = find_subject(options.model or BASE)
    checkpoint = subject.required_checkpoint("the tutorial's server")
    with tutorial_server(checkpoint, options.threads) as target:
        console.print(f"the tutorial's server, {subject.label}: POST {target.url}/caption")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            console.print("stopped")
