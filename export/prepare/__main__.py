"""Print the model directory of a hub id, exported first where it is missing.

    python -m export.prepare HUB_ID [--precision int8|fp32] [--revision R]

It runs in the lean environment. The export runs in one of its own.
"""

import os
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence

from export.prepare.arguments import VARIABLES, Parser, add_flags, preparation_of
from export.prepare.terminal import reporting


def main(arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    parser = Parser(
        prog="python -m export.prepare",
        description="Export a checkpoint of the hub once, and print its model directory.",
        epilog=VARIABLES,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "hub_id", metavar="HUB_ID", help="such as Salesforce/blip-image-captioning-base"
    )
    add_flags(parser)
    options = parser.parse_args(arguments)
    with reporting():
        print(preparation_of(options.hub_id, options, variables).run())


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
