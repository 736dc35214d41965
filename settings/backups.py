"""What a stack may say of its backups: how often, how long, where else, and how they are tested (``000_… §4``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from . import kinds
from .faults import Fault, Path
from .kinds import between, text
from .section import Section
from .times import DAYS, daily_window, weekly_window

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

FOUR_WEEKS = 28

#: Days that a backup has to stay in cold storage at least: AWS Backup refuses a shorter stay.
LEAST_IN_COLD = 90

#: Minutes within which AWS Backup begins a job: the least it takes.
START_MINUTES = 60

#: Minutes before a window of RDS in which AWS Backup can begin no snapshot.
LEAD_MINUTES = 60

_DAY = 24 * 60
_WEEK = 7 * _DAY

_KEPT = "AWS Backup keeps a hundred years, and nobody needs ten"

TIME = text("time of day", "(?:[01][0-9]|2[0-3]):[0-5][0-9]", "A time of day, UTC, of the form HH:MM.", '"02:00"')

IDENTIFIER = text(
    "name in the database",
    "[A-Za-z_][A-Za-z0-9_]{0,62}",
    "A letter or an underscore, then letters, digits and underscores, 63 at most, as the database has it.",
    "audit_log",
)

PRINCIPAL = text(
    "ARN of a role",
    r"arn:aws(?:-cn|-us-gov)?:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,128}",
    "The ARN of an IAM role, without wildcards.",
    "arn:aws:iam::390711364485:role/break-glass",
)


class WeeklySettings(Section):
    """The weekly backup (``000_… §4``)."""

    day: Day = Field(default="sun", description="Day of the week.")
    time: Annotated[str, TIME] = Field(
        default="02:00", description="UTC; an hour or more apart from the database's windows (002_… §7.4)."
    )
    keep_days: Annotated[int, between(FOUR_WEEKS, 3653, "Days", "4 weeks at least (000_… §4)")] = Field(
        default=FOUR_WEEKS, description="Days it is kept (000_… §4: 4 weeks)."
    )


class DailySettings(Section):
    """A backup each day beside the weekly one (``004_… Database Backup Verification``)."""

    time: Annotated[str, TIME] = Field(default="02:00", description="UTC.")
    keep_days: Annotated[int, between(1, 3653, "Days", _KEPT)] = Field(
        default=FOUR_WEEKS, description="Days it is kept; lock.min_retention_days at least."
    )


class MonthlySettings(Section):
    """A backup each month that is kept for long (``001_… §2`` archival, ``002_… §9 Record retention policies``)."""

    day_of_month: Annotated[int, between(1, 28, "Days", "every month has them")] = Field(
        default=1, description="Day of the month."
    )
    time: Annotated[str, TIME] = Field(default="02:00", description="UTC.")
    keep_days: Annotated[int, between(FOUR_WEEKS, 3653, "Days", _KEPT)] = Field(
        default=400, description="Days it is kept."
    )
    cold_after_days: Annotated[int, between(1, 3563, "Days")] | None = Field(
        default=None,
        description="Days after which it moves to cold storage, for what has one: EFS and DynamoDB do, RDS does not.",
    )


class CopySettings(Section):
    """Copies in the recovery region (``002_… §3.2 Cross-region backup management``)."""

    keep_days: Annotated[int, between(FOUR_WEEKS, 3653, "Days", "4 weeks at least (000_… §4)")] = Field(
        default=FOUR_WEEKS, description="Days a copy is kept; longer where its source is kept longer."
    )


class LockSettings(Section):
    """How long nobody deletes a backup (``002_… §3.2`` retention policies)."""

    mode: Literal["none", "governance", "compliance"] = Field(
        default="governance",
        description="governance: whoever may can lift the lock; compliance: nobody can, once it may change no more.",
    )
    changeable_days: Annotated[int, between(3, 36500, "Days", "what AWS Backup takes")] = Field(
        default=7, description="Days in which a compliance lock can still be lifted."
    )
    min_retention_days: Annotated[int, between(1, 3653, "Days")] = Field(
        default=FOUR_WEEKS, description="No backup is kept for less; 28 or more in prod (000_… §4)."
    )
    max_retention_days: Annotated[int, between(1, 36500, "Days")] = Field(
        default=3653, description="No backup is kept for more."
    )


class EvidenceSettings(Section):
    """A table of the application that is written to all the time: its newest record tells how much would be lost."""

    schema_name: Annotated[str, IDENTIFIER] = Field(default="public", description="Schema of the table.")
    table: Annotated[str, IDENTIFIER] = Field(description="Table.", examples=["audit_log"])
    column: Annotated[str, IDENTIFIER] = Field(
        description="Column with the moment of the record: timestamp, with or without time zone (then UTC), or date.",
        examples=["created_at"],
    )


class RestoreTestSettings(Section):
    """A backup is restored, measured and thrown away (``001_… §2``, ``004_… Backup and Recovery Testing``)."""

    day_of_month: Annotated[int, between(1, 28, "Days", "every month has them")] = Field(
        default=2, description="Day of the month of the test (004_… Monthly Checklist)."
    )
    weekday: Day | None = Field(default=None, description="Day of the week, where the test is weekly.")
    time: Annotated[str, TIME] = Field(default="09:00", description="UTC.")
    start_hours: Annotated[int, between(1, 168, "Hours", "what AWS Backup takes")] = Field(
        default=1, description="Hours within which the test begins."
    )
    pick: Literal["latest", "random"] = Field(
        default="latest", description="Which backup of pick_days is restored: the newest, or any."
    )
    pick_days: Annotated[int, between(8, 365, "Days", "a weekly backup has to lie within")] = Field(
        default=FOUR_WEEKS, description="Days that the restored backup is old at most."
    )
    instance_class: Annotated[str, kinds.RDS_CLASS] = Field(
        default="db.t3.micro", description="RDS class of the restored database (004_… Backup and Recovery Testing)."
    )
    validation_hours: Annotated[int, between(1, 168, "Hours", "what AWS Backup takes")] = Field(
        default=4, description="Hours the restored database is there at most, to be measured."
    )
    evidence: EvidenceSettings | None = Field(
        default=None, description="Table whose newest record is measured; needed in prod (002_… §3.2 verification)."
    )


class BackupSettings(Section):
    """AWS Backup: plan, vaults, copies and restore tests (``000_… §4``, ``001_… §2``, ``002_… §3.2``)."""

    weekly: WeeklySettings = Field(default=WeeklySettings(), description="The weekly backup.")
    daily: DailySettings | None = Field(default=None, description="A backup each day as well.")
    monthly: MonthlySettings | None = Field(default=None, description="A backup each month that is kept for long.")
    continuous_days: Annotated[int, between(1, 35, "Days", "35 at most, as RDS keeps it")] | None = Field(
        default=None,
        description="Days within which any second can be restored by AWS Backup. It then owns the retention and the "
        "window of the database's automated backups, which do the same without it.",
    )
    copy_to_recovery: CopySettings | None = Field(
        default=CopySettings(), description="Copies in the recovery region; needed in prod (002_… §3.2)."
    )
    replicate_days: Annotated[int, between(1, 35, "Days", "35 at most, as RDS keeps it")] | None = Field(
        default=None,
        description="Days that the database's automated backups are kept in the recovery region too, so that it can be "
        "restored there to any second; needed in prod (002_… §6).",
    )
    lock: LockSettings = Field(default=LockSettings(), description="How long nobody deletes a backup.")
    break_glass: tuple[Annotated[str, PRINCIPAL], ...] = Field(
        default=(),
        max_length=4,
        description="Roles that alone may delete a backup before its time; nobody without them.",
        examples=["[arn:aws:iam::390711364485:role/break-glass]"],
    )
    restore_test: RestoreTestSettings | None = Field(
        default=RestoreTestSettings(), description="The restore test; needed in prod (004_… Monthly Checklist)."
    )
    rpo_minutes: Annotated[int, between(1, 20160, "Minutes", "two weeks at most")] = Field(
        default=1440,
        description="Recovery point objective: the newest record may be that much older than its backup (002_… §6).",
    )
    rto_minutes: Annotated[int, between(10, 10080, "Minutes", "a week at most")] = Field(
        default=240, description="Recovery time objective: a restore may take that long (002_… §6)."
    )
    log_retention_days: Annotated[int, kinds.LOG_RETENTION] = Field(
        default=365, description="Days the restore test's log is kept; 365 or more in prod (002_… §9)."
    )
    reserved_concurrency: Annotated[int, between(1, 10, "Runs")] | None = Field(
        default=2,
        description="Concurrent runs kept free for the restore test's function; empty in an account whose quota has no "
        "room for that.",
    )


def kept_days(settings: BackupSettings) -> dict[str, int]:
    """Rule -> days that its backups are kept, of the rules that the settings have."""
    rules = {"weekly": settings.weekly, "daily": settings.daily, "monthly": settings.monthly}
    kept = {name: rule.keep_days for name, rule in rules.items() if rule is not None}
    return kept | ({"continuous": settings.continuous_days} if settings.continuous_days else {})


def copied_days(settings: BackupSettings) -> dict[str, int]:
    """Rule -> days that its copies are kept in the recovery region: never less than the source, so none are orphans.

    Logs cannot be copied, so a continuous backup has no copy.
    """
    copies = settings.copy_to_recovery
    if copies is None:
        return {}
    return {name: max(days, copies.keep_days) for name, days in kept_days(settings).items() if name != "continuous"}


def broken_rules(
    settings: BackupSettings,
    *,
    environment: str,
    nat: Literal["none", "one", "per-zone"],
    backup_window: str,
    maintenance_window: str,
    database_retention_days: int,
    path: Path = ("backups",),
) -> Iterator[Fault]:
    """Faults of settings whose values are each right by themselves; ``path``: where ``settings`` stands.

    ``backup_window`` and ``maintenance_window`` are the database's, ``database_retention_days`` that of its automated
    backups.
    """
    yield from _retention_rules(settings, path)
    yield from _window_rules(settings, backup_window, maintenance_window, path)
    yield from _continuous_rules(settings, database_retention_days, path)
    if settings.restore_test is not None and nat == "none":
        yield Fault(
            path=(*path, "restore_test"),
            wrong="leaves its function without a way to RDS and AWS Backup",
            rule="The function that measures a restored database calls both through a NAT gateway (network.nat is "
            "none).",
            way_out="Write restore_test: null, or network.nat: one.",
        )
    if environment == "prod":
        yield from _prod_rules(settings, path)


def _retention_rules(settings: BackupSettings, path: Path) -> Iterator[Fault]:
    monthly, copies, lock = settings.monthly, settings.copy_to_recovery, settings.lock
    if monthly and monthly.cold_after_days and monthly.keep_days < monthly.cold_after_days + LEAST_IN_COLD:
        yield Fault(
            path=(*path, "monthly", "keep_days"),
            wrong=f"ends before cold storage does, {LEAST_IN_COLD} days after day {monthly.cold_after_days}",
            rule=f"What moves to cold storage stays there for {LEAST_IN_COLD} days at least.",
            way_out=f"Write {monthly.cold_after_days + LEAST_IN_COLD} or more.",
        )
    if copies and copies.keep_days < settings.weekly.keep_days:
        yield Fault(
            path=(*path, "copy_to_recovery", "keep_days"),
            wrong=f"is less than weekly.keep_days, {settings.weekly.keep_days}",
            rule="A copy outlives its source: it is there for the day on which the source is lost (002_… §3.2).",
            way_out=f"Write {settings.weekly.keep_days} or more.",
        )
    if lock.mode != "none":
        yield from _lock_rules(settings, path)


def _lock_rules(settings: BackupSettings, path: Path) -> Iterator[Fault]:
    """AWS Backup fails every job whose retention the vault's lock does not allow."""
    lock, kept = settings.lock, kept_days(settings)
    rule = "A vault takes no backup whose retention lies outside its lock: each job would fail."
    for name, days in kept.items():
        if days < lock.min_retention_days:
            yield Fault(
                path=(*path, "continuous_days") if name == "continuous" else (*path, name, "keep_days"),
                wrong=f"is less than lock.min_retention_days, {lock.min_retention_days}",
                rule=rule,
                way_out=f"Write {lock.min_retention_days} or more, or a smaller lock.min_retention_days.",
            )
    longest = max([*kept.values(), *copied_days(settings).values()])
    if longest > lock.max_retention_days:
        yield Fault(
            path=(*path, "lock", "max_retention_days"),
            wrong=f"is less than the longest retention, {longest} days",
            rule=rule,
            way_out=f"Write {longest} or more.",
        )


