"""Write the model card, README.md, of a model directory that is published on the hub."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from huggingface_hub import ModelCardData

from server.captioning.model.manifest import Manifest

TAGS = ["image-captioning", "blip", "onnx", "onnxruntime"]

_TEXT = """\
---
{front_matter}
---

# {name}

{source}, exported to ONNX in {precision} for the caption server, which serves it without torch.
The export comes from `python -m export`; `manifest.json` has its settings and the SHA-256 of every
file, which the server checks before it loads them.
{notice}
## Serve it

In a checkout of the caption server:

```
scripts/serve --model hf://{repository}
curl -F image=@photo.jpg http://127.0.0.1:8000/caption
```

The files are downloaded once. Later starts need no network.

## Verification

Captions of this directory were compared with those of transformers' `generate`.

| figure | value |
|---|---|
{figures}

Exported with {tools}.
"""


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence as the card of the source states it: id, and name and link if the id is "other"."""

    id: str | None = None
    name: str | None = None
    link: str | None = None


def model_card(manifest: Manifest, repository: str, licence: Licence) -> str:
    """Return the card of `manifest` in `repository`, with its front matter."""
    return _TEXT.format(
        front_matter=_front_matter(manifest, licence).to_yaml(),
        name=manifest.name,
        source=_source(manifest),
        precision=manifest.precision,
        repository=repository,
        notice=f"\n{manifest.notice}\n" if manifest.notice else "",
        figures="\n".join(f"| {name} | {value} |" for name, value in _rows(manifest.verification)),
        tools=", ".join(f"{tool} {version}" for tool, version in manifest.tools.items()),
    )


def _front_matter(manifest: Manifest, licence: Licence) -> ModelCardData:
    from_hub = manifest.revision is not None
    return ModelCardData(
        base_model=manifest.source if from_hub else None,
        base_model_relation="quantized" if from_hub and manifest.precision == "int8" else None,
        license=licence.id,
        license_name=licence.name,
        license_link=licence.link,
        pipeline_tag="image-to-text",
        library_name="onnx",
        tags=TAGS,
    )


def _source(manifest: Manifest) -> str:
    if manifest.revision is None:  # A directory, of which only the name is known.
        return f"The checkpoint `{manifest.source}`"
    address = f"https://huggingface.co/{manifest.source}"
    return f"[{manifest.source}]({address}) at commit `{manifest.revision}`"


def _rows(figures: Mapping[str, object], group: str = "") -> Iterator[tuple[str, str]]:
    """Yield name and value of each figure. Figures within a figure get its name in front."""
    for key, value in figures.items():
        name = f"{group}{key}".replace("_", " ").replace("|", "\\|")
        if isinstance(value, Mapping):
            yield from _rows(value, f"{name}, ")
        else:
            yield name, _text(value).replace("|", "\\|")


def _text(value: object) -> str:
    if value is None:
        return "none"
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)
