"""Rules for what EventBridge waits for and what it then says: patterns it takes, messages that call somebody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import cron, links
from .bells import EVENT_RULE, EVENT_TARGET
from .coverage import TOPIC
from .deliveries import severity_of
from .event_pattern import EventPatternError, read
from .json_text import items
from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .values import listed, number, show

#: Source and kind of an event -> the field of ``detail`` that says how something ended, and every bad end it has
#: (AWS Backup and Systems Manager User Guides, "Monitoring with EventBridge").
_BAD_ENDS: Mapping[tuple[str, str], tuple[str, frozenset[str]]] = {
    ("aws.backup", "Backup Job State Change"): ("state", frozenset({"ABORTED", "EXPIRED", "FAILED", "PARTIAL"})),
    ("aws.backup", "Copy Job State Change"): ("state", frozenset({"FAILED", "PARTIAL"})),
    ("aws.backup", "Restore Job State Change"): ("status", frozenset({"ABORTED", "FAILED"})),
    ("aws.ssm", "EC2 Automation Execution Status-change Notification"): (
        "Status",
        frozenset({"Cancelled", "Failed", "TimedOut"}),
    ),
}

#: Minutes between two runs of what watches by the clock.
_RARELY = cron.DAY

#: What a CloudWatch alarm says, which is how the escalation and a mailbox read an alert.
_SAID = frozenset(
    {
        "AWSAccountId",
        "AlarmDescription",
        "AlarmName",
        "NewStateReason",
        "NewStateValue",
        "Region",
        "StateChangeTime",
    }
)

#: Seconds and attempts that EventBridge takes (API reference, "RetryPolicy"), and the most and fewest for an alert.
_AGES, _ATTEMPTS = (60, 86_400), (0, 185)
_OLDEST, _FEWEST = 3600, 3

_PLACE = re.compile(r"<([A-Za-z0-9_.-]+)>")


def _pattern(rule: Resource, _: Context) -> Iterator[str]:
    pattern, schedule = rule.section("eventPattern"), rule.section("scheduleExpression")
    if not pattern and not schedule:
        yield "The rule waits for nothing: it has neither an event pattern nor a schedule."
    if schedule:
        yield from _schedule(str(schedule))
    if pattern:
        try:
            wanted = read(str(pattern))
        except EventPatternError as error:
            yield f"EventBridge refuses the event pattern: {error}."
            return
        yield from _bad_ends(wanted)


def _schedule(expression: str) -> Iterator[str]:
    try:
        gap = cron.longest_gap(expression)
    except cron.ScheduleError as error:
        yield f"EventBridge refuses the schedule {show(expression)}: {error}."
        return
    if gap > _RARELY:
        yield f"The rule {show(expression)} may let more than a day pass between two runs."


def _bad_ends(wanted: Mapping[str, Any]) -> Iterator[str]:
    detail = wanted.get("detail")
    for (source, kind), (field, ends) in _BAD_ENDS.items():
        if source in (wanted.get("source") or ()) and kind in (wanted.get("detail-type") or ()):
            listed_ends = {one for one in items(detail, field) if isinstance(one, str)}
            missed = sorted(ends - listed_ends)
            if listed_ends & ends and missed:
                yield f"The rule waits for what ends badly and leaves out {listed(missed)}."


def _messages(stack: Stack) -> Iterator[Fault]:
    def judge(target: Resource) -> Iterator[Fault]:
        for said in (*_said(stack, target), *_retries(target)):
            yield Fault(said, target.urn)

    return each(stack.of(EVENT_TARGET), judge)


def _said(stack: Stack, target: Resource) -> Iterator[str]:
    alerts = any(severity_of(topic) for topic in links.targets(stack, target, "arn", TOPIC))
    template = target.section("inputTransformer", "inputTemplate")
    if template:
        yield from _places(str(template), target.section("inputTransformer", "inputPaths"))
    try:
        # A number may stand within quotes and outside of them.
        message = json.loads(_PLACE.sub("0", str(template))) if template else None
    except ValueError:
        yield "What the target says is no JSON once its place-holders are filled in."
        return
    if alerts:
        yield from _as_alarm(message)


def _places(template: str, given: Any) -> Iterator[str]:
    paths = given if isinstance(given, Mapping) else {}
    used = {name for name in _PLACE.findall(template) if not name.startswith("aws.events.")}
    if unknown := sorted(used - set(paths)):
        yield f"The target's text has place-holders that stand for nothing: {listed(unknown)}."
    if idle := sorted(set(paths) - used):
        yield f"The target takes from the event what its text does not say: {listed(idle)}."
    if odd := sorted(name for name in paths if not str(paths[name]).startswith("$")):
        yield f"The target takes {listed(odd)} by no path; one begins with $."


def _as_alarm(message: Any) -> Iterator[str]:
    if not isinstance(message, Mapping):
        yield "Nobody is called: what goes to a topic of alarms is not told as an alarm."
        return
    missing = sorted(_SAID - set(message))
    if missing:
        yield f"What goes to a topic of alarms leaves out {listed(missing)}."
    elif message["NewStateValue"] != "ALARM":
        yield f"Nobody is called: the state is told as {show(message['NewStateValue'])}, not as ALARM."


def _retries(target: Resource) -> Iterator[str]:
    age = number(target.section("retryPolicy", "maximumEventAgeInSeconds"))
    attempts = number(target.section("retryPolicy", "maximumRetryAttempts"))
    if age is None or age > _OLDEST:
        hours = (_AGES[1] if age is None else age) / 3600
        yield (
            f"What cannot be delivered is tried for {show(round(hours, 1))} hours before it is among the dead letters, "
            f"where it rings; {_OLDEST // 3600} is enough."
        )
    elif age < _AGES[0]:
        yield f"EventBridge refuses a retry of {show(age)} seconds; {_AGES[0]} are the least."
    if attempts is not None and attempts > _ATTEMPTS[1]:
        yield f"EventBridge refuses {show(attempts)} attempts; {_ATTEMPTS[1]} are the most."
    elif attempts is not None and attempts < _FEWEST:
        yield f"A delivery that fails is given up after {show(attempts)} attempts; {_FEWEST} are the least."


PATTERN = ResourceRule(
    id="mon-event-pattern",
    sentence="001_62c8c82a6a764433.txt §1: The operations team will set up alerts to notify them of any problems.",
    title="A rule of EventBridge waits for something, runs at least daily, and knows every way a job ends badly.",
    why="EventBridge refuses the pattern, or says nothing of the one end that nobody thought of.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SI-4",),
    remedy="Correct event_pattern or schedule_expression of aws.cloudwatch.EventRule.",
    types=frozenset({EVENT_RULE}),
    check=_pattern,
)

MESSAGE = StackRule(
    id="mon-event-message",
    sentence="004_5ca73e3508d74ec8.txt Alert Escalation: Level 1: Slack notification to #alerts channel",
    title="What EventBridge tells is whole, calls people as an alarm does, and is tried for an hour at the most.",
    why="A text with empty places helps nobody in the night, and what is told as no alarm calls nobody.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST IR-6", "NIST SI-4"),
    remedy="Give each place-holder an input path, tell an alert as CloudWatch tells an alarm, and set retry_policy.",
    types=frozenset({EVENT_TARGET, TOPIC}),
    check=_messages,
)

RULES: tuple[Rule, ...] = (PATTERN, MESSAGE)
