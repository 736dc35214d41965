"""One page that needs nothing else: it can be mailed, printed, and read without a network or a script.

The template escapes whatever it is given. The page's own policy allows its one style and its one script, by hash, and
nothing else: even what slipped through could neither run nor call out.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from policies.rulebook.rule import Rule, Severity, StackRule

from ...preview.graph import Resource
from ...words import count, percent, short_type
from ..traces import State, Trace
from .changes import Change, Changes
from .matrix import FRAMEWORKS, OTHERS, Control, Demand, by_demand, controls, demands
from .model import Judgement, Report, StackAudit, Status, answered, gravity, refusals, worst

_HERE = Path(__file__).parent

#: Statuses that a reader has to act on or to know of, in the order in which they are shown.
_TOLD = (Status.FAIL, Status.EXPIRED, Status.NOT_EVALUATED, Status.WAIVED)

#: Whether there is code for a demand, in words; whether it holds is what the rules say.
_STATES: Mapping[State, str] = {
    "covered": "in code",
    "partly": "partly in code",
    "people": "for people",
    "open": "not in code",
}

#: What stands for a component where a judgement is about none.
_NO_COMPONENT = "no component"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Of what a filter asks for, what one line is: any case that fits shows it."""

    stack: str
    status: Status | None
    component: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """The same sentence about the same resource, in one stack or several."""

    status: Status
    outcome: str
    stacks: tuple[str, ...]
    subject: str
    type: str
    at: str
    said: tuple[str, ...]
    waiver: str
    urns: tuple[str, ...]
    cases: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A rule with what it found."""

    rule: Rule
    occurrences: tuple[Occurrence, ...]
    demands: tuple[Demand, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Resources of one type that one line declares; ``stacks`` is empty where they are in all of them."""

    at: str
    type: str
    names: tuple[str, ...]
    stacks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A rule below a demand: its status by stack (``told``: the stacks of each status) and what it looks at."""

    rule: Rule
    told: tuple[tuple[Status, tuple[str, ...]], ...]
    looks_at: str
    components: tuple[str, ...]
    places: tuple[Place, ...]
    why_not: str
    cases: str
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A demand, its rules, and where it was traced its ``state`` and what ``otherwise`` meets it."""

    quotation: str
    rows: tuple[Row, ...]
    state: str = ""
    otherwise: tuple[tuple[str, str], ...] = ()
    cases: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A stack in the table of numbers."""

    stack: StackAudit
    counts: Mapping[Status, int]
    fidelity: str


def text(report: Report) -> str:
    """The page."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = count
    environment.filters["short_type"] = short_type
    style, script = (_HERE / name for name in ("page.css", "page.js"))
    rows = {rule.id: _row(report, rule) for rule in report.rules}
    matrix = controls(report)
    page = environment.get_template("page.html.j2").render(
        report=report,
        header=report.header,
        Status=Status,
        refusals=refusals(report),
        tallies=[_tally(stack) for stack in report.stacks],
        cards=sorted(_cards(report), key=_urgency),
        changes=_change_lists(report.changes) if report.changes else (),
        books=_books(report, rows),
        frameworks=[
            (
                f"{FRAMEWORKS.get(name, name)}: {count(len(members), 'control')}",
                [(control, _told(control.statuses)) for control in members],
            )
            for name, members in _grouped(matrix)
        ],
        filters=_filters(report, matrix),
        style=_inline(style),
        script=_inline(script),
        policy="; ".join(
            (
                "default-src 'none'",
                f"style-src {_hash(style)}",
                f"script-src {_hash(script)}",
                "base-uri 'none'",
                "form-action 'none'",
            )
        ),
    )
    return page.rstrip("\n") + "\n"


def _inline(path: Path) -> Markup:
    """A file of this folder, as it is."""
    return Markup(path.read_text(encoding="utf-8"))  # noqa: S704 - written here, and given no value


def _hash(path: Path) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()}'"


def _tally(stack: StackAudit) -> Tally:
    fidelity = stack.graph.fidelity
    return Tally(
        stack=stack,
        counts={status: stack.count(status) for status in Status},
        fidelity=percent(fidelity.known, fidelity.total),
    )


