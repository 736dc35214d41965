"""What a person sees of an audit."""

import pytest

from policies.rulebook.rule import Level, Severity
from runbook.audit import render
from runbook.audit.evaluate import Finding, Judged, NotEvaluated
from runbook.console import PLAIN, drawn
from runbook.preview.graph import SourcePosition
from tests.runbook.graphs import audit, printed, resource, rule

SUBNET = resource("aws:ec2/subnet:Subnet", "data-a", source=SourcePosition("components/net.py", 42))
VPC = resource("aws:ec2/vpc:Vpc", "network")
OPEN = rule("net-open", Severity.CRITICAL)
TAGS = rule("gov-tags", Severity.LOW, Level.ADVISORY)
ZONES = rule("rds-zones", Severity.HIGH, Level.MANDATORY_IN_PROD)


def test_a_finding_has_rule_sentence_place_reason_remedy_and_source():
    found = audit([Finding(OPEN, "Port 22 is open to all.", SUBNET, True)])
    assert printed(render.lines(found, PLAIN)) == [
        "",
        "Refused: 1 finding of mandatory rules",
        "",
        "  critical  net-open: The title of net-open.",
        "    - Port 22 is open to all.",
        "      components/net.py:42  data-a (ec2.Subnet)",
        "    why       Otherwise it is open.",
        "    remedy    Close it.",
        "    run book  000_b5883a9168e66709.txt 6: restrict access to necessary ports",
        "    controls  CIS 5.3, NIST SC-7",
    ]


def test_findings_of_one_rule_share_its_explanation():
    lines = printed(
        render.lines(audit([Finding(OPEN, "Here.", SUBNET, True), Finding(OPEN, "There.", VPC, True)]), PLAIN)
    )
    assert lines[4:8] == [
        "    - Here.",
        "      components/net.py:42  data-a (ec2.Subnet)",
        "    - There.",
        "      network (ec2.Vpc)",
    ]
    assert sum(line.startswith("    remedy") for line in lines) == 1


def test_advice_comes_after_what_is_refused_whatever_its_severity():
    found = audit([Finding(ZONES, "One zone.", VPC, False), Finding(OPEN, "Open.", SUBNET, True)])
    headings = [line for line in printed(render.lines(found, PLAIN)) if line and not line.startswith(" ")]
    assert headings == ["Refused: 1 finding of mandatory rules", "Advised: 1 finding of advisory rules"]


def test_advice_that_prod_would_refuse_says_so():
    lines = printed(render.lines(audit([Finding(ZONES, "One zone.", VPC, False)]), PLAIN))
    assert lines[-1] == "    level     mandatory in prod, advice here"


def test_a_finding_about_the_stack_says_so():
    lines = printed(render.lines(audit([Finding(TAGS, "Nothing is tagged.", None, False)]), PLAIN))
    assert lines[4:6] == ["    - Nothing is tagged.", "      the stack as a whole"]


def test_what_was_not_evaluated_is_listed_with_its_reason_on_one_line():
    missed = [NotEvaluated(OPEN, SUBNET.urn, "cidrBlock can't be\n  known"), NotEvaluated(TAGS, None, "unknown")]
    assert printed(render.lines(audit(not_evaluated=missed), PLAIN)) == [
        "",
        "Not evaluated: 2 judgements, neither passed nor broken",
        "    net-open  data-a: cidrBlock can't be known",
        "    gov-tags  the stack as a whole: unknown",
    ]


def test_what_had_nothing_to_judge_or_is_switched_off_is_told_with_the_reason():
    found = audit(idle=("net-open",), judged=(Judged(OPEN, ()), Judged(TAGS, (), disabled=True)))
    assert printed(render.lines(found, PLAIN)) == []
    assert printed(render.not_applicable(found, PLAIN)) == [
        "",
        "Not applicable: 2 rules",
        "    net-open  The stack declares no ec2.Subnet.",
        "    gov-tags  The policy configuration switches it off.",
    ]
    assert printed(render.verdict(found, 1.26, PLAIN)) == [
        "staging: clean (42 rules, 1,204 judgements; no finding; 1 rule with nothing to judge; 1 rule switched off; "
        "1.3 s)"
    ]


def test_nothing_is_said_of_nothing():
    assert printed([*render.lines(audit(), PLAIN), *render.not_applicable(audit(), PLAIN)]) == []


def test_a_terminal_breaks_sentences_below_themselves():
    lines = printed(render.lines(audit([Finding(OPEN, "A sentence that is longer than that.", None, True)]), drawn(30)))
    assert lines[4:7] == ["    ✗ A sentence that is", "      longer than that.", "      the stack as a whole"]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (audit(), "staging: clean (42 rules, 1,204 judgements; no finding; 1.3 s)"),
        (
            audit([Finding(OPEN, "x", None, True), Finding(TAGS, "y", None, False)], idle=("a",)),
            "staging: refused (42 rules, 1,204 judgements; 1 mandatory and 1 advisory findings; "
            "1 rule with nothing to judge; 1.3 s)",
        ),
        (
            audit([Finding(TAGS, "y", None, False)], [NotEvaluated(OPEN, None, "z")]),
            "staging: clean (42 rules, 1,204 judgements; 0 mandatory and 1 advisory findings; 1 not evaluated; 1.3 s)",
        ),
    ],
)
def test_the_verdict_is_the_outcome_and_the_numbers_behind_it(found, sentence):
    assert printed(render.verdict(found, 1.26, PLAIN)) == [sentence]
