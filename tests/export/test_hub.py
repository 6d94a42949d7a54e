"""The published checkpoint, where the hub or its cache can be reached."""

from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from requests.exceptions import RequestException

from export.__main__ import main
from export.errors import SourceError
from export.sources import find_source
from server.captioning.captioner import BlipCaptioner
from server.captioning.model.directory import read_manifest
from server.captioning.options import GenerationOptions

REPOSITORY = "Salesforce/blip-image-captioning-base"

# tests/models/blip/test_modeling_blip.py of transformers, test_inference_image_captioning.
PUBLISHED = (30522, 1037, 2450, 3564, 2006, 1996, 3509, 2007, 2014, 3899, 102)
PUBLISHED_WITH_PROMPT = (30522, 1037, 3861, 1997, *PUBLISHED[1:])

pytestmark = pytest.mark.hub


@pytest.fixture(scope="module")
def demo_picture() -> bytes:
    """The beach, the woman and her dog of BLIP's own demo."""
    try:
        path = hf_hub_download("hf-internal-testing/blip-test-image", "demo.jpg")
    except (RequestException, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled):
        pytest.skip("the demo picture can't be reached")
    return Path(path).read_bytes()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        find_source(REPOSITORY, None)
    except SourceError as exc:
        pytest.skip(str(exc))
    output = tmp_path_factory.mktemp("models") / "base"
    assert main([REPOSITORY, str(output), "--pictures", "2"]) == 0
    return output


def test_the_demo_picture_gets_the_published_caption(base: Path, demo_picture: bytes) -> None:
    """The ids that transformers' own integration test expects, without and with a prompt."""
    captioner = BlipCaptioner.open(base)
    plain = captioner.caption(demo_picture, None, GenerationOptions())
    assert plain.token_ids == PUBLISHED
    prompted = captioner.caption(demo_picture, "a picture of", GenerationOptions())
    assert prompted.token_ids == PUBLISHED_WITH_PROMPT
    assert plain.text == "a woman sitting on the beach with her dog"


def test_the_commit_is_recorded(base: Path) -> None:
    """Which of the repository's commits was exported can be told afterwards."""
    manifest = read_manifest(base)
    assert manifest.source == REPOSITORY
    assert manifest.revision is not None
    assert len(manifest.revision) == 40
