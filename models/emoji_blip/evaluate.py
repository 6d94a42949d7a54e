"""Evaluate a model directory on unseen scenes: `python -m models.emoji_blip.evaluate`.

The server's own runtime captions every picture. The seed of the scenes is not used in training, and
the Fluent rows use held-out art.
"""

import argparse
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from rich.progress import track

from models.emoji_blip.art import FLUENT, TRAINING_STYLES, Style, load_sprites
from models.emoji_blip.catalogue import ObjectClass, read_catalogue
from models.emoji_blip.scenes import Layout, describe, render, sample_scene
from server.captioning.captioner import BlipCaptioner
from server.captioning.options import GenerationOptions

HERE = Path(__file__).parent
CARD = HERE / "README.md"
SIDE = 256
SEED = 20_000
CARD_SECTION = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- /figures -->)", re.DOTALL)
LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "one object": ("alone",),
    "two objects": ("side", "above", "diagonal"),
    "three objects": ("row",),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Scores on one kind of scene.

    `objects_right` is the share of captions that name exactly the objects in the picture.
    """

    scenes: str
    art: str
    count: int
    objects_right: float
    captions_equal: float
    bleu_4: float
    rouge_l: float
    cider: float


def named_classes(caption: str, classes: Sequence[ObjectClass]) -> list[str]:
    """Return the class names in `caption`, in order. The longest of several matches counts."""
    names = sorted((object_class.name for object_class in classes), key=len, reverse=True)
    return re.findall(r"\b(?:" + "|".join(map(re.escape, names)) + r")\b", caption)


def evaluate(captioner: BlipCaptioner, kind: str, styles: Sequence[Style], count: int) -> Figures:
    classes = read_catalogue()
    wanted, said = [], []
    for picture, caption in track(
        _scenes(kind, styles, classes, count), total=count, description=f"{kind}, {_names(styles)}"
    ):
        wanted.append(caption)
        said.append(captioner.caption(picture, None, GenerationOptions()).text)
    return Figures(
        scenes=kind,
        art=_names(styles),
        count=count,
        objects_right=_share(
            named_classes(a, classes) == named_classes(b, classes)
            for a, b in zip(wanted, said, strict=True)
        ),
        captions_equal=_share(a == b for a, b in zip(wanted, said, strict=True)),
        **_caption_metrics(wanted, said),
    )


def _scenes(
    kind: str, styles: Sequence[Style], classes: tuple[ObjectClass, ...], count: int
) -> Iterator[tuple[bytes, str]]:
    sprites = [load_sprites(style, classes) for style in styles]
    layouts = LAYOUTS[kind]
    for index in range(count):
        rng = np.random.default_rng([SEED, index])
        scene = sample_scene(rng, len(classes), len(sprites), layouts[index % len(layouts)])
        yield _png(render(scene, sprites, SIDE).picture), describe(scene, classes)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _caption_metrics(wanted: list[str], said: list[str]) -> dict[str, float]:
    """Compute BLEU-4, ROUGE-L and CIDEr (0 to 10) against the one reference caption of a scene."""
    references = {index: [_words(text)] for index, text in enumerate(wanted)}
    answers = {index: [_words(text)] for index, text in enumerate(said)}
    return {
        "bleu_4": float(Bleu(4).compute_score(references, answers, verbose=0)[0][3]),
        "rouge_l": float(Rouge().compute_score(references, answers)[0]),
        "cider": float(Cider().compute_score(references, answers)[0]),
    }


def _words(caption: str) -> str:
    return caption.replace(",", "")


def _share(outcomes: Iterator[bool]) -> float:
    return float(np.mean(list(outcomes)))


def _names(styles: Sequence[Style]) -> str:
    return " and ".join(style.name for style in styles)


def markdown(rows: Sequence[Figures]) -> str:
    lines = [
        "| scenes | art | pictures | objects right | caption right | BLEU-4 | ROUGE-L | CIDEr |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.scenes} | {row.art} | {row.count} | {row.objects_right:.1%}"
        f" | {row.captions_equal:.1%} | {row.bleu_4:.3f} | {row.rouge_l:.3f} | {row.cider:.2f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m models.emoji_blip.evaluate", description=__doc__
    )
    parser.add_argument(
        "--model", type=Path, default=HERE, help="model directory (default: the committed one)"
    )
    parser.add_argument(
        "--count", type=int, default=1000, help="scenes of each kind (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--card", action="store_true", help="put the table into the model card")
    arguments = parser.parse_args()
    captioner = BlipCaptioner.open(arguments.model)
    rows = [
        evaluate(captioner, kind, styles, arguments.count)
        for styles in (TRAINING_STYLES, (FLUENT,))
        for kind in LAYOUTS
    ]
    table = markdown(rows)
    print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    if arguments.card:
        CARD.write_text(CARD_SECTION.sub(lambda _: table, CARD.read_text()))


if __name__ == "__main__":
    main()
