import re
from dataclasses import fields
from pathlib import Path

import pytest

from server.settings import Settings, flag, variable
from tests.server.serving import ROOT


def help_text(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as exit:
        Settings.parse(["--help"], {})
    assert exit.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", [field.name for field in fields(Settings)])
def test_help_has_flag_and_variable(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every option of the table is in --help, with its flag and its environment variable."""
    text = help_text(capsys)

    assert f"  {flag(name)} " in text
    assert f"[{variable(name)}" in text


EXAMPLES = {
    "model": ("some/model", Path("some/model")),
    "host": ("0.0.0.0", "0.0.0.0"),
    "redis_url": ("redis://cache:6379/1", "redis://cache:6379/1"),
    "redis_timeout": ("0.5", 0.5),
    "api_key": ("secret", ("secret",)),
    "api_key_file": ("keys.txt", Path("keys.txt")),
    "workers": ("1", 1),
    "log_level": ("debug", "debug"),
    "log_format": ("json", "json"),
}


@pytest.mark.parametrize("name", [f.name for f in fields(Settings) if f.default is not False])
def test_flag_and_variable_mean_the_same(name: str) -> None:
    """Every option can be given as a flag and as an environment variable, and is read alike."""
    text, value = EXAMPLES.get(name, ("77", 77))

    by_flag = Settings.parse([flag(name), text], {})
    by_variable = Settings.parse([], {variable(name): text})

    assert getattr(by_flag, name) == value
    assert by_flag == by_variable


def test_switch() -> None:
    """A switch is a flag without a value, and 1 or 0 in the environment."""
    assert Settings.parse(["--no-cache"], {}).no_cache
    assert Settings.parse([], {"CAPTION_NO_CACHE": "1"}).no_cache
    assert not Settings.parse([], {"CAPTION_NO_CACHE": "0"}).no_cache


def test_repeated() -> None:
    """Keys come one by one from a flag that is repeated, or between blanks from the variable."""
    assert Settings.parse(["--api-key", "a", "--api-key", "b"], {}).api_key == ("a", "b")
    assert Settings.parse([], {"CAPTION_API_KEY": "a b"}).api_key == ("a", "b")


def test_flag_wins() -> None:
    """A flag beats the environment, which beats the default."""
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
    """A mistyped Redis URL or key is not repeated: it may hold a password, or be one."""
    for argv in (["--redis-url", "redi://:secret@cache"], ["--api-key", "secret\x00"]):
        with pytest.raises(SystemExit):
            Settings.parse(argv, {})

    assert "secret" not in capsys.readouterr().err


def test_readme_names_options_that_exist() -> None:
    """Every flag and variable under the README's "Options" is one of the table's."""
    _, _, options = (ROOT / "README.md").read_text().partition("\n## Options\n")
    options, _, _ = options.partition("\n## ")
    names = [field.name for field in fields(Settings)]

    flags = set(re.findall(r"`(--[a-z-]+)", options)) - {"--help"}
    variables = set(re.findall(r"CAPTION_[A-Z_]+", options))

    assert flags
    assert flags <= {flag(name) for name in names}
    assert variables <= {variable(name) for name in names}
