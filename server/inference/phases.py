"""The phases of a caption request, in the order in which a request goes through them."""

from collections.abc import Mapping
from typing import Literal

Phase = Literal[
    "read", "cache", "wait", "lease", "preprocess", "queue", "encode", "decode", "store"
]

#: What the time of each phase goes to. The metrics have one histogram a phase.
PHASES: Mapping[Phase, str] = {
    "read": "Reading and parsing the body.",
    "cache": "Looking the caption up, and acquiring the lease on one that is not cached.",
    "wait": "Waiting for an equal request in progress in this process.",
    "lease": "Waiting for the replica that holds the lease on the caption.",
    "preprocess": "Decoding and resizing the picture.",
    "queue": "Waiting for a batch slot.",
    "encode": "Running the encoder.",
    "decode": "Running the decoder steps.",
    "store": "Writing the caption to the cache.",
}
