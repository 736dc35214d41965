"""Rules for backups: plans that run and are kept, that take something and may, and what protects what they write.

``RULES`` holds those of vaults, copies, restore tests and notices as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import backup_copies, backup_drills, backup_notices, backup_vaults
from .backup_notices import trusts
from .backup_parts import (
    DATABASE,
    FOUR_WEEKS,
    PLAN,
    RESTORE_SELECTION,
    SELECTION,
    backs_up,
    bare,
    copies_of,
    rules_of,
    selects,
)
from .cron import DAY, WEEK, ScheduleError, longest_gap
from .links import ATTACHMENT, ROLE, ROLE_POLICY, can, sources, targets
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .storage import BUCKETS
from .values import is_true_of_any, number, show

#: What AWS Backup can back up of the types that a platform like this declares.
SUPPORTED = (
    DATABASE,
    "aws:dynamodb/table:Table",
    "aws:ebs/volume:Volume",
    "aws:ec2/instance:Instance",
    "aws:efs/fileSystem:FileSystem",
    "aws:rds/cluster:Cluster",
    *BUCKETS,
)

_SERVICE = "backup.amazonaws.com"

#: What a role of the stack's own needs for a database's backup, its copy, and its restore and removal.
_BACKING_UP = ("rds:CreateDBSnapshot", "rds:DescribeDBSnapshots", "rds:AddTagsToResource")
_COPYING = ("rds:CopyDBSnapshot", "backup:CopyIntoBackupVault")
_RESTORING = ("rds:RestoreDBInstanceFromDBSnapshot", "rds:DescribeDBInstances", "rds:DeleteDBInstance")

#: AWS's policies that allow the same.
BACKUP_POLICY = "AWSBackupServiceRolePolicyForBackup"
RESTORE_POLICY = "AWSBackupServiceRolePolicyForRestores"


def _weekly(stack: Stack) -> Iterator[Fault]:
    plans = tuple(stack.of(PLAN))
    if not plans:
        yield Fault("The stack declares no backup plan.")
    yield from each(plans, lambda plan: (Fault(said, plan.urn) for said in _kept(plan)))


def _kept(plan: Resource) -> Iterator[str]:
    """What keeps a plan from four weeks of weekly backups. One rule that does it is enough; none may keep for ever."""
    rules = rules_of(plan)
    if not rules:
        yield "The plan has no rule, so it never runs."
    enough = is_true_of_any(rules, lambda rule: not any(True for _ in _shortfalls(plan, rule)))
    yield from through(rules, lambda rule: _for_ever(plan, rule) if enough else _shortfalls(plan, rule))


def _shortfalls(plan: Resource, rule: int) -> Iterator[str]:
    name = show(plan.section("rules", rule, "ruleName"))
    schedule = plan.section("rules", rule, "schedule")
    try:
        gap = longest_gap(str(schedule or ""))
    except ScheduleError as error:
        why = f"has a schedule that AWS refuses: {error}" if schedule else "says not when it runs"
        yield f"The plan's rule {name} {why}."
    else:
        if gap > WEEK:
            yield f"The plan's rule {name} runs every {show(gap / DAY)} days at worst; 7 are demanded."
    kept = plan.section("rules", rule, "lifecycle", "deleteAfter")
    days = number(kept)
    if days is not None and days < FOUR_WEEKS:
        yield f"The plan's rule {name} keeps its backups {show(kept)} days; {FOUR_WEEKS} are demanded."
    yield from _for_ever(plan, rule)


def _for_ever(plan: Resource, rule: int) -> Iterator[str]:
    if number(plan.section("rules", rule, "lifecycle", "deleteAfter")) is None:
        yield f"The plan's rule {show(plan.section('rules', rule, 'ruleName'))} keeps its backups for ever."


def _takes_something(stack: Stack) -> Iterator[Fault]:
    def judge(plan: Resource) -> Iterator[Fault]:
        selections = sources(stack, plan, "planId", SELECTION)
        if not selections:
            yield Fault("The plan backs nothing up: it has no selection.", plan.urn)
            return
        refused = [one for one in selections if bare(one)]
        yield from (
            Fault("The selection names neither ARNs nor tags, which AWS refuses whatever its conditions.", one.urn)
            for one in refused
        )
        pairs = ((one, resource) for one in selections for resource in stack.of(*SUPPORTED))
        if not refused and not is_true_of_any(pairs, lambda pair: selects(stack, *pair)):
            yield Fault("The plan backs nothing up: its selection takes nothing that the stack declares.", plan.urn)

    return each(stack.of(PLAN), judge)


def _able(stack: Stack) -> Iterator[Fault]:
    def judge(selection: Resource) -> Iterator[Fault]:
        drill = selection.type == RESTORE_SELECTION
        roles = targets(stack, selection, "iamRoleArn", ROLE)
        if not roles:
            yield Fault("The selection's role is not declared here; what it may do is not known.", selection.urn)
        for role in roles:
            if not trusts(role, _SERVICE):
                yield Fault(
                    f"AWS Backup cannot take the role {role.name}: it does not trust {_SERVICE}.", selection.urn
                )
            policy, actions = (RESTORE_POLICY, _RESTORING) if drill else (BACKUP_POLICY, _needed(stack, selection))
            if not can(stack, role, (policy,), *actions):
                what = "restore" if drill else "back up"
                yield Fault(f"The role {role.name} may not {what} a database: it lacks {policy}.", selection.urn)

    return each(stack.of(SELECTION, RESTORE_SELECTION), judge)


def _needed(stack: Stack, selection: Resource) -> tuple[str, ...]:
    plans = targets(stack, selection, "planId", PLAN)
    copied = any(copies_of(plan, rule) for plan in plans for rule in rules_of(plan))
    return (*_BACKING_UP, *_COPYING) if copied else _BACKING_UP


def _in_a_plan(stack: Stack) -> Iterator[Fault]:
    def judge(database: Resource) -> Iterator[Fault]:
        if not is_true_of_any(stack.of(PLAN), lambda plan: backs_up(stack, plan, database)):
            yield Fault("No backup plan takes the database: no selection matches its ARN or its tags.", database.urn)

    return each(stack.of(DATABASE), judge)


WEEKLY = StackRule(
    id="backup-weekly-kept-4-weeks",
    sentence="000_b5883a9168e66709.txt §4: RDS PostgreSQL is configured for weekly backups.",
    title="A plan makes a backup every week and keeps it for four weeks.",
    why="What is noticed after the last good backup is gone cannot be undone.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST CP-9",),
    remedy="Declare aws.backup.Plan with a rule that runs weekly or more often and whose delete_after is 28 or more.",
    types=frozenset({PLAN}),
    check=_weekly,
)

TAKES_SOMETHING = StackRule(
    id="backup-plan-selects",
    sentence="001_62c8c82a6a764433.txt §2: The operations team will back up the following data",
    title="Every plan backs something up.",
    why="A plan without a selection, or with one that matches nothing, succeeds every week at nothing.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST CP-9",),
    remedy='Declare aws.backup.Selection with resources=["*"] and conditions on the tags that resources carry.',
    types=frozenset({PLAN, SELECTION, *SUPPORTED}),
    check=_takes_something,
)

ABLE = StackRule(
    id="backup-role-able",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Backup verification procedures",
    title="The roles of backups and of restore tests may do both.",
    why="Every job fails otherwise, weeks after the deployment.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST CP-9", "NIST AC-6"),
    remedy=f"Let the role trust {_SERVICE}; attach {BACKUP_POLICY} or, for restores, {RESTORE_POLICY}.",
    types=frozenset({SELECTION, RESTORE_SELECTION, ROLE, ROLE_POLICY, ATTACHMENT}),
    check=_able,
)

IN_A_PLAN = StackRule(
    id="rds-in-backup-plan",
    sentence="000_b5883a9168e66709.txt §4: RDS PostgreSQL is configured for weekly backups.",
    title="A backup plan takes every database.",
    why="A tag that no selection matches leaves a database out without a word.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP RDS.26", "NIST CP-9"),
    remedy="Give the database the tag that a selection of the plan looks for.",
    types=frozenset({DATABASE, PLAN, SELECTION}),
    check=_in_a_plan,
)

RULES: tuple[Rule, ...] = (
    WEEKLY,
    TAKES_SOMETHING,
    ABLE,
    IN_A_PLAN,
    *backup_vaults.RULES,
    *backup_copies.RULES,
    *backup_drills.RULES,
    *backup_notices.RULES,
)
