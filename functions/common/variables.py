"""A function's environment: one frozen dataclass, written by the component and read by the handler.

A field is the variable of the same name in capitals. Texts stand as they are, everything else as JSON.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from .plain import of_plain, to_plain

E = TypeVar("E")


def write(env: Any) -> dict[str, str]:
    """The variables of a function, with sorted keys inside, so that a second run changes nothing."""
    hints = typing.get_type_hints(type(env))
    values = {name: getattr(env, name) for name in hints}
    return {name.upper(): values[name] if hint is str else _json(values[name]) for name, hint in hints.items()}


def read(env_type: type[E], environ: Mapping[str, str]) -> E:
    """The environment out of the process's variables. Raises KeyError for one that is missing."""
    hints = typing.get_type_hints(env_type)
    values = {
        name: environ[name.upper()] if hint is str else of_plain(hint, json.loads(environ[name.upper()]))
        for name, hint in hints.items()
    }
    return env_type(**values)


def _json(value: Any) -> str:
    return json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
