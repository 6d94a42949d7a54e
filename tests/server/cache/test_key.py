from dataclasses import fields, replace
from functools import partial
from itertools import combinations

import pytest

from server.cache import key as key_module
from server.captioning.options import GenerationOptions

cache_key = partial(key_module.cache_key, exact_decode=False)

IMAGE = b"i" * 32
OPTIONS = GenerationOptions()


def test_is_stable() -> None:
    """The key of a request is the same today and tomorrow: entries outlive the process."""
    assert cache_key("model", IMAGE, "a cat", OPTIONS) == (
        "cap:v1:a31d39c0ff089f67e9e363ab47d9ad0cc8b9128262423886be7c1a38d548489e"
    )


def test_requests_that_look_alike() -> None:
    """No prompt, "", "default" and "None" are four requests; so is each shift of a byte."""
    keys = [
        cache_key("model", IMAGE, None, OPTIONS),
        cache_key("model", IMAGE, "", OPTIONS),
        cache_key("model", IMAGE, "default", OPTIONS),
        cache_key("model", IMAGE, "None", OPTIONS),
        cache_key("model", IMAGE, "prompt", OPTIONS),
        cache_key("model", IMAGE, "no prompt", OPTIONS),
        cache_key("model", IMAGE, "a", OPTIONS),
        cache_key("model", b"a" + IMAGE, "", OPTIONS),
        cache_key("model", IMAGE, "a\x00", OPTIONS),
        cache_key("modelp", IMAGE, "rompt", OPTIONS),
        cache_key("model", IMAGE + b"x", "y", OPTIONS),
        cache_key("model", IMAGE, "xy", OPTIONS),
    ]

    assert all(one != other for one, other in combinations(keys, 2))


@pytest.mark.parametrize("name", [field.name for field in fields(GenerationOptions)])
def test_every_option_counts(name: str) -> None:
    """A request with one option changed is another request."""
    changed = replace(OPTIONS, **{name: 2})

    assert cache_key("m", IMAGE, None, changed) != cache_key("m", IMAGE, None, OPTIONS)


def test_options_do_not_swap() -> None:
    """The same numbers in other options are another request."""
    one = GenerationOptions(num_beams=3, no_repeat_ngram_size=2)
    other = GenerationOptions(num_beams=2, no_repeat_ngram_size=3)

    assert cache_key("m", IMAGE, None, one) != cache_key("m", IMAGE, None, other)


def test_preprocessing_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new way of preparing pictures makes all entries old."""
    before = cache_key("m", IMAGE, None, OPTIONS)
    monkeypatch.setattr(key_module, "PREPROCESSING_VERSION", 99)

    assert cache_key("m", IMAGE, None, OPTIONS) != before


def test_exactness_counts() -> None:
    """Large JPEGs decoded in full and at a fraction give different pictures to the model."""
    exact = cache_key("m", IMAGE, None, OPTIONS, exact_decode=True)

    assert exact != cache_key("m", IMAGE, None, OPTIONS)
