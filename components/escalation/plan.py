"""What the escalation decides: its rungs, its alarms on itself, and what its packages hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

from functions.escalate.env import Moment, Office, Severity
from functions.notify.env import Channel, Contact, Duty, Override, Roster, Rotation, Rung
from settings.escalation import DAYS, EscalationSettings

#: Seconds a function may run; the machine waits a little longer before it takes it for dead.
STEP_SECONDS, SEND_SECONDS = 10, 25
PATIENCE_SECONDS = 3

#: How often the machine tries a rung again, and seconds before each try.
SEND_RETRIES, SEND_PAUSE = 2, 5

#: Seconds a rung needs at most: all its tries and the note that it failed. The next rung must not come sooner.
LONGEST_RUNG = (
    (SEND_RETRIES + 1) * (SEND_SECONDS + PATIENCE_SECONDS) + SEND_RETRIES * SEND_PAUSE + STEP_SECONDS + PATIENCE_SECONDS
)

#: How often the machine tries a step on the record again.
STEP_RETRIES = 2

#: Bytes that Lambda takes as variables of a function, names and values together.
VARIABLES_LIMIT = 4096

#: Seconds a message stays hidden while it is being worked on: six runs of the function, as Lambda asks.
VISIBILITY = 6 * STEP_SECONDS

#: How often a message of the inbox is tried before it counts as dead.
RECEIVES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Channels:
    """ARNs of what messages are sent with, and what messages name."""

    slack_secret: str
    slack_key: str | None
    slack_channel: str
    sender: str
    email_identity: str
    sms_number: str
    voice_number: str
    takes_replies: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """The whole chain in plain values: who is called, when, and with what."""

    roster: Roster
    office: Office
    office_severities: tuple[Severity, ...]
    rungs: tuple[Rung, ...]
    respond_minutes: Mapping[str, int | None]
    channels: Channels
    acknowledged_hours: int
    record_retention_days: int
    log_retention_days: int
    reserved_concurrency: int | None

    @property
    def patience_minutes(self) -> int:
        """Until the first call: an alarm heard of later than that has missed all its rungs."""
        return next(rung.minutes for rung in self.rungs if rung.channel == "phone")

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The rungs as far as the escalate function needs them."""
        return tuple(Moment(name=rung.name, minutes=rung.minutes) for rung in self.rungs)


def chain(settings: EscalationSettings) -> Chain:
    """The chain that the settings describe."""
    channels, responses = settings.channels, settings.responses
    return Chain(
        roster=_roster(settings),
        office=_office(settings),
        office_severities=settings.office.severities,
        rungs=ladder(
            email=settings.rungs.email_minutes,
            sms=settings.rungs.sms_minutes,
            phone=settings.rungs.phone_minutes,
            repeat=settings.rungs.repeat_minutes,
            repeats=settings.rungs.repeats,
        ),
        respond_minutes={
            "critical": responses.critical_minutes,
            "high": responses.high_minutes,
            "medium": responses.medium_minutes,
            "low": None,
        },
        channels=Channels(
            slack_secret=channels.slack_webhook_secret,
            slack_key=channels.slack_webhook_key,
            slack_channel=channels.slack_channel,
            sender=channels.email_sender,
            email_identity=channels.email_identity,
            sms_number=channels.sms_number,
            voice_number=channels.voice_number,
            takes_replies=channels.replies,
        ),
        acknowledged_hours=settings.acknowledged_hours,
        record_retention_days=settings.record_retention_days,
        log_retention_days=settings.log_retention_days,
        reserved_concurrency=settings.reserved_concurrency,
    )


def _roster(settings: EscalationSettings) -> Roster:
    rotation = settings.rotation
    return Roster(
        contacts={
            key: Contact(name=contact.name, email=contact.email, phone=contact.phone)
            for key, contact in sorted(settings.contacts.items())
        },
        rotation=Rotation(
            zone=settings.time_zone,
            first_hand_over=datetime.fromisoformat(rotation.first_hand_over),
            days=rotation.days,
            order=rotation.order,
            overrides=tuple(
                Override(
                    starts=datetime.fromisoformat(override.starts),
                    ends=datetime.fromisoformat(override.ends),
                    primary=override.primary,
                    backup=override.backup,
                )
                for override in rotation.overrides
            ),
        ),
    )


def _office(settings: EscalationSettings) -> Office:
    hour, minute = map(int, settings.office.opens.split(":"))
    return Office(
        zone=settings.time_zone,
        days=tuple(DAYS.index(day) for day in settings.office.days),
        opens=hour * 60 + minute,
        holidays=tuple(date.fromisoformat(day) for day in settings.office.holidays),
    )


