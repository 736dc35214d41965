"""What the fifteen CIS monitoring controls are about, and three more, as events that a filter must count.

Source: CIS AWS Foundations Benchmark 5.0, 4.1 to 4.15, and 7.0, 5.1 to 5.15. A filter is judged by what it does with
these events, never by its words.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]

_ACCOUNT = "999988887777"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """``name``: how a finding calls the event (``PutRolePolicy``); ``by``: who acted. Compared by identity."""

    name: str
    by: str
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control. ``title``: what is watched, in the middle of a sentence; ``number``: of CIS, or a name of our own.

    ``evidence``: what the benchmark's filter counts, nothing where there is no benchmark; ``paging``: what somebody
    must be told of, which may be more. ``narrowed``: properties by which the benchmark's filter leaves something out.
    """

    number: int | str
    title: str
    evidence: tuple[Sample, ...]
    paging: tuple[Sample, ...]
    narrowed: frozenset[str] = frozenset()


#: Three strangers from three places, so that a filter which knows one kind or one region alone is found out.
_STRANGERS: Mapping[str, Mapping[str, Any]] = {
    "an IAM user": {
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.23",
        "userAgent": "aws-cli/2.27.0",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDASTRANGER0000000",
            "arn": f"arn:aws:iam::{_ACCOUNT}:user/stranger",
            "accountId": _ACCOUNT,
            "userName": "stranger",
        },
    },
    "a role": {
        "awsRegion": "eu-north-1",
        "sourceIPAddress": "203.0.113.77",
        "userAgent": "Boto3/1.40.0",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROASTRANGER0000000:session",
            "arn": f"arn:aws:sts::{_ACCOUNT}:assumed-role/stranger/session",
            "accountId": _ACCOUNT,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "arn": f"arn:aws:iam::{_ACCOUNT}:role/stranger",
                    "accountId": _ACCOUNT,
                    "userName": "stranger",
                },
                "attributes": {"mfaAuthenticated": "false"},
            },
        },
    },
    "the root user": {
        "awsRegion": "ap-southeast-2",
        "sourceIPAddress": "192.0.2.146",
        "userAgent": "console.amazonaws.com",
        "userIdentity": {
            "type": "Root",
            "principalId": _ACCOUNT,
            "arn": f"arn:aws:iam::{_ACCOUNT}:root",
            "accountId": _ACCOUNT,
        },
    },
}


def _event(by: str, source: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "eventID": "1e9d1c2b-7a44-4a0c-9f3e-5b8d6f70a1c2",
        "eventTime": "2026-02-03T04:05:06Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "managementEvent": True,
        "readOnly": False,
        "recipientAccountId": _ACCOUNT,
        "requestParameters": {},
        "responseElements": None,
        **copy.deepcopy(dict(_STRANGERS[by])),
        **more,
    }


def _calls(source: str, *names: str) -> tuple[Sample, ...]:
    return tuple(Sample(name, by, _event(by, source, name)) for name in names for by in _STRANGERS)


def _refusals() -> Iterator[Sample]:
    for source, call, code in (
        ("ec2", "RunInstances", "Client.UnauthorizedOperation"),
        ("s3", "ListAllMyBuckets", "AccessDenied"),
        ("kms", "Decrypt", "AccessDeniedException"),
    ):
        for by in ("an IAM user", "a role"):
            event = _event(by, source, call, errorCode=code, errorMessage="not authorized")
            yield Sample(f"a call refused with {code}", by, event)


def _sign_in(name: str, by: str, *, factor: str, succeeds: bool) -> Sample:
    outcome: dict[str, Any] = {"responseElements": {"ConsoleLogin": "Success" if succeeds else "Failure"}}
    if not succeeds:
        outcome["errorMessage"] = "Failed authentication"
    event = _event(
        by,
        "signin",
        "ConsoleLogin",
        eventType="AwsConsoleSignIn",
        additionalEventData={"MFAUsed": factor, "MobileVersion": "No", "LoginTo": "https://console.aws.amazon.com/"},
        **outcome,
    )
    return Sample(name, by, event)


ROOT = "the root user"

_REFUSALS = tuple(_refusals())
_NO_FACTOR = (_sign_in("a sign-in without a second factor", "an IAM user", factor="No", succeeds=True),)
_FAILURES = tuple(
    _sign_in("a sign-in that failed", by, factor=factor, succeeds=False)
    for by, factor in (("an IAM user", "No"), (ROOT, "Yes"))
)
_ROOT_USE = (
    Sample("a call", ROOT, _event(ROOT, "s3", "ListBuckets", readOnly=True)),
    Sample("a change", ROOT, _event(ROOT, "iam", "CreateAccessKey")),
    _sign_in("a sign-in", ROOT, factor="Yes", succeeds=True),
)

#: What happens all day long. A filter that counts it counts everything, and its alarm says nothing.
HARMLESS: tuple[Sample, ...] = (
    Sample("DescribeInstances", "a role", _event("a role", "ec2", "DescribeInstances", readOnly=True)),
    _sign_in("a sign-in with a second factor", "an IAM user", factor="Yes", succeeds=True),
)


def _changes(number: int, title: str, source: str, *names: str, later: tuple[str, ...] = ()) -> Control:
    """A control that lists calls of one service; ``later``: calls that only newer benchmarks name."""
    return Control(number=number, title=title, evidence=_calls(source, *names), paging=_calls(source, *names, *later))


