"""Texts that hold JSON, and what is in them: whatever has another form than is asked for counts as empty."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .resource import is_list


def parsed(text: Any) -> Mapping[str, Any] | None:
    """The object that ``text`` holds; None where it holds none."""
    try:
        value = json.loads(str(text))
    except ValueError:
        return None
    return value if isinstance(value, Mapping) else None


def mapping(holder: Any, key: str) -> Mapping[str, Any]:
    """The object at ``key``."""
    found = holder.get(key) if isinstance(holder, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def items(holder: Any, key: str) -> list[Any]:
    """The list at ``key``."""
    found: Any = holder.get(key) if isinstance(holder, Mapping) else None
    return list(found) if is_list(found) else []


def maps(holder: Any, key: str) -> list[Mapping[str, Any]]:
    """The objects in the list at ``key``."""
    return [one for one in items(holder, key) if isinstance(one, Mapping)]


def texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text, and the key that it stands under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from texts(inner, str(name))
    elif is_list(value):
        for inner in value:
            yield from texts(inner, key)
