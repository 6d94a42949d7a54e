"""KServe's Open Inference Protocol v2: tensors of bytes, as JSON or by the binary extension.

https://github.com/kserve/open-inference-protocol and Triton's extension_binary_data.md. With the
header Inference-Header-Content-Length a body is that many bytes of JSON, then the binary tensors in
order. An element of a BYTES tensor is its length, 4 bytes in little endian, and its bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import msgspec

from server.errors import InvalidField, MalformedBody
from server.http.json_bodies import parse_body, parse_json
from server.http.pictures import Picture, picture_of

HEADER_LENGTH = "inference-header-content-length"
_LENGTH_BYTES = 4
MAX_ELEMENTS = 10_000


class Tensor(msgspec.Struct):
    """An input. Without `data` its elements follow the JSON, `binary_data_size` bytes of them."""

    name: str
    datatype: str = "BYTES"
    shape: list[int] = []
    parameters: dict[str, Any] = {}
    data: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET

    @property
    def elements(self) -> int:
        return prod(self.shape)


class Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] = {}


class Body(msgspec.Struct):
    id: str | None = None
    inputs: list[Tensor] = []
    outputs: list[Output] = []
    parameters: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Input:
    """An input whose elements are at hand: JSON strings, or bytes of the binary extension."""

    name: str
    shape: Sequence[int]
    values: Sequence[msgspec.Raw | memoryview]

    def picture(self, index: int, max_bytes: int) -> Picture:
        """Return a picture: base64 in JSON, as it is in binary. Raises as `picture_of` does."""
        value = self.values[index]
        if isinstance(value, msgspec.Raw):
            return picture_of(value, self.name, max_bytes)
        return Picture.of(value, self.name, max_bytes)

    def text(self, index: int) -> str:
        """Return a text. Raises InvalidField if it is none in UTF-8."""
        value = self.values[index]
        try:
            if isinstance(value, msgspec.Raw):
                return msgspec.json.decode(value, type=str)
            return bytes(value).decode()
        except ValueError as exc:
            raise InvalidField(f"The input {self.name!r} holds no UTF-8 text.") from exc


def read_inputs(body: bytes, header_length: str | None) -> tuple[Body, dict[str, Input]]:
    """Parse a body into its header and its inputs by name.

    Raises MalformedBody, and InvalidField for a tensor of another type or another number of
    elements than its shape says.
    """
    split = _split(body, header_length)
    # A slice of all bytes is the body itself; a part is copied, without the binary pictures.
    asked = parse_body(body[:split], Body)
    binary, inputs = memoryview(body)[split:], {}
    for tensor in asked.inputs:
        if tensor.datatype != "BYTES":
            raise InvalidField(
                f"The input {tensor.name!r:.60} is of {tensor.datatype!r:.20}; send BYTES."
            )
        if not tensor.shape or min(tensor.shape) < 1 or tensor.elements > MAX_ELEMENTS:
            raise InvalidField(f"The input {tensor.name!r:.60} has an impossible shape.")
        values: Sequence[msgspec.Raw | memoryview]
        if tensor.data is msgspec.UNSET:
            values, binary = _read_binary(tensor, binary)
        else:
            values = _flat(tensor.data, tensor.name)
        if len(values) != tensor.elements:
            raise InvalidField(
                f"The input {tensor.name!r:.60} has {len(values)} elements, and its shape "
                f"{tensor.elements}."
            )
        inputs[tensor.name] = Input(tensor.name, tensor.shape, values)
    return asked, inputs


def write_bytes(texts: Sequence[str]) -> bytes:
    """Write a BYTES tensor as the binary extension has it."""
    encoded = [each.encode() for each in texts]
    return b"".join(len(each).to_bytes(_LENGTH_BYTES, "little") + each for each in encoded)


def _split(body: bytes, header_length: str | None) -> int:
    if header_length is None:
        return len(body)
    if not (header_length.isascii() and header_length.isdigit() and len(header_length) < 12):
        raise MalformedBody(f"The header {HEADER_LENGTH} is no number.")
    split = int(header_length)
    if split > len(body):
        raise MalformedBody(f"The header {HEADER_LENGTH} says {split} bytes of {len(body)}.")
    return split


def _read_binary(tensor: Tensor, binary: memoryview) -> tuple[list[memoryview], memoryview]:
    """Return the tensor's elements, and the bytes that follow them."""
    size = tensor.parameters.get("binary_data_size")
    if type(size) is not int or not 0 <= size <= len(binary):
        raise InvalidField(
            f"The input {tensor.name!r:.60} has neither data nor a binary_data_size that fits."
        )
    values: list[memoryview] = []
    rest = binary[:size]
    while rest:
        length = int.from_bytes(rest[:_LENGTH_BYTES], "little")
        value, rest = rest[_LENGTH_BYTES : _LENGTH_BYTES + length], rest[_LENGTH_BYTES + length :]
        if len(value) != length or len(values) >= tensor.elements:
            raise InvalidField(f"The input {tensor.name!r:.60} is cut short or has more elements.")
        values.append(value)
    return values, binary[size:]


def _flat(data: Sequence[msgspec.Raw], name: str, depth: int = 0) -> list[msgspec.Raw]:
    """Return the elements of nested arrays: clients write the shape [1, 1] in either form."""
    if depth > 4:
        raise InvalidField(f"The input {name!r:.60} is nested too deeply.")
    values: list[msgspec.Raw] = []
    for each in data:
        if bytes(memoryview(each)[:1]) == b"[":
            values += _flat(parse_json(memoryview(each), list[msgspec.Raw]), name, depth + 1)
        else:
            values.append(each)
    return values
