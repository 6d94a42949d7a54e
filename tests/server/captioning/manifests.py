"""A manifest from which tests derive others with dataclasses.replace."""

from server.captioning.model.manifest import (
    SCHEMA_VERSION,
    DecoderShape,
    EncoderShape,
    GenerationDefaults,
    ImageSettings,
    Manifest,
    Tokens,
)

MANIFEST = Manifest(
    schema_version=SCHEMA_VERSION,
    name="test",
    source="owner/checkpoint",
    revision="0123abc",
    precision="fp32",
    opset=18,
    image=ImageSettings(
        height=32,
        width=48,
        mean=(0.48145466, 0.4578275, 0.40821073),
        std=(0.26862954, 0.26130258, 0.27577711),
        rescale_factor=0.00392156862745098,
        resample=3,
    ),
    encoder=EncoderShape(tokens=7, width=24),
    decoder=DecoderShape(layers=2, heads=2, head_dim=12, vocab_size=30524, max_positions=512),
    tokens=Tokens(start=30522, cls=101, sep=102, pad=0, clean_up_spaces=True),
    generation=GenerationDefaults(
        max_length=20,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        length_penalty=1.0,
        early_stopping=False,
    ),
    files={"encoder_model.onnx": "0" * 64},
    tools={"torch": "2.13.0"},
    verification={"pictures": 200, "prompts": [None, "a picture of"]},
)
