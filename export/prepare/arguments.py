"""The flags and variables of a preparation, shared by its two commands."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from export.prepare.environment import ExportEnvironment
from export.prepare.preparation import Preparation, export_flags
from export.prepare.target import PRECISIONS, Target
from server.captioning.model.manifest import Precision

DEFAULT_PRECISION: Precision = "int8"

VARIABLES = """\
variables:
  TORCH_INDEX   index of PyTorch builds for the export environment, such as the one of CPU builds
  MODELS_DIR    folder of the model directories (default: models)
  EXPORT_FLAGS  further flags for `python -m export`, such as --keep-fp32 auto
  VENV_EXPORT   environment that has the export's packages, used as it is (default: .venv-export)
"""


class Parser(ArgumentParser):
    """Reports a bad flag in one line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help lists the flags\n")


def add_flags(parser: ArgumentParser) -> None:
    """Add the flags that say how a hub id is exported. Their defaults are None."""
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="precision of the export: int8 is smaller and faster, fp32 gives transformers' "
        f"captions token for token (default: {DEFAULT_PRECISION})",
    )
    parser.add_argument("--revision", help="branch, tag or commit of the hub id (default: main)")
    parser.add_argument(
        "--force",
        action="store_const",
        const=True,
        help="export although disk or memory look too small",
    )


def preparation_of(hub_id: str, options: Namespace, variables: Mapping[str, str]) -> Preparation:
    """Build the preparation from parsed flags. Raises UsageError."""
    models = Path(variables.get("MODELS_DIR") or "models")
    return Preparation(
        Target(hub_id, options.revision, options.precision or DEFAULT_PRECISION, models),
        ExportEnvironment.of(variables),
        export_flags(variables),
        bool(options.force),
    )
