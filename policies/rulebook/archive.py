"""Rules for what is kept for long: buckets that archive, lock and expire, and the hosts' configuration in them.

A bucket's tag ``Purpose`` says what it is for: ``logs``, ``evidence``, ``backup``, ``archive``, ``state`` or ``pages``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import documents
from .backup_notices import REPORT_PLAN
from .backup_parts import FOUR_WEEKS, beside_bucket, buckets_of
from .cron import DAY, WEEK, ScheduleError, longest_gap
from .links import POLICY as MANAGED_POLICY
from .links import ROLE_POLICY, TEMPLATE, sources, targets
from .resource import Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .storage import BUCKETS, POLICY, VERSIONING
from .stores import TABLE
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

#: Days after which a record may go in prod: seven years (``002_… §9``).
RECORD_DAYS = 7 * 365

#: Purposes of buckets whose objects end some day -> days that prod keeps them at least.
ENDING: Mapping[str, int] = {"archive": RECORD_DAYS, "backup": FOUR_WEEKS, "evidence": RECORD_DAYS, "logs": 365}

#: Days that an overwritten object can be had back outside prod at least.
A_WEEK = 7

#: What allows somebody to write below a prefix: type and the property that holds the document.
_GRANTS = (ROLE_POLICY, MANAGED_POLICY, POLICY)

#: Filters of a lifecycle rule that leave out some of the objects below its prefix.
_NARROWING = ("and", "objectSizeGreaterThan", "objectSizeLessThan", "tag")

_COLD = ("DEEP_ARCHIVE", "GLACIER")


def _purpose(bucket: Resource) -> str:
    return str(bucket.tags.get("Purpose") or "")


def _absent(stack: Stack, purposes: tuple[str, ...]) -> Iterator[Fault]:
    there = {_purpose(bucket) for bucket in stack.of(*BUCKETS)}
    if missing := [f"Purpose={purpose}" for purpose in purposes if purpose not in there]:
        yield Fault(f"No bucket is tagged {listed(missing)}.")


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a lifecycle rule that is on does below its prefix: days until Glacier, until the end, and until an old
    version ends; None for never.
    """

    prefix: str
    moved: float | None
    gone: float | None
    old: float | None

    @property
    def what(self) -> str:
        return f"objects below {self.prefix}" if self.prefix else "every object"


def _archived(stack: Stack) -> Iterator[Fault]:
    def judge(bucket: Resource) -> Iterator[Fault]:
        purpose = _purpose(bucket)
        if purpose not in ENDING:
            return
        what, rules = f"the {purpose} bucket", list(_rules(stack, bucket))
        said = [*_switched_off(stack, what, bucket)]
        if purpose in ARCHIVED:
            said += _unmoved(what, rules)
        own = dict.fromkeys(rule.prefix for rule in rules) or {"": None}
        for prefix in own:
            said += _endless(what, rules, prefix)
        yield from (Fault(sentence, bucket.urn) for sentence in said)
        # Read last: who may write where is unknown before the first deployment.
        for prefix in _written(stack, bucket):
            if prefix not in own and rules:
                yield from (Fault(sentence, bucket.urn) for sentence in _endless(what, rules, prefix))

    yield from through((_absent(stack, ARCHIVED), each(stack.of(*BUCKETS), judge)), iter)


def _switched_off(stack: Stack, what: str, bucket: Resource) -> Iterator[str]:
    for lifecycle in beside_bucket(stack, bucket, *LIFECYCLES):
        for rule in range(len(lifecycle.items("rules"))):
            if lifecycle.section("rules", rule, "status") != "Enabled":
                yield f"A lifecycle rule of {what} is switched off: {show(lifecycle.section('rules', rule, 'id'))}."


def _unmoved(what: str, rules: list[_Kept]) -> Iterator[str]:
    """Where objects are kept for long and never move; a rule also holds below the longer prefixes of others."""
    for prefix in dict.fromkeys(rule.prefix for rule in rules) or ("",):
        if not any(rule.moved is not None for rule in _reaching(rules, prefix)):
            yield f"Nothing of {_place(what, prefix)} moves to GLACIER or DEEP_ARCHIVE."
    for rule in rules:
        if rule.moved is not None and rule.gone is not None and rule.gone <= rule.moved:
            yield f"Objects of {what} expire after {show(rule.gone)} days; they move after {show(rule.moved)}."


def _endless(what: str, rules: list[_Kept], prefix: str) -> Iterator[str]:
    """Whether objects below a prefix or their old versions stay for ever."""
    reaching = _reaching(rules, prefix)
    if not any(rule.gone is not None for rule in reaching):
        yield f"Nothing of {_place(what, prefix)} expires."
    if not any(rule.old is not None for rule in reaching):
        yield f"Old versions of {_place(what, prefix)} are kept for ever."


