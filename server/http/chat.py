"""What the chat dialects have in common: prompts, requests without a picture, streams of words."""

import re
from collections.abc import Iterator
from typing import Literal

ChatPrompt = Literal["ignore", "prefix"]

#: The answer to a request without a picture. Chat programs ask the same model for a chat's title.
NO_PICTURE = "This model captions pictures, and no picture came with this request."

_WORDS = re.compile(r"\s*\S+\s*?(?=\s|$)")


def prompt_for(chat_prompt: ChatPrompt, text: str | None, caption_prompt: str | None) -> str | None:
    """Return the text that the caption continues.

    A chat's text is an instruction, which would spoil the caption as its beginning. So it is
    counts with --chat-prompt prefix alone. The explicit `caption_prompt` of a request wins.
    """
    if caption_prompt is not None:
        return caption_prompt
    return text if chat_prompt == "prefix" else None


def words(text: str) -> Iterator[str]:
    """Split a text into pieces of a word, which joined are the text again."""
    return iter(_WORDS.findall(text) or [text])
