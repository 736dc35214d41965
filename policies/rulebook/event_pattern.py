"""Event patterns of EventBridge, evaluated offline: which events a rule passes on.

Source: Amazon EventBridge User Guide, "Event patterns" and "Comparison operators".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .resource import is_list

_MISSING = object()


class EventPatternError(ValueError):
    """EventBridge would refuse the pattern; the message says why, without quoting it."""


def read(text: str) -> Mapping[str, Any]:
    """The pattern that ``text`` holds as JSON.

    Raises EventPatternError where it is none.
    """
    try:
        pattern = json.loads(text)
    except ValueError:
        raise EventPatternError("it is no JSON") from None
    if not isinstance(pattern, dict) or not pattern:
        raise EventPatternError("it is no JSON object with a field")
    _check(pattern, "")
    return pattern


def _check(pattern: Mapping[str, Any], where: str) -> None:
    """Raises EventPatternError where EventBridge would refuse a part."""
    for field, wanted in pattern.items():
        at = f"{where}{field}"
        if isinstance(wanted, Mapping):
            if not wanted:
                raise EventPatternError(f"{at} names no field")
            _check(wanted, f"{at}.")
        elif not is_list(wanted):
            raise EventPatternError("a field lists no values; they stand in brackets")
        elif not wanted:
            raise EventPatternError(f"{at} lists no values, and an empty list is refused")
        for option in wanted if is_list(wanted) else ():
            if field == "$or" and isinstance(option, Mapping):
                _check(option, where)
            elif isinstance(option, Mapping) and any(operand in ([], {}) for operand in (option or {"": []}).values()):
                raise EventPatternError(f"{at} compares with nothing")


def passes(pattern: Mapping[str, Any], event: Any) -> bool:
    """Whether ``event`` has every field of ``pattern``, each with one of the values it lists.

    Raises EventPatternError for an operator that EventBridge does not know.
    """
    for field, wanted in pattern.items():
        if field == "$or":
            if not any(passes(branch, event) for branch in wanted):
                return False
            continue
        value = event.get(field, _MISSING) if isinstance(event, Mapping) else _MISSING
        if isinstance(wanted, Mapping):
            if not passes(wanted, {} if value is _MISSING else value):
                return False
        elif is_list(wanted):
            values: Any = value if is_list(value) else (value,)
            if not any(_is_one(one, option) for one in values for option in wanted):
                return False
        else:
            raise EventPatternError("a field lists no values; they stand in brackets")
    return True


def _is_one(value: Any, option: Any) -> bool:
    if not isinstance(option, Mapping):
        return isinstance(value, bool) is isinstance(option, bool) and bool(value == option)
    for operator, operand in option.items():
        if operator not in _OPERATORS:
            raise EventPatternError(f"it has an operator {operator}, which EventBridge does not know")
        if not _OPERATORS[operator](value, operand):
            return False
    return True


def _exists(value: Any, operand: Any) -> bool:
    return (value is not _MISSING) == bool(operand)


def _anything_but(value: Any, operand: Any) -> bool:
    if value is _MISSING:
        return False
    unwanted = operand if is_list(operand) else (operand,)
    return not any(_is_one(value, option) for option in unwanted)


def _text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    """A test of texts; an operand may be ``{"equals-ignore-case": …}``, which then holds for the test."""

    def judge(value: Any, operand: Any) -> bool:
        if not isinstance(value, str):
            return False
        if isinstance(operand, Mapping):
            return test(value.lower(), str(operand.get("equals-ignore-case", "")).lower())
        return test(value, str(operand))

    return judge


def _wild(value: str, operand: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, operand.split("*"))), value, re.DOTALL) is not None


def _numeric(value: Any, operand: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or len(operand) % 2:
        return False
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return all(_ORDERS[sign](value, limit) for sign, limit in pairs)


_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    "=": lambda one, other: one == other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "anything-but": _anything_but,
    "equals-ignore-case": _text(lambda one, other: one.lower() == other.lower()),
    "exists": _exists,
    "numeric": _numeric,
    "prefix": _text(str.startswith),
    "suffix": _text(str.endswith),
    "wildcard": _text(_wild),
}
