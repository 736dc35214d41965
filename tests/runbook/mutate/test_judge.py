"""Which rules notice a mutant, and that asking only some of them changes no answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from policies.rulebook.resource import Context
from policies.rulebook.rule import Fault, Level, ResourceRule, Severity, StackRule
from runbook.audit.evaluate import audit
from runbook.mutate.judge import Judge
from runbook.mutate.mutants import mutants

from .test_mutants import ALARM, TOPIC, found, small


def rule(kind, id_, check, *types):
    return kind(
        id=id_,
        sentence="000 1: one",
        title="One.",
        why="Otherwise not.",
        severity=Severity.LOW,
        level=Level.MANDATORY,
        controls=(),
        remedy="Do.",
        types=frozenset(types),
        check=check,
    )


def high(resource, _context):
    if (resource.section("threshold") or 0) > 80:
        yield "It rings late."


def mute(stack):
    for alarm in stack.of(ALARM):
        if not stack.referenced(alarm, "alarmActions", TOPIC):
            yield Fault("It rings nowhere.", alarm.urn)


def careless(stack):
    for alarm in stack.of(ALARM):
        alarm.props["threshold"].bit_length()
    yield from ()


LATE = rule(ResourceRule, "late", high, ALARM)
MUTE = rule(StackRule, "mute", mute, ALARM, TOPIC)
NARROW = rule(StackRule, "narrow", mute, ALARM)
CARELESS = rule(StackRule, "careless", careless, ALARM)


def verdict(name, type_, key, *rules):
    return Judge(small(), Context(), rules).verdict(found(small(), name, type_)[key])


@pytest.mark.parametrize(
    ("key", "noticed"),
    [
        (("threshold", "raised"), ("late",)),
        (("threshold", "lowered"), ()),
        (("alarmActions", "cut"), ("mute",)),
        (("alarmActions", "removed"), ("mute",)),
        (("@resource", "deleted"), ()),
    ],
)
def test_a_mutant_is_noticed_by_the_rules_that_say_something_new(key, noticed):
    assert verdict("busy", ALARM, key, LATE, MUTE).noticed == noticed


def test_what_was_wrong_before_is_no_notice():
    captured = small()
    lone = [
        replace(one, inputs={**one.inputs, "threshold": 90}) if one.type == ALARM else one for one in captured.resources
    ]
    captured = replace(captured, resources=tuple(lone))
    judge = Judge(captured, Context(), (LATE,))
    assert {judge.verdict(mutant).noticed for mutant in mutants(captured) if mutant.operator != "deleted"} == {()}


def test_a_rule_that_speaks_of_types_it_does_not_list_is_strange():
    assert verdict("alerts", TOPIC, ("@resource", "deleted"), NARROW).strange == ()
    one = found(small(), "alerts", TOPIC)["@resource", "deleted"]
    alone = replace(one, changed={one.resource.urn: None})
    assert Judge(small(), Context(), (NARROW, MUTE)).verdict(alone).strange == ("narrow",)


def test_a_rule_that_fails_is_broken():
    assert verdict("busy", ALARM, ("threshold", "removed"), CARELESS).broken == ("careless",)


def test_asking_only_the_rules_that_read_the_property_finds_what_asking_all_of_them_finds():
    captured, rules = small(), (LATE, MUTE, NARROW)
    judge = Judge(captured, Context(), rules)

    def said(of):
        return Counter(
            (finding.rule.id, finding.resource and finding.resource.urn)
            for finding in audit(of, Context(), rules).findings
        )

    before = said(captured)
    for mutant in mutants(captured):
        kept = [mutant.changed.get(one.urn, one) for one in captured.resources]
        after = said(replace(captured, resources=tuple(one for one in kept if one is not None)))
        assert set(judge.verdict(mutant).noticed) == {id_ for id_, _urn in after - before}
