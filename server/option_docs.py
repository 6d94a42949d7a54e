"""Render the table of options as docs/options.md; run `python -m server.option_docs`."""

from server.command_line import options
from server.settings import Settings

_INTRODUCTION = """\
# Options

Every flag of `python -m server` and `scripts/serve` is also an environment variable. The flag wins.
A switch is set by a variable of 1 and cleared by 0. This page is made from the table in
[server/settings.py](../server/settings.py) by `python -m server.option_docs > docs/options.md`.

| flag | variable | default | meaning |
|---|---|---|---|
"""


def markdown() -> str:
    """Render the table of options as a Markdown page."""
    rows = []
    for each in options(Settings):
        default = f"`{each.default}`" if each.default else "off" if each.is_switch else ""
        meaning = each.help.replace("|", "\\|")
        rows.append(f"| `{each.flag}` | `{each.variable}` | {default} | {meaning} |\n")
    return _INTRODUCTION + "".join(rows)


if __name__ == "__main__":
    print(markdown(), end="")
