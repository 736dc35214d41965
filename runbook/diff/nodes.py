"""The resources of a snapshot, and which of two snapshots are the same one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..words import short_type

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A resource as a preview states it. ``made``: what only the provider knows, by property, ``id`` among it.

    ``inputs`` of a component are nothing that is deployed, so they are left out; those of the stack are its exports.
    """

    urn: str
    type: str
    name: str
    custom: bool
    parent: str | None
    protect: bool
    retained: bool
    inputs: Mapping[str, Any]
    made: Mapping[str, Any]
    aliases: tuple[str, ...]
    depends: Mapping[str, Sequence[str]]
    ignored: tuple[str, ...]
    replacing: tuple[str, ...]

    @property
    def title(self) -> str:
        """``ec2.Subnet network-a``."""
        return f"{short_type(self.type)} {self.name}"

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Node:
        """From the ``newState`` of a preview."""
        inputs, outputs = state.get("inputs") or {}, state.get("outputs") or {}
        custom = bool(state["custom"])
        made = {key: value for key, value in outputs.items() if key not in inputs} | {"id": state.get("id")}
        return cls(
            urn=state["urn"],
            type=state["type"],
            name=_split(state["urn"])[3],
            custom=custom,
            parent=state.get("parent"),
            protect=bool(state.get("protect")),
            retained=bool(state.get("retainOnDelete")),
            inputs=inputs if custom else {"exports": outputs} if state["type"] == STACK_TYPE else {},
            made=made if custom else {},
            aliases=tuple(state.get("aliases") or ()),
            depends=state.get("propertyDependencies") or {},
            ignored=tuple(state.get("ignoreChanges") or ()),
            replacing=tuple(state.get("replaceOnChanges") or ()),
        )


def by_urn(states: Sequence[Mapping[str, Any]]) -> dict[str, Node]:
    """The nodes of a snapshot's stack, each after what it depends on."""
    return {node.urn: node for node in map(Node.of, states)}


def paired(base: Mapping[str, Node], head: Mapping[str, Node]) -> dict[str, str]:
    """URN in ``head`` -> URN in ``base`` of the same resource: the same URN, or the first alias that was there.

    As in the engine, what a parent was called before holds for its children as well.
    """
    pairs: dict[str, str] = {}
    taken: set[str] = set()
    for urn, node in head.items():
        candidates = [urn, *(each for each in _earlier(node, pairs) if each not in head)]
        found = next((each for each in candidates if each in base and each not in taken), None)
        if found:
            pairs[urn] = found
            taken.add(found)
    return pairs


def _earlier(node: Node, pairs: Mapping[str, str]) -> Iterator[str]:
    yield from node.aliases
    parent = node.parent or ""
    before = pairs.get(parent, parent)
    if before == parent:
        return
    new, old = _split(parent)[3], _split(before)[3]
    for urn in (node.urn, *node.aliases):
        _stack, _project, chain, name = _split(urn)
        type_ = chain.rpartition("$")[2]
        if name.startswith(new):
            yield _child(before, type_, old + name.removeprefix(new))
        yield _child(before, type_, name)


def _child(parent: str, type_: str, name: str) -> str:
    """The URN of a child; the stack itself is in nobody's chain of types."""
    stack, project, chain, _name = _split(parent)
    return "::".join((stack, project, type_ if chain == STACK_TYPE else f"{chain}${type_}", name))


def _split(urn: str) -> list[str]:
    """``urn:pulumi:<stack>``, project, chain of types, name; a name may hold colons."""
    parts = urn.split("::", 3)
    return parts + [""] * (4 - len(parts))
