"""What every report tells: stack by stack, what each rule says of each resource it meets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from policies.rulebook.rule import ResourceRule, Rule, Severity
from policies.rulebook.waivers import Waiver

from ...preview.graph import STACK_TYPE, Graph, Resource
from ...words import count
from ..evaluate import Audit, Finding, Judged, NotEvaluated

if TYPE_CHECKING:
    from ..traces import Trace
    from .changes import Changes
    from .header import Header

#: How the subject of a judgement is called that is about no single resource.
WHOLE_STACK = "the stack as a whole"


class Status(StrEnum):
    """What became of a judgement. The order is that in which one status of several is told: ``min`` is the sum."""

    FAIL = "fail"
    EXPIRED = "waiver expired"
    NOT_EVALUATED = "not evaluated"
    WAIVED = "waived"
    PASS = "pass"  # noqa: S105 - no password
    NOT_APPLICABLE = "not applicable"

    @property
    def rank(self) -> int:
        return list(Status).index(self)


def worst(statuses: Iterable[Status]) -> Status:
    """One status for several; nothing to judge is the answer only where there is no other."""
    return min(statuses, key=lambda status: status.rank, default=Status.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One rule on one resource, or on the stack (``urn`` is None).

    ``said``: the sentences of what is broken, or why nothing was judged. ``mandatory``: it refuses the deployment.
    ``waiver``: the one that covers it, or the one that did until it expired.
    """

    rule: Rule
    urn: str | None
    resource: Resource | None
    status: Status
    said: tuple[str, ...] = ()
    mandatory: bool = False
    waiver: Waiver | None = None

    @property
    def subject(self) -> str:
        if self.resource:
            return self.resource.name
        return self.urn.rpartition("::")[2] if self.urn else WHOLE_STACK


