"""Refuses what the provider would refuse and the SDK lets through: misspelt nested keys and wrong shapes."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Any

import pulumi
from pulumi import _types

from .graph import SECRET, UNKNOWN
from .sdk import resource_type

_SCALARS = {str: "a string", bool: "true or false", int: "a whole number", float: "a number"}


def faults(token: str, name: str, inputs: Mapping[str, Any]) -> list[str]:
    """One sentence per misspelt key or wrong shape in the inputs of ``name``; none for a type the SDK lacks."""
    known = resource_type(token)
    if known is None:
        return []
    return [f"{name} ({token}): {text}" for key, value in inputs.items() for text in _judge(key, value, known.inputs)]


def _judge(key: str, value: Any, types: Mapping[str, Any], path: str = "") -> Iterator[str]:
    here = f"{path}.{key}" if path else key
    if key not in types:
        near = difflib.get_close_matches(key, types, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(sorted(types))}."
        yield f"there is no property {here!r}; {hint}"
    else:
        yield from _fits(value, types[key], here)


def _fits(value: Any, type_: Any, path: str) -> Iterator[str]:
    if value is None or value in (UNKNOWN, SECRET):
        return
    choices = _alternatives(type_)
    if type(value) in choices or Any in choices:
        return
    if isinstance(value, list):
        lists = [choice for choice in choices if typing.get_origin(choice) in _LISTS]
        if not lists:
            yield f"{path} is a list; {_wanted(choices)} is expected."
            return
        for index, item in enumerate(value):
            yield from _fits(item, typing.get_args(lists[0])[0], f"{path}[{index}]")
    elif isinstance(value, dict):
        yield from _fits_mapping(value, choices, path)
    elif not any(_is_scalar_for(value, choice) for choice in choices):
        yield f"{path} is {_SCALARS[type(value)]}; {_wanted(choices)} is expected."


def _fits_mapping(value: dict[str, Any], choices: tuple[Any, ...], path: str) -> Iterator[str]:
    objects = [choice for choice in choices if isinstance(choice, type) and _types.is_input_type(choice)]
    maps = [choice for choice in choices if typing.get_origin(choice) in _MAPPINGS]
    if objects:
        types = _types.input_type_types(objects[0])
        for key, item in value.items():
            yield from _judge(key, item, types, path)
    elif maps:
        for key, item in value.items():
            yield from _fits(item, typing.get_args(maps[0])[1], f"{path}.{key}")
    elif not any(getattr(choice, "__module__", "") == "pulumi.asset" for choice in choices):
        yield f"{path} is a mapping; {_wanted(choices)} is expected."


_LISTS = (list, Sequence)
_MAPPINGS = (dict, Mapping)


@cache
def _alternatives(type_: Any) -> tuple[Any, ...]:
    """The members of a union that can stand on the wire; a type that is no union alone."""
    if typing.get_origin(type_) not in (typing.Union, UnionType):
        return (type_,)
    return tuple(
        inner
        for member in typing.get_args(type_)
        if member is not type(None) and typing.get_origin(member) not in (Awaitable, pulumi.Output)
        for inner in _alternatives(member)
    )


def _is_scalar_for(value: Any, choice: Any) -> bool:
    """Whether the provider takes ``value``: it reads numbers and booleans from strings, and numbers as strings."""
    if choice is str:
        return isinstance(value, str | int | float)
    if choice is bool:
        return isinstance(value, bool) or value in ("true", "false")
    if choice in (int, float):
        return (isinstance(value, int | float) and not isinstance(value, bool)) or _is_numeric(value)
    return isinstance(choice, type) and not _types.is_input_type(choice) and isinstance(value, str)


def _is_numeric(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _wanted(choices: tuple[Any, ...]) -> str:
    words = []
    for choice in choices:
        origin = typing.get_origin(choice)
        if choice in _SCALARS:
            words.append(_SCALARS[choice])
        elif origin in _LISTS:
            words.append("a list")
        else:
            words.append("a mapping")
    return " or ".join(dict.fromkeys(words))
