"""From the wire to plain data: protobuf values without secrets, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

from .graph import SECRET

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the wire's mark of a secret
_RESOURCE_SIGNATURE = "5cf8f73096256a8f31e491e813e4eb8e"
_OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


def to_plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The properties of a request: secrets become ``SECRET``, resources their id, whole numbers ``int``.

    Assets and archives stay the signed mappings that the engine writes.
    """
    return {key: _plain(value) for key, value in struct.fields.items()}


def _plain(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "struct_value":
        return _plain_mapping(value.struct_value)
    return None


def _plain_mapping(struct: struct_pb2.Struct) -> Any:
    fields = struct.fields
    signature = fields[_SIGNATURE].string_value if _SIGNATURE in fields else ""
    if signature == _SECRET_SIGNATURE:
        return SECRET
    if signature == _RESOURCE_SIGNATURE:
        return _plain(fields["id"]) if "id" in fields else fields["urn"].string_value
    if signature == _OUTPUT_SIGNATURE:
        if "secret" in fields and fields["secret"].bool_value:
            return SECRET
        return _plain(fields["value"]) if "value" in fields else None
    return {key: _plain(item) for key, item in fields.items()}


def add(struct: struct_pb2.Struct, values: Mapping[str, Any]) -> None:
    """Adds plain values to the properties of a response."""
    for key, value in values.items():
        _write(struct.fields[key], value)


def _write(target: struct_pb2.Value, value: Any) -> None:
    match value:
        case bool():
            target.bool_value = value
        case str():
            target.string_value = value
        case int() | float():
            target.number_value = value
        case list():
            target.list_value.SetInParent()
            for item in value:
                _write(target.list_value.values.add(), item)
        case dict():
            target.struct_value.SetInParent()
            add(target.struct_value, value)
        case None:
            target.null_value = struct_pb2.NULL_VALUE
        case _:
            raise TypeError(f"A {type(value).__name__} cannot stand in a response; plain data can.")
