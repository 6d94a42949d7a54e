"""Import everything that the suite uses of this project, apart from the captioning runtime.

The runtime is imported in benchmarks.peers.ours alone. Competitors run in processes that must not
load ONNX Runtime, or its memory would count as theirs.
"""

from pathlib import Path

from server.captioning.errors import ModelDirectoryError
from server.captioning.image.picture_decoder import PictureDecoder
from server.captioning.image.pixel_values import to_pixel_values
from server.captioning.model.directory import DECODER, ENCODER, read_manifest
from server.captioning.model.manifest import Manifest
from server.captioning.threads import available_threads

ROOT = Path(__file__).parents[1]

__all__ = [
    "DECODER",
    "ENCODER",
    "ROOT",
    "Manifest",
    "ModelDirectoryError",
    "PictureDecoder",
    "available_threads",
    "read_manifest",
    "to_pixel_values",
]
