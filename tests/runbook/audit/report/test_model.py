"""What becomes of every judgement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook.rule import ResourceRule
from runbook.audit.evaluate import Finding, Judged, NotEvaluated
from runbook.audit.report.model import StackAudit, Status, worst
from runbook.preview.graph import STACK_TYPE
from tests.runbook import graphs

from . import examples
from .examples import DATABASE, HOSTILE, IDLE, OPEN, SEEN, SUBNET, TAGS, ZONES


def told(stack):
    return {(each.rule.id, each.subject): each.status for each in stack.judgements}


def test_every_status_is_told_of_what_it_is_about():
    assert told(examples.broken()) == {
        ("net-open", "a"): Status.FAIL,
        ("net-open", "b"): Status.NOT_EVALUATED,
        ("net-open", HOSTILE): Status.EXPIRED,
        ("gov-tags", "a"): Status.PASS,
        ("gov-tags", "b"): Status.FAIL,
        ("gov-tags", HOSTILE): Status.PASS,
        ("rds-zones", "database"): Status.WAIVED,
        ("mon-seen", "the stack as a whole"): Status.NOT_EVALUATED,
        ("ecs-idle", "the stack as a whole"): Status.NOT_APPLICABLE,
    }


def test_what_one_rule_finds_in_one_resource_is_one_judgement_with_all_its_sentences():
    (judged,) = [each for each in examples.broken().by_rule["net-open"] if each.subject == "a"]
    assert (judged.said, judged.mandatory) == (("Port 22 is open.", "Port 3389 is open."), True)


def test_a_rule_with_nothing_to_judge_says_what_is_not_there():
    (judged,) = examples.clean().by_rule[IDLE.id]
    assert judged.said == (
        "The stack declares no ecs.Cluster or ecs.Service or ecs.Tag or 1 other type that it judges.",
    )


def test_a_stack_rule_passes_only_where_it_says_nothing_of_any_resource():
    captured = examples.graph("prod")
    (first, *_others) = captured.of(SUBNET)
    found = StackAudit(captured, examples.audit("prod", [Finding(SEEN, "Nobody looks at it.", first, True)]))
    assert [(each.subject, each.status) for each in found.by_rule[SEEN.id]] == [("a", Status.FAIL)]


def test_what_is_found_and_what_could_not_be_judged_stand_side_by_side():
    captured = examples.graph("prod")
    (first, *_others) = captured.of(SUBNET)
    found = StackAudit(
        captured, examples.audit("prod", [Finding(OPEN, "Open.", first, True)], [NotEvaluated(OPEN, first.urn, "?")])
    )
    statuses = [each.status for each in found.by_rule[OPEN.id] if each.urn == first.urn]
    assert statuses == [Status.FAIL, Status.NOT_EVALUATED]


def test_a_component_is_the_outermost_one_around_a_resource():
    inner = graphs.resource("shop:network:Tier", "data", graphs.urn("shop:network:Network", "network"))
    captured = graphs.graph(
        graphs.stack(),
        graphs.resource("shop:network:Network", "network"),
        inner,
        graphs.resource(SUBNET, "within", inner.urn),
        graphs.resource(SUBNET, "outside"),
    )
    stack = StackAudit(captured, graphs.audit())
    assert {each.name: stack.component(each.urn) for each in captured.resources if each.type != STACK_TYPE} == {
        "network": "network",
        "data": "network",
        "within": "network",
        "outside": None,
    }


def test_a_resource_rule_looks_at_what_it_judges_and_a_stack_rule_at_its_types():
    stack = examples.broken()
    seen = {judged.rule.id: [each.name for each in stack.looked_at(judged)] for judged in stack.judged}
    assert seen == {
        "net-open": ["a", "b", HOSTILE],
        "gov-tags": ["a", "b", HOSTILE],
        "rds-zones": ["database"],
        "mon-seen": ["a", "b", HOSTILE],
        "ecs-idle": [],
    }


@given(st.lists(st.sampled_from(Status)))
def test_the_sum_of_statuses_is_never_better_than_any_of_them(statuses):
    summed = worst(statuses)
    assert all(summed.rank <= status.rank for status in statuses)
    assert summed in statuses or (not statuses and summed is Status.NOT_APPLICABLE)


@given(st.data())
def test_every_judgement_has_a_status_and_only_a_silent_one_passes(data):
    captured = examples.graph("prod")
    rules = [rule for rule in examples.RULES if isinstance(rule, ResourceRule)]
    pairs = [(rule, each) for rule in rules for each in captured.resources if each.type in rule.types]
    broken = data.draw(st.lists(st.sampled_from(pairs), unique_by=lambda pair: (pair[0].id, pair[1].urn)))
    unknown = data.draw(st.lists(st.sampled_from(pairs), unique_by=lambda pair: (pair[0].id, pair[1].urn)))
    stack = StackAudit(
        captured,
        examples.audit(
            "prod",
            [Finding(rule, "It is broken.", each, True) for rule, each in broken],
            [NotEvaluated(rule, each.urn, "?") for rule, each in unknown],
        ),
    )
    spoken = {(rule.id, each.urn) for rule, each in (*broken, *unknown)}
    passed = {(each.rule.id, each.urn) for each in stack.judgements if each.status is Status.PASS}
    judged = {(each.rule.id, each.urn) for each in stack.judgements if each.rule.id not in (SEEN.id, IDLE.id)}
    assert judged == {(rule.id, each.urn) for rule, each in pairs}
    assert passed - {(SEEN.id, None)} == judged - spoken


@pytest.mark.parametrize("rule", [TAGS, ZONES])
def test_an_audit_that_kept_no_judgements_still_tells_its_findings(rule):
    stack = StackAudit(graphs.graph(), graphs.audit([Finding(rule, "It is broken.", None, False)]))
    assert told(stack) == {(rule.id, "the stack as a whole"): Status.FAIL}
    assert stack.judged == (Judged(rule, ()),)
    assert DATABASE not in {each.type for each in stack.graph.resources}
