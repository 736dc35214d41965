"""Graph x rules -> findings."""

from datetime import date

import pulumi_aws as aws
import pytest

from policies.rulebook.resource import Context, Resource, Stack
from policies.rulebook.rule import Fault, Level, ResourceRule, Severity, StackRule
from policies.rulebook.waivers import Waiver, Waivers
from runbook.audit.evaluate import audit
from runbook.preview.capture import capture

VPC = "aws:ec2/vpc:Vpc"


def rule(kind, check, *, id_="r", severity=Severity.HIGH, level=Level.MANDATORY, types=(VPC,)):
    return kind(
        id=id_,
        sentence="000_b5883a9168e66709.txt §6: x",
        title="t",
        why="w",
        severity=severity,
        level=level,
        controls=(),
        remedy="m",
        types=frozenset(types),
        check=check,
    )


@pytest.fixture(scope="module")
def graph():
    def program():
        instance = aws.ec2.Instance("i", ami="ami-0123456789abcdef0", instance_type="t3.micro")
        aws.ec2.Vpc("known", cidr_block="10.0.0.0/16")
        aws.ec2.Vpc("unknown", cidr_block=instance.placement_group)

    return capture(program)


def narrow(resource: Resource, _context: Context):
    if resource.props["cidrBlock"].endswith("/16"):
        yield "The range is narrow."


def test_a_fault_names_the_resource_and_where_it_is_declared(graph):
    (finding,) = audit(graph, Context(), [rule(ResourceRule, narrow)]).findings
    assert (finding.sentence, finding.resource.name, finding.mandatory) == ("The range is narrow.", "known", True)
    assert finding.resource.declared_at.file == "tests/runbook/audit/test_evaluate.py"


def test_an_unknown_value_is_not_evaluated_and_never_a_pass(graph):
    (missed,) = audit(graph, Context(), [rule(ResourceRule, narrow)]).not_evaluated
    assert missed.urn.endswith("::unknown")
    assert missed.reason == "string value at .cidrBlock can't be known during preview"


def test_a_stack_rule_that_meets_an_unknown_keeps_what_it_found_before(graph):
    def check(stack: Stack):
        yield Fault("First.", graph.one(VPC, "known").urn)
        for vpc in stack.of(VPC):
            vpc.props["cidrBlock"].lower()

    audited = audit(graph, Context(), [rule(StackRule, check)])
    assert [finding.sentence for finding in audited.findings] == ["First."]
    assert [(missed.rule.id, missed.urn) for missed in audited.not_evaluated] == [("r", None)]


@pytest.mark.parametrize("kind", [ResourceRule, StackRule])
def test_a_rule_that_fails_is_a_mandatory_finding_of_its_own(graph, kind):
    def check(*_arguments):
        raise KeyError("missing")

    audited = audit(graph, Context(), [rule(kind, check, level=Level.ADVISORY)])
    assert {(f.sentence, f.mandatory) for f in audited.findings} == {
        ("The rule itself failed with KeyError; this is a defect of the rule.", True)
    }
    assert audited.refused


@pytest.mark.parametrize(
    ("level", "environment", "mandatory"),
    [
        (Level.MANDATORY, "dev", True),
        (Level.MANDATORY_IN_PROD, "prod", True),
        (Level.MANDATORY_IN_PROD, "staging", False),
        (Level.ADVISORY, "prod", False),
    ],
)
def test_the_level_and_the_environment_decide_whether_a_finding_refuses(graph, level, environment, mandatory):
    audited = audit(graph, Context(environment=environment), [rule(ResourceRule, narrow, level=level)])
    assert (audited.findings[0].mandatory, audited.refused) == (mandatory, mandatory)


def test_findings_come_worst_first_then_by_rule(graph):
    rules = [
        rule(ResourceRule, narrow, id_="b", severity=Severity.LOW),
        rule(ResourceRule, narrow, id_="c", severity=Severity.CRITICAL),
        rule(ResourceRule, narrow, id_="a", severity=Severity.CRITICAL),
    ]
    assert [finding.rule.id for finding in audit(graph, Context(), rules).findings] == ["a", "c", "b"]


