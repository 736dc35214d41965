"""Plain values as rules read them: switches, numbers, and how a sentence shows them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pulumi_policy.proxy import UnknownValueError

T = TypeVar("T")


def is_false(value: Any) -> bool:
    """True for false as any caller writes it. Neither unset nor an odd value is false."""
    return value is False or value == "false"


def number(value: Any) -> float | None:
    """A number that the provider would accept, also as text (``"28"``); None for anything else, unset included."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def show(value: Any) -> str:
    """A value in a sentence: ``28`` for 28.0, ``unset`` for None, texts without quotes and cut at 80 characters.

    Only for properties that never hold a secret.
    """
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if not isinstance(value, (str, int, float)):
        return "neither text nor number"
    text = str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def listed(words: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last


def is_true_of_any(candidates: Iterable[T], test: Callable[[T], bool]) -> bool:
    """Whether ``test`` holds for one of the candidates.

    One that holds settles it whatever the others are. Where none does and some could not be judged, the first
    ``UnknownValueError`` is raised: "perhaps" is neither yes nor no.
    """
    unknown: UnknownValueError | None = None
    for candidate in candidates:
        try:
            if test(candidate):
                return True
        except UnknownValueError as error:
            unknown = unknown or error
    if unknown is not None:
        raise unknown
    return False


def either(*tests: Callable[[], bool]) -> bool:
    """Whether one of ``tests`` holds, in the manner of ``is_true_of_any``."""
    return is_true_of_any(tests, lambda test: test())
