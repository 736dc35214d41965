"""Rules for what is kept for long: buckets that archive, lock and expire, and the hosts' configuration in them.

A bucket's tag ``Purpose`` says what it is for: ``logs``, ``evidence``, ``backup``, ``archive``, ``state`` or ``pages``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import documents
from .backup_parts import FOUR_WEEKS, buckets_of
from .cron import DAY, WEEK, ScheduleError, longest_gap
from .links import TEMPLATE, sources, targets
from .resource import Resource, Stack, is_true
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .storage import BUCKETS, VERSIONING
from .values import is_true_of_any, listed, number, show

LIFECYCLES = (
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
)
OBJECT_LOCKS = (
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2",
)
ASSOCIATION = "aws:ssm/association:Association"
DOCUMENT = "aws:ssm/document:Document"
HOST = "aws:ec2/instance:Instance"
GLACIER = "aws:glacier/vault:Vault"
GLACIER_LOCK = "aws:glacier/vaultLock:VaultLock"

#: Purposes of buckets that Glacier takes over (``001_… §2``).
ARCHIVED = ("archive", "backup")

#: Purposes of buckets whose objects nobody changes -> days that prod locks and keeps them at least: four weeks of
#: backups (``000_… §4``), and a year of records (``002_… §9``).
KEPT: Mapping[str, int] = {"archive": 365, "backup": FOUR_WEEKS, "evidence": 365}

#: Filters of a lifecycle rule that leave out some of the objects below its prefix.
_NARROWING = ("and", "objectSizeGreaterThan", "objectSizeLessThan", "tag")

_COLD = ("DEEP_ARCHIVE", "GLACIER")


def _purpose(bucket: Resource) -> str:
    return str(bucket.tags.get("Purpose") or "")


def _beside(stack: Stack, bucket: Resource, *tokens: str) -> tuple[Resource, ...]:
    """What is declared for ``bucket``, which may be named through its versioning: that has to be on before."""
    holders = (bucket, *sources(stack, bucket, "bucket", *VERSIONING))
    found = [one for holder in holders for one in sources(stack, holder, "bucket", *tokens)]
    return tuple({one.urn: one for one in found}.values())


def _absent(stack: Stack, purposes: tuple[str, ...]) -> Iterator[Fault]:
    there = {_purpose(bucket) for bucket in stack.of(*BUCKETS)}
    if missing := [f"Purpose={purpose}" for purpose in purposes if purpose not in there]:
        yield Fault(f"No bucket is tagged {listed(missing)}.")


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a lifecycle rule that is on does below its prefix: days until Glacier and until the end, None for never."""

    prefix: str
    moved: float | None
    gone: float | None
    drops_old: bool


def _archived(stack: Stack) -> Iterator[Fault]:
    def judge(bucket: Resource) -> Iterator[Fault]:
        purpose = _purpose(bucket)
        if purpose not in KEPT:
            return
        what, rules = f"the {purpose} bucket", list(_rules(stack, bucket))
        moves = _unmoved(what, rules) if purpose in ARCHIVED else ()
        for sentence in (*_switched_off(stack, what, bucket), *moves, *_endless(what, rules)):
            yield Fault(sentence, bucket.urn)

    yield from through((_absent(stack, ARCHIVED), each(stack.of(*BUCKETS), judge)), iter)


def _switched_off(stack: Stack, what: str, bucket: Resource) -> Iterator[str]:
    for lifecycle in _beside(stack, bucket, *LIFECYCLES):
        for rule in range(len(lifecycle.items("rules"))):
            if lifecycle.section("rules", rule, "status") != "Enabled":
                yield f"A lifecycle rule of {what} is switched off: {show(lifecycle.section('rules', rule, 'id'))}."


def _unmoved(what: str, rules: list[_Kept]) -> Iterator[str]:
    if not any(rule.moved is not None for rule in rules):
        yield f"Nothing of {what} moves to GLACIER or DEEP_ARCHIVE."
    for rule in rules:
        if rule.moved is not None and rule.gone is not None and rule.gone <= rule.moved:
            yield f"Objects of {what} expire after {show(rule.gone)} days; they move after {show(rule.moved)}."


def _endless(what: str, rules: list[_Kept]) -> Iterator[str]:
    """Where objects or their old versions stay for ever; a rule also holds below the longer prefixes of others."""
    for prefix in dict.fromkeys(rule.prefix for rule in rules) or ("",):
        where = f"{prefix} in {what}" if prefix else what
        reaching = [rule for rule in rules if prefix.startswith(rule.prefix)]
        if not any(rule.gone is not None for rule in reaching):
            yield f"Nothing of {where} expires."
        if not any(rule.drops_old for rule in reaching):
            yield f"Old versions of {where} are kept for ever."


