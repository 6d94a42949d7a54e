"""How much the endurance tests do: little by default, the counts that prove in full."""

from typing import TypeVar

from tests.scale import FULL

T = TypeVar("T")


def scale(full: T, quick: T) -> T:
    return full if FULL else quick
