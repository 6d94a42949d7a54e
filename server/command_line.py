"""Read a table of options, which is a dataclass, from flags and environment variables.

The flag of `max_body_mb` is `--max-body-mb`, its variable CAPTION_MAX_BODY_MB. The flag wins.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table, as people see it. `default` is empty for a switch that is off."""

    name: str
    default: str
    help: str
    is_switch: bool
    is_repeatable: bool
    parse: Callable[[str], object]

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "CAPTION_" + self.name.upper()


def option(default: T, parse: Callable[[str], Any], help: str) -> T:
    """Declare a field of the table: its default, the parser of its text, and its help."""
    return field(default=default, metadata={"parse": parse, "help": help})


def options(table: type) -> Iterator[Option]:
    """List the rows of a table in the order of its fields."""
    for each in fields(table):
        yield Option(
            name=each.name,
            default="" if each.default in (None, False, ()) else str(each.default),
            help=each.metadata["help"],
            is_switch=each.default is False,
            is_repeatable=each.default == (),
            parse=each.metadata["parse"],
        )


def read_options(
    table: type, prog: str, description: str, argv: Sequence[str], environ: Mapping[str, str]
) -> dict[str, Any]:
    """Return the given options by name. Exit with status 2 and one line on stderr for a bad one."""
    parser = _build_parser(table, prog, description)
    flags = vars(parser.parse_args(argv))
    given: dict[str, Any] = {}
    for each in options(table):
        source, text = each.flag, flags[each.name]
        if isinstance(text, list):
            text = " ".join(text)
        if text is None:
            source, text = each.variable, environ.get(each.variable)
        if text is not None:
            try:
                given[each.name] = each.parse(text)
            except ValueError as exc:
                parser.error(f"{source}: {exc}")
    return given


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help lists the options\n")


def _build_parser(table: type, prog: str, description: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=prog, description=description, allow_abbrev=False)
    for each in options(table):
        default = f"; default {each.default}" if each.default else ""
        help = f"{each.help} [{each.variable}{default}]".replace("%", "%%")
        # Values stay text here, so that flags and variables are parsed by the same function.
        if each.is_switch:
            parser.add_argument(each.flag, help=help, action="store_const", const="1")
        else:
            action = "append" if each.is_repeatable else "store"
            parser.add_argument(each.flag, help=help, action=action, metavar=each.name.upper())
    return parser