def _rules(stack: Stack, bucket: Resource) -> Iterator[_Kept]:
    for lifecycle in _beside(stack, bucket, *LIFECYCLES):
        for index in range(len(lifecycle.items("rules"))):
            rule = ("rules", index)
            narrowed = any(lifecycle.section(*rule, "filter", key) for key in _NARROWING)
            if narrowed or lifecycle.section(*rule, "status") != "Enabled":
                continue
            cold = [
                number(lifecycle.section(*rule, "transitions", at, "days")) or 0
                for at in range(len(lifecycle.items(*rule, "transitions")))
                if lifecycle.section(*rule, "transitions", at, "storageClass") in _COLD
            ]
            yield _Kept(
                prefix=str(lifecycle.section(*rule, "filter", "prefix") or ""),
                moved=min(cold, default=None),
                gone=number(lifecycle.section(*rule, "expiration", "days")),
                drops_old=number(lifecycle.section(*rule, "noncurrentVersionExpiration", "noncurrentDays")) is not None,
            )


def _locked(stack: Stack) -> Iterator[Fault]:
    def judge(bucket: Resource) -> Iterator[Fault]:
        purpose = _purpose(bucket)
        if purpose not in KEPT:
            return
        locked = max((_days_locked(lock) for lock in _beside(stack, bucket, *OBJECT_LOCKS)), default=0)
        if not locked:
            yield Fault(
                f"The {purpose} bucket locks nothing: it has no object lock with a default retention.", bucket.urn
            )
        elif locked < KEPT[purpose]:
            yield Fault(
                f"The {purpose} bucket locks objects for {show(locked)} days; {KEPT[purpose]} are demanded.", bucket.urn
            )

    if stack.context.environment == "prod":
        yield from through((_absent(stack, tuple(KEPT)), each(stack.of(*BUCKETS), judge)), iter)


def _days_locked(lock: Resource) -> float:
    """Days that a new object is locked for; 0 where none is."""
    retention = ("rule", "defaultRetention")
    if lock.section(*retention, "mode") not in ("COMPLIANCE", "GOVERNANCE"):
        return 0
    days, years = (number(lock.section(*retention, unit)) for unit in ("days", "years"))
    return days or 365 * (years or 0)


def _kept(stack: Stack) -> Iterator[Fault]:
    def judge(bucket: Resource) -> Iterator[Fault]:
        purpose = _purpose(bucket)
        expiries = [rule.gone for rule in _rules(stack, bucket) if rule.gone is not None]
        if not expiries:
            return
        shortest, locks = min(expiries), _beside(stack, bucket, *OBJECT_LOCKS)
        locked = max((_days_locked(lock) for lock in locks), default=0)
        if shortest < locked:
            yield Fault(
                f"Objects of the {purpose} bucket expire after {show(shortest)} days; their lock holds {show(locked)}.",
                bucket.urn,
            )
        if stack.context.environment == "prod" and shortest < (least := KEPT.get(purpose, 0)):
            yield Fault(
                f"Objects of the {purpose} bucket expire after {show(shortest)} days; {least} are demanded.", bucket.urn
            )

    return each(stack.of(*BUCKETS), judge)


def _hosts(stack: Stack) -> Iterator[Fault]:
    if not any(True for _ in stack.of(HOST, TEMPLATE)):
        return
    backups = [one for one in stack.of(ASSOCIATION) if _writes_to_backups(stack, one)]
    if not backups:
        yield Fault("Nothing backs up the hosts' configuration: no association writes to a bucket with Purpose=backup.")
    yield from each(backups, lambda one: (Fault(said, one.urn) for said in _association_faults(one)))


def _writes_to_backups(stack: Stack, association: Resource) -> bool:
    """Whether an association, or the document that it runs, names a bucket of backups."""
    holders = [(association, "parameters")]
    holders += [(document, "content") for document in targets(stack, association, "name", DOCUMENT)]
    return is_true_of_any(
        (bucket for holder, prop in holders for bucket in buckets_of(stack, holder, prop)),
        lambda bucket: _purpose(bucket) == "backup",
    )


