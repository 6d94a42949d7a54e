"""Make the model for speed: a checkpoint with BLIP-base's shapes and random weights, exported.

Inference time depends on shapes alone. The trained checkpoint is a download of 1 GB that not every
machine can make.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from shutil import rmtree

from rich.console import Console

from benchmarks.project import ROOT
from benchmarks.subjects import BASE, BASE_LABEL, WORK, find_subject

VOCABULARY = ROOT / "models" / "emoji_blip" / "checkpoint" / "vocab.txt"
SEED = 0


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--precision", choices=["fp32", "int8"], default="fp32")


def run(options: Namespace, console: Console) -> None:
    """Make the files that are missing. Raises Unavailable."""
    make_checkpoint(WORK / BASE / "checkpoint")
    directory = find_subject(BASE).directory(options.precision)
    console.print(f"{BASE_LABEL}, {options.precision}: {directory.relative_to(ROOT)}")


def make_checkpoint(directory: Path) -> None:
    """Write model and processor as transformers does, unless they are there; all files or none."""
    if directory.is_dir():
        return
    from models.emoji_blip.tokenizer import build_processor

    partial = directory.with_name("checkpoint.partial")
    rmtree(partial, ignore_errors=True)
    model = random_model()
    model.save_pretrained(partial)  # type: ignore[attr-defined]
    build_processor(VOCABULARY, 384).save_pretrained(partial)
    partial.rename(directory)


def random_model() -> object:
    """Build a model with the shapes of Salesforce/blip-image-captioning-base."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    from benchmarks.random_weights import randomise

    config = BlipConfig(
        text_config={"num_attention_heads": 12, "vocab_size": 30524, "hidden_size": 768},
        vision_config={"image_size": 384, "patch_size": 16, "hidden_size": 768},
    )
    model = BlipForConditionalGeneration(config).eval()
    randomise(model, SEED)
    return model
