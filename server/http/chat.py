"""What the chat dialects have in common: prompts, requests without a picture, streams of words."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

ChatPrompt = Literal["ignore", "prefix"]

#: The answer to a request without a picture. Chat programs ask the same model for a chat's title.
NO_PICTURE = "This model captions pictures, and no picture came with this request."

_WORDS = re.compile(r"\s*\S+\s*?(?=\s|$)")


def prompt_for(chat_prompt: ChatPrompt, text: str | None, caption_prompt: str | None) -> str | None:
    """Return the text that the caption continues.

    A chat's text is an instruction, which would spoil the caption as its beginning. It counts with
    --chat-prompt prefix alone. The explicit `caption_prompt` of a request wins.
    """
    if caption_prompt is not None:
        return caption_prompt
    return text if chat_prompt == "prefix" else None


def reply(captions: Sequence[str]) -> str:
    """Return the text of an answer: a line for each picture, or a sentence if there was none."""
    return "\n".join(captions) if captions else NO_PICTURE


def echoed(model: Any, served: str) -> str:
    """Return the model's name for an answer: what the request calls it, or the served one's."""
    return model if isinstance(model, str) else served


def words(text: str) -> Iterator[str]:
    """Split a text into pieces of a word, which joined are the text again."""
    return iter(_WORDS.findall(text) or [text])
