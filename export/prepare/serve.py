"""scripts/serve: prepare the model where --model is a hub id, and become the server.

Other models and flags go to `python -m server` unchanged.
"""

import os
import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from typing import NoReturn

from export.prepare.arguments import VARIABLES, Parser, add_flags, preparation_of
from export.prepare.errors import UsageError
from export.prepare.target import is_hub_id
from export.prepare.terminal import reporting
from server.settings import Settings


def main(arguments: Sequence[str], variables: Mapping[str, str]) -> NoReturn:
    parser = _parser()
    options, server_flags = parser.parse_known_args(arguments)
    if options.help:
        parser.print_help()
        print("\noptions of the server:\n", flush=True)
        become_server(["--help"])
    model = options.model or variables.get("CAPTION_MODEL")
    with reporting():
        if model is None or not is_hub_id(model):
            _reject_flags(options, model)
            become_server(arguments)
        # A wrong flag of the server is reported now, and not after minutes of export.
        Settings.parse(server_flags, variables)
        directory = preparation_of(model, options, variables).run()
    become_server([*server_flags, "--model", str(directory)])


def become_server(flags: Sequence[str]) -> NoReturn:
    """Replace this process by the server, so that signals reach it."""
    os.execv(sys.executable, [sys.executable, "-m", "server", *flags])


def _parser() -> Parser:
    parser = Parser(
        prog="scripts/serve",
        usage="%(prog)s [--model MODEL] [--precision int8|fp32] [--revision R] [server options]",
        description="Serve captions at http://127.0.0.1:8000.",
        epilog=VARIABLES,
        formatter_class=RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("-h", "--help", action="store_true", help="show this text")
    parser.add_argument(
        "--model",
        help="a model directory, hf://OWNER/NAME[@REVISION] for one on the hub, or the hub id of a "
        "checkpoint, such as Salesforce/blip-image-captioning-base, which is exported at the first "
        "start [CAPTION_MODEL]; the flags below are for a hub id only",
    )
    add_flags(parser)
    return parser


def _reject_flags(options: Namespace, model: str | None) -> None:
    """Raise UsageError if a flag is given that has no effect on `model`."""
    for flag in ("precision", "revision", "force"):
        if value := getattr(options, flag):
            text = f"--{flag}" if value is True else f"--{flag} {value}"
            raise UsageError(
                f"{text} is for a hub id, which is exported first; "
                f"{model or 'the committed model'} is served as it is. Leave --{flag} out."
            )


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
