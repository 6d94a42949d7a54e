"""The official Python clients of the dialects, against a real server: no change on their side."""

import base64
import gc
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import ollama
import openai
import pytest
import tritonclient.http as triton
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from openai.types.responses import ResponseCompletedEvent, ResponseTextDeltaEvent
from PIL import Image
from tritonclient.utils import InferenceServerException

from tests.server.serving import ServerProcess, server_process

pytestmark = [
    pytest.mark.process,
    # The clients leave sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

KEY = "secret-key"
TIMEOUT = 30.0


@pytest.fixture(autouse=True)
def sockets_end_here() -> Iterator[None]:
    """Collect the clients' sockets before the next module, for which warnings are errors."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with server_process("--api-key", KEY, "--no-cache") as running:
        yield running


def png(side: int) -> bytes:
    file = BytesIO()
    noise = np.random.default_rng(0).integers(256, size=(side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()


SMALL, LARGE = png(8), png(1000)
CAPTION, LARGE_CAPTION = f"{len(SMALL)} bytes", f"{len(LARGE)} bytes"
#: The fake model's name for a file that is no picture.
NO_PICTURE = b"text"


def data_url(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


# --- huggingface_hub


def hugging_face(server: ServerProcess, key: str = KEY) -> InferenceClient:
    return InferenceClient(server.url, token=key, timeout=TIMEOUT)


def test_hugging_face(server: ServerProcess, tmp_path: Path) -> None:
    """image_to_text captions bytes and files, small and large."""
    file = tmp_path / "picture.png"
    file.write_bytes(SMALL)
    client = hugging_face(server)

    for picture, caption in ((SMALL, CAPTION), (str(file), CAPTION), (LARGE, LARGE_CAPTION)):
        assert client.image_to_text(picture).generated_text == caption


def test_hugging_face_errors(server: ServerProcess) -> None:
    """A wrong key and a file that is no picture raise the hub's error with our message."""
    with pytest.raises(HfHubHTTPError, match="401"):
        hugging_face(server, "wrong").image_to_text(SMALL)
    with pytest.raises(HfHubHTTPError, match="415"):
        hugging_face(server).image_to_text(NO_PICTURE)


# --- ollama


def ollama_client(server: ServerProcess, key: str = KEY) -> Any:
    """Return the client, untyped: its parameters are unions of many dictionaries."""
    return ollama.Client(server.url, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT)


def test_ollama(server: ServerProcess) -> None:
    """generate and chat caption one picture and several, whole and streamed."""
    client = ollama_client(server)

    assert client.generate("blip", "What is this?", images=[SMALL]).response == CAPTION
    message = {"role": "user", "content": "What?", "images": [SMALL, LARGE]}
    answer = client.chat("blip", [message])
    assert answer.message.content == f"{CAPTION}\n{LARGE_CAPTION}"
    pieces = list(client.generate("blip", "What is this?", images=[SMALL], stream=True))
    assert "".join(each.response for each in pieces) == CAPTION
    assert [each.done for each in pieces] == [False] * (len(pieces) - 1) + [True]
    pieces = list(client.chat("blip", [message], stream=True))
    assert "".join(each.message.content or "" for each in pieces).startswith(CAPTION)


def test_ollama_models(server: ServerProcess) -> None:
    """list, show, ps and pull describe the served model."""
    client = ollama_client(server)

    assert [each.model for each in client.list().models] == ["fake"]
    assert "vision" in (client.show("fake").capabilities or [])
    assert [each.model for each in client.ps().models] == ["fake"]
    assert client.pull("fake").status == "success"
    assert [each.status for each in client.pull("fake", stream=True)] == ["success"]


def test_ollama_errors(server: ServerProcess) -> None:
    """A wrong key and a file that is no picture raise the client's error, also in a stream."""
    with pytest.raises(ollama.ResponseError, match="API key") as refused:
        ollama_client(server, "wrong").generate("blip", "", images=[SMALL])
    assert refused.value.status_code == 401
    client = ollama_client(server)
    with pytest.raises(ollama.ResponseError, match="format"):
        client.generate("blip", "What?", images=[NO_PICTURE])
    with pytest.raises(ollama.ResponseError, match="format"):
        next(client.generate("blip", "What?", images=[NO_PICTURE], stream=True))


def test_ollama_without_a_picture(server: ServerProcess) -> None:
    """A chat without a picture gets a sentence that says so."""
    answer = ollama_client(server).chat("blip", [{"role": "user", "content": "A title, please."}])

    assert "no picture" in (answer.message.content or "")


# --- openai


def openai_client(server: ServerProcess, key: str = KEY) -> Any:
    """Return the client, untyped, as above."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, timeout=TIMEOUT, max_retries=0)


def messages(*pictures: bytes) -> list[dict[str, object]]:
    parts: list[dict[str, object]] = [{"type": "text", "text": "What is in this picture?"}]
    parts += [{"type": "image_url", "image_url": {"url": data_url(each)}} for each in pictures]
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}]


def test_openai_chat(server: ServerProcess) -> None:
    """Chat completions caption one picture and several, whole and streamed."""
    create = openai_client(server).chat.completions.create

    whole = create(model="gpt-4o", messages=messages(SMALL, LARGE), max_tokens=300)
    assert whole.choices[0].message.content == f"{CAPTION}\n{LARGE_CAPTION}"
    assert (whole.model, whole.choices[0].finish_reason) == ("gpt-4o", "stop")
    chunks = list(create(model="gpt-4o", messages=messages(SMALL), stream=True))
    assert "".join(each.choices[0].delta.content or "" for each in chunks) == CAPTION
    nothing = create(model="gpt-4o", messages=messages())
    assert "no picture" in nothing.choices[0].message.content


def test_openai_responses(server: ServerProcess) -> None:
    """Responses caption a picture, whole and streamed."""
    create = openai_client(server).responses.create
    content = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": data_url(SMALL)},
    ]
    asked = [{"role": "user", "content": content}]

    assert create(model="gpt-4o", input=asked).output_text == CAPTION
    events = list(create(model="gpt-4o", input=asked, stream=True))
    deltas = [each.delta for each in events if isinstance(each, ResponseTextDeltaEvent)]
    assert "".join(deltas) == CAPTION
    assert isinstance(events[-1], ResponseCompletedEvent)
    assert events[-1].response.output_text == CAPTION
    assert [each.sequence_number for each in events] == list(range(len(events)))


def test_openai_models(server: ServerProcess) -> None:
    """The listing has the served model, and any name can be retrieved."""
    client = openai_client(server)

    assert [each.id for each in client.models.list()] == ["fake"]
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"


def test_openai_errors(server: ServerProcess) -> None:
    """A wrong key and a file that is no picture raise the SDK's own errors."""
    with pytest.raises(openai.AuthenticationError, match="API key"):
        openai_client(server, "wrong").models.list()
    create = openai_client(server).chat.completions.create
    with pytest.raises(openai.APIStatusError, match="format") as refused:
        create(model="gpt-4o", messages=messages(NO_PICTURE))
    assert refused.value.status_code == 415


def test_openai_does_not_retry(server: ServerProcess) -> None:
    """The SDK sends a request that the client caused to fail once only."""
    requests: list[object] = []
    client: Any = openai.OpenAI(
        base_url=f"{server.url}/v1",
        api_key=KEY,
        http_client=openai.DefaultHttpxClient(event_hooks={"request": [requests.append]}),
    )

    with pytest.raises(openai.APIStatusError):
        client.chat.completions.create(model="m", messages=messages(NO_PICTURE))
    assert len(requests) == 1


# --- tritonclient


@pytest.fixture
def triton_client(server: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(server.url.removeprefix("http://"))
    yield client
    client.close()


def infer(
    client: triton.InferenceServerClient, pictures: list[bytes], binary: bool, key: str = KEY
) -> list[str]:
    image = triton.InferInput("image", [len(pictures)], "BYTES")
    image.set_data_from_numpy(np.array(pictures, dtype=np.object_), binary_data=True)
    wanted = [triton.InferRequestedOutput("caption", binary_data=binary)]
    headers = {"Authorization": f"Bearer {key}"}
    result = client.infer("blip", [image], outputs=wanted, headers=headers)
    found = result.as_numpy("caption")
    return [each.decode() if isinstance(each, bytes) else str(each) for each in found]


@pytest.mark.parametrize("binary", [False, True])
def test_triton(triton_client: triton.InferenceServerClient, binary: bool) -> None:
    """Pictures go by the binary extension, captions come so or in JSON."""
    assert triton_client.is_server_live()
    assert triton_client.is_server_ready()
    assert triton_client.is_model_ready("blip")
    assert infer(triton_client, [SMALL, LARGE], binary) == [CAPTION, LARGE_CAPTION]


def test_triton_errors(triton_client: triton.InferenceServerClient) -> None:
    """A wrong key and a file that is no picture raise the client's error with our message."""
    with pytest.raises(InferenceServerException, match="API key"):
        infer(triton_client, [SMALL], True, "wrong")
    with pytest.raises(InferenceServerException, match="format"):
        infer(triton_client, [NO_PICTURE], True)
