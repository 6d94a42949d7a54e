"""Read options from the members of a JSON object, and check each for its kind."""

from collections.abc import Mapping
from typing import Any

from server.captioning.options import GenerationOptions
from server.errors import InvalidField
from server.http.fields import NUMBERS, integer
from server.inference.rendering import Rendering


def generation_options(members: Mapping[str, Any]) -> GenerationOptions:
    """Read the options of the search; other members are ignored, and null is an absent one.

    Raises InvalidField and OptionOutOfRange.
    """
    given = {name: members[name] for name in NUMBERS if members.get(name) is not None}
    for name, value in given.items():
        whole = NUMBERS[name] is integer
        if whole and isinstance(value, float) and value.is_integer():
            given[name] = int(value)
        elif isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            kind = "a whole number" if whole else "a number"
            raise InvalidField(f"The member {name!r} has to be {kind}.")
    return GenerationOptions(**given)


def rendering(members: Mapping[str, Any]) -> Rendering:
    """Read the options of the text; other members are ignored, and null is an absent one.

    Raises InvalidField and OptionOutOfRange.
    """
    kinds = {"return_full_text": bool, "style": str, "max_chars": int}
    given = {name: members[name] for name in kinds if members.get(name) is not None}
    for name, value in given.items():
        if type(value) is not kinds[name]:
            raise InvalidField(f"The member {name!r} has to be of the type {kinds[name].__name__}.")
    return Rendering(**given)
