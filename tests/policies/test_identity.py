"""The rules for who may do what: one change of a compliant document breaks one rule, in one sentence."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import identity
from policies.rulebook.rule import Level, ResourceRule, Severity

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults

ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/policy:Policy"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
PASSWORD_POLICY = "aws:iam/accountPasswordPolicy:AccountPasswordPolicy"
POLICIES = [POLICY, ROLE_POLICY, "aws:iam/userPolicy:UserPolicy", "aws:iam/groupPolicy:GroupPolicy"]
ATTACHMENTS = [
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:iam/policyAttachment:PolicyAttachment",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment",
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
]

RULES = {rule.id: rule for rule in identity.RULES}
BUCKET = "arn:aws:s3:::logs/*"
ALLOW = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": [BUCKET]}
PASS = {
    "Effect": "Allow",
    "Action": "iam:PassRole",
    "Resource": "arn:aws:iam::123456789012:role/platform-*",
    "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
}
STOP = {
    "Effect": "Allow",
    "Action": ["ec2:StartInstances", "ec2:StopInstances"],
    "Resource": "arn:aws:ec2:eu-west-1:123456789012:instance/*",
    "Condition": {"StringEquals": {"aws:ResourceTag/Schedule": "office-hours"}},
}
TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "scheduler.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/office"},
    },
}
BY_ACCOUNT = {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def broken(judged):
    """id -> sentences of every resource rule of the section that ``judged`` breaks."""
    applying = [rule for rule in identity.RULES if isinstance(rule, ResourceRule) and judged.type in rule.types]
    return {rule.id: said for rule in applying if (said := faults(rule, judged))}


def granting(*statements):
    return broken(resource(POLICY, "it", {"policy": document(*statements)}))


def trusting(statement):
    return broken(resource(ROLE, "it", {"assumeRolePolicy": document(statement)}))


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in identity.RULES] == [
        ("iam-no-admin", Severity.CRITICAL, Level.MANDATORY),
        ("iam-no-service-wildcard", Severity.HIGH, Level.MANDATORY),
        ("iam-pass-role-scoped", Severity.HIGH, Level.MANDATORY),
        ("iam-trust-scoped", Severity.HIGH, Level.MANDATORY),
        ("iam-no-users-or-keys", Severity.HIGH, Level.MANDATORY),
        ("iam-password-policy", Severity.MEDIUM, Level.ADVISORY),
    ]


@pytest.mark.parametrize("token", POLICIES)
def test_a_narrow_policy_breaks_no_rule(token):
    assert broken(resource(token, "it", {"policy": document(ALLOW, PASS, STOP)})) == {}


def test_a_narrow_role_breaks_no_rule():
    inline = [{"name": "own", "policy": document(ALLOW, PASS, STOP)}]
    arns = ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"]
    props = {"assumeRolePolicy": document(TRUST), "inlinePolicies": inline, "managedPolicyArns": arns}
    assert broken(resource(ROLE, "it", props)) == {}


def admin(sentence):
    return {"iam-no-admin": [sentence]}


def wide(sentence):
    return {"iam-no-service-wildcard": [sentence]}


def passing(*sentences):
    return {"iam-pass-role-scoped": list(sentences)}


EVERYTHING = admin("The policy allows every action on every resource.")
ANY_ROLE = passing("The policy allows iam:PassRole for any role.")
UNTAGGED = wide(
    "The policy allows ec2:StartInstances and ec2:StopInstances on whatever there is, without a condition on a tag "
    "that picks it out."
)
ANY_SERVICE = "The policy allows iam:PassRole to any service: no condition on iam:PassedToService."


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ({**ALLOW, "Action": "*", "Resource": "*"}, EVERYTHING),
        (
            {**ALLOW, "Action": ["s3:GetObject", "*:*"], "Resource": [BUCKET, "*"]},
            EVERYTHING,
        ),
        (
            {**ALLOW, "Action": "*", "Resource": "arn:aws:s3:::*"},
            EVERYTHING,
        ),
        (
            {"Effect": "Allow", "Action": "*", "NotResource": BUCKET},
            admin(f"The policy allows every action on every resource but {BUCKET}."),
        ),
        (
            {"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"},
            admin("The policy allows every action but iam:* and sts:* on every resource."),
        ),
        ({**ALLOW, "Action": "*"}, wide(f"The policy allows every action on {BUCKET}.")),
        (
            {"Effect": "Allow", "NotAction": "iam:*", "Resource": BUCKET},
            wide(f"The policy allows every action but iam:* on {BUCKET}."),
        ),
        (
            {**ALLOW, "Action": "*", "Condition": TRUST["Condition"], "Resource": "*"},
            EVERYTHING,
        ),
        ({**ALLOW, "Effect": "Deny", "Action": "*", "Resource": "*"}, {}),
        ({**ALLOW, "Action": "s3:*", "Resource": "*"}, wide("The policy allows s3:* on every resource.")),
        (
            {**ALLOW, "Action": ["S3:*", "ec2:Describe*"], "Resource": "*"},
            wide("The policy allows S3:* on every resource."),
        ),
        ({**ALLOW, "Action": "*:Get*", "Resource": "*"}, wide("The policy allows *:Get* on every resource.")),
        (
            {"Effect": "Allow", "Action": "s3:*", "NotResource": BUCKET},
            wide(f"The policy allows s3:* on every resource but {BUCKET}."),
        ),
        ({**ALLOW, "Action": "s3:*"}, wide(f"The policy allows s3:* on {BUCKET}.")),
        ({**STOP, "Condition": {"StringEquals": {"aws:ResourceTag/Project": "a"}}}, UNTAGGED),
        ({**ALLOW, "Action": "ec2:Describe*", "Resource": "*"}, {}),
        (
            altered(STOP, "Condition", to=ABSENT),
            UNTAGGED,
        ),
        (
            {**STOP, "Action": "rds:Stop*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/a": "b"}}},
            wide(
                "The policy allows rds:StopDBInstance on whatever there is, without a condition on a tag that picks it "
                "out."
            ),
        ),
        (
            {**STOP, "Condition": {"StringEqualsIfExists": {"aws:ResourceTag/Schedule": "office-hours"}}},
            UNTAGGED,
        ),
        (
            {**STOP, "Condition": {"StringLike": {"aws:ResourceTag/Schedule": "*"}}},
            UNTAGGED,
        ),
        ({**STOP, "Resource": "arn:aws:ec2:eu-west-1:123456789012:instance/i-1", "Condition": {}}, {}),
        ({**PASS, "Resource": "*"}, ANY_ROLE),
        (
            {**PASS, "Resource": "arn:aws:iam::123456789012:role/*"},
            ANY_ROLE,
        ),
        (
            {**PASS, "Action": ["iam:get*", "IAM:pass*"], "Resource": "*"},
            ANY_ROLE,
        ),
        (altered(PASS, "Condition", to=ABSENT), passing(ANY_SERVICE)),
        ({**PASS, "Condition": {"StringEquals": {"aws:RequestTag/a": "b"}}}, passing(ANY_SERVICE)),
        ({**PASS, "Condition": {"StringEquals": {"iam:PassedToService": []}}}, passing(ANY_SERVICE)),
        ({**altered(PASS, "Resource", to=ABSENT), "NotResource": BUCKET}, ANY_ROLE),
        (
            {**ALLOW, "Action": "s?:GetObject", "Resource": "*"},
            wide("The policy allows s?:GetObject on every resource."),
        ),
        ({**PASS, "Condition": {"StringLike": {"iam:PassedToService": "*"}}}, passing(ANY_SERVICE)),
        (
            {**PASS, "Condition": {"StringNotEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}},
            passing(ANY_SERVICE),
        ),
        (
            {**ALLOW, "Action": "iam:*", "Resource": "*"},
            wide("The policy allows iam:* on every resource.")
            | passing("The policy allows iam:PassRole for any role.", ANY_SERVICE),
        ),
    ],
)
def test_one_change_of_a_policy_breaks_its_rule(statement, said):
    assert granting(ALLOW, statement) == said


def test_an_inline_policy_of_a_role_is_read_as_well():
    inline = [
        {"name": "own", "policy": document(ALLOW)},
        {"name": "more", "policy": document({**ALLOW, "Action": "*", "Resource": "*"})},
    ]
    judged = resource(ROLE, "it", {"assumeRolePolicy": document(TRUST), "inlinePolicies": inline})
    assert broken(judged) == admin("The inline policy more allows every action on every resource.")


@pytest.mark.parametrize("text", ["{", UNKNOWN[:4], '{"Statement": [{"Effect": "Allow", "Action": {}}]}'])
def test_an_unreadable_policy_is_a_fault_of_every_rule_that_reads_it(text):
    judged = broken(resource(POLICY, "it", {"policy": text}))
    assert set(judged) == {"iam-no-admin", "iam-no-service-wildcard", "iam-pass-role-scoped"}
    assert {said[0].split(":")[0] for said in judged.values()} == {"The policy cannot be read"}


@pytest.mark.parametrize("token", ATTACHMENTS)
@pytest.mark.parametrize("name", ["AdministratorAccess", "IAMFullAccess", "PowerUserAccess"])
def test_an_administrator_s_policy_is_not_attached(token, name):
    said = admin(f"AWS's policy {name} is attached, which makes an administrator.")
    assert broken(resource(token, "it", {"policyArn": f"arn:aws:iam::aws:policy/{name}"})) == said
    role = {"assumeRolePolicy": document(TRUST), "managedPolicyArns": [f"arn:aws:iam::aws:policy/{name}"]}
    assert broken(resource(ROLE, "it", role)) == said


@pytest.mark.parametrize(
    "arn", ["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::123456789012:policy/AdministratorAccess"]
)
def test_another_policy_is(arn):
    assert broken(resource(ATTACHMENTS[0], "it", {"policyArn": arn})) == {}


def any_resource(service):
    return {
        "iam-trust-scoped": [
            f"The trust policy lets {service} take the role on any resource's behalf: no condition on aws:SourceArn."
        ]
    }


MORE = {"iam-trust-scoped": ["The trust policy allows more than to take the role."]}


def stranger(service):
    return {
        "iam-trust-scoped": [
            f"The trust policy lets {service} take the role on any account's behalf: no condition on aws:SourceAccount."
        ]
    }


ANYONE = {"iam-trust-scoped": ["The trust policy lets anyone take the role."]}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ({**TRUST, "Principal": "*"}, ANYONE),
        ({**TRUST, "Principal": {"AWS": ["arn:aws:iam::123456789012:root", "*"]}}, ANYONE),
        (altered({**TRUST, "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:root"}}, "Principal", to=ABSENT), ANYONE),
        ({**TRUST, "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Condition": {}}, {}),
        ({**TRUST, "Principal": {"Service": "ec2.amazonaws.com"}, "Condition": {}}, {}),
        ({**TRUST, "Condition": {}}, stranger("scheduler.amazonaws.com")),
        ({**TRUST, "Condition": {"StringEquals": {"aws:SourceAccount": "*"}}}, stranger("scheduler.amazonaws.com")),
        (
            {**TRUST, "Condition": {"StringNotEquals": {"aws:SourceAccount": "123456789012"}}},
            stranger("scheduler.amazonaws.com"),
        ),
        (
            {**TRUST, "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:scheduler:*:*:schedule/nightly"}}},
            stranger("scheduler.amazonaws.com"),
        ),
        (
            {**TRUST, "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:scheduler:*:123456789012:schedule/*"}}},
            stranger("scheduler.amazonaws.com"),
        ),
        ({**TRUST, "Condition": BY_ACCOUNT}, any_resource("scheduler.amazonaws.com")),
        (
            {**TRUST, "Condition": {**BY_ACCOUNT, "ArnLike": {"aws:SourceArn": "arn:aws:scheduler:a:*:schedule/a"}}},
            any_resource("scheduler.amazonaws.com"),
        ),
        ({**TRUST, "Principal": {"Service": "backup.amazonaws.com"}, "Condition": BY_ACCOUNT}, {}),
        ({**TRUST, "Principal": {"Service": "ssm.amazonaws.com"}, "Condition": BY_ACCOUNT}, {}),
        ({**TRUST, "Action": ["sts:AssumeRole", "sts:tagsession"]}, {}),
        ({**TRUST, "Action": "*"}, MORE),
        ({**TRUST, "Action": "sts:*"}, MORE),
        (altered({**TRUST, "NotAction": "sts:AssumeRole"}, "Action", to=ABSENT), MORE),
        (
            {**TRUST, "Condition": {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}},
            stranger("scheduler.amazonaws.com"),
        ),
        (
            {**TRUST, "Principal": {"Service": ["ec2.amazonaws.com", "backup.amazonaws.com"]}, "Condition": {}},
            stranger("backup.amazonaws.com"),
        ),
        (
            {**TRUST, "Principal": {"Service": "monitoring.rds.amazonaws.com"}, "Condition": {}},
            stranger("monitoring.rds.amazonaws.com"),
        ),
        (
            {**TRUST, "Principal": {"Service": "vpc-flow-logs.amazonaws.com"}, "Condition": {}},
            stranger("vpc-flow-logs.amazonaws.com"),
        ),
        ({**TRUST, "Effect": "Deny", "Principal": "*"}, {}),
    ],
)
def test_one_change_of_a_trust_breaks_its_rule(statement, said):
    assert trusting(statement) == said


@pytest.mark.parametrize(
    ("props", "why"),
    [({"assumeRolePolicy": "{"}, "it is no JSON"), ({}, "it is neither JSON text nor an object")],
)
def test_an_unreadable_trust_is_a_fault(props, why):
    assert broken(resource(ROLE, "it", props)) == {"iam-trust-scoped": [f"The trust policy cannot be read: {why}."]}


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("aws:iam/user:User", "An IAM user is declared; people and machines take roles."),
        ("aws:iam/accessKey:AccessKey", "An access key is declared; people and machines take roles."),
    ],
)
def test_a_user_or_a_key_is_a_fault_in_itself(token, said):
    assert broken(resource(token, "it", {})) == {"iam-no-users-or-keys": [said]}


@pytest.mark.parametrize(
    ("rule", "token", "props"),
    [
        ("iam-no-admin", POLICY, {"policy": UNKNOWN}),
        ("iam-no-admin", ATTACHMENTS[0], {"policyArn": UNKNOWN}),
        ("iam-no-admin", ROLE, {"managedPolicyArns": [UNKNOWN]}),
        ("iam-no-service-wildcard", ROLE_POLICY, {"policy": UNKNOWN}),
        ("iam-pass-role-scoped", ROLE, {"inlinePolicies": [{"policy": UNKNOWN}]}),
        ("iam-trust-scoped", ROLE, {"assumeRolePolicy": UNKNOWN}),
    ],
)
def test_an_unknown_value_is_not_judged(rule, token, props):
    with pytest.raises(UnknownValueError):
        faults(RULES[rule], resource(token, "it", props))


def test_an_unknown_inline_policy_hides_no_other():
    everything = document({**ALLOW, "Action": "*", "Resource": "*"})
    inline = [
        {"name": "a", "policy": UNKNOWN},
        {"name": "b", "policy": everything},
    ]
    said, _ = not_evaluated(RULES["iam-no-admin"], resource(ROLE, "it", {"inlinePolicies": inline}))
    assert said == [("The inline policy b allows every action on every resource.", "it")]


PASSWORDS = RULES["iam-password-policy"]
STRONG = {"minimumPasswordLength": 14, "passwordReusePrevention": 24}


@pytest.mark.parametrize(
    ("props", "said"),
    [
        (STRONG, []),
        ({**STRONG, "minimumPasswordLength": 8}, ["The least length of passwords is 8; 14 is demanded."]),
        ({"passwordReusePrevention": 24}, ["The least length of passwords is unset; 14 is demanded."]),
        (
            {**STRONG, "passwordReusePrevention": 5},
            ["The number of passwords that may not come back is 5; 24 is demanded."],
        ),
        ({"minimumPasswordLength": 14}, ["The number of passwords that may not come back is unset; 24 is demanded."]),
    ],
)
def test_a_password_policy_is_strong(props, said):
    assert stack_faults(PASSWORDS, resource(PASSWORD_POLICY, "it", props)) == [(sentence, "it") for sentence in said]


def test_users_need_a_password_policy_and_a_stack_without_users_none():
    user = resource("aws:iam/user:User", "clerk", {})
    assert stack_faults(PASSWORDS) == []
    assert stack_faults(PASSWORDS, user) == [("There are users, and no policy for their passwords.", None)]
    assert stack_faults(PASSWORDS, user, resource(PASSWORD_POLICY, "it", STRONG)) == []


def test_an_unknown_length_is_not_judged():
    said, _ = not_evaluated(PASSWORDS, resource(PASSWORD_POLICY, "it", {**STRONG, "minimumPasswordLength": UNKNOWN}))
    assert said == []
