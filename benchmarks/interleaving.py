"""The order of contestants within a round."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def rotated(items: Sequence[Item], by: int) -> list[Item]:
    """Return the items with another one first in each round.

    A round visits all of them, so they share a drift of the machine, and no one is always first.
    """
    start = by % max(1, len(items))
    return [*items[start:], *items[:start]]
