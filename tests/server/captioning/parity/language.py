"""A language model without a network, for transformers' generate() and for our searches."""

from typing import Any

import numpy as np
import torch
from transformers import BlipTextConfig
from transformers.modeling_outputs import CausalLMOutputWithCrossAttentions
from transformers.models.blip.modeling_blip_text import BlipTextLMHeadModel

from server.captioning.arrays import Logits
from server.captioning.generation.types import DecoderInput

VOCABULARY, END = 12, 11
CONTEXTS = 97


class Language(BlipTextLMHeadModel):
    """The logits after a sequence are random, and a function of every token in it."""

    def __init__(self, seed: int) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            BlipTextConfig(
                vocab_size=VOCABULARY,
                hidden_size=4,
                intermediate_size=4,
                num_hidden_layers=1,
                num_attention_heads=1,
            )
        )
        generator = torch.Generator().manual_seed(seed)
        self.table = 2 * torch.randn(CONTEXTS, VOCABULARY, generator=generator)
        # Likely enough that beams end at all lengths, where stopping rules differ.
        self.table[:, END] += 1.5

    def forward(  # type: ignore[override]
        self, input_ids: Any, **unused: Any
    ) -> CausalLMOutputWithCrossAttentions:
        places = torch.arange(1, input_ids.shape[1] + 1)
        contexts = (input_ids * places * places).cumsum(-1) % CONTEXTS
        logits: Any = self.table[contexts]
        return CausalLMOutputWithCrossAttentions(logits=logits)


class Speaker:
    """A decoder of that language: decoder input -> logits."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._sequences = np.empty((1, 0), np.int64)

    def __call__(self, step: DecoderInput) -> Logits:
        self._sequences = np.concatenate([self._sequences[step.parents], step.tokens], axis=1)
        logits: Logits = self._language(torch.from_numpy(self._sequences)).logits[:, -1].numpy()
        return logits
