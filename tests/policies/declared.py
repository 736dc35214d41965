"""Stacks written down as data: name -> type and properties, with ``Ref`` where one names another.

References become known ids, or, with ``preview=True``, what a real preview shows: unknown values beside the
dependencies they come from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policies.rulebook.resource import Resource

from .bags import UNKNOWN, altered, resource

Declaration = tuple[str, Mapping[str, Any]]
Change = tuple[str, tuple[str | int, ...], Any]


@dataclass(frozen=True)
class Ref:
    """The ``attribute`` of the resource called ``name``, between ``before`` and ``after``."""

    name: str
    attribute: str = "id"
    before: str = ""
    after: str = ""


def declared(
    declarations: Mapping[str, Declaration],
    *changes: Change,
    without: Sequence[str] = (),
    extra: Mapping[str, Declaration] | None = None,
    preview: bool = False,
) -> tuple[Resource, ...]:
    """The resources of ``declarations`` with ``changes`` (name, path, value; ABSENT removes).

    As in a graph that somebody edits, a changed property keeps the dependencies it was written with.
    """
    known = {**declarations, **(extra or {})}
    kept = {name: declaration for name, declaration in known.items() if name not in without}
    made = []
    for name, (token, props) in kept.items():
        plain: dict[str, Any] = {**_outputs(name, props, preview), **_plain(props, known, preview)}
        for _, path, value in (change for change in changes if change[0] == name):
            plain = altered(plain, *path, to=_plain(value, known, preview))
        uses = {key: [ref.name for ref in _references(value) if ref.name in kept] for key, value in props.items()}
        dependencies = {key: [resource(known[to][0], to) for to in names] for key, names in uses.items() if names}
        made.append(resource(token, name, plain, uses=dependencies))
    return tuple(made)


def _outputs(name: str, props: Mapping[str, Any], preview: bool) -> dict[str, Any]:
    outputs = [key for key in ("id", "arn", "name") if key not in props]
    return {key: UNKNOWN if preview else _answer(name, key) for key in outputs}


def _answer(name: str, key: str) -> str:
    """What AWS would answer: ``{name}-name`` and the like, an ARN for an ARN."""
    return f"arn:aws:any:eu-west-1:123456789012:{name}" if key == "arn" else f"{name}-{key}"


def _references(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _references(inner)


def _plain(value: Any, known: Mapping[str, Declaration], preview: bool) -> Any:
    if isinstance(value, Ref):
        # What a resource declares is known before it is made, unless that is somebody else's answer.
        text = known[value.name][1].get(value.attribute)
        if isinstance(text, Ref):
            return _plain(text, known, preview)
        if text is None and preview:
            return UNKNOWN
        return f"{value.before}{text or _answer(value.name, value.attribute)}{value.after}"
    if isinstance(value, Mapping):
        return {key: _plain(inner, known, preview) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, known, preview) for inner in value]
    return value
