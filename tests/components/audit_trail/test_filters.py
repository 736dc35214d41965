"""What the filters count, judged by evaluating their patterns on events."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.audit_trail import filters
from components.audit_trail.filters import CONTROLS, Exclusions
from functions.common import alarm
from policies.rulebook import filter_pattern
from settings import audit
from tests.components.audit_trail.events import ACCOUNT, ROOT, STRANGERS, call, role, service, sign_in, user

#: The benchmark's calls: control -> service and names.
CALLS = {
    "iam-policy-changes": (
        "iam",
        "DeleteGroupPolicy DeleteRolePolicy DeleteUserPolicy PutGroupPolicy PutRolePolicy PutUserPolicy CreatePolicy "
        "DeletePolicy CreatePolicyVersion DeletePolicyVersion AttachRolePolicy DetachRolePolicy AttachUserPolicy "
        "DetachUserPolicy AttachGroupPolicy DetachGroupPolicy",
    ),
    "trail-changes": ("cloudtrail", "CreateTrail UpdateTrail DeleteTrail StartLogging StopLogging"),
    "key-removal": ("kms", "DisableKey ScheduleKeyDeletion"),
    "bucket-policy-changes": (
        "s3",
        "PutBucketAcl PutBucketPolicy PutBucketCors PutBucketLifecycle PutBucketReplication DeleteBucketPolicy "
        "DeleteBucketCors DeleteBucketLifecycle DeleteBucketReplication",
    ),
    "config-changes": (
        "config",
        "StopConfigurationRecorder DeleteDeliveryChannel PutDeliveryChannel PutConfigurationRecorder",
    ),
    "security-group-changes": (
        "ec2",
        "AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress "
        "RevokeSecurityGroupEgress CreateSecurityGroup DeleteSecurityGroup",
    ),
    "network-acl-changes": (
        "ec2",
        "CreateNetworkAcl CreateNetworkAclEntry DeleteNetworkAcl DeleteNetworkAclEntry ReplaceNetworkAclEntry "
        "ReplaceNetworkAclAssociation",
    ),
    "gateway-changes": (
        "ec2",
        "CreateCustomerGateway DeleteCustomerGateway AttachInternetGateway CreateInternetGateway "
        "DeleteInternetGateway DetachInternetGateway",
    ),
    "route-table-changes": (
        "ec2",
        "CreateRoute CreateRouteTable ReplaceRoute ReplaceRouteTableAssociation DeleteRouteTable DeleteRoute "
        "DisassociateRouteTable",
    ),
    "vpc-changes": (
        "ec2",
        "CreateVpc DeleteVpc ModifyVpcAttribute AcceptVpcPeeringConnection CreateVpcPeeringConnection "
        "DeleteVpcPeeringConnection RejectVpcPeeringConnection AttachClassicLinkVpc DetachClassicLinkVpc "
        "DisableVpcClassicLink EnableVpcClassicLink",
    ),
    "organization-changes": (
        "organizations",
        "AcceptHandshake AttachPolicy CancelHandshake CreateAccount CreateOrganization CreateOrganizationalUnit "
        "CreatePolicy DeclineHandshake DeleteOrganization DeleteOrganizationalUnit DeletePolicy EnableAllFeatures "
        "EnablePolicyType InviteAccountToOrganization LeaveOrganization DetachPolicy DisablePolicyType MoveAccount "
        "RemoveAccountFromOrganization UpdateOrganizationalUnit UpdatePolicy",
    ),
}

#: What the twins, and the controls that are ours, look for beside that.
MORE = {
    "security-group-changes": {("ec2", "ModifySecurityGroupRules")},
    "credential-changes": {
        ("iam", "CreateAccessKey"),
        ("iam", "CreateLoginProfile"),
        ("iam", "CreateUser"),
        ("iam", "CreateSAMLProvider"),
        ("iam", "CreateOpenIDConnectProvider"),
        ("iam", "DeactivateMFADevice"),
        ("iam", "UpdateAssumeRolePolicy"),
        ("iam", "UpdateLoginProfile"),
    },
    "data-sharing": {
        ("s3", "DeleteAccountPublicAccessBlock"),
        ("s3", "DeleteBucketPublicAccessBlock"),
        ("s3", "PutAccountPublicAccessBlock"),
        ("s3", "PutBucketPublicAccessBlock"),
        ("rds", "ModifyDBClusterSnapshotAttribute"),
        ("rds", "ModifyDBSnapshotAttribute"),
        ("ec2", "ModifyImageAttribute"),
        ("ec2", "ModifySnapshotAttribute"),
    },
    "blinding": {
        ("monitoring", "DeleteAlarms"),
        ("monitoring", "DisableAlarmActions"),
        ("config", "DeleteConfigurationRecorder"),
        ("guardduty", "DeleteDetector"),
        ("ec2", "DeleteFlowLogs"),
        ("logs", "DeleteLogGroup"),
        ("logs", "DeleteMetricFilter"),
        ("events", "DisableRule"),
        ("cloudtrail", "PutEventSelectors"),
        ("cloudtrail", "PutInsightSelectors"),
    },
}

#: Calls beside those, which no filter may count: reads, and changes of other things.
NEIGHBOURS = {
    ("iam", "GetRolePolicy"),
    ("iam", "ListPolicies"),
    ("iam", "CreateRole"),
    ("iam", "TagPolicy"),
    ("iam", "DeleteAccessKey"),
    ("cloudtrail", "DescribeTrails"),
    ("cloudtrail", "GetTrailStatus"),
    ("cloudtrail", "LookupEvents"),
    ("kms", "Decrypt"),
    ("kms", "EnableKey"),
    ("kms", "CancelKeyDeletion"),
    ("kms", "CreateKey"),
    ("s3", "CreateBucket"),
    ("s3", "GetBucketPolicy"),
    ("s3", "PutBucketTagging"),
    ("config", "DescribeConfigurationRecorders"),
    ("config", "StartConfigurationRecorder"),
    ("ec2", "DescribeSecurityGroups"),
    ("ec2", "RunInstances"),
    ("ec2", "CreateNatGateway"),
    ("ec2", "AssociateRouteTable"),
    ("ec2", "CreateSubnet"),
    ("ec2", "CreateTags"),
    ("organizations", "DescribeOrganization"),
    ("organizations", "ListAccounts"),
    ("monitoring", "PutMetricAlarm"),
    ("logs", "CreateLogGroup"),
    ("rds", "CreateDBSnapshot"),
    ("sts", "AssumeRole"),
}

#: The words that Security Hub compares with (its controls CloudWatch.1 to .14); the last one is CIS's and Prowler's.
WORDING = {
    "unauthorized-calls": '{($.errorCode="*UnauthorizedOperation") || ($.errorCode="AccessDenied*")}',
    "sign-in-without-mfa": '{ ($.eventName = "ConsoleLogin") && ($.additionalEventData.MFAUsed != "Yes") '
    '&& ($.userIdentity.type = "IAMUser") && ($.responseElements.ConsoleLogin = "Success") }',
    "root-use": '{$.userIdentity.type="Root" && $.userIdentity.invokedBy NOT EXISTS '
    '&& $.eventType !="AwsServiceEvent"}',
    "sign-in-failures": '{($.eventName=ConsoleLogin) && ($.errorMessage="Failed authentication")}',
    **{
        key: "{" + " || ".join(f"($.eventName={name})" for name in CALLS[key][1].split()) + "}"
        for key in ("trail-changes", "security-group-changes", "network-acl-changes", "gateway-changes", "vpc-changes")
    },
    **{
        key: "{($.eventSource=" + CALLS[key][0] + ".amazonaws.com) && ("
        + " || ".join(f"($.eventName={name})" for name in CALLS[key][1].split()) + ")}"
        for key in (
            "iam-policy-changes",
            "key-removal",
            "bucket-policy-changes",
            "config-changes",
            "route-table-changes",
            "organization-changes",
        )
    },
}  # fmt: skip

NOBODY = Exclusions()
SOME = Exclusions(
    deployment=(f"arn:aws:iam::{ACCOUNT}:role/ci/deploy", f"arn:aws:iam::{ACCOUNT}:user/robot"),
    scanners=(f"arn:aws:iam::{ACCOUNT}:role/scanner",),
    services=("config.amazonaws.com", "access-analyzer.amazonaws.com"),
)


def patterns(tier, exclusions=NOBODY):
    return {f.key: filter_pattern.parse(f.pattern) for f in filters.plan_filters(exclusions) if f.tier == tier}


def calls_of(key):
    source, names = CALLS.get(key, ("", ""))
    return {(source, name) for name in names.split()}


UNIVERSE = {
    *NEIGHBOURS,
    *(pair for key in CALLS for pair in calls_of(key)),
    *(p for some in MORE.values() for p in some),
}


def test_there_are_fifteen_controls_in_two_tiers_and_three_of_our_own():
    planned = filters.plan_filters(NOBODY)
    assert [control.number for control in CONTROLS] == [*range(1, 16), None, None, None]
    assert {f.key for f in planned if f.tier == "literal"} == {control.key for control in CONTROLS if control.number}
    assert [f.key for f in planned if f.tier == "tuned"] == [control.key for control in CONTROLS]
    assert len({f.metric for f in planned}) == len(planned) == 33


def test_the_literal_patterns_are_the_benchmarks_own_words():
    assert {f.key: f.pattern for f in filters.plan_filters(SOME) if f.tier == "literal"} == WORDING


@pytest.mark.parametrize("key", CALLS)
def test_a_literal_pattern_names_each_call_where_a_checker_looks_for_it(key):
    pattern = WORDING[key]
    assert all(re.search(rf'\$\.eventName\s*=\s*"?{name}\b', pattern) for _, name in calls_of(key))


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize("key", [*CALLS, *(key for key in MORE if key not in CALLS)])
def test_a_filter_counts_its_calls_by_anybody_and_no_other_call(key, who):
    by = STRANGERS[who]
    wide = {("anything", name) for _, name in calls_of(key)} | UNIVERSE

    def counted(pattern):
        return {pair for pair in wide if pattern.matches(call(*pair, by))}

    sourced = WORDING[key].startswith("{($.eventSource=") if key in CALLS else key == "credential-changes"
    other_services = set() if sourced else {pair for pair in wide if pair[1] in {name for _, name in calls_of(key)}}
    if key in CALLS:
        assert counted(patterns("literal")[key]) == calls_of(key) | other_services
    assert counted(patterns("tuned", SOME)[key]) == calls_of(key) | MORE.get(key, set()) | other_services


@pytest.mark.parametrize(
    ("event", "literal", "tuned"),
    [
        (sign_in(user("ann")), True, True),
        (sign_in(user("ann"), factor="Yes"), False, False),
        (sign_in(user("ann"), factor=None), False, True),
        (sign_in(user("ann"), succeeds=False), False, False),
        (sign_in(ROOT), False, True),
        (sign_in(ROOT, factor="Yes"), False, False),
        (sign_in(role("sso")), False, False),
        (call("signin", "CheckMfa", user("ann")), False, False),
    ],
)
def test_sign_ins_without_a_second_factor(event, literal, tuned):
    key = "sign-in-without-mfa"
    assert (patterns("literal")[key].matches(event), patterns("tuned")[key].matches(event)) == (literal, tuned)


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        (sign_in(user("ann"), succeeds=False), True),
        (sign_in(ROOT, succeeds=False), True),
        (sign_in(user("ann")), False),
        ({**sign_in(user("ann"), succeeds=False), "errorMessage": "No username found in supplied account"}, False),
    ],
)
@pytest.mark.parametrize("tier", ["literal", "tuned"])
def test_sign_ins_that_fail(tier, event, counts):
    assert patterns(tier)["sign-in-failures"].matches(event) is counts


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        (call("s3", "ListBuckets", ROOT, readOnly=True), True),
        (call("iam", "CreateAccessKey", ROOT), True),
        (sign_in(ROOT, factor="Yes"), True),
        (call("kms", "RotateKey", ROOT, eventType="AwsServiceEvent"), False),
        (call("s3", "ListBuckets", service("support.amazonaws.com", **ROOT)), False),
        (call("s3", "ListBuckets", user("root")), False),
        (call("s3", "ListBuckets", role("Root")), False),
    ],
)
@pytest.mark.parametrize("tier", ["literal", "tuned"])
def test_use_of_the_root_user(tier, event, counts):
    assert patterns(tier, SOME)["root-use"].matches(event) is counts


@pytest.mark.parametrize(
    ("code", "literal"),
    [
        ("Client.UnauthorizedOperation", True),
        ("UnauthorizedOperation", True),
        ("AccessDenied", True),
        ("AccessDeniedException", True),
        ("KMS.AccessDenied", False),
        ("Throttling", False),
        ("NoSuchBucket", False),
        (None, False),
    ],
)
def test_refused_calls(code, literal):
    event = call("ec2", "RunInstances", role("visitor"), **({"errorCode": code} if code else {}))
    found = {tier: patterns(tier, SOME)["unauthorized-calls"].matches(event) for tier in ("literal", "tuned")}
    assert found == {"literal": literal, "tuned": literal}


@pytest.mark.parametrize("change", [{"eventName": "HeadBucket"}, {"sourceIPAddress": "delivery.logs.amazonaws.com"}])
def test_what_the_newer_benchmark_leaves_out_of_refused_calls_pages_nobody(change):
    event = {**call("s3", "GetObject", errorCode="AccessDenied"), **change}
    assert patterns("literal")["unauthorized-calls"].matches(event)
    assert not patterns("tuned")["unauthorized-calls"].matches(event)


#: Who is left out of what, as the settings ``SOME`` say.
CHANGES = {
    "iam-policy-changes",
    "bucket-policy-changes",
    "config-changes",
    "security-group-changes",
    "network-acl-changes",
    "gateway-changes",
    "route-table-changes",
    "vpc-changes",
    "credential-changes",
    "data-sharing",
    "blinding",
}
LEFT_OUT = {
    "deploy role": (role("deploy", "pulumi"), CHANGES | {"unauthorized-calls"}),
    "deploy user": (user("robot"), CHANGES | {"unauthorized-calls"}),
    "scanner": (role("scanner"), {"unauthorized-calls"}),
    "service": (service("config.amazonaws.com"), CHANGES | {"unauthorized-calls"}),
    "service for a role": (service("config.amazonaws.com", **role("visitor")), CHANGES | {"unauthorized-calls"}),
    "other service": (service("access-analyzer.amazonaws.com"), CHANGES | {"unauthorized-calls"}),
    "role of a like name": (role("deployer"), set()),
    "role of the name in another account": (role("deploy", account="999999999999"), set()),
    "session of the name": (role("visitor", "deploy"), set()),
    "user of the role's name": (user("deploy"), set()),
    "user of the name on a path": (user("ci/robot"), set()),
    "service of a like name": (service("config-multiaccountsetup.amazonaws.com"), set()),
    "federated": (STRANGERS["federated"], set()),
    "nobody in particular": ({"type": "Unknown"}, set()),
}


def an_event(key, by):
    if key == "unauthorized-calls":
        return call("ec2", "RunInstances", by, errorCode="AccessDenied")
    source, name = min(calls_of(key) or MORE[key])
    return call(source, name, by)


@pytest.mark.parametrize("who", LEFT_OUT)
def test_a_twin_leaves_out_whom_the_settings_name_and_nobody_else(who):
    by, left_out = LEFT_OUT[who]
    keys = {control.key for control in CONTROLS} - {"root-use", "sign-in-without-mfa", "sign-in-failures"}
    tuned, literal = patterns("tuned", SOME), patterns("literal", SOME)
    assert {key for key in keys if not tuned[key].matches(an_event(key, by))} == left_out
    assert all(pattern.matches(an_event(key, by)) for key, pattern in literal.items() if key in keys)


@pytest.mark.parametrize("key", ["root-use", "sign-in-without-mfa", "sign-in-failures", "trail-changes", "key-removal"])
def test_what_nobody_is_expected_to_do_is_the_same_for_everybody(key):
    planned = [
        {f.key: f.pattern for f in filters.plan_filters(who) if f.tier == "tuned"}[key] for who in (NOBODY, SOME)
    ]
    assert planned[0] == planned[1]


@pytest.mark.parametrize(
    ("arn", "seen"),
    [
        ("arn:aws:iam::210987654321:role/deploy", "arn:aws:sts::210987654321:assumed-role/deploy/*"),
        ("arn:aws:iam::210987654321:role/ci/eu/deploy", "arn:aws:sts::210987654321:assumed-role/deploy/*"),
        ("arn:aws-cn:iam::210987654321:role/x", "arn:aws-cn:sts::210987654321:assumed-role/x/*"),
        ("arn:aws:iam::210987654321:user/ci/robot", "arn:aws:iam::210987654321:user/ci/robot"),
    ],
)
def test_a_principal_is_compared_as_cloudtrail_shows_it(arn, seen):
    assert filters.as_seen(arn) == seen


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "deploy",
        "arn:aws:iam::210987654321:root",
        "arn:aws:iam::210987654321:role/",
        "arn:aws:iam::210987654321:role/*",
        "arn:aws:iam::210987654321:group/x",
        "arn:aws:sts::210987654321:assumed-role/deploy/x",
    ],
)
def test_what_is_no_principal_is_refused(arn):
    with pytest.raises(ValueError, match=r"is no ARN of an IAM role or user; write arn:aws:iam::<account>:role/<name>"):
        filters.as_seen(arn)


def test_too_many_exclusions_are_refused_with_the_way_out():
    many = Exclusions(deployment=tuple(f"arn:aws:iam::{ACCOUNT}:role/deployment-number-{n:02}" for n in range(9)))
    with pytest.raises(ValueError, match=r"iam-policy-changes takes \d+ characters; .* 1024\. Excuse fewer"):
        filters.plan_filters(many)


role_names = st.text("abcXYZ-_+=,.@", min_size=1, max_size=64)
arns = st.builds(
    lambda kind, name: f"arn:aws:iam::{ACCOUNT}:{kind}/{name}", st.sampled_from(["role", "user"]), role_names
)
quiet = st.builds(
    audit.QuietSettings,
    deployment=st.lists(arns, max_size=4).map(tuple),
    scanners=st.lists(arns, max_size=4).map(tuple),
    services=st.lists(st.sampled_from(["config.amazonaws.com", "access-analyzer.amazonaws.com"]), max_size=6).map(
        tuple
    ),
)


@given(quiet)
def test_exclusions_that_the_settings_accept_fit_into_every_pattern(settings):
    faults = tuple(audit.broken_rules(audit.AuditSettings(quiet=settings), "dev"))
    exclusions = Exclusions(deployment=settings.deployment, scanners=settings.scanners, services=settings.services)
    if not faults:
        assert all(len(f.pattern) <= 1024 for f in filters.plan_filters(exclusions))


def test_the_room_that_the_settings_promise_is_the_room_there_is():
    longest = {
        excuses: max(len(filters.tuned_pattern(c, NOBODY)) for c in CONTROLS if c.excuses == excuses)
        for excuses in {c.excuses for c in CONTROLS if c.excuses}
    }
    room = {"scanner" in excuses: 1024 - length for excuses, length in longest.items()}
    assert 0 <= room[False] - audit.ROOM_FOR_CHANGES < 10
    assert 0 <= room[True] - audit.ROOM_FOR_CALLS < 10


def test_an_alarm_says_how_bad_how_soon_where_to_read_and_what_to_do_first():
    texts = {(f.key, f.tier): f.description for f in filters.plan_filters(NOBODY)}
    assert texts["root-use", "tuned"].splitlines() == [
        "The root user was used (CIS 5.0 4.3, CIS 7.0 5.3).",
        "Severity: critical, respond within 15 minutes",
        "Impact: Root may do everything, and no policy stops it.",
        "Run book: 000_… §7 CloudTrail",
        "First action: Ask the account's owner; if it was not them, change the root password, delete root's access "
        "keys and read what was called.",
    ]
    assert texts["root-use", "literal"].splitlines()[:3] == [
        "The root user was used (CIS 5.0 4.3, CIS 7.0 5.3).",
        "Severity: low, respond on the next business day",
        "Impact: Evidence of the control; whoever has to act is paged by its twin.",
    ]
    for text in texts.values():
        told = alarm.describe(text)
        assert all((told.summary, told.impact, told.run_book, told.first_action))
        assert re.match(r"00[0-4]_… ", told.run_book)
        assert len(text) <= 1024


def test_what_pages_is_never_low_and_evidence_always_is():
    planned = filters.plan_filters(SOME)
    assert {f.severity for f in planned if f.tier == "literal"} == {"low"}
    assert {f.key for f in planned if f.severity == "critical"} == {"root-use", "trail-changes", "key-removal"}
    assert "low" not in {f.severity for f in planned if f.tier == "tuned"}


def test_patterns_are_read_from_text_as_from_objects():
    event = call("cloudtrail", "StopLogging")
    assert all(
        pattern.matches(event) == pattern.matches(json.dumps(event)) for pattern in patterns("tuned", SOME).values()
    )
