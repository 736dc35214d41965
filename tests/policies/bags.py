"""Resources as a rule receives them, and what a rule says of them: shared by the tests of all rules.

Every bag goes through the same wrapping as in a real run: numbers are floats, maps and lists are proxies, and
reading ``UNKNOWN`` raises ``UnknownValueError``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy.proxy import UnknownValueError, unknown_checking_proxy

from policies.rulebook.resource import UNKNOWN, Context, Resource, Stack
from policies.rulebook.rule import Fault, ResourceRule, Rule, StackRule

__all__ = [
    "ABSENT",
    "UNKNOWN",
    "UnknownValueError",
    "altered",
    "faults",
    "not_evaluated",
    "resource",
    "stack_faults",
]

#: ``altered(bag, key=ABSENT)`` removes the key.
ABSENT = object()


def resource(
    type_: str,
    name: str,
    props: Mapping[str, Any] | None = None,
    *,
    uses: Mapping[str, Resource | Sequence[Resource]] | None = None,
    **fields: Any,
) -> Resource:
    """A resource with wrapped ``props``; ``uses``: property -> the resources its value was made from.

    ``fields`` are the other fields of ``Resource`` (``parent``, ``protect``, …).
    """
    return Resource(
        urn=fields.pop("urn", f"urn:pulumi:prod::learning-platform::{type_}::{name}"),
        type=type_,
        name=name,
        props=unknown_checking_proxy(_wire(dict(props or {}))),
        property_dependencies={
            prop: tuple(r.urn for r in ((used,) if isinstance(used, Resource) else used))
            for prop, used in (uses or {}).items()
        },
        **fields,
    )


def altered(bag: Mapping[str, Any], *path: str | int, to: Any = ABSENT, **changes: Any) -> dict[str, Any]:
    """A copy of ``bag`` with ``changes`` at its top, or with the value at ``path`` set ``to``; ABSENT removes."""
    changed: dict[str, Any] = copy.deepcopy(dict(bag))
    edits: list[tuple[tuple[str | int, ...], Any]] = [((key,), value) for key, value in changes.items()]
    if path:
        edits.append((path, to))
    for (*above, last), value in edits:
        here: Any = changed
        for step in above:
            here = here[step]
        if value is ABSENT:
            del here[last]
        else:
            here[last] = value
    return changed


def faults(rule: ResourceRule, judged: Resource, context: Context | None = None) -> list[str]:
    """What ``rule`` says of ``judged``, in its order."""
    assert judged.type in (rule.types or {judged.type}), f"{rule.id} does not judge {judged.type}"
    return list(rule.judge(judged, context or Context()))


def stack_faults(rule: StackRule, *resources: Resource, context: Context | None = None) -> list[tuple[str, str | None]]:
    """What ``rule`` says of a stack made of ``resources``: each sentence and the name of the resource it is about."""
    stack = Stack(resources=resources, context=context or Context())
    return [(f.sentence, stack.by_urn[f.urn].name if f.urn else None) for f in rule.judge(stack)]


def not_evaluated(
    rule: Rule, *resources: Resource, context: Context | None = None
) -> tuple[list[tuple[str, str | None]], UnknownValueError]:
    """What ``rule`` says before an unknown value ends it, and that value's error; fails where nothing is unknown.

    A resource rule judges the one resource that is given.
    """
    said: list[tuple[str, str | None]] = []
    stack = Stack(resources=resources, context=context or Context())
    try:
        for fault in _judged(rule, resources[0], stack):
            said.append((fault.sentence, stack.by_urn[fault.urn].name if fault.urn else None))  # noqa: PERF401 - kept
    except UnknownValueError as unknown:
        return said, unknown
    raise AssertionError(f"{rule.id} found nothing unknown")


def _judged(rule: Rule, first: Resource, stack: Stack) -> Iterator[Fault]:
    if isinstance(rule, ResourceRule):
        yield from (Fault(sentence, first.urn) for sentence in rule.judge(first, stack.context))
    elif isinstance(rule, StackRule):
        yield from rule.judge(stack)


def _wire(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _wire(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_wire(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
