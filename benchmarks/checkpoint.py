"""The model for speed: BLIP-base's geometry with random weights, for time depends on shapes alone.

The trained checkpoint is a download of a gigabyte that not every machine can make.
"""

import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from shutil import rmtree

from rich.console import Console

from benchmarks.errors import ModelUnavailable
from benchmarks.http.servers import ROOT
from benchmarks.subjects import BASE_DIRECTORY, BASE_LABEL

VOCABULARY = ROOT / "models" / "emoji_blip" / "checkpoint" / "vocab.txt"
SEED = 0


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--precision", choices=["fp32", "int8"], default="fp32")


def run(options: Namespace, console: Console) -> None:
    """Make what is not there yet. Raises ModelUnavailable."""
    checkpoint, directory = BASE_DIRECTORY / "checkpoint", BASE_DIRECTORY / options.precision
    if not checkpoint.is_dir():
        console.print(f"making {BASE_LABEL}: 250 million of them, 1 GB in {checkpoint.parent.name}")
        save_checkpoint(checkpoint)
    if not directory.is_dir():
        export(checkpoint, directory, options.precision)
    console.print(f"{BASE_LABEL}, {options.precision}: {directory.relative_to(ROOT)}")


def export(checkpoint: Path, directory: Path, precision: str) -> None:
    """By `python -m export`, verified on one picture: a caption takes seconds here."""
    command = [sys.executable, "-m", "export", str(checkpoint), str(directory)]
    options = ["--precision", precision, "--name", "base_random", "--pictures", "1"]
    if precision == "int8":
        # Random weights have no captions worth keeping: their best tokens are all but ties.
        options += ["--min-agreement", "0"]
    if subprocess.run([*command, *options], cwd=ROOT, check=False).returncode:
        raise ModelUnavailable(f"{BASE_LABEL} can't be exported as {precision}; see the line above")


def save_checkpoint(directory: Path) -> None:
    """Write model and processor as transformers does; all of it or nothing."""
    from models.emoji_blip.tokenizer import build_processor

    partial = directory.with_name("checkpoint.partial")
    rmtree(partial, ignore_errors=True)
    model = random_model()
    model.save_pretrained(partial)  # type: ignore[attr-defined]
    build_processor(VOCABULARY, 384).save_pretrained(partial)
    partial.rename(directory)


def random_model() -> object:
    """Of Salesforce/blip-image-captioning-base's geometry."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    from benchmarks.random_weights import randomise

    config = BlipConfig(
        text_config={"num_attention_heads": 12, "vocab_size": 30524, "hidden_size": 768},
        vision_config={"image_size": 384, "patch_size": 16, "hidden_size": 768},
    )
    model = BlipForConditionalGeneration(config).eval()
    randomise(model, SEED)
    return model
