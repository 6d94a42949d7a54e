"""The roofline of a caption: the least work of the model at this machine's best rates.

S. Williams, A. Waterman, D. Patterson: Roofline, an insightful visual performance model for
multicore architectures, CACM 52(4), 2009. Encoding is bound by arithmetic, a decoder step of one
caption by reading its weights.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rows import Kernel, MachineRate, Work

#: By precision of the weights: the kernel of a linear layer, and the bytes of a weight.
KERNELS: dict[str, Kernel] = {"fp32": "fp32 gemm", "bf16": "bf16 gemm", "int8": "int8 gemm"}
WEIGHT_BYTES = {"fp32": 4, "bf16": 2, "int8": 1}
#: The kernel of attention: its probabilities are too small and too many for 8 bits.
ATTENTION_KERNELS: dict[str, Kernel] = {**KERNELS, "int8": "fp32 gemm"}


@dataclass(frozen=True, slots=True)
class Roofline:
    """The least seconds to encode a picture and to decode a token."""

    encode: float
    token: float


def work_of(checkpoint: Path) -> Work:
    """Count the work of a caption from the checkpoint's configuration.

    Counts matrix products and convolutions, which are all but a few percent. Cross-attention reads
    the encoder's last hidden state, once for all layers, and the weights of its keys and values.
    """
    from transformers import BlipConfig

    config = BlipConfig.from_pretrained(checkpoint)
    vision, text = config.vision_config, config.text_config
    hidden, width = vision.hidden_size, text.hidden_size
    patches = (vision.image_size // vision.patch_size) ** 2
    tokens = patches + 1
    embedding = patches * hidden * 3 * vision.patch_size**2
    projections = tokens * hidden * (4 * hidden + 2 * vision.intermediate_size)
    attention = 2 * tokens**2 * hidden
    # Four products of self-attention, query and output of cross-attention, its key and value,
    # feed-forward.
    layer = 6 * width**2 + 2 * hidden * width + 2 * width * text.intermediate_size
    head = width**2 + width * text.vocab_size
    return Work(
        encoder_operations=2.0 * (embedding + (projections + attention) * vision.num_hidden_layers),
        attention_operations=2.0 * attention * vision.num_hidden_layers,
        step_bytes=4.0 * (layer * text.num_hidden_layers + tokens * hidden + head),
    )


def best_rates(rows: Iterable[object]) -> dict[Kernel, float]:
    """Return each kernel's best rate of all rounds among the rows."""
    rates: dict[Kernel, float] = {}
    for row in rows:
        if isinstance(row, MachineRate):
            rates[row.kernel] = max(rates.get(row.kernel, 0.0), row.rate)
    return rates


def roofline_of(rows: Iterable[object], precision: str) -> Roofline | None:
    """Return the roofline of one caption at a time; None if the rows lack work or rates.

    A decoder that fits the processor's caches may be faster: weights are read from memory here.
    """
    found = tuple(rows)
    rates = best_rates(found)
    work = next((row for row in found if isinstance(row, Work)), None)
    linear_kernel, attention_kernel = KERNELS[precision], ATTENTION_KERNELS[precision]
    if work is None or not {linear_kernel, attention_kernel, "memory read"} <= rates.keys():
        return None
    linear = work.encoder_operations - work.attention_operations
    return Roofline(
        encode=linear / rates[linear_kernel] + work.attention_operations / rates[attention_kernel],
        token=work.step_bytes * WEIGHT_BYTES[precision] / 4 / rates["memory read"],
    )
