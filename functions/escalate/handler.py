"""Escalate: what alarms say, read from the inbox queue, and the steps of the state machine that keep the record.

A message of the inbox either leads to something, or is put into the dead-letter queue with the reason, or is left in
the inbox, which gives it again and puts it into the dead-letter queue in the end. None is lost.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.common import moments
from functions.common.alarm import Alarm
from functions.common.backoff import code, may_pass, persist
from functions.common.clients import client, table
from functions.common.letters import bury
from functions.common.plain import of_plain, to_plain
from functions.common.records import Record, Records
from functions.common.variables import read
from functions.common.waking import wake

from . import decide
from .env import EscalateEnv

_LOG = logging.getLogger(__name__)

#: How often a record is read again because somebody else was faster.
_READINGS = 3


class NoRecordError(LookupError):
    """The escalation has no current record, so nobody can acknowledge it."""


class OvertakenError(RuntimeError):
    """The record has changed while it was being read; reading it again helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the function acts on. ``draw`` makes the code that a text message must name."""

    records: Records
    states: Any
    sqs: Any
    cloudwatch: Any
    functions: Any
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    draw: Callable[[], str]


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """The entry point: messages of the inbox, or one step of the state machine."""
    env = read(EscalateEnv, os.environ)
    world = World(
        records=Records(table(env.table), timedelta(days=env.retention_days)),
        states=client("stepfunctions"),
        sqs=client("sqs"),
        cloudwatch=client("cloudwatch"),
        functions=client("lambda"),
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
        draw=lambda: f"{secrets.randbelow(1_000_000):06d}",
    )
    return act(event, env, world)


def act(event: Mapping[str, Any], env: EscalateEnv, world: World) -> dict[str, Any]:
    """The same with everything given. Raises KeyError for an event of neither kind."""
    if "Records" in event:
        failed = [message["messageId"] for message in event["Records"] if not _take(message, env, world)]
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}
    return _STEPS[event["step"]](event, world)


# The inbox


def _take(message: Mapping[str, Any], env: EscalateEnv, world: World) -> bool:
    """Whether the message is dealt with, so that the inbox can forget it."""
    try:
        try:
            signal = decide.read(message["body"], env.topics)
        except decide.MalformedError as error:
            reason = str(error)
            _LOG.warning("A message is buried: %s", reason)
            persist(
                lambda: bury(world.sqs, env.dead_letters, message["body"], reason=reason, source="escalate"),
                sleep=world.sleep,
            )
            return True
        if signal is None:
            _LOG.info("Not an alarm's: left to the topic's e-mail.")
            return True
        if isinstance(signal, decide.Announcement):
            text = signal.text
            persist(lambda: _announce(text, env, world), sleep=world.sleep)
            return True
        persist(
            lambda: _follow(signal, env, world),
            again=lambda error: may_pass(error) or isinstance(error, OvertakenError),
            sleep=world.sleep,
        )
    except Exception:  # noqa: BLE001 - one message must not take the others along; the queue gives it again
        _LOG.exception("A message stays in the inbox.")
        return False
    return True


def _announce(text: str, env: EscalateEnv, world: World) -> None:
    """Asked for and not waited for: what Lambda cannot carry out goes to the dead letters of the notify function."""
    payload = json.dumps({"announcement": text}).encode()
    world.functions.invoke(FunctionName=env.notify, InvocationType="Event", Payload=payload)


def _follow(signal: decide.Signal, env: EscalateEnv, world: World) -> None:
    now = world.now()
    record = world.records.current(signal.alarm)
    is_running = (
        record is not None and record.is_alive(now) and _is_running(world.states, env.machine_arn, record.escalation)
    )
    verdict = decide.judge(signal, record, is_running=is_running, now=now)
    _LOG.info("%s %s at %s: %s. %s", signal.alarm, signal.said, signal.at, verdict.move, verdict.reason)
    if verdict.move == "replace" and record is not None:
        world.records.close(record, now, "broken")
        world.records.step(signal.alarm, record.escalation, "broken", now, verdict.reason)
    if verdict.move in ("start", "replace"):
        _start(signal, env, world)
    elif verdict.move == "note" and record is not None:
        world.records.ring(record, signal.at)
    elif verdict.move == "clear" and record is not None:
        _clear(signal, record, world)
    elif verdict.move == "wake" and record is not None:
        wake(world.states, record.waking_token)


def _is_running(states: Any, machine_arn: str, escalation: str) -> bool:
    arn = f"{machine_arn.replace(':stateMachine:', ':execution:')}:{escalation}"
    try:
        return bool(states.describe_execution(executionArn=arn)["status"] == "RUNNING")
    except Exception as error:
        if code(error) == "ExecutionDoesNotExist":
            return False
        raise


def _start(signal: decide.Signal, env: EscalateEnv, world: World) -> None:
    start = to_plain(decide.machine_input(signal, env, world.now()))
    try:
        world.states.start_execution(
            stateMachineArn=env.machine_arn,
            name=start["escalation"],
            input=json.dumps(start, sort_keys=True),
        )
    except Exception as error:
        if code(error) != "ExecutionAlreadyExists":
            raise
        _LOG.info("%s was started before.", start["escalation"])


def _clear(signal: decide.Signal, record: Record, world: World) -> None:
    settled = world.records.settle(record, "cleared", by=record.by, how=record.how, now=signal.at)
    if settled is None:
        raise OvertakenError(f"The record of {record.escalation} has changed.")
    world.records.step(signal.alarm, record.escalation, "cleared", world.now())
    wake(world.states, settled.waking_token)


# The machine's steps


def _open(event: Mapping[str, Any], world: World) -> dict[str, Any]:
    """Makes the record, unless another escalation of the alarm has one: that is what keeps it from starting twice.

    The alarm may have cleared before anybody could know of this escalation, so its state is looked up afterwards.
    """
    alarm, escalation, now = of_plain(Alarm, event["alarm"]), event["escalation"], world.now()
    for _ in range(_READINGS):
        seen = world.records.current(alarm.name)
        if seen is not None and seen.escalation == escalation:
            return {"state": seen.state}
        if seen is not None and seen.is_alive(now):
            world.records.ring(seen, alarm.started)
            return {"state": "duplicate"}
        record = Record(
            alarm=alarm.name,
            escalation=escalation,
            state="open",
            severity=alarm.severity,
            started=alarm.started,
            rang=alarm.started,
            open_until=moments.parse(event["open_until"]),
            code=world.draw(),
        )
        if world.records.begin(record, seen):
            world.records.step(alarm.name, escalation, "opened", now, alarm.reason)
            return {"state": _state_after_opening(record, world)}
    raise OvertakenError(f"The record of {alarm.name} has changed {_READINGS} times while it was read.")


def _state_after_opening(record: Record, world: World) -> str:
    if not _has_cleared(record.alarm, world.cloudwatch):
        return record.state
    now = world.now()
    world.records.settle(record, "cleared", by="", how="", now=now)
    world.records.step(record.alarm, record.escalation, "cleared", now, "before anybody was told")
    return "cleared"


def _has_cleared(alarm: str, cloudwatch: Any) -> bool:
    """Whether the alarm is known to be OK; where that cannot be asked, it is taken to ring."""
    try:
        found = cloudwatch.describe_alarms(AlarmNames=[alarm], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    except Exception:  # noqa: BLE001 - people are called rather than not
        _LOG.exception("The state of %s cannot be looked up.", alarm)
        return False
    alarms = [*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ())]
    return bool(alarms) and all(one["StateValue"] == "OK" for one in alarms)


def _hold(event: Mapping[str, Any], world: World) -> dict[str, Any]:
    """Notes the token. Where the record has gone on already, the machine is woken at once."""
    record = _own_record(event, world)
    if record is None:
        raise NoRecordError(f"{event['escalation']} has no record.")
    if record.state != event["state"] or not world.records.hold(record, event["token"]):
        wake(world.states, event["token"])
    return {}


def _note_failure(event: Mapping[str, Any], world: World) -> dict[str, Any]:
    world.records.step(
        event["alarm"]["name"], event["escalation"], f"failed {event['rung']}", world.now(), str(event["error"])
    )
    return {}


def _look(event: Mapping[str, Any], world: World) -> dict[str, Any]:
    record = _own_record(event, world)
    return {"state": record.state if record else "unknown"}


def _close(event: Mapping[str, Any], world: World) -> dict[str, Any]:
    record, now = _own_record(event, world), world.now()
    if record is not None:
        outcome = event["outcome"]
        world.records.close(record, now, outcome if outcome in ("unanswered", "broken") else None)
        world.records.step(record.alarm, record.escalation, "closed", now, outcome)
    return {}


def _own_record(event: Mapping[str, Any], world: World) -> Record | None:
    record = world.records.current(event["alarm"]["name"])
    return record if record is not None and record.escalation == event["escalation"] else None


_STEPS: Mapping[str, Callable[[Mapping[str, Any], World], dict[str, Any]]] = {
    "open": _open,
    "hold": _hold,
    "failed": _note_failure,
    "look": _look,
    "close": _close,
}
