"""Graph x rules -> findings, in process: the same rules, in the same shape, as the Pulumi CLI evaluates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pulumi_policy.proxy import UnknownValueError, unknown_checking_proxy

from policies.rulebook import RULES
from policies.rulebook.resource import Context, Resource, Stack
from policies.rulebook.rule import Fault, NotEvaluatedError, ResourceRule, Rule, Severity, StackRule
from policies.rulebook.waivers import Waiver, is_broad

from ..preview import graph
from ..words import count, short_type

_ORDER = tuple(Severity)

#: So many types are named where a rule found none of its own.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule: the sentence, the resource it is about (None: the stack), and whether it refuses a deployment.

    ``waiver``: who answers for it for now; it refuses nothing then. ``expired``: the waiver that did, where none does.
    """

    rule: Rule
    sentence: str
    resource: graph.Resource | None
    mandatory: bool
    waiver: Waiver | None = None
    expired: Waiver | None = None


@dataclass(frozen=True, slots=True)
class NotEvaluated:
    """A rule that could not be judged: never a pass. ``urn`` is None where the whole stack was asked."""

    rule: Rule
    urn: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A rule and the URNs it met, broken or not: None is the stack as a whole. Without any it had nothing to judge.

    ``disabled``: the policy configuration switches it off, and nobody asked it.
    """

    rule: Rule
    urns: tuple[str | None, ...]
    disabled: bool = False

    @property
    def why_not(self) -> str:
        """Why it is not applicable; only of a rule that met nothing."""
        if self.disabled:
            return "The policy configuration switches it off."
        kinds = sorted(short_type(token) for token in self.rule.types)
        named, others = kinds[:_NAMED], kinds[_NAMED:]
        if others:
            named.append(f"{count(len(others), 'other type')} that it judges")
        return f"The stack declares no {' or '.join(named) or 'resource'}."


@dataclass(frozen=True, slots=True)
class Audit:
    """What the rules say of one stack.

    ``rules``: how many there are; ``judgements``: how often a rule met a resource (or the stack) it applies to;
    ``idle``: ids of the rules that met none and miss nothing; ``judged``: every rule, in the order of the rules, then
    those that are switched off.
    """

    stack: str
    environment: str
    findings: tuple[Finding, ...]
    not_evaluated: tuple[NotEvaluated, ...]
    rules: int
    judgements: int
    idle: tuple[str, ...]
    judged: tuple[Judged, ...] = ()

    @property
    def not_applicable(self) -> tuple[Judged, ...]:
        """The rules that judged nothing, those included that are switched off."""
        return tuple(judged for judged in self.judged if judged.disabled or judged.rule.id in self.idle)

    @property
    def refused(self) -> bool:
        """Whether a mandatory rule is broken."""
        return any(finding.mandatory for finding in self.findings)


def audit(
    captured: graph.Graph, context: Context, rules: Sequence[Rule] = RULES, disabled: Iterable[Rule] = ()
) -> Audit:
    """Evaluates ``rules`` over a captured graph; of those that are ``disabled`` it only says so.

    A rule that raises is a finding of its own, as in the pack: a broken rule is neither a pass nor a crash.
    """
    judge = _Judge(captured, context)
    for rule in rules:
        judge.take(rule)
    findings = sorted(
        judge.findings,
        key=lambda f: (-_ORDER.index(f.rule.severity), f.rule.id, f.resource.urn if f.resource else "", f.sentence),
    )
    return Audit(
        stack=captured.stack,
        environment=context.environment,
        findings=tuple(findings),
        not_evaluated=tuple(judge.not_evaluated),
        rules=len(rules),
        judgements=sum(len(judged.urns) for judged in judge.judged),
        idle=tuple(judged.rule.id for judged in judge.judged if not judged.urns),
        judged=(*judge.judged, *(Judged(rule, (), disabled=True) for rule in disabled)),
    )


def stack_of(captured: graph.Graph, context: Context) -> Stack:
    """A captured graph as stack rules see it."""
    return Stack(tuple(seen(resource, resource.outputs) for resource in captured.resources), context)


class _Judge:
    def __init__(self, captured: graph.Graph, context: Context) -> None:
        self._graph = captured
        self._context = context
        self._by_type: dict[str, list[Resource]] = {}
        for resource in captured.resources:
            # As with the CLI, a component's arguments are its own business: rules judge what it makes.
            self._by_type.setdefault(resource.type, []).append(seen(resource, resource.inputs))
        self._stack = stack_of(captured, context)
        self.findings: list[Finding] = []
        self.not_evaluated: list[NotEvaluated] = []
        self.judged: list[Judged] = []

    def take(self, rule: Rule) -> None:
        urns: list[str | None] = []
        match rule:
            case ResourceRule():
                for resource in self._subjects(rule):
                    urns.append(resource.urn)
                    sentences = rule.judge(resource, self._context)
                    self._collect(rule, resource.urn, (Fault(said, resource.urn) for said in sentences))
            case StackRule():
                before = len(self.findings)
                self._collect(rule, None, rule.judge(self._stack))
                # A rule that misses what is not there has judged the stack all the same.
                if self._meets(rule) or len(self.findings) > before:
                    urns.append(None)
            case _:
                raise TypeError(f"{rule.id} is a {type(rule).__name__}; a rule is a ResourceRule or a StackRule.")
        self.judged.append(Judged(rule, tuple(urns)))

    def _meets(self, rule: Rule) -> bool:
        return not rule.types or any(token in self._by_type for token in rule.types)

    def _subjects(self, rule: Rule) -> Iterable[Resource]:
        if not rule.types:
            return [resource for resources in self._by_type.values() for resource in resources]
        return [resource for token in sorted(rule.types) for resource in self._by_type.get(token, ())]

    def _collect(self, rule: Rule, urn: str | None, faults: Iterable[Fault]) -> None:
        mandatory = rule.level.is_mandatory(self._context.environment)
        try:
            for fault in faults:
                self._add(rule, fault, mandatory)
        except NotEvaluatedError as unjudged:
            self.not_evaluated += [NotEvaluated(rule, each, unjudged.message) for each in unjudged.urns]
        except UnknownValueError as unknown:
            self.not_evaluated.append(NotEvaluated(rule, urn, unknown.message))
        except Exception as error:  # noqa: BLE001 - a defect of a rule must show as one
            sentence = f"The rule itself failed with {type(error).__name__}; this is a defect of the rule."
            self._add(rule, Fault(sentence, urn), mandatory=True)

    def _add(self, rule: Rule, fault: Fault, mandatory: bool) -> None:
        resource = self._graph.by_urn.get(fault.urn) if fault.urn else None
        context = self._context
        waiver = context.waivers.covering(rule.id, resource, context.environment, context.today)
        expired = None if waiver else self._expired(rule, resource)
        self.findings.append(Finding(rule, fault.sentence, resource, mandatory and waiver is None, waiver, expired))

    def _expired(self, rule: Rule, resource: graph.Resource | None) -> Waiver | None:
        for waiver in self._context.waivers.of(self._context.environment):
            past = waiver.rule == rule.id and waiver.expires < self._context.today
            if past and not is_broad(waiver) and waiver.meets(resource):
                return waiver
        return None


def seen(resource: graph.Resource, props: Mapping[str, Any]) -> Resource:
    """A resource as a rule sees it; only one that holds an unknown pays for the checking proxy."""
    values = dict(props) if resource.custom else {}
    return Resource(
        urn=resource.urn,
        type=resource.type,
        name=resource.name,
        props=unknown_checking_proxy(values) if graph.holds_unknown(values) else values,
        parent=resource.parent,
        protect=resource.protect,
        retain_on_delete=bool(resource.options.get("retainOnDelete")),
        dependencies=resource.dependencies,
        property_dependencies=resource.property_dependencies,
    )
