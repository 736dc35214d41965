"""Rules on the terms of backups and their tests: when, of what alone, for how long, and under which name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .backup_drills import MONTH
from .backup_parts import (
    DATABASE,
    LOCK,
    PLAN,
    RESTORE_PLAN,
    RESTORE_SELECTION,
    SELECTION,
    VAULT,
    backs_up,
    copies_of,
    rules_of,
    selects,
    tests_restore_of,
)
from .cron import ScheduleError
from .hours import clock, times
from .links import targets
from .resource import Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .values import is_false, listed, number, show
from .windows import DAY, WEEK, Window, daily, weekly

#: Minutes: what AWS takes at least, and what a plan that says nothing has, until a backup begins and until it ends.
_LEAST, _STARTS, _COMPLETES = 60, 480, 10080

_HOUR = 60

#: Hours within which a copy with everybody's data is to be gone again.
_COPY_HOURS = 24

#: Days that AWS takes at most for a lock: a hundred years.
_LONGEST = 36500

_UTC = (None, "Etc/UTC", "UTC")

#: What a recovery point is found by.
_TAGS = ("Backup", "Environment", "Project")


# When


def _timely(stack: Stack) -> Iterator[Fault]:
    def judge(plan: Resource) -> Iterator[Fault]:
        yield from through(
            rules_of(plan), lambda rule: (Fault(said, plan.urn) for said in _window_faults(stack, plan, rule))
        )

    return each(stack.of(PLAN), judge)


def _window_faults(stack: Stack, plan: Resource, rule: int) -> Iterator[str]:
    name = show(plan.section("rules", rule, "ruleName"))
    starts = _minutes(plan, rule, "startWindow", _STARTS)
    completes = _minutes(plan, rule, "completionWindow", _COMPLETES)
    if starts < _LEAST:
        yield f"The plan's rule {name} gives its backup {show(starts)} minutes to begin; AWS takes {_LEAST} at least."
    if starts + completes > DAY:
        hours = f"{(starts + completes) / 60:.4g}"
        yield f"Whether the plan's rule {name} has failed is known after {hours} hours only; within a day is demanded."
    zone = plan.section("rules", rule, "scheduleExpressionTimezone")
    try:
        begins = times(str(plan.section("rules", rule, "schedule") or ""))
    except ScheduleError:
        # `backup-weekly-kept-4-weeks` tells of what is no schedule.
        return
    if zone not in _UTC:
        yield f"The plan's rule {name} runs by the clock of {show(zone)}; windows of databases are in UTC."
        return
    for database in stack.of(DATABASE):
        for kind, windows in _windows(database):
            for begin in sorted(begins):
                beginning = Window(begin, int(starts))
                if any(window.meets(beginning) for window in windows) and backs_up(stack, plan, database):
                    yield (
                        f"The plan's rule {name} may begin between {clock(begin)} and {clock(begin + int(starts))} "
                        f"UTC, in the {kind} window of {database.name} or the hour before, when RDS refuses it."
                    )
                    break


def _minutes(plan: Resource, rule: int, key: str, default: int) -> float:
    value = number(plan.section("rules", rule, key))
    return default if value is None else value


def _windows(database: Resource) -> Iterator[tuple[str, tuple[Window, ...]]]:
    """When RDS begins no backup for AWS Backup: in its own windows and in the hour before them.

    What is no window is told by ``rds-windows-set``. Source: AWS Backup Developer Guide, "Plan options".
    """
    maintenance = weekly(str(database.section("maintenanceWindow") or ""))
    for kind, windows in (
        ("backup", daily(str(database.section("backupWindow") or "")) or ()),
        ("maintenance", (maintenance,) if maintenance else ()),
    ):
        yield kind, tuple(Window((one.start - _HOUR) % WEEK, one.length + _HOUR) for one in windows)


def _one_owner(stack: Stack) -> Iterator[Fault]:
    def judge(plan: Resource) -> Iterator[Fault]:
        for rule in rules_of(plan):
            if not is_true(plan.section("rules", rule, "enableContinuousBackup")):
                continue
            name = show(plan.section("rules", rule, "ruleName"))
            if copies_of(plan, rule):
                yield Fault(
                    f"The plan's rule {name} is continuous; what it copies is a snapshot, not its log.", plan.urn
                )
            yield from (
                Fault(
                    f"The plan's rule {name} is continuous, so AWS Backup sets how {database.name} is backed up; "
                    "backupRetentionPeriod and backupWindow of the database say otherwise.",
                    plan.urn,
                )
                for database in stack.of(DATABASE)
                if (database.section("backupRetentionPeriod") or database.section("backupWindow"))
                and backs_up(stack, plan, database)
            )

    return each(stack.of(PLAN), judge)


# Of what alone


def _scoped(stack: Stack) -> Iterator[Fault]:
    def judge(selection: Resource) -> Iterator[Fault]:
        plan_token, prop = _PLAN_OF[selection.type]
        takes: Callable[[Stack, Resource, Resource], bool] = (
            selects if selection.type == SELECTION else tests_restore_of
        )
        for plan in targets(stack, selection, prop, plan_token):
            for key in _TAGS:
                if takes(stack, selection, _stranger(stack, plan, key)):
                    yield Fault(
                        f"The selection takes what is tagged with another {key} too, or with none.", selection.urn
                    )

    return each(stack.of(*_PLAN_OF), judge)


_PLAN_OF: Mapping[str, tuple[str, str]] = {
    SELECTION: (PLAN, "planId"),
    RESTORE_SELECTION: (RESTORE_PLAN, "restoreTestingPlanName"),
}


def _stranger(stack: Stack, plan: Resource, key: str) -> Resource:
    """A database beside the stack's own: its tags are those of one that a plan takes, but for ``key``."""
    own: Mapping[str, Any] = next((one.tags for one in stack.of(DATABASE) if one.tags), plan.tags)
    tags = {**{name: own[name] for name in own}, key: "elsewhere"}
    arn = "arn:aws:rds:eu-west-1:123456789012:db:elsewhere"
    return Resource(urn="", type=DATABASE, name="elsewhere", props={"tags": tags, "arn": arn, **_place(plan)})


