"""Who is called when an alarm rings, when, and through which channel (``004_… Alert Escalation``, ``002_… §3.1``).

The rungs may come earlier than the run book says, never later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from . import kinds
from .faults import Fault, RefusedError, listed
from .kinds import Kind, between, text
from .section import Section

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Severity = Literal["critical", "high", "medium", "low"]

#: Monday first, as ``date.weekday`` counts.
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: Minutes that a rung needs at most, with all its attempts: the next one comes no sooner.
LEAST_GAP = 2

#: Days that the office may be closed in a row: so long may the least alarm wait.
LONGEST_CLOSURE = 14

PLACEHOLDER_DOMAINS = ("example.com", "example.net", "example.org")

#: Numbers of the North American plan that belong to nobody, and stand in every example.
PLACEHOLDER_NUMBER = re.compile(r"\+1[0-9]{3}55501[0-9]{2}")


def _checked(pattern: str, parse: Callable[[str], object], wrong: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise RefusedError(f"is {kinds.what_it_is(value)}, not text", "Write it in quotes.")
        if not re.fullmatch(pattern, value):
            raise RefusedError("does not have that form")
        try:
            parse(value)
        except (ValueError, ZoneInfoNotFoundError):
            raise RefusedError(wrong) from None
        return value

    return check


_LOCAL_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ZONE = r"UTC|[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_+-]+){1,2}"
_ARN = r"arn:aws(?:-us-gov|-cn)?"

PHONE = text(
    "telephone number",
    r"\+[1-9][0-9]{6,14}",
    "A telephone number in the international form: a plus sign, the country's code, no spaces.",
    '"+15125550142"',
    sealed=True,
)

PERSON = text(
    "name of a person",
    r"[^\s<>&](?:[^\n<>&]{0,38}[^\s<>&])?",
    "A name of 40 characters at most.",
    "Ana Diaz",
    sealed=True,
)

TIME_ZONE = Kind(
    check=_checked(_ZONE, ZoneInfo, "is no time zone"),
    rule="The name of a time zone as in the IANA database.",
    example="America/Detroit",
    schema={"type": "string", "pattern": f"^(?:{_ZONE})$"},
)

LOCAL_TIME = Kind(
    check=_checked(_LOCAL_TIME, datetime.fromisoformat, "is no day and time"),
    rule="A local time, of the time_zone beside it, of the form YYYY-MM-DDTHH:MM.",
    example='"2025-01-06T09:00"',
    schema={"type": "string", "pattern": f"^{_LOCAL_TIME}$"},
)

HOLIDAY = Kind(
    check=_checked(_DATE, date.fromisoformat, "is no day"),
    rule="A day of the form YYYY-MM-DD.",
    example='"2025-12-25"',
    schema={"type": "string", "pattern": f"^{_DATE}$"},
)

OPENING = text("time of day", "(?:[01][0-9]|2[0-3]):[0-5][0-9]", "A time of day of the form HH:MM.", '"09:00"')

SLACK_CHANNEL = text(
    "Slack channel", "#[a-z0-9_-]{1,79}", "The name of a Slack channel, with its #, in quotes.", '"#alerts"'
)

SECRET_ARN = text(
    "ARN of a secret",
    rf"{_ARN}:secretsmanager:[a-z0-9-]+:[0-9]{{12}}:secret:[A-Za-z0-9/_+=.@-]+",
    "The ARN of a secret in Secrets Manager; what it holds is never written here.",
    "arn:aws:secretsmanager:us-east-1:704193685527:secret:learning-platform/slack-AbCdEf",
    sealed=True,
)

KEY_ARN = text(
    "ARN of a key",
    rf"{_ARN}:kms:[a-z0-9-]+:[0-9]{{12}}:key/[a-f0-9-]{{36}}",
    "The ARN of a KMS key.",
    "arn:aws:kms:us-east-1:704193685527:key/11111111-2222-3333-4444-555555555555",
    sealed=True,
)

IDENTITY_ARN = text(
    "ARN of an SES identity",
    rf"{_ARN}:ses:[a-z0-9-]+:[0-9]{{12}}:identity/[A-Za-z0-9._%+@-]+",
    "The ARN of a verified identity in SES.",
    "arn:aws:ses:us-east-1:704193685527:identity/learning.example",
    sealed=True,
)

NUMBER_ARN = text(
    "ARN of a number",
    rf"{_ARN}:sms-voice:[a-z0-9-]+:[0-9]{{12}}:(?:phone-number|pool)/[A-Za-z0-9-]+",
    "The ARN of a phone number or a pool in AWS End User Messaging.",
    "arn:aws:sms-voice:us-east-1:704193685527:phone-number/phone-0123456789abcdef0123456789abcdef",
    sealed=True,
)


class ContactSettings(Section):
    """Somebody who can be called (``004_… Contact Information``)."""

    name: Annotated[str, PERSON] = Field(description="Name, as messages show it.")
    email: Annotated[str, kinds.EMAIL] = Field(description="E-mail address (004_… Alert Escalation, level 2).")
    phone: Annotated[str, PHONE] = Field(
        description="Number for texts and calls; a text from it can acknowledge (004_… Alert Escalation)."
    )


class OverrideSettings(Section):
    """Somebody else is on call for a while: a holiday, an exchange of shifts (``002_… §3.1``)."""

    starts: Annotated[str, LOCAL_TIME] = Field(description="Local time at which it begins.")
    ends: Annotated[str, LOCAL_TIME] = Field(description="Local time at which the rotation goes on.")
    primary: str = Field(description="Key of the contact who is called first.", examples=["ana"])
    backup: str = Field(description="Key of the contact who is called last.", examples=["ben"])


class RotationSettings(Section):
    """Who is on call when (``002_… §3.1 On-call rotation procedures``)."""

    first_hand_over: Annotated[str, LOCAL_TIME] = Field(
        description="Local time at which the first of order takes over; every hand-over has its weekday and hour."
    )
    days: Annotated[int, between(1, 28, "Days")] = Field(default=7, description="Days a shift lasts.")
    order: tuple[str, ...] = Field(
        min_length=2,
        max_length=12,
        description="Keys of contacts in their turn, 2 to 12; whoever comes next is the backup engineer.",
        examples=["[ana, ben]"],
    )
    overrides: tuple[OverrideSettings, ...] = Field(
        default=(), max_length=12, description="Exceptions, 12 at most; they do not overlap."
    )


class OfficeSettings(Section):
    """When people are at work, for alarms that can wait (``004_… Severity Levels``: next business day)."""

    days: tuple[Day, ...] = Field(
        default=DAYS[:5],
        min_length=1,
        max_length=7,
        description="Working days.",
        examples=["[mon, tue, wed, thu, fri]"],
    )
    opens: Annotated[str, OPENING] = Field(default="09:00", description="Local time at which a business day begins.")
    holidays: tuple[Annotated[str, HOLIDAY], ...] = Field(
        default=(), max_length=40, description="Days off, 40 at most.", examples=['["2025-12-25"]']
    )
    severities: tuple[Literal["medium", "low"], ...] = Field(
        default=("low",), max_length=2, description="Severities whose first rung waits for the next business day."
    )


class ChannelSettings(Section):
    """What messages are sent with. All of it exists already; numbers and sender domains take days to be granted."""

    slack_webhook_secret: Annotated[str, SECRET_ARN] = Field(
        description="ARN of the secret whose text is the webhook's address (004_… Alert Escalation, level 1)."
    )
    slack_webhook_key: Annotated[str, KEY_ARN] | None = Field(
        default=None, description="ARN of the key of that secret, where it has one of its own."
    )
    slack_channel: Annotated[str, SLACK_CHANNEL] = Field(
        default="#alerts", description="Channel of the webhook, as messages name it."
    )
    email_sender: Annotated[str, kinds.EMAIL] = Field(description="Address that e-mail comes from.")
    email_identity: Annotated[str, IDENTITY_ARN] = Field(description="ARN of the SES identity of that address.")
    sms_number: Annotated[str, NUMBER_ARN] = Field(description="ARN of the number that texts come from.")
    voice_number: Annotated[str, NUMBER_ARN] = Field(description="ARN of the number that calls come from.")
    replies: Annotated[bool, Field(strict=True)] = Field(
        default=True,
        description="A text back acknowledges; the number's two-way channel is the topic that the stack exports.",
    )


class RungSettings(Section):
    """Minutes after the alarm (``004_… Alert Escalation``). Slack is told at once."""

    email_minutes: Annotated[
        int, between(2, 5, "Minutes", "the run book's 5 at the latest (004_… Alert Escalation)")
    ] = Field(default=5, description="Minutes until the e-mail to the on-call engineer.")
    sms_minutes: Annotated[
        int, between(4, 10, "Minutes", "the run book's 10 at the latest (004_… Alert Escalation)")
    ] = Field(default=10, description="Minutes until the text to the on-call engineer.")
    phone_minutes: Annotated[
        int, between(6, 15, "Minutes", "the run book's 15 at the latest (004_… Alert Escalation)")
    ] = Field(default=15, description="Minutes until the call to the backup engineer.")
    repeat_minutes: Annotated[int, between(5, 60, "Minutes")] = Field(
        default=15, description="Minutes between two calls while nobody answers."
    )
    repeats: Annotated[int, between(0, 24, "Calls")] = Field(
        default=8, description="Further calls, to backup and on-call engineer, before the escalation fails loudly."
    )


class ResponseSettings(Section):
    """Response times (``004_… Severity Levels``). For low severity it is the next business day."""

    critical_minutes: Annotated[int, between(1, 15, "Minutes", "004_… Severity Levels")] = Field(
        default=15, description="Response time for a complete outage."
    )
    high_minutes: Annotated[int, between(1, 60, "Minutes", "004_… Severity Levels")] = Field(
        default=60, description="Response time where a major function is impaired."
    )
    medium_minutes: Annotated[int, between(1, 240, "Minutes", "004_… Severity Levels")] = Field(
        default=240, description="Response time for minor issues."
    )


class EscalationSettings(Section):
    """Who is called when an alarm rings, when, and how (``004_… Alert Escalation``)."""

    time_zone: Annotated[str, TIME_ZONE] = Field(description="Zone of all local times here (002_… §3.1).")
    contacts: Mapping[str, ContactSettings] = Field(
        min_length=2, max_length=12, description="Key -> person, 2 to 12.", examples=["{ana: {name: …}}"]
    )
    rotation: RotationSettings = Field(description="Who is on call when.")
    office: OfficeSettings = Field(default=OfficeSettings(), description="When people are at work.")
    channels: ChannelSettings = Field(description="What messages are sent with.")
    rungs: RungSettings = Field(default=RungSettings(), description="When which channel is used.")
    responses: ResponseSettings = Field(default=ResponseSettings(), description="Response times per severity.")
    acknowledged_hours: Annotated[int, between(1, 72, "Hours")] = Field(
        default=24, description="Hours an acknowledged alarm may go on before the channel is reminded."
    )
    record_retention_days: Annotated[int, between(30, 3653, "Days")] = Field(
        default=400, description="Days the record of each step is kept (002_… §9)."
    )
    log_retention_days: Annotated[int, kinds.LOG_RETENTION] = Field(
        default=365, description="Days the logs are kept; 365 or more in prod (002_… §9)."
    )
    reserved_concurrency: Annotated[int, between(4, 100, "Runs")] | None = Field(
        default=10,
        description="Concurrent runs kept free for each function, so that no other one in the account can starve it; "
        "empty in an account whose quota has no room for that.",
    )

    @model_validator(mode="after")
    def _obey_rules(self) -> EscalationSettings:
        faults = tuple(broken_rules(self))
        if faults:
            told = " ".join(
                f"{'.'.join(map(str, fault.path))} {fault.wrong}. {fault.rule} {fault.way_out}" for fault in faults
            )
            raise PydanticCustomError("rules", "{text}", {"text": told})
        return self


Rule = Callable[[EscalationSettings], Iterator[Fault]]


def broken_rules(settings: EscalationSettings) -> Iterator[Fault]:
    """All faults between values that are each right by themselves; paths begin with ``escalation``."""
    for rule in RULES:
        yield from rule(settings)


def _rotation_is_of_contacts(settings: EscalationSettings) -> Iterator[Fault]:
    order = settings.rotation.order
    for position, key in enumerate(order):
        path = ("escalation", "rotation", "order", position)
        yield from _known(path, key, settings)
        if key in order[:position]:
            yield Fault(
                path=path,
                wrong="is named twice",
                rule="Everybody has one turn, so that the backup is always somebody else.",
                way_out="Write each contact once.",
            )


def _overrides_are_of_contacts(settings: EscalationSettings) -> Iterator[Fault]:
    for position, override in enumerate(settings.rotation.overrides):
        path = ("escalation", "rotation", "overrides", position)
        yield from _known((*path, "primary"), override.primary, settings)
        yield from _known((*path, "backup"), override.backup, settings)
        if override.primary == override.backup:
            yield Fault(
                path=(*path, "backup"),
                wrong="is on call already",
                rule="The backup engineer is called because the one on call does not answer.",
                way_out="Write another contact.",
            )


def _known(path: tuple[str | int, ...], key: str, settings: EscalationSettings) -> Iterator[Fault]:
    if key not in settings.contacts:
        yield Fault(
            path=path,
            wrong="is no contact",
            rule=f"The contacts are {listed(sorted(settings.contacts), 'and')}.",
            way_out="Write one of them, or add the contact.",
        )


def _overrides_follow_each_other(settings: EscalationSettings) -> Iterator[Fault]:
    overrides = settings.rotation.overrides
    for position, override in enumerate(overrides):
        path = ("escalation", "rotation", "overrides", position)
        if override.starts >= override.ends:
            yield Fault(
                path=(*path, "ends"),
                wrong=f"is not after its start, {override.starts}",
                rule="An override lasts a while.",
                way_out="Write a later time.",
            )
        for other in overrides[:position]:
            if override.starts < other.ends and other.starts < override.ends:
                yield Fault(
                    path=(*path, "starts"),
                    wrong=f"lies in the override from {other.starts} to {other.ends}",
                    rule="One pair of people is on call at a time.",
                    way_out=f"Write {other.ends} or later, or shorten the other one.",
                )


def _rungs_rise(settings: EscalationSettings) -> Iterator[Fault]:
    rungs = settings.rungs
    steps = (("email", rungs.email_minutes), ("sms", rungs.sms_minutes), ("phone", rungs.phone_minutes))
    for (name, minutes), (later, more) in pairwise(steps):
        if more - minutes < LEAST_GAP:
            yield Fault(
                path=("escalation", "rungs", f"{later}_minutes"),
                wrong=f"leaves too little after {name}_minutes, {minutes}",
                rule=f"A rung has {LEAST_GAP} minutes for its attempts before the next one (004_… Alert Escalation).",
                way_out=f"Write {minutes + LEAST_GAP} or more.",
            )


def _office_opens(settings: EscalationSettings) -> Iterator[Fault]:
    office = settings.office
    holidays = {date.fromisoformat(day) for day in office.holidays}

    def works(day: date) -> bool:
        return DAYS[day.weekday()] in office.days and day not in holidays

    for position, text_ in enumerate(office.holidays):
        first = date.fromisoformat(text_)
        days = (first + timedelta(days=ahead) for ahead in range(LONGEST_CLOSURE))
        if not any(map(works, days)):
            yield Fault(
                path=("escalation", "office", "holidays", position),
                wrong=f"begins {LONGEST_CLOSURE} days or more without a working day",
                rule="The least alarm waits for the next business day, which has to come (004_… Severity Levels).",
                way_out="Leave a working day among them.",
            )


RULES: tuple[Rule, ...] = (
    _rotation_is_of_contacts,
    _overrides_are_of_contacts,
    _overrides_follow_each_other,
    _rungs_rise,
    _office_opens,
)


def placeholder_contacts(settings: EscalationSettings) -> Iterator[Fault]:
    """Contacts that only stand for somebody; in prod a page has to reach a person (``004_… Contact Information``)."""
    for key, contact in settings.contacts.items():
        domain = contact.email.rpartition("@")[2].lower()
        if any(domain == placeholder or domain.endswith(f".{placeholder}") for placeholder in PLACEHOLDER_DOMAINS):
            yield Fault(
                path=("escalation", "contacts", key, "email"),
                wrong="is an address that nobody reads",
                rule="An alarm of prod reaches a person (004_… Emergency Contacts).",
                way_out="Write the person's address.",
            )
        if PLACEHOLDER_NUMBER.fullmatch(contact.phone):
            yield Fault(
                path=("escalation", "contacts", key, "phone"),
                wrong="is a number that belongs to nobody",
                rule="An alarm of prod reaches a person (004_… Emergency Contacts).",
                way_out="Write the person's number.",
            )
