"""Rules for who hears of backups: failed jobs reach a topic, and all jobs are written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from . import documents
from .backup_parts import (
    PLAN,
    RESTORE_SELECTION,
    SELECTION,
    VAULT,
    buckets_of,
    copies_of,
    region_of,
    rules_of,
    vaults_of_copy,
    vaults_of_rule,
)
from .bells import EVENT_RULE, EVENT_TARGET, is_off, takes, targets_of
from .documents import Statement
from .event_pattern import EventPatternError, read
from .links import GRANTS, ROLE, may, sources, statements_of, targets
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .storage import BUCKETS
from .telemetry import TOPIC, TOPIC_POLICY
from .values import is_true_of_any, listed, show

NOTIFICATIONS = "aws:backup/vaultNotifications:VaultNotifications"
REPORT_PLAN = "aws:backup/reportPlan:ReportPlan"

_EVENTS, _BACKUP = "events.amazonaws.com", "backup.amazonaws.com"

#: Kind of job -> the field of its event that says how it ended, and the ends that somebody must hear of.
#: Restore jobs have a ``status`` where the others have a ``state``. Source: AWS Backup Developer Guide, "EventBridge".
_ENDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Backup": ("state", ("ABORTED", "EXPIRED", "FAILED")),
    "Copy": ("state", ("FAILED",)),
    "Restore": ("status", ("ABORTED", "FAILED")),
}

#: Kind of job -> the event of a vault's notifications that tells of its failure; ``…_JOB_FAILED`` of the other two is
#: no longer sent.
_VAULT_EVENTS = {"Backup": "BACKUP_JOB_COMPLETED", "Copy": "COPY_JOB_FAILED", "Restore": "RESTORE_JOB_COMPLETED"}

#: What an auditor asks for.
REPORTS = ("BACKUP_JOB_REPORT", "COPY_JOB_REPORT", "RESTORE_JOB_REPORT")


def hears(stack: Stack, rule: Resource, event: Mapping[str, Any], region: str | None) -> bool:
    """Whether an EventBridge rule of ``region`` is on and passes ``event`` on."""
    return not is_off(rule) and region_of(stack, rule) == region and takes(rule, event)


def known(resource: Resource | None, prop: str = "arn") -> str:
    """A text for an event. Where it is unknown, so is every pattern that compares with it."""
    try:
        return str(resource.section(prop)) if resource else ""
    except UnknownValueError:
        return ""


def _notified(stack: Stack) -> Iterator[Fault]:
    def judge(plan: Resource) -> Iterator[Fault]:
        region = region_of(stack, plan)
        for kind, (field, ends) in _ENDS.items():
            if _vault_tells(stack, kind, region):
                continue
            missed = [end for end in ends if not _reaches_topic(stack, _event(stack, plan, kind, field, end), region)]
            if missed:
                yield Fault(f"No topic hears of {kind.lower()} jobs that end as {listed(missed)}.", plan.urn)

    unheard = each(stack.of(EVENT_TARGET), lambda target: _unheard(stack, target))
    yield from through((each(stack.of(PLAN), judge), unheard), iter)


def _vault_tells(stack: Stack, kind: str, region: str | None) -> bool:
    def tells(one: Resource) -> bool:
        return (
            region_of(stack, one) == region
            and _VAULT_EVENTS[kind] in one.items("backupVaultEvents")
            and bool(targets(stack, one, "backupVaultName", VAULT))
            and any(_admits(stack, topic, _BACKUP) for topic in targets(stack, one, "snsTopicArn", TOPIC))
        )

    return is_true_of_any(stack.of(NOTIFICATIONS), tells)


def _reaches_topic(stack: Stack, event: Mapping[str, Any], region: str | None) -> bool:
    def tells(rule: Resource) -> bool:
        return hears(stack, rule, event, region) and any(
            targets(stack, target, "arn", TOPIC) for target in targets_of(stack, rule)
        )

    return is_true_of_any(stack.of(EVENT_RULE), tells)


def _event(stack: Stack, plan: Resource, kind: str, field: str, end: str) -> Mapping[str, Any]:
    """What AWS Backup tells of a job of ``plan``."""
    here = next((vault for rule in rules_of(plan) for vault in vaults_of_rule(stack, plan, rule)), None)
    copies = ((rule, copy) for rule in rules_of(plan) for copy in copies_of(plan, rule))
    there = next((vault for copy in copies for vault in vaults_of_copy(stack, plan, *copy)), None)
    holders = stack.of(RESTORE_SELECTION) if kind == "Restore" else sources(stack, plan, "planId", SELECTION)
    role = next((role for holder in holders for role in targets(stack, holder, "iamRoleArn", ROLE)), None)
    detail = {
        f"{kind.lower()}JobId": "0",
        "resourceType": "RDS",
        field: end,
        "iamRoleArn": known(role),
        "backupVaultArn": known(here),
        "backupVaultName": known(here, "name"),
        "sourceBackupVaultArn": known(here),
        "destinationBackupVaultArn": known(there),
    }
    return {"source": "aws.backup", "detail-type": f"{kind} Job State Change", "detail": detail}


def _unheard(stack: Stack, target: Resource) -> Iterator[Fault]:
    """Why EventBridge cannot publish to the topic that a rule on backups names."""
    if not any(_is_on_backups(rule) for rule in targets(stack, target, "rule", EVENT_RULE)):
        return
    for topic in targets(stack, target, "arn", TOPIC):
        roles = targets(stack, target, "roleArn", ROLE)
        for role in roles:
            if missing := list(_missing(stack, role, topic)):
                yield Fault(
                    f"EventBridge cannot publish to {topic.name}: its role {role.name} {listed(missing)}.", target.urn
                )
        if not roles and not _admits(stack, topic, _EVENTS):
            yield Fault(f"EventBridge cannot publish to {topic.name}: the target has no role of the stack.", target.urn)


def _is_on_backups(rule: Resource) -> bool:
    """Whether a rule is known to listen to AWS Backup; one with an unknown pattern is no way to a topic either."""
    try:
        return "aws.backup" in read(str(rule.section("eventPattern"))).get("source", ())
    except (EventPatternError, UnknownValueError):
        return False


def _missing(stack: Stack, role: Resource, topic: Resource) -> Iterator[str]:
    if not trusts(role, _EVENTS):
        yield f"does not trust {_EVENTS}"
    if not any(_publishes(statement, topic) for statement in statements_of(stack, role)):
        yield "lacks sns:Publish"
    if topic.section("kmsMasterKeyId"):
        yield from (
            f"lacks {action}" for action in ("kms:Decrypt", "kms:GenerateDataKey") if not may(stack, role, action)
        )


def trusts(role: Resource, service: str) -> bool:
    """Whether ``service`` may take ``role``. Raises where its trust is unknown."""
    try:
        statements = documents.read(role.section("assumeRolePolicy"))
    except documents.DocumentError:
        return False
    return any(one.allows and service in one.services() and one.speaks_of("sts:AssumeRole") for one in statements)


def _publishes(statement: Statement, topic: Resource) -> bool:
    return statement.allows and statement.speaks_of("sns:Publish") and statement.reaches(str(topic.section("arn")))


def _admits(stack: Stack, topic: Resource, service: str) -> bool:
    """Whether the topic's own policy lets a service publish, which then needs no role."""

    def lets_in(policy: Resource) -> bool:
        try:
            statements = documents.read(policy.section("policy"))
        except documents.DocumentError:
            return False
        return any(service in one.services() and _publishes(one, topic) for one in statements)

    return is_true_of_any(sources(stack, topic, "arn", TOPIC_POLICY), lets_in)