def _association_faults(association: Resource) -> Iterator[str]:
    schedule = association.section("scheduleExpression")
    try:
        gap = longest_gap(str(schedule or ""))
    except ScheduleError as error:
        why = f"has a schedule that AWS refuses: {error}" if schedule else "has no schedule, so it runs once"
        yield f"The backup of the hosts' configuration {why}."
    else:
        if gap > WEEK:
            yield f"The backup of the hosts' configuration runs every {show(gap / DAY)} days at worst; 7 are demanded."
    if not association.items("targets"):
        yield "The backup of the hosts' configuration runs on no host: it has no targets."


def _glacier(stack: Stack) -> Iterator[Fault]:
    def judge(vault: Resource) -> Iterator[Fault]:
        yield Fault("Vaults of Glacier take no new customers; S3 has the same storage classes.", vault.urn)
        locks = sources(stack, vault, "vaultName", GLACIER_LOCK)
        if not any(is_true(lock.section("completeLock")) for lock in locks):
            yield Fault("The vault is not locked for good.", vault.urn)
        policy = vault.section("accessPolicy")
        if not policy:
            return
        try:
            statements = documents.read(policy)
        except documents.DocumentError as error:
            yield Fault(f"The vault's policy cannot be read: {error}.", vault.urn)
            return
        if any(one.allows and one.is_for_anyone and not one.is_scoped for one in statements):
            yield Fault("The vault's policy lets anyone use the vault.", vault.urn)

    return each(stack.of(GLACIER), judge)


LIFECYCLE = StackRule(
    id="archive-lifecycle-glacier",
    sentence="001_62c8c82a6a764433.txt §2: AWS Glacier: For long-term archival of backups.",
    title="Buckets of backups and archives move to Glacier; they and evidence expire, old versions too.",
    why="What never moves costs ten times as much; what never expires costs for ever.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP S3.13", "NIST AU-11"),
    remedy="Tag the bucket with its Purpose and declare aws.s3.BucketLifecycleConfiguration with a transition to "
    "GLACIER or DEEP_ARCHIVE, an expiration and a noncurrent_version_expiration.",
    types=frozenset({*BUCKETS, *LIFECYCLES}),
    check=_archived,
)

OBJECT_LOCK = StackRule(
    id="archive-object-lock",
    sentence="002_3d1abe7e242e6afd.txt §9: Record retention policies",
    title="Prod's buckets of archives, backups and evidence lock each object as it comes.",
    why="A record that can be rewritten proves nothing, and a backup that can be deleted is the first thing to go.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP S3.15", "NIST AU-9"),
    remedy="Declare aws.s3.BucketObjectLockConfiguration with a default_retention of 28 days for backups, 365 for "
    "archives and evidence.",
    types=frozenset({*BUCKETS, *OBJECT_LOCKS}),
    check=_locked,
)

RETENTION = StackRule(
    id="archive-retention-agrees",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Backup schedule and retention policies",
    title="No object expires before its lock ends or before its purpose allows.",
    why="A locked object that expires is hidden behind a marker: paid for, and not found.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AU-11", "NIST CP-9"),
    remedy="Raise expiration.days to the lock's retention; in prod backups stay 28 days, archives and evidence 365.",
    types=frozenset({*BUCKETS, *LIFECYCLES, *OBJECT_LOCKS}),
    check=_kept,
)

HOST_CONFIGURATION = StackRule(
    id="backup-host-configuration",
    sentence="003_720b7a256857bf84.txt Backups: Perform this backup after any significant configuration change, or at "
    "least weekly",
    title="The hosts' configuration is backed up every week.",
    why="A host is made again in minutes; what somebody configured on it is not.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CP-9", "NIST CM-2"),
    remedy="Declare aws.ssm.Association with a weekly schedule, targets, and a document that writes to the bucket with "
    "Purpose=backup.",
    types=frozenset({HOST, TEMPLATE, ASSOCIATION, DOCUMENT, *BUCKETS}),
    check=_hosts,
)

GLACIER_LEGACY = StackRule(
    id="glacier-vault-legacy",
    sentence="001_62c8c82a6a764433.txt §2: AWS Glacier: For long-term archival of backups.",
    title="There is no vault of Glacier, or it is locked and closed to strangers.",
    why="The service is kept for those who have it; a new account cannot restore into it.",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    controls=("Checkov CKV_AWS_167",),
    remedy="Use a bucket with a lifecycle to GLACIER or DEEP_ARCHIVE, and object lock.",
    types=frozenset({GLACIER, GLACIER_LOCK}),
    check=_glacier,
)

RULES: tuple[Rule, ...] = (LIFECYCLE, OBJECT_LOCK, RETENTION, HOST_CONFIGURATION, GLACIER_LEGACY)
