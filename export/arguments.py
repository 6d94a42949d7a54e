"""The flags of python -m export."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from export.push import repository

# On photographs, with near ties counted as agreement. docs/export.md has the reasons.
DEFAULT_MIN_AGREEMENT = 0.98
#: The value of --keep-fp32 that is no layer.
AUTO = "auto"


class Parser(ArgumentParser):
    """Report a bad flag in one line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"export: {message}; see {self.prog} --help\n")


def parse(arguments: Sequence[str] | None) -> Namespace:
    """Parse the command line. A bad flag, or one without effect, ends the process with code 2."""
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
        help="fp32: every caption equals transformers' token for token; int8: faster and smaller, "
        "and a share of the captions has to agree with them, see --min-agreement (default: fp32)",
    )
    parser.add_argument(
        "--min-agreement",
        metavar="SHARE",
        type=share,
        help="share of captions, from 0 to 1, that should agree with transformers', near ties "
        "counted as agreement; the export warns below it, and fails where the whole 95%% interval "
        f"is below it; only with --precision int8 (default: {DEFAULT_MIN_AGREEMENT})",
    )
    parser.add_argument(
        "--keep-fp32",
        metavar="LAYER",
        nargs="+",
        help="layers that int8 leaves in fp32, such as encoder.layers.0.mlp.fc2, "
        "encoder.layers.0.scores for its attention scores, or encoder.image_embeds for the "
        "decoder's cross-attention; * matches anything; auto adds the layers that lose most until "
        "--min-agreement is met; only with --precision int8",
    )
    parser.add_argument("--revision", help="branch, tag or commit of the hub id (default: main)")
    parser.add_argument("--name", help="the model's name (default: OUTPUT's last part)")
    parser.add_argument(
        "--images",
        metavar="DIR",
        type=Path,
        help="compare captions on the pictures in DIR (default: with int8 on the photographs that "
        "ship with the export, with fp32 on generated pictures)",
    )
    parser.add_argument(
        "--pictures",
        metavar="N",
        type=positive,
        help="compare captions on at most N pictures, each with four prompts; with fp32 also with "
        "two or three searches: the checkpoint's own, greedy, three beams (default: all in DIR or "
        "all photographs; with fp32 2 to 100 generated ones by the size of the model, which takes "
        "about a minute on two cores)",
    )
    parser.add_argument(
        "--restart",
        action="store_true",
        help="begin anew, without the stages that an interrupted or refused export has kept",
    )
    parser.add_argument(
        "--push-to-hub",
        metavar="REPO",
        type=repository,
        help="publish the model directory as OWNER/NAME on the hub, with a model card",
    )
    parser.add_argument(
        "--private", action="store_true", help="make the repository of --push-to-hub private"
    )
    options = parser.parse_args(arguments)
    if options.private and options.push_to_hub is None:
        parser.error("--private has no effect without --push-to-hub REPO")
    if options.precision == "fp32":
        reject_int8_flags(parser, options)
    return options


def reject_int8_flags(parser: Parser, options: Namespace) -> None:
    """End the process with code 2 if a flag is given that has no effect with fp32."""
    layers = None if options.keep_fp32 is None else " ".join(options.keep_fp32)
    for flag, value in (("--min-agreement", options.min_agreement), ("--keep-fp32", layers)):
        if value is not None:
            parser.error(
                f"{flag} {value} has no effect with --precision fp32, where every layer is fp32 "
                "and every caption has to equal transformers'; add --precision int8 or leave "
                f"{flag} out"
            )


def positive(text: str) -> int:
    """Parse an integer of at least 1."""
    number = int(text)
    if number < 1:
        raise ArgumentTypeError(f"{number} is less than 1")
    return number


def share(text: str) -> float:
    """Parse a number from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


def required_agreement(options: Namespace) -> float:
    """Return the share of captions that have to equal transformers': all of them in fp32."""
    if options.precision == "fp32":
        return 1.0
    return DEFAULT_MIN_AGREEMENT if options.min_agreement is None else float(options.min_agreement)


def kept_layers(options: Namespace) -> tuple[str, ...]:
    """Return the patterns of layers to keep in fp32."""
    return tuple(each for each in options.keep_fp32 or () if each != AUTO)


def keeps_more(options: Namespace) -> bool:
    """Return whether a refused export keeps more layers in fp32 and tries again."""
    return AUTO in (options.keep_fp32 or ())
