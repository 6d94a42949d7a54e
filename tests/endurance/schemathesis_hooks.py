"""What Schemathesis must not send: it reads SCHEMATHESIS_HOOKS, and this file registers a hook."""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Drop forms that only look invalid, because a form has texts alone.

    Every text is a valid prompt. A boolean becomes "true" or "false". An array of no element
    becomes an absent field, and one of one element that element.
    """
    invalid = case.meta is not None and case.meta.generation.mode.is_negative
    if not invalid or not isinstance(case.body, dict):
        return True
    return "prompt" not in case.body and not any(
        (isinstance(value, list) and len(value) < 2)
        or (name == "return_full_text" and isinstance(value, bool))
        for name, value in case.body.items()
        if name != "image"
    )
