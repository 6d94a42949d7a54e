"""Parsers of one option's text. Each raises ValueError with a reason that names the value."""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

_REDIS_SCHEMES = ("redis", "rediss", "unix")

#: Parameters of a Redis URL that redis-py reads as numbers (redis.connection, redis 8.1).
_REDIS_NUMBERS: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("db", "max_connections", "socket_read_size"), int),
    **dict.fromkeys(("health_check_interval", "ssl_min_version", "protocol"), int),
    **dict.fromkeys(("socket_timeout", "socket_connect_timeout", "timeout"), float),
}


def integer(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers between `low` and `high`, inclusive."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"{text!r:.40} is not a whole number between {low} and {high}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    """Parse a finite number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r:.40} is not a number of seconds above 0")
    return value


def seconds_or_none(text: str) -> float:
    """Parse a finite number of seconds; 0 is allowed."""
    return 0.0 if text == "0" else seconds(text)


def only_one(text: str) -> int:
    """Accept 1 only, and explain how to scale."""
    if text != "1":
        raise ValueError(
            f"{text!r:.40} is not 1: one process already uses every core it may, and each further "
            "one would load the model again; to scale, run more servers with one --redis-url "
            "behind a load balancer"
        )
    return 1


def switch(text: str) -> bool:
    """Parse 1 or 0, and their usual synonyms."""
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off", ""):
        return False
    raise ValueError(f"{text!r:.40} is neither 1 nor 0")


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that accepts the given choices."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r:.40} is none of {', '.join(choices)}")
        return text

    return parse


def redis_url(text: str) -> str:
    """Check a Redis URL as redis-py will. The reason never quotes it: it may hold a password."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # Raises ValueError for a port that is not a number.
        for name, value in parse_qsl(parts.query):
            _REDIS_NUMBERS.get(name, str)(value)
    except ValueError:
        raise ValueError("the URL's port or one of its parameters is not a number") from None
    if parts.scheme not in _REDIS_SCHEMES:
        raise ValueError("the URL does not begin with redis://, rediss:// or unix://")
    return text


def api_keys(text: str) -> tuple[str, ...]:
    """Split keys at blanks. The reason never quotes them: they are secrets."""
    keys = tuple(text.split())
    # An empty list is a mistake that would open the server to everyone.
    if not keys:
        raise ValueError("it holds no key")
    if not all(key.isascii() and key.isprintable() for key in keys):
        raise ValueError("a key has to consist of printable ASCII characters")
    return keys


def names(text: str) -> tuple[str, ...]:
    """Split names at blanks."""
    found = tuple(text.split())
    if not found:
        raise ValueError("it holds no name")
    return found


def origins(text: str) -> tuple[str, ...]:
    """Split origins at blanks: a scheme, a host and perhaps a port each, or *."""
    found = names(text)
    for each in found:
        parts = urlsplit(each)
        if each != "*" and (not parts.hostname or each != f"{parts.scheme}://{parts.netloc}"):
            raise ValueError(
                f"{each!r:.60} is neither * nor an origin without a path, such as https://example.org"
            )
    return found
