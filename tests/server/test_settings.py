import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from server.command_line import Option, options
from server.option_docs import markdown
from server.option_types import redis_url
from server.settings import Settings
from tests.server.serving import ROOT

OPTIONS = list(options(Settings))


def help_text(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as exit:
        Settings.parse(["--help"], {})
    assert exit.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_help_has_flag_and_variable(option: Option, capsys: pytest.CaptureFixture[str]) -> None:
    """Each option of the table is in --help, with its flag, its variable and its help."""
    text = help_text(capsys)

    assert f"  {option.flag} " in text
    assert f"[{option.variable}" in text.replace("[\n", "[")
    assert " ".join(option.help.split()) in " ".join(text.split())


def test_options_page_is_the_table() -> None:
    """docs/options.md is what `python -m server.option_docs` writes from the table."""
    assert (ROOT / "docs" / "options.md").read_text() == markdown()


def test_options_page_has_every_option() -> None:
    """The page of the options has a row with flag, variable and help for each option."""
    rows = [line for line in markdown().splitlines() if line.startswith("| `--")]

    assert len(rows) == len(fields(Settings))
    for option, row in zip(OPTIONS, rows, strict=True):
        assert row.startswith(f"| `{option.flag}` | `{option.variable}` | ")
        assert row.endswith(f" | {option.help} |")


EXAMPLES = {
    "model": ("hf://some/model@v1", "hf://some/model@v1"),
    "model_cache": ("some/cache", Path("some/cache")),
    "host": ("0.0.0.0", "0.0.0.0"),
    "redis_url": ("redis://cache:6379/1", "redis://cache:6379/1"),
    "redis_timeout": ("0.5", 0.5),
    "api_key": ("secret", ("secret",)),
    "api_key_file": ("keys.txt", Path("keys.txt")),
    "workers": ("1", 1),
    "log_level": ("debug", "debug"),
    "log_format": ("json", "json"),
    "cors_origin": ("https://example.org", ("https://example.org",)),
    "model_alias": ("llava", ("llava",)),
    "chat_prompt": ("prefix", "prefix"),
}


@pytest.mark.parametrize(
    "option", [each for each in OPTIONS if not each.is_switch], ids=lambda option: option.name
)
def test_flag_and_variable_mean_the_same(option: Option) -> None:
    """Each option can be given as a flag or as an environment variable, with the same meaning."""
    text, value = EXAMPLES.get(option.name, ("77", 77))

    by_flag = Settings.parse([option.flag, text], {})
    by_variable = Settings.parse([], {option.variable: text})

    assert getattr(by_flag, option.name) == value
    assert by_flag == by_variable


def test_switch() -> None:
    """A switch is a flag without a value, and 1 or 0 in the environment."""
    assert Settings.parse(["--no-cache"], {}).no_cache
    assert Settings.parse([], {"CAPTION_NO_CACHE": "1"}).no_cache
    assert not Settings.parse([], {"CAPTION_NO_CACHE": "0"}).no_cache


def test_repeated() -> None:
    """Keys are given by a repeated flag, or between blanks in the variable."""
    assert Settings.parse(["--api-key", "a", "--api-key", "b"], {}).api_key == ("a", "b")
    assert Settings.parse([], {"CAPTION_API_KEY": "a b"}).api_key == ("a", "b")


def test_flag_wins() -> None:
    """A flag overrides the environment, which overrides the default."""
    environ = {"CAPTION_PORT": "81", "CAPTION_HOST": "::1"}

    settings = Settings.parse(["--port", "80"], environ)

    assert (settings.port, settings.host, settings.threads) == (80, "::1", None)


@pytest.mark.parametrize(
    ("argv", "environ", "named"),
    [
        (["--port", "x"], {}, "--port"),
        (["--port", "65536"], {}, "--port"),
        ([], {"CAPTION_PORT": "tcp://10.0.0.1:8000"}, "CAPTION_PORT"),
        (["--redis-timeout", "nan"], {}, "--redis-timeout"),
        (["--redis-timeout", "-1"], {}, "--redis-timeout"),
        (["--log-level", "loud"], {}, "--log-level"),
        ([], {"CAPTION_NO_CACHE": "maybe"}, "CAPTION_NO_CACHE"),
        (["--redis-url", "cache:6379"], {}, "--redis-url"),
        (["--redis-url", "redis://cache:port"], {}, "--redis-url"),
        (["--redis-url", "redis://cache?db=first"], {}, "--redis-url"),
        (["--stall-timeout", "0"], {}, "--stall-timeout"),
        (["--prot", "1"], {}, "--prot"),
        ([], {"CAPTION_API_KEY": ""}, "CAPTION_API_KEY"),
        (["--api-key", "sécret"], {}, "--api-key"),
        (["--workers", "2"], {}, "--redis-url"),
        (["--drain-delay", "-1"], {}, "--drain-delay"),
        (["--port"], {}, "--port"),
        (["model"], {}, "model"),
    ],
)
def test_bad_option(
    argv: list[str], environ: dict[str, str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bad option ends the program with status 2 and one line that names it and the remedy."""
    with pytest.raises(SystemExit) as exit:
        Settings.parse(argv, environ)

    assert exit.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line
    assert "--help" in line


def test_password_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A malformed Redis URL or key is not quoted, because it may hold a password."""
    for argv in (["--redis-url", "redi://:secret@cache"], ["--api-key", "secret\x00"]):
        with pytest.raises(SystemExit):
            Settings.parse(argv, {})

    assert "secret" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache",
        "redis://cache:6379/1",
        "rediss://user:pass@cache:6380/0?ssl_cert_reqs=none",
        "redis://[::1]:6379",
        "redis://",
        "unix:///run/valkey.sock?db=2",
        "redis://cache?db=2&socket_timeout=0.5&protocol=3",
        "redis://cache?db=",
        "redis://cache:port",
        "redis://cache:99999999",
        "redis://[::1",
        "redis://cache?db=first",
        "redis://cache?socket_timeout=soon",
        "redis://cache?max_connections=1.5",
        "valkey://cache",
        "cache:6379",
        "http://cache",
        "",
    ],
)
def test_redis_url_as_redis_py_reads_it(url: str) -> None:
    """A URL is accepted exactly if redis-py accepts it; checking it needs no redis-py."""
    from redis.asyncio.connection import parse_url

    def accepts(parse: Callable[[str], object]) -> bool:
        try:
            parse(url)
        except ValueError:
            return False
        return True

    assert accepts(redis_url) == accepts(parse_url)


#: Flags that scripts/serve takes for a hub id, and flags of the export that it names.
EXPORT_FLAGS = {"--precision", "--revision", "--force", "--images", "--keep-fp32"}


@pytest.mark.parametrize("page", ["docs/serving.md", "docs/http-api.md"])
def test_the_documentation_names_options_that_exist(page: str) -> None:
    """Every flag and variable on the pages about the server is its own, or the export's."""
    text = (ROOT / page).read_text()
    flags = set(re.findall(r"`(--[a-z0-9-]+)", text))
    variables = set(re.findall(r"CAPTION_[A-Z_]+", text))

    assert flags
    assert flags <= {option.flag for option in OPTIONS} | EXPORT_FLAGS
    assert variables <= {option.variable for option in OPTIONS}
