"""What a stack may say of its records: how long each kind is kept, and how servers save theirs (``002_… §9``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from . import kinds
from .faults import Fault, Path
from .kinds import between, text
from .section import Section

#: Days that the two archive classes of S3 bill for every object, however early it leaves them.
LEAST_IN_GLACIER, LEAST_IN_DEEP_ARCHIVE = 90, 180

YEAR = 365
FOUR_WEEKS = 28
SEVEN_YEARS = 7 * YEAR

LockMode = Literal["none", "governance", "compliance"]

_DAYS = between(1, 3653, "Days", "ten years at most")

# Not a system folder itself: what is restored replaces the whole path.
PATH = text(
    "path that can be replaced as a whole",
    r"/(?:etc|home|opt|srv|var/lib|var/www)(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._-]+)+",
    "A full path below /etc, /home, /opt, /srv, /var/lib or /var/www: letters, digits and . _ - / only.",
    "/etc/nginx",
    most=200,
)


class RetentionSettings(Section):
    """How long records of one kind are kept, and when they move to cheaper storage (``001_… §2``)."""

    days: Annotated[int, _DAYS] = Field(
        default=365, description="Days after which they are deleted (002_… §9 Record retention policies)."
    )
    glacier_days: Annotated[int, _DAYS] | None = Field(
        default=90,
        description="Days after which they move to Glacier, which gives them back in hours; empty for never.",
    )
    deep_archive_days: Annotated[int, _DAYS] | None = Field(
        default=None, description="Days after which they move to Deep Archive, which takes up to two days."
    )


class RecordRetentionSettings(RetentionSettings):
    """The same for what proves something: seven years."""

    days: Annotated[int, _DAYS] = Field(default=2557, description=RetentionSettings.model_fields["days"].description)
    deep_archive_days: Annotated[int, _DAYS] | None = Field(
        default=365, description=RetentionSettings.model_fields["deep_archive_days"].description
    )


class BucketLockSettings(Section):
    """For how long nobody deletes or overwrites an object of a bucket."""

    mode: LockMode = Field(
        default="governance",
        description="governance: whoever may bypass it can lift the lock; compliance: nobody can; none: no lock.",
    )
    days: Annotated[int, _DAYS] = Field(default=28, description="Days an object is locked (000_… §4: 4 weeks).")


class RecordLockSettings(BucketLockSettings):
    """The same for what proves something: a year."""

    days: Annotated[int, _DAYS] = Field(default=365, description="Days an object is locked (002_… §9).")


class LocksSettings(Section):
    """The locks of the three buckets. S3 has one for a whole bucket, and none is ever shortened for what it holds."""

    backup: BucketLockSettings = Field(
        default=BucketLockSettings(), description="Lock of configuration, repository and state."
    )
    evidence: RecordLockSettings = Field(
        default=RecordLockSettings(), description="Lock of restore tests and audits; compliance in prod (002_… §9)."
    )
    archive: RecordLockSettings = Field(default=RecordLockSettings(), description="Lock of exported logs.")


class HostSettings(Section):
    """What servers save of their configuration, and when (``003_… Backups §2``)."""

    paths: tuple[Annotated[str, PATH], ...] = Field(
        default=("/etc/letsencrypt", "/etc/nginx"),
        max_length=12,
        description="Paths that are saved beside the application's, 12 at most; a server may lack some.",
        examples=["[/etc/letsencrypt, /etc/nginx]"],
    )
    application: Annotated[str, PATH] = Field(
        default="/opt/platform",
        description="The application's folder, of which config/ and .env* are saved (003_… Backups §2).",
    )
    schedule: Annotated[str, kinds.ASSOCIATION_SCHEDULE] = Field(
        default="cron(0 2 ? * SUN *)", description="When everything is saved, UTC; once a week at least (003_… §2)."
    )
    watch_minutes: Annotated[int, between(5, 60, "Minutes")] = Field(
        default=5, description="Minutes between two looks for changes; a change is saved at once (003_… Backups §2)."
    )
    stale_days: Annotated[int, between(2, 31, "Days")] = Field(
        default=8, description="Days without a backup after which an alarm rings."
    )


class RecordsSettings(Section):
    """Backups of configuration and code, evidence and archived logs: how long, where, and under which lock."""

    configuration: RetentionSettings = Field(
        default=RetentionSettings(), description="Configuration of the servers (003_… Backups §2)."
    )
    repository: RetentionSettings = Field(
        default=RetentionSettings(), description="Bundles of the code repository (003_… Backups §1)."
    )
    state: RetentionSettings = Field(default=RetentionSettings(), description="Copies of Pulumi's state (002_… §3.2).")
    reports: RecordRetentionSettings = Field(
        default=RecordRetentionSettings(), description="Reports of AWS Backup (004_… Database Backup Verification)."
    )
    restores: RecordRetentionSettings = Field(
        default=RecordRetentionSettings(), description="Evidence of restore tests and drills (001_… §2)."
    )
    audits: RecordRetentionSettings = Field(
        default=RecordRetentionSettings(), description="Evidence of audits (002_… §9)."
    )
    logs: RecordRetentionSettings = Field(
        default=RecordRetentionSettings(), description="Logs exported from CloudWatch (002_… §9)."
    )
    locks: LocksSettings = Field(default=LocksSettings(), description="For how long nobody deletes what is kept.")
    noncurrent_days: Annotated[int, between(7, 365, "Days")] = Field(
        default=30, description="Days that a deleted or overwritten object can be had back; a lock may make it longer."
    )
    access_log_days: Annotated[int, between(30, 3653, "Days")] = Field(
        default=365, description="Days the buckets' access logs are kept; 365 or more in prod (002_… §9)."
    )
    hosts: HostSettings = Field(default=HostSettings(), description="What servers save of their configuration.")
    reports_role: Annotated[bool, Field(strict=True)] = Field(
        default=True,
        description="Declare the service-linked role that AWS Backup writes reports with; false where the account has "
        "it already: it exists once.",
    )
    glacier_vault: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="A vault of the old Glacier service, which is closed to new customers; S3's storage classes are "
        "what archives (001_… §2).",
    )


#: Bucket -> the kinds of records in it, as ``RecordsSettings`` names them.
BUCKETS: dict[str, tuple[str, ...]] = {
    "backup": ("configuration", "repository", "state", "reports"),
    "evidence": ("restores", "audits"),
    "archive": ("logs",),
}


#: The kinds that prove something.
KEPT_FOR_YEARS = ("audits", "reports", "restores")


def broken_rules(settings: RecordsSettings, environment: str, path: Path = ("records",)) -> Iterator[Fault]:
    """Faults of settings whose values are each right by themselves; ``path``: where ``settings`` stands."""
    for bucket, records in BUCKETS.items():
        for kind in records:
            yield from _stays_long_enough(getattr(settings, kind), (*path, kind))
        lock: BucketLockSettings = getattr(settings.locks, bucket)
        yield from _lock_ends(lock, {kind: getattr(settings, kind) for kind in records}, (*path, "locks", bucket))
        if environment == "prod":
            yield from _prod_locks(bucket, lock, (*path, "locks", bucket))
    yield from _host_rules(settings.hosts, (*path, "hosts"))
    if environment == "prod" and settings.access_log_days < YEAR:
        yield Fault(
            path=(*path, "access_log_days"),
            wrong="is less than a year",
            rule="Logs of prod are kept for a year (002_… §9 Record retention policies).",
            way_out="Write 365 or more.",
        )
    if environment == "prod":
        yield from _prod_keeps(settings, path)


def _prod_keeps(settings: RecordsSettings, path: Path) -> Iterator[Fault]:
    for kind in KEPT_FOR_YEARS:
        if getattr(settings, kind).days < SEVEN_YEARS:
            yield Fault(
                path=(*path, kind, "days"),
                wrong="is less than seven years",
                rule="What proves something is kept for seven years in prod (002_… §9 Record retention policies).",
                way_out=f"Write {SEVEN_YEARS} or more.",
            )
    if settings.noncurrent_days < FOUR_WEEKS:
        yield Fault(
            path=(*path, "noncurrent_days"),
            wrong="is less than 4 weeks",
            rule="In prod backups are kept for 4 weeks, overwritten ones too (000_… §4).",
            way_out=f"Write {FOUR_WEEKS} or more.",
        )


def _stays_long_enough(kept: RetentionSettings, path: Path) -> Iterator[Fault]:
    steps = [
        ("glacier_days", kept.glacier_days, LEAST_IN_GLACIER),
        ("deep_archive_days", kept.deep_archive_days, LEAST_IN_DEEP_ARCHIVE),
    ]
    taken = [(key, days, least) for key, days, least in steps if days is not None]
    ends = [*((key, days) for key, days, _ in taken[1:]), ("days", kept.days)]
    for (key, begins, least), (later, end) in zip(taken, ends, strict=False):
        if end < begins + least:
            yield Fault(
                path=(*path, later),
                wrong=f"is less than {least} days after {key}, {begins}",
                rule=f"S3 bills {least} days of that storage for every object.",
                way_out=f"Write {begins + least} or more, or leave {key} empty.",
            )


def _lock_ends(lock: BucketLockSettings, kept: dict[str, RetentionSettings], path: Path) -> Iterator[Fault]:
    kind = min(kept, key=lambda kind: kept[kind].days)
    if lock.mode != "none" and lock.days > kept[kind].days:
        yield Fault(
            path=(*path, "days"),
            wrong=f"is more than records.{kind}.days, {kept[kind].days}",
            rule="An object that is locked cannot be deleted.",
            way_out=f"Write {kept[kind].days} or less.",
        )


def _prod_locks(bucket: str, lock: BucketLockSettings, path: Path) -> Iterator[Fault]:
    least = FOUR_WEEKS if bucket == "backup" else YEAR
    if lock.mode == "none" or (bucket == "evidence" and lock.mode != "compliance"):
        right = "compliance" if bucket == "evidence" else "governance or compliance"
        yield Fault(
            path=(*path, "mode"),
            wrong="leaves the bucket without a lock" if lock.mode == "none" else "lets the lock be lifted",
            rule="In prod nobody deletes a record before its time (002_… §9).",
            way_out=f"Write {right}.",
        )
    if lock.days < least:
        yield Fault(
            path=(*path, "days"),
            wrong=f"is less than {least}",
            rule="In prod backups are locked for 4 weeks, records for a year (000_… §4, 002_… §9).",
            way_out=f"Write {least} or more.",
        )


def _host_rules(hosts: HostSettings, path: Path) -> Iterator[Fault]:
    between_two = _days_between(hosts.schedule)
    if between_two > 7:
        yield Fault(
            path=(*path, "schedule"),
            wrong="runs less often than every week",
            rule="Configuration is saved once a week at least (003_… Backups §2).",
            way_out="Write, for example, cron(0 2 ? * SUN *)",
        )
    elif hosts.stale_days <= between_two:
        yield Fault(
            path=(*path, "stale_days"),
            wrong="is over before the next backup is due",
            rule="The alarm rings when a backup is missing, not between two of them.",
            way_out=f"Write {between_two + 1} or more.",
        )
    yield from _paths_apart(hosts, (*path, "paths"))


def _days_between(schedule: str) -> int:
    """The most days between two runs of an association."""
    if rate := re.fullmatch(r"rate\((\d+) days\)", schedule):
        return int(rate[1])
    if "#" in schedule:
        return 35
    return 7 if re.search("[A-Z]{3}", schedule) else 1


def _paths_apart(hosts: HostSettings, path: Path) -> Iterator[Fault]:
    for position, one in enumerate(hosts.paths):
        for other in hosts.paths[:position]:
            if f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/"):
                yield Fault(
                    path=(*path, position),
                    wrong=f"overlaps {other}",
                    rule="Each path is saved, and replaced, once.",
                    way_out="Delete the narrower of the two.",
                )
        if f"{hosts.application}/".startswith(f"{one}/"):
            yield Fault(
                path=(*path, position),
                wrong=f"holds the application's folder, {hosts.application}",
                rule="Code comes from the repository; a restored configuration does not replace it (003_… Backups §1).",
                way_out="Write a narrower path, or delete the line.",
            )
        elif one.startswith(f"{hosts.application}/.env") or f"{one}/".startswith(f"{hosts.application}/config/"):
            yield Fault(
                path=(*path, position),
                wrong="is saved with the application already",
                rule="Each path is saved, and replaced, once.",
                way_out="Delete the line.",
            )