def _reaching(rules: list[_Kept], prefix: str) -> list[_Kept]:
    return [rule for rule in rules if prefix.startswith(rule.prefix)]


def _place(what: str, prefix: str) -> str:
    return f"{prefix} in {what}" if prefix else what


def _written(stack: Stack, bucket: Resource) -> tuple[str, ...]:
    """The prefixes of a bucket that the stack is known to write to, without repeats."""
    granted = (prefix for grant in sources(stack, bucket, "policy", *_GRANTS) for prefix in _granted(grant, bucket))
    return tuple(dict.fromkeys((*_reported(stack, bucket), *granted)))


def _reported(stack: Stack, bucket: Resource) -> tuple[str, ...]:
    """The prefixes below which AWS Backup writes its reports."""
    return stack.shared(_reports).get(bucket.urn, ())


def _reports(stack: Stack) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for plan in stack.of(REPORT_PLAN):
        for bucket in buckets_of(stack, plan, "reportDeliveryChannel"):
            prefix = plan.section("reportDeliveryChannel", "s3KeyPrefix")
            found[bucket.urn] = (*found.get(bucket.urn, ()), f"{prefix}/" if prefix else "Backup/")
    return found


def _granted(grant: Resource, bucket: Resource) -> Iterator[str]:
    """The prefixes that a policy allows to write to, each up to its first wildcard or variable."""
    try:
        statements = documents.read(grant.section("policy"))
    except documents.DocumentError:
        return
    objects = f"{bucket.section('arn')}/"
    for statement in statements:
        if statement.allows and statement.speaks_of("s3:PutObject"):
            for one in statement.resources:
                if str(one).startswith(objects):
                    yield re.split(r"[*?$]", str(one).removeprefix(objects))[0]


def _rules(stack: Stack, bucket: Resource) -> Iterator[_Kept]:
    for lifecycle in beside_bucket(stack, bucket, *LIFECYCLES):
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
                old=number(lifecycle.section(*rule, "noncurrentVersionExpiration", "noncurrentDays")),
            )


def _locked(stack: Stack) -> Iterator[Fault]:
    def judge(bucket: Resource) -> Iterator[Fault]:
        purpose = _purpose(bucket)
        if purpose not in KEPT:
            return
        locks = beside_bucket(stack, bucket, *OBJECT_LOCKS)
        locked = max((_days_locked(lock) for lock in locks), default=0)
        if not locked:
            yield Fault(
                f"The {purpose} bucket locks nothing: it has no object lock with a default retention.", bucket.urn
            )
        elif locked < KEPT[purpose]:
            yield Fault(
                f"The {purpose} bucket locks objects for {show(locked)} days; {KEPT[purpose]} are demanded.", bucket.urn
            )
        prod = stack.context.environment == "prod"
        if prod and locked and purpose == "evidence" and not any(_is_final(lock) for lock in locks):
            yield Fault("The lock of the evidence bucket can be lifted; COMPLIANCE is demanded.", bucket.urn)

    if stack.context.environment != "dev":
        yield from through((_absent(stack, tuple(KEPT)), each(stack.of(*BUCKETS), judge)), iter)


def _days_locked(lock: Resource) -> float:
    """Days that a new object is locked for; 0 where none is."""
    retention = ("rule", "defaultRetention")
    if lock.section(*retention, "mode") not in ("COMPLIANCE", "GOVERNANCE"):
        return 0
    days, years = (number(lock.section(*retention, unit)) for unit in ("days", "years"))
    return days or 365 * (years or 0)


def _is_final(lock: Resource) -> bool:
    """Whether nobody can lift the lock before its time, not even who may everything."""
    return bool(lock.section("rule", "defaultRetention", "mode") == "COMPLIANCE")


def _kept(stack: Stack) -> Iterator[Fault]:
    def judge(bucket: Resource) -> Iterator[Fault]:
        rules = list(_rules(stack, bucket))
        if any(rule.gone is not None for rule in rules):
            for sentence in (*_too_early(stack, bucket, rules), *_cut_short(_purpose(bucket), rules)):
                yield Fault(sentence, bucket.urn)
        least = FOUR_WEEKS if stack.context.environment == "prod" else A_WEEK
        for rule in rules:
            if _purpose(bucket) in ENDING and rule.old is not None and rule.old < least:
                yield Fault(
                    f"Old versions of {_place(f'the {_purpose(bucket)} bucket', rule.prefix)} go after "
                    f"{show(rule.old)} days; {least} are demanded.",
                    bucket.urn,
                )

    return each(stack.of(*BUCKETS), judge)


