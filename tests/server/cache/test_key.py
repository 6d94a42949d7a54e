import subprocess
import sys
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Any, Literal

import pytest

from server.cache import key as key_module
from tests.server.serving import ROOT

IMAGE = b"i" * 32


@dataclass(frozen=True)
class Settings:
    """Search settings with a field of every type that those of the model have."""

    max_length: int = 20
    num_beams: int = 1
    repetition_penalty: float = 1.0
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False
    sampler: str = "none"
    seed: int | None = None


def cache_key(
    *,
    model_digest: str = "model",
    preprocessing: str = "2 draft",
    image_digest: bytes = IMAGE,
    prompt: str | None = None,
    settings: Any = Settings(),
) -> str:
    # Equal settings share a cached form, which would hide a form that is not canonical.
    key_module._canonical_settings.cache_clear()
    return key_module.cache_key(
        model_digest=model_digest,
        preprocessing=preprocessing,
        image_digest=image_digest,
        prompt=prompt,
        settings=settings,
    )


def test_is_stable() -> None:
    """The key of a request does not change between releases: entries outlive the process."""
    assert cache_key(prompt="a cat") == (
        "cap:v1:1a3bca0d84e9c6024f3e427c6bde2cc7acb464ed36123118256fbcc9deb85371"
    )


def test_similar_requests() -> None:
    """Prompts that look like the absence of one, and parts that share bytes, give other keys."""
    keys = [
        cache_key(),
        cache_key(prompt="default"),
        cache_key(prompt="None"),
        cache_key(prompt="prompt"),
        cache_key(prompt="no prompt"),
        cache_key(prompt="a"),
        cache_key(image_digest=b"a" + IMAGE),
        cache_key(prompt="a\x00"),
        cache_key(model_digest="modela"),
        cache_key(model_digest="mode", preprocessing="l2 draft"),
        cache_key(preprocessing="2 exact"),
        cache_key(preprocessing="3 draft"),
        cache_key(image_digest=IMAGE + b"x", prompt="y"),
        cache_key(prompt="xy"),
    ]

    assert all(one != other for one, other in combinations(keys, 2))


def test_empty_prompt() -> None:
    """An empty prompt and no prompt have one key."""
    assert cache_key(prompt="") == cache_key(prompt=None)


@pytest.mark.parametrize("name", [field.name for field in fields(Settings)])
def test_every_setting_counts(name: str) -> None:
    """A request with one setting changed has another key."""
    changed: Any = True if name == "early_stopping" else 2

    assert cache_key(settings=replace(Settings(), **{name: changed})) != cache_key()


def test_settings_do_not_swap() -> None:
    """The same numbers in other settings give another key."""
    one = Settings(max_length=3, num_beams=2)
    other = Settings(max_length=2, num_beams=3)

    assert cache_key(settings=one) != cache_key(settings=other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"num_beams": 2}, {"num_beams": 2.0}),
        ({"repetition_penalty": 2}, {"repetition_penalty": 2.0}),
        ({"length_penalty": 0.0}, {"length_penalty": -0.0}),
        ({"length_penalty": 0}, {"length_penalty": -0.0}),
        ({"early_stopping": True}, {"early_stopping": 1}),
        ({"seed": 7}, {"seed": 7.0}),
    ],
    ids=str,
)
def test_equal_numbers(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Numbers that are equal as the declared type of their field give one key."""
    assert cache_key(settings=Settings(**one)) == cache_key(settings=Settings(**other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"length_penalty": 0.1}, {"length_penalty": 0.10000000000000002}),
        ({"early_stopping": "never"}, {"early_stopping": False}),
        ({"sampler": "true"}, {"sampler": "True"}),
        ({"seed": None}, {"seed": 0}),
    ],
    ids=str,
)
def test_different_values(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Values that differ give different keys."""
    assert cache_key(settings=Settings(**one)) != cache_key(settings=Settings(**other))


def test_fraction_in_an_integer_field() -> None:
    """A fraction in a field of integers is an error, not another request's key."""
    with pytest.raises(ValueError, match=r"2\.5 is not a whole number"):
        cache_key(settings=Settings(num_beams=2.5))  # type: ignore[arg-type]


def test_a_renamed_setting_counts() -> None:
    """Settings with other names give another key, even if the values are the same."""

    @dataclass(frozen=True)
    class One:
        num_beams: int = 1

    @dataclass(frozen=True)
    class Other:
        num_groups: int = 1

    assert cache_key(settings=One()) != cache_key(settings=Other())


@pytest.mark.process
def test_imports_no_pillow() -> None:
    """The key needs neither Pillow nor numpy nor redis."""
    program = "import sys, server.cache.key; print({'PIL', 'numpy', 'redis'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60
    )

    assert (done.returncode, done.stdout) == (0, "set()\n")
