"""Whether an answer is the right one: a server that answers wrong must not look fast."""

from collections.abc import Mapping
from typing import Literal

from benchmarks.errors import WrongAnswer
from benchmarks.http.client import Answer, Question, Target

Cache = Literal["MISS", "HIT"]


class Verifier:
    """Holds the captions that answers must have: those known beforehand, else the first given.

    By server: one may run the same model in another precision.
    """

    def __init__(self, known: Mapping[str, Mapping[Question, str]]) -> None:
        self._captions = {server: dict(captions) for server, captions in known.items()}

    def check(self, target: Target, question: Question, answer: Answer, cache: Cache) -> None:
        """Raises WrongAnswer for an error, another caption, or another source than `cache`."""
        self.check_caption(target, question, answer)
        source = cache_of(target, answer)
        if source != cache:
            raise WrongAnswer(
                f"{target.name} answered {question} with {source} where it must be {cache}; "
                f"{_CONSEQUENCES[cache]}"
            )

    def check_caption(self, target: Target, question: Question, answer: Answer) -> None:
        """Raises WrongAnswer for an error or another caption."""
        if answer.status != 200:
            raise WrongAnswer(
                f"{target.name} answered {question} with status {answer.status} "
                f"({answer.error or 'no message'}) where a caption must be"
            )
        if not isinstance(answer.caption, str):
            raise WrongAnswer(f"{target.name} answered {question} without a caption")
        captions = self._captions.setdefault(target.name, {})
        expected = captions.setdefault(question, answer.caption)
        if answer.caption != expected:
            raise WrongAnswer(
                f"{target.name} captioned {question} {answer.caption!r:.80} where the caption is "
                f"{expected!r:.80}; its figures would mean nothing"
            )


def cache_of(target: Target, answer: Answer) -> str:
    """MISS, HIT, or what else the server states.

    Raises WrongAnswer if X-Cache and the body contradict each other.
    """
    stated = answer.x_cache if target.states_cache else None
    told = "HIT" if answer.cached else "MISS"
    if stated is not None and (stated == "HIT") != bool(answer.cached):
        raise WrongAnswer(
            f"{target.name} contradicts itself: X-Cache is {stated}, cached is {answer.cached}"
        )
    if target.states_cache and stated is None:
        return "no X-Cache header"
    return stated or told


_CONSEQUENCES = {
    "MISS": "a picture it never saw can't be cached, so it would look fast without captioning",
    "HIT": "it captioned a picture before that it captions again, so its cache does not work",
}