def test_a_rule_that_meets_nothing_is_named_idle(graph):
    rules = [
        rule(ResourceRule, narrow, id_="idle", types=("aws:rds/instance:Instance",)),
        rule(StackRule, lambda _stack: (), id_="stack-idle", types=("aws:rds/instance:Instance",)),
        rule(ResourceRule, narrow, id_="met"),
    ]
    audited = audit(graph, Context(), rules)
    assert (audited.idle, audited.rules, audited.judgements) == (("idle", "stack-idle"), 3, 2)


def test_every_rule_is_kept_with_what_it_met(graph):
    rules = [
        rule(ResourceRule, narrow, id_="each"),
        rule(StackRule, lambda _stack: (), id_="all"),
        rule(ResourceRule, narrow, id_="idle", types=("aws:rds/instance:Instance",)),
    ]
    judged = audit(graph, Context(), rules).judged
    assert {each.rule.id: [urn and urn.rpartition("::")[2] for urn in each.urns] for each in judged} == {
        "each": ["known", "unknown"],
        "all": [None],
        "idle": [],
    }


def test_a_rule_that_misses_what_is_not_there_is_not_idle(graph):
    misses = rule(StackRule, lambda _stack: [Fault("There is none.")], types=("aws:cloudtrail/trail:Trail",))
    audited = audit(graph, Context(), [misses])
    assert (audited.idle, audited.judgements, len(audited.findings)) == ((), 1, 1)


@pytest.mark.parametrize(
    ("expires", "changed", "covered", "expired"),
    [
        ("2026-11-20", {}, False, True),
        ("2026-11-21", {}, True, False),
        ("2026-11-20", {"resource": f"{VPC}::other"}, False, False),
        ("2026-11-20", {"resource": "*::known"}, False, False),
        ("2026-11-20", {"rule": "other"}, False, False),
        ("2026-11-20", {"environment": "dev"}, False, False),
    ],
)
def test_a_finding_names_the_waiver_that_covered_it_until_it_expired(graph, expires, changed, covered, expired):
    told = {"rule": "r", "resource": f"{VPC}::known", "environment": "prod", "reason": "A good reason.", "owner": "me"}
    waiver = Waiver(**{**told, **changed}, ticket="OPS-1", expires=date.fromisoformat(expires), line=1)
    context = Context(waivers=Waivers((waiver,)), today=date(2026, 11, 21))
    (finding,) = audit(graph, context, [rule(ResourceRule, narrow)]).findings
    assert (finding.waiver is waiver, finding.expired is waiver, finding.mandatory) == (covered, expired, not covered)


def test_resource_rules_see_inputs_and_stack_rules_what_the_provider_adds():
    seen = {}

    def look(resource, _context):
        seen["resource"] = set(resource.props)
        return ()

    def look_at_all(stack):
        (known,) = [vpc for vpc in stack.of(VPC) if vpc.name == "known"]
        seen["stack"] = {"arn", "id", "cidrBlock"} & set(known.props)
        return ()

    def program():
        aws.ec2.Vpc("known", cidr_block="10.0.0.0/16")

    audit(capture(program), Context(), [rule(ResourceRule, look), rule(StackRule, look_at_all)])
    assert seen == {"resource": {"cidrBlock"}, "stack": {"arn", "id", "cidrBlock"}}


def test_what_is_no_rule_is_refused(graph):
    with pytest.raises(TypeError, match="a rule is a ResourceRule or a StackRule"):
        audit(graph, Context(), [rule(ResourceRule, narrow).__class__.__mro__[1](**_fields())])


def _fields():
    made = rule(ResourceRule, narrow)
    return {name: getattr(made, name) for name in made.__dataclass_fields__ if name != "check"}
