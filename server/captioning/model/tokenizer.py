"""Text <-> token ids, as transformers' BlipProcessor and BlipForConditionalGeneration see them."""

from pathlib import Path

from tokenizers import Tokenizer  # type: ignore[import-untyped]

from server.captioning.errors import ModelDirectoryError
from server.captioning.model.manifest import Manifest, Tokens

#: PreTrainedTokenizerBase.clean_up_tokenization, in its order.
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
    """A tokenizer and the special tokens that BLIP puts around what it makes of a text."""

    def __init__(self, tokenizer: Tokenizer, tokens: Tokens) -> None:
        self._tokenizer = tokenizer
        self._tokens = tokens

    @classmethod
    def open(cls, path: Path, manifest: Manifest) -> "PromptTokenizer":
        """Raises ModelDirectoryError if the file is no tokenizer that fits the model."""
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as exc:  # The binding raises bare Exception.
            raise ModelDirectoryError(f"{path} is no tokenizer: {exc}") from exc
        # A saved tokenizer can carry either; BlipProcessor switches both off.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if tokenizer.encode("").ids != [manifest.tokens.cls, manifest.tokens.sep]:
            raise ModelDirectoryError(f"{path} does not put [CLS] and [SEP] around a text.")
        known, embedded = tokenizer.get_vocab_size(), manifest.decoder.vocab_size
        if known > embedded:
            raise ModelDirectoryError(f"{path} knows {known} tokens, the decoder {embedded}.")
        return cls(tokenizer, manifest.tokens)

    def encode(self, prompt: str | None) -> tuple[int, ...]:
        """The ids generation starts from: [DEC], then the prompt's own.

        Special tokens spelled out in the prompt, such as "[SEP]", are tokens, as in transformers.
        """
        if prompt is None:
            return (self._tokens.start,)
        # A lone surrogate is no text; the tokenizer drops the replacement character it becomes.
        text = prompt.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return (self._tokens.start, *self._tokenizer.encode(text).ids[1:-1])

    def decode(self, token_ids: tuple[int, ...]) -> str:
        """processor.decode(token_ids, skip_special_tokens=True)"""
        text: str = self._tokenizer.decode(token_ids, skip_special_tokens=True)
        if self._tokens.clean_up_spaces:
            for clumsy, neat in CLEAN_UPS:
                text = text.replace(clumsy, neat)
        return text