def _cards(report: Report) -> Iterator[Card]:
    for rule in report.rules:
        if occurrences := tuple(_occurrences(report, rule)):
            yield Card(rule=rule, occurrences=occurrences, demands=demands(rule))


def _urgency(card: Card) -> tuple[bool, int, int]:
    refuses = any(occurrence.outcome == "refused" for occurrence in card.occurrences)
    return (not refuses, worst(each.status for each in card.occurrences).rank, gravity(card.rule.severity))


def _occurrences(report: Report, rule: Rule) -> Iterator[Occurrence]:
    same: dict[tuple[object, ...], list[tuple[StackAudit, Judgement]]] = {}
    for stack in report.stacks:
        for judged in stack.by_rule.get(rule.id, ()):
            if judged.status in _TOLD:
                at = judged.resource.declared_at if judged.resource else None
                key = (judged.status.rank, judged.mandatory, judged.subject, str(at), judged.said, judged.waiver)
                same.setdefault(key, []).append((stack, judged))
    for members in sorted(same.values(), key=lambda members: members[0][1].status.rank):
        yield _occurrence(members)


def _occurrence(members: Sequence[tuple[StackAudit, Judgement]]) -> Occurrence:
    judged = members[0][1]
    resource, waiver = judged.resource, judged.waiver
    return Occurrence(
        status=judged.status,
        outcome=("refused" if judged.mandatory else "advised")
        if judged.status in (Status.FAIL, Status.EXPIRED)
        else "",
        stacks=tuple(stack.name for stack, _judged in members),
        subject=judged.subject,
        type=short_type(resource.type) if resource else "",
        at=str(resource.declared_at or "") if resource else "",
        said=judged.said,
        waiver=answered(waiver, expired=judged.status is Status.EXPIRED) if waiver else "",
        urns=tuple(each.urn for _stack, each in members if each.urn),
        cases=_written(
            Case(stack=stack.name, status=each.status, component=_component(stack, each.urn)) for stack, each in members
        ),
    )


def _row(report: Report, rule: Rule) -> Row:
    seen: dict[str, tuple[Resource, ...]] = {}
    cases: dict[Case, None] = {}
    why_not = ""
    for stack in report.stacks:
        judged = next((each for each in stack.judged if each.rule.id == rule.id), None)
        resources = stack.looked_at(judged) if judged else ()
        seen[stack.name] = resources
        for each in stack.by_rule.get(rule.id, ()):
            parts = [_component(stack, each.urn)] if each.urn or not resources else _parts(stack, resources)
            cases |= dict.fromkeys(Case(stack=stack.name, status=each.status, component=part) for part in parts)
            if each.status is Status.NOT_APPLICABLE:
                why_not = " ".join(each.said)
    distinct = {(resource.type, resource.name) for resources in seen.values() for resource in resources}
    looks_at = f"{'looks at' if isinstance(rule, StackRule) else 'judges'} {count(len(distinct), 'resource')}"
    return Row(
        rule=rule,
        told=_told({stack.name: stack.status(rule.id) for stack in report.stacks}),
        looks_at=looks_at if distinct else "",
        components=tuple(dict.fromkeys(case.component for case in cases if case.component != _NO_COMPONENT)),
        places=tuple(_places(seen)),
        why_not=why_not,
        cases=_written(cases),
        anchor=f"rule-{rule.id}",
    )


def _places(seen: Mapping[str, Sequence[Resource]]) -> Iterator[Place]:
    found: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    where: dict[tuple[str, str, str], dict[str, None]] = {}
    for stack, resources in seen.items():
        for resource in resources:
            key = (str(resource.declared_at or ""), short_type(resource.type), resource.name)
            where.setdefault(key, {})[stack] = None
    for (at, kind, name), stacks in where.items():
        found.setdefault((at, kind, tuple(stacks)), []).append(name)
    for (at, kind, in_stacks), names in sorted(found.items()):
        everywhere = len(in_stacks) == len(seen)
        yield Place(at=at, type=kind, names=tuple(sorted(names)), stacks=() if everywhere else in_stacks)


def _books(report: Report, rows: dict[str, Row]) -> list[tuple[str, list[tuple[str, list[Asked]]]]]:
    """Run book -> section -> demands."""
    return [
        (
            book,
            [
                (section, [asked for _demand, asked in members])
                for section, members in groupby(sections, key=lambda pair: pair[0].section)
            ],
        )
        for book, sections in groupby(_asked(report, rows), key=lambda pair: pair[0].book)
    ]


