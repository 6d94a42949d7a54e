"""The model that ships with the repository, and its example pictures."""

from pathlib import Path

MODEL = Path(__file__).parents[1] / "models" / "emoji_blip"
EXAMPLES = sorted((MODEL / "examples").iterdir())


def shown_in(example: Path) -> str:
    """Return the caption of an example, which its file name spells without commas."""
    return example.stem.replace("-", " ")


def without_commas(caption: str) -> str:
    """Return a caption as `shown_in` spells it."""
    return caption.replace(" ,", "").replace(",", "")
