"""What names a repository on the hub, and what does not."""

import pytest

from server.hub.reference import HubReference, is_hub_id


@pytest.mark.parametrize(
    ("text", "repository", "revision"),
    [
        ("hf://someone/blip", "someone/blip", None),
        ("hf://some-one/blip_2.onnx", "some-one/blip_2.onnx", None),
        ("hf://someone/blip@v1.0", "someone/blip", "v1.0"),
        ("hf://someone/blip@refs/pr/1", "someone/blip", "refs/pr/1"),
    ],
)
def test_reference(text: str, repository: str, revision: str | None) -> None:
    """A reference is a repository with or without a revision, and is written as it was read."""
    reference = HubReference.parse(text)

    assert reference == HubReference(repository, revision)
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    ["hf://", "hf://someone", "hf://a/b/c", "hf://a/b@", "hf:///a/b", "a/b", "hf://a/b@v1@v2"],
)
def test_not_a_reference(text: str) -> None:
    """Any other text is refused with a reason that quotes it."""
    with pytest.raises(ValueError, match=text):
        HubReference.parse(text)


def test_a_commit_is_told_from_a_name() -> None:
    """Forty hex digits are a commit, whose files never change."""
    assert HubReference("a/b", "0123456789" * 4).is_commit
    assert not HubReference("a/b", "0123456789").is_commit
    assert not HubReference("a/b").is_commit


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a/b", True),
        ("a", False),
        ("/a/b", False),
        ("./a", False),
        ("../a", False),
        ("a/b/c", False),
    ],
)
def test_hub_id(text: str, found: bool) -> None:
    """A hub id is an owner and a name."""
    assert is_hub_id(text) is found
