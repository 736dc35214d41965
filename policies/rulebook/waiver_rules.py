"""The rules on waivers: which of them do not hold, and what the others cover."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from pulumi_policy.proxy import UnknownValueError

from .resource import Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule
from .waivers import FILE, LONGEST, Waiver, is_broad

#: A pattern that meets more resources than these waives a class of faults and not a case.
MOST = 5


def problems(rules: Sequence[Rule], stack: Stack) -> Iterator[Fault]:
    """What is wrong with the waivers of the stack's environment."""
    context = stack.context
    yield from (Fault(sentence) for sentence in context.waivers.malformed)
    by_id = {rule.id: rule for rule in rules}
    for waiver in context.waivers.of(context.environment):
        where = f"{FILE}:{waiver.line}: the waiver of {waiver.rule} for {waiver.resource}"
        if waiver.rule not in by_id:
            yield Fault(f"{where} names no rule.")
        elif waiver.expires < context.today:
            yield Fault(f"{where} expired on {waiver.expires}; it covers nothing any more ({waiver.ticket}).")
        elif not waiver.holds(context.today):
            yield Fault(f"{where} ends on {waiver.expires}, more than {LONGEST.days} days away, so it covers nothing.")
        elif is_broad(waiver):
            yield Fault(f"{where} is too broad, so it covers nothing; name the type and at least four letters.")
        elif (met := sum(map(waiver.meets, stack.resources))) > MOST:
            yield Fault(f"{where} meets {met} resources; {MOST} at most are a case, more are a rule to be changed.")
        elif not _is_used(waiver, by_id[waiver.rule], stack):
            yield Fault(f"{where} covers no finding; delete it.")


def _is_used(waiver: Waiver, rule: Rule, stack: Stack) -> bool:
    """Whether the rule says anything that the waiver covers; what cannot be known yet may still be covered."""
    try:
        return any(waiver.meets(stack.by_urn.get(fault.urn) if fault.urn else None) for fault in faults(rule, stack))
    except UnknownValueError:
        return True


def faults(rule: Rule, stack: Stack) -> Iterator[Fault]:
    """What a rule of either kind says of a stack. Raises UnknownValueError where it meets an unknown value."""
    if isinstance(rule, StackRule):
        yield from rule.judge(stack)
    elif isinstance(rule, ResourceRule):
        for resource in stack.resources:
            if not rule.types or resource.type in rule.types:
                yield from (Fault(sentence, resource.urn) for sentence in rule.judge(resource, stack.context))


def told(waiver: Waiver, sentence: str) -> str:
    """A waived finding in words."""
    return (
        f"Waived until {waiver.expires} by {waiver.owner} ({waiver.ticket}: {waiver.reason.rstrip('.')}): "
        f"{waiver.rule}: {sentence}"
    )


def cover(rule: Rule, fault: Fault, stack: Stack) -> Waiver | None:
    """The waiver that covers a finding of ``rule``, if there is one."""
    context = stack.context
    resource = stack.by_urn.get(fault.urn) if fault.urn else None
    return context.waivers.covering(rule.id, resource, context.environment, context.today)


def _covered(rules: Sequence[Rule], stack: Stack) -> Iterator[Fault]:
    context = stack.context
    waived = {waiver.rule for waiver in context.waivers.of(context.environment)}
    for rule in rules:
        if rule.id in waived:
            for fault in faults(rule, stack):
                if (waiver := cover(rule, fault, stack)) is not None:
                    yield Fault(told(waiver, fault.sentence), fault.urn)


def valid(rules: Sequence[Rule]) -> StackRule:
    """The rule on the waivers of ``rules``."""
    return _rule(
        "gov-waivers-valid",
        "Each waiver names rule, resource, owner, reason, ticket and a day at most 90 days away, and is needed.",
        "A waiver that nobody has to renew is a hole in the rules that everybody has forgotten.",
        Level.MANDATORY,
        "Fix the cause, or renew the waiver with its owner's consent; delete what is not needed.",
        partial(problems, rules),
    )


def waived(rules: Sequence[Rule]) -> StackRule:
    """Tells what is waived, where a caller cannot show it beside the other findings: the Pulumi CLI."""
    return _rule(
        "gov-waived",
        "What is waived is told all the same.",
        "A risk that is not seen is not decided on.",
        Level.ADVISORY,
        "Fix the cause, then delete the waiver.",
        partial(_covered, rules),
    )


def _rule(
    rule_id: str, title: str, why: str, level: Level, remedy: str, check: Callable[[Stack], Iterable[Fault]]
) -> StackRule:
    return StackRule(
        id=rule_id,
        sentence=(
            "002_3d1abe7e242e6afd.txt §10: Approval workflows; 002_3d1abe7e242e6afd.txt §10: Risk assessment matrix"
        ),
        title=title,
        why=why,
        severity=Severity.HIGH if level is Level.MANDATORY else Severity.LOW,
        level=level,
        controls=("NIST CA-5", "NIST PM-4"),
        remedy=remedy,
        types=frozenset(),
        check=check,
    )
