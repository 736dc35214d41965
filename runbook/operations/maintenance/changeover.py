"""The way to the page and back, as stages (``003_… Scheduled Maintenance``).

Before requests are led to the page, it has to answer, its end has to be scheduled, and the alarms that it sets off are
mute; a switch that does not show outside is taken back. Each stage looks at AWS, or at what the internet gets to see.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from ...errors import UserError
from .. import procedure
from ..aws import error_code, spoken
from ..journal import Journal
from ..procedure import Done, Facts, Failed, Look, Stage, Todo, Waiting
from ..restore.moments import moment, stamp
from . import alarms, notice, silences
from .entry import PAGE_PATH, SETTLING, Entry
from .record import Record, Records
from .switch import Switch, switch
from .until import shown
from .web import Answer, Fetch, fetch

#: The clients that it needs.
CLIENTS = ("cloudwatch", "ec2", "elbv2", "route53", "scheduler", "sns", "ssm")

#: The name among the clients of what silences Prometheus, where the stack has that (``operations.alert_manager``).
ALERT_MANAGER = "alertmanager"

#: The schedule's name in its group, which has no other.
SCHEDULE = "maintenance-off"

#: How long ``off`` waits for the alarms that the page set off. Those that still ring then are heard.
ALARMS_PATIENCE = timedelta(minutes=10)

_UNDER_WAY = frozenset({"Cancelling", "Delayed", "InProgress", "Pending"})
_EXECUTING = ("InProgress", "Pending", "Waiting")


@dataclass(slots=True, kw_only=True)
class Changeover:
    """A changeover being done. ``who``: ARN of the caller; ``fetch`` asks a site from outside."""

    entry: Entry
    clients: Mapping[str, Any]
    who: str
    fetch: Fetch = fetch
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    #: Whether the end is scheduled and the page not seen yet: a failure then is taken back.
    at_risk: bool = field(default=False, init=False)
    records: Records = field(init=False)
    _switch: Switch = field(init=False)
    _alarms: list[str] = field(default_factory=list, init=False)
    _sent: set[str] = field(default_factory=set, init=False)
    _execution: str = field(default="", init=False)
    _settling: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.records = Records(self.clients["ssm"], self.entry.record)
        self._switch = switch(self.entry, self.clients)

    def on(self, until: datetime, override: str = "") -> tuple[Stage, ...]:
        """To the page until ``until`` (UTC). Where the page is on, only its end moves.

        ``override``: why the change calendar is not heeded; empty: it is.
        """
        return (
            self._ask_calendar(until, override),
            self._try_page(),
            self._announce_end(stamp(until)),
            self._note(stamp(until), override),
            self._schedule_end(until),
            self._mute(until),
            *((self._silence(until),) if self.entry.alert_manager else ()),
            self._lead_to_page(),
            self._see_page(stamp(until)),
            self._tell_begun(stamp(until)),
        )

    def off(self, *, force: bool = False) -> tuple[Stage, ...]:
        """Back to the site. ``force``: also where the site is not well."""
        return (
            self._lead_back(force=force),
            *(() if force else (self._see_site(),)),
            self._cancel_end(),
            self._tell_ended(),
            self._await_alarms(),
            *self._ring_again(),
            self._announce_end(""),
        )

    def take_back(self, journal: Journal, **how: Any) -> tuple[str, ...]:
        """Undoes what ``on`` began and could not finish; says so. ``how``: for ``procedure.run``.

        A maintenance that was announced before stays on: only its new end is in doubt.
        """
        record = self.records.read()
        if record is not None and record.told:
            return (
                "The page was on before and stays on; "
                f"`runbook maintenance status -e {self.entry.site.environment}` says until when.",
            )
        stages = (self._lead_back(force=True), self._cancel_end(), *self._ring_again(), self._tell_ended())
        try:
            procedure.run(stages, self.clients, journal, **how)
        except UserError as error:
            return (
                "It could not be taken back either:",
                *error.lines,
                f"`runbook maintenance off -e {self.entry.site.environment} --force --apply` tries that again.",
            )
        return ("It was taken back: requests go to the site, alarms ring, and nothing is scheduled.",)

    # To the page

    def _ask_calendar(self, until: datetime, override: str) -> Stage:
        return Stage(
            name="calendar",
            changes="Leaves the change calendar out of account: " + override
            if override
            else f"Asks the change calendar {self.entry.calendar} about the time until then.",
            look=lambda _facts: self._calendar(until, override),
            action=("ssm:GetCalendarState",),
        )

    def _calendar(self, until: datetime, override: str) -> Look:
        # A run that goes on is at risk once it is there again.
        self.at_risk = False
        if override:
            return Done({"override": override})
        zone, ssm, names = self.entry.time_zone, self.clients["ssm"], [self.entry.calendar]
        now = ssm.get_calendar_state(CalendarNames=names)
        change = moment(now["NextTransitionTime"]) if now.get("NextTransitionTime") else None
        advice = 'Choose another time, or say why it cannot wait: --override "reason".'
        if now["State"] != "OPEN":
            opens = f" until {shown(change, zone)}" if change else ""
            return Failed(f"the change calendar is closed{opens}. {advice}")
        if change is not None and change < until:
            return Failed(f"the change calendar closes at {shown(change, zone)}, before the end. {advice}")
        then = ssm.get_calendar_state(CalendarNames=names, AtTime=stamp(until))
        if then["State"] != "OPEN":
            return Failed(f"the change calendar is closed at the end, {shown(until, zone)}. {advice}")
        return Done()

    def _try_page(self) -> Stage:
        return Stage(
            name="page",
            changes=f"Tries the page on {self.entry.instance_id}, which answers beside the site.",
            look=lambda _facts: self._page_is_ready(),
            action=(*self._switch.actions[:-1], *self._asking),
            patience=60,
            pause=5,
        )

    def _page_is_ready(self) -> Look:
        standing = self._switch.look()
        if standing.is_blocked:
            return Failed(f"{standing.why}. Clear that by hand first.")
        if why := self._switch.readiness():
            return Waiting(why)
        health = self._ask_machine(self.entry.health_path.removeprefix("/"))
        if not health.is_well:
            return Waiting(f"the machine with the page {health}")
        page = self._ask_machine(PAGE_PATH)
        return Done() if page.is_page else Waiting(f"in place of the page, the machine {page}")

    @property
    def _asking(self) -> tuple[str, ...]:
        """What asking the machine needs."""
        return () if self.entry.mode == "listener-rule" else ("ec2:DescribeInstances",)

    def _ask_machine(self, path: str) -> Answer:
        """The machine with the page, wherever requests are led: behind the load balancer, or by its own address."""
        if self.entry.mode == "listener-rule":
            return self.fetch(self.entry.url + path, None)
        with spoken("ec2:DescribeInstances"):
            (found,) = self.clients["ec2"].describe_instances(InstanceIds=[self.entry.instance_id])["Reservations"]
        address = found["Instances"][0].get("PublicIpAddress")
        return self.fetch(self.entry.url + path, address) if address else Answer(status=0, why="it has no address")

    def _announce_end(self, until: str) -> Stage:
        arguments = {
            "DocumentName": self.entry.until_document,
            "InstanceIds": [self.entry.instance_id],
            "Parameters": {"until": [until]},
            "Comment": "runbook maintenance",
            "TimeoutSeconds": 60,
        }

        def act(_facts: Facts) -> None:
            self._sent.add(self.clients["ssm"].send_command(**arguments)["Command"]["CommandId"])

        return Stage(
            name="page's end",
            changes=f"Writes on the page when it ends: {until}." if until else "Takes the end off the page.",
            look=lambda _facts: self._page_tells(until),
            call="ssm.send_command",
            action=(*self._asking, "ssm:ListCommands", "ssm:SendCommand"),
            arguments=lambda _facts: arguments,
            act=act,
            patience=180,
            pause=5,
        )

    def _page_tells(self, until: str) -> Look:
        page = self._ask_machine(PAGE_PATH)
        if page.is_page and page.tells(until):
            return Done()
        with spoken("ssm:ListCommands"):
            pages = (
                self.clients["ssm"]
                .get_paginator("list_commands")
                .paginate(
                    InstanceId=self.entry.instance_id,
                    Filters=[{"key": "DocumentName", "value": self.entry.until_document}],
                )
            )
            commands = [one for page in pages for one in page["Commands"]]
        last = max(commands, key=lambda one: one["RequestedDateTime"], default=None)
        if last is None or last.get("Parameters", {}).get("until") != [until]:
            return Todo()
        if last["Status"] in _UNDER_WAY:
            return Waiting("the machine is at it")
        if last["CommandId"] not in self._sent:
            return Todo()
        if last["Status"] == "Success":
            return Waiting(f"the page does not tell it yet: it {page}")
        return Failed(
            f"Systems Manager says {last['Status']} (aws ssm get-command-invocation --command-id {last['CommandId']} "
            f"--instance-id {self.entry.instance_id} tells more)."
        )

    def _note(self, until: str, override: str) -> Stage:
        def record() -> Record:
            before, on = self.records.read(), self._switch.look().position == "page"
            since = before.since if before is not None and on else stamp(self.now())
            told = before.told if before is not None and on else ""
            return Record(by=self.who, since=since, until=until, told=told, override=override)

        def look(_facts: Facts) -> Look:
            before = self.records.read()
            if before is None or before.until != until:
                return Todo()
            # A maintenance that was told of and is not on is a past one.
            return Todo() if before.told and self._switch.look().position != "page" else Done()

        return Stage(
            name="record",
            changes=f"Notes who does this, and until when ({self.entry.record}).",
            look=look,
            call="ssm.put_parameter",
            action=("ssm:GetParameter", "ssm:PutParameter"),
            arguments=lambda _facts: self.records.arguments(record()),
            pause=1,
        )

    def _schedule_end(self, until: datetime) -> Stage:
        entry, scheduler = self.entry, self.clients["scheduler"]
        arguments = {
            "GroupName": entry.schedule_group,
            "Name": SCHEDULE,
            "Description": "Takes the maintenance page off the air",
            "ScheduleExpression": f"at({until:%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": f"arn:{entry.site.partition}:scheduler:::aws-sdk:ssm:startAutomationExecution",
                "RoleArn": entry.schedule_role_arn,
                "Input": json.dumps({"DocumentName": entry.off_document, "Parameters": {"Announce": ["true"]}}),
                "DeadLetterConfig": {"Arn": entry.dead_letter_arn},
            },
        }

        def look(_facts: Facts) -> Look:
            if scheduled_end(scheduler, entry) != until:
                return Todo()
            self.at_risk = True
            return Done()

        def act(_facts: Facts) -> None:
            # The one that is there is moved, so that at no moment there is none.
            if scheduled_end(scheduler, entry) is None:
                scheduler.create_schedule(**arguments)
            else:
                scheduler.update_schedule(**arguments)

        return Stage(
            name="automatic end",
            changes=f"Schedules what takes the page off at {shown(until, entry.time_zone)}, or moves it there.",
            look=look,
            call="scheduler.create_schedule",
            action=(
                "scheduler:GetSchedule",
                "scheduler:UpdateSchedule",
                "iam:PassRole",
                "scheduler:CreateSchedule",
            ),
            arguments=lambda _facts: arguments,
            act=act,
            patience=60,
            pause=2,
        )

    def _mute(self, until: datetime) -> Stage:
        entry, cloudwatch = self.entry, self.clients["cloudwatch"]

        def look(_facts: Facts) -> Look:
            self._alarms = alarms.names(cloudwatch, entry)
            if not self._alarms:
                return Done()
            if len(self._alarms) > alarms.MOST_ALARMS:
                return Failed(f"{len(self._alarms)} alarms watch the site; a mute rule names {alarms.MOST_ALARMS}.")
            mute = alarms.read(cloudwatch, entry.mute_rule)
            if mute is None or not mute.fits(until, self._alarms):
                return Todo()
            return Done() if mute.status == "ACTIVE" else Waiting("alarms are muted from the next minute on")

        def arguments(_facts: Facts) -> dict[str, Any]:
            muted = self._alarms or alarms.names(cloudwatch, entry)
            before = alarms.read(cloudwatch, entry.mute_rule)
            return alarms.arguments(entry, muted, until, before, self.now()) if muted else {}

        return Stage(
            name="mute",
            changes="Mutes the alarms of what the page stands in for until "
            f"{SETTLING / timedelta(minutes=1):.0f} minutes after the end.",
            look=look,
            call="cloudwatch.put_alarm_mute_rule",
            action=("cloudwatch:DescribeAlarms", "cloudwatch:GetAlarmMuteRule", "cloudwatch:PutAlarmMuteRule"),
            arguments=arguments,
            patience=240,
            pause=10,
        )

    def _silence(self, until: datetime) -> Stage:
        entry, alert_manager = self.entry, self.clients[ALERT_MANAGER]

        def look(_facts: Facts) -> Look:
            if not self._alarms:
                return Done()
            found = silences.read(alert_manager)
            return Done() if any(one.fits(until, self._alarms) for one in found) else Todo()

        def arguments(_facts: Facts) -> dict[str, Any]:
            silenced = self._alarms or alarms.names(self.clients["cloudwatch"], entry)
            before = silences.read(alert_manager)
            return silences.arguments(entry, silenced, until, before, self.now()) if silenced else {}

        return Stage(
            name="silence",
            changes="Silences the alerts of Prometheus that say the same, as long.",
            look=look,
            call=f"{ALERT_MANAGER}.put_silence",
            action=("aps:ListAlertManagerSilences", "aps:PutAlertManagerSilences"),
            arguments=arguments,
            patience=60,
            pause=2,
        )

    def _lead_to_page(self) -> Stage:
        def look(_facts: Facts) -> Look:
            return Done() if self._switch.look().position == "page" else Todo()

        return Stage(
            name="switch",
            changes=f"Leads requests to the page ({self.entry.mode}).",
            look=look,
            call=self._switch.call,
            action=self._switch.actions,
            arguments=lambda _facts: self._switch.arguments(),
            patience=60,
            pause=3,
        )

    def _see_page(self, until: str) -> Stage:
        def look(_facts: Facts) -> Look:
            answer = self.fetch(self.entry.url, None)
            if not answer.is_page:
                return Waiting(f"{self.entry.url} {answer}")
            if not answer.tells(until):
                return Waiting(f"{self.entry.url} shows the page with another end")
            self.at_risk = False
            return Done({"url": self.entry.url, "until": until})

        return Stage(
            name="seen outside",
            changes=f"Asks {self.entry.url} from here until the page answers, with its end.",
            look=look,
            action=(),
            patience=self._switch.patience,
            pause=5,
        )

    def _tell_begun(self, until: str) -> Stage:
        def record() -> Record:
            found = self.records.read()
            return found or Record(by=self.who, since=stamp(self.now()), until=until)

        def look(_facts: Facts) -> Look:
            found = self.records.read()
            return Done() if found is not None and found.told == until else Todo()

        def act(_facts: Facts) -> None:
            found = record()
            self.clients["sns"].publish(**notice.arguments(self.entry, notice.begun(self.entry, found)))
            # Killed before this, the notice goes out a second time: better than not at all.
            self.records.write(replace(found, told=until))

        return Stage(
            name="notice",
            changes=f"Tells {self.entry.topic_arn} of it, and when the next update comes.",
            look=look,
            call="sns.publish",
            action=("ssm:GetParameter", "ssm:PutParameter", "kms:GenerateDataKey*", "sns:Publish"),
            arguments=lambda _facts: notice.arguments(
                self.entry, notice.begun(self.entry, replace(record(), until=until))
            ),
            act=act,
            pause=1,
        )

    # Back to the site

    def _lead_back(self, *, force: bool) -> Stage:
        arguments = {
            "DocumentName": self.entry.off_document,
            **({"Parameters": {"Force": ["true"]}} if force else {}),
        }

        def act(_facts: Facts) -> None:
            self._execution = self.clients["ssm"].start_automation_execution(**arguments)["AutomationExecutionId"]

        return Stage(
            name="lead back",
            changes="Leads requests back to the site" + (", well or not." if force else ", if that is well."),
            look=lambda _facts: self._site_is_led_to(),
            call="ssm.start_automation_execution",
            action=(
                *self._switch.actions[:1],
                "ssm:DescribeAutomationExecutions",
                "ssm:GetAutomationExecution",
                "iam:PassRole",
                "ssm:StartAutomationExecution",
            ),
            arguments=lambda _facts: arguments,
            act=act,
            patience=600,
            pause=5,
        )

    def _site_is_led_to(self) -> Look:
        standing = self._switch.look()
        if standing.position == "site":
            return Done()
        if standing.is_blocked:
            return Failed(f"{standing.why}. Clear that by hand first.")
        ssm = self.clients["ssm"]
        with spoken("ssm:DescribeAutomationExecutions"):
            pages = ssm.get_paginator("describe_automation_executions").paginate(
                Filters=[
                    {"Key": "DocumentNamePrefix", "Values": [self.entry.off_document]},
                    {"Key": "ExecutionStatus", "Values": list(_EXECUTING)},
                ]
            )
            running = [
                one["AutomationExecutionId"] for page in pages for one in page["AutomationExecutionMetadataList"]
            ]
        if running:
            return Waiting(f"{', '.join(running)} is at it")
        if not self._execution:
            return Todo()
        with spoken("ssm:GetAutomationExecution"):
            execution = ssm.get_automation_execution(AutomationExecutionId=self._execution)["AutomationExecution"]
        if execution["AutomationExecutionStatus"] in (*_EXECUTING, "Success"):
            return Waiting("the switch does not show it yet")
        return Failed(f"{_reason(execution)} The execution is {self._execution}; --force does not ask the site.")

    def _see_site(self) -> Stage:
        def look(_facts: Facts) -> Look:
            url = self.entry.url + self.entry.site_path.removeprefix("/")
            answer = self.fetch(url, None)
            return Done({"url": self.entry.url}) if answer.is_well else Waiting(f"{url} {answer}")

        return Stage(
            name="seen outside",
            changes=f"Asks {self.entry.url} from here until the site says that it is well.",
            look=look,
            action=(),
            patience=self._switch.patience,
            pause=5,
        )

    def _cancel_end(self) -> Stage:
        entry, scheduler = self.entry, self.clients["scheduler"]
        arguments = {"GroupName": entry.schedule_group, "Name": SCHEDULE}

        def act(_facts: Facts) -> None:
            try:
                scheduler.delete_schedule(**arguments)
            except ClientError as error:
                # It came due meanwhile.
                if error_code(error) != "ResourceNotFoundException":
                    raise

        return Stage(
            name="no automatic end",
            changes="Deletes the schedule that would take the page off.",
            look=lambda _facts: Done() if scheduled_end(scheduler, entry) is None else Todo(),
            call="scheduler.delete_schedule",
            action=("scheduler:GetSchedule", "scheduler:DeleteSchedule"),
            arguments=lambda _facts: arguments,
            act=act,
            patience=60,
            pause=2,
        )

    def _tell_ended(self) -> Stage:
        def arguments(_facts: Facts) -> dict[str, Any]:
            found = self.records.read()
            told = found is not None and found.told
            return notice.arguments(self.entry, notice.ended(self.entry, found, self.who)) if found and told else {}

        def act(facts: Facts) -> None:
            if given := arguments(facts):
                self.clients["sns"].publish(**given)
            self.records.delete()

        return Stage(
            name="notice",
            changes=f"Tells {self.entry.topic_arn} that it is over, if that was told of it, and deletes the record.",
            look=lambda _facts: Done() if self.records.read() is None else Todo(),
            call="sns.publish",
            action=("ssm:GetParameter", "ssm:DeleteParameter", "kms:GenerateDataKey*", "sns:Publish"),
            arguments=arguments,
            act=act,
            pause=1,
        )

    def _await_alarms(self) -> Stage:
        cloudwatch = self.clients["cloudwatch"]

        def look(_facts: Facts) -> Look:
            mute = alarms.read(cloudwatch, self.entry.mute_rule)
            ringing = alarms.ringing(cloudwatch, sorted(mute.alarms)) if mute and mute.status == "ACTIVE" else []
            if not ringing:
                return Done()
            now = self.now()
            self._settling = self._settling or now
            if now - self._settling >= ALARMS_PATIENCE:
                return Done({"ringing": ringing})
            return Waiting(f"{', '.join(ringing)} still ring")

        return Stage(
            name="alarms",
            changes="Waits until the muted alarms are over, "
            f"{ALARMS_PATIENCE / timedelta(minutes=1):.0f} minutes at most; those that are not ring then.",
            look=look,
            action=("cloudwatch:DescribeAlarms", "cloudwatch:GetAlarmMuteRule"),
            pause=15,
        )

    def _ring_again(self) -> tuple[Stage, ...]:
        return (self._unmute(), *((self._end_silence(),) if self.entry.alert_manager else ()))

    def _end_silence(self) -> Stage:
        alert_manager = self.clients[ALERT_MANAGER]

        def act(_facts: Facts) -> None:
            for one in silences.read(alert_manager):
                alert_manager.delete_silence(one.id)

        return Stage(
            name="end silence",
            changes="Ends the silence: alerts of Prometheus ring again.",
            look=lambda _facts: Todo() if silences.read(alert_manager) else Done(),
            call=f"{ALERT_MANAGER}.delete_silence",
            action=("aps:ListAlertManagerSilences", "aps:DeleteAlertManagerSilence"),
            arguments=lambda _facts: {"silences": [one.id for one in silences.read(alert_manager)]},
            act=act,
            patience=60,
            pause=2,
        )

    def _unmute(self) -> Stage:
        entry, cloudwatch = self.entry, self.clients["cloudwatch"]
        return Stage(
            name="unmute",
            changes="Deletes the mute rule: alarms ring again.",
            look=lambda _facts: Done() if alarms.read(cloudwatch, entry.mute_rule) is None else Todo(),
            call="cloudwatch.delete_alarm_mute_rule",
            action=("cloudwatch:GetAlarmMuteRule", "cloudwatch:DeleteAlarmMuteRule"),
            arguments=lambda _facts: {"AlarmMuteRuleName": entry.mute_rule},
            patience=60,
            pause=2,
        )


def scheduled_end(scheduler: Any, entry: Entry) -> datetime | None:
    """When the page goes off by itself, UTC; None where nothing is scheduled."""
    with spoken("scheduler:GetSchedule"):
        try:
            found = scheduler.get_schedule(GroupName=entry.schedule_group, Name=SCHEDULE)
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            return None
    expression = found["ScheduleExpression"]
    try:
        return datetime.strptime(expression, "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
    except ValueError:
        raise UserError(
            f"The schedule {entry.schedule_group}/{SCHEDULE} says {expression}, which is no single time.",
            "Somebody changed it by hand; delete it, and run the command again.",
        ) from None


def _reason(execution: Mapping[str, Any]) -> str:
    """Why an execution failed, in the document's own words where it has some."""
    message = str(execution.get("FailureMessage", ""))
    _, found, said = message.partition("RuntimeError: ")
    line = (said if found else message).strip().partition("\n")[0][:300].rstrip(". ")
    return f"{line}." if line else f"it ended as {execution['AutomationExecutionStatus']}."