def _continuous_rules(settings: BackupSettings, database_retention_days: int, path: Path) -> Iterator[Fault]:
    continuous = settings.continuous_days
    if continuous is not None and continuous != database_retention_days:
        yield Fault(
            path=(*path, "continuous_days"),
            wrong=f"is not database.backup_retention_days, {database_retention_days}",
            rule="AWS Backup sets the retention of the automated backups to it; two numbers would undo each other.",
            way_out=f"Write {database_retention_days}, or leave it out: RDS restores to any second by itself.",
        )


def _prod_rules(settings: BackupSettings, path: Path) -> Iterator[Fault]:
    def needed(key: str, wrong: str, rule: str, way_out: str) -> Fault:
        return Fault(path=(*path, *key.split(".")), wrong=wrong, rule=rule, way_out=way_out)

    if settings.copy_to_recovery is None:
        yield needed(
            "copy_to_recovery",
            "leaves all backups in one region",
            "Backups of prod survive the loss of a region (002_… §3.2 Cross-region backup management).",
            "Delete the line.",
        )
    if settings.replicate_days is None or settings.replicate_days < FOUR_WEEKS:
        yield needed(
            "replicate_days",
            "is missing" if settings.replicate_days is None else "is less than 4 weeks",
            "In the recovery region prod loses minutes, not the days since the last weekly copy (002_… §6).",
            "Write 28 to 35.",
        )
    if settings.lock.mode == "none":
        yield needed(
            "lock.mode",
            "lets a backup be deleted before its time",
            "Backups of prod are locked for as long as they are kept (002_… §3.2).",
            "Write governance or compliance.",
        )
    elif settings.lock.min_retention_days < FOUR_WEEKS:
        yield needed(
            "lock.min_retention_days",
            "is less than 4 weeks",
            "Backups of prod are kept for 4 weeks (000_… §4).",
            "Write 28 or more.",
        )
    if settings.restore_test is None:
        yield needed(
            "restore_test",
            "leaves the backups untested",
            "Recovery of prod is tested each month (004_… Monthly Checklist, 001_… §2).",
            "Delete the line.",
        )
    elif settings.restore_test.evidence is None:
        yield needed(
            "restore_test.evidence",
            "is missing",
            "A test of prod measures how much would be lost: the age of the newest record (002_… §6).",
            "Write the table and column: {table: audit_log, column: created_at}.",
        )
    if settings.log_retention_days < 365:
        yield needed(
            "log_retention_days",
            "is less than a year",
            "Logs of prod are kept for a year (002_… §9 Record retention policies).",
            "Write 365 or more.",
        )


