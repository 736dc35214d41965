"""A waiver covers one case for a while, is told, and is a finding itself as soon as anything about it is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook import RULES, waiver_rules
from policies.rulebook.resource import Context, Resource
from policies.rulebook.rule import Fault, Level, ResourceRule, Severity, StackRule
from policies.rulebook.waivers import Waiver, Waivers, is_broad, read
from runbook.audit.evaluate import audit

from ..runbook import graphs

TODAY = date(2026, 11, 21)
TOKEN = "aws:rds/instance:Instance"
GOOD = """\
- rule: rds-multi-az-prod
  resource: aws:rds/instance:Instance::database
  environment: prod
  reason: The standby is added after the migration.
  owner: platform-team
  ticket: OPS-123
  expires: 2027-01-31
"""


def held(tmp_path, text=GOOD):
    (tmp_path / "waivers.yaml").write_text(text, encoding="utf-8")
    return read(tmp_path / "waivers.yaml")


def test_a_waiver_is_read_with_its_line(tmp_path):
    assert held(tmp_path, f"# why\n{GOOD}") == Waivers(
        (
            Waiver(
                rule="rds-multi-az-prod",
                resource="aws:rds/instance:Instance::database",
                environment="prod",
                reason="The standby is added after the migration.",
                owner="platform-team",
                ticket="OPS-123",
                expires=date(2027, 1, 31),
                line=2,
            ),
        )
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]\n"])
def test_a_file_without_waivers_holds_none(tmp_path, text):
    assert held(tmp_path, text) == Waivers()
    assert read(tmp_path / "absent.yaml") == Waivers()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  owner: platform-team\n", "", "has no owner"),
        ("  owner: platform-team\n", "  owner:\n", "has no owner"),
        ("ticket: OPS-123", "ticket: soon", "has a ticket that is none, such as OPS-123"),
        ("ticket: OPS-123", "ticket: 123", "has a ticket that is no text"),
        ("expires: 2027-01-31", "expires: next year", "has an expiry that is no day of the form 2027-01-31"),
        ("expires: 2027-01-31", "expires: 2027-01-31T10:00:00", "has an expiry that is no day of the form 2027-01-31"),
        ("environment: prod", "environment: production", "names an environment that is none of dev, staging, prod"),
        ("reason: The standby is added after the migration.", "reason: later", "gives no reason in a sentence"),
        ("  owner:", "  who: me\n  owner:", "has the unknown key who"),
        ("rule: rds-multi-az-prod", "rule: [a, b]", "has a rule that is no text"),
    ],
)
def test_a_malformed_waiver_covers_nothing_and_says_where(tmp_path, old, new, said):
    assert old in GOOD
    assert held(tmp_path, GOOD.replace(old, new)) == Waivers(
        malformed=(f"waivers.yaml:1: the waiver {said}, so it covers nothing.",)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a: [", "waivers.yaml is not YAML, so no waiver holds."),
        ("rule: x\n", "waivers.yaml is no list of waivers, so none holds."),
        ("- just words\n", "waivers.yaml:1: the waiver is no group of keys, so it covers nothing."),
    ],
)
def test_a_file_that_is_none_says_so(tmp_path, text, said):
    assert held(tmp_path, text) == Waivers(malformed=(said,))


@given(st.integers(-400, 400))
def test_a_waiver_holds_for_ninety_days_at_most_and_never_after_its_day(days):
    waiver = replace(WAIVER, expires=TODAY + timedelta(days=days))
    assert waiver.holds(TODAY) is (0 <= days <= 90)


WAIVER = Waiver(
    rule="db-tall",
    resource=f"{TOKEN}::database",
    environment="prod",
    reason="Until the migration is over.",
    owner="ana",
    ticket="OPS-1",
    expires=date(2026, 12, 31),
    line=7,
)


@pytest.mark.parametrize(
    ("pattern", "broad"),
    [
        ("stack", False),
        (f"{TOKEN}::database", False),
        (f"{TOKEN}::db", False),
        (f"{TOKEN}::data*", False),
        (f"{TOKEN}::db*", True),
        (f"{TOKEN}::*", True),
        (f"{TOKEN}::", True),
        (TOKEN, True),
        ("aws:*::database", True),
        ("*", True),
        (f"{TOKEN}::[a-z]*", True),
    ],
)
def test_a_pattern_that_spares_a_class_of_faults_is_too_broad(pattern, broad):
    assert is_broad(replace(WAIVER, resource=pattern)) is broad


TALL = {"tall": True}


def rule(check=lambda resource, _: ["It is tall."] if resource.props.get("tall") else [], level=Level.MANDATORY):
    return ResourceRule(
        id="db-tall",
        sentence="000_b5883a9168e66709.txt §3",
        title="No database is tall.",
        why="It falls.",
        severity=Severity.HIGH,
        level=level,
        controls=(),
        remedy="Shrink it.",
        types=frozenset({TOKEN}),
        check=check,
    )


def stack_rule():
    return StackRule(
        id="db-tall",
        sentence="000_b5883a9168e66709.txt §3",
        title="The stack is not tall.",
        why="It falls.",
        severity=Severity.HIGH,
        level=Level.MANDATORY,
        controls=(),
        remedy="Shrink it.",
        types=frozenset({TOKEN}),
        check=lambda stack: [Fault("The stack is tall."), *(Fault("It is tall.", r.urn) for r in stack.of(TOKEN))],
    )


TALL_RULE = rule()


def found(*waivers, rules=(TALL_RULE,), names=("database",), malformed=()):
    context = Context(environment="prod", waivers=Waivers(waivers, malformed), today=TODAY)
    databases = (graphs.resource(TOKEN, name, inputs=TALL, outputs=TALL) for name in names)
    return audit(graphs.graph(*databases), context, (*rules, waiver_rules.valid(rules)))


def told(result):
    return [
        (f.rule.id, f.resource.name if f.resource else None, f.mandatory, f.waiver is not None) for f in result.findings
    ]


def test_a_waived_finding_is_told_and_refuses_nothing():
    result = found(WAIVER)
    assert told(result) == [("db-tall", "database", False, True)]
    assert not result.refused


def test_what_the_waiver_does_not_name_stays_refused():
    result = found(WAIVER, names=("database", "other"))
    assert told(result) == [("db-tall", "database", False, True), ("db-tall", "other", True, False)]
    assert result.refused


def test_a_waiver_for_the_stack_covers_what_is_about_no_resource_alone():
    result = found(replace(WAIVER, resource="stack"), rules=(stack_rule(),))
    assert told(result) == [("db-tall", None, False, True), ("db-tall", "database", True, False)]


WHERE = f"waivers.yaml:7: the waiver of db-tall for {TOKEN}::database"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"expires": date(2026, 11, 20)}, f"{WHERE} expired on 2026-11-20; it covers nothing any more (OPS-1)."),
        ({"expires": date(2027, 2, 20)}, f"{WHERE} ends on 2027-02-20, more than 90 days away, so it covers nothing."),
        (
            {"resource": f"{TOKEN}::d*"},
            f"waivers.yaml:7: the waiver of db-tall for {TOKEN}::d* is too broad, so it covers nothing; "
            "name the type and at least four letters.",
        ),
    ],
)
def test_a_waiver_that_does_not_hold_is_a_finding_beside_the_one_it_no_longer_covers(change, said):
    result = found(replace(WAIVER, **change))
    assert told(result) == [("db-tall", "database", True, False), ("gov-waivers-valid", None, True, False)]
    assert result.findings[1].sentence == said


@pytest.mark.parametrize(
    ("change", "names", "said"),
    [
        ({}, ("other",), f"{WHERE} covers no finding; delete it."),
        ({"rule": "db-small"}, (), f"waivers.yaml:7: the waiver of db-small for {TOKEN}::database names no rule."),
        (
            {"resource": f"{TOKEN}::data*"},
            tuple(f"data{n}" for n in range(6)),
            f"waivers.yaml:7: the waiver of db-tall for {TOKEN}::data* meets 6 resources; 5 at most are a case, more "
            "are a rule to be changed.",
        ),
    ],
)
def test_a_waiver_that_nobody_needs_or_that_covers_too_much_is_a_finding(change, names, said):
    result = found(replace(WAIVER, **change), names=names)
    assert [f.sentence for f in result.findings if f.rule.id == "gov-waivers-valid"] == [said]


def test_a_waiver_of_another_environment_is_not_asked_about():
    assert told(found(replace(WAIVER, environment="staging", expires=date(2020, 1, 1)))) == [
        ("db-tall", "database", True, False)
    ]


def test_what_is_wrong_with_the_file_is_a_finding():
    assert found(malformed=("waivers.yaml is not YAML, so no waiver holds.",)).findings[-1].sentence == (
        "waivers.yaml is not YAML, so no waiver holds."
    )


def test_the_rule_is_one_of_all():
    assert RULES[-1].id == "gov-waivers-valid"


def test_a_resource_is_met_by_its_type_and_name():
    resource = Resource(urn="u", type=TOKEN, name="database", props={})
    assert WAIVER.meets(resource)
    assert not WAIVER.meets(None)
    assert not WAIVER.meets(Resource(urn="u", type="aws:rds/cluster:Cluster", name="database", props={}))
