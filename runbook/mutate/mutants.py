"""The mutants of a captured stack: copies that differ in one property or option, or lack a resource."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..preview.graph import SECRET, UNKNOWN, Graph, Resource
from .needed import is_needed, needed
from .operators import GONE, changes, put, written

#: Where a report says what happened to a resource as a whole.
WHOLE = "@resource"
PROTECT = "@protect"


@dataclass(frozen=True, slots=True)
class Mutant:
    """``operator`` at ``path`` (as written) of ``resource``; ``label`` also says which element.

    ``changed``: URN -> the resource as it became, or None where it is gone. ``prop``: the input that differs, None for
    more than one or none.
    """

    resource: Resource
    operator: str
    path: str
    label: str
    prop: str | None
    changed: Mapping[str, Resource | None]


#: An id that belongs to nobody here, in the shape of what it replaces.
_ELSEWHERE = "elsewhere"


def mutants(graph: Graph, wanted: Callable[[str, str, str], bool] = lambda *_: True) -> Iterator[Mutant]:
    """Every mutant of every resource that the provider would still take.

    ``wanted``: type, path as written and operator -> whether to make it at all.
    """
    users = _users(graph)
    names = _names(graph)
    for resource in graph.resources:
        if not resource.custom or resource.type.startswith("pulumi:"):
            continue
        if wanted(resource.type, WHOLE, "deleted"):
            yield Mutant(resource, "deleted", WHOLE, WHOLE, None, _without(graph, users, resource))
        if resource.protect and wanted(resource.type, PROTECT, "flipped"):
            left = replace(resource, protect=False)
            yield Mutant(resource, "flipped", PROTECT, PROTECT, None, {resource.urn: left})
        yield from _of_inputs(resource, names, wanted)
        for mutant in _cut(resource, names):
            if wanted(resource.type, mutant.path, mutant.operator):
                yield mutant


def _of_inputs(
    resource: Resource, names: Mapping[str, frozenset[str]], wanted: Callable[[str, str, str], bool]
) -> Iterator[Mutant]:
    seen: set[tuple[str, str]] = set()
    for change in changes(resource.inputs):
        prop = str(change.path[0])
        if change.operator == "removed" and is_needed(resource.type, change.path):
            continue
        if not wanted(resource.type, written(change.path), change.operator):
            continue
        value = put(resource.inputs, change.path, change.value)
        # Two elements alike give one mutant.
        made = (prop, repr(value.get(prop)))
        if made in seen:
            continue
        seen.add(made)
        label = ".".join(str(step) for step in change.path).replace(".\0json", ":")
        changed = _with(resource, prop, value.get(prop, GONE), names)
        yield Mutant(resource, change.operator, written(change.path), label, prop, {resource.urn: changed})


def _cut(resource: Resource, names: Mapping[str, frozenset[str]]) -> Iterator[Mutant]:
    """What pointed to a resource of the stack points to one of the same kind elsewhere."""
    for prop, targets in resource.property_dependencies.items():
        if prop not in resource.inputs:
            continue
        for urn in targets:
            value = _strange(resource.inputs[prop], names.get(urn, frozenset()))
            if value == resource.inputs[prop]:
                continue
            left = {**resource.property_dependencies, prop: tuple(one for one in targets if one != urn)}
            changed = replace(_with(resource, prop, value), property_dependencies=left)
            yield Mutant(resource, "cut", prop, f"{prop} -> {urn.rpartition('::')[2]}", prop, {resource.urn: changed})


def _strange(value: Any, names: frozenset[str]) -> Any:
    """``value`` with each of ``names`` replaced, longest first, so that an ARN goes as a whole."""
    if isinstance(value, dict):
        return {key: _strange(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_strange(inner, names) for inner in value]
    if isinstance(value, str):
        for name in sorted(names, key=len, reverse=True):
            value = value.replace(name, _foreign(name))
    return value


def _foreign(name: str) -> str:
    """An id of the same kind that nobody has: the last part differs."""
    at = max(name.rfind(mark) for mark in ":/-")
    return f"{name[: at + 1]}{_ELSEWHERE}"


def _names(graph: Graph) -> dict[str, frozenset[str]]:
    """URN -> the texts by which others name a resource."""
    return {
        resource.urn: frozenset(
            value
            for key in {*resource.outputs} - {*resource.inputs} | {"id", "arn", "name", "bucket"}
            if isinstance(value := resource.outputs.get(key), str) and len(value) > 3 and value not in (SECRET, UNKNOWN)
        )
        for resource in graph.resources
        if resource.custom
    }


def _with(resource: Resource, prop: str, value: Any, names: Mapping[str, frozenset[str]] | None = None) -> Resource:
    """A resource whose input and output ``prop`` is ``value``.

    What the value no longer names it is no longer made from. A target that was not named before stays.
    """
    inputs, outputs = dict(resource.inputs), dict(resource.outputs)
    left = {name: urns for name, urns in resource.property_dependencies.items() if name != prop}
    if value is GONE:
        inputs.pop(prop, None)
        outputs.pop(prop, None)
        return replace(resource, inputs=inputs, outputs=outputs, property_dependencies=left)
    if prop in resource.property_dependencies:
        before, after = repr(inputs[prop]), repr(value)
        left[prop] = tuple(
            urn
            for urn in resource.property_dependencies[prop]
            if not any(name in before and name not in after for name in (names or {}).get(urn, ()))
        )
    inputs[prop] = outputs[prop] = value
    return replace(resource, inputs=inputs, outputs=outputs, property_dependencies=left)


def _users(graph: Graph) -> dict[str, list[tuple[Resource, str]]]:
    """URN -> who is made from it, and by which property."""
    found: dict[str, list[tuple[Resource, str]]] = {}
    for resource in graph.resources:
        if resource.custom:
            for prop, urns in resource.property_dependencies.items():
                for urn in urns:
                    found.setdefault(urn, []).append((resource, prop))
    return found


def _without(
    graph: Graph, users: Mapping[str, list[tuple[Resource, str]]], resource: Resource
) -> dict[str, Resource | None]:
    """A resource taken out of the program: what cannot be without it goes too, the others lose the property."""
    gone: dict[str, Resource | None] = {resource.urn: None}
    queue = [resource.urn]
    lost: dict[str, set[str]] = {}
    while queue:
        for user, prop in users.get(queue.pop(), ()):
            if prop in needed(user.type) and user.urn not in gone:
                gone[user.urn] = None
                queue.append(user.urn)
            elif user.urn not in gone:
                lost.setdefault(user.urn, set()).add(prop)
    for urn, props in lost.items():
        if urn not in gone:
            changed = graph.by_urn[urn]
            for prop in props:
                changed = _with(changed, prop, GONE)
            gone[urn] = changed
    return gone
