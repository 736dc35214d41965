"""Rules for the vaults that backups lie in: their key, their lock, and who may delete from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import documents
from .backup_parts import (
    FOUR_WEEKS,
    LOCK,
    PLAN,
    VAULT,
    VAULT_POLICY,
    beside,
    copies_of,
    is_abroad,
    region_in,
    region_of,
    rules_of,
    vaults_of_copy,
    vaults_of_rule,
)
from .documents import Statement
from .links import targets
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .values import number, show

KEYS = ("aws:kms/key:Key", "aws:kms/replicaKey:ReplicaKey")

#: Takes a backup away before its time.
_DELETING = "backup:DeleteRecoveryPoint"


def _customer_key(stack: Stack) -> Iterator[Fault]:
    def own_key(vault: Resource) -> Iterator[Fault]:
        keys = targets(stack, vault, "kmsKeyArn", *KEYS)
        named = None if keys else vault.section("kmsKeyArn")
        if not keys and (not named or ":alias/aws/" in str(named)):
            yield Fault("The vault is encrypted with AWS's key, not with a customer key.", vault.urn)
            return
        region = region_of(stack, keys[0]) if keys else region_in(str(named))
        if is_abroad(stack, region, vault):
            yield Fault(
                f"The vault stands in {region_of(stack, vault)} and its key in {region}; "
                "a vault takes a key of its own region.",
                vault.urn,
            )

    def strangers(plan: Resource) -> Iterator[Fault]:
        unknown = [rule for rule in rules_of(plan) if not vaults_of_rule(stack, plan, rule)]
        for name in dict.fromkeys(show(plan.section("rules", rule, "targetVaultName")) for rule in unknown):
            yield Fault(f"The plan writes to the vault {name}, which the stack does not declare.", plan.urn)

    yield from through((each(stack.of(VAULT), own_key), each(stack.of(PLAN), strangers)), iter)


def _locked(stack: Stack) -> Iterator[Fault]:
    def judge(vault: Resource) -> Iterator[Fault]:
        locks = beside(stack, vault, LOCK)
        if not locks and stack.context.environment != "dev":
            yield Fault("The vault is not locked, so its backups can be deleted before their time.", vault.urn)
        for lock in locks:
            least, most = (number(lock.section(prop)) for prop in ("minRetentionDays", "maxRetentionDays"))
            if stack.context.environment != "dev" and (least is None or least < FOUR_WEEKS):
                kept = show(lock.section("minRetentionDays"))
                yield Fault(f"The lock's minRetentionDays is {kept}; {FOUR_WEEKS} are demanded.", lock.urn)
            for deposit in stack.shared(_deposits):
                if vault.urn in deposit.vaults and deposit.is_refused(least, most):
                    yield Fault(
                        f"The lock refuses {deposit.what}: it is kept {deposit.kept}, and the lock takes "
                        f"{show(least or 1)} to {show(most or 'any number of')} days.",
                        lock.urn,
                    )

    return each(stack.of(VAULT), judge)


@dataclass(frozen=True, slots=True)
class _Deposit:
    """What a plan puts into vaults. ``days`` it is kept; None for ever."""

    what: str
    days: float | None
    vaults: frozenset[str]

    @property
    def kept(self) -> str:
        return "for ever" if self.days is None else f"{show(self.days)} days"

    def is_refused(self, least: float | None, most: float | None) -> bool:
        if self.days is None:
            return most is not None
        return (least is not None and self.days < least) or (most is not None and self.days > most)


def _deposits(stack: Stack) -> tuple[_Deposit, ...]:
    found = []
    for plan in stack.of(PLAN):
        for rule in rules_of(plan):
            name = show(plan.section("rules", rule, "ruleName"))
            places: list[tuple[str, tuple[str | int, ...], tuple[Resource, ...]]] = [
                (f"what the plan's rule {name} writes", ("rules", rule), vaults_of_rule(stack, plan, rule))
            ]
            places += [
                (
                    f"the copy of the plan's rule {name}",
                    ("rules", rule, "copyActions", copy),
                    vaults_of_copy(stack, plan, rule, copy),
                )
                for copy in copies_of(plan, rule)
            ]
            found += [
                _Deposit(
                    what,
                    number(plan.section(*path, "lifecycle", "deleteAfter")),
                    frozenset(vault.urn for vault in vaults),
                )
                for what, path, vaults in places
            ]
    return tuple(found)


def _guarded(stack: Stack) -> Iterator[Fault]:
    def judge(vault: Resource) -> Iterator[Fault]:
        policies = beside(stack, vault, VAULT_POLICY)
        if not policies:
            yield Fault("Nothing keeps anybody from deleting the vault's backups: it has no policy.", vault.urn)
        for policy in policies:
            try:
                statements = documents.read(policy.section("policy"))
            except documents.DocumentError as error:
                yield Fault(f"The vault's policy cannot be read: {error}.", policy.urn)
                continue
            if not any(_refuses_to_delete(statement) for statement in statements):
                yield Fault(f"The vault's policy does not refuse {_DELETING}.", policy.urn)
            if any(one.allows and one.is_for_anyone and not one.is_scoped for one in statements):
                yield Fault("The vault's policy lets anyone use the vault.", policy.urn)

    return each(stack.of(VAULT), judge)


def _refuses_to_delete(statement: Statement) -> bool:
    """Whether it denies that to everybody; conditions may let somebody through who mends what has gone wrong."""
    return not statement.allows and statement.is_for_anyone and statement.speaks_of(_DELETING)


VAULT_KEY = StackRule(
    id="backup-vault-cmk",
    sentence="003_720b7a256857bf84.txt Backups: Encrypt sensitive backups",
    title="Backups lie in vaults of the stack, each encrypted with a customer key of its own region.",
    why="Copies under AWS's key can be read by whoever may restore, and a key of a lost region opens nothing.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP Backup.1", "Checkov CKV_AWS_166", "NIST SC-28"),
    remedy="Name in kms_key_arn an aws.kms.Key with the vault's region; write plans into vaults of the stack.",
    types=frozenset({VAULT, PLAN, *KEYS}),
    check=_customer_key,
)

VAULT_LOCKED = StackRule(
    id="backup-vault-lock",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Backup schedule and retention policies",
    title="Vaults are locked for four weeks at least, but for development, and no lock refuses what a plan puts in.",
    why="Whoever takes over an account deletes the backups first.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST CP-9", "NIST AU-9"),
    remedy="Declare aws.backup.VaultLockConfiguration with min_retention_days=28, not above any plan's delete_after.",
    types=frozenset({VAULT, LOCK, PLAN}),
    check=_locked,
)

VAULT_GUARDED = StackRule(
    id="backup-vault-policy",
    sentence="003_720b7a256857bf84.txt Backups: private, access-restricted cloud storage service",
    title="Every vault's policy refuses to delete backups by hand and admits no stranger.",
    why="A lock in governance mode, or none, yields to anyone with rights enough; the policy is the second door.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP Backup.1", "NIST AC-6", "NIST CP-9"),
    remedy=f"Declare aws.backup.VaultPolicy that denies {_DELETING} to every principal.",
    types=frozenset({VAULT, VAULT_POLICY}),
    check=_guarded,
)

RULES: tuple[Rule, ...] = (VAULT_KEY, VAULT_LOCKED, VAULT_GUARDED)
