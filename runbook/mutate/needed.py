"""Which properties a resource cannot be without: the SDK refuses a program that leaves one out, so no rule has to."""

from __future__ import annotations

import importlib
import inspect
import keyword
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any

from pulumi import _types

from ..preview.sdk import resource_type
from .operators import JSON, Path


def is_needed(token: str, path: Path) -> bool:
    """Whether the last step of ``path`` is a required argument of the resource or of a nested type."""
    *above, last = path
    if JSON in path or not isinstance(last, str):
        return False
    if not above:
        return last in needed(token)
    known = resource_type(token)
    here: Any = known.inputs.get(str(above[0])) if known else None
    for step in above[1:]:
        here = _inside(here, step)
    return any(last in _required(choice) for choice in _objects(here))


@cache
def needed(token: str) -> frozenset[str]:
    """The required inputs of a type, by their names on the wire; none for a type the SDK lacks."""
    package, _, rest = token.partition(":")
    module, _, name = rest.partition(":")
    module = module.partition("/")[0]
    try:
        found = importlib.import_module(f"pulumi_{package}.{module}{'_' * keyword.iskeyword(module)}")
        args = getattr(found, f"{name}InitArgs", None) or getattr(found, f"{name}Args")
    except (ImportError, AttributeError):
        return frozenset()
    return _required(args)


@cache
def _required(args: type) -> frozenset[str]:
    names = _types.input_type_py_to_pulumi_names(args)
    parameters = inspect.signature(args.__init__).parameters.values()  # type: ignore[misc]
    return frozenset(
        names[parameter.name]
        for parameter in parameters
        if parameter.default is inspect.Parameter.empty and parameter.name in names
    )


def _inside(type_: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return typing.Union[tuple(typing.get_args(one)[0] for one in _members(type_) if _is_list(one)) or (None,)]  # noqa: UP007
    found = [_types.input_type_types(one).get(step) for one in _objects(type_)]
    return found[0] if found else None


def _is_list(type_: Any) -> bool:
    origin = typing.get_origin(type_)
    return isinstance(origin, type) and issubclass(origin, typing.Sequence)


def _objects(type_: Any) -> Iterator[Any]:
    return (one for one in _members(type_) if isinstance(one, type) and _types.is_input_type(one))


def _members(type_: Any) -> Iterator[Any]:
    """The members of a union of any depth, of an Input and of an Awaitable."""
    arguments = typing.get_args(type_)
    if not arguments or _is_list(type_) or typing.get_origin(type_) is dict:
        yield type_
        return
    for one in arguments:
        yield from _members(one)
