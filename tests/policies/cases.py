"""What the rules say of a captured stack in which one value is unknown, or worse than it is.

A rule is a pure function of what it reads: an unknown value that it never reads changes no answer of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from pulumi_policy.proxy import UnknownValueError

from policies.rulebook.resource import SECRET, UNKNOWN, Context, Resource, Stack
from policies.rulebook.rule import ResourceRule, Rule, StackRule
from runbook.audit.evaluate import seen, stack_of
from runbook.mutate.mutants import PROTECT, WHOLE, Mutant, mutants
from runbook.mutate.needed import is_needed
from runbook.mutate.operators import Path, put, written
from runbook.preview import graph

from ..runbook import graphs
from .test_pack import plain

#: ``pass``: nothing that the rule does not say of the stack as it is.
Verdict = Literal["pass", "finding", "not evaluated", "failed"]

Place = tuple[str, Path]

#: So many changed stacks are kept.
_KEPT = 64


@dataclass(frozen=True)
class Case:
    """A place of a stack, and a rule that reads it: (URN, path of the input) in ``world``."""

    world: World
    rule: Rule
    resource: graph.Resource
    path: Path

    def __str__(self) -> str:
        return f"{self.rule.id}: {self.resource.type} {self.resource.name} {'.'.join(map(str, self.path))}"

    @property
    def is_there(self) -> bool:
        return self.path in _paths(self.resource.inputs)

    @property
    def value(self) -> Any:
        here: Any = self.resource.inputs
        for step in self.path:
            here = here[step]
        return here

    @property
    def may_be_unset(self) -> bool:
        """Whether it is there and a program may leave it out."""
        return self.is_there and isinstance(self.path[-1], str) and not is_needed(self.resource.type, self.path)

    def verdict(self, value: Any) -> Verdict:
        """The verdict where ``value`` (or ``GONE``) stands here and nothing says what it is made of."""
        return self.world.verdict(self.rule, self.world.changed(self.resource, self.path, value))

    def worse(self) -> Iterator[tuple[Mutant, Verdict]]:
        """What is worse here or further inside, with the verdict on it; one of several alike."""
        label = ".".join(map(str, self.path))
        done: set[tuple[str, str]] = set()
        for mutant in self.world.mutants_of(self.resource):
            inside = mutant.label == label or mutant.label.startswith((f"{label}.", f"{label}:"))
            key = (mutant.path, mutant.operator)
            if (inside or (mutant.operator == "cut" and label == mutant.prop)) and key not in done:
                done.add(key)
                yield mutant, self.world.verdict(self.rule, mutant.changed[self.resource.urn])


class World:
    """A captured stack, and what its rules say."""

    def __init__(self, captured: graph.Graph, context: Context) -> None:
        self.graph = captured
        self.context = context
        self._stack = stack_of(captured, context)
        self._stacks: dict[Any, tuple[Sequence[graph.Resource], Stack]] = {}
        self._changed: dict[tuple[str, Path, str], graph.Resource] = {}
        self._before: dict[tuple[str, str | None], Counter[Any]] = {}
        self._mutants: dict[str, tuple[Mutant, ...]] = {}

    def verdict(self, rule: Rule, *changed: graph.Resource | None, gone: Sequence[str] = ()) -> Verdict:
        """What ``rule`` says of the stack with ``changed`` in place of what they were, and without ``gone``."""
        left = [one for one in changed if one is not None]
        if isinstance(rule, ResourceRule):
            judged = [one for one in left if not rule.types or one.type in rule.types]
            told = [
                (_said(rule, seen(one, one.inputs), self._stack), self._said_before(rule, one.urn)) for one in judged
            ]
        else:
            told = [(_said(rule, None, self._stack_with(left, gone)), self._said_before(rule, None))]
        if any(end == "failed" for (_, end), _ in told):
            return "failed"
        if any(said - before for (said, _), before in told):
            return "finding"
        return "not evaluated" if any(end for (_, end), _ in told) else "pass"

    def _stack_with(self, changed: Sequence[graph.Resource], gone: Sequence[str]) -> Stack:
        """Kept for the next rule: what stack rules look things up in is made once."""
        key = (*map(id, changed), *gone)
        if key not in self._stacks:
            if len(self._stacks) == _KEPT:
                self._stacks.clear()
            left: dict[str, Resource | None] = {one.urn: seen(one, one.outputs) for one in changed}
            left |= dict.fromkeys(gone)
            resources = (left.get(one.urn, one) for one in self._stack.resources)
            # With what it was made of, so that nothing else can have the same id.
            self._stacks[key] = (changed, Stack(tuple(one for one in resources if one is not None), self.context))
        return self._stacks[key][1]

    def without(self, rule: Rule) -> Iterator[Verdict]:
        """The verdicts where a resource is missing, with all that cannot be without it, or may be destroyed."""

        def wanted(token: str, path: str, _: str) -> bool:
            return path in (WHOLE, PROTECT) and (not rule.types or token in rule.types)

        for mutant in mutants(self.graph, wanted):
            gone = [urn for urn, one in mutant.changed.items() if one is None]
            yield self.verdict(rule, *mutant.changed.values(), gone=gone)

    def cases(self, rules: Sequence[Rule]) -> Iterator[Case]:
        """For each rule, type and property as written that the rule reads, the first resource where it does.

        A property that a resource rule looks for and does not find is one, too.
        """
        looked_at: dict[str, dict[Path, list[Rule]]] = {}
        for rule in rules:
            for urn, path in self._read(rule):
                looked_at.setdefault(urn, {}).setdefault(path, []).append(rule)
        done: set[tuple[str, str, str]] = set()
        for resource in self.declared:
            read = looked_at.get(resource.urn, {})
            there = dict.fromkeys(_paths(resource.inputs))
            known = [path for path in there if path in read]
            # What only the provider sets is no input that could be unknown by itself.
            absent = [path for path in read if path not in there and _could_be(resource, path)]
            for path in (*known, *sorted(absent, key=repr)):
                for rule in read[path]:
                    key = (rule.id, resource.type, written(path))
                    judged = not rule.types or resource.type in rule.types
                    if key not in done and judged and (path in there or isinstance(rule, ResourceRule)):
                        done.add(key)
                        yield Case(self, rule, resource, path)

    @cached_property
    def declared(self) -> tuple[graph.Resource, ...]:
        return tuple(one for one in self.graph.resources if one.custom and not one.type.startswith("pulumi:"))

    def changed(self, one: graph.Resource, path: Path, value: Any) -> graph.Resource:
        """A resource with ``value`` at ``path``, made of nothing that is known."""
        key = (one.urn, path, repr(value))
        if key not in self._changed:
            if len(self._changed) == _KEPT:
                self._changed.clear()
            prop = str(path[0])
            inputs = put(one.inputs, path, value)
            outputs = {other: known for other, known in one.outputs.items() if other != prop}
            made_of = {other: urns for other, urns in one.property_dependencies.items() if other != prop}
            self._changed[key] = replace(
                one,
                inputs=inputs,
                outputs={**outputs, **({prop: inputs[prop]} if prop in inputs else {})},
                property_dependencies=made_of,
            )
        return self._changed[key]

    def mutants_of(self, resource: graph.Resource) -> tuple[Mutant, ...]:
        """Those that differ in one property."""
        if resource.urn not in self._mutants:
            used = {urn for urns in resource.property_dependencies.values() for urn in urns} - {resource.urn}
            some = (resource, *(self.graph.by_urn[urn] for urn in sorted(used)))
            found = mutants(replace(self.graph, resources=some))
            self._mutants[resource.urn] = tuple(one for one in found if one.prop and one.resource.urn == resource.urn)
        return self._mutants[resource.urn]

    def _said_before(self, rule: Rule, urn: str | None) -> Counter[Any]:
        key = (rule.id, urn)
        if key not in self._before:
            one = self.graph.by_urn[urn] if urn else None
            self._before[key], _ = _said(rule, seen(one, one.inputs) if one else None, self._stack)
        return self._before[key]

    def _read(self, rule: Rule) -> set[Place]:
        """What ``rule`` reads to come to its verdict on the stack as it is."""
        notes: set[Place] = set()
        if isinstance(rule, StackRule):
            watched = tuple(
                replace(one, props=_Watched(one.props, (one.urn, ()), notes)) for one in self._stack.resources
            )
            _said(rule, None, Stack(watched, self.context))
            return notes
        for one in self.declared:
            if not rule.types or one.type in rule.types:
                judged = seen(one, one.inputs)
                _said(rule, replace(judged, props=_Watched(judged.props, (one.urn, ()), notes)), self._stack)
        return notes


def before_deployment(captured: graph.Graph) -> graph.Graph:
    """A graph as a real preview of a new stack shows it: nothing is known that AWS or the provider decides.

    What a property is made of stays in its dependencies.
    """
    decided = {one.urn: frozenset(_decided(one)) for one in captured.resources}

    def blind(value: Any, names: frozenset[str]) -> Any:
        if isinstance(value, Mapping):
            return {key: blind(inner, names) for key, inner in value.items()}
        if isinstance(value, list):
            return [blind(inner, names) for inner in value]
        return UNKNOWN if isinstance(value, str) and any(name in value for name in names) else value

    def shown(one: graph.Resource) -> graph.Resource:
        if not one.custom:
            return one
        made_of = one.property_dependencies
        inputs = {
            key: blind(value, frozenset(name for urn in made_of.get(key, ()) for name in decided[urn]))
            for key, value in one.inputs.items()
        }
        outputs = {key: inputs.get(key, UNKNOWN) for key in one.outputs}
        return replace(one, id=None, inputs=inputs, outputs=outputs)

    return replace(captured, resources=tuple(map(shown, captured.resources)))


def _decided(one: graph.Resource) -> Iterator[str]:
    for key, value in one.outputs.items():
        if key not in one.inputs and isinstance(value, str) and len(value) > 3 and value not in (SECRET, UNKNOWN):
            yield value


def world(*judged: Resource, context: Context | None = None) -> World:
    """A stack of resources that a test wrote down."""
    captured = graphs.graph(
        *(
            graphs.resource(
                one.type,
                one.name,
                one.parent,
                urn=one.urn,
                custom=True,
                protect=one.protect,
                property_dependencies=dict(one.property_dependencies),
                inputs=plain(one.props),
                outputs=plain(one.props),
            )
            for one in judged
        )
    )
    return World(captured, context or Context())


def _said(rule: Rule, one: Resource | None, stack: Stack) -> tuple[Counter[Any], str]:
    said: Counter[Any] = Counter()
    try:
        if isinstance(rule, ResourceRule):
            assert one is not None
            said.update(rule.judge(one, stack.context))
        elif isinstance(rule, StackRule):
            for fault in rule.judge(stack):
                said[fault] += 1
    except UnknownValueError:
        return said, "not evaluated"
    except Exception:  # noqa: BLE001 - what the pack would call a defect of the rule
        return said, "failed"
    return said, ""


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, (*path, index))


def _could_be(resource: graph.Resource, path: Path) -> bool:
    """Whether ``path`` is an input that is left out."""
    here: Any = resource.inputs
    for step in path[:-1]:
        try:
            here = here[step]
        except (KeyError, IndexError):
            return False
    return isinstance(here, dict) and path[0] not in resource.outputs.keys() - resource.inputs.keys()


def _watched(value: Any, at: Place, notes: set[Place]) -> Any:
    kind: Callable[..., Any] | None = (
        _Watched if isinstance(value, Mapping) else _WatchedList if isinstance(value, (list, tuple)) else None
    )
    return kind(value, at, notes) if kind else value


class _Watched(Mapping[str, Any]):
    """Properties that note which of them are read, however deep."""

    def __init__(self, inner: Mapping[str, Any], at: Place, notes: set[Place]) -> None:
        self._inner, self._at, self._notes = inner, at, notes

    def __getitem__(self, key: str) -> Any:
        urn, above = self._at
        self._notes.add((urn, (*above, key)))
        return _watched(self._inner[key], (urn, (*above, key)), self._notes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)


class _WatchedList(Sequence[Any]):
    def __init__(self, inner: Sequence[Any], at: Place, notes: set[Place]) -> None:
        self._inner, self._at, self._notes = inner, at, notes

    def __getitem__(self, index: Any) -> Any:
        urn, above = self._at
        self._notes.add((urn, (*above, index)))
        return _watched(self._inner[index], (urn, (*above, index)), self._notes)

    def __len__(self) -> int:
        return len(self._inner)
