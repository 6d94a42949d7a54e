"""A search run to its end with any decoder."""

from collections.abc import Callable

from server.captioning.arrays import Logits
from server.captioning.generation.search import start_search
from server.captioning.generation.types import (
    DecoderInput,
    GenerationRequest,
    Hypothesis,
    SearchSettings,
)


def searched(
    prompt_ids: tuple[int, ...],
    settings: SearchSettings,
    decoder: Callable[[DecoderInput], Logits],
) -> Hypothesis:
    """Run a search to its end."""
    search = start_search(GenerationRequest(prompt_ids, settings))
    while search.finished is None:
        search.advance(decoder(search.decoder_input))
    return search.finished
