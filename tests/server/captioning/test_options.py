"""Options are refused where they are made."""

import math
from typing import Any

import pytest

from server.captioning.errors import OptionOutOfRange
from server.captioning.options import RANGES, GenerationOptions


@pytest.mark.parametrize("name", RANGES)
def test_the_ends_of_every_range_are_in_it(name: str) -> None:
    """Ranges are inclusive."""
    for value in RANGES[name]:
        change: dict[str, Any] = {name: value}
        GenerationOptions(**change)


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("value", [-1e9, 1e9, math.nan, math.inf])
def test_a_value_out_of_range_is_named(name: str, value: Any) -> None:
    """The error carries option, value and range, NaN included."""
    with pytest.raises(OptionOutOfRange, match=f"{name} is .*; it has to be between") as caught:
        GenerationOptions(**{name: value})
    assert caught.value.name == name