@dataclass(frozen=True)
class StackAudit:
    """A stack's graph and audit, and every judgement, rule by rule in the order of the rules."""

    graph: Graph
    audit: Audit

    @property
    def name(self) -> str:
        return self.audit.stack

    @cached_property
    def judged(self) -> tuple[Judged, ...]:
        """Every rule, with what it met."""
        told = {judged.rule.id: judged for judged in self.audit.judged}
        for rule in self._spoken:
            told.setdefault(rule.id, Judged(rule, ()))
        return tuple(told.values())

    @property
    def _spoken(self) -> Iterator[Rule]:
        yield from (finding.rule for finding in self.audit.findings)
        yield from (missed.rule for missed in self.audit.not_evaluated)

    @cached_property
    def judgements(self) -> tuple[Judgement, ...]:
        return tuple(_judgements(self))

    @cached_property
    def by_rule(self) -> Mapping[str, tuple[Judgement, ...]]:
        found: dict[str, list[Judgement]] = {}
        for judgement in self.judgements:
            found.setdefault(judgement.rule.id, []).append(judgement)
        return {rule: tuple(judgements) for rule, judgements in found.items()}

    def status(self, rule: str) -> Status:
        """What a rule comes to in this stack."""
        return worst(judgement.status for judgement in self.by_rule.get(rule, ()))

    def count(self, status: Status) -> int:
        return sum(judgement.status is status for judgement in self.judgements)

    def looked_at(self, judged: Judged) -> tuple[Resource, ...]:
        """The resources a rule judges; of a rule on the whole stack those of the types it looks at."""
        if isinstance(judged.rule, ResourceRule):
            return tuple(self.graph.by_urn[urn] for urn in judged.urns if urn)
        return self.graph.of(*judged.rule.types)

    def component(self, urn: str | None) -> str | None:
        """The outermost component around a resource, by name; None for what stands in the stack itself."""
        return self._components.get(urn) if urn else None

    @cached_property
    def _components(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for resource in self.graph.resources:  # a parent comes before its children
            if resource.type == STACK_TYPE:
                continue
            if resource.parent in found:
                found[resource.urn] = found[resource.parent]
            elif not resource.custom:
                found[resource.urn] = resource.name
        return found


@dataclass(frozen=True)
class Report:
    """Several stacks, where and when they were audited, and what is different from the last time (None: not asked).

    ``traced``: every demand of the run books and where it leads; without it only what a rule cites is told.
    """

    header: Header
    stacks: tuple[StackAudit, ...]
    changes: Changes | None = None
    traced: tuple[Trace, ...] = ()

    @property
    def refused(self) -> tuple[str, ...]:
        """The stacks that a mandatory rule refuses."""
        return tuple(stack.name for stack in self.stacks if stack.audit.refused)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule once, in the order of the rules."""
        return tuple({judged.rule.id: judged.rule for stack in self.stacks for judged in stack.judged}.values())


def gravity(severity: Severity) -> int:
    """The worst severity first: 0 is critical."""
    return list(Severity)[::-1].index(severity)


def refusals(report: Report) -> str:
    """How many judgements refuse which stack: ``staging by 1 judgement, prod by 3 judgements``."""
    numbers = {stack.name: sum(judged.mandatory for judged in stack.judgements) for stack in report.stacks}
    return ", ".join(f"{name} by {count(number, 'judgement')}" for name, number in numbers.items() if number)


def refusal(judgement: Judgement) -> str:
    """Whether a finding stops a deployment, in one word."""
    if judgement.status not in (Status.FAIL, Status.EXPIRED):
        return ""
    return "refused" if judgement.mandatory else "advised"


def answered(waiver: Waiver, *, expired: bool) -> str:
    """Who answers for a finding, until when, and why."""
    until = f"Waiver expired on {waiver.expires}" if expired else f"Waived until {waiver.expires}"
    return f"{until}: {waiver.owner} ({waiver.ticket}): {waiver.reason}"


def _judgements(stack: StackAudit) -> Iterator[Judgement]:
    broken: dict[str, dict[str | None, list[Finding]]] = {}
    unknown: dict[str, dict[str | None, list[NotEvaluated]]] = {}
    for finding in stack.audit.findings:
        urn = finding.resource.urn if finding.resource else None
        broken.setdefault(finding.rule.id, {}).setdefault(urn, []).append(finding)
    for missed in stack.audit.not_evaluated:
        unknown.setdefault(missed.rule.id, {}).setdefault(missed.urn, []).append(missed)
    by_urn = stack.graph.by_urn
    for judged in stack.judged:
        rule = judged.rule
        faults, gaps = broken.get(rule.id, {}), unknown.get(rule.id, {})
        for urn, findings in faults.items():
            yield _found(rule, urn, findings)
        for urn, missing in gaps.items():
            yield Judgement(
                rule=rule,
                urn=urn,
                resource=by_urn.get(urn) if urn else None,
                status=Status.NOT_EVALUATED,
                said=tuple(" ".join(missed.reason.split()) for missed in missing),
            )
        for urn in judged.urns:
            spoken = urn in faults or urn in gaps or (urn is None and (faults or gaps))
            if not spoken:
                yield Judgement(rule=rule, urn=urn, resource=by_urn.get(urn) if urn else None, status=Status.PASS)
        if not (judged.urns or faults or gaps):
            yield Judgement(rule=rule, urn=None, resource=None, status=Status.NOT_APPLICABLE, said=(judged.why_not,))


def _found(rule: Rule, urn: str | None, findings: list[Finding]) -> Judgement:
    """A waiver names rule and resource, so it covers all that one rule finds in one resource."""
    first = findings[0]
    status = Status.WAIVED if first.waiver else Status.EXPIRED if first.expired else Status.FAIL
    return Judgement(
        rule=rule,
        urn=urn,
        resource=first.resource,
        status=status,
        said=tuple(finding.sentence for finding in findings),
        mandatory=any(finding.mandatory for finding in findings),
        waiver=first.waiver or first.expired,
    )
