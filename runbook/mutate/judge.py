"""Which rules notice a mutant. Only those are asked again that read something of what differs.

A rule is a pure function of what it reads. So one that read nothing of a property cannot say anything new when that
property changes: the first value that could lead it elsewhere is one it would have read before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from policies.rulebook import RULES
from policies.rulebook.resource import Context, Resource, Stack
from policies.rulebook.rule import ResourceRule, Rule, StackRule

from ..audit.evaluate import stack_of
from ..preview import graph
from .mutants import Mutant

#: What a rule said: (URN or None) -> how often.
_Said = Counter[str | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The ids of the rules that notice a mutant.

    ``strange``: those of them whose ``types`` have no type that differs; ``broken``: those that failed with an error.
    """

    noticed: tuple[str, ...]
    strange: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


class _Watched(Mapping[str, Any]):
    """Properties that note which of them are read."""

    __slots__ = ("_inner", "_notes", "_urn")

    def __init__(self, inner: Mapping[str, Any], urn: str, notes: set[tuple[str, str]]) -> None:
        self._inner, self._urn, self._notes = inner, urn, notes

    def __getitem__(self, key: str) -> Any:
        self._notes.add((self._urn, key))
        return self._inner[key]

    def __iter__(self) -> Iterator[str]:
        self._notes.update((self._urn, key) for key in self._inner)
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)


class Judge:
    """The rules' verdicts on the mutants of one stack."""

    def __init__(self, captured: graph.Graph, context: Context, rules: Sequence[Rule] = RULES) -> None:
        self._graph = captured
        self._context = context
        self._resources = self._seen(captured.resources)
        self._types = {one.urn: one.type for one in captured.resources}
        self._stack_rules = [rule for rule in rules if isinstance(rule, StackRule)]
        self._of_type: dict[str, list[ResourceRule]] = {}
        self._of_any = [rule for rule in rules if isinstance(rule, ResourceRule) and not rule.types]
        for rule in rules:
            if isinstance(rule, ResourceRule):
                for token in rule.types:
                    self._of_type.setdefault(token, []).append(rule)
        self._before: dict[str, _Said] = {}
        self._readers: dict[tuple[str, str], set[str]] = {}
        for rule in self._stack_rules:
            self._read(rule)
        for resource in self._as_written(captured.resources):
            for single in self._resource_rules(resource.type):
                said, _ = _ask_one(single, resource, context)
                self._before.setdefault(single.id, Counter()).update(said)

    def verdict(self, mutant: Mutant) -> Verdict:
        """What the rules say of a mutant that they do not say of the stack."""
        left = [one for one in mutant.changed.values() if one is not None]
        changed: dict[str, Resource | None] = {**dict.fromkeys(mutant.changed), **self._seen(left)}
        types = {self._types[urn] for urn in mutant.changed}
        noticed: list[Rule] = []
        broken: list[str] = []
        for one in self._as_written(left):
            for rule in self._resource_rules(one.type):
                said, failed = _ask_one(rule, one, self._context)
                if failed:
                    broken.append(rule.id)
                if said[one.urn] > self._before[rule.id][one.urn]:
                    noticed.append(rule)
        stack = self._stack_with(changed)
        for whole in self._asked(mutant):
            said, failed = _ask(whole, stack)
            if failed:
                broken.append(whole.id)
            if any(count > self._before[whole.id][urn] for urn, count in said.items()):
                noticed.append(whole)
        ids = tuple(dict.fromkeys(rule.id for rule in noticed))
        strange = tuple(sorted({rule.id for rule in noticed if rule.types and not rule.types & types}))
        return Verdict(ids, strange, tuple(dict.fromkeys(broken)))

    def _seen(self, resources: Iterable[graph.Resource]) -> dict[str, Resource]:
        """The resources as stack rules see them."""
        some = replace(self._graph, resources=tuple(resources))
        return {one.urn: one for one in stack_of(some, self._context).resources}

    def _as_written(self, resources: Iterable[graph.Resource]) -> Iterable[Resource]:
        """The resources as resource rules see them: by their inputs."""
        return self._seen(replace(one, outputs=one.inputs) for one in resources).values()

    def _resource_rules(self, token: str) -> Iterable[ResourceRule]:
        return (*self._of_any, *self._of_type.get(token, ()))

    def _asked(self, mutant: Mutant) -> Iterator[StackRule]:
        """The stack rules that could say something new."""
        for rule in self._stack_rules:
            # What is gone, or has another option, may have been met without a look at its properties.
            if mutant.prop is None or rule.id in self._readers.get((mutant.resource.urn, mutant.prop), ()):
                yield rule

    def _read(self, rule: StackRule) -> None:
        """What a rule says of the stack as it is, and what it reads for that: look-ups it would share included."""
        notes: set[tuple[str, str]] = set()
        watched = tuple(
            replace(
                one,
                props=_Watched(one.props, one.urn, notes),
                property_dependencies=_Watched(one.property_dependencies, one.urn, notes),
            )
            for one in self._resources.values()
        )
        self._before[rule.id], _ = _ask(rule, Stack(watched, self._context))
        for note in notes:
            self._readers.setdefault(note, set()).add(rule.id)

    def _stack_with(self, changed: Mapping[str, Resource | None]) -> Stack:
        kept = (changed.get(urn, one) for urn, one in self._resources.items())
        return Stack(tuple(one for one in kept if one is not None), self._context)


def _ask(rule: StackRule, stack: Stack) -> tuple[_Said, bool]:
    said: _Said = Counter()
    try:
        for fault in rule.judge(stack):
            said[fault.urn] += 1
    except UnknownValueError:
        pass
    except Exception:  # noqa: BLE001 - a rule that fails is a finding of its own
        said[None] += 1
        return said, True
    return said, False


def _ask_one(rule: ResourceRule, resource: Resource, context: Context) -> tuple[_Said, bool]:
    said: _Said = Counter()
    try:
        for _ in rule.judge(resource, context):
            said[resource.urn] += 1
    except UnknownValueError:
        pass
    except Exception:  # noqa: BLE001 - a rule that fails is a finding of its own
        said[resource.urn] += 1
        return said, True
    return said, False
