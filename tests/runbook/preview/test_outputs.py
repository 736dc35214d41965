"""What stands in for the provider's answers."""

import re

import pytest

from runbook.preview.outputs import Home, synthesise
from runbook.preview.sdk import resource_type

HOME = Home("aws", "210987654321", "us-east-1")

TYPES = [
    "aws:acm/certificate:Certificate",
    "aws:autoscaling/group:Group",
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:ec2/eip:Eip",
    "aws:ec2/instance:Instance",
    "aws:ec2/launchTemplate:LaunchTemplate",
    "aws:ec2/natGateway:NatGateway",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/vpc:Vpc",
    "aws:iam/policy:Policy",
    "aws:iam/role:Role",
    "aws:kms/key:Key",
    "aws:lambda/function:Function",
    "aws:lb/loadBalancer:LoadBalancer",
    "aws:lb/targetGroup:TargetGroup",
    "aws:rds/instance:Instance",
    "aws:s3/bucket:Bucket",
    "aws:sns/topic:Topic",
    "aws:ssm/association:Association",
    "aws:ssm/document:Document",
    "aws:wafv2/webAcl:WebAcl",
]


def made(token, logical="a", **inputs):
    return synthesise(token, logical, f"urn:pulumi:s::p::{token}::{logical}", inputs, HOME)


@pytest.mark.parametrize("token", TYPES)
def test_every_output_only_property_has_a_value(token):
    known = resource_type(token)
    _, values = made(token)
    assert known.outputs.keys() - known.inputs.keys() - values.keys() == set()
    assert None not in values.values()


@pytest.mark.parametrize("token", TYPES)
def test_two_resources_share_no_id_and_no_arn(token):
    (first, one), (second, other) = made(token, "a"), made(token, "b")
    assert first != second
    assert one.get("arn", 1) != other.get("arn", 2)


@pytest.mark.parametrize("token", TYPES)
def test_the_same_resource_gets_the_same_values_again(token):
    assert made(token) == made(token)


@pytest.mark.parametrize(
    ("token", "inputs", "id_", "arn"),
    [
        ("aws:ec2/vpc:Vpc", {}, r"vpc-[0-9a-f]{17}", r"arn:aws:ec2:us-east-1:210987654321:vpc/vpc-[0-9a-f]{17}"),
        ("aws:iam/role:Role", {"name": "reader"}, "reader", "arn:aws:iam::210987654321:role/reader"),
        ("aws:s3/bucket:Bucket", {"bucket": "logs"}, "logs", "arn:aws:s3:::logs"),
        ("aws:s3/bucket:Bucket", {}, r"a-[0-9a-f]{7}", r"arn:aws:s3:::a-[0-9a-f]{7}"),
        (
            "aws:kms/key:Key",
            {"region": "us-west-2"},
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
            r"arn:aws:kms:us-west-2:210987654321:key/[0-9a-f-]{36}",
        ),
        (
            "aws:rds/instance:Instance",
            {"identifier": "db"},
            "db-[0-9A-F]{26}",
            r"arn:aws:rds:us-east-1:210987654321:db:db",
        ),
        (
            "aws:lb/targetGroup:TargetGroup",
            {"name": "web"},
            r"arn:aws:elasticloadbalancing:us-east-1:210987654321:targetgroup/web/[0-9a-f]{16}",
            r"arn:aws:elasticloadbalancing:us-east-1:210987654321:targetgroup/web/[0-9a-f]{16}",
        ),
    ],
)
def test_ids_and_arns_have_the_form_of_the_service(token, inputs, id_, arn):
    found, values = made(token, **inputs)
    assert re.fullmatch(id_, found)
    assert re.fullmatch(arn, values["arn"])


def test_a_certificate_tells_one_record_per_name():
    _, values = made(
        "aws:acm/certificate:Certificate", domainName="a.example", subjectAlternativeNames=["a.example", "b.example"]
    )
    options = values["domainValidationOptions"]
    assert [option["domainName"] for option in options] == ["a.example", "b.example"]
    assert len({option["resourceRecordValue"] for option in options}) == 2


def test_a_value_the_program_gave_is_never_replaced():
    _, values = made("aws:rds/instance:Instance", identifier="mine", region="us-west-2")
    assert {"identifier", "region"} & values.keys() == set()


@pytest.mark.parametrize(
    ("config", "home"),
    [
        ({}, Home("aws", "000000000000", "us-east-1")),
        (
            {"aws:region": "us-gov-west-1", "aws:allowedAccountIds": '["210987654321"]'},
            Home("aws-us-gov", "210987654321", "us-gov-west-1"),
        ),
        ({"aws:region": "cn-north-1"}, Home("aws-cn", "000000000000", "cn-north-1")),
    ],
)
def test_the_home_comes_from_the_configuration(config, home):
    assert Home.of(config) == home


def test_a_nested_type_of_the_same_name_does_not_hide_the_arguments():
    assert {"bucket", "versioningConfiguration"} <= resource_type(
        "aws:s3/bucketVersioning:BucketVersioning"
    ).inputs.keys()


def test_a_type_the_sdk_lacks_has_an_id_and_no_outputs():
    found, values = made("other:module/thing:Thing")
    assert re.fullmatch(r"[0-9a-f-]{36}", found)
    assert values == {}
