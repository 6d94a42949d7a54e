"""Convert text to token ids and back, as BlipProcessor and BlipForConditionalGeneration do."""

from pathlib import Path

from tokenizers import Tokenizer  # type: ignore[import-untyped]

from server.captioning.errors import ModelDirectoryError
from server.captioning.model.manifest import Manifest, Tokens

#: The replacements of PreTrainedTokenizerBase.clean_up_tokenization, in its order.
CLEAN_UPS = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


class PromptTokenizer:
    """Encode prompts and decode captions, with BLIP's special tokens around them."""

    def __init__(self, tokenizer: Tokenizer, tokens: Tokens) -> None:
        self._tokenizer = tokenizer
        self._tokens = tokens

    @classmethod
    def open(cls, path: Path, manifest: Manifest) -> "PromptTokenizer":
        """Load tokenizer.json. Raises ModelDirectoryError if it does not fit the model."""
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as exc:  # The binding raises bare Exception.
            raise ModelDirectoryError(f"{path} is not a tokenizer: {exc}") from exc
        # A saved tokenizer can have either setting; BlipProcessor switches both off.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if tokenizer.encode("").ids != [manifest.tokens.cls, manifest.tokens.sep]:
            raise ModelDirectoryError(f"{path} does not put [CLS] and [SEP] around a text.")
        known, embedded = tokenizer.get_vocab_size(), manifest.decoder.vocab_size
        if known > embedded:
            raise ModelDirectoryError(f"{path} knows {known} tokens, the decoder {embedded}.")
        return cls(tokenizer, manifest.tokens)

    def encode(self, prompt: str | None) -> tuple[int, ...]:
        """Return the token ids that generation starts from: [DEC], then the prompt's tokens.

        A special token that is spelled out in the prompt, such as "[SEP]", is encoded as this
        token, as in transformers.
        """
        if prompt is None:
            return (self._tokens.start,)
        # The tokenizer takes no lone surrogates, and drops the replacement character.
        text = prompt.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return (self._tokens.start, *self._tokenizer.encode(text).ids[1:-1])

    def decode(self, token_ids: tuple[int, ...]) -> str:
        """Return what processor.decode(token_ids, skip_special_tokens=True) returns."""
        text: str = self._tokenizer.decode(token_ids, skip_special_tokens=True)
        if self._tokens.clean_up_spaces:
            for clumsy, neat in CLEAN_UPS:
                text = text.replace(clumsy, neat)
        return text
