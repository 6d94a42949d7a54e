"""Train the small BLIP from scratch on emoji scenes: `python -m models.emoji_blip.train`.

The first loss is the cross-entropy of the caption over the words that captions use, because the
softmax over all 30,524 words takes half of the time. The second loss classifies the object on each
picture patch. Its head is removed after training; with it the encoder needs far fewer captions.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader
from transformers import BertTokenizerFast, BlipForConditionalGeneration

from models.emoji_blip.art import TRAINING_STYLES, load_sprites
from models.emoji_blip.catalogue import read_catalogue
from models.emoji_blip.dataset import Batch, SceneDataset, collate
from models.emoji_blip.training_model import PATCH, SIDE, TrainingModel, small_config, used_word_ids

HERE = Path(__file__).parent
CHECKPOINT = HERE / "checkpoint"
PROGRESS_FILE = HERE / ".work" / "training.pt"
SAVE_EVERY, WARM_UP = 500, 500  # steps

Forward = Callable[[Batch], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True, slots=True)
class Plan:
    steps: int
    batch: int
    learning_rate: float
    seed: int
    compiled: bool


class Run:
    """A resumable training run: model, optimizer, schedule, step."""

    def __init__(self, plan: Plan, training_model: TrainingModel) -> None:
        self.training_model = training_model
        self.optimizer = AdamW(
            training_model.parameters(), plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.03
        )
        self.schedule = OneCycleLR(
            self.optimizer, plan.learning_rate, total_steps=plan.steps,
            pct_start=min(0.3, WARM_UP / plan.steps), div_factor=100, final_div_factor=100,
        )  # fmt: skip
        self.forward: Forward = torch.compile(training_model) if plan.compiled else training_model
        self.done = 0

    def step(self, batch: Batch) -> tuple[float, float]:
        """Train on one batch. Return its caption loss and patch loss."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            caption_loss, patch_loss = self.forward(batch)
        self.optimizer.zero_grad(set_to_none=True)
        (caption_loss + patch_loss).backward()
        nn.utils.clip_grad_norm_(self.training_model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.done += 1
        return caption_loss.item(), patch_loss.item()

    def resume(self) -> None:
        if PROGRESS_FILE.is_file():
            state = torch.load(PROGRESS_FILE, weights_only=True)
            self.training_model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.done = state["step"]

    def save(self) -> None:
        state = {
            "model": self.training_model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": self.done,
        }
        beside = PROGRESS_FILE.with_suffix(".new")
        torch.save(state, beside)
        beside.replace(PROGRESS_FILE)


def train(plan: Plan) -> BlipForConditionalGeneration:
    torch.manual_seed(plan.seed)
    tokenizer = BertTokenizerFast.from_pretrained(CHECKPOINT)
    model = BlipForConditionalGeneration(small_config(len(tokenizer)))
    run = Run(plan, TrainingModel(model, used_word_ids(tokenizer)))
    run.resume()
    classes = read_catalogue()
    sprites = [load_sprites(style, classes) for style in TRAINING_STYLES]
    data = SceneDataset(tokenizer, classes, sprites, side=SIDE, patch=PATCH, seed=plan.seed)
    loader = DataLoader(
        data, plan.batch, sampler=range(run.done * plan.batch, plan.steps * plan.batch),
        num_workers=1, collate_fn=collate, prefetch_factor=8,
    )  # fmt: skip
    with _progress_bar() as bar:
        task = bar.add_task("training", total=plan.steps, completed=run.done, losses="")
        for batch in loader:
            caption_loss, patch_loss = run.step(batch)
            losses = f"caption {caption_loss:.3f} patches {patch_loss:.3f}"
            bar.update(task, completed=run.done, losses=losses)
            if run.done % 100 == 0:
                bar.console.print(f"step {run.done}: {losses}")
            if run.done % SAVE_EVERY == 0 or run.done == plan.steps:
                run.save()
    return run.training_model.finished(tokenizer)


def _progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m models.emoji_blip.train", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--steps", type=int, default=6500)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--compiled",
        action="store_true",
        help="compile the step: a quarter faster, needs a C++ compiler",
    )
    model = train(Plan(**vars(parser.parse_args())))
    model.save_pretrained(CHECKPOINT)
    print(f"trained model in {CHECKPOINT}")


if __name__ == "__main__":
    main()
