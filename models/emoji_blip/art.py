"""Fetch emoji art from npm packages and load it as square RGBA sprites.

Training draws Noto (Google, Apache-2.0) and Twemoji (Twitter, CC-BY 4.0). Fluent (Microsoft, MIT)
is held out for evaluation.
"""

import io
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from models.emoji_blip.catalogue import ObjectClass

ART_DIRECTORY = Path(__file__).with_name(".work") / "art"


@dataclass(frozen=True, slots=True)
class Style:
    """An art style: its npm package, and the folder and suffix of its pictures in there."""

    name: str
    package: str
    folder: str
    suffix: str


NOTO = Style("Noto", "emoji-datasource-google@16.0.0", "package/img/google/64", ".png")
TWEMOJI = Style("Twemoji", "emoji-datasource-twitter@16.0.0", "package/img/twitter/64", ".png")
FLUENT = Style("Fluent", "@lobehub/fluent-emoji-flat@1.1.0", "package/assets", ".svg")
TRAINING_STYLES = (NOTO, TWEMOJI)


class ArtError(Exception):
    """The art can't be fetched or lacks a picture."""


def load_sprites(style: Style, classes: tuple[ObjectClass, ...]) -> list[Image.Image]:
    """Return one RGBA sprite for each class, in order. The package is fetched on first use.

    Raises ArtError.
    """
    folder = ART_DIRECTORY / style.name
    if not folder.is_dir():
        _fetch(style, folder)
    return [_load(_find(folder, object_class, style)) for object_class in classes]


def _find(folder: Path, object_class: ObjectClass, style: Style) -> Path:
    for stem in (object_class.code, object_class.code.removesuffix("-fe0f")):
        if (path := folder / f"{stem}{style.suffix}").is_file():
            return path
    raise ArtError(
        f"{style.name} has no picture of {object_class.name!r} ({object_class.code}) "
        f"in {style.package}"
    )


def _load(path: Path) -> Image.Image:
    if path.suffix == ".svg":
        import cairosvg  # only the held-out style needs it

        png = cairosvg.svg2png(url=str(path), output_width=128, output_height=128)
        return Image.open(io.BytesIO(png)).convert("RGBA")
    return Image.open(path).convert("RGBA")


def _fetch(style: Style, folder: Path) -> None:
    if shutil.which("npm") is None:
        raise ArtError(f"{style.package} comes from npm, which is not installed: install Node.js")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        packed = subprocess.run(
            ["npm", "pack", "--silent", style.package], cwd=scratch, capture_output=True, text=True
        )
        if packed.returncode != 0:
            raise ArtError(f"npm could not fetch {style.package}: {packed.stderr.strip()}")
        with tarfile.open(next(Path(scratch).glob("*.tgz"))) as archive:
            archive.extractall(scratch, filter="data")
        (Path(scratch) / style.folder).rename(folder)
