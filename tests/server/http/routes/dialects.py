"""Every dialect as a client speaks it: how to send a picture, and where the answer has what."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

PICTURE = b"picture"


def data_url(picture: bytes, kind: str = "image/jpeg") -> str:
    return f"data:{kind};base64,{base64.b64encode(picture).decode()}"


def bare(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


@dataclass(frozen=True)
class Dialect:
    """One route of another API.

    `body` makes the JSON for some pictures, `caption` finds the caption in the answer, `error` the
    message of an error. `surface` is the label in the metrics.
    """

    name: str
    path: str
    surface: str
    body: Callable[[Sequence[bytes]], Any]
    caption: Callable[[Any], str]
    error: Callable[[Any], str]
    takes_many: bool = False
    answers_text: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    def content(self, *pictures: bytes) -> bytes:
        return json.dumps({**self.body(pictures), **self.more}).encode()

    async def send(
        self, client: httpx.AsyncClient, *pictures: bytes, **headers: str
    ) -> httpx.Response:
        return await client.post(self.path, content=self.content(*pictures), headers=headers)


def chat_parts(pictures: Sequence[bytes]) -> list[dict[str, Any]]:
    text = {"type": "text", "text": "What is in this picture?"}
    return [
        text,
        *({"type": "image_url", "image_url": {"url": data_url(each)}} for each in pictures),
    ]


def response_parts(pictures: Sequence[bytes]) -> list[dict[str, Any]]:
    text = {"type": "input_text", "text": "What is in this picture?"}
    return [text, *({"type": "input_image", "image_url": data_url(each)} for each in pictures)]


def chat_message(pictures: Sequence[bytes]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "user", "content": "What is this?"}
    return {**message, "images": list(map(bare, pictures))} if pictures else message


def tensor(pictures: Sequence[bytes]) -> dict[str, Any]:
    data = list(map(bare, pictures))
    return {"name": "image", "datatype": "BYTES", "shape": [len(data)], "data": data}


DIALECTS = [
    Dialect(
        "huggingface",
        "/",
        "huggingface",
        lambda pictures: {"inputs": bare(pictures[0])} if pictures else {"parameters": {}},
        lambda answer: answer[0]["generated_text"],
        lambda answer: answer["error"],
    ),
    Dialect(
        "ollama-generate",
        "/api/generate",
        "ollama",
        lambda pictures: {"model": "m", "prompt": "hi", "images": list(map(bare, pictures))},
        lambda answer: answer["response"],
        lambda answer: answer["error"],
        takes_many=True,
        answers_text=True,
        more={"stream": False},
    ),
    Dialect(
        "ollama-chat",
        "/api/chat",
        "ollama",
        lambda pictures: {"model": "m", "messages": [chat_message(pictures)]},
        lambda answer: answer["message"]["content"],
        lambda answer: answer["error"],
        takes_many=True,
        answers_text=True,
        more={"stream": False},
    ),
    Dialect(
        "openai-chat",
        "/v1/chat/completions",
        "openai",
        lambda pictures: {
            "model": "m",
            "messages": [{"role": "user", "content": chat_parts(pictures)}],
        },
        lambda answer: answer["choices"][0]["message"]["content"],
        lambda answer: answer["error"]["message"],
        takes_many=True,
        answers_text=True,
    ),
    Dialect(
        "openai-responses",
        "/v1/responses",
        "openai",
        lambda pictures: {
            "model": "m",
            "input": [{"role": "user", "content": response_parts(pictures)}],
        },
        lambda answer: answer["output"][0]["content"][0]["text"],
        lambda answer: answer["error"]["message"],
        takes_many=True,
        answers_text=True,
    ),
    Dialect(
        "photoprism",
        "/api/v1/vision/caption",
        "photoprism",
        lambda pictures: {"id": "1", "images": list(map(data_url, pictures))},
        lambda answer: answer["result"]["caption"]["text"],
        lambda answer: answer["error"],
    ),
    Dialect(
        "stable-diffusion",
        "/sdapi/v1/interrogate",
        "stable_diffusion",
        lambda pictures: {"model": "clip", **({"image": bare(pictures[0])} if pictures else {})},
        lambda answer: answer["caption"],
        lambda answer: answer["detail"],
    ),
    Dialect(
        "sillytavern",
        "/api/caption",
        "sillytavern",
        lambda pictures: {"image": bare(pictures[0])} if pictures else {},
        lambda answer: answer["caption"],
        lambda answer: answer["detail"],
    ),
    Dialect(
        "kserve",
        "/v2/models/blip/infer",
        "kserve",
        lambda pictures: {"inputs": [tensor(pictures)] if pictures else []},
        lambda answer: "\n".join(answer["outputs"][0]["data"]),
        lambda answer: answer["error"],
        takes_many=True,
    ),
]
