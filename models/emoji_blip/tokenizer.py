"""BLIP's tokenizer and picture processor, built from the bert-base-uncased word list."""

from pathlib import Path

import transformers
from transformers import BertTokenizerFast, BlipImageProcessor, BlipProcessor

# The order of BLIP's own additions to the BERT vocabulary: ids 30522 and 30523.
START_TOKEN, ENCODER_TOKEN = "[DEC]", "[ENC]"
# The tokenizer's argument for the word list has another name since transformers 5.
VOCABULARY_ARGUMENT = "vocab_file" if transformers.__version__.startswith("4.") else "vocab"


def build_processor(vocabulary: Path, image_size: int) -> BlipProcessor:
    """Return BLIP's processor for square pictures of `image_size` pixels.

    `vocabulary` is a text file, one WordPiece a line; for BLIP's own ids it has to be the 30,522
    lines of bert-base-uncased.
    """
    tokenizer = BertTokenizerFast(
        do_lower_case=True,
        model_input_names=["input_ids", "attention_mask"],
        **{VOCABULARY_ARGUMENT: str(vocabulary)},
    )
    tokenizer.add_special_tokens({"bos_token": START_TOKEN})
    tokenizer.add_special_tokens({"additional_special_tokens": [ENCODER_TOKEN]})
    images = BlipImageProcessor(size={"height": image_size, "width": image_size})
    return BlipProcessor(images, tokenizer)
