"""Rules for the restore tests: they run, they take the database, somewhere apart, and somebody looks at the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from . import documents
from .backup_notices import hears, known
from .backup_parts import (
    DATABASE,
    RESTORE_PLAN,
    RESTORE_SELECTION,
    VAULTS,
    region_of,
    tests_restore_of,
)
from .bells import EVENT_RULE, EVENT_TARGET, targets_of
from .cron import DAY, WEEK, ScheduleError, longest_gap
from .links import ROLE, ROLE_POLICY, may, sources, targets
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .values import is_true_of_any, number, show

FUNCTION = "aws:lambda/function:Function"
PERMISSION = "aws:lambda/permission:Permission"
SUBNET_GROUP = "aws:rds/subnetGroup:SubnetGroup"
SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"

#: Days between two tests at most: ``004_… Monthly Checklist``.
MONTH = 31

#: What keeps a restored database apart: key of the overrides, its type, and what it is.
_CORNER = (
    ("dbSubnetGroupName", SUBNET_GROUP, "subnet group"),
    ("vpcSecurityGroupIds", SECURITY_GROUP, "security group"),
)

_REPORTING = "backup:PutRestoreValidationResult"


def _tested(stack: Stack) -> Iterator[Fault]:
    if stack.context.environment == "dev":
        return
    plans = tuple(stack.of(RESTORE_PLAN))
    if not plans:
        yield Fault("The stack tests no restore: it declares no restore testing plan.")
        return

    def take(database: Resource) -> Iterator[Fault]:
        if not is_true_of_any(stack.of(RESTORE_SELECTION), lambda one: _takes(stack, one, database)):
            yield Fault("No restore test takes the database.", database.urn)

    parts = (
        each(plans, lambda plan: through(_PLAN_PARTS, lambda part: part(stack, plan))),
        each(stack.of(DATABASE), take),
    )
    yield from through(parts, iter)


def _takes(stack: Stack, selection: Resource, database: Resource) -> bool:
    return (
        selection.section("protectedResourceType") == "RDS"
        and bool(targets(stack, selection, "restoreTestingPlanName", RESTORE_PLAN))
        and tests_restore_of(stack, selection, database)
    )


def _schedule(_: Stack, plan: Resource) -> Iterator[Fault]:
    try:
        days = longest_gap(str(plan.section("scheduleExpression") or "")) / DAY
    except ScheduleError as error:
        yield Fault(f"The restore testing plan has a schedule that AWS refuses: {error}.", plan.urn)
        return
    if days > MONTH:
        yield Fault(f"The restore testing plan runs every {show(days)} days at worst; {MONTH} are demanded.", plan.urn)


def _window(_: Stack, plan: Resource) -> Iterator[Fault]:
    days = number(plan.section("recoveryPointSelection", "selectionWindowDays"))
    if days is not None and days < WEEK / DAY:
        yield Fault(f"The restore test looks back {show(days)} days, too few for a weekly backup.", plan.urn)


def _selected(stack: Stack, plan: Resource) -> Iterator[Fault]:
    if not sources(stack, plan, "restoreTestingPlanName", RESTORE_SELECTION):
        yield Fault("The restore testing plan restores nothing: it has no selection.", plan.urn)


def _vaults(stack: Stack, plan: Resource) -> Iterator[Fault]:
    if not _looks_into_a_vault(stack, plan):
        yield Fault("The restore testing plan looks into no vault of the stack.", plan.urn)


_PLAN_PARTS: tuple[Callable[[Stack, Resource], Iterator[Fault]], ...] = (_schedule, _window, _selected, _vaults)


def _looks_into_a_vault(stack: Stack, plan: Resource) -> bool:
    vaults = tuple(stack.of(*VAULTS))

    def is_of_the_stack(index: int) -> bool:
        pattern = str(plan.section("recoveryPointSelection", "includeVaults", index))
        return pattern == "*" or any(documents.matches(pattern, str(vault.section("arn"))) for vault in vaults)

    included = range(len(plan.items("recoveryPointSelection", "includeVaults")))
    return bool(targets(stack, plan, "recoveryPointSelection", *VAULTS)) or is_true_of_any(included, is_of_the_stack)


def _isolated(stack: Stack) -> Iterator[Fault]:
    own = {
        group.urn
        for database in stack.of(DATABASE)
        for group in targets(stack, database, "vpcSecurityGroupIds", SECURITY_GROUP)
    }

    def judge(selection: Resource) -> Iterator[Fault]:
        if selection.section("protectedResourceType") != "RDS":
            return
        # AWS Backup reads the keys in any case.
        given = selection.section("restoreMetadataOverrides")
        keys = {str(key).lower() for key in given} if isinstance(given, Mapping) else set()
        for key, token, what in _CORNER:
            found = targets(stack, selection, "restoreMetadataOverrides", token)
            if key.lower() not in keys:
                yield Fault(f"The restored copy gets the default {what}: the selection names no {key}.", selection.urn)
            elif not found:
                yield Fault(f"The restored copy gets a {what} that the stack does not declare.", selection.urn)
            for shared in found:
                if shared.urn in own:
                    yield Fault(
                        f"The restored copy gets the database's own {what} {shared.name}, so clients reach it.",
                        selection.urn,
                    )

    return each(stack.of(RESTORE_SELECTION), judge)


def _validated(stack: Stack) -> Iterator[Fault]:
    def window(selection: Resource) -> Iterator[Fault]:
        hours = number(selection.section("validationWindowHours"))
        if hours is None or hours < 1:
            yield Fault(
                "The restored copy is deleted before anybody looks: it has no validation window.", selection.urn
            )

    plans = each(stack.of(RESTORE_PLAN), lambda plan: _validators(stack, plan))
    yield from through((each(stack.of(RESTORE_SELECTION), window), plans), iter)


def _validators(stack: Stack, plan: Resource) -> Iterator[Fault]:
    found = [
        (rule, target, function)
        for rule in stack.of(EVENT_RULE)
        if hears(stack, rule, _restored(plan), region_of(stack, plan))
        for target in targets_of(stack, rule)
        for function in targets(stack, target, "arn", FUNCTION)
    ]
    if not found:
        yield Fault(
            "No function is called when a test restore is complete, so nobody looks at what it brought.", plan.urn
        )
    for rule, target, function in found:
        if not is_true_of_any(sources(stack, function, "function", PERMISSION), partial(_lets_in, stack, rule)):
            yield Fault(f"EventBridge may not call {function.name}: no permission names the rule.", target.urn)
        roles = targets(stack, function, "role", ROLE)
        if not any(may(stack, role, _REPORTING) for role in roles):
            yield Fault(f"The function may not report what it found: its role lacks {_REPORTING}.", function.urn)


def _restored(plan: Resource) -> Mapping[str, Any]:
    """What AWS Backup tells when a restore test is complete."""
    detail = {
        "restoreJobId": "0",
        "resourceType": "RDS",
        "status": "COMPLETED",
        "percentDone": 100,
        "createdResourceArn": "arn:aws:rds:eu-west-1:123456789012:db:restored",
        "restoreTestingPlanArn": known(plan),
    }
    return {"source": "aws.backup", "detail-type": "Restore Job State Change", "detail": detail}


def _lets_in(stack: Stack, rule: Resource, permission: Resource) -> bool:
    if permission.section("principal") != "events.amazonaws.com" or permission.section("action") not in (
        "lambda:InvokeFunction",
        "lambda:*",
    ):
        return False
    named = any(hit.urn == rule.urn for hit in targets(stack, permission, "sourceArn", EVENT_RULE))
    return named or permission.section("sourceArn") is None


RESTORE_TESTED = StackRule(
    id="backup-restore-tested",
    sentence="004_5ca73e3508d74ec8.txt Monthly Checklist: Test backup and recovery procedures",
    title="A restore test takes the database every month.",
    why="A backup that was never restored is a hope.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST CP-4", "NIST CP-9"),
    remedy="Declare aws.backup.RestoreTestingPlan with a monthly cron and a RestoreTestingSelection of type RDS.",
    types=frozenset({RESTORE_PLAN, RESTORE_SELECTION, DATABASE, *VAULTS}),
    check=_tested,
)

RESTORE_ISOLATED = StackRule(
    id="backup-restore-isolated",
    sentence="001_62c8c82a6a764433.txt §2: test the backup and recovery process on a regular basis",
    title="A restored copy stands apart: in a subnet group and a security group of its own.",
    why="Whatever a restore test names not, AWS takes from the default network, or clients find the copy.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SC-7", "NIST CP-4"),
    remedy="Set dbSubnetGroupName and vpcSecurityGroupIds in restore_metadata_overrides.",
    types=frozenset({RESTORE_SELECTION, DATABASE, SECURITY_GROUP, SUBNET_GROUP}),
    check=_isolated,
)

RESTORE_VALIDATED = StackRule(
    id="backup-restore-validated",
    sentence="004_5ca73e3508d74ec8.txt Backup and Recovery Testing: Validate backup integrity",
    title="A function looks at what a restore test brought and reports it.",
    why="A database that starts may still be empty or months old.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST CP-4", "NIST CP-9"),
    remedy="Declare an EventBridge rule on Restore Job State Change (COMPLETED), a target and a permission for the "
    f"function, {_REPORTING} in its role, and validation_window_hours.",
    types=frozenset(
        {RESTORE_PLAN, RESTORE_SELECTION, EVENT_RULE, EVENT_TARGET, FUNCTION, PERMISSION, ROLE, ROLE_POLICY}
    ),
    check=_validated,
)

RULES: tuple[Rule, ...] = (RESTORE_TESTED, RESTORE_ISOLATED, RESTORE_VALIDATED)
