"""Decoder steps that several sequences share.

A decoder step reads all of the decoder's weights, however many rows it has, so a few rows cost
little more than one.
"""

from collections.abc import Sequence

import numpy as np

from server.captioning.arrays import ImageArrays, KVCache, Logits
from server.captioning.generation.generation import Generation
from server.captioning.model.decoder import Decoder


class DecoderBatch:
    """Batch rows for sequences of one beam that step together, with the KV cache of each row.

    Rows are assigned anew whenever a sequence joins or leaves. A prompt of several tokens and a
    beam search take steps of their own.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._members: list[Generation] = []
        self._lengths: list[int] = []
        self._kv_cache: KVCache = []
        self._images: ImageArrays = []

    def step(self, generations: Sequence[Generation]) -> list[Logits]:
        """Run one decoder step for every generation.

        Returns logits float32 [rows, vocab] for each, in order. A member of the batch that is
        absent from `generations` has ended.
        """
        shared = [each for each in generations if _can_share(each)]
        if len(shared) < 2:
            shared = []
        if shared != self._members:
            self._assign_rows(shared)
        logits = self._step_shared() if shared else {}
        return [logits[each] if each in logits else self._step_alone(each) for each in generations]

    def _step_shared(self) -> dict[Generation, Logits]:
        tokens = np.concatenate([member.decoder_input.tokens for member in self._members])
        logits, self._kv_cache = self._decoder.run(
            tokens, self._kv_cache, self._lengths, self._images
        )
        self._lengths = [length + 1 for length in self._lengths]
        return {member: logits[row : row + 1] for row, member in enumerate(self._members)}

    def _step_alone(self, generation: Generation) -> Logits:
        tokens, parents = generation.decoder_input.tokens, generation.decoder_input.parents
        kv_cache = generation.kv_cache
        if not np.array_equal(parents, np.arange(len(kv_cache[0]))):
            kv_cache = [each[parents] for each in kv_cache]
        logits, generation.kv_cache = self._decoder.step(tokens, kv_cache, generation.image)
        return logits

    def _assign_rows(self, generations: Sequence[Generation]) -> None:
        """Return their KV caches to the present members, then give each generation a row."""
        for row, member in enumerate(self._members):
            member.kv_cache = self._kv_cache_of(row)
        self._members = list(generations)
        self._lengths = [member.kv_cache[0].shape[2] for member in self._members]
        self._kv_cache = _stack([member.kv_cache for member in self._members])
        images = (member.image.arrays for member in self._members)
        self._images = [np.concatenate(arrays) for arrays in zip(*images, strict=True)]
        for member in self._members:
            member.kv_cache = []

    def _kv_cache_of(self, row: int) -> KVCache:
        length = self._lengths[row]
        return [each[row : row + 1, :, each.shape[2] - length :] for each in self._kv_cache]


def _can_share(generation: Generation) -> bool:
    return generation.num_beams == 1 and generation.decoder_input.tokens.size == 1


def _stack(kv_caches: Sequence[KVCache]) -> KVCache:
    """Stack caches [1, heads, length, head_dim] of different lengths, padded on the left."""
    longest = max((cache[0].shape[2] for cache in kv_caches), default=0)
    stacked = []
    for layer in zip(*kv_caches, strict=True):
        _, heads, _, head_dim = layer[0].shape
        rows = np.zeros((len(layer), heads, longest, head_dim), np.float32)
        for row, values in enumerate(layer):
            rows[row, :, longest - values.shape[2] :] = values[0]
        stacked.append(rows)
    return stacked
