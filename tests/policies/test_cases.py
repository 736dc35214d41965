"""Every rule passes, finds something, decides what unset means and passes nothing that is unknown: by trial, not by
reading, on the real stacks and, for what these do not declare, on examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from policies.rulebook import RULES
from policies.rulebook.alarms import ALARM
from policies.rulebook.context import of_project
from policies.rulebook.coverage import SERVICE
from policies.rulebook.resource import UNKNOWN, Context, Resource
from policies.rulebook.rule import Rule, each
from policies.rulebook.waivers import Waiver, Waivers
from runbook.audit.evaluate import audit
from runbook.mutate.operators import GONE, written
from runbook.preview.project import preview

from .bags import ABSENT, UnknownValueError, resource
from .cases import Case, Verdict, World, before_deployment, world
from .declared import declared
from .estate import ANYWHERE, APP, EGRESS_RULE, Ref, estate, line
from .test_containers import CLUSTER, REPOSITORY, SOUND, STACK, TASK
from .test_distributions import BAG, DISTRIBUTION
from .test_documented import THERE, policy
from .test_identity import PASSWORD_POLICY, STRONG
from .test_schedules import BAG as SCHEDULED
from .test_secrets import BAGS, PARAMETER, STORE

ROOT = Path(__file__).parents[2]
STACKS = ("prod", "staging", "dev")
BY_ID = {rule.id: rule for rule in RULES}

INSTANCE = "aws:ec2/instance:Instance"
OUT = {"securityGroupId": Ref("data-group"), "ipProtocol": "-1", "description": "Wherever it likes"}
INLINE = {"fromPort": 8080, "toPort": 8080, "protocol": "tcp", "cidrBlocks": ["10.20.0.0/18"], "description": "In"}
USER = resource("aws:iam/user:User", "clerk", {"name": "clerk"})

#: Rules on what no stack declares -> what they find nothing wrong with.
SOUND_EXAMPLES: dict[str, tuple[Resource, ...]] = {
    "cf-logs": (resource(DISTRIBUTION, "it", BAG),),
    "cf-tls-and-origin": (resource(DISTRIBUTION, "it", BAG),),
    "ecr-immutable-scan": (resource(REPOSITORY, "it", SOUND[REPOSITORY]),),
    "ecs-autoscale-70": declared(STACK),
    "ecs-insights": (resource(CLUSTER, "it", SOUND[CLUSTER]),),
    "ecs-no-secret-env": (resource(TASK, "it", SOUND[TASK]),),
    "ecs-service-safe": (resource(SERVICE, "it", SOUND[SERVICE]),),
    "ecs-task-hardening": (resource(TASK, "it", SOUND[TASK]),),
    "iam-password-policy": (USER, resource(PASSWORD_POLICY, "it", STRONG)),
    "secret-cmk-and-recovery": (resource(STORE, "it", BAGS[STORE]),),
}

DOOR = {"cidrIpv4": ANYWHERE, "referencedSecurityGroupId": ABSENT}
OFFICE = Context(admin_cidrs=(IPv4Network("198.51.100.0/24"),))
FORGOTTEN = Waiver(
    rule="net-flow-logs",
    resource="aws:ec2/vpc:Vpc::main",
    environment="prod",
    reason="Until the bucket is there.",
    owner="platform-team",
    ticket="OPS-1",
    expires=date(2026, 1, 1),
    line=1,
)

#: What no change to a real stack comes to, because something has to be added or to be wrong twice -> an example, and
#: the context in which it is wrong.
BROKEN_EXAMPLES: dict[str, tuple[tuple[Resource, ...], Context]] = {
    "ec2-key-pair-scope": ((resource(INSTANCE, "it", {"keyName": "laptop"}),), OFFICE),
    "ec2-no-secret-in-user-data": ((resource(INSTANCE, "it", {"userData": "DB_PASSWORD=hunter2\n"}),), OFFICE),
    "ecs-no-secret-env": (
        (resource(TASK, "it", {"containerDefinitions": '[{"environment": [{"name": "TOKEN", "value": "hunter2"}]}]'}),),
        OFFICE,
    ),
    "glacier-vault-legacy": ((resource("aws:glacier/vault:Vault", "old", {"name": "old"}),), OFFICE),
    "gov-closed-services": ((resource("aws:evidently/project:Project", "it"),), OFFICE),
    "gov-kinds-judged": ((resource("aws:sagemaker/notebookInstance:NotebookInstance", "it"),), OFFICE),
    "gov-regions": ((resource(INSTANCE, "it", {"region": "sa-east-1"}),), Context(regions=("us-east-1",))),
    "gov-waivers-valid": ((), Context(waivers=Waivers((FORGOTTEN,)), today=date(2026, 11, 21))),
    "iam-no-users-or-keys": ((USER,), OFFICE),
    "iam-own-account": ((*THERE, policy(Principal={"AWS": "999988887777"})), OFFICE),
    "lambda-no-secret-env": (
        (resource("aws:lambda/function:Function", "it", {"environment": {"variables": {"TOKEN": "hunter2"}}}),),
        OFFICE,
    ),
    "mon-alarm-watches": ((resource(ALARM, "it", {"dimensions": {"FunctionName": "gone"}}),), OFFICE),
    "mon-no-placeholder-contacts": (
        (resource("aws:sns/topicSubscription:TopicSubscription", "it", {"endpoint": "on-call@example.com"}),),
        OFFICE,
    ),
    "net-nacl-no-allow-all-private": (
        estate({"app-acl": {"egress": [line(100, ANYWHERE, 0, 0, protocol="-1")]}}),
        OFFICE,
    ),
    "net-nacl-no-world-admin": (estate({"public-acl": {"ingress": [line(100, ANYWHERE, 22)]}}), OFFICE),
    "net-sg-db-from-sg-only": (estate({"data-app": {**DOOR, "cidrIpv4": APP}}), OFFICE),
    "net-sg-db-no-world-egress": (estate(extra={"out": (EGRESS_RULE, {**OUT, "cidrIpv4": ANYWHERE})}), OFFICE),
    "net-sg-no-world-admin": (estate({"bastion-ssh": DOOR}), OFFICE),
    "net-sg-no-world-data-ports": (estate({"data-app": DOOR}), OFFICE),
    "net-sg-single-rule-style": (estate({"app-group": {"ingress": [INLINE]}}), OFFICE),
    "net-sg-ssh-from-admin-cidrs": (estate({"bastion-ssh": {"cidrIpv4": "203.0.113.0/24"}}), OFFICE),
    "no-plaintext-secret": (
        (resource("aws:any/thing:Thing", "it", {"text": "-----BEGIN RSA PRIVATE KEY-----"}),),
        OFFICE,
    ),
    "rds-cross-region-copy": ((resource("aws:rds/instance:Instance", "it", {}),), OFFICE),
    "s3-no-force-destroy": ((resource("aws:s3/bucket:Bucket", "it", {"forceDestroy": True}),), OFFICE),
    "sched-looked-after": (declared(SCHEDULED, without=["sweep"]), OFFICE),
    "sched-mutes-alarms": (declared(SCHEDULED, without=["weekends"]), OFFICE),
    "sched-not-prod": (declared(SCHEDULED), OFFICE),
    "sched-role-least": (declared(SCHEDULED, without=["may"]), OFFICE),
    "sched-sound": (declared(SCHEDULED, ("stop", ("groupName",), ABSENT)), OFFICE),
    "sched-windows-clear": (declared(SCHEDULED, ("database", ("backupWindow",), "03:00-03:30")), OFFICE),
    "ssm-secure-string": ((resource(PARAMETER, "it", {**BAGS[PARAMETER], "type": "String"}),), OFFICE),
}

#: Rules on what is known only: an id that is not known yet is made by this very stack, and so is declared in it.
KNOWN_ONLY = frozenset({"gov-references-declared"})


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    return {stack: World(preview(stack, ROOT), of_project(ROOT, stack)) for stack in STACKS}


@pytest.fixture(scope="module")
def places(worlds) -> list[tuple[World, tuple[Rule, ...]]]:
    """Where every rule is tried: the first stack where it meets something, or its example."""
    found, left = [], dict(BY_ID)
    for here in worlds.values():
        idle = audit(here.graph, here.context).idle
        found.append((here, tuple(left.pop(name) for name in tuple(left) if name not in idle)))
    found += [(world(*example), (left.pop(name),)) for name, example in SOUND_EXAMPLES.items() if name in left]
    # A rule that is left forbids its types altogether, and so passes wherever there are none.
    idle = sorted(left.keys() - BROKEN_EXAMPLES.keys())
    assert not idle, f"These meet nothing; give each an example in SOUND_EXAMPLES: {', '.join(idle)}."
    return found


@pytest.fixture(scope="module")
def cases(places) -> list[Case]:
    return [case for here, rules in places for case in here.cases(rules)]


def test_every_rule_passes_something(places):
    audits = [audit(here.graph, here.context, rules) for here, rules in places]
    assert [(found.rule.id, found.sentence) for audited in audits for found in audited.findings] == []
    assert [name for audited in audits for name in audited.idle] == []


def test_every_rule_finds_something_where_a_property_is_worse_or_a_resource_missing(places, cases):
    by_rule: dict[str, list[Case]] = {}
    for case in cases:
        by_rule.setdefault(case.rule.id, []).append(case)
    blind = [
        rule.id
        for here, rules in places
        for rule in rules
        if rule.id not in BROKEN_EXAMPLES and "finding" not in tried(here, rule, by_rule.get(rule.id, ()))
    ]
    assert not blind, f"Nothing makes these find anything; give each an example in BROKEN_EXAMPLES: {', '.join(blind)}."


def tried(here: World, rule: Rule, cases: Sequence[Case]) -> Iterator[Verdict]:
    """The verdicts of a rule on what is worse, the cheapest to come by first."""
    yield from (case.verdict(GONE) for case in cases if case.may_be_unset)
    yield from (verdict for case in cases if case.is_there for _, verdict in case.worse())
    yield from here.without(rule)


@pytest.mark.parametrize("name", sorted(BROKEN_EXAMPLES))
def test_every_rule_finds_what_is_wrong_with_its_example(name):
    resources, context = BROKEN_EXAMPLES[name]
    here = world(*resources, context=context)
    audited = audit(here.graph, context, [BY_ID[name]])
    assert audited.findings
    assert not any("The rule itself failed" in finding.sentence for finding in audited.findings)


def test_what_is_unset_is_decided(cases):
    verdicts = [(case.verdict(GONE), case) for case in cases if case.may_be_unset]
    undecided = [f"{case}: {verdict}" for verdict, case in verdicts if verdict not in ("pass", "finding")]
    assert not undecided, "\n".join(undecided)


def test_what_is_unknown_is_no_pass_where_another_value_would_be_a_finding(cases):
    verdicts = [(case.verdict(UNKNOWN), case) for case in cases]
    failed = [str(case) for verdict, case in verdicts if verdict == "failed"]
    assert not failed, "\n".join(failed)
    passed = [case for verdict, case in verdicts if verdict == "pass" and case.rule.id not in KNOWN_ONLY]
    careless = [str(case) for case in passed if "finding" in other_values(case)]
    assert not careless, "\n".join(careless)


def other_values(case: Case) -> Iterator[Verdict]:
    """What a rule says of other values at the place of a case.

    An unknown text, as the id of what is still to be made, is one: whether it is there is known. A list may be empty.
    """
    if not case.is_there:
        yield from (case.verdict(value) for value in (True, False, ANYWHERE))
    for mutant, verdict in case.worse() if case.is_there else ():
        if mutant.operator != "removed" or mutant.path != written(case.path) or isinstance(case.value, (list, dict)):
            yield verdict


def test_an_unknown_value_that_chooses_what_is_judged_is_not_evaluated():
    instances = (resource(INSTANCE, "it", {"tags": UNKNOWN}), resource(INSTANCE, "other"))
    chosen = (one for one in instances if not one.tags)
    with pytest.raises(UnknownValueError) as raised:
        list(each(chosen, lambda _: ()))
    assert raised.value.props == ["tags"]


@pytest.mark.parametrize("stack", STACKS)
def test_nothing_is_refused_before_the_first_deployment(worlds, stack):
    here = worlds[stack]
    audited = audit(before_deployment(here.graph), here.context)
    assert [(finding.rule.id, finding.sentence) for finding in audited.findings] == []
    assert audited.not_evaluated


@pytest.mark.parametrize("name", sorted(KNOWN_ONLY))
def test_an_exception_is_one_of_a_rule_that_there_is(name):
    assert name in BY_ID
