"""Rules for what Systems Manager does: it manages every machine, and its sessions are logged."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .firewall import is_set
from .links import ATTACHMENT, PROFILE, TEMPLATE, can, role_of, targets
from .resource import Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Severity, StackRule, each

INSTANCE = "aws:ec2/instance:Instance"
DOCUMENT = "aws:ssm/document:Document"

MANAGED_POLICY = "AmazonSSMManagedInstanceCore"

#: What the agent must be allowed where a policy of the stack's own stands in for AWS's.
NEEDED = (
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)

#: Documents of these session types hold no preferences.
_OTHER_SESSIONS = ("Port", "InteractiveCommands", "NonInteractiveCommands")


def _managed(stack: Stack) -> Iterator[Fault]:
    def judge(machine: Resource) -> Iterator[Fault]:
        noun = "launch template" if machine.type == TEMPLATE else "instance"
        role = role_of(stack, machine)
        # A profile of its own takes the place of its launch template's.
        if is_set(machine.props, "iamInstanceProfile") and not targets(stack, machine, "iamInstanceProfile", PROFILE):
            role = None
        if role is None:
            yield Fault(
                f"Systems Manager cannot manage the {noun}: it has no profile with a role that the stack declares.",
                machine.urn,
            )
        elif not can(stack, role, (MANAGED_POLICY,), *NEEDED):
            yield Fault(
                f"Systems Manager cannot manage the {noun}: its role {role.name} lacks {MANAGED_POLICY}.", machine.urn
            )

    return each(stack.of(INSTANCE, TEMPLATE), judge)


def _sessions_logged(resource: Resource, _: Context) -> Iterator[str]:
    if resource.section("documentType") != "Session":
        return
    try:
        content = json.loads(resource.section("content"))
    except (TypeError, ValueError):
        yield "The session preferences cannot be read: their content is no JSON."
        return
    given = content.get("inputs") if isinstance(content, dict) else None
    inputs = given if isinstance(given, dict) else {}
    if isinstance(content, dict) and content.get("sessionType") in _OTHER_SESSIONS:
        return
    if not inputs.get("kmsKeyId"):
        yield "Sessions are not encrypted with a customer key: the preferences name no kmsKeyId."
    logs = (("cloudWatchLogGroupName", "cloudWatchEncryptionEnabled"), ("s3BucketName", "s3EncryptionEnabled"))
    kept = [encrypted for place, encrypted in logs if inputs.get(place)]
    if not kept:
        yield "Sessions are not logged: the preferences name neither a log group nor a bucket."
    yield from (
        f"The log of sessions may be in the clear: {switch} is off."
        for switch in kept
        if not is_true(inputs.get(switch))
    )


SSM_MANAGED = StackRule(
    id="ec2-ssm-managed",
    sentence="001_62c8c82a6a764433.txt §3: AWS Systems Manager: For automating the patching process.",
    title="Systems Manager manages every machine.",
    why="A machine that it does not manage is neither patched nor reachable without SSH.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP SSM.1", "NIST SI-2"),
    remedy=f"Attach {MANAGED_POLICY} to the role of the machine's instance profile.",
    types=frozenset({INSTANCE, TEMPLATE, PROFILE, ATTACHMENT}),
    check=_managed,
)

SESSIONS_LOGGED = ResourceRule(
    id="session-logged",
    sentence="000_b5883a9168e66709.txt §1: From the Bastion server, you can then access other resources",
    title="Sessions of Session Manager are encrypted with a customer key and logged.",
    why="Without the log nobody can say afterwards what was done on a machine.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("Checkov CKV_AWS_112", "Checkov CKV_AWS_113", "NIST AU-12"),
    remedy="Set kmsKeyId and an encrypted cloudWatchLogGroupName (or s3BucketName) in the document's inputs.",
    types=frozenset({DOCUMENT}),
    check=_sessions_logged,
)
