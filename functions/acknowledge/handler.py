"""Acknowledge: stops an escalation because somebody takes over.

There are two ways in, and neither is open to the internet:

- ``runbook acknowledge``, or ``aws lambda invoke`` with ``{"alarm": …, "by": …}``: IAM says who may.
- A reply ``ACK 123456`` to the text message or the call: it counts from a contact's number with the code of that page.

A link to click on would need a function URL without IAM, whose only guard is a signature that travels through mailboxes
and chat; link previews of chat and mail follow links by themselves and would acknowledge for nobody. So there is none.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.common.backoff import may_pass, persist
from functions.common.clients import client, table
from functions.common.letters import bury
from functions.common.records import Record, Records
from functions.common.variables import read
from functions.common.waking import wake

from . import decide
from .env import AcknowledgeEnv

_LOG = logging.getLogger(__name__)


class OvertakenError(RuntimeError):
    """The record has changed while it was being read; reading it again helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the function acts on."""

    records: Records
    states: Any
    sqs: Any
    now: Callable[[], datetime]
    sleep: Callable[[float], None]


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """The entry point: a direct call, or replies that SNS brings."""
    env = read(AcknowledgeEnv, os.environ)
    world = World(
        records=Records(table(env.table), timedelta(days=env.retention_days)),
        states=client("stepfunctions"),
        sqs=client("sqs"),
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
    )
    return act(event, env, world)


def act(event: Mapping[str, Any], env: AcknowledgeEnv, world: World) -> dict[str, Any]:
    """The same with everything given: ``{"move": …, "reason": …}``, or the number of ``replies`` that counted.

    Raises MalformedError for a direct call that is none: the caller is told. A reply that nobody understands goes into
    the dead-letter queue.
    """
    if "Records" not in event:
        return _answer(_settle(decide.read_call(event), world))
    counted = [_reply(record["Sns"]["Message"], env, world) for record in event["Records"]]
    return {"replies": sum(counted)}


def _reply(message: str, env: AcknowledgeEnv, world: World) -> bool:
    try:
        request = decide.read_reply(message, env.contacts)
    except decide.MalformedError as error:
        reason = str(error)
        _LOG.warning("A reply is buried: %s", reason)
        persist(
            lambda: bury(world.sqs, env.dead_letters, message, reason=reason, source="acknowledge"), sleep=world.sleep
        )
        return False
    if request is None:
        _LOG.info("A text message is from a stranger, or acknowledges nothing.")
        return False
    return _settle(request, world).move != "refuse"


def _settle(request: decide.Request, world: World) -> decide.Verdict:
    verdict, record = persist(
        lambda: _judge(request, world),
        again=lambda error: may_pass(error) or isinstance(error, OvertakenError),
        sleep=world.sleep,
    )
    _LOG.info("%s by %s: %s. %s", request.alarm or request.code, request.how, verdict.move, verdict.reason)
    if record is not None and verdict.move != "refuse":
        # Also when it was taken before: whoever took it may have failed to wake the machine.
        persist(lambda: wake(world.states, record.waking_token), sleep=world.sleep)
    return verdict


def _judge(request: decide.Request, world: World) -> tuple[decide.Verdict, Record | None]:
    now = world.now()
    record = _find(request, world.records)
    verdict = decide.judge(record, now)
    if record is None or verdict.move != "acknowledge":
        return verdict, record
    settled = world.records.settle(record, "acknowledged", by=request.by, how=request.how, now=now)
    if settled is None:
        raise OvertakenError(f"The record of {record.escalation} has changed.")
    world.records.step(record.alarm, record.escalation, "acknowledged", now, f"{request.by}, by {request.how}")
    return verdict, settled


def _find(request: decide.Request, records: Records) -> Record | None:
    return records.by_code(request.code) if request.code else records.current(request.alarm)


def _answer(verdict: decide.Verdict) -> dict[str, str]:
    return {"move": verdict.move, "reason": verdict.reason}
