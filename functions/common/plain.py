"""Dataclasses as plain JSON data and back, for environment variables and the state machine's input."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypeVar

from . import moments

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """``value`` as what JSON knows: dataclasses become objects, tuples lists, dates and moments texts."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, datetime):
        return moments.text(value) if value.tzinfo else value.isoformat(timespec="minutes")
    return value.isoformat() if isinstance(value, date) else value


def of_plain(type_: type[T], value: Any) -> T:
    """The ``type_`` that ``to_plain`` made ``value`` of. Raises KeyError, TypeError or ValueError for anything else."""
    made: T = _of_plain(type_, value)
    return made


def _of_plain(type_: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin in (types.UnionType, typing.Union):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _of_plain(inner, value)
    if origin is tuple:
        return tuple(_of_plain(arguments[0], item) for item in value)
    if origin in (dict, Mapping):
        return {key: _of_plain(arguments[1], item) for key, item in value.items()}
    if origin is typing.Literal:
        if value not in arguments:
            raise ValueError(f"{value!r} is none of {', '.join(map(str, arguments))}.")
        return value
    if dataclasses.is_dataclass(type_):
        made: Any = type_
        hints = typing.get_type_hints(made)
        names = [field.name for field in dataclasses.fields(made)]
        return made(**{name: _of_plain(hints[name], value[name]) for name in names})
    if type_ is datetime:
        return datetime.fromisoformat(value)
    if type_ is date:
        return date.fromisoformat(value)
    if not isinstance(value, type_) or (type_ is int and isinstance(value, bool)):
        raise TypeError(f"{value!r} is no {type_.__name__}.")
    return value
