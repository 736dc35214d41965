"""The rules for what policies name."""

from __future__ import annotations

import json

import pytest

from policies.rulebook.documented import NAMED, OWN_ACCOUNT, RULES

from .bags import UNKNOWN, not_evaluated, resource, stack_faults

ACCOUNT = "111122223333"
QUEUE_ARN = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:letters"
QUEUE = resource("aws:sqs/queue:Queue", "letters", {"arn": QUEUE_ARN})
BUCKET = resource("aws:s3/bucket:Bucket", "data", {"arn": "arn:aws:s3:::data-1", "bucket": "data-1"})
MACHINE = resource(
    "aws:sfn/stateMachine:StateMachine", "m", {"arn": f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:m"}
)
#: As in a preview of a stack that is still to be made: its name is known, its ARN is not.
GROUP = resource("aws:cloudwatch/logGroup:LogGroup", "log", {"name": "/it/log", "arn": UNKNOWN})
SCALED = resource("aws:autoscaling/group:Group", "web", {"name": "web-1"})
THERE = (SCALED, QUEUE, BUCKET, MACHINE, GROUP)
POLICY = "aws:iam/rolePolicy:RolePolicy"


def policy(token=POLICY, **parts):
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", **parts}
    return resource(token, "it", {"policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})})


def named(*resources):
    return stack_faults(NAMED, *THERE, *resources)


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["iam-policy-names-declared", "iam-own-account"]


@pytest.mark.parametrize(
    "arn",
    [
        QUEUE_ARN,
        "arn:aws:s3:::data-1",
        "arn:aws:s3:::data-1/hosts/*",
        f"arn:aws:states:eu-west-1:{ACCOUNT}:execution:m:*",
        f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/it/log:*",
        f"arn:aws:autoscaling:eu-west-1:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/web-1",
        # Whole kinds, and what others make: how far that may reach is said elsewhere.
        "*",
        f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:*",
        f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:webhook-1",
        "arn:aws:ssm:eu-west-1::document/AWS-RunPatchBaseline",
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
        f"arn:aws:iam::{ACCOUNT}:root",
    ],
)
def test_what_is_declared_or_made_by_others_passes(arn):
    assert named(policy(Resource=arn)) == []
    assert named(policy(Principal={"AWS": arn})) == []


@pytest.mark.parametrize(
    "arn",
    [
        QUEUE_ARN + "-of-yesterday",
        "arn:aws:s3:::data-10/*",
        f"arn:aws:states:eu-west-1:{ACCOUNT}:execution:other:*",
        f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/it/other:*",
        f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234",
        f"arn:aws:autoscaling:eu-west-1:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/web-2",
        f"arn:aws:iam::{ACCOUNT}:role/somebody",
        f"arn:aws:iam::{ACCOUNT}:user/somebody",
        f"arn:aws:ssm:eu-west-1:{ACCOUNT}:automation-definition/it:*",
    ],
)
def test_what_is_not_declared_is_named(arn):
    sentence = [(f"The policy names {arn}, which is not declared in this stack.", "it")]
    assert named(policy(Resource=arn)) == sentence
    assert named(policy(Resource=[arn, QUEUE_ARN, arn])) == sentence
    assert named(policy(Principal={"AWS": arn})) == sentence
    assert named(policy(Condition={"ArnEquals": {"aws:SourceArn": arn}})) == sentence


def test_an_endpoint_may_name_buckets_of_aws():
    assert named(policy("aws:ec2/vpcEndpoint:VpcEndpoint", Resource="arn:aws:s3:::packages/*")) == []


@pytest.mark.parametrize(
    "parts",
    [
        {"Principal": {"AWS": "arn:aws:iam::999988887777:root"}},
        {"Principal": {"AWS": "999988887777"}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "999988887777"}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:events:eu-west-1:999988887777:rule/*"}}},
        {"Resource": "arn:aws:logs:eu-west-1:999988887777:log-group:*"},
    ],
)
def test_another_account_is_named(parts):
    assert stack_faults(OWN_ACCOUNT, *THERE, policy(**parts)) == [
        ("The policy names account 999988887777, which is not this stack's.", "it")
    ]


def test_the_own_account_and_numbers_that_are_none_pass():
    own = policy(
        Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        Resource="arn:aws:s3:::logs-999988887777-x",
        Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    )
    assert stack_faults(OWN_ACCOUNT, *THERE, own) == []


def test_without_any_arn_no_account_is_a_stranger_s():
    assert stack_faults(OWN_ACCOUNT, GROUP, policy(Principal={"AWS": "arn:aws:iam::999988887777:root"})) == []


@pytest.mark.parametrize("props", [{}, {"policy": "no JSON"}])
@pytest.mark.parametrize("rule", RULES)
def test_what_is_unset_or_cannot_be_read_names_nothing(rule, props):
    assert stack_faults(rule, QUEUE, resource(POLICY, "it", props)) == []


@pytest.mark.parametrize("rule", RULES)
def test_an_unknown_policy_is_no_pass_and_hides_no_other(rule):
    stranger = policy(Resource="arn:aws:sqs:eu-west-1:999988887777:letters")
    unknown = resource(POLICY, "unknown", {"policy": UNKNOWN})
    said, error = not_evaluated(rule, unknown, QUEUE, stranger)
    assert [name for _, name in said] == ["it"]
    assert error.urns == (unknown.urn,)
