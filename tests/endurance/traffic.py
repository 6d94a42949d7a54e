"""Requests of every kind that a server on the open internet gets, in a mix that can be repeated."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from benchmarks.pictures import SIZES, draw
from tests.endurance.load import BOUNDARY, form

_MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
_KNOWN = 20

#: Fields beside the picture that are refused, each in another way.
_WRONG_FIELDS = (
    {"num_beams": "many"},
    {"num_beams": "1000"},
    {"max_new_tokens": "0"},
    {"colour": "blue"},
    {"prompt": "word " * 1500},
    {"prompt": "word " * 5000},
    {"repetition_penalty": "nan"},
)


@dataclass(frozen=True, slots=True)
class Message:
    """One request by POST, and the statuses that it may get."""

    kind: str
    body: bytes
    statuses: Sequence[int]
    content_type: str = _MULTIPART
    path: str = "/caption"


class Traffic:
    """An endless mix; the same `seed` gives the same one."""

    def __init__(self, seed: int = 0) -> None:
        self._chance = random.Random(seed)
        self._serial = count()
        self._motifs = [draw(SIZES["50 KB"], index) for index in range(4)]
        self._percent: dict[Callable[[], Message], int] = {
            self._known: 60,
            self._new: 10,
            self._broken: 10,
            self._odd_form: 10,
            self._wrong_field: 5,
            self._wrong_request: 5,
        }

    def next(self) -> Message:
        (make,) = self._chance.choices(list(self._percent), list(self._percent.values()))
        return make()

    def _picture(self, serial: str) -> bytes:
        return self._motifs[self._chance.randrange(len(self._motifs))].as_file(serial)

    def _known(self) -> Message:
        number = self._chance.randrange(_KNOWN)
        image = self._motifs[number % len(self._motifs)].as_file(f"known {number}")
        return Message("hit", form(image), [200])

    def _new(self) -> Message:
        fields = self._chance.choice([{}, {"prompt": "a picture of"}, {"num_beams": "3"}])
        return Message("miss", form(self._picture(str(next(self._serial))), fields), [200])

    def _broken(self) -> Message:
        """Cut, or with wrong bytes."""
        whole = self._picture(str(next(self._serial)))
        spoilt = bytearray(whole[: self._chance.randrange(1, len(whole))])
        for _ in range(self._chance.randrange(8)):
            spoilt[self._chance.randrange(len(spoilt))] = self._chance.randrange(256)
        return Message("broken picture", form(bytes(spoilt)), [200, 413, 415, 422])

    def _odd_form(self) -> Message:
        """A form that is cut, or has wrong bytes in its frame."""
        body = bytearray(form(self._picture(str(next(self._serial)))))
        if self._chance.random() < 0.5:
            return Message("odd form", bytes(body[: self._chance.randrange(len(body) - 4)]), [400])
        for _ in range(3):
            body[self._chance.randrange(120)] = self._chance.randrange(256)
        return Message("odd form", bytes(body), [200, 400, 413, 415, 422])

    def _wrong_field(self) -> Message:
        fields = self._chance.choice(_WRONG_FIELDS)
        return Message("wrong field", form(self._picture("field"), fields), [400, 422])

    def _wrong_request(self) -> Message:
        return self._chance.choice(
            [
                Message("error", b"", [400]),
                Message("error", b"{}", [400], content_type="application/json"),
                Message("error", form(b"x"), [415], content_type=f"{_MULTIPART}; charset=idna"),
                Message("error", form(b"x"), [404], path="/captions"),
                Message("error", form(b"x"), [405], path="/info"),
                Message("error", form(bytes(10_500_000)), [413]),
            ]
        )
