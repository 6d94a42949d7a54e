"""The choice of a search algorithm."""

from server.captioning.generation.beam_search import BeamSearch
from server.captioning.generation.greedy_search import GreedySearch
from server.captioning.generation.types import GenerationRequest, Search


def start_search(request: GenerationRequest) -> Search:
    """Create the search that the settings ask for. The prompt is shorter than `max_length`."""
    if request.settings.num_beams == 1:
        return GreedySearch(request)
    return BeamSearch(request)
