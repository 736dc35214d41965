"""Rules for what survives the loss of a region."""

from __future__ import annotations

from collections.abc import Iterator

from .backup_parts import (
    DATABASE,
    FOUR_WEEKS,
    PLAN,
    SELECTION,
    VAULTS,
    backs_up,
    copies_of,
    is_abroad,
    region_of,
    region_of_copy,
    rules_of,
)
from .links import sources, targets
from .resource import Resource, Stack, is_true
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .values import either, is_true_of_any, number, show

REPLICATION = "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"
KEYS = ("aws:kms/key:Key", "aws:kms/replicaKey:ReplicaKey", "aws:kms/alias:Alias")

#: Days that RDS keeps replicated backups where nothing is said.
_REPLICA_DAYS = 7


def _in_prod(stack: Stack) -> bool:
    return stack.context.environment == "prod"


def _copied(stack: Stack) -> Iterator[Fault]:
    def judge(plan: Resource) -> Iterator[Fault]:
        yield from through(
            rules_of(plan), lambda rule: (Fault(said, plan.urn) for said in _copy_faults(stack, plan, rule))
        )

    return each(stack.of(PLAN), judge) if _in_prod(stack) else iter(())


def _copy_faults(stack: Stack, plan: Resource, rule: int) -> Iterator[str]:
    name = show(plan.section("rules", rule, "ruleName"))
    # The logs that a continuous backup is made of cannot be copied.
    if is_true(plan.section("rules", rule, "enableContinuousBackup")):
        return
    abroad = [copy for copy in copies_of(plan, rule) if is_abroad(stack, region_of_copy(stack, plan, rule, copy), plan)]
    if not abroad:
        yield f"What the plan's rule {name} writes is not copied to another region."
    kept = plan.section("rules", rule, "lifecycle", "deleteAfter")
    for copy in abroad:
        copied = plan.section("rules", rule, "copyActions", copy, "lifecycle", "deleteAfter")
        days, least = number(copied), number(kept)
        if days is None:
            yield f"The copy of the plan's rule {name} is kept for ever: it has no deleteAfter."
        elif least is not None and days < least:
            yield f"The copy of the plan's rule {name} is kept {show(copied)} days, and the backup itself {show(kept)}."


def _database_copied(stack: Stack) -> Iterator[Fault]:
    def copies_abroad(plan: Resource) -> bool:
        copies = [(rule, copy) for rule in rules_of(plan) for copy in copies_of(plan, rule)]
        return is_true_of_any(copies, lambda one: is_abroad(stack, region_of_copy(stack, plan, *one), plan))

    def judge(database: Resource) -> Iterator[Fault]:
        if not either(
            lambda: bool(_replications(stack, database)),
            lambda: is_true_of_any(
                stack.of(PLAN), lambda plan: copies_abroad(plan) and backs_up(stack, plan, database)
            ),
        ):
            yield Fault("Nothing of the database is copied to another region.", database.urn)

    return each(stack.of(DATABASE), judge) if _in_prod(stack) else iter(())


def _replications(stack: Stack, database: Resource) -> tuple[Resource, ...]:
    """What replicates the automated backups of ``database`` abroad."""
    found = sources(stack, database, "sourceDbInstanceArn", REPLICATION)
    return tuple(one for one in found if is_abroad(stack, region_of(stack, one), database))


def _replicated(stack: Stack) -> Iterator[Fault]:
    def judge(database: Resource) -> Iterator[Fault]:
        # RDS replicates the backups of the source only.
        if database.section("replicateSourceDb"):
            return
        replications = _replications(stack, database)
        if not replications:
            yield Fault(
                "The database's automated backups are not replicated to another region: without its region it goes "
                "back to the last copy.",
                database.urn,
            )
        for replication in replications:
            days = replication.section("retentionPeriod")
            kept = _REPLICA_DAYS if days is None else number(days)
            if kept is None or kept < FOUR_WEEKS:
                known = f"{_REPLICA_DAYS} (unset)" if days is None else show(days)
                yield Fault(
                    f"The replicated backups are kept {known} days; {FOUR_WEEKS} are demanded.", replication.urn
                )
            if is_true(database.section("storageEncrypted")) and not _has_key(stack, replication):
                yield Fault(
                    "The replication names no key; RDS needs one of the other region for an encrypted database.",
                    replication.urn,
                )

    return each(stack.of(DATABASE), judge) if _in_prod(stack) else iter(())


def _has_key(stack: Stack, replication: Resource) -> bool:
    return bool(targets(stack, replication, "kmsKeyId", *KEYS)) or bool(replication.section("kmsKeyId"))


CROSS_REGION = StackRule(
    id="backup-cross-region",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Cross-region backup management",
    title="Every rule of prod's plans copies what it writes to another region, where it is kept as long.",
    why="A region that is lost takes its vaults with it.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST CP-6",),
    remedy="Add to each rule a copy action to a vault of the recovery region, with the rule's own delete_after.",
    types=frozenset({PLAN, *VAULTS}),
    check=_copied,
)

DATABASE_COPIED = StackRule(
    id="rds-cross-region-copy",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Cross-region backup management",
    title="Prod's database has a copy in another region.",
    why="Everything else of the platform can be built again; the data cannot.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST CP-6", "NIST CP-9"),
    remedy="Let a plan with a copy action select it, or declare aws.rds.InstanceAutomatedBackupsReplication.",
    types=frozenset({DATABASE, REPLICATION, PLAN, SELECTION}),
    check=_database_copied,
)

REPLICATED = StackRule(
    id="rds-replicated-backups",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Data restoration procedures",
    title="The automated backups of prod's database are replicated to another region for four weeks.",
    why="A weekly copy loses up to a week; replicated logs lose minutes.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST CP-6", "NIST CP-9"),
    remedy="Declare aws.rds.InstanceAutomatedBackupsReplication in the recovery region with retention_period=28 and a "
    "key of that region.",
    types=frozenset({DATABASE, REPLICATION}),
    check=_replicated,
)

RULES: tuple[Rule, ...] = (CROSS_REGION, DATABASE_COPIED, REPLICATED)