def _asked(report: Report, rows: dict[str, Row]) -> Iterator[tuple[Demand, Asked]]:
    """Every demand that is traced, as the run books have them, or else those that a rule cites."""

    def shown(rule: str) -> Row:
        row = rows[rule]
        rows[rule] = replace(row, anchor="")  # a rule that meets two demands is linked to at the first
        return row

    for trace in report.traced:
        demand = Demand(trace.demand.file, trace.demand.section, trace.demand.quote)
        yield (
            demand,
            Asked(
                quotation=demand.quotation,
                rows=tuple(shown(rule) for rule in trace.rules if rule in rows),
                state=_STATES[trace.state],
                otherwise=tuple(_otherwise(trace, {stack.name for stack in report.stacks})),
                cases=_written(Case(stack=stack.name, status=None, component="") for stack in report.stacks),
            ),
        )
    traced = {rule for trace in report.traced for rule in trace.rules}
    for met in by_demand([rule for rule in report.rules if rule.id not in traced]):
        yield met.demand, Asked(quotation=met.demand.quotation, rows=tuple(shown(rule.id) for rule in met.rules))


def _otherwise(trace: Trace, everywhere: Set[str]) -> Iterator[tuple[str, str]]:
    demand = trace.demand
    declared = [
        one.name if everywhere <= set(one.stacks) else f"{one.name} (in {', '.join(one.stacks)})"
        for one in trace.declared
        if one.stacks
    ]
    for name, fact in (
        ("Declared", ", ".join(declared)),
        ("Done by", ", ".join(f"runbook {command}" for command in trace.done)),
        ("Settings", ", ".join(demand.settings)),
        ("Written", ", ".join(demand.written)),
        ("For people", demand.manual),
        ("Missing", "; ".join(trace.gaps)),
    ):
        if fact:
            yield name, fact


def _change_lists(changes: Changes) -> list[tuple[str, str, tuple[Change, ...]]]:
    return [
        ("New", "not found before", changes.new),
        ("Fixed", "judged again and not found", changes.fixed),
        ("Not judged any more", "found before; nobody knows now", changes.lost),
        ("Still there", "found before", changes.still),
        ("Waived", "somebody answers for it", changes.waived),
    ]


def _grouped(matrix: Iterable[Control]) -> list[tuple[str, list[Control]]]:
    return [(name, list(members)) for name, members in groupby(matrix, key=lambda control: control.framework)]


def _told(statuses: Mapping[str, Status]) -> tuple[tuple[Status, tuple[str, ...]], ...]:
    """Each status with its stacks, the worst first."""
    found: dict[Status, list[str]] = {}
    for stack, status in statuses.items():
        found.setdefault(status, []).append(stack)
    return tuple((status, tuple(found[status])) for status in Status if status in found)


def _filters(report: Report, matrix: Iterable[Control]) -> list[tuple[str, str, list[str]]]:
    """Key, label and choices, of what there is in this report."""
    judged = [(stack, each) for stack in report.stacks for each in stack.judgements]
    statuses = {each.status for _stack, each in judged}
    components = {_component(stack, resource.urn) for stack in report.stacks for resource in stack.graph.resources}
    return [
        ("stack", "Stack", [stack.name for stack in report.stacks]),
        ("status", "Status", [status.value for status in Status if status in statuses]),
        ("severity", "Severity", [severity.value for severity in reversed(Severity)]),
        ("component", "Component", sorted(components - {_NO_COMPONENT})),
        ("control", "Control", [_called(control) for control in matrix]),
    ]


def _called(control: Control) -> str:
    """As a rule names it."""
    return control.name if control.framework == OTHERS else f"{control.framework} {control.name}"


def _component(stack: StackAudit, urn: str | None) -> str:
    return stack.component(urn) or _NO_COMPONENT


def _parts(stack: StackAudit, resources: Iterable[Resource]) -> list[str]:
    return list(dict.fromkeys(_component(stack, resource.urn) for resource in resources))


def _written(cases: Iterable[Case]) -> str:
    """The cases for the page's script."""
    return json.dumps([[case.stack, case.status, case.component] for case in cases], separators=(",", ":"))