def ladder(*, email: int, sms: int, phone: int, repeat: int, repeats: int) -> tuple[Rung, ...]:
    """The rungs of ``004_… Alert Escalation``, in minutes after the alarm; then ``repeats`` further calls.

    Slack at once, e-mail and text to the engineer on call, the first call to the backup engineer, the further ones to
    both. Raises ValueError where a rung would begin before the one before it has used up its tries.
    """
    minutes = [0, email, sms, phone, *(phone + repeat * turn for turn in range(1, repeats + 1))]
    gaps = [later - earlier for earlier, later in pairwise(minutes)]
    if any(gap * 60 < LONGEST_RUNG for gap in gaps):
        raise ValueError(
            f"The rungs are at {', '.join(map(str, minutes))} minutes; each needs {LONGEST_RUNG} seconds for its tries "
            "before the next one. Put them further apart."
        )
    ways: list[tuple[str, Channel, tuple[Duty, ...]]] = [
        ("slack", "slack", ()),
        ("email", "email", ("primary",)),
        ("sms", "sms", ("primary",)),
        ("phone", "phone", ("backup",)),
    ]
    ways += [(f"phone_{turn + 1}", "phone", ("backup", "primary")) for turn in range(1, repeats + 1)]
    return tuple(
        Rung(name=name, channel=channel, to=to, minutes=at, next_minutes=gap)
        for (name, channel, to), at, gap in zip(ways, minutes, [*gaps, 0], strict=True)
    )


def event_pattern() -> str:
    """What EventBridge hands to the inbox: alarms that have cleared.

    Alarms that ring come by their topic, because a mute rule silences an alarm's actions and not its events.
    """
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"state": {"value": ["OK"]}},
    }
    return json.dumps(pattern, sort_keys=True)


def files(root: Path, function: str) -> tuple[str, ...]:
    """The sources in a function's package, below ``root`` and in alphabetical order: its own and the shared ones."""
    folders = (root / "functions" / function, root / "functions" / "common")
    found = [root / "functions" / "__init__.py", *(path for folder in folders for path in folder.rglob("*.py"))]
    return tuple(sorted(path.relative_to(root).as_posix() for path in found))


def fitting(function: str, variables: Mapping[str, str]) -> dict[str, str]:
    """``variables``. Raises ValueError where they are more than a function takes."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > VARIABLES_LIMIT:
        raise ValueError(
            f"The variables of {function} take {size} bytes; Lambda takes {VARIABLES_LIMIT}. "
            "Name fewer contacts, or delete overrides and holidays that are past."
        )
    return dict(variables)


def inbox_concurrency(reserved: int | None) -> int:
    """How many messages of the inbox are worked on at a time: the rest is left to the state machines' steps."""
    return max(2, reserved // 2) if reserved is not None else 5


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnAlarm:
    """An alarm on the escalation itself. ``watches``: which resource its dimension names."""

    purpose: str
    watches: str
    namespace: str
    metric: str
    statistic: str
    threshold: float
    says: str
    first_action: str

    @property
    def description(self) -> str:
        """As ``functions.common.alarm.describe`` reads it."""
        return (
            f"Severity: critical, respond within 15 minutes\nImpact: {self.says}\n"
            f"Run book: 004_… Alert Escalation\nFirst action: {self.first_action}"
        )


def own_alarms(functions: Sequence[str]) -> tuple[OwnAlarm, ...]:
    """What is watched of the escalation: its executions, what it could not read, and its functions."""
    executions = (
        ("failed", "ExecutionsFailed", "An escalation ended without an answer, or could not go on."),
        ("timed-out", "ExecutionsTimedOut", "An escalation took longer than any may."),
        ("aborted", "ExecutionsAborted", "Somebody stopped an escalation by hand."),
        ("throttled", "ExecutionThrottled", "Escalations start late."),
    )
    look = "Open the execution in Step Functions, then call the people it did not reach."
    return (
        *(
            OwnAlarm(
                purpose=purpose,
                watches="machine",
                namespace="AWS/States",
                metric=metric,
                statistic="Sum",
                threshold=0,
                says=says,
                first_action=look,
            )
            for purpose, metric, says in executions
        ),
        OwnAlarm(
            purpose="dead-letters",
            watches="dead-letters",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            statistic="Maximum",
            threshold=0,
            says="An alarm or an answer could not be read, and perhaps nobody was called.",
            first_action="Read the message's attribute Reason in the dead-letter queue.",
        ),
        OwnAlarm(
            purpose="waiting",
            watches="inbox",
            namespace="AWS/SQS",
            metric="ApproximateAgeOfOldestMessage",
            statistic="Maximum",
            threshold=2 * VISIBILITY,
            says="Alarms wait to be escalated.",
            first_action="Look into the log of the escalate function.",
        ),
        *(
            OwnAlarm(
                purpose=f"{function}-{kind}",
                watches=function,
                namespace="AWS/Lambda",
                metric=metric,
                statistic="Sum",
                threshold=0,
                says=says,
                first_action=f"Look into the log of the {function} function.",
            )
            for function in functions
            for kind, metric, says in (
                ("errors", "Errors", f"The {function} function fails."),
                ("throttles", "Throttles", f"The {function} function is held back."),
            )
        ),
    )
