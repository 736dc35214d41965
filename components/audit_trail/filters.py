"""What the trail's log is searched for: the fifteen CIS monitoring controls in two tiers, and three more.

The *literal* tier is what benchmarks look for, in the words of Security Hub's controls CloudWatch.1 to CloudWatch.14
and of CIS 4.15, whoever acts; it is evidence and wakes nobody. The *tuned* twin leaves out who is expected to do such
things, and pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from settings.severity import Severity

from .._told import advice

Tier = Literal["literal", "tuned"]

#: Whom a tuned filter may leave out.
Excuse = Literal["deployment", "scanner", "service"]

#: What CloudWatch Logs takes (API reference, MetricFilter).
LONGEST_PATTERN = 1024

_CALLS: frozenset[Excuse] = frozenset({"deployment", "scanner", "service"})
_CHANGES: frozenset[Excuse] = frozenset({"deployment", "service"})
_NOBODY: frozenset[Excuse] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusions:
    """Who is expected to do what the filters look for.

    ``deployment``: ARNs of the roles or users that deploy; ``scanners``: of those that try what they may not;
    ``services``: AWS services that act by themselves (``config.amazonaws.com``).
    """

    deployment: tuple[str, ...] = ()
    scanners: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One thing to be told of.

    ``number``: of the CIS control, 1 to 15 (section 4 of version 5.0, section 5 of 7.0), None for one of our own.
    ``events``: names of API calls; ``more``: those that only the twin looks for; ``source``: the service called.
    ``wording``: the literal pattern where it is no plain list of events; ``condition``: the twin's, likewise.
    ``severity``: of the twin. ``impact``: what it may mean; ``runbook``: section of the run books; ``first``: the first
    action, a sentence.
    """

    key: str
    number: int | None
    title: str
    severity: Severity
    impact: str
    runbook: str
    first: str
    events: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    source: str | None = None
    wording: str | None = None
    condition: str | None = None
    excuses: frozenset[Excuse] = _NOBODY

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """``CIS 5.0 4.3``, ``CIS 7.0 5.3``; nothing for a control of our own."""
        return (f"CIS 5.0 4.{self.number}", f"CIS 7.0 5.{self.number}") if self.number else ()

    @property
    def told(self) -> str:
        """The title with the numbers of its benchmarks."""
        return f"{self.title} ({', '.join(self.benchmarks)})" if self.benchmarks else self.title

    @property
    def metric(self) -> str:
        """``RootUse``: the metric of the literal tier; the twin's has ``Paging`` behind it."""
        return "".join(word.capitalize() for word in self.key.split("-"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A metric filter with its alarm. ``description``: of the alarm, all that whoever is woken needs at once."""

    key: str
    tier: Tier
    pattern: str
    metric: str
    severity: Severity
    description: str


def plan_filters(exclusions: Exclusions) -> tuple[Filter, ...]:
    """The literal filter and the tuned twin of each CIS control, and the filters of our own controls.

    Raises ValueError when the exclusions make a pattern longer than CloudWatch Logs takes, or name no principal.
    """
    return tuple(_filters(exclusions))


def _filters(exclusions: Exclusions) -> Iterator[Filter]:
    for control in CONTROLS:
        if control.number is not None:
            yield Filter(
                key=control.key,
                tier="literal",
                pattern=literal_pattern(control),
                metric=control.metric,
                severity="low",
                description=_evidence(control),
            )
        yield Filter(
            key=control.key,
            tier="tuned",
            pattern=tuned_pattern(control, exclusions),
            metric=f"{control.metric}Paging",
            severity=control.severity,
            description=advice(
                control.severity, control.told, control.impact, run_book=control.runbook, first=control.first
            ),
        )


def _evidence(control: Control) -> str:
    return advice(
        "low",
        control.told,
        "Evidence of the control; whoever has to act is paged by its twin.",
        run_book=control.runbook,
        first="Compare with the twin: an event that paged nobody was done by somebody who is left out on purpose.",
    )


def literal_pattern(control: Control) -> str:
    """The words of the benchmark, which its checkers compare with."""
    if control.wording is not None:
        return control.wording
    names = " || ".join(f"($.eventName={event})" for event in control.events)
    return f"{{($.eventSource={control.source}) && ({names})}}" if control.source else f"{{{names}}}"


def tuned_pattern(control: Control, exclusions: Exclusions) -> str:
    """The twin's pattern: the control's events, save by those who are excused.

    An event without the property that tells who acted counts: a comparison with a missing one never holds.
    """
    condition = control.condition or _any_event(control)
    parts = [condition]
    principals = [
        *(exclusions.deployment if "deployment" in control.excuses else ()),
        *(exclusions.scanners if "scanner" in control.excuses else ()),
    ]
    services = exclusions.services if "service" in control.excuses else ()
    for selector, excused in (
        ("$.userIdentity.arn", [as_seen(arn) for arn in principals]),
        ("$.userIdentity.invokedBy", list(services)),
    ):
        if excused:
            others = " && ".join(f'{selector}!="{one}"' for one in dict.fromkeys(excused))
            parts.append(f"({selector} NOT EXISTS || ({others}))")
    pattern = f"{{ {' && '.join(parts)} }}"
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(
            f"The paging filter of {control.key} takes {len(pattern)} characters; CloudWatch Logs takes "
            f"{LONGEST_PATTERN}. Excuse fewer principals and services, or give them shorter names."
        )
    return pattern


def _any_event(control: Control) -> str:
    names = " || ".join(f"$.eventName={event}" for event in (*control.events, *control.more))
    return f"$.eventSource={control.source} && ({names})" if control.source else f"({names})"


def as_seen(arn: str) -> str:
    """How CloudTrail shows a principal: a role through its sessions, without its path; a user as it is.

    Raises ValueError for what is neither a role nor a user.
    """
    parts = arn.split(":", 5)
    kind, _, name = parts[-1].partition("/")
    if len(parts) != 6 or parts[2] != "iam" or kind not in ("role", "user") or not name or "*" in arn:
        raise ValueError(f"{arn!r} is no ARN of an IAM role or user; write arn:aws:iam::<account>:role/<name>.")
    if kind == "user":
        return arn
    return ":".join([*parts[:2], "sts", *parts[3:5], f"assumed-role/{name.rpartition('/')[2]}/*"])


_AUDIT = "001_… §4 (Check the audit logs for suspicious activity)"
_TRAIL = "000_… §7 CloudTrail"
_GROUPS = "000_… §6 Security Groups"
_ACLS = "000_… §6 Network ACLs"
_ROLES = "004_… Security Audit (Check IAM policies and roles)"
_NETWORK = "002_… §7.3"

CONTROLS: tuple[Control, ...] = (
    Control(
        key="unauthorized-calls",
        number=1,
        title="An API call was refused",
        severity="medium",
        impact="Somebody tries what they may not, or a permission is missing.",
        runbook=_TRAIL,
        first="Run the saved query denied-calls; a principal that nobody knows, or many services, is an attack.",
        wording='{($.errorCode="*UnauthorizedOperation") || ($.errorCode="AccessDenied*")}',
        condition='($.errorCode = "*UnauthorizedOperation" || $.errorCode = "AccessDenied*")'
        ' && $.sourceIPAddress != "delivery.logs.amazonaws.com" && $.eventName != "HeadBucket"',
        excuses=_CALLS,
    ),
    Control(
        key="sign-in-without-mfa",
        number=2,
        title="Somebody signed in to the console without a second factor",
        severity="high",
        impact="A password alone, which may be stolen, opens the account.",
        runbook=_TRAIL,
        first="Ask the user; if it was not them, delete the console password and the access keys.",
        wording='{ ($.eventName = "ConsoleLogin") && ($.additionalEventData.MFAUsed != "Yes")'
        ' && ($.userIdentity.type = "IAMUser") && ($.responseElements.ConsoleLogin = "Success") }',
        # Federated users show their second factor to their own provider.
        condition='$.eventName = "ConsoleLogin" && $.responseElements.ConsoleLogin = "Success"'
        ' && ($.userIdentity.type = "IAMUser" || $.userIdentity.type = "Root")'
        ' && ($.additionalEventData.MFAUsed NOT EXISTS || $.additionalEventData.MFAUsed != "Yes")',
    ),
    Control(
        key="root-use",
        number=3,
        title="The root user was used",
        severity="critical",
        impact="Root may do everything, and no policy stops it.",
        runbook=_TRAIL,
        first="Ask the account's owner; if it was not them, change the root password, delete root's access keys and "
        "read what was called.",
        wording='{$.userIdentity.type="Root" && $.userIdentity.invokedBy NOT EXISTS'
        ' && $.eventType !="AwsServiceEvent"}',
        condition='$.userIdentity.type = "Root" && $.userIdentity.invokedBy NOT EXISTS'
        ' && $.eventType != "AwsServiceEvent"',
    ),
    Control(
        key="iam-policy-changes",
        number=4,
        title="An IAM policy was changed",
        severity="high",
        impact="Somebody may do more than before.",
        runbook=_ROLES,
        first="Read the new policy; undo it where it allows more than a ticket asked for.",
        source="iam.amazonaws.com",
        events=(
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
        excuses=_CHANGES,
    ),
    Control(
        key="trail-changes",
        number=5,
        title="A trail was changed or stopped",
        severity="critical",
        impact="What happens from now on may leave no trace.",
        runbook=_TRAIL,
        first="Start logging again, then find out who stopped it and what they did before and after.",
        events=("CreateTrail", "UpdateTrail", "DeleteTrail", "StartLogging", "StopLogging"),
    ),
    Control(
        key="sign-in-failures",
        number=6,
        title="A console sign-in failed",
        severity="medium",
        impact="Somebody may be guessing a password.",
        runbook=_TRAIL,
        first="Run the saved query console-sign-ins; block the address or lock the user when failures come in series.",
        wording='{($.eventName=ConsoleLogin) && ($.errorMessage="Failed authentication")}',
        condition='$.eventName = "ConsoleLogin" && $.errorMessage = "Failed authentication"',
    ),
    Control(
        key="key-removal",
        number=7,
        title="A customer key was disabled or is going to be deleted",
        severity="critical",
        impact="What the key encrypts, backups too, can no longer be read.",
        runbook="003_… Backups (Encrypt sensitive backups)",
        first="Cancel the deletion or enable the key again: what it encrypts cannot be read without it.",
        source="kms.amazonaws.com",
        events=("DisableKey", "ScheduleKeyDeletion"),
    ),
    Control(
        key="bucket-policy-changes",
        number=8,
        title="Access to a bucket, or how long it keeps things, was changed",
        severity="high",
        impact="Data may be readable by strangers, or gone sooner than planned.",
        runbook="003_… Backups (S3 bucket with strict permissions)",
        first="Compare the bucket's policy with the program's; deploy again to undo it.",
        source="s3.amazonaws.com",
        events=(
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
        excuses=_CHANGES,
    ),
    Control(
        key="config-changes",
        number=9,
        title="AWS Config was changed or stopped",
        severity="medium",
        impact="Changes of resources may no longer be recorded.",
        runbook=_AUDIT,
        first="Start the recorder again and look for what changed while it stood still.",
        source="config.amazonaws.com",
        events=(
            "StopConfigurationRecorder",
            "DeleteDeliveryChannel",
            "PutDeliveryChannel",
            "PutConfigurationRecorder",
        ),
        excuses=_CHANGES,
    ),
    Control(
        key="security-group-changes",
        number=10,
        title="A security group was changed",
        severity="high",
        impact="A port may be open to the world, or the platform cut off.",
        runbook=_GROUPS,
        first="Compare the group with the program's; deploy again to undo it.",
        events=(
            "AuthorizeSecurityGroupIngress",
            "AuthorizeSecurityGroupEgress",
            "RevokeSecurityGroupIngress",
            "RevokeSecurityGroupEgress",
            "CreateSecurityGroup",
            "DeleteSecurityGroup",
        ),
        # CIS has it since 5.0; Security Hub takes no literal filter that names it.
        more=("ModifySecurityGroupRules",),
        excuses=_CHANGES,
    ),
    Control(
        key="network-acl-changes",
        number=11,
        title="A network ACL was changed",
        severity="medium",
        impact="A subnet may be open to the world, or cut off.",
        runbook=_ACLS,
        first="Compare the ACL with the program's; deploy again to undo it.",
        events=(
            "CreateNetworkAcl",
            "CreateNetworkAclEntry",
            "DeleteNetworkAcl",
            "DeleteNetworkAclEntry",
            "ReplaceNetworkAclEntry",
            "ReplaceNetworkAclAssociation",
        ),
        excuses=_CHANGES,
    ),
    Control(
        key="gateway-changes",
        number=12,
        title="A gateway to other networks was changed",
        severity="high",
        impact="A private network may have a way to the internet.",
        runbook=_NETWORK,
        first="See which VPC has a new way out or in; detach it where no ticket asked for it.",
        events=(
            "CreateCustomerGateway",
            "DeleteCustomerGateway",
            "AttachInternetGateway",
            "CreateInternetGateway",
            "DeleteInternetGateway",
            "DetachInternetGateway",
        ),
        excuses=_CHANGES,
    ),
    Control(
        key="route-table-changes",
        number=13,
        title="A route table was changed",
        severity="high",
        impact="Traffic may leave the private network, or end nowhere.",
        runbook=_NETWORK,
        first="Compare the routes with the program's; a data subnet has none.",
        source="ec2.amazonaws.com",
        events=(
            "CreateRoute",
            "CreateRouteTable",
            "ReplaceRoute",
            "ReplaceRouteTableAssociation",
            "DeleteRouteTable",
            "DeleteRoute",
            "DisassociateRouteTable",
        ),
        excuses=_CHANGES,
    ),
    Control(
        key="vpc-changes",
        number=14,
        title="A VPC or a peering of VPCs was changed",
        severity="medium",
        impact="The private network may be joined to somebody else's.",
        runbook=_NETWORK,
        first="See whether the VPC has a new peer; reject or delete the peering where no ticket asked for it.",
        events=(
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
        excuses=_CHANGES,
    ),
    Control(
        key="organization-changes",
        number=15,
        title="The organisation was changed",
        severity="high",
        impact="Accounts may have left the organisation's guard rails.",
        runbook="002_… §9",
        first="Ask the organisation's owner; leave no account moved and no policy detached that they know nothing of.",
        source="organizations.amazonaws.com",
        events=(
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
    ),
    Control(
        key="credential-changes",
        number=None,
        title="A way to act as somebody else was made",
        severity="high",
        impact="Whoever did it can come back at any time.",
        runbook=_ROLES,
        first="Ask whoever did it; delete the key or restore the role's trust where no ticket asked for it.",
        source="iam.amazonaws.com",
        events=(
            "CreateAccessKey",
            "CreateLoginProfile",
            "CreateUser",
            "CreateSAMLProvider",
            "CreateOpenIDConnectProvider",
            "DeactivateMFADevice",
            "UpdateAssumeRolePolicy",
            "UpdateLoginProfile",
        ),
        excuses=_CHANGES,
    ),
    Control(
        key="data-sharing",
        number=None,
        title="Data may have been opened to others",
        severity="high",
        impact="Backups or files may be readable by strangers.",
        runbook="003_… Backups (S3 bucket with strict permissions)",
        first="See whom the snapshot, image or bucket is shared with and take it back.",
        events=(
            "DeleteBucketPublicAccessBlock",
            "DeleteAccountPublicAccessBlock",
            "PutBucketPublicAccessBlock",
            "PutAccountPublicAccessBlock",
            "ModifyDBClusterSnapshotAttribute",
            "ModifyDBSnapshotAttribute",
            "ModifyImageAttribute",
            "ModifySnapshotAttribute",
        ),
        excuses=_CHANGES,
    ),
    Control(
        key="blinding",
        number=None,
        title="Something that watches was switched off",
        severity="high",
        impact="What happens from now on may be seen by nobody.",
        runbook="001_… §1 (set up alerts to notify them)",
        first="Switch it on again, then look for what happened in between.",
        events=(
            "DeleteAlarms",
            "DisableAlarmActions",
            "DeleteConfigurationRecorder",
            "DeleteDetector",
            "DeleteFlowLogs",
            "DeleteLogGroup",
            "DeleteMetricFilter",
            "DisableRule",
            "PutEventSelectors",
            "PutInsightSelectors",
        ),
        excuses=_CHANGES,
    ),
)
