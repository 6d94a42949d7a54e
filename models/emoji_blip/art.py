"""Emoji art: fetched from npm packages, kept outside git, loaded as square RGBA sprites.

Noto (Google, Apache-2.0) and Twemoji (Twitter, CC-BY 4.0) are drawn from in training. Fluent
(Microsoft, MIT) is held out: the model never sees it before it is evaluated.
"""

import io
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from models.emoji_blip.catalogue import Thing

ART_DIRECTORY = Path(__file__).with_name(".work") / "art"


@dataclass(frozen=True, slots=True)
class Style:
    """One artist's set: the npm package that carries it and where its pictures lie in there."""

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


def load_sprites(style: Style, things: tuple[Thing, ...]) -> list[Image.Image]:
    """Return one RGBA sprite a thing, in order; the package is fetched on first use.

    Raises ArtError.
    """
    folder = ART_DIRECTORY / style.name
    if not folder.is_dir():
        _fetch(style, folder)
    return [_load(_find(folder, thing, style)) for thing in things]


def _find(folder: Path, thing: Thing, style: Style) -> Path:
    for stem in (thing.code, thing.code.removesuffix("-fe0f")):
        if (path := folder / f"{stem}{style.suffix}").is_file():
            return path
    raise ArtError(
        f"{style.name} has no picture of {thing.name!r} ({thing.code}) in {style.package}"
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
