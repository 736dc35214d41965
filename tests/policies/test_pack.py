"""The pack as the Pulumi CLI uses it: the same findings as in process, and nothing that stops a run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from ipaddress import IPv4Network
from pathlib import Path

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy import EnforcementLevel
from pulumi_policy.policy import _PolicyAnalyzerServicer

from policies.rulebook import RULES
from policies.rulebook.resource import Context, Resource, Stack
from policies.rulebook.rule import Fault, Level, ResourceRule, Rule, Severity, StackRule
from policies.rulebook.serve import policies
from policies.rulebook.waivers import Waiver, Waivers

from .bags import UNKNOWN, UnknownValueError, resource
from .estate import ANYWHERE, Ref, estate, line

ROOT = Path(__file__).parents[2]
STAGING = Context(environment="staging", admin_cidrs=(IPv4Network("198.51.100.0/24"),))
MANDATORY, ADVISORY = analyzer_pb2.MANDATORY, analyzer_pb2.ADVISORY


def servicer(rules, context=STAGING):
    return _PolicyAnalyzerServicer("pack", "0.0.1", policies(rules, context), EnforcementLevel.ADVISORY)


def plain(value):
    """A bag without its proxies, as it goes over the wire."""
    if hasattr(value, "items"):
        return {key: plain(value["__target"][key]) for key in value}
    if hasattr(value, "__len__") and not isinstance(value, str):
        return [plain(item) for item in value["__target"]]
    return value


def struct(judged: Resource):
    message = struct_pb2.Struct()
    json_format.ParseDict(plain(judged.props), message)
    return message


def analyze(pack, judged: Resource, **options):
    request = analyzer_pb2.AnalyzeRequest(
        urn=judged.urn,
        type=judged.type,
        name=judged.name,
        properties=struct(judged),
        options=analyzer_pb2.AnalyzerResourceOptions(**options),
    )
    return pack.Analyze(request, None).diagnostics


def analyze_stack(pack, resources):
    request = analyzer_pb2.AnalyzeStackRequest(
        resources=[
            analyzer_pb2.AnalyzerResource(
                urn=judged.urn,
                type=judged.type,
                name=judged.name,
                properties=struct(judged),
                options=analyzer_pb2.AnalyzerResourceOptions(protect=judged.protect),
                parent=judged.parent or "",
                dependencies=judged.dependencies,
                propertyDependencies={
                    prop: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
                    for prop, urns in judged.property_dependencies.items()
                },
            )
            for judged in resources
        ]
    )
    return pack.AnalyzeStack(request, None).diagnostics


BROKEN = {
    "bastion-ssh": {"cidrIpv4": ANYWHERE},
    "edge-https": {"description": None},
    "data-a-in-table": {"routeTableId": Ref("public-table")},
    "app-acl": {"egress": [line(100, ANYWHERE, 0, 0, protocol="-1")], "ingress": []},
    "flow": {"trafficType": "REJECT"},
    "app-a": {"mapPublicIpOnLaunch": True},
}


def on_resource(rule, judged):
    for sentence in rule.judge(judged, STAGING):
        yield Fault(sentence, judged.urn)


def judged_in_process(rule, resources):
    """(sentence, URN) of every finding, and whether an unknown value ended it."""
    said, unknown = [], False
    stack = Stack(resources=tuple(resources), context=STAGING)
    if isinstance(rule, StackRule):
        pending = [rule.judge(stack)]
    else:
        subjects = [judged for judged in resources if not rule.types or judged.type in rule.types]
        pending = [on_resource(rule, judged) for judged in subjects]
    for faults in pending:
        try:
            said += [(fault.sentence, fault.urn or "") for fault in faults]
        except UnknownValueError:
            unknown = True
    return sorted(said), unknown


@pytest.mark.parametrize("preview", [False, True], ids=["known", "in a real preview"])
def test_the_pack_says_what_the_rules_say_in_process(preview):
    resources = estate(BROKEN, preview=preview)
    pack = servicer(RULES)
    found = {rule.id: [] for rule in RULES}
    ended = set()
    diagnostics = [(diagnostic, judged.urn) for judged in resources for diagnostic in analyze(pack, judged)] + [
        (diagnostic, diagnostic.urn) for diagnostic in analyze_stack(pack, resources)
    ]
    for diagnostic, urn in diagnostics:
        if diagnostic.message.startswith("can't run policy"):
            ended.add(diagnostic.policyName)
        else:
            found[diagnostic.policyName].append((diagnostic.message.rpartition("\n")[2], urn))
    expected = {rule.id: judged_in_process(rule, resources) for rule in RULES}
    assert {id_: sorted(said) for id_, said in found.items() if said} == {
        id_: said for id_, (said, _) in expected.items() if said
    }
    assert ended == {id_ for id_, (_, unknown) in expected.items() if unknown}
    assert {"net-sg-no-world-admin", "net-flow-logs", "net-db-subnets-no-igw-route"} <= {
        id_ for id_, said in found.items() if said
    }


def made(kind, check, level=Level.MANDATORY, **fields):
    return kind(**{**FIELDS, "level": level, "check": check, **fields})


FIELDS = {
    "id": "made-up",
    "sentence": "000_b5883a9168e66709.txt §6: restrict access to necessary ports",
    "title": "Something holds.",
    "why": "Otherwise it does not.",
    "severity": Severity.HIGH,
    "controls": ("CIS 5.0 5.3", "FSBP EC2.13", "NIST SC-7"),
    "remedy": "Make it hold.",
    "types": frozenset({"aws:ec2/vpc:Vpc"}),
}

VPC = resource("aws:ec2/vpc:Vpc", "main", {"cidrBlock": "10.0.0.0/16", "tags": {"Tier": UNKNOWN}})


def says(*sentences):
    return lambda *_: sentences


@pytest.mark.parametrize(
    ("level", "environment", "enforced"),
    [
        (Level.MANDATORY, "dev", MANDATORY),
        (Level.MANDATORY, "prod", MANDATORY),
        (Level.MANDATORY_IN_PROD, "staging", ADVISORY),
        (Level.MANDATORY_IN_PROD, "prod", MANDATORY),
        (Level.ADVISORY, "prod", ADVISORY),
    ],
)
def test_a_level_is_enforced_as_its_environment_wants(level, environment, enforced):
    pack = servicer([made(ResourceRule, says("It does not hold."), level)], Context(environment=environment))
    (diagnostic,) = analyze(pack, VPC)
    assert diagnostic.enforcementLevel == enforced
    assert diagnostic.severity == analyzer_pb2.POLICY_SEVERITY_HIGH
    assert diagnostic.message == (
        "Something holds. [000_b5883a9168e66709.txt §6: restrict access to necessary ports]\nIt does not hold."
    )


TICKET = Waiver(
    rule="made-up",
    resource="aws:ec2/vpc:Vpc::main",
    environment="staging",
    reason="Until it holds.",
    owner="ana",
    ticket="OPS-1",
    expires=date(2026, 12, 31),
    line=1,
)


@pytest.mark.parametrize("kind", [ResourceRule, StackRule])
def test_what_is_waived_is_no_violation_and_is_told_as_advice(kind):
    check = says("It does not hold.") if kind is ResourceRule else (lambda _: [Fault("It does not hold.", VPC.urn)])
    waived = replace(STAGING, waivers=Waivers((TICKET,)), today=date(2026, 11, 21))
    pack = servicer([made(kind, check)], waived)
    assert list(analyze(pack, VPC)) == []
    (told,) = analyze_stack(pack, [VPC])
    assert (told.policyName, told.enforcementLevel, told.urn) == ("gov-waived", ADVISORY, VPC.urn)
    assert told.message.endswith("\nWaived until 2026-12-31 by ana (OPS-1: Until it holds): made-up: It does not hold.")


def test_a_policy_carries_what_its_rule_knows():
    (info,) = servicer([made(ResourceRule, says())]).GetAnalyzerInfo(empty_pb2.Empty(), None).policies
    assert (info.name, info.displayName, info.remediation_steps) == ("made-up", "Something holds.", "Make it hold.")
    assert list(info.tags) == ["CIS 5.0 5.3", "FSBP EC2.13", "NIST SC-7"]
    assert (info.framework.name, info.framework.version, info.framework.reference) == (
        "CIS AWS Foundations Benchmark",
        "5.0",
        "5.3",
    )


@pytest.mark.parametrize(
    ("controls", "framework"),
    [
        (("FSBP EC2.13",), ("AWS Foundational Security Best Practices", "", "EC2.13")),
        (("NIST SC-7",), ("NIST SP 800-53 Revision 5", "", "SC-7")),
        (("cdk-nag EC27",), ("cdk-nag", "", "EC27")),
        ((), ("", "", "")),
    ],
)
def test_the_first_control_names_the_framework(controls, framework):
    (info,) = servicer([made(StackRule, says(), controls=controls)]).GetAnalyzerInfo(None, None).policies
    assert (info.framework.name, info.framework.version, info.framework.reference) == framework


def test_a_rule_sees_only_the_types_it_names_and_all_where_it_names_none():
    other = resource("aws:ec2/subnet:Subnet", "s")
    assert analyze(servicer([made(ResourceRule, says("No."))]), other) == []
    assert len(analyze(servicer([made(ResourceRule, says("No."), types=frozenset())]), other)) == 1


def test_a_rule_sees_options_and_parents():
    seen = []

    def note(judged, context):
        seen.append((judged.name, judged.protect, judged.parent, context.environment))
        return ()

    analyze(servicer([made(ResourceRule, note)]), VPC, protect=True, parent="urn:of:the:parent")
    assert seen == [("main", True, "urn:of:the:parent", "staging")]


def test_a_stack_rule_sees_parents_dependencies_and_options():
    seen = []

    def note(stack):
        seen.extend((r.name, r.parent, r.protect, r.dependencies, r.property_dependencies) for r in stack.resources)
        return ()

    subnet = resource(
        "aws:ec2/subnet:Subnet", "s", uses={"vpcId": VPC}, parent=VPC.urn, protect=True, dependencies=(VPC.urn,)
    )
    analyze_stack(servicer([made(StackRule, note)]), [VPC, subnet])
    assert seen == [
        ("main", None, False, (), {}),
        ("s", VPC.urn, True, (VPC.urn,), {"vpcId": (VPC.urn,)}),
    ]


def raise_at_once(*_):
    raise ValueError("hunter2")


def raise_later(*_):
    yield from ()
    raise KeyError("hunter2")


@pytest.mark.parametrize(("check", "error"), [(raise_at_once, "ValueError"), (raise_later, "KeyError")])
def test_a_rule_that_fails_is_a_finding_that_quotes_nothing(check, error):
    expected = [f"The rule itself failed with {error}; this is a defect of the rule."]
    by_resource = analyze(servicer([made(ResourceRule, check)]), VPC)
    by_stack = analyze_stack(servicer([made(StackRule, check)]), [VPC])
    assert [diagnostic.message.splitlines()[1] for diagnostic in by_resource] == expected
    assert [diagnostic.message.splitlines()[1] for diagnostic in by_stack] == expected
    assert {diagnostic.enforcementLevel for diagnostic in (*by_resource, *by_stack)} == {MANDATORY}


def touch(judged, _context):
    yield "This was seen before."
    yield judged.tags["Tier"]


def test_an_unknown_value_ends_the_rule_after_what_it_has_said():
    first, second = analyze(servicer([made(ResourceRule, touch)]), VPC)
    assert first.message.endswith("\nThis was seen before.")
    assert second.message.startswith("can't run policy 'made-up'")
    assert (first.enforcementLevel, second.enforcementLevel) == (MANDATORY, ADVISORY)


def test_a_thing_that_is_no_rule_is_refused():
    unfinished = Rule(**FIELDS, level=Level.MANDATORY)
    with pytest.raises(TypeError, match="made-up is a Rule; a rule is a ResourceRule or a StackRule"):
        policies([unfinished], STAGING)


def test_rules_have_ids_of_their_own():
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))


def started(*, pack=ROOT / "policies", **environ):
    """The pack's process, as the CLI starts it: the folder is what Python runs."""
    return subprocess.Popen(
        [sys.executable, "-u", str(pack)],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_pack_starts_as_the_cli_starts_it():
    config = {"learning-platform:environment": "staging"}
    process = started(PULUMI_STACK="staging", PULUMI_PROJECT="learning-platform", PULUMI_CONFIG=json.dumps(config))
    try:
        first = process.stdout.readline()
        assert re.fullmatch(r"\d+\n", first), first + process.stderr.read()
        with grpc.insecure_channel(f"127.0.0.1:{first.strip()}") as channel:
            stub = analyzer_pb2_grpc.AnalyzerStub(channel)
            info = stub.GetAnalyzerInfo(empty_pb2.Empty(), timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert info.name == "learning-platform"
    assert [policy.name for policy in info.policies] == [*(rule.id for rule in RULES), "mon-log-retention-remedy"]
    enforced = {policy.name: policy.enforcementLevel for policy in info.policies}
    assert enforced["net-sg-db-no-world-egress"] == ADVISORY
    assert enforced["net-sg-no-world-admin"] == MANDATORY


def test_a_mistake_in_the_settings_ends_the_pack_with_a_sentence():
    config = {"learning-platform:access": json.dumps({"admin_cidrs": ["everyone"]})}
    process = started(PULUMI_STACK="staging", PULUMI_CONFIG=json.dumps(config))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.strip() == (
        "The policies need the stack's settings. "
        "Stack staging: access.admin_cidrs: 'everyone' is no IPv4 range such as 10.0.0.0/16."
    )


def test_the_packs_description_names_the_tools_that_the_cli_needs():
    described = yaml.safe_load((ROOT / "policies" / "PulumiPolicy.yaml").read_text())
    assert described["runtime"] == {"name": "python", "options": {"toolchain": "pip", "virtualenv": "../.venv"}}


def test_the_packs_pins_are_those_of_the_project():
    def pins(path):
        return set(re.findall(r"^([a-z-]+==[\d.]+)", path.read_text().lower(), re.MULTILINE))

    own = pins(ROOT / "policies" / "requirements.txt")
    assert {pin.partition("==")[0] for pin in own} == {"pulumi", "pulumi-policy", "pyyaml"}
    assert own <= pins(ROOT / "requirements.txt")


def test_the_sdk_is_the_one_whose_private_servicer_these_tests_use():
    assert version("pulumi-policy") == "1.21.0"
