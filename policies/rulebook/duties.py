"""Rules for what a role is for: it has its policies, and each says no more and no less than the work asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator

from . import documents, links, senders
from .coverage import DATABASE
from .documents import Condition, Statement
from .resource import Resource, Stack
from .roles import trusts
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .values import listed

DOCUMENT = "aws:ssm/document:Document"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
KEY = "aws:kms/key:Key"
BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
WINDOW_TASK = "aws:ssm/maintenanceWindowTask:MaintenanceWindowTask"

_PARTS = {links.ROLE_POLICY: "role", links.ATTACHMENT: "role"}


# Every role has a policy, every policy a role


def _whole(stack: Stack) -> Iterator[Fault]:
    def judge(resource: Resource) -> Iterator[Fault]:
        if resource.type != links.ROLE:
            if not links.targets(stack, resource, _PARTS[resource.type], links.ROLE):
                yield Fault("The policy is for a role that is not declared here.", resource.urn)
        elif not _has_policy(stack, resource):
            yield Fault("The role may do nothing: it has no policy.", resource.urn)

    yield from each(stack.of(links.ROLE, *_PARTS), judge)


def _has_policy(stack: Stack, role: Resource) -> bool:
    managed = role.items("managedPolicyArns") or links.attachments_of(stack, role)
    return bool(managed) or any(True for _ in links.statements_of(stack, role))


# Sessions

_CORE = "AmazonSSMManagedInstanceCore"

#: What sessions use, where their preferences name it, its type, and what a machine needs for it.
_SESSION_PARTS = (
    ("key", "kmsKeyId", KEY, "kms:Decrypt"),
    ("log group", "cloudWatchLogGroupName", LOG_GROUP, "logs:PutLogEvents"),
)


def _sessions(stack: Stack) -> Iterator[Fault]:
    roles = tuple(
        role
        for profile in stack.of(links.PROFILE)
        for role in links.targets(stack, profile, "role", links.ROLE)
        if links.carries_managed_policy(stack, role, _CORE)
    )

    def judge(preferences: Resource) -> Iterator[Fault]:
        if preferences.props.get("documentType") != "Session":
            return
        inputs = _inputs(preferences)
        for word, prop, token, action in _SESSION_PARTS:
            subjects = links.targets(stack, preferences, "content", token) if inputs.get(prop) else ()
            for role in roles:
                for subject in subjects:
                    if not _may_on(stack, role, action, subject):
                        yield Fault(f"The role {role.name} lacks {action} on the sessions' {word}.", preferences.urn)

    yield from each(stack.of(DOCUMENT), judge)


def _inputs(preferences: Resource) -> dict[str, object]:
    try:
        body = json.loads(str(preferences.section("content")))
    except ValueError:
        return {}
    inputs = body.get("inputs") if isinstance(body, dict) else None
    return inputs if isinstance(inputs, dict) else {}


def _may_on(stack: Stack, role: Resource, action: str, subject: Resource) -> bool:
    arn = str(subject.section("arn"))
    wanted = f"{arn}:log-stream:any" if subject.type == LOG_GROUP else arn
    return any(one.allows and one.speaks_of(action) and one.reaches(wanted) for one in links.statements_of(stack, role))


# Backups

_BUCKETS_TOO = {
    "AWSBackupServiceRolePolicyForBackup": "AWSBackupServiceRolePolicyForS3Backup",
    "AWSBackupServiceRolePolicyForRestores": "AWSBackupServiceRolePolicyForS3Restore",
}
_RESTORES = "AWSBackupServiceRolePolicyForRestores"
_SPARED = ("rds:DeleteDBInstance", "rds:ModifyDBInstance")


def _backups(stack: Stack) -> Iterator[Fault]:
    kept = [one for one in stack.of(*BUCKETS) if str(one.tags.get("Backup") or "none") != "none"]
    databases = tuple(stack.of(DATABASE))

    def judge(role: Resource) -> Iterator[Fault]:
        if not trusts(role, "backup.amazonaws.com"):
            return
        for disks, buckets in _BUCKETS_TOO.items():
            if not kept or not links.carries_managed_policy(stack, role, disks):
                continue
            if not links.carries_managed_policy(stack, role, buckets):
                yield Fault(f"The role lacks {buckets}, so it fails on bucket {kept[0].name}.", role.urn)
        if databases and links.carries_managed_policy(stack, role, _RESTORES):
            denied = [one for one in links.statements_of(stack, role) if not one.allows and not one.conditions]
            for database in databases:
                arn = str(database.section("arn"))
                left = [one for one in _SPARED if not any(deny.speaks_of(one) and deny.reaches(arn) for deny in denied)]
                if left:
                    yield Fault(f"The role may do {listed(left)} to the live database {database.name}.", role.urn)

    yield from each(stack.of(links.ROLE), judge)


# Automation

_AUTOMATION = "ssm.amazonaws.com"


def _automation(stack: Stack) -> Iterator[Fault]:
    windows = {
        role.urn for task in stack.of(WINDOW_TASK) for role in links.targets(stack, task, "serviceRoleArn", links.ROLE)
    }

    def judge(role: Resource) -> Iterator[Fault]:
        if role.urn in windows:
            return
        try:
            statements = documents.read(role.section("assumeRolePolicy"))
        except documents.DocumentError:
            return
        taken = [one for one in statements if one.allows and _AUTOMATION in one.services()]
        if any(senders.missing(one, (senders.ARN,)) for one in taken):
            yield Fault("Any feature of Systems Manager may take the role: no condition on aws:SourceArn.", role.urn)

    yield from each(stack.of(links.ROLE), judge)


# Keys

_USES = ("kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom")
_CONTEXT = "kms:encryptioncontext:"


def _keys(stack: Stack) -> Iterator[Fault]:
    def judge(policy: Resource) -> Iterator[Fault]:
        # A function runs the code that was reviewed with its policy; services and machines do what they are told.
        roles = links.targets(stack, policy, "role", links.ROLE)
        if all(trusts(role, "lambda.amazonaws.com") for role in roles):
            return
        try:
            statements = documents.read(policy.section("policy"))
        except documents.DocumentError:
            return
        yield from through(statements, lambda one: (Fault(said, policy.urn) for said in _key_use(one)))

    yield from each(stack.of(links.ROLE_POLICY), judge)


def _key_use(statement: Statement) -> Iterator[str]:
    action = next((one for one in _USES if statement.speaks_of(one)), None)
    if not statement.allows or action is None or statement.not_actions or "*" in statement.actions:
        return
    services = [value for one in statement.conditions if _is_via(one) for value in one.values]
    has_context = any(one.key.startswith(_CONTEXT) and senders.demands(one) for one in statement.conditions)
    if not services and not has_context:
        yield f"{action} is allowed for whatever it is used for: no condition on kms:ViaService or on a context."
    elif any(value.startswith("s3.") for value in services) and not has_context:
        yield f"{action} is allowed for any bucket: no condition on kms:EncryptionContext:aws:s3:arn."
    elif not services and any(one.key == f"{_CONTEXT}aws:s3:arn" for one in statement.conditions):
        yield f"{action} is allowed outside S3: no condition on kms:ViaService."


def _is_via(condition: Condition) -> bool:
    return condition.key == "kms:viaservice" and senders.demands(condition)


ROLE_WHOLE = StackRule(
    id="iam-role-whole",
    sentence="004_5ca73e3508d74ec8.txt Security Audit: Check IAM policies and roles",
    title="Every role has a policy, and every policy a role of this stack.",
    why="What takes on an empty role fails at its first call; a policy on another's role gives rights to nobody knows.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AC-6",),
    remedy="Hand the name of the role to aws.iam.RolePolicy; delete a role that needs no rights.",
    types=frozenset({links.ROLE, links.POLICY, links.SHARED_ATTACHMENT, *_PARTS}),
    check=_whole,
)

SESSIONS_ABLE = StackRule(
    id="iam-sessions-able",
    sentence="000_b5883a9168e66709.txt §1: To access the infrastructure, connect to the Bastion server first using SSH",
    title="Every machine that takes sessions may decrypt and log them.",
    why="Session Manager opens no session under a key that the machine may not use, and no log has one that it may "
    "not write to.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AC-17", "NIST AU-12"),
    remedy="Give the machine's role the statements of the Bastion component (its `session_statements`).",
    types=frozenset({DOCUMENT, links.PROFILE, links.ROLE, links.ROLE_POLICY, links.ATTACHMENT, KEY, LOG_GROUP}),
    check=_sessions,
)

BACKUP_ROLES = StackRule(
    id="iam-backup-roles",
    sentence="001_62c8c82a6a764433.txt §2: test the backup and recovery process on a regular basis",
    title="The roles of AWS Backup reach buckets too, and leave living databases alone.",
    why="AWS's policy for restores may delete and change any database; that for disks knows nothing of buckets.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AC-6", "NIST CP-9"),
    remedy="Attach the policies for S3, and deny rds:DeleteDBInstance and rds:ModifyDBInstance on the database's ARN.",
    types=frozenset({links.ROLE, links.ROLE_POLICY, links.ATTACHMENT, DATABASE, *BUCKETS}),
    check=_backups,
)

AUTOMATION_TRUST = StackRule(
    id="iam-automation-trust",
    sentence="002_3d1abe7e242e6afd.txt §2: IAM role assignments and rotations",
    title="A role for Automation is taken on by executions of this account alone; maintenance windows send no source.",
    why="Systems Manager takes roles on for many features; each would have the rights of the automation.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("CIS 7.0 2.21", "NIST AC-3"),
    remedy="Give components.iam.trust source_arn=arn:aws:ssm:<region>:<account>:automation-execution/*.",
    types=frozenset({links.ROLE, WINDOW_TASK}),
    check=_automation,
)

KEY_USE_BOUND = StackRule(
    id="iam-key-use-bound",
    sentence="003_720b7a256857bf84.txt Backups: Encrypt sensitive backups",
    title="Services and machines encrypt through the service, or for the resource, that they need the key for.",
    why="One key protects many resources; without a condition the role of one may encrypt and decrypt for all.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP KMS.2", "NIST AC-6", "NIST SC-12"),
    remedy="Condition on kms:ViaService, for S3 on kms:EncryptionContext:aws:s3:arn too, or on the topic's context.",
    types=frozenset({links.ROLE, links.ROLE_POLICY}),
    check=_keys,
)

RULES: tuple[Rule, ...] = (ROLE_WHOLE, SESSIONS_ABLE, BACKUP_ROLES, AUTOMATION_TRUST, KEY_USE_BOUND)
