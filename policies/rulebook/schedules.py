"""Rules for what stops and starts on a schedule: who may, that it starts again, and what must not suffer from it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

from . import alarms, documents, hours, links
from .alarms import ALARM
from .backup_parts import PLAN, backs_up, rules_of
from .coverage import COMPOSITE, DATABASE, FUNCTION, GROUP, HOST, QUEUE
from .cron import ScheduleError, longest_gap
from .deliveries import may_on
from .firewall import is_set
from .hours import Hours
from .resource import Context, Resource, Stack, is_list
from .roles import trusts
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .values import is_true_of_any, number, show
from .windows import Window, daily, weekly

SCHEDULE = "aws:scheduler/schedule:Schedule"
SCHEDULE_GROUP = "aws:scheduler/scheduleGroup:ScheduleGroup"
MUTE = "aws:cloudwatch/alarmMuteRule:AlarmMuteRule"
PATCH_WINDOW = "aws:ssm/maintenanceWindow:MaintenanceWindow"

_SERVICE = "scheduler.amazonaws.com"

#: The tag by which a resource follows a schedule.
TAG = "Schedule"

#: Types that can be stopped and started.
STOPPABLE = (HOST, GROUP, DATABASE)

#: Minutes after a start during which alarms may stay mute: the most that the settings take.
MOST_READY = 60

#: Seconds that a call may come late: a stop must not meet the work of the next hours.
_LATEST = 3600

#: Minutes between two looks whether what was stopped still is: AWS starts a stopped database again after a week, and
#: a start that failed is missed in the morning.
_MOST_UNSEEN = 60

#: How long AWS Backup may take to begin, in minutes.
_BEGINS_WITHIN = 60

_SDK = re.compile(r"arn:[a-z-]+:scheduler:::aws-sdk:(\w+):(start|stop)(\w*)")

#: What a role may do for a dead-letter queue that has a key of its own.
_ENCRYPTION = ("kms:Decrypt", "kms:GenerateDataKey")


@dataclass(frozen=True, slots=True)
class _Call:
    """A schedule that starts or stops something. ``whom``: what else it says; ``names``: the texts in that."""

    schedule: Resource
    does: Literal["start", "stop"]
    whom: str
    names: frozenset[str]

    @property
    def said(self) -> str:
        return ", ".join(sorted(self.names)) or "its targets"


def _call(schedule: Resource) -> _Call | None:
    """What a schedule says, by its payload or by the API that it calls; None where it neither starts nor stops."""
    payload = _payload(schedule)
    words = {key: str(value).lower() for key, value in payload.items() if str(value).lower() in ("start", "stop")}
    if len(words) == 1:
        ((key, does),) = words.items()
        rest = {other: value for other, value in payload.items() if other != key}
        return _made(schedule, does, rest)
    match = _SDK.fullmatch(str(schedule.section("target", "arn")))
    return _made(schedule, match[2], {**payload, "": f"{match[1]} {match[3]}"}) if match else None


def _made(schedule: Resource, does: str, rest: Mapping[str, Any]) -> _Call:
    names = frozenset(value for key, value in rest.items() if key and isinstance(value, str))
    whom = json.dumps(rest, sort_keys=True, default=str)
    return _Call(schedule, "start" if does == "start" else "stop", whom, names)


def _payload(schedule: Resource) -> Mapping[str, Any]:
    text = schedule.section("target", "input")
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _is_off(schedule: Resource) -> bool:
    return bool(schedule.section("state") == "DISABLED")


def _stops(stack: Stack) -> Iterator[_Call]:
    return (
        call
        for schedule in stack.of(SCHEDULE)
        if not _is_off(schedule) and (call := _call(schedule)) and call.does == "stop"
    )


def _starts(stack: Stack, stop: _Call) -> list[Resource]:
    found = (_call(schedule) for schedule in stack.of(SCHEDULE))
    return [call.schedule for call in found if call and call.does == "start" and call.whom == stop.whom]


def _each_stop(stack: Stack, judge: Callable[[_Call], Iterator[Fault]]) -> Iterator[Fault]:
    stops = {stop.schedule.urn: stop for stop in _stops(stack)}
    return each([stop.schedule for stop in stops.values()], lambda schedule: judge(stops[schedule.urn]))


# Roles


def _least(stack: Stack) -> Iterator[Fault]:
    def judge(schedule: Resource) -> Iterator[Fault]:
        roles = links.targets(stack, schedule, "target", links.ROLE)
        if not roles:
            yield Fault("The schedule's role is not declared here; what it may do is not known.", schedule.urn)
        for role in roles:
            yield from (Fault(said, schedule.urn) for said in _role_faults(stack, schedule, role))

    return each(stack.of(SCHEDULE), judge)


def _role_faults(stack: Stack, schedule: Resource, role: Resource) -> Iterator[str]:
    if not trusts(role, _SERVICE):
        yield f"Its role {role.name} does not let EventBridge Scheduler take it on."
    elif not all(_names_account(one) for one in documents.read(role.section("assumeRolePolicy")) if one.allows):
        yield f"Its role {role.name} is trusted without a condition on aws:SourceAccount."
    functions = links.targets(stack, schedule, "target", FUNCTION)
    if not functions:
        return
    queues = links.targets(stack, schedule, "target", QUEUE)
    needs = [("lambda:InvokeFunction", functions), ("sqs:SendMessage", queues)]
    for action, subjects in needs:
        if subjects and not may_on(stack, role, action, *subjects):
            yield f"Its role {role.name} lacks {action} on {', '.join(one.name for one in subjects)}."
    # A role that several schedules share is for the targets of all of them.
    sharing = links.sources(stack, role, "target", SCHEDULE)
    served = {hit.urn: hit for one in sharing for hit in links.targets(stack, one, "target", FUNCTION, QUEUE)}
    yield from _beyond(stack, role, tuple(served.values()))


def _names_account(statement: documents.Statement) -> bool:
    return any(one.key == "aws:sourceaccount" and documents.is_scoping(one) for one in statement.conditions)


def _beyond(stack: Stack, role: Resource, served: Sequence[Resource]) -> Iterator[str]:
    """What a role may do that no call needs."""
    for attachment in links.attachments_of(stack, role):
        if not links.targets(stack, attachment, "policyArn", links.POLICY):
            yield f"Its role {role.name} carries a managed policy beyond what a call needs."
    for statement in links.statements_of(stack, role):
        if not statement.allows:
            continue
        for action in statement.actions or ("every action but some",):
            if action in _ENCRYPTION:
                fits = not any(documents.is_everything(arn) for arn in statement.resources)
            else:
                token = {"lambda:InvokeFunction": FUNCTION, "sqs:SendMessage": QUEUE}.get(action)
                fits = bool(statement.resources) and all(_is_one(arn, token, served) for arn in statement.resources)
            if not fits:
                yield f"Its role {role.name} may do more than the call needs: {action} on {_where(statement)}."


def _is_one(arn: str, token: str | None, served: Sequence[Resource]) -> bool:
    """Whether an ARN is that of something a call goes to, or of a version of it."""
    own = [str(one.section("arn")) for one in served if one.type == token]
    return any(arn == one or arn.startswith(f"{one}:") for one in own)


def _where(statement: documents.Statement) -> str:
    return ", ".join(map(show, statement.resources)) or "every resource but some"


# Calls


def _paired(stack: Stack) -> Iterator[Fault]:
    def judge(stop: _Call) -> Iterator[Fault]:
        starts = _starts(stack, stop)
        if not starts:
            yield Fault(f"What the schedule stops is never started again: no schedule starts {stop.said}.", _urn(stop))
        elif all(_is_off(start) for start in starts):
            yield Fault(f"What the schedule stops stays so: the start of {stop.said} is switched off.", _urn(stop))
        zone = _zone(stop.schedule)
        for one in (stop.schedule, *starts):
            if _zone(one) is None:
                yield Fault("The schedule names no time zone; in UTC its hours move with every summer.", one.urn)
            elif zone is not None and _zone(one) != zone:
                yield Fault(f"It starts by the clock of {_zone(one)} what is stopped by that of {zone}.", one.urn)

    return _each_stop(stack, judge)


def _urn(stop: _Call) -> str:
    return stop.schedule.urn


def _zone(schedule: Resource) -> str | None:
    return schedule.section("scheduleExpressionTimezone") or None


def _dlq_retry(schedule: Resource, _: Context) -> Iterator[str]:
    if not is_set(schedule.section("target", "deadLetterConfig") or {}, "arn"):
        yield "A call that fails is lost: the schedule has no dead-letter queue."
    attempts = schedule.section("target", "retryPolicy", "maximumRetryAttempts")
    age = schedule.section("target", "retryPolicy", "maximumEventAgeInSeconds")
    seconds = number(age)
    if age is None:
        yield "How long a call may be tried again is not said, so AWS's day holds: it may come a day late."
    elif seconds is None or seconds > _LATEST:
        yield f"A call may come {show(age)} seconds late; {_LATEST} are the most."
    if attempts is not None and (number(attempts) or 0) < 1:
        yield "A call that fails once is not tried again."


def _not_prod(stack: Stack) -> Iterator[Fault]:
    def judge(stop: _Call) -> Iterator[Fault]:
        if stack.context.environment == "prod":
            yield Fault(f"The schedule stops {stop.said} in prod.", _urn(stop))
        elif any(name.lower() in ("prod", "production") for name in stop.names):
            yield Fault(f"The schedule stops what is called {stop.said}.", _urn(stop))

    return _each_stop(stack, judge)


# Every schedule


def _sound(stack: Stack) -> Iterator[Fault]:
    def judge(schedule: Resource) -> Iterator[Fault]:
        return (Fault(said, schedule.urn) for said in _sound_faults(stack, schedule))

    return each(stack.of(SCHEDULE), judge)


def _sound_faults(stack: Stack, schedule: Resource) -> Iterator[str]:
    if _is_off(schedule):
        yield "The schedule is switched off, so nothing calls its target."
    if _zone(schedule) is None:
        yield "The schedule names no time zone."
    if not links.targets(stack, schedule, "groupName", SCHEDULE_GROUP):
        name = show(schedule.section("groupName"))
        yield f"The schedule is in no group of the stack: its group is {name}."
    if links.targets(stack, schedule, "target", FUNCTION) and not _payload(schedule):
        yield "The schedule does not tell its function what to do: its input is no JSON object."
    try:
        gap = longest_gap(str(schedule.section("scheduleExpression")))
    except ScheduleError as error:
        yield f"AWS refuses the schedule: {error}."
        return
    if schedule.section("flexibleTimeWindow", "mode") == "FLEXIBLE":
        late = number(schedule.section("flexibleTimeWindow", "maximumWindowInMinutes"))
        if late is None or late >= gap:
            said = "an unsaid number of" if late is None else show(late)
            yield f"A call may come {said} minutes late, but the next is due after {show(gap)}."


def _every(schedule: Resource) -> float:
    """Minutes between two calls at the longest; infinite where AWS refuses the schedule."""
    try:
        return longest_gap(str(schedule.section("scheduleExpression")))
    except ScheduleError:
        return float("inf")


def _looked_after(stack: Stack) -> Iterator[Fault]:
    def judge(stop: _Call) -> Iterator[Fault]:
        served = {hit.urn for hit in links.targets(stack, stop.schedule, "target", FUNCTION)}

        def looks(schedule: Resource) -> bool:
            if _is_off(schedule) or _call(schedule) is not None or not _payload(schedule):
                return False
            functions = {hit.urn for hit in links.targets(stack, schedule, "target", FUNCTION)}
            return bool(functions & served) and _every(schedule) <= _MOST_UNSEEN

        # What a schedule stops by the API itself nobody can look after.
        if not served or not is_true_of_any(stack.of(SCHEDULE), looks):
            yield Fault(f"Nothing looks every hour whether {stop.said} is as it should be.", _urn(stop))

    return _each_stop(stack, judge)


# Hours


@dataclass(frozen=True, slots=True)
class _Stopped:
    """Something that follows a schedule, and the hours in which it runs."""

    resource: Resource
    stop: _Call
    hours: Hours


def _hours(stack: Stack, stop: _Call) -> Hours | None:
    """When what is stopped runs; None where it is never started. Raises ScheduleError."""
    starts = [start for start in _starts(stack, stop) if not _is_off(start)]
    stops = [other.schedule for other in _stops(stack) if other.whom == stop.whom]
    if not starts:
        return None

    def all_of(schedules: Sequence[Resource]) -> set[int]:
        return {at for one in schedules for at in hours.times(str(one.section("scheduleExpression")))}

    return hours.hours(_zone(stop.schedule) or "UTC", all_of(starts), all_of(stops))


def _followers(stack: Stack, stop: _Call) -> list[Resource]:
    named = {hit.urn for hit in stack.referenced(stop.schedule, "target", *STOPPABLE)}
    return [one for one in stack.of(*STOPPABLE) if one.urn in named or _tagged(one) in stop.names]


def _tagged(resource: Resource) -> str | None:
    """The value of the tag ``Schedule``. Groups have a list of tags."""
    tags = resource.section("tags")
    if not is_list(tags):
        return resource.tags.get(TAG)
    return next((tag.get("value") for tag in tags if tag.get("key") == TAG), None)


def _stopped(stack: Stack, stop: _Call) -> tuple[list[_Stopped], list[Fault]]:
    try:
        found = _hours(stack, stop)
    except ScheduleError as error:
        return [], [Fault(f"When {stop.said} runs cannot be told: {error}.", _urn(stop))]
    return [_Stopped(one, stop, found) for one in _followers(stack, stop)] if found else [], []


def _windows_clear(stack: Stack) -> Iterator[Fault]:
    def judge(stop: _Call) -> Iterator[Fault]:
        stopped, faults = _stopped(stack, stop)
        yield from faults
        yield from through(stopped, lambda one: _swallowed(stack, one))

    return _each_stop(stack, judge)


def _swallowed(stack: Stack, one: _Stopped) -> Iterator[Fault]:
    name, said = one.resource.name, one.stop.said
    if one.resource.type == DATABASE:
        backup, upkeep = one.resource.section("backupWindow"), one.resource.section("maintenanceWindow")
        if isinstance(backup, str) and (days := daily(backup)) and not _finds_it_running(one, days, "UTC"):
            yield Fault(f"{name} is stopped ({said}) in its backup window {backup}.", one.resource.urn)
        if isinstance(upkeep, str) and (week := weekly(upkeep)) and not _finds_it_running(one, [week], "UTC"):
            yield Fault(f"{name} is stopped ({said}) in its maintenance window {upkeep}.", one.resource.urn)
        for plan in stack.of(PLAN):
            yield from _backups(one, plan) if backs_up(stack, plan, one.resource) else ()
    else:
        for window in stack.of(PATCH_WINDOW):
            begins = window.section("schedule"), window.section("scheduleTimezone")
            what = f"patch window {window.name}"
            yield from _runs_into(one, what, begins, 60 * (number(window.section("duration")) or 1), window)


def _backups(one: _Stopped, plan: Resource) -> Iterator[Fault]:
    for rule in rules_of(plan):
        begins = plan.section("rules", rule, "schedule"), plan.section("rules", rule, "scheduleExpressionTimezone")
        within = number(plan.section("rules", rule, "startWindow")) or _BEGINS_WITHIN
        yield from _runs_into(one, f"backup {show(plan.section('rules', rule, 'ruleName'))}", begins, within, plan)


def _runs_into(one: _Stopped, what: str, begins: tuple[Any, Any], length: float, owner: Resource) -> Iterator[Fault]:
    expression, zone = begins
    try:
        windows = [Window(at, round(length)) for at in hours.times(str(expression))]
        running = _finds_it_running(one, windows, str(zone or "UTC"))
    except ScheduleError as error:
        yield Fault(f"Whether {one.resource.name} runs during {what} cannot be told: {error}.", owner.urn)
        return
    if not running:
        yield Fault(f"{one.resource.name} is stopped ({one.stop.said}) during {what}.", owner.urn)


def _finds_it_running(one: _Stopped, windows: Sequence[Window], zone: str) -> bool:
    """Whether each of ``windows`` lies in a time of running, all year round.

    Of those of every day each time of running has to hold one: a day on which nothing ran leaves nothing to be done.
    """
    seasons = zip(*(hours.shifted(window, zone, one.hours.zone) for window in windows), strict=True)
    daily_ones = len({window.start // (24 * 60) for window in windows}) == 7

    def clear(season: Sequence[Window]) -> bool:
        if daily_ones:
            return all(any(hours.holds(run, window) for window in season) for run in one.hours.running)
        return all(any(hours.holds(run, window) for run in one.hours.running) for window in season)

    return all(clear(season) for season in seasons)


# Alarms


def _mutes_alarms(stack: Stack) -> Iterator[Fault]:
    concerned: set[str] = set()

    def judge(stop: _Call) -> Iterator[Fault]:
        stopped, _ = _stopped(stack, stop)
        for one in stopped:
            concerned.update(_alarms(stack, one.resource))
        yield from through(stopped, lambda one: _mute_faults(stack, one))

    yield from _each_stop(stack, judge)
    yield from each(stack.of(MUTE), lambda mute: _idle(mute, concerned))


def _idle(mute: Resource, concerned: Set[str]) -> Iterator[Fault]:
    if not concerned & _muted(mute) and any(True for _ in _mute_times(mute)):
        yield Fault("The rule mutes alarms again and again of what is never stopped.", mute.urn)


def _muted(mute: Resource) -> frozenset[str]:
    return frozenset(map(str, mute.items("muteTargets", "alarmNames")))


def _mute_faults(stack: Stack, one: _Stopped) -> Iterator[Fault]:
    ringing = _alarms(stack, one.resource)
    rules = [(mute, _muted(mute)) for mute in stack.of(MUTE)]
    concerned = [(mute, names) for mute, names in rules if names & ringing.keys()]
    mute_times = {mute.urn: list(_mute_times(mute)) for mute, _ in concerned}
    for name, alarm in ringing.items():
        covers = [window for mute, names in concerned if name in names for window in mute_times[mute.urn]]
        gaps = [at for window in one.hours.stopped if (at := hours.gap(window, covers)) is not None]
        if gaps:
            when = f"from {hours.clock(gaps[0])} on"
            yield Fault(f"{name} is not mute {when} while {one.resource.name} is stopped ({one.stop.said}).", alarm.urn)
    allowed = [Window(window.start, window.length + MOST_READY) for window in one.hours.stopped]
    for mute, _ in concerned:
        zone = mute.section("rule", "schedule", "timezone") or "UTC"
        if mute_times[mute.urn] and zone != one.hours.zone:
            yield Fault(f"The rule goes by the clock of {show(zone)}, the schedule by {one.hours.zone}.", mute.urn)
        for window in mute_times[mute.urn]:
            if not any(hours.holds(outer, window) for outer in allowed):
                until = hours.clock(window.start + window.length)
                yield Fault(
                    f"The rule mutes alarms of {one.resource.name} from {hours.clock(window.start)} until {until}, "
                    f"more than {MOST_READY} minutes beyond the time in which it is stopped.",
                    mute.urn,
                )
                break


def _alarms(stack: Stack, resource: Resource) -> dict[str, Resource]:
    """Name -> alarm that tells somebody about ``resource``, by itself or through a composite alarm."""
    names = {str(alarm.section("name")): alarm for alarm in alarms.watching(stack, resource)}
    heard = {
        str(composite.section("alarmName")): composite
        for composite in stack.of(COMPOSITE)
        if any(f'"{name}"' in str(composite.section("alarmRule")) for name in names)
    }
    return {name: alarm for name, alarm in (names | heard).items() if alarms.acts(alarm)}


def _mute_times(mute: Resource) -> Iterator[Window]:
    """When a rule that repeats mutes; one that mutes once is for an exception, and no part of the week."""
    expression = str(mute.section("rule", "schedule", "expression"))
    if expression.startswith("at("):
        return
    try:
        length = hours.minutes(str(mute.section("rule", "schedule", "duration")))
        yield from (Window(at, length) for at in sorted(hours.times(expression)))
    except ScheduleError:
        return


ROLE_LEAST = StackRule(
    id="sched-role-least",
    sentence="003_720b7a256857bf84.txt Automations used on AWS - Schedulers: invoke lambda function",
    title="A schedule's role is taken on for this account only, and may do nothing but make the call.",
    why="Whoever can write a schedule has whatever its role may do.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AC-6",),
    remedy="Trust scheduler.amazonaws.com with aws:SourceAccount; allow lambda:InvokeFunction on the function and "
    "sqs:SendMessage on the dead-letter queue, and nothing else.",
    types=frozenset({SCHEDULE, links.ROLE, links.ROLE_POLICY}),
    check=_least,
)

PAIRED = StackRule(
    id="sched-paired",
    sentence="003_720b7a256857bf84.txt Automations used on AWS - Schedulers: stop and start EC2 instances",
    title="What a schedule stops, another one starts again, by the same named clock.",
    why="What is stopped and never started is missing on Monday morning.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST CM-2",),
    remedy="Declare a start with the same payload, and the same schedule_expression_timezone for both.",
    types=frozenset({SCHEDULE}),
    check=_paired,
)

DLQ_RETRY = ResourceRule(
    id="sched-dlq-retry",
    sentence="003_720b7a256857bf84.txt Automations used on AWS - Schedulers: automatically on a recurring schedule",
    title="A call that fails is tried again for a while, and then kept for a person.",
    why="AWS drops what it could not deliver, and tries for a day before: a stop may come in the middle of the work.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SI-4",),
    remedy="Set dead_letter_config and retry_policy in the schedule's target.",
    types=frozenset({SCHEDULE}),
    check=_dlq_retry,
)

NOT_PROD = StackRule(
    id="sched-not-prod",
    sentence="003_720b7a256857bf84.txt Resource Scaling & Cost Management: automatically on a recurring schedule",
    title="Nothing of prod is stopped on a schedule.",
    why="The platform's users work when they like.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST CP-2",),
    remedy="Leave schedules.resources empty in prod, or waive the rule with a reason.",
    types=frozenset({SCHEDULE}),
    check=_not_prod,
)

WINDOWS_CLEAR = StackRule(
    id="sched-windows-clear",
    sentence="002_3d1abe7e242e6afd.txt §7.4: Maintenance window schedule",
    title="What is backed up, patched or maintained in a window runs during it.",
    why="Nothing is done to what is stopped: no backup is taken, no patch installed, and nobody is told.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CP-9",),
    remedy="Move the window into the hours of running, summer and winter, or run longer.",
    types=frozenset({SCHEDULE, PLAN, PATCH_WINDOW, *STOPPABLE}),
    check=_windows_clear,
)

MUTES_ALARMS = StackRule(
    id="sched-mutes-alarms",
    sentence="001_62c8c82a6a764433.txt §1: set up alerts to notify them of any problems",
    title="Alarms of what is stopped are mute as long as it is stopped, and not much longer.",
    why="A page every evening teaches people to sleep through it; a rule that lasts too long hides a failed start.",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    controls=("NIST SI-4",),
    remedy="Declare aws.cloudwatch.AlarmMuteRule from each stop until the next start, by the schedule's clock.",
    types=frozenset({SCHEDULE, MUTE, *STOPPABLE, ALARM, COMPOSITE}),
    check=_mutes_alarms,
)

SOUND = StackRule(
    id="sched-sound",
    sentence="003_720b7a256857bf84.txt Automations used on AWS - Schedulers: automatically on a recurring schedule",
    title="Every schedule is on, in a group of the stack, by a named clock, punctual, and says what to do.",
    why="A schedule that calls nobody, or calls without a word, fails in silence.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CM-2", "NIST SI-4"),
    remedy="Set state ENABLED, group_name, schedule_expression_timezone and the target's input; keep a flexible window "
    "shorter than the time between two calls.",
    types=frozenset({SCHEDULE, SCHEDULE_GROUP, FUNCTION}),
    check=_sound,
)

LOOKED_AFTER = StackRule(
    id="sched-looked-after",
    sentence="003_720b7a256857bf84.txt Automations used on AWS - Schedulers: stop and start EC2 instances",
    title="Whether what schedules stop and start is as it should be is looked at every hour.",
    why="AWS starts a stopped database after seven days by itself, and a call that failed is not made again.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CM-3", "NIST SI-4"),
    remedy="Declare a schedule, hourly or more often, that lets the same function compare what runs with the calendar.",
    types=frozenset({SCHEDULE, FUNCTION}),
    check=_looked_after,
)

RULES: tuple[Rule, ...] = (
    ROLE_LEAST,
    PAIRED,
    DLQ_RETRY,
    NOT_PROD,
    WINDOWS_CLEAR,
    MUTES_ALARMS,
    SOUND,
    LOOKED_AFTER,
)