def _place(plan: Resource) -> Mapping[str, Any]:
    region = plan.section("region")
    return {} if region is None else {"region": region}


# For how long


def _bounded(resource: Resource, context: Context) -> Iterator[str]:
    yield from _BOUNDS[resource.type](resource, context)


def _vault_faults(vault: Resource, context: Context) -> Iterator[str]:
    forced = vault.section("forceDestroy")
    if context.environment != "dev" and forced is not None and not is_false(forced):
        yield "The vault would be deleted with every backup in it."


def _lock_faults(lock: Resource, _: Context) -> Iterator[str]:
    most = number(lock.section("maxRetentionDays"))
    if most is None:
        yield "The lock sets no longest retention: what somebody puts in for ever can never be deleted."
    elif most > _LONGEST:
        yield f"The lock's maxRetentionDays is {show(most)}; AWS takes {_LONGEST} at most."


def _test_faults(plan: Resource, _: Context) -> Iterator[str]:
    days = number(plan.section("recoveryPointSelection", "selectionWindowDays"))
    if days is not None and days > MONTH:
        yield f"The restore test looks back {show(days)} days, so it passes when this month's backups are missing."
    kinds = plan.items("recoveryPointSelection", "recoveryPointTypes")
    if not {*kinds} & {"SNAPSHOT", "CONTINUOUS"}:
        yield "The restore test takes neither snapshots nor continuous backups."


