"""The table of the server's options. It drives the flags, the environment and docs/options.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from server.command_line import option, read_options
from server.option_types import (
    api_keys,
    integer,
    names,
    one_of,
    only_one,
    origins,
    redis_url,
    seconds,
    seconds_or_none,
    switch,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The table. The order of the fields is the order of --help."""

    model: str = option(
        "models/emoji_blip",
        str,
        "model directory, as `python -m export` writes it, or hf://OWNER/NAME[@REVISION] for one "
        "on the Hugging Face hub; `scripts/serve` also takes the hub id of a checkpoint",
    )
    model_cache: Path | None = option(  # noqa: RUF009  (a Path is immutable)
        None,
        Path,
        "directory for models of hf://; without it the cache of the Hugging Face tools (HF_HOME)",
    )
    host: str = option(
        "127.0.0.1", str, "address to listen on; 0.0.0.0 accepts connections from other machines"
    )
    port: int = option(
        8000, integer(0, 65535), "port to listen on; 0 chooses a free port and logs it"
    )
    threads: int | None = option(
        None,
        integer(1, 1024),
        "threads of the inference; without it, as many as cores that this process may use",
    )
    redis_url: str | None = option(
        None,
        redis_url,
        "Redis or Valkey that replicas share; without it the server runs an embedded Valkey",
    )
    redis_timeout: float = option(
        0.1,
        seconds,
        "seconds that one cache operation may take; a slower cache is treated as absent",
    )
    no_cache: bool = option(False, switch, "run without a cache, so that every request is inferred")
    cache_ttl: int = option(
        604_800,
        integer(1, 1_000_000_000),
        "seconds until an entry expires, varied by a tenth so that entries do not expire together",
    )
    cache_memory_mb: int = option(
        256,
        integer(8, 1_048_576),
        "memory of the embedded Valkey, which evicts the least used entries",
    )
    near_cache_entries: int = option(
        4096,
        integer(0, 10_000_000),
        "captions kept in the process in front of the Redis or Valkey, about 1 kB each; 0 for none",
    )
    api_key: tuple[str, ...] = option(
        (),
        api_keys,
        "API key that caption requests need, repeatable; the variable holds keys between blanks",
    )
    api_key_file: Path | None = option(  # noqa: RUF009
        None,
        Path,
        "file with API keys between blanks or lines, so that `ps` does not show them",
    )
    cors_origin: tuple[str, ...] = option(
        (),
        origins,
        "origin of web pages that may call the server, such as https://example.org, repeatable; "
        "* allows every page",
    )
    model_alias: tuple[str, ...] = option(
        (),
        names,
        "further name in the model listings, repeatable, for clients that insist on one of theirs; "
        "requests may name any model",
    )
    chat_prompt: Literal["ignore", "prefix"] = option(
        "ignore",
        one_of("ignore", "prefix"),
        "what the text of a chat message does: ignore, as it is an instruction to a chat model, or "
        "prefix, so that the caption continues it",
    )
    max_batch_images: int = option(
        64, integer(1, 10_000), "most pictures in one request to /captions"
    )
    max_body_mb: int = option(
        10,
        integer(1, 1024),
        "largest request body in MB, or picture in a JSON body; kept in memory, never in a file",
    )
    max_pixels: int = option(
        50_000_000,
        integer(1, 1_000_000_000),
        "most pixels of a picture, read from its header; decoding takes 4 bytes a pixel",
    )
    exact_decode: bool = option(
        False,
        switch,
        "decode large JPEGs at full scale, for pixel values equal to transformers'; much slower",
    )
    max_in_flight: int = option(
        64,
        integer(1, 65_536),
        "caption requests admitted at once, further ones get 503; bounds the memory for bodies",
    )
    queue_size: int = option(
        16,
        integer(0, 65_536),
        "captions that wait for a batch slot, further ones get 503; bounds the waiting time",
    )
    batch_size: int = option(
        8,
        integer(1, 256),
        "batch slots: captions or beams in one decoder step; each holds an encoded picture",
    )
    encoder_cache_mb: int = option(
        64,
        integer(0, 1_048_576),
        "memory for encoded pictures in MB; a new prompt on one of them skips the encoder",
    )
    receive_timeout: float = option(
        30.0,
        seconds,
        "seconds for a request's header to arrive, and again for its body; then it gets 408",
    )
    stall_timeout: float = option(
        30.0,
        seconds,
        "seconds without progress of the model, while captions wait, until /health/ready turns "
        "503; after 3 times as many /health/live does too, so that the server is restarted",
    )
    drain_delay: float = option(
        0.0,
        seconds_or_none,
        "seconds after SIGTERM to go on serving, not ready, until load balancers notice",
    )
    shutdown_timeout: int = option(
        30,
        integer(1, 3600),
        "seconds for requests in flight to finish at shutdown, after the drain delay",
    )
    workers: int = option(
        1, only_one, "only 1: a second process gains nothing; run replicas that share a Redis"
    )
    log_level: str = option(
        "info", one_of("debug", "info", "warning", "error"), "least severe level to log"
    )
    log_format: str = option(
        "text", one_of("text", "json"), "text for people, json for log collectors"
    )

    @classmethod
    def parse(cls, argv: Sequence[str], environ: Mapping[str, str]) -> "Settings":
        """Read flags and environment. Exits with status 2 and one line on stderr for a bad one."""
        given = read_options(cls, "python -m server", "Caption pictures over HTTP.", argv, environ)
        return cls(**given)