CONTROLS: tuple[Control, ...] = (
    Control(
        number=1,
        title="refused API calls",
        evidence=_REFUSALS,
        paging=_REFUSALS,
        narrowed=frozenset({"$.sourceIPAddress", "$.eventName"}),
    ),
    Control(
        number=2,
        title="console sign-ins without a second factor",
        evidence=_NO_FACTOR,
        paging=_NO_FACTOR,
        narrowed=frozenset({"$.additionalEventData.MFAUsed"}),
    ),
    Control(
        number=3,
        title="use of the root user",
        evidence=_ROOT_USE,
        paging=_ROOT_USE,
        narrowed=frozenset({"$.userIdentity.invokedBy", "$.eventType"}),
    ),
    _changes(
        4,
        "changes of IAM policies",
        "iam",
        "DeleteGroupPolicy",
        "DeleteRolePolicy",
        "DeleteUserPolicy",
        "PutGroupPolicy",
        "PutRolePolicy",
        "PutUserPolicy",
        "CreatePolicy",
        "DeletePolicy",
        "CreatePolicyVersion",
        "DeletePolicyVersion",
        "AttachRolePolicy",
        "DetachRolePolicy",
        "AttachUserPolicy",
        "DetachUserPolicy",
        "AttachGroupPolicy",
        "DetachGroupPolicy",
    ),
    _changes(
        5,
        "changes of trails",
        "cloudtrail",
        "CreateTrail",
        "UpdateTrail",
        "DeleteTrail",
        "StartLogging",
        "StopLogging",
    ),
    Control(number=6, title="console sign-ins that fail", evidence=_FAILURES, paging=_FAILURES),
    _changes(7, "customer keys that are disabled or deleted", "kms", "DisableKey", "ScheduleKeyDeletion"),
    _changes(
        8,
        "changes of bucket policies",
        "s3",
        "PutBucketAcl",
        "PutBucketPolicy",
        "PutBucketCors",
        "PutBucketLifecycle",
        "PutBucketReplication",
        "DeleteBucketPolicy",
        "DeleteBucketCors",
        "DeleteBucketLifecycle",
        "DeleteBucketReplication",
    ),
    _changes(
        9,
        "changes of AWS Config",
        "config",
        "StopConfigurationRecorder",
        "DeleteDeliveryChannel",
        "PutDeliveryChannel",
        "PutConfigurationRecorder",
    ),
    _changes(
        10,
        "changes of security groups",
        "ec2",
        "AuthorizeSecurityGroupIngress",
        "AuthorizeSecurityGroupEgress",
        "RevokeSecurityGroupIngress",
        "RevokeSecurityGroupEgress",
        "CreateSecurityGroup",
        "DeleteSecurityGroup",
        later=("ModifySecurityGroupRules",),
    ),
    _changes(
        11,
        "changes of network ACLs",
        "ec2",
        "CreateNetworkAcl",
        "CreateNetworkAclEntry",
        "DeleteNetworkAcl",
        "DeleteNetworkAclEntry",
        "ReplaceNetworkAclEntry",
        "ReplaceNetworkAclAssociation",
    ),
    _changes(
        12,
        "changes of network gateways",
        "ec2",
        "CreateCustomerGateway",
        "DeleteCustomerGateway",
        "AttachInternetGateway",
        "CreateInternetGateway",
        "DeleteInternetGateway",
        "DetachInternetGateway",
    ),
    _changes(
        13,
        "changes of route tables",
        "ec2",
        "CreateRoute",
        "CreateRouteTable",
        "ReplaceRoute",
        "ReplaceRouteTableAssociation",
        "DeleteRouteTable",
        "DeleteRoute",
        "DisassociateRouteTable",
    ),
    _changes(
        14,
        "changes of VPCs",
        "ec2",
        "CreateVpc",
        "DeleteVpc",
        "ModifyVpcAttribute",
        "AcceptVpcPeeringConnection",
        "CreateVpcPeeringConnection",
        "DeleteVpcPeeringConnection",
        "RejectVpcPeeringConnection",
        "AttachClassicLinkVpc",
        "DetachClassicLinkVpc",
        "DisableVpcClassicLink",
        "EnableVpcClassicLink",
    ),
    _changes(
        15,
        "changes of the organisation",
        "organizations",
        "AcceptHandshake",
        "AttachPolicy",
        "CancelHandshake",
        "CreateAccount",
        "CreateOrganization",
        "CreateOrganizationalUnit",
        "CreatePolicy",
        "DeclineHandshake",
        "DeleteOrganization",
        "DeleteOrganizationalUnit",
        "DeletePolicy",
        "EnableAllFeatures",
        "EnablePolicyType",
        "InviteAccountToOrganization",
        "LeaveOrganization",
        "DetachPolicy",
        "DisablePolicyType",
        "MoveAccount",
        "RemoveAccountFromOrganization",
        "UpdateOrganizationalUnit",
        "UpdatePolicy",
    ),
)


def _own(name: str, title: str, *paging: Sample) -> Control:
    return Control(number=name, title=title, evidence=(), paging=paging)


#: What an intruder does next and no benchmark asks for.
OWN_CONTROLS: tuple[Control, ...] = (
    _own(
        "credentials",
        "new ways to act as somebody else",
        *_calls("iam", "CreateAccessKey", "CreateLoginProfile", "UpdateAssumeRolePolicy"),
    ),
    _own(
        "sharing",
        "data that is opened to others",
        *_calls("s3", "PutBucketPublicAccessBlock", "DeleteBucketPublicAccessBlock"),
        *_calls("rds", "ModifyDBSnapshotAttribute"),
        *_calls("ec2", "ModifySnapshotAttribute"),
    ),
    _own(
        "blinding",
        "watching that is switched off",
        *_calls("cloudtrail", "PutEventSelectors", "PutInsightSelectors"),
        *_calls("config", "DeleteConfigurationRecorder"),
        *_calls("ec2", "DeleteFlowLogs"),
        *_calls("logs", "DeleteLogGroup", "DeleteMetricFilter"),
        *_calls("monitoring", "DeleteAlarms", "DisableAlarmActions"),
    ),
)
