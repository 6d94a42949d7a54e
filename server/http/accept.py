"""The header Accept, by RFC 9110 section 12.5.1, as far as the root needs it."""

from collections.abc import Iterable


def prefers_html(accept: Iterable[str]) -> bool:
    """Return whether the header names HTML, and JSON not as the better choice.

    `*/*` and `text/*` name no HTML: programs send them.
    """
    weights = dict(_range(text) for line in accept for text in line.split(","))
    html = weights.get("text/html", 0.0)
    return html > 0 and html >= weights.get("application/json", 0.0)


def _range(text: str) -> tuple[str, float]:
    """Return a media range and its weight, which is 1 unless `q` says otherwise."""
    media_type, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return media_type, _weight(value.strip())
    return media_type, 1.0


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
