"""How far permissions reach: data by name, services for this account, endpoints for our own."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import grants
from policies.rulebook.grants import _DOORS, _NOWHERE, BOUND, DATA_SCOPED, DEPUTY_SCOPED, ENDPOINT_POLICY, NO_ENDING
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
        ("iam-actions-bound", Severity.MEDIUM, Level.MANDATORY),
        ("iam-no-destruction", Severity.CRITICAL, Level.MANDATORY),
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
        # Not data, but of a resource all the same.
        ("backup:GetRestoreTestingPlan", "*"),
        ("elasticloadbalancing:DeleteRule", "*"),
        ("rds:DescribeDBInstances", "*"),
        ("service-of-tomorrow:DoIt", "*"),
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
        ("ec2:DeleteSnapshot", "arn:aws:ec2:eu-west-1::snapshot/*"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:rds!db-*"),
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
        {"Action": "secretsmanager:CreateSecret", "Resource": f"arn:aws:secretsmanager:a:{ACCOUNT}:secret:rds!db-*"},
        {"Action": "rds:DescribeDBInstances", "Resource": f"arn:aws:rds:eu-west-1:{ACCOUNT}:db:*"},
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
            "Resource": f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:*",
            "Condition": {"StringEquals": {"aws:ResourceTag/Service": "web"}},
        },
        {
            "Action": "kms:Decrypt",
            "Resource": f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/*",
            "Condition": {"StringLike": {"kms:EncryptionContext:aws:sns:topicArn": "arn:aws:sns:*:1:alerts-*"}},
        },
        {
            "Action": "ec2:CreateSnapshots",
            "Resource": "arn:aws:ec2:eu-west-1::snapshot/*",
            "Condition": {"StringEquals": {"aws:RequestTag/Service": "web"}},
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
    kind = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/*"
    policy = document(Action="dynamodb:GetItem", Resource=kind, Condition=condition)
    assert faults(DATA_SCOPED, resource(ROLE_POLICY, "it", {"policy": policy})) == [
        f"The policy allows dynamodb:GetItem on {kind}."
    ]


@pytest.mark.parametrize("key", ["aws:ResourceTag/Service", "kms:EncryptionContext:aws:sns:topicArn"])
def test_a_condition_picks_among_a_kind_and_not_among_everything(key):
    policy = document(Action="kms:Decrypt", Resource="*", Condition={"StringEquals": {key: "web"}})
    assert faults(DATA_SCOPED, resource(ROLE_POLICY, "it", {"policy": policy})) == [
        "The policy allows kms:Decrypt on every resource."
    ]


@pytest.mark.parametrize("service", sorted(_NOWHERE))
def test_what_knows_no_resource_is_allowed_on_everything(service):
    actions = [f"{service}:{name}" for name in _NOWHERE[service] if name != "*"] or [f"{service}:SendReply"]
    deny = {"Effect": "Deny", "Action": "ec2:*", "Resource": "*"}
    body = json.dumps({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}, deny]})
    assert faults(DATA_SCOPED, resource(ROLE_POLICY, "it", {"policy": body})) == []


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


# What no ARN binds


def bound(*statements):
    body = json.dumps({"Statement": [{"Effect": "Allow", "Resource": "*", **one} for one in statements]})
    return faults(BOUND, resource(ROLE_POLICY, "it", {"policy": body}))


@pytest.mark.parametrize(
    ("action", "without", "operator", "key", "value"),
    [
        ("cloudwatch:PutMetricData", "in any namespace", "StringEquals", "cloudwatch:namespace", "orders"),
        (
            "ec2:CreateTags",
            "on what is there already",
            "StringEquals",
            "ec2:CreateAction",
            "CreateSnapshots",
        ),
        (
            "kms:CreateGrant",
            "to anybody, not only to services of AWS",
            "Bool",
            "kms:GrantIsForAWSResource",
            "true",
        ),
        ("ses:SendEmail", "in any sender's name", "StringEquals", "ses:FromAddress", "a@example.com"),
    ],
)
def test_a_condition_binds_what_no_arn_can(action, without, operator, key, value):
    broken = [f"The policy allows {action} {without}: no condition on {key}."]
    assert bound({"Action": action, "Condition": {operator: {key: value}}}) == []
    assert bound({"Action": action, "Effect": "Deny"}) == []
    assert bound({"Action": action}) == broken
    assert bound({"Action": f"{action[:-2]}*"}) == broken
    assert bound({"Action": action, "Condition": {operator: {key: "false" if operator == "Bool" else "*"}}}) == broken


@pytest.mark.parametrize(("tag", "other"), [("Project", "Environment"), ("Environment", "Project")])
def test_one_tag_of_the_owner_picks_others_too(tag, other):
    mine = {f"aws:ResourceTag/{tag}": "a"}
    assert bound({"Action": "ec2:CreateSnapshots", "Condition": {"StringEquals": mine}}) == [
        f"The policy picks resources by one tag of their owner: no condition on aws:ResourceTag/{other}."
    ]
    both = {**mine, f"aws:ResourceTag/{other}": "b"}
    assert bound({"Action": "ec2:CreateSnapshots", "Condition": {"StringEquals": both}}) == []


def test_what_lambda_borrows_is_denied_to_the_function_s_code():
    lent = {"Action": ["ec2:CreateNetworkInterface", "ec2:DescribeSubnets"]}
    deny = {**lent, "Effect": "Deny", "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": "arn:aws:lambda:a:1:it"}}}
    said = [
        "The policy allows ec2:CreateNetworkInterface to the function's own code as well: no statement denies it by "
        "lambda:SourceFunctionArn."
    ]
    assert bound(lent, deny) == []
    assert bound(lent) == said
    assert bound(lent, {**deny, "Effect": "Allow"}) == said
    assert bound(lent, {**deny, "Condition": {}}) == said
    assert bound(deny) == []


# What nobody may


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ({"Action": "s3:GetObject"}, []),
        ({"Action": "rds:DeleteDBInstance", "Effect": "Deny"}, []),
        # The business of other rules.
        ({"Action": "*"}, []),
        (
            {"Action": ["kms:ScheduleKeyDeletion", "s3:DeleteObject"]},
            ["The policy allows kms:ScheduleKeyDeletion, which ends what keeps data or watches over it."],
        ),
        (
            {"Action": "backup:Delete*"},
            [
                "The policy allows backup:DeleteBackupPlan, backup:DeleteBackupVault, "
                "backup:DeleteBackupVaultAccessPolicy and backup:DeleteRecoveryPoint, which ends what keeps data or "
                "watches over it."
            ],
        ),
        (
            {"Action": ["iam:PassRole", "IAM:putrolepolicy"]},
            ["The policy allows iam:PutRolePolicy, which makes its holder an administrator."],
        ),
    ],
)
def test_no_role_destroys_or_rises(statement, said):
    policy = document(Resource=TABLE, **statement)
    assert faults(NO_ENDING, resource(ROLE_POLICY, "it", {"policy": policy})) == said
    inline = {"inlinePolicies": [{"policy": policy}]}
    assert faults(NO_ENDING, resource(ROLE, "it", inline)) == said


# Services

SENDS = {"Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}
STRANGERS = ["The policy lets events.amazonaws.com in on any resource's behalf: no condition on aws:SourceArn."]
RULE_ARN = f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/it"


def let_in(condition=None, token="aws:sqs/queuePolicy:QueuePolicy", **more):  # noqa: S107 - a type
    statement = {**SENDS, **({"Condition": condition} if condition else {}), **more}
    return faults(DEPUTY_SCOPED, resource(token, "it", {_DOORS[token]: document(**statement)}))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, STRANGERS),
        ({"ArnEquals": {"aws:SourceArn": RULE_ARN}}, []),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:logs:*:{ACCOUNT}:*"}}, []),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::orders"}}, []),
        ({"StringEquals": {"aws:SourceOrgID": "o-1"}}, STRANGERS),
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


def behalf(service, what, key):
    return [f"The policy lets {service} in on any {what}'s behalf: no condition on {key}."]


@pytest.mark.parametrize(
    ("service", "account", "arn"),
    [
        # Either will do where AWS asks for none.
        ("cloudwatch.amazonaws.com", [], []),
        ("cloudtrail.amazonaws.com", ("resource", "aws:SourceArn"), []),
        ("logging.s3.amazonaws.com", ("resource", "aws:SourceArn"), ("account", "aws:SourceAccount")),
        ("logs.eu-west-1.amazonaws.com", ("resource", "aws:SourceArn"), ("account", "aws:SourceAccount")),
    ],
)
def test_a_service_says_what_aws_asks_it_for(service, account, arn):
    who = {"token": "aws:s3/bucketPolicy:BucketPolicy", "Principal": {"Service": service}}
    by_account = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    by_arn = {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::orders"}}
    assert let_in(by_account, **who) == (behalf(service, *account) if account else [])
    assert let_in(by_arn, **who) == (behalf(service, *arn) if arn else [])
    assert let_in({**by_account, **by_arn}, **who) == []
    first = "resource" if service.startswith("cloudtrail") else "account"
    assert let_in(**who) == behalf(service, first, {"resource": "aws:SourceArn"}.get(first, "aws:SourceAccount"))


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
WRITES = "The endpoint's policy lets anyone's credentials do more than read what it names."
ANYTHING = "The endpoint's policy allows all actions, and not those of its service alone."
ALL = {"Principal": "*", "Action": "*", "Resource": "*"}
OWN = ALL | {"Action": "ssm:*"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, ["The endpoint has no policy, so it carries any account's data to any account."]),
        (document(**ALL), [OPEN]),
        (document(**{**ALL, "Action": "s3:GetObject"}), [OPEN]),
        (document(**ALL, Condition={"Bool": {"aws:SecureTransport": "true"}}), [OPEN]),
        (document(**ALL, Condition={"StringLike": {"aws:PrincipalAccount": "*"}}), [OPEN]),
        (document(**ALL, Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}), [ANYTHING]),
        (document(**OWN, Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}), []),
        (document(**OWN, Condition={"StringEquals": {"aws:ResourceAccount": ACCOUNT}}), []),
        (document(**{**ALL, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::packages/*"}), []),
        (document(**{**ALL, "Resource": "arn:aws:s3:::packages/*"}), [WRITES]),
        (
            document(**{**ALL, "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::packages/*"}),
            [WRITES],
        ),
        (document(**{**OWN, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}), []),
        (document(**{**ALL, "Effect": "Deny"}), []),
        ("no json", ["The endpoint's policy cannot be read: it is no JSON."]),
    ],
)
def test_an_endpoint_is_for_our_own(policy, expected):
    assert faults(ENDPOINT_POLICY, resource(ENDPOINT, "it", {"policy": policy})) == expected


def test_an_endpoint_of_a_gateway_load_balancer_takes_no_policy():
    assert faults(ENDPOINT_POLICY, resource(ENDPOINT, "it", {"vpcEndpointType": "GatewayLoadBalancer"})) == []


@pytest.mark.parametrize(
    ("rule", "token"),
    [
        (DATA_SCOPED, ROLE_POLICY),
        (BOUND, ROLE_POLICY),
        (NO_ENDING, ROLE_POLICY),
        (DEPUTY_SCOPED, "aws:sns/topicPolicy:TopicPolicy"),
        (ENDPOINT_POLICY, ENDPOINT),
    ],
)
def test_an_unknown_policy_is_no_pass(rule, token):
    with pytest.raises(UnknownValueError):
        faults(rule, resource(token, "it", {"policy": UNKNOWN}))
