"""The rule that what a resource names is declared."""

from __future__ import annotations

import pytest

from policies.rulebook import references

from .bags import UNKNOWN, resource, stack_faults

(DECLARED,) = references.RULES
KEY_ARN = "arn:aws:kms:eu-west-1:111122223333:key/1234"
TOPIC_ARN = "arn:aws:sns:eu-west-1:111122223333:alerts"
KEY = resource("aws:kms/key:Key", "data", {"id": "1234", "arn": KEY_ARN})
TOPIC = resource("aws:sns/topic:Topic", "alerts", {"id": TOPIC_ARN, "arn": TOPIC_ARN})
VPC = resource("aws:ec2/vpc:Vpc", "main", {"id": "vpc-1", "defaultSecurityGroupId": "sg-1"})


def said(**props):
    judged = resource("aws:ec2/instance:Instance", "it", props)
    return [sentence for sentence, name in stack_faults(DECLARED, KEY, TOPIC, VPC, judged) if name == "it"]


@pytest.mark.parametrize(
    "props",
    [
        {},
        {"kmsKeyId": KEY_ARN, "alarmActions": [TOPIC_ARN], "vpcId": "vpc-1"},
        {"networkInterfaces": [{"groups": ["sg-1"]}]},
        {"kmsKeyId": UNKNOWN},
        {"kmsKeyId": "alias/aws/ebs", "policy": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
        {"topic": "arn:aws:sqs:eu-west-1:111122223333:*"},
        {"mainRouteTableId": "rtb-1"},
        {"tags": {"Peer": "vpc-9"}, "description": "vpc-9"},
    ],
)
def test_what_is_declared_or_of_another_kind_passes(props):
    assert said(**props) == []


@pytest.mark.parametrize(
    ("prop", "value"),
    [
        ("kmsKeyId", KEY_ARN.replace("1234", "5678")),
        ("alarmActions", TOPIC_ARN + "-of-yesterday"),
        ("deadLetterConfig", "arn:aws:sqs:eu-west-1:111122223333:gone"),
        ("vpcId", "vpc-2"),
        ("securityGroupIds", "sg-2"),
    ],
)
def test_an_id_of_nothing_in_the_stack_is_named(prop, value):
    assert said(**{prop: [{"inner": value}]}) == [f"{prop} names {value}, which is not declared in this stack."]


def test_an_unknown_value_hides_no_stranger_beside_it():
    assert said(subnetIds=[UNKNOWN, "sg-2"]) == ["subnetIds names sg-2, which is not declared in this stack."]


def test_the_own_id_is_no_reference():
    assert stack_faults(DECLARED, VPC) == []
