"""What a stack may say of its audit trail and of whom the trail's alarms leave out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from . import kinds
from .faults import Fault, Path
from .kinds import between
from .section import Section

#: Characters that the filter with most events leaves for those who are left out; CloudWatch Logs takes 1,024 in all.
ROOM_FOR_CHANGES = 480

#: The same in the filter for refused calls, which leaves scanners out as well.
ROOM_FOR_CALLS = 860

_PRINCIPAL = kinds.text(
    "ARN of a role or user",
    r"arn:aws(?:-cn|-us-gov)?:iam::[0-9]{12}:(?:role|user)/[A-Za-z0-9_+=,.@/-]{1,128}",
    "The ARN of an IAM role or user, without wildcards.",
    "arn:aws:iam::390711364485:role/learning-platform-deploy",
)

_SERVICE = kinds.text(
    "service that may be left out",
    # CloudFormation acts for whoever may use it: leaving it out would leave everybody out.
    r"(?!cloudformation\.)[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?",
    "The name by which an AWS service calls others, and not CloudFormation's, which calls for anybody.",
    "config.amazonaws.com",
)


class TrailSettings(Section):
    """Where the audit trail is kept, and how long (``000_… §7``, ``002_… §9``)."""

    log_retention_days: Annotated[int, kinds.LOG_RETENTION] = Field(
        default=365, description="Days the trail can be searched in CloudWatch; 365 or more in prod (002_… §9)."
    )
    archive_days: Annotated[int, between(30, 3650, "Days")] = Field(
        default=90, description="Days after which the trail's files move to Glacier (001_… §2)."
    )
    expire_days: Annotated[int, between(90, 3650, "Days")] = Field(
        default=2557, description="Days after which the trail's files are deleted: seven years (002_… §9)."
    )
    lock_days: Annotated[int, between(1, 3650, "Days")] = Field(
        default=365, description="Days during which nobody deletes a file of the trail; 365 or more in prod (002_… §9)."
    )
    lock_mode: Literal["governance", "compliance"] = Field(
        default="governance",
        description="governance: whoever may bypass it can lift the lock; compliance: nobody can, as prod needs it.",
    )
    insights: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="CloudTrail Insights: unusual rates of calls and of errors (001_… §4)."
    )
    record_objects: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="Record who reads and writes the objects of evidence and backup buckets."
    )


class QuietSettings(Section):
    """Who is expected to do what the paging filters look for; evidence of it is kept all the same."""

    deployment: tuple[Annotated[str, _PRINCIPAL], ...] = Field(
        default=(),
        max_length=4,
        description="Roles that deploy: changes and refused calls of theirs page nobody.",
        examples=["[arn:aws:iam::390711364485:role/learning-platform-deploy]"],
    )
    scanners: tuple[Annotated[str, _PRINCIPAL], ...] = Field(
        default=(), max_length=4, description="Roles that try what they may not: refused calls of theirs page nobody."
    )
    services: tuple[Annotated[str, _SERVICE], ...] = Field(
        default=(),
        max_length=6,
        description="AWS services that act by themselves: changes and refused calls of theirs page nobody.",
        examples=["[config.amazonaws.com]"],
    )


class AuditSettings(Section):
    """The audit trail and its alarms."""

    trail: TrailSettings = Field(default=TrailSettings(), description="Where the audit trail is kept, and how long.")
    quiet: QuietSettings = Field(default=QuietSettings(), description="Whom the trail's alarms leave out.")
    detection: Annotated[bool, Field(strict=True)] = Field(
        default=True,
        description="Declare GuardDuty, Access Analyzer and Security Hub in both regions; false where the organisation "
        "does (004_… Security Audit).",
    )


def broken_rules(settings: AuditSettings, environment: str, path: Path = ("audit",)) -> Iterator[Fault]:
    """Faults of settings whose values are each right by themselves; ``path``: where ``settings`` stands."""
    yield from _trail_rules(settings.trail, environment, (*path, "trail"))
    yield from _quiet_rules(settings.quiet, (*path, "quiet"))


def _trail_rules(trail: TrailSettings, environment: str, path: Path) -> Iterator[Fault]:
    if trail.expire_days < trail.archive_days + 90:
        yield Fault(
            path=(*path, "expire_days"),
            wrong=f"is less than 90 days after archive_days, {trail.archive_days}",
            rule="Glacier bills 90 days for every file.",
            way_out=f"Write {trail.archive_days + 90} or more.",
        )
    if trail.lock_days > trail.expire_days:
        yield Fault(
            path=(*path, "lock_days"),
            wrong=f"is more than expire_days, {trail.expire_days}",
            rule="A file that is locked cannot be deleted.",
            way_out=f"Write {trail.expire_days} or less.",
        )
    if environment != "prod":
        return
    for key, days in (("log_retention_days", trail.log_retention_days), ("lock_days", trail.lock_days)):
        if days < 365:
            yield Fault(
                path=(*path, key),
                wrong="is less than a year",
                rule="In prod the trail is kept and locked for a year at least (002_… §9).",
                way_out="Write 365 or more.",
            )
    if trail.lock_mode != "compliance":
        yield Fault(
            path=(*path, "lock_mode"),
            wrong="lets the lock be lifted",
            rule="In prod nobody deletes evidence before its time (002_… §9).",
            way_out="Write compliance.",
        )


def _quiet_rules(quiet: QuietSettings, path: Path) -> Iterator[Fault]:
    changes = _room([*quiet.deployment], quiet.services)
    calls = _room([*quiet.deployment, *quiet.scanners], quiet.services)
    for taken, room, keys in (
        (changes, ROOM_FOR_CHANGES, "deployment and services"),
        (calls, ROOM_FOR_CALLS, "deployment, scanners and services"),
    ):
        if taken > room:
            yield Fault(
                path=path,
                wrong=f"names more than a filter holds: {keys} take {taken} characters",
                rule=f"CloudWatch Logs takes 1,024 characters, of which {room} are free for them.",
                way_out="Name fewer, or give roles shorter names.",
            )
            return


def _room(principals: list[str], services: tuple[str, ...]) -> int:
    """Characters that those left out take in a pattern: a bracket each kind, a comparison each name."""
    return sum(
        len(f" && ($.userIdentity.{key} NOT EXISTS || ())")
        + sum(len(f'$.userIdentity.{key}!=""') + len(name) + longer for name in names)
        + len(" && ") * (len(names) - 1)
        for key, longer, names in (
            ("arn", len("sts") + len("assumed-") + len("/*") - len("iam"), principals),
            ("invokedBy", 0, list(services)),
        )
        if names
    )
