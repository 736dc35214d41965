"""The rules for what a role is for."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import duties, links

from .bags import ABSENT, UNKNOWN, not_evaluated, stack_faults
from .declared import Ref, declared

RULES = {rule.id: rule for rule in duties.RULES}
ACCOUNT = "123456789012"


def text(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions, **more):
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


def trust(service, **condition):
    return text({**allow("sts:AssumeRole"), "Principal": {"Service": service}, "Condition": condition})


def managed(name):
    return links.ATTACHMENT, {"role": Ref("role", "name"), "policyArn": f"arn:aws:iam::aws:policy/{name}"}


def role(service="lambda.amazonaws.com", policy=None, **condition):
    return {
        "role": (links.ROLE, {"assumeRolePolicy": trust(service, **condition)}),
        "may": (links.ROLE_POLICY, {"role": Ref("role", "name"), "policy": policy or text(allow("s3:GetObject"))}),
    }


def said(rule, bag, *changes, **options):
    return stack_faults(RULES[rule], *declared(bag, *changes, **options))


def unknown(rule, bag, *changes, **options):
    """What is said before an unknown value ends the judgement."""
    return not_evaluated(RULES[rule], *declared(bag, *changes, **options))[0]


def test_the_rules_are_these():
    assert list(RULES) == [
        "iam-role-whole",
        "iam-sessions-able",
        "iam-backup-roles",
        "iam-automation-trust",
        "iam-key-use-bound",
    ]


# Every role has a policy, every policy a role

EMPTY = [("The role may do nothing: it has no policy.", "role")]


@pytest.mark.parametrize("preview", [False, True])
def test_a_role_has_a_policy(preview):
    assert said("iam-role-whole", role(), preview=preview) == []
    assert said("iam-role-whole", role(), preview=preview, without=["may"]) == EMPTY


def test_a_policy_without_a_statement_gives_nothing():
    assert said("iam-role-whole", role(), ("may", ("policy",), text())) == EMPTY
    assert said("iam-role-whole", role(), ("may", ("policy",), ABSENT)) == EMPTY


def test_policies_of_aws_will_do():
    attached = {"attached": managed("ReadOnlyAccess")}
    assert said("iam-role-whole", role(), without=["may"], extra=attached) == []
    own = ("role", ("managedPolicyArns",), ["arn:aws:iam::aws:policy/ReadOnlyAccess"])
    assert said("iam-role-whole", role(), own, without=["may"]) == []


def test_a_policy_is_of_a_declared_role():
    stranger = "The policy is for a role that is not declared here."
    bag = {**role(), "attached": managed("ReadOnlyAccess")}
    assert said("iam-role-whole", bag, ("may", ("role",), "elsewhere")) == [(stranger, "may")]
    assert said("iam-role-whole", bag, without=["role"]) == [(stranger, "may"), (stranger, "attached")]


def test_an_unknown_policy_is_no_pass():
    assert unknown("iam-role-whole", role(), ("may", ("policy",), UNKNOWN)) == []


# Sessions

SESSION = {
    **role("ec2.amazonaws.com"),
    "may": (
        links.ROLE_POLICY,
        {
            "role": Ref("role", "name"),
            "policy": text(
                allow("kms:Decrypt", Resource=f"arn:aws:any:eu-west-1:{ACCOUNT}:key"),
                allow("logs:PutLogEvents", Resource=f"arn:aws:any:eu-west-1:{ACCOUNT}:log:*"),
            ),
        },
    ),
    "core": managed("AmazonSSMManagedInstanceCore"),
    "profile": (links.PROFILE, {"role": Ref("role", "name")}),
    "key": (duties.KEY, {}),
    "log": (duties.LOG_GROUP, {}),
    "preferences": (
        duties.DOCUMENT,
        {"documentType": "Session", "content": Ref("key", "id", '{"inputs": {"kmsKeyId": "', '"}}')},
    ),
}
LOGGED = Ref("log", "name", '{"inputs": {"cloudWatchLogGroupName": "', '"}}')


@pytest.mark.parametrize(
    ("content", "lacking"),
    [(None, "kms:Decrypt on the sessions' key"), (LOGGED, "logs:PutLogEvents on the sessions' log group")],
)
def test_a_machine_may_decrypt_and_log_its_sessions(content, lacking):
    bag = dict(SESSION)
    if content:
        bag["preferences"] = (duties.DOCUMENT, {"documentType": "Session", "content": content})
    broken = [(f"The role role lacks {lacking}.", "preferences")]
    assert said("iam-sessions-able", bag) == []
    assert said("iam-sessions-able", bag, without=["may"]) == broken
    assert said("iam-sessions-able", bag, ("may", ("policy",), text(allow("s3:GetObject")))) == broken
    elsewhere = text(allow("kms:Decrypt", "logs:PutLogEvents", Resource=f"arn:aws:any:eu-west-1:{ACCOUNT}:other:*"))
    assert said("iam-sessions-able", bag, ("may", ("policy",), elsewhere)) == broken


def test_sessions_without_a_key_or_a_log_ask_for_nothing():
    for content in ('{"inputs": {}}', "{}", "[]", "no JSON"):
        assert said("iam-sessions-able", SESSION, ("preferences", ("content",), content), without=["may"]) == []
    assert said("iam-sessions-able", SESSION, ("preferences", ("documentType",), "Command"), without=["may"]) == []


def test_a_machine_that_takes_no_sessions_is_not_judged():
    assert said("iam-sessions-able", SESSION, without=["may", "core"]) == []
    assert said("iam-sessions-able", SESSION, without=["may", "profile"]) == []


def test_unknown_preferences_are_no_pass():
    assert unknown("iam-sessions-able", SESSION, ("preferences", ("content",), UNKNOWN)) == []


# Backups

DENY = {
    "Effect": "Deny",
    "Action": ["rds:DeleteDBInstance", "rds:ModifyDBInstance"],
    "Resource": f"arn:aws:any:eu-west-1:{ACCOUNT}:database",
}
BACKUP = {
    **role("backup.amazonaws.com", text(DENY)),
    "disks": managed("service-role/AWSBackupServiceRolePolicyForRestores"),
    "buckets": managed("AWSBackupServiceRolePolicyForS3Restore"),
    "data": (duties.BUCKETS[0], {"bucket": "data", "tags": {"Backup": "weekly"}}),
    "database": ("aws:rds/instance:Instance", {}),
}


def test_a_role_that_restores_reaches_buckets_and_spares_the_living():
    assert said("iam-backup-roles", BACKUP) == []
    assert said("iam-backup-roles", BACKUP, without=["buckets"]) == [
        ("The role lacks AWSBackupServiceRolePolicyForS3Restore, so it fails on bucket data.", "role")
    ]
    assert said(
        "iam-backup-roles",
        BACKUP,
        ("disks", ("policyArn",), "arn:aws:iam::aws:policy/" + "AWSBackupServiceRolePolicyForBackup"),
        without=["may"],
    ) == [("The role lacks AWSBackupServiceRolePolicyForS3Backup, so it fails on bucket data.", "role")]


BOTH = "rds:DeleteDBInstance and rds:ModifyDBInstance"


@pytest.mark.parametrize(
    ("statement", "actions"),
    [
        ({**DENY, "Effect": "Allow"}, BOTH),
        ({**DENY, "Resource": f"arn:aws:any:eu-west-1:{ACCOUNT}:other"}, BOTH),
        ({**DENY, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}, BOTH),
        ({**DENY, "Action": "rds:Delete*"}, "rds:ModifyDBInstance"),
        ({**DENY, "Action": "rds:*", "Resource": "*"}, None),
    ],
)
def test_what_restores_is_denied_the_live_database(statement, actions):
    sentence = [(f"The role may do {actions} to the live database database.", "role")]
    assert said("iam-backup-roles", BACKUP, ("may", ("policy",), text(statement))) == (sentence if actions else [])


def test_a_role_for_another_service_or_without_anything_to_back_up_is_not_judged():
    other = ("role", ("assumeRolePolicy",), trust("ec2.amazonaws.com"))
    assert said("iam-backup-roles", BACKUP, other, without=["may", "buckets"]) == []
    assert said("iam-backup-roles", BACKUP, without=["may", "buckets", "data", "database"]) == []
    untagged = ("data", ("tags",), {"Backup": "none"})
    assert said("iam-backup-roles", BACKUP, untagged, without=["buckets"]) == []


def test_an_unknown_policy_of_the_restores_is_no_pass():
    assert unknown("iam-backup-roles", BACKUP, ("may", ("policy",), UNKNOWN)) == []


# Automation

ANY_FEATURE = [("Any feature of Systems Manager may take the role: no condition on aws:SourceArn.", "role")]
BY_ACCOUNT = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
BY_ARN = {"ArnLike": {"aws:SourceArn": f"arn:aws:ssm:eu-west-1:{ACCOUNT}:automation-execution/*"}}
WINDOW = {"task": (duties.WINDOW_TASK, {"serviceRoleArn": Ref("role", "arn")})}


def test_a_role_for_automation_names_its_executions():
    assert said("iam-automation-trust", role("ssm.amazonaws.com", **BY_ACCOUNT, **BY_ARN)) == []
    assert said("iam-automation-trust", role("ssm.amazonaws.com", **BY_ACCOUNT)) == ANY_FEATURE
    any_account = {"ArnLike": {"aws:SourceArn": "arn:aws:ssm:eu-west-1:*:automation-execution/*"}}
    assert said("iam-automation-trust", role("ssm.amazonaws.com", **any_account)) == ANY_FEATURE


def test_a_window_sends_no_source_and_other_services_have_rules_of_their_own():
    bag = role("ssm.amazonaws.com", **BY_ACCOUNT)
    assert said("iam-automation-trust", bag, extra=WINDOW) == []
    assert said("iam-automation-trust", bag, extra=WINDOW, preview=True) == []
    assert said("iam-automation-trust", role("ec2.amazonaws.com")) == []
    assert said("iam-automation-trust", bag, ("role", ("assumeRolePolicy",), "no JSON")) == []


def test_an_unknown_trust_is_no_pass():
    assert unknown("iam-automation-trust", role(), ("role", ("assumeRolePolicy",), UNKNOWN)) == []


# Keys


def key_use(condition, service="events.amazonaws.com", action="kms:GenerateDataKey*", **more):
    return said("iam-key-use-bound", role(service, text(allow("kms:Decrypt", action, Condition=condition, **more))))


ENCRYPTS = "kms:GenerateDataKey is allowed "
WHATEVER = [(f"{ENCRYPTS}for whatever it is used for: no condition on kms:ViaService or on a context.", "may")]
VIA_S3 = {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}
FOR_BUCKET = {"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::data/*"}}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"kms:ViaService": "aps.eu-west-1.amazonaws.com"}}, []),
        ({"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": "arn:aws:sns:eu-west-1:1:alerts"}}, []),
        ({**VIA_S3, **FOR_BUCKET}, []),
        ({}, WHATEVER),
        ({"StringLike": {"kms:ViaService": "*"}}, WHATEVER),
        ({"StringEqualsIfExists": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}, WHATEVER),
        (VIA_S3, [(f"{ENCRYPTS}for any bucket: no condition on kms:EncryptionContext:aws:s3:arn.", "may")]),
        (FOR_BUCKET, [(f"{ENCRYPTS}outside S3: no condition on kms:ViaService.", "may")]),
    ],
)
def test_a_service_encrypts_for_what_it_needs_the_key_for(condition, expected):
    assert key_use(condition) == expected
    assert key_use(condition, service="ec2.amazonaws.com") == expected
    assert key_use(condition, service="lambda.amazonaws.com") == []
    assert key_use(condition, Effect="Deny") == []
    assert key_use(condition, action="kms:DescribeKey") == []


def test_a_policy_that_cannot_be_read_or_allows_everything_is_the_business_of_others():
    bag = role("events.amazonaws.com")
    assert said("iam-key-use-bound", bag, ("may", ("policy",), "no JSON")) == []
    assert said("iam-key-use-bound", bag, ("may", ("policy",), text(allow("*")))) == []


def test_an_unknown_use_of_a_key_is_no_pass():
    assert unknown("iam-key-use-bound", role("events.amazonaws.com"), ("may", ("policy",), UNKNOWN)) == []