def _window_rules(settings: BackupSettings, backup_window: str, maintenance_window: str, path: Path) -> Iterator[Fault]:
    starts: list[tuple[str, str, Day | None]] = [("weekly", settings.weekly.time, settings.weekly.day)]
    starts += [("daily", settings.daily.time, None)] if settings.daily else []
    starts += [("monthly", settings.monthly.time, None)] if settings.monthly else []
    for name, time, day in starts:
        if hit := colliding_window(time, day, backup_window, maintenance_window):
            free = _free_time(day, backup_window, maintenance_window)
            yield Fault(
                path=(*path, name, "time"),
                wrong=f"collides with database.{hit}",
                rule=f"A backup begins within {START_MINUTES} minutes of its time, and RDS takes no snapshot in its "
                f"windows or in the {LEAD_MINUTES} minutes before (002_… §7.4).",
                way_out=f'Write, for example, "{free}".' if free else "Write shorter windows of the database.",
            )


def colliding_window(
    time: str, day: Day | None, backup_window: str, maintenance_window: str
) -> Literal["backup_window", "maintenance_window"] | None:
    """Which window of the database a backup at ``time`` may begin in, if any; ``day`` None means any day."""
    minute = _minutes(time)
    begins = [index * _DAY + minute for index in (range(7) if day is None else (DAYS.index(day),))]
    daily, length = daily_window(backup_window)
    if any(_meets(begin, index * _DAY + daily, length) for begin in begins for index in range(7)):
        return "backup_window"
    weekly, length = weekly_window(maintenance_window)
    return "maintenance_window" if any(_meets(begin, weekly, length) for begin in begins) else None


def _meets(begin: int, window: int, length: int) -> bool:
    """Whether a job may begin within a window or the minutes before it; all are minutes of the week."""
    closed, closed_length = window - LEAD_MINUTES, length + LEAD_MINUTES
    return (begin - closed) % _WEEK < closed_length or (closed - begin) % _WEEK < START_MINUTES


def _free_time(day: Day | None, backup_window: str, maintenance_window: str) -> str | None:
    times = (f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 30))
    return next((time for time in times if not colliding_window(time, day, backup_window, maintenance_window)), None)


def _minutes(time: str) -> int:
    hour, minute = time.split(":")
    return int(hour) * 60 + int(minute)
