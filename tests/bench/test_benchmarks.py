"""What the benchmarks measure is what they say: whole copies of a stack, and the same stack in Terraform's words."""

import runpy
from collections import Counter
from pathlib import Path

import pulumi_aws as aws
import pytest

from policies.rulebook.resource import Context
from runbook.audit.evaluate import audit
from runbook.preview.capture import capture

ROOT = Path(__file__).resolve().parents[2]
RULES = runpy.run_path(str(ROOT / "bench" / "rules.py"))
CHECKOV = runpy.run_path(str(ROOT / "bench" / "checkov.py"))


def program():
    vpc = aws.ec2.Vpc("v", cidr_block="10.0.0.0/16", tags={"Name": "learning-platform"})
    aws.ec2.SecurityGroup("g", vpc_id=vpc.id, description="members", ingress=[{"protocol": "tcp", "from_port": 22}])
    role = aws.iam.Role("r", assume_role_policy='{"Statement": []}')
    aws.iam.RolePolicy("p", role=role.name, policy=vpc.arn.apply(lambda arn: f'{{"Resource": "{arn}"}}'))


@pytest.fixture(scope="module")
def graph():
    return capture(program)


def test_a_copy_has_names_of_its_own_and_the_relations_of_the_first(graph):
    size = len(graph.resources)
    large = RULES["enlarged"](graph, 3 * size)
    assert large.resources[:size] == graph.resources
    assert len({r.urn for r in large.resources}) == 3 * size
    for copy in range(3):
        inside = large.resources[copy * size : (copy + 1) * size]
        by_type = {r.type: r for r in inside}
        vpc, group = by_type["aws:ec2/vpc:Vpc"], by_type["aws:ec2/securityGroup:SecurityGroup"]
        role, policy = by_type["aws:iam/role:Role"], by_type["aws:iam/rolePolicy:RolePolicy"]
        assert group.inputs["vpcId"] == vpc.id
        assert policy.inputs["role"] == role.outputs["name"]
        assert vpc.outputs["arn"] in policy.inputs["policy"]
        assert group.property_dependencies["vpcId"] == (vpc.urn,)
    assert len({r.id for r in large.resources if r.type == "aws:ec2/vpc:Vpc"}) == 3


def test_a_cut_copy_refers_to_nothing_that_is_missing(graph):
    size = len(graph.resources)
    large = RULES["enlarged"](graph, 2 * size - 2)
    assert len(large.resources) == 2 * size - 2
    there = {r.urn for r in large.resources}
    assert all({*r.dependencies, r.parent or r.urn} <= there for r in large.resources)


def test_every_copy_is_judged_like_the_first(graph):
    def found(stack):
        return Counter(f.rule.id for f in audit(stack, Context()).findings if f.resource is not None)

    once, thrice = found(graph), found(RULES["enlarged"](graph, 3 * len(graph.resources)))
    assert once
    assert thrice == Counter({rule: 3 * count for rule, count in once.items()})


def test_checkov_is_given_the_stack_in_terraform_s_words(graph):
    plan = CHECKOV["plan"](graph)
    resources = {r["address"]: r["values"] for r in plan["planned_values"]["root_module"]["resources"]}
    assert set(resources) == {"aws_vpc.v", "aws_security_group.g", "aws_iam_role.r", "aws_iam_role_policy.p"}
    assert resources["aws_vpc.v"] == {"cidr_block": "10.0.0.0/16", "tags": {"Name": "learning-platform"}}
    assert resources["aws_security_group.g"]["ingress"] == [{"protocol": "tcp", "from_port": 22}]
    linked = {r["address"]: r["expressions"] for r in plan["configuration"]["root_module"]["resources"]}
    assert linked["aws_security_group.g"] == {"vpc_id": {"references": ["aws_vpc.v.id", "aws_vpc.v"]}}
