"""How a property is made worse: operators that look at the value alone, never at the resource it belongs to.

A path leads from a resource's inputs to a value: keys, list indices, and ``JSON`` where a text is read as the document
it holds.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Path = tuple[str | int, ...]

#: A step into the document that a text holds.
JSON: Final = "\0json"


#: Every operator; those on a whole resource or a reference are made in ``mutants``.
OPERATORS: Final = frozenset(
    {
        "cut",
        "deleted",
        "emptied",
        "flipped",
        "lowered",
        "opened",
        "raised",
        "rarer",
        "removed",
        "shortened",
        "weakened",
        "widened",
    }
)


class _Gone:
    """What a removed value is replaced with."""

    def __repr__(self) -> str:
        return "GONE"


GONE: Final = _Gone()


@dataclass(frozen=True, slots=True)
class Change:
    """``operator`` put ``value`` (or ``GONE``) at ``path``."""

    operator: str
    path: Path
    value: Any


#: A value that protects -> the next one of its kind that does not. Rules that compare for equality see any of them.
_WEAKER: Final[Mapping[str, str]] = {
    "required": "optional",
    "enabled": "disabled",
    "Enabled": "Disabled",
    "ENABLED": "DISABLED",
    "on": "off",
    "HTTPS": "HTTP",
    "https": "http",
    "tcp": "-1",
    "redirect-to-https": "allow-all",
    "https-only": "http-only",
    "aws:kms": "AES256",
    "KMS": "AES256",
    "COMPLIANCE": "GOVERNANCE",
    "BucketOwnerEnforced": "ObjectWriter",
    "private": "public-read",
    "IMMUTABLE": "MUTABLE",
    "Active": "PassThrough",
    "TLSv1.2_2021": "TLSv1",
    "TLSv1.2_2025": "TLSv1",
    "breaching": "ignore",
    "notBreaching": "ignore",
    "GreaterThanThreshold": "LessThanThreshold",
    "GreaterThanOrEqualToThreshold": "LessThanThreshold",
    "GreaterThanUpperThreshold": "LessThanLowerThreshold",
    "LessThanThreshold": "GreaterThanThreshold",
    "LessThanOrEqualToThreshold": "GreaterThanThreshold",
    "LessThanLowerOrGreaterThanUpperThreshold": "LessThanLowerThreshold",
    "GREATER_THAN": "LESS_THAN",
    "defensive": "monitor",
    "ELB": "EC2",
    "ALL": "ERROR",
    "Deny": "Allow",
}
_TLS_POLICY: Final = re.compile(r"ELBSecurityPolicy-(?!2016-08$)")
_SCHEDULE: Final = re.compile(r"(cron|rate|at)\(")
_SHORT_NUMBER: Final = re.compile(r"\d{1,6}(\.\d+)?")


def changes(value: Any, path: Path = ()) -> Iterator[Change]:
    """Every way of making ``value`` and what is in it worse. ``removed`` is for whoever holds it to yield."""
    if isinstance(value, Mapping):
        yield from _of_statement(value, path) if _is_statement(value) else _of_mapping(value, path)
    elif isinstance(value, list):
        yield from _of_list(value, path)
    elif isinstance(value, bool):
        yield Change("flipped", path, not value)
    elif isinstance(value, (int, float)):
        yield from _of_number(value, path)
    elif isinstance(value, str):
        yield from _of_text(value, path)


def _of_mapping(value: Mapping[str, Any], path: Path) -> Iterator[Change]:
    for key, inner in value.items():
        if inner is not None:
            yield Change("removed", (*path, key), GONE)
            yield from changes(inner, (*path, key))


def _of_list(value: list[Any], path: Path) -> Iterator[Change]:
    if value and path:
        yield Change("emptied", path, [])
    for index, inner in enumerate(value):
        # An Allow that goes is no weakness.
        if len(value) > 1 and not (_is_statement(inner) and inner["Effect"] == "Allow"):
            yield Change("shortened", path, [*value[:index], *value[index + 1 :]])
        yield from changes(inner, (*path, index))


def _of_number(value: float, path: Path) -> Iterator[Change]:
    if value:
        yield Change("lowered", path, value // 2 if isinstance(value, int) else value / 2)
    yield Change("raised", path, value * 10 if value else 1)


def _of_text(value: str, path: Path) -> Iterator[Change]:
    if value in _WEAKER:
        yield Change("weakened", path, _WEAKER[value])
    elif _TLS_POLICY.match(value):
        yield Change("weakened", path, "ELBSecurityPolicy-2016-08")
    elif _SCHEDULE.match(value):
        yield Change("rarer", path, "rate(365 days)")
    elif _SHORT_NUMBER.fullmatch(value):
        for change in _of_number(float(value) if "." in value else int(value), path):
            yield Change(change.operator, path, str(change.value))
    elif value[:1] in "{[" and (document := _document(value)) is not None:
        yield from changes(document, (*path, JSON))
    elif anywhere := _anywhere(value):
        yield Change("opened", path, anywhere)


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _anywhere(text: str) -> str | None:
    """All addresses of the family of a range; None for what is no range or has them all."""
    if "/" not in text:
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    anywhere = "0.0.0.0/0" if network.version == 4 else "::/0"
    return None if text == anywhere else anywhere


def _is_statement(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("Effect") in ("Allow", "Deny")


def _of_statement(value: Mapping[str, Any], path: Path) -> Iterator[Change]:
    """A policy's statement: an Allow is widened, a Deny narrowed or turned."""
    if value["Effect"] == "Deny":
        yield Change("weakened", (*path, "Effect"), "Allow")
        return
    for key, everything in (("Action", "*"), ("Resource", "*"), ("Principal", "*")):
        if key in value and value[key] not in (everything, [everything], {"AWS": "*"}):
            yield Change("widened", (*path, key), everything)
    for operator, tests in (value.get("Condition") or {}).items():
        for key in tests:
            yield Change("removed", (*path, "Condition", operator, key), GONE)


def put(holder: Any, path: Path, value: Any) -> Any:
    """``holder`` with ``value`` at ``path``; nothing is changed in place."""
    step, *rest = path
    if step == JSON:
        document = json.loads(holder)
        return json.dumps(put(document, tuple(rest), value) if rest else value, sort_keys=True)
    if isinstance(holder, list):
        assert isinstance(step, int)  # noqa: S101 - a path fits what it was made from
        return [*holder[:step], put(holder[step], tuple(rest), value) if rest else value, *holder[step + 1 :]]
    copy = dict(holder)
    if rest:
        copy[step] = put(holder[step], tuple(rest), value)
    elif value is GONE:
        del copy[step]
    else:
        copy[step] = value
    return copy


def written(path: Path) -> str:
    """A path as tables and reports write it: ``policy:Statement.#.Action``, ``#`` for any index."""
    text = ".".join("#" if isinstance(step, int) else step for step in path)
    return text.replace(f".{JSON}.", ":").replace(f".{JSON}", ":")
