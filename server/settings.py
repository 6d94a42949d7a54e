"""Every option of the server in one table: a flag, an environment variable, a line of help.

The flag of `max_body_mb` is `--max-body-mb`, its variable CAPTION_MAX_BODY_MB; the flag wins.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

from redis.asyncio.connection import parse_url

T = TypeVar("T")


def integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"{text!r:.40} is no whole number between {low} and {high}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r:.40} is no number of seconds above 0")
    return value


def seconds_or_none(text: str) -> float:
    return 0.0 if text == "0" else seconds(text)


def only_one(text: str) -> int:
    if text != "1":
        raise ValueError(
            "one process already uses every core it may, and each would load the model again; "
            "to scale, run more servers with one --redis-url behind a load balancer"
        )
    return 1


def switch(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off", ""):
        return False
    raise ValueError(f"{text!r:.40} is neither 1 nor 0")


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r:.40} is none of {', '.join(choices)}")
        return text

    return parse


def redis_url(text: str) -> str:
    try:
        parse_url(text)
    except ValueError as exc:
        # Not quoted: it may hold a password.
        raise ValueError("that is no redis://, rediss:// or unix:// URL") from exc
    return text


def api_keys(text: str) -> tuple[str, ...]:
    keys = tuple(text.split())
    # Not quoted: they are secrets. None at all is a mistake that would let everybody in.
    if not keys:
        raise ValueError("there is no key in it")
    if not all(key.isascii() and key.isprintable() for key in keys):
        raise ValueError("a key has to be of printable ASCII characters")
    return keys


def option(default: T, parse: Callable[[str], Any], help: str) -> T:
    return field(default=default, metadata={"parse": parse, "help": help})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The table. Field order is the order of --help."""

    model: Path = option(  # noqa: RUF009  (a Path is immutable)
        Path("models/emoji_blip"), Path, "model directory, as `python -m export` writes it"
    )
    host: str = option(
        "127.0.0.1", str, "address to listen on; 0.0.0.0 lets other machines in, a choice to make"
    )
    port: int = option(8000, integer(0, 65535), "port to listen on; 0 takes a free one and logs it")
    threads: int | None = option(
        None,
        integer(1, 1024),
        "threads inference runs on; by default the cores this process may use",
    )
    redis_url: str | None = option(
        None,
        redis_url,
        "Redis or Valkey that replicas share; without it the server runs an embedded Valkey",
    )
    redis_timeout: float = option(
        0.1,
        seconds,
        "seconds one cache operation may take: a cache slower than that is treated as absent",
    )
    no_cache: bool = option(False, switch, "run without a cache: every request is inferred")
    cache_ttl: int = option(
        604_800,
        integer(1, 1_000_000_000),
        "seconds an entry lives, give or take a tenth so that entries don't expire all at once",
    )
    cache_memory_mb: int = option(
        256, integer(8, 1_048_576), "memory of the embedded Valkey, which evicts what is least used"
    )
    api_key: tuple[str, ...] = option(
        (),
        api_keys,
        "key without which no caption is made, repeatable; a variable holds several between blanks",
    )
    api_key_file: Path | None = option(  # noqa: RUF009
        None, Path, "file with API keys between blanks or lines, which `ps` then shows to nobody"
    )
    max_body_mb: int = option(
        10, integer(1, 1024), "largest request body; it is kept in memory, never in a file"
    )
    max_pixels: int = option(
        50_000_000,
        integer(1, 1_000_000_000),
        "most pixels of a picture, checked in its header: decoding one takes 4 bytes a pixel",
    )
    exact_decode: bool = option(
        False,
        switch,
        "decode large JPEGs in full: several times slower, for pixel values equal to transformers'",
    )
    max_in_flight: int = option(
        64,
        integer(1, 65_536),
        "caption requests read at once, the rest get 503: times the body limit, it bounds memory",
    )
    queue_size: int = option(
        16,
        integer(0, 65_536),
        "pictures that wait for the model, the rest get 503: it bounds how long one waits",
    )
    batch_size: int = option(
        8,
        integer(1, 256),
        "captions or beams that are decoded together; each takes the memory of an encoded picture",
    )
    encoder_cache_mb: int = option(
        64,
        integer(0, 1_048_576),
        "memory for encoded pictures, which a new prompt on one of them doesn't wait for again",
    )
    receive_timeout: float = option(
        30.0,
        seconds,
        "seconds a request's header may take to arrive, and its body as many: then it is closed",
    )
    drain_delay: float = option(
        0.0,
        seconds_or_none,
        "seconds after SIGTERM in which it still serves, not ready: until load balancers notice",
    )
    shutdown_timeout: int = option(
        30,
        integer(1, 3600),
        "seconds that requests in flight get to finish when it stops, after the drain delay",
    )
    workers: int = option(
        1, only_one, "only 1: a second process would gain nothing; run replicas that share a Redis"
    )
    log_level: str = option(
        "info", one_of("debug", "info", "warning", "error"), "least severe level that is logged"
    )
    log_format: str = option(
        "text", one_of("text", "json"), "text for people, json for what collects logs"
    )

    @classmethod
    def parse(cls, argv: Sequence[str], environ: Mapping[str, str]) -> "Settings":
        """Read flags and environment. Exits with status 2 and one line on stderr for bad ones."""
        parser = _build_parser(cls)
        flags = vars(parser.parse_args(argv))
        chosen: dict[str, object] = {}
        for each in fields(cls):
            source, text = flag(each.name), flags[each.name]
            if isinstance(text, list):
                text = " ".join(text)
            if text is None:
                source, text = variable(each.name), environ.get(variable(each.name))
            if text is not None:
                try:
                    chosen[each.name] = each.metadata["parse"](text)
                except ValueError as exc:
                    parser.error(f"{source}: {exc}")
        return cls(**cast(dict[str, Any], chosen))


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    return "CAPTION_" + name.upper()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help lists the options\n")


def _build_parser(table: type[Settings]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m server", description="Caption pictures over HTTP.", allow_abbrev=False
    )
    for each in fields(table):
        default = "" if each.default in (None, False, ()) else f"; default {each.default}"
        help = f"{each.metadata['help']} [{variable(each.name)}{default}]".replace("%", "%%")
        # Values stay text here, so that a flag and a variable are read by the same function.
        if each.default is False:
            parser.add_argument(flag(each.name), help=help, action="store_const", const="1")
        else:
            action = "append" if each.default == () else "store"
            parser.add_argument(
                flag(each.name), help=help, action=action, metavar=each.name.upper()
            )
    return parser