def _too_early(stack: Stack, bucket: Resource, rules: list[_Kept]) -> Iterator[str]:
    purpose = _purpose(bucket)
    shortest = min(rule.gone for rule in rules if rule.gone is not None)
    locked = max((_days_locked(lock) for lock in beside_bucket(stack, bucket, *OBJECT_LOCKS)), default=0)
    if shortest < locked:
        yield f"Objects of the {purpose} bucket expire after {show(shortest)} days; their lock holds {show(locked)}."
    if stack.context.environment != "prod":
        return
    if shortest < (least := ENDING.get(purpose, 0)):
        yield f"Objects of the {purpose} bucket expire after {show(shortest)} days; {least} are demanded."
    for prefix in dict.fromkeys(_reported(stack, bucket)):
        gone = [rule.gone for rule in _reaching(rules, prefix) if rule.gone is not None]
        if gone and min(gone) < RECORD_DAYS:
            yield f"The reports below {prefix} expire after {show(min(gone))} days; {RECORD_DAYS} are demanded."


def _cut_short(purpose: str, rules: list[_Kept]) -> Iterator[str]:
    """Where a rule ends what another one keeps for longer; S3 takes the shorter time and says nothing."""
    for rule in rules:
        wider = [one for one in _reaching(rules, rule.prefix) if one.gone is not None]
        ended = min(wider, key=lambda one: one.gone or 0, default=rule)
        if rule.gone is not None and ended.gone is not None and ended.gone < rule.gone:
            yield (
                f"A rule of the {purpose} bucket keeps {rule.what} {show(rule.gone)} days; "
                f"another ends {ended.what} after {show(ended.gone)}."
            )


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


def _items_end(table: Resource, _: Context) -> Iterator[str]:
    if not is_true(table.section("ttl", "enabled")) or not table.section("ttl", "attributeName"):
        yield "The table's items never expire: it has no ttl that is enabled and names an attribute."


LIFECYCLE = StackRule(
    id="archive-lifecycle-glacier",
    sentence="001_62c8c82a6a764433.txt §2: AWS Glacier: For long-term archival of backups.",
    title="Buckets of backups and archives move to Glacier; they, evidence and logs expire, old versions too.",
    why="What never moves costs ten times as much; what never expires costs for ever.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP S3.13", "NIST AU-11"),
    remedy="Tag the bucket with its Purpose and declare aws.s3.BucketLifecycleConfiguration with a transition to "
    "GLACIER or DEEP_ARCHIVE, an expiration and a noncurrent_version_expiration.",
    types=frozenset({*BUCKETS, *LIFECYCLES, *VERSIONING, REPORT_PLAN, *_GRANTS}),
    check=_archived,
)

OBJECT_LOCK = StackRule(
    id="archive-object-lock",
    sentence="002_3d1abe7e242e6afd.txt §9: Record retention policies",
    title="Buckets of archives, backups and evidence lock each object as it comes, but for development.",
    why="A record that can be rewritten proves nothing, and a backup that can be deleted is the first thing to go.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP S3.15", "NIST AU-9"),
    remedy="Declare aws.s3.BucketObjectLockConfiguration with a default_retention of 28 days for backups, 365 for "
    "archives and evidence, the latter in prod in the mode COMPLIANCE.",
    types=frozenset({*BUCKETS, *OBJECT_LOCKS}),
    check=_locked,
)

RETENTION = StackRule(
    id="archive-retention-agrees",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Backup schedule and retention policies",
    title="No object expires before its lock ends, its purpose allows or its own rule says; old versions stay.",
    why="A locked object that expires is hidden behind a marker: paid for, and not found.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AU-11", "NIST CP-9"),
    remedy="Raise expiration.days to the lock's retention; in prod backups stay 28 days, logs a year, archives, "
    "evidence and reports seven years. Old versions stay 28 days. Give each rule a prefix of its own.",
    types=frozenset({*BUCKETS, *LIFECYCLES, *OBJECT_LOCKS, *VERSIONING, REPORT_PLAN}),
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

TABLES_END = ResourceRule(
    id="ddb-expires",
    sentence="002_3d1abe7e242e6afd.txt §9: Record retention policies",
    title="Items of tables expire.",
    why="Who was called when, with names and numbers, otherwise stays for ever and slows every query.",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    controls=("NIST AU-11", "NIST SI-12"),
    remedy="Set ttl with enabled=True and the attribute that holds the time; waive the rule for what is to stay.",
    types=frozenset({TABLE}),
    check=_items_end,
)

RULES: tuple[Rule, ...] = (LIFECYCLE, OBJECT_LOCK, RETENTION, HOST_CONFIGURATION, GLACIER_LEGACY, TABLES_END)