def _drill_faults(selection: Resource, _: Context) -> Iterator[str]:
    hours = number(selection.section("validationWindowHours"))
    if hours is not None and hours > _COPY_HOURS:
        yield f"The restored copy stays for {show(hours)} hours; it is to be gone within {_COPY_HOURS}."
    overrides = selection.section("restoreMetadataOverrides")
    given = {str(key).lower(): overrides[key] for key in overrides} if isinstance(overrides, Mapping) else {}
    public = given.get("publiclyaccessible")
    if selection.section("protectedResourceType") == "RDS" and not is_false(public):
        yield f"The restored copy may get a public address: publiclyAccessible is {show(public)}."


_BOUNDS: Mapping[str, Callable[[Resource, Context], Iterator[str]]] = {
    VAULT: _vault_faults,
    LOCK: _lock_faults,
    RESTORE_PLAN: _test_faults,
    RESTORE_SELECTION: _drill_faults,
}


# Under which name


def _tagged(plan: Resource, _: Context) -> Iterator[str]:
    for rule in rules_of(plan):
        given = plan.section("rules", rule, "recoveryPointTags")
        tags = given if isinstance(given, Mapping) else {}
        if missing := [key for key in _TAGS if tags.get(key) in (None, "")]:
            name = show(plan.section("rules", rule, "ruleName"))
            yield f"What the plan's rule {name} writes lacks {listed(missing)}."


TIMELY = StackRule(
    id="backup-begins-apart",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Backup schedule and retention policies",
    title="A backup begins outside the windows of the database it takes, and is over within a day.",
    why="RDS refuses a backup in its own windows, and one that hangs for a week is noticed a week late.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CP-9",),
    remedy="Set start_window to 60 and completion_window to a few hours, in minutes, and the schedule (UTC) so that it "
    "begins before the database's windows or after them.",
    types=frozenset({PLAN, SELECTION, DATABASE}),
    check=_timely,
)

ONE_OWNER = StackRule(
    id="backup-one-owner",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Backup schedule and retention policies",
    title="Either AWS Backup or RDS says how a database's logs are kept.",
    why="A continuous backup takes over retention and window of the database; each deployment takes them back.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CP-9", "NIST CM-3"),
    remedy="Leave enable_continuous_backup unset; RDS keeps the logs (database.backup_retention_days).",
    types=frozenset({PLAN, SELECTION, DATABASE}),
    check=_one_owner,
)

SCOPED = StackRule(
    id="backup-selection-scoped",
    sentence="001_62c8c82a6a764433.txt §2: The operations team will back up the following data",
    title="Selections of plans and restore tests take what is tagged for this class, environment and project alone.",
    why="A restore test of staging that takes prod's backup puts everybody's data where developers work.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AC-6", "NIST CP-9"),
    remedy="Compare Backup, Environment and Project by string_equals: conditions of a selection, "
    "protected_resource_conditions of a test.",
    types=frozenset({SELECTION, RESTORE_SELECTION, PLAN, RESTORE_PLAN, DATABASE}),
    check=_scoped,
)

BOUNDED = ResourceRule(
    id="backup-bounds",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Backup verification procedures",
    title="Restored copies are private and soon gone, tests take this month's backups, and locks have an end.",
    why="A copy of the database that nobody watches is the easiest to steal.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CP-4", "NIST SC-7"),
    remedy='Set publiclyAccessible="false", validation_window_hours up to 24, selection_window_days up to 31, '
    "max_retention_days, and leave force_destroy unset.",
    types=frozenset(_BOUNDS),
    check=_bounded,
)

TAGGED = ResourceRule(
    id="backup-points-tagged",
    sentence="002_3d1abe7e242e6afd.txt §7.1: Resource naming conventions",
    title="Recovery points carry backup class, environment and project.",
    why="A recovery point without an owner is neither found nor ever deleted.",
    severity=Severity.LOW,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP Backup.2", "NIST CM-8"),
    remedy="Set recovery_point_tags of each rule of the plan.",
    types=frozenset({PLAN}),
    check=_tagged,
)

RULES: tuple[Rule, ...] = (TIMELY, ONE_OWNER, SCOPED, BOUNDED, TAGGED)
