"""Captions of different pictures that take their decoder steps together.

A step reads all of the decoder's weights whoever it is for, so some rows cost little more than one.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from server.captioning.generation import greedy_search as search
from server.captioning.generation.logits_processors import Scores
from server.captioning.generation.types import Feed, Hypothesis, SearchSettings
from server.captioning.model.decoder import Decoder, Decoding, Values


@dataclass(frozen=True, slots=True)
class Turn:
    """What a caption in the making asks for: the logits after a feed.

    `alone` says that it has more than one row in some of its turns: those of its beams.
    """

    decoding: Decoding
    feed: Feed
    alone: bool


def turns(
    decoding: Decoding, prompt_ids: tuple[int, ...], settings: SearchSettings
) -> Generator[Turn, Scores, Hypothesis]:
    """A search for the caption of one picture."""
    searching = search.start(prompt_ids, settings)
    alone = settings.num_beams > 1
    try:
        feed = next(searching)
        while True:
            feed = searching.send((yield Turn(decoding, feed, alone)))
    except StopIteration as stop:
        found: Hypothesis = stop.value
        return found


class Batch:
    """Rows of a decoder that captions of one beam take when two of them meet, and leave at the end.

    All a row costs to keep is memory: the cross-attention keys and values of `size` pictures.
    """

    def __init__(self, decoder: Decoder, size: int) -> None:
        self._decoder = decoder
        self._size = size
        self._members: list[Decoding] = []
        self._lengths: list[int] = []
        self._past: Values = []
        self._cross: Values = []

    def gather(self, turns: Sequence[Turn]) -> bool:
        """Make room for what the next step is to take together, a turn more at every call.

        The keys and values of a picture then lie in memory once. False if a turn will be taken
        alone: its picture stays as it is until then, and more of that kind would take memory.
        """
        self._seat_all(turns)
        return all(_goes_with_others(each) for each in turns)

    def step(self, turns: Sequence[Turn]) -> list[Scores]:
        """The logits float32 [rows, vocab] for each turn, of which at most `size` are.

        A decoding that has a row and no turn has ended. Prompts and beams take a step of their own.
        """
        feeds = self._seat_all(turns)
        scores = self._step_together(feeds) if feeds else {}
        return [
            scores[each.decoding] if each.decoding in scores else each.decoding(each.feed)
            for each in turns
        ]

    def _seat_all(self, turns: Sequence[Turn]) -> Mapping[Decoding, Feed]:
        """Give rows to those who go with others, unless one alone has none yet; their feeds."""
        feeds = {each.decoding: each.feed for each in turns if _goes_with_others(each)}
        if len(feeds) == 1 and not feeds.keys() <= set(self._members):
            feeds = {}
        if not feeds:
            self._members, self._lengths, self._past = [], [], []
        elif feeds.keys() != set(self._members):
            self._seat(feeds)
        return feeds

    def _step_together(self, feeds: Mapping[Decoding, Feed]) -> dict[Decoding, Scores]:
        rows = len(self._members)
        tokens = np.concatenate([feeds[member].tokens for member in self._members])
        logits, self._past = self._decoder.run(
            tokens, self._past, self._lengths, [each[:rows] for each in self._cross]
        )
        self._lengths = [length + 1 for length in self._lengths]
        return {member: logits[row : row + 1] for row, member in enumerate(self._members)}

    def _seat(self, decodings: Mapping[Decoding, Feed]) -> None:
        """Give every decoding a row; who has one among the first keeps it, for a move is a copy."""
        pasts = {member: self._past_of(row) for row, member in enumerate(self._members)}
        seats: list[Decoding | None] = [
            member if member in decodings else None for member in self._members[: len(decodings)]
        ]
        seats += [None] * (len(decodings) - len(seats))
        for decoding in decodings.keys() - set(seats):
            row = seats.index(None)
            if decoding in pasts:
                self._copy_cross(row, [each[self._members.index(decoding)] for each in self._cross])
            else:
                image, pasts[decoding] = decoding.hand_over()
                self._copy_cross(row, [each[0] for each in image.cross_key_values])
            seats[row] = decoding
        self._members = [each for each in seats if each]
        self._lengths = [pasts[member][0].shape[2] for member in self._members]
        self._past = _stack([pasts[member] for member in self._members])

    def _past_of(self, row: int) -> Values:
        return [each[row : row + 1, :, each.shape[2] - self._lengths[row] :] for each in self._past]

    def _copy_cross(self, row: int, values: Values) -> None:
        self._cross = self._cross or [
            np.empty((self._size, *value.shape), value.dtype) for value in values
        ]
        for rows, value in zip(self._cross, values, strict=True):
            rows[row] = value


def _goes_with_others(turn: Turn) -> bool:
    """A prompt doesn't: it has more tokens than one."""
    return not turn.alone and turn.feed.tokens.size == 1


def _stack(pasts: Sequence[Values]) -> Values:
    """Pasts of different lengths, [1, heads, length, head_dim] each, with zeros to their left."""
    longest = max(past[0].shape[2] for past in pasts)
    stacked = []
    for values in zip(*pasts, strict=True):
        _, heads, _, head_dim = values[0].shape
        rows = np.zeros((len(values), heads, longest, head_dim), np.float32)
        for row, value in enumerate(values):
            rows[row, :, longest - value.shape[2] :] = value[0]
        stacked.append(rows)
    return stacked
