"""How much the endurance tests do: little by default, ENDURANCE=1 for the counts that prove."""

import os
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("ENDURANCE") == "1"


def scale(full: T, quick: T) -> T:
    return full if FULL else quick
