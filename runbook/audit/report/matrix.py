"""The rules by what asks for them: a run book's demand, or a control of a benchmark."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policies.rulebook.rule import Rule

from .model import Report, Status, worst

#: The frameworks in the order in which they are told; whatever else a rule names is where its idea is known from.
FRAMEWORKS = {
    "CIS 5.0": "CIS AWS Foundations Benchmark 5.0",
    "CIS 7.0": "CIS AWS Foundations Benchmark 7.0",
    "FSBP": "AWS Foundational Security Best Practices",
    "NIST": "NIST SP 800-53 Rev. 5",
}
OTHERS = "Other sources"

#: ``000_b5883a9168e66709.txt §6: restrict access``: the file, the section (which may be left out), the quotation.
_CITATION = re.compile(r"(?P<book>\d{3}_\w+\.txt)\s*(?P<section>[^:]*):\s*(?P<quotation>.+)", re.DOTALL)
_NEXT_CITATION = re.compile(r";\s+(?=\d{3}_\w+\.txt)")


@dataclass(frozen=True, slots=True)
class Demand:
    """What a run book asks for. ``book`` is the file; it is empty for a sentence that names none."""

    book: str
    section: str
    quotation: str

    @property
    def order(self) -> tuple[object, ...]:
        return (self.book, _natural(self.section))


@dataclass(frozen=True, slots=True)
class Met:
    """A demand, and the rules that enforce it."""

    demand: Demand
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control with its rules; ``statuses``: stack -> what they come to together."""

    framework: str
    name: str
    rules: tuple[Rule, ...]
    statuses: Mapping[str, Status]


def demands(rule: Rule) -> tuple[Demand, ...]:
    """The demands that a rule cites."""
    return tuple(_demand(part) for part in _NEXT_CITATION.split(rule.sentence))


def by_demand(rules: Sequence[Rule]) -> tuple[Met, ...]:
    """Every demand with its rules, in the order of the run books and their sections."""
    found: dict[Demand, list[Rule]] = {}
    for rule in rules:
        for demand in demands(rule):
            found.setdefault(demand, []).append(rule)
    return tuple(Met(demand, tuple(found[demand])) for demand in sorted(found, key=lambda demand: demand.order))


def framework(control: str) -> tuple[str, str]:
    """``CIS 5.0 5.3`` as framework and number."""
    for known in FRAMEWORKS:
        if control.startswith(f"{known} "):
            return known, control.removeprefix(f"{known} ")
    return OTHERS, control


def controls(report: Report) -> tuple[Control, ...]:
    """Every control with its rules, framework by framework and in the order of the numbers."""
    found: dict[tuple[str, str], list[Rule]] = {}
    for rule in report.rules:
        for control in rule.controls:
            found.setdefault(framework(control), []).append(rule)
    places = [*FRAMEWORKS, OTHERS]
    return tuple(
        Control(
            framework=part,
            name=name,
            rules=tuple(found[part, name]),
            statuses={
                stack.name: worst(stack.status(rule.id) for rule in found[part, name]) for stack in report.stacks
            },
        )
        for part, name in sorted(found, key=lambda key: (places.index(key[0]), _natural(key[1])))
    )


def _demand(text: str) -> Demand:
    cited = _CITATION.fullmatch(text.strip())
    if cited is None:
        return Demand("", "", text.strip())
    return Demand(cited["book"], cited["section"].strip(), cited["quotation"].strip().rstrip("."))


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    """Numbers by their value: ``§3.2`` before ``§10``, and numbers before words."""
    parts = re.findall(r"\d+|[^\W\d]+", text)
    return tuple((int(part), "") if part.isdigit() else (10**6, part) for part in parts)
