"""What a stack may say of patching (``001_… §3``): when, which patches, and what happens around it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

from pydantic import Field

from . import kinds
from .faults import Fault, Path, RefusedError
from .kinds import Kind, between, text
from .section import Section
from .times import collide, weekly_window

_DAY = 24 * 60
_WEEK = 7 * _DAY

#: Maintenance windows count in hours: one to begin in and one to come to an end.
LEAST_HOURS = 2

#: Days between the windows of staging and prod, and that patches run in staging at least (``001_… §3``).
LEAST_SOAK_DAYS = 3

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


def _install_window(value: Any) -> str:
    found: str = kinds.MAINTENANCE_WINDOW.check(value)
    _, minutes = weekly_window(found)
    if minutes % 60 or minutes < LEAST_HOURS * 60:
        raise RefusedError(f"is {minutes} minutes long", "Write whole hours, for example wed:14:00-wed:17:00.")
    return found


def _date(value: Any) -> str:
    if isinstance(value, date):
        raise RefusedError("is a date without quotes", f'Write it in quotes: "{value:%Y-%m-%d}"')
    found: str = text("day", _DATE, "", "").check(value)
    try:
        date.fromisoformat(found)
    except ValueError:
        raise RefusedError("is no day of the calendar") from None
    return found


INSTALL_WINDOW = Kind(
    check=_install_window,
    rule="A weekly window in UTC of the form ddd:HH:MM-ddd:HH:MM, of whole hours, 2 to 24.",
    example="wed:14:00-wed:17:00",
    schema=kinds.MAINTENANCE_WINDOW.schema,
)

RELEASE_DATE = Kind(
    check=_date,
    rule="A day of the form YYYY-MM-DD, in quotes.",
    example='"2026-11-10"',
    schema={"type": "string", "pattern": f"^{_DATE}$"},
)

TIME_OF_DAY = text("time of day", "(?:[01][0-9]|2[0-3]):[0-5][0-9]", "A UTC time of the form HH:MM.", '"12:30"')

PACKAGE = text(
    "name of a package", r"[a-z0-9][a-z0-9+._-]{0,63}", "The name of a package of Amazon Linux 2023.", "nginx"
)

SERVICE = text("name of a service", r"[A-Za-z0-9][A-Za-z0-9@._-]{0,63}", "The name of a systemd service.", "nginx")


class PatchingSettings(Section):
    """When machines are patched and up to which release (``001_… §3``, ``002_… §10 Implementation windows``)."""

    install_window: Annotated[str, INSTALL_WINDOW] = Field(
        default="tue:14:00-tue:17:00",
        description="Weekly, UTC, ddd:HH:MM-ddd:HH:MM, whole hours; prod's is 3 days after staging's (001_… §3).",
    )
    scan_time: Annotated[str, TIME_OF_DAY] = Field(
        default="12:30", description="UTC time of the daily look for missing patches (004_… Weekly Checklist)."
    )
    approve_after_days: Annotated[int, between(0, 30, "Days")] | None = Field(
        default=None, description="Days after its release that a patch is approved; 0 unless approve_until is given."
    )
    approve_until: Annotated[str, RELEASE_DATE] | None = Field(
        default=None,
        description="Newest release date that is approved; prod has one, which `runbook patch promote` moves on.",
        examples=['"2026-11-10"'],
    )
    soak_days: Annotated[int, between(LEAST_SOAK_DAYS, 28, "Days", "patches are tried before prod (001_… §3)")] = Field(
        default=LEAST_SOAK_DAYS, description="Days that staging runs patches without an alarm before prod may."
    )
    packages: tuple[Annotated[str, PACKAGE], ...] = Field(
        default=("nginx", "postgresql17"),
        max_length=20,
        description="Packages of application server and database client, whose versions each run notes (001_… §3).",
    )
    services: tuple[Annotated[str, SERVICE], ...] = Field(
        default=("nginx", "platform"),
        max_length=20,
        description="Services that are restarted after an update where they run; those enabled have to run afterwards.",
    )
    log_retention_days: Annotated[int, kinds.LOG_RETENTION] = Field(
        default=365, description="Days that the log of all runs is kept; 365 or more in prod (002_… §9)."
    )

    @property
    def delay_days(self) -> int | None:
        """Days after its release that a patch is approved; None where a date decides."""
        return None if self.approve_until is not None else self.approve_after_days or 0


def broken_rules(
    settings: PatchingSettings,
    *,
    environment: str,
    backup_window: str,
    maintenance_window: str,
    path: Path = ("patching",),
) -> Iterator[Fault]:
    """Faults of settings whose values are each right by themselves; both windows are the database's.

    ``path``: where ``settings`` stands.
    """
    yield from _approval(settings, environment, path)
    yield from _windows(settings, backup_window, maintenance_window, path)
    if environment == "prod" and settings.log_retention_days < 365:
        yield Fault(
            path=(*path, "log_retention_days"),
            wrong="is less than a year",
            rule="In prod logs are kept for a year at least (002_… §9).",
            way_out="Write 365 or more.",
        )


def _approval(settings: PatchingSettings, environment: str, path: Path) -> Iterator[Fault]:
    rule = "Prod gets only what staging has run, so its patches are approved up to a release date (001_… §3)."
    if settings.approve_until is None and environment == "prod":
        yield Fault(
            path=(*path, "approve_until"),
            wrong="is missing",
            rule=rule,
            way_out="Write a day that staging has run; `runbook patch promote` moves it on.",
        )
    if settings.approve_until is not None and environment != "prod":
        yield Fault(
            path=(*path, "approve_until"),
            wrong=f"holds {environment} back",
            rule="Dev and staging run patches before prod does (001_… §3).",
            way_out="Delete the line, or write approve_after_days.",
        )
    if settings.approve_until is not None and settings.approve_after_days is not None:
        yield Fault(
            path=(*path, "approve_after_days"),
            wrong="stands beside approve_until",
            rule="A patch baseline takes a date or a delay, not both.",
            way_out="Delete the line.",
        )


def _windows(settings: PatchingSettings, backup_window: str, maintenance_window: str, path: Path) -> Iterator[Fault]:
    rule = "Machines are not restarted while the database is backed up or changed (002_… §7.4, §10)."
    way_out = "Write a time apart from both of the database's windows."
    here = (*path, "install_window")
    if collide(backup_window, settings.install_window):
        wrong = f"collides with database.backup_window, {backup_window} each day"
        yield Fault(path=here, wrong=wrong, rule=rule, way_out=way_out)
    if _meet(maintenance_window, settings.install_window):
        wrong = f"collides with database.maintenance_window, {maintenance_window}"
        yield Fault(path=here, wrong=wrong, rule=rule, way_out=way_out)


def _meet(one: str, other: str) -> bool:
    """Whether two weekly windows have a minute in common."""
    (start, length), (other_start, other_length) = weekly_window(one), weekly_window(other)
    return (start - other_start) % _WEEK < other_length or (other_start - start) % _WEEK < length
