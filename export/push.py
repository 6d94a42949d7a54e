"""Publish a model directory on the Hugging Face hub: python -m export.push DIR REPO.

This needs no torch. `python -m export --push-to-hub` does the same after an export.
"""

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from export.errors import ExportError, PushError
from export.hub.upload import check_token, find_licence, upload, upload_size
from server.captioning.errors import ModelDirectoryError
from server.captioning.model.directory import ModelDirectory
from server.hub.progress import size
from server.hub.reference import SCHEME, is_hub_id

REJECTED = ".rejected"


class Parser(ArgumentParser):
    """Report a bad flag in one line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"export.push: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return its exit code: 0, 1 for a failure, 130 for Ctrl-C."""
    parser = Parser(
        prog="python -m export.push",
        description="Publish a model directory on the Hugging Face hub with a model card. The "
        "server then serves it by --model hf://REPO.",
    )
    parser.add_argument("directory", metavar="DIR", type=Path, help="an exported model directory")
    parser.add_argument("repository", metavar="REPO", type=repository, help="OWNER/NAME")
    parser.add_argument(
        "--private", action="store_true", help="make the repository private if it is new"
    )
    options = parser.parse_args(arguments)
    try:
        check_token(options.repository)
        push(options.directory, options.repository, private=options.private)
    except ExportError as exc:
        print(f"export.push: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"export.push: interrupted; {options.repository} is unchanged.", file=sys.stderr)
        return 130
    return 0


def push(directory: Path, repository: str, *, private: bool) -> None:
    """Check a model directory, upload it and print how to serve it. Raises PushError."""
    if directory.resolve().name.endswith(REJECTED):
        raise PushError(
            f"{directory} was refused by the gate of its export; push a directory that passed."
        )
    try:
        checked = ModelDirectory.open(directory)
    except ModelDirectoryError as exc:
        raise PushError(f"{directory} can't be pushed: {exc}") from exc
    licence = find_licence(checked.manifest, repository)
    if licence.id is None:
        _report(repository, "the card of the source names no licence; add one to the new card")
    _report(repository, f"{size(upload_size(directory))} ...")
    began = time.perf_counter()
    commit = upload(checked, repository, private=private, licence=licence)
    _report(repository, f"done in {time.perf_counter() - began:.1f} s, commit {commit}")
    print(f"serve it: scripts/serve --model {SCHEME}{repository}")


def push_export(output: Path, repository: str, *, private: bool) -> None:
    """Publish OUTPUT after its export. Raises PushError with the command that repeats the push."""
    try:
        push(output, repository, private=private)
    except PushError as exc:
        flag = " --private" if private else ""
        again = f"python -m export.push {output} {repository}{flag}"
        raise PushError(f"{exc} {output} was written; to repeat the push, run: {again}") from exc


def _report(repository: str, line: str) -> None:
    print(f"push {repository}: {line}", file=sys.stderr)


def repository(text: str) -> str:
    """Parse OWNER/NAME, also behind hf://."""
    name = text.removeprefix(SCHEME)
    if not is_hub_id(name):
        raise ArgumentTypeError(f"{text} is not of the form OWNER/NAME")
    return name


if __name__ == "__main__":
    sys.exit(main())
