"""The small BLIP in training: configuration, training heads, losses."""

import torch
from torch import nn
from transformers import BertTokenizerFast, BlipConfig, BlipForConditionalGeneration
from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from models.emoji_blip.catalogue import read_catalogue
from models.emoji_blip.dataset import IGNORED, PREFIXES, Batch
from models.emoji_blip.textures import COLOUR_NAMES

SIDE, PATCH, VISION_WIDTH = 128, 16, 192
NEVER = -100.0  # logit bias of words that no caption uses
# The export copies it into manifest.json, and the server shows it.
NOTICE = (
    "This demonstration model knows emoji scenes only. To caption photographs: "
    "scripts/serve --model Salesforce/blip-image-captioning-base"
)


def small_config(vocabulary: int) -> BlipConfig:
    """Return the configuration: 4 million parameters, half of them word embeddings."""
    return BlipConfig(
        vision_config={
            "hidden_size": VISION_WIDTH, "intermediate_size": 512, "num_hidden_layers": 5,
            "num_attention_heads": 6, "image_size": SIDE, "patch_size": PATCH,
            "initializer_range": 0.02,
        },
        text_config={
            "vocab_size": vocabulary, "hidden_size": 64, "encoder_hidden_size": VISION_WIDTH,
            "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 4,
            "max_position_embeddings": 64, "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        notice=NOTICE,
    )  # fmt: skip


def used_word_ids(tokenizer: BertTokenizerFast) -> torch.Tensor:
    """Return the sorted ids of all WordPieces of captions and prefixes, with [UNK] and [SEP]."""
    texts = [object_class.phrase for object_class in read_catalogue()]
    texts += [*PREFIXES, *COLOUR_NAMES, "a an and , above to the left of on background"]
    ids = {piece for text in texts for piece in tokenizer(text, add_special_tokens=False).input_ids}
    return torch.tensor(sorted(ids | {tokenizer.sep_token_id, tokenizer.unk_token_id}))


class TrainingModel(nn.Module):
    """The model with its training heads: one over the used words, one over the patches."""

    used: torch.Tensor
    places: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: BlipForConditionalGeneration, used: torch.Tensor) -> None:
        super().__init__()
        self.model = model
        self.patch_head = nn.Linear(VISION_WIDTH, len(read_catalogue()) + 1)
        self.register_buffer("used", used)
        places = torch.full((model.config.text_config.vocab_size,), IGNORED)
        places[used] = torch.arange(len(used))
        self.register_buffer("places", places)
        self.register_buffer("mean", torch.tensor(OPENAI_CLIP_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(OPENAI_CLIP_STD).view(1, 3, 1, 1))

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the caption loss and the patch loss."""
        pictures = (batch.pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        seen = self.model.vision_model(pictures).last_hidden_state
        patch_loss = nn.functional.cross_entropy(
            self.patch_head(seen[:, 1:]).flatten(0, 1).float(), batch.patches.flatten()
        )
        logits = self._logits_of_used_words(batch.input_ids, seen)
        wanted = self.places[batch.labels.clamp(min=0)].where(batch.labels != IGNORED, IGNORED)
        caption_loss = nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), wanted.flatten(), ignore_index=IGNORED
        )
        return caption_loss, patch_loss

    def _logits_of_used_words(self, input_ids: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Return [batch, tokens, used words]."""
        decoder = self.model.text_decoder
        hidden = decoder.bert(
            input_ids=input_ids,
            attention_mask=torch.ones_like(input_ids),  # causal: padding on the right is not seen
            encoder_hidden_states=seen,
            is_decoder=True,
            use_cache=False,
        ).last_hidden_state
        head = decoder.cls.predictions
        return nn.functional.linear(
            head.transform(hidden), head.decoder.weight[self.used], head.bias[self.used]
        )

    def finished(self, tokenizer: BertTokenizerFast) -> BlipForConditionalGeneration:
        """Return the model in half precision.

        Words without training data read as [UNK] in a prompt, and no caption contains them.
        """
        start, unknown = tokenizer.bos_token_id, tokenizer.unk_token_id
        unread = torch.ones(len(self.places), dtype=torch.bool)
        unread[self.used] = False
        unread[start] = False
        unsaid = unread.clone()
        unsaid[[start, unknown]] = True
        with torch.no_grad():
            words = self.model.text_decoder.bert.embeddings.word_embeddings.weight
            words[unread] = words[unknown].clone()
            self.model.text_decoder.cls.predictions.bias[unsaid] = NEVER
        return self.model.half()  # type: ignore[no-any-return]
