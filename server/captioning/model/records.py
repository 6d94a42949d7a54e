"""Read parsed JSON into frozen dataclasses, strictly: exactly the fields that they declare.

Only a field with a default may be missing.
"""

from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


def read_record(kind: type[Record], value: object, where: str = "") -> Record:
    """Build the dataclass `kind` from parsed JSON. A field of type `object` takes any JSON.

    `where` is the dotted name of the value in its document. Raises ValueError, which names the
    field that is missing, unknown or of the wrong type.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{where or 'the document'} is {value!r:.40}, not an object")
    declared = fields(cast(Any, kind))
    known = {field.name for field in declared}
    required = {field.name for field in declared if field.default is MISSING}
    if missing := sorted(required - value.keys()):
        raise ValueError(f"{_join(where, missing[0])} is missing")
    if unknown := sorted(value.keys() - known):
        raise ValueError(f"{_join(where, unknown[0])} is not a field of this schema")
    hints = get_type_hints(kind)
    given = known & value.keys()
    return kind(**{name: _read(hints[name], value[name], _join(where, name)) for name in given})


def _read(kind: Any, value: object, where: str) -> object:
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return read_record(cast(type, kind), value, where)
    if origin in (Union, UnionType):
        return _read_either(arguments, value, where)
    if origin is tuple and isinstance(value, list) and len(value) == len(arguments):
        items = enumerate(zip(arguments, value, strict=True))
        return tuple(_read(item, each, f"{where}[{i}]") for i, (item, each) in items)
    if origin is dict and isinstance(value, dict):
        return {key: _read(arguments[1], each, _join(where, key)) for key, each in value.items()}
    if origin is Literal and value in arguments:
        return value
    if kind is float and type(value) is int:
        return float(value)
    # The type has to match exactly, because a bool is an int in Python.
    if kind is object or type(value) is kind:
        return value
    raise ValueError(f"{where} is {value!r:.40}, not {_describe(kind)}")


def _read_either(kinds: tuple[Any, ...], value: object, where: str) -> object:
    for kind in kinds:
        try:
            return _read(kind, value, where)
        except ValueError:
            continue
    raise ValueError(f"{where} is {value!r:.40}, not {' or '.join(map(_describe, kinds))}")


def _describe(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