def _reported(stack: Stack) -> Iterator[Fault]:
    if stack.context.environment == "dev" or not any(True for _ in stack.of(PLAN)):
        return
    plans = tuple(stack.of(REPORT_PLAN))
    written = {plan.section("reportSetting", "reportTemplate") for plan in plans}
    if missing := [template for template in REPORTS if template not in written]:
        yield Fault(f"No report plan writes down {listed(missing)}.")

    def judge(plan: Resource) -> Iterator[Fault]:
        if not buckets_of(stack, plan, "reportDeliveryChannel"):
            name = show(plan.section("reportDeliveryChannel", "s3BucketName"))
            yield Fault(f"The reports go to the bucket {name}, which the stack does not declare.", plan.urn)
        if not plan.section("reportDeliveryChannel", "s3KeyPrefix"):
            yield Fault("The reports have no prefix of their own, which the bucket's policy goes by.", plan.urn)

    yield from each(plans, judge)


NOTIFIED = StackRule(
    id="backup-notifies",
    sentence="004_5ca73e3508d74ec8.txt Daily Checklist: Check backup completion status",
    title="Backup, copy and restore jobs that fail reach a topic that takes the message.",
    why="A backup that has failed for weeks is noticed on the day it is needed.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AU-6", "NIST CP-9"),
    remedy="Declare aws.cloudwatch.EventRule on the job state changes (state; status for restores) and a target on a "
    "topic with a role that may sns:Publish and use the topic's key.",
    types=frozenset(
        {PLAN, SELECTION, RESTORE_SELECTION, VAULT, NOTIFICATIONS, EVENT_RULE, EVENT_TARGET, TOPIC, *GRANTS}
    ),
    check=_notified,
)

REPORTED = StackRule(
    id="backup-reported",
    sentence="002_3d1abe7e242e6afd.txt §9: Evidence collection procedures",
    title="Every backup, copy and restore job is written down in a bucket of the stack.",
    why="AWS Backup forgets its jobs after a month; an auditor asks for the year.",
    severity=Severity.LOW,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST AU-6", "NIST CP-9"),
    remedy="Declare an aws.backup.ReportPlan for each of " + ", ".join(REPORTS) + ".",
    types=frozenset({REPORT_PLAN, PLAN, *BUCKETS}),
    check=_reported,
)

RULES: tuple[Rule, ...] = (NOTIFIED, REPORTED)
