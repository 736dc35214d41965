"""How far permissions reach: data by name, services for this account, endpoints for our own."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import grants
from policies.rulebook.grants import _DOORS, DATA_SCOPED, DEPUTY_SCOPED, ENDPOINT_POLICY
from policies.rulebook.rule import Level, Severity
from policies.rulebook.topology import ENDPOINT

from .bags import UNKNOWN, UnknownValueError, faults, not_evaluated, resource

ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
GRANTS = [
    "aws:iam/groupPolicy:GroupPolicy",
    "aws:iam/policy:Policy",
    ROLE_POLICY,
    "aws:iam/userPolicy:UserPolicy",
]
ACCOUNT = "123456789012"
TABLE = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders"


def document(**statement):
    return json.dumps({"Statement": [{"Effect": "Allow", **statement}]})


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in grants.RULES] == [
        ("iam-data-actions-scoped", Severity.HIGH, Level.MANDATORY),
        ("iam-confused-deputy", Severity.HIGH, Level.MANDATORY),
        ("net-endpoint-policy", Severity.MEDIUM, Level.MANDATORY),
    ]


# Data


@pytest.mark.parametrize(
    ("action", "where"),
    [
        ("kms:Decrypt", "*"),
        ("kms:GenerateDataKey*", "*"),
        ("ssm:GetParameter*", "*"),
        ("ssm:GetParameters", "arn:aws:ssm:*:*:*"),
        ("secretsmanager:GetSecretValue", "*"),
        ("s3:GetObject", "arn:aws:s3:::*"),
        ("s3:Put*", "*"),
        ("logs:PutLogEvents", "*"),
        ("sns:Publish", "*"),
        ("sqs:SendMessage", "*"),
        ("dynamodb:Query", "*"),
        ("lambda:InvokeFunction", "*"),
        ("states:StartExecution", "*"),
        ("rds-data:ExecuteStatement", "*"),
        ("SQS:sendmessage", "*"),
    ],
)
def test_data_of_everybody_is_named(action, where):
    policy = document(Action=action, Resource=where)
    assert faults(DATA_SCOPED, resource(ROLE_POLICY, "it", {"policy": policy})) == [
        f"The policy allows {action} on every resource."
    ]


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("dynamodb:GetItem", f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/*"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:*"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:*"),
        ("ssm:StartAutomationExecution", f"arn:aws:ssm:eu-west-1:{ACCOUNT}:automation-definition/*"),
        ("s3:GetObject", "arn:aws:s3:::*/*"),
    ],
)
def test_data_of_a_whole_kind_is_named(action, arn):
    policy = document(Action=[action], Resource=[arn])
    assert faults(DATA_SCOPED, resource(ROLE_POLICY, "it", {"policy": policy})) == [
        f"The policy allows {action} on {arn}."
    ]


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "dynamodb:GetItem", "Resource": TABLE},
        {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::orders/*"},
        {"Action": "logs:PutLogEvents", "Resource": f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/it:*"},
        {"Action": "secretsmanager:GetSecretValue", "Resource": f"arn:aws:secretsmanager:a:{ACCOUNT}:secret:rds!db-*"},
        {
            "Action": "ssm:StartAutomationExecution",
            "Resource": [
                f"arn:aws:ssm:eu-west-1:{ACCOUNT}:automation-definition/patch:*",
                f"arn:aws:ssm:eu-west-1:{ACCOUNT}:automation-execution/*",
            ],
        },
        # No resource to name.
        {"Action": ["cloudwatch:GetMetricData", "ec2:DescribeInstances", "xray:PutTraceSegments"], "Resource": "*"},
        # The business of other rules.
        {"Action": "*", "Resource": "*"},
        {"Action": "s3:*", "Resource": "*"},
        {"NotAction": "iam:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"},
        {
            "Action": "secretsmanager:GetSecretValue",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/Service": "web"}},
        },
        {
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {"StringLike": {"kms:EncryptionContext:aws:sns:topicArn": "arn:aws:sns:*:1:alerts-*"}},
        },
    ],
)
def test_data_by_name_passes(statement):
    assert faults(DATA_SCOPED, resource(ROLE_POLICY, "it", {"policy": document(**statement)})) == []


@pytest.mark.parametrize(
    "condition",
    [
        {"StringLike": {"aws:ResourceTag/Service": "*"}},
        {"StringEqualsIfExists": {"aws:ResourceTag/Service": "web"}},
        {"StringNotEquals": {"aws:ResourceTag/Service": "web"}},
        {"Bool": {"aws:SecureTransport": "true"}},
    ],
)
def test_a_condition_that_picks_nothing_out_is_none(condition):
    policy = document(Action="s3:GetObject", Resource="*", Condition=condition)
    assert faults(DATA_SCOPED, resource(ROLE_POLICY, "it", {"policy": policy})) == [
        "The policy allows s3:GetObject on every resource."
    ]


def test_everything_but_some_is_everything():
    policy = document(Action=["s3:GetObject", "s3:PutObject"], NotResource="arn:aws:s3:::secret/*")
    assert faults(DATA_SCOPED, resource(ROLE_POLICY, "it", {"policy": policy})) == [
        "The policy allows s3:GetObject and s3:PutObject on every resource."
    ]


@pytest.mark.parametrize("token", GRANTS)
def test_every_kind_of_policy_is_read(token):
    assert (
        len(faults(DATA_SCOPED, resource(token, "it", {"policy": document(Action="sns:Publish", Resource="*")}))) == 1
    )


def test_a_role_s_own_policies_are_read_each():
    policies = [{"policy": UNKNOWN}, {"policy": document(Action="sns:Publish", Resource="*")}]
    said, _ = not_evaluated(DATA_SCOPED, resource(ROLE, "it", {"inlinePolicies": policies}))
    assert said == [("The policy allows sns:Publish on every resource.", "it")]
    assert faults(DATA_SCOPED, resource(ROLE, "it", {})) == []


@pytest.mark.parametrize(
    ("value", "why"), [("no json", "it is no JSON"), (None, "it is neither JSON text nor an object")]
)
def test_a_policy_that_cannot_be_read_is_named(value, why):
    assert faults(DATA_SCOPED, resource(ROLE_POLICY, "it", {"policy": value})) == [f"The policy cannot be read: {why}."]


# Services

SENDS = {"Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}
STRANGERS = ["The policy lets events.amazonaws.com in on any account's behalf: no condition on aws:SourceAccount."]
RULE_ARN = f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/it"


def let_in(condition=None, token="aws:sqs/queuePolicy:QueuePolicy", **more):  # noqa: S107 - a type
    statement = {**SENDS, **({"Condition": condition} if condition else {}), **more}
    return faults(DEPUTY_SCOPED, resource(token, "it", {_DOORS[token]: document(**statement)}))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, []),
        ({"ArnEquals": {"aws:SourceArn": RULE_ARN}}, []),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:logs:*:{ACCOUNT}:*"}}, []),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::orders"}}, []),
        ({"StringEquals": {"aws:SourceOrgID": "o-1"}}, []),
        (None, STRANGERS),
        ({"StringLike": {"aws:SourceAccount": "*"}}, STRANGERS),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:events:eu-west-1:*:rule/it"}}, STRANGERS),
        ({"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}, STRANGERS),
        ({"StringNotEquals": {"aws:SourceAccount": "999999999999"}}, STRANGERS),
        ({"Bool": {"aws:SecureTransport": "true"}}, STRANGERS),
    ],
)
def test_a_service_comes_for_this_account(condition, expected):
    assert let_in(condition) == expected


@pytest.mark.parametrize("token", sorted(_DOORS))
def test_every_kind_of_door_is_watched(token):
    assert let_in(token=token) == STRANGERS
    assert faults(DEPUTY_SCOPED, resource(token, "it", {})) == []


def test_roles_and_refusals_are_no_deputies():
    assert let_in(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}) == []
    assert let_in(Effect="Deny") == []


def test_a_door_that_cannot_be_read_is_named():
    door = resource("aws:sns/topicPolicy:TopicPolicy", "it", {"policy": "no json"})
    assert faults(DEPUTY_SCOPED, door) == ["The policy cannot be read: it is no JSON."]


# Endpoints

OPEN = "The endpoint's policy lets anyone's credentials reach anyone's resources."
ALL = {"Principal": "*", "Action": "*", "Resource": "*"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, ["The endpoint has no policy, so it carries any account's data to any account."]),
        (document(**ALL), [OPEN]),
        (document(**{**ALL, "Action": "s3:GetObject"}), [OPEN]),
        (document(**ALL, Condition={"Bool": {"aws:SecureTransport": "true"}}), [OPEN]),
        (document(**ALL, Condition={"StringLike": {"aws:PrincipalAccount": "*"}}), [OPEN]),
        (document(**ALL, Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}), []),
        (document(**ALL, Condition={"StringEquals": {"aws:ResourceAccount": ACCOUNT}}), []),
        (document(**{**ALL, "Resource": "arn:aws:s3:::packages/*"}), []),
        (document(**{**ALL, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}), []),
        (document(**{**ALL, "Effect": "Deny"}), []),
        ("no json", ["The endpoint's policy cannot be read: it is no JSON."]),
    ],
)
def test_an_endpoint_is_for_our_own(policy, expected):
    assert faults(ENDPOINT_POLICY, resource(ENDPOINT, "it", {"policy": policy})) == expected


def test_an_endpoint_of_a_gateway_load_balancer_takes_no_policy():
    assert faults(ENDPOINT_POLICY, resource(ENDPOINT, "it", {"vpcEndpointType": "GatewayLoadBalancer"})) == []


@pytest.mark.parametrize(
    ("rule", "token"), [(DEPUTY_SCOPED, "aws:sns/topicPolicy:TopicPolicy"), (ENDPOINT_POLICY, ENDPOINT)]
)
def test_an_unknown_policy_is_no_pass(rule, token):
    with pytest.raises(UnknownValueError):
        faults(rule, resource(token, "it", {"policy": UNKNOWN}))
