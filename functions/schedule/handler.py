"""Schedule: stops and starts what follows a period, until everything is as the calendar says.

A run looks at everything its order names, does what it can, and then tells of the rest. What has to wait is looked at
again by the next sweep. What runs out of time is handed on to another run. What fails is raised after all the others
were done: Lambda tries the event twice more, then puts it into the dead-letter queue, and sweeps go on trying. A sweep
itself raises nothing: it counts what is not as it should be, and an alarm rings where that stays so.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from functions.common.letters import bury
from functions.common.plain import of_plain
from functions.common.variables import read

from . import decide
from .decide import Kind, Order, Resource
from .env import Configuration, ScheduleEnv
from .fleet import Clock, Fleet

_LOG = logging.getLogger(__name__)

#: Seconds of a run that are kept: its Duration alarm rings at four fifths of its 900.
RESERVE = 300.0

#: Names of resources that an error tells; the log tells all.
_TOLD = 5


class UnfinishedError(RuntimeError):
    """Something could not be stopped or started; the message says what, and why in a word each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the function acts on. ``clients``: service and region -> boto3 client; no region: its own.

    ``remaining``: seconds that are left; ``write``: a line into the log.
    """

    clients: Callable[[str, str | None], Any]
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    remaining: Callable[[], float]
    write: Callable[[str], None]


@dataclass(slots=True)
class _Report:
    """``seen``: everything looked at; ``unsettled``: what was not as the calendar says, or could not be looked at.

    ``failed``: what -> why; ``is_cut``: the time did not suffice.
    """

    seen: list[Resource] = field(default_factory=list)
    unsettled: int = 0
    started: int = 0
    stopped: int = 0
    waiting: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False

    def summary(self) -> dict[str, int]:
        return {
            "seen": len(self.seen),
            "started": self.started,
            "stopped": self.stopped,
            "waiting": self.waiting,
            "failed": len(self.failed),
        }


def handler(event: Any, context: Any) -> dict[str, Any]:
    """The entry point: the scheduler, RDS, or a run before."""
    world = World(
        clients=_client,
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
        remaining=lambda: context.get_remaining_time_in_millis() / 1000,
        write=_write,
    )
    return act(event, read(ScheduleEnv, os.environ), world)


def act(event: Any, env: ScheduleEnv, world: World) -> dict[str, Any]:
    """The same with everything given. Raises UnfinishedError where something failed."""
    try:
        order = decide.read(event)
    except decide.MalformedError as error:
        reason = str(error)
        _LOG.warning("An event is buried: %s", reason)
        body = json.dumps(event, default=str, sort_keys=True)
        bury(world.clients("sqs", None), env.dead_letters, body, reason=reason, source="schedule")
        return {"buried": reason}
    report = _run(order, env, world)
    summary = {**report.summary(), "cut": report.is_cut}
    _LOG.info("%s", summary)
    if order.accounts:
        _account(report, env, world)
    if report.is_cut:
        _hand_on(order, env, world)
    elif report.failed and not order.accounts:
        raise UnfinishedError(_complaint(report.failed))
    return summary


def _run(order: Order, env: ScheduleEnv, world: World) -> _Report:
    periods = _configuration(env, world).periods
    clock = Clock(world.remaining, RESERVE, world.sleep)
    owned = {"Environment": env.environment, "Project": env.project}
    report = _Report()
    for region in env.regions:
        if order.regions and region not in order.regions:
            continue

        def clients(service: str, region: str = region) -> Any:
            return world.clients(service, region)

        fleet = Fleet(region, clients, owned, clock)
        for kind in order.kinds:
            _settle(fleet, kind, region, order, periods, report, world)
    return report


def _configuration(env: ScheduleEnv, world: World) -> Configuration:
    held = world.clients("ssm", None).get_parameter(Name=env.configuration)["Parameter"]["Value"]
    return of_plain(Configuration, json.loads(held))


def _settle(
    fleet: Fleet,
    kind: Kind,
    region: str,
    order: Order,
    periods: Mapping[str, Any],
    report: _Report,
    world: World,
) -> None:
    """Looks at all of one kind in one region, and does what the decisions say."""
    try:
        seen = fleet.see(kind)
    except Exception as error:  # noqa: BLE001 - the other regions and kinds are looked at all the same
        _LOG.exception("What there is of %s in %s cannot be seen.", kind, region)
        report.failed[f"every {kind} in {region}"] = type(error).__name__
        report.unsettled += 1
        return
    now = world.now()
    moves: dict[str, list[Resource]] = {"start": [], "stop": []}
    for resource in seen:
        if order.periods and resource.period not in order.periods:
            continue
        decision = decide.decide(now, periods, resource)
        report.seen.append(resource)
        if decision.move == "none":
            continue
        report.unsettled += 1
        _LOG.info("%s: %s, because %s.", resource, decision.move, decision.reason)
        if decision.move == "wait":
            report.waiting += 1
        elif decision.move == "fail":
            report.failed[str(resource)] = decision.reason
        else:
            moves[decision.move].append(resource)
    for way in ("start", "stop"):
        outcome = fleet.move(way, moves[way])
        if way == "start":
            report.started += len(outcome.done)
        else:
            report.stopped += len(outcome.done)
        report.waiting += len(outcome.waiting)
        report.failed |= {f"{kind} {identifier} in {region}": why for identifier, why in outcome.failed.items()}
        report.is_cut |= bool(outcome.left)


def _account(report: _Report, env: ScheduleEnv, world: World) -> None:
    """Hours saved, in CloudWatch's embedded metric format; and how much is unsettled, which a filter counts."""
    stamp = int(world.now().timestamp() * 1000)
    for (period, kind), hours in sorted(decide.stopped_hours(report.seen).items()):
        metric = {
            "Namespace": env.namespace,
            "Dimensions": [["Period", "Kind"]],
            "Metrics": [{"Name": "StoppedHours", "Unit": "None"}],
        }
        line = {
            "_aws": {"Timestamp": stamp, "CloudWatchMetrics": [metric]},
            "Period": period,
            "Kind": kind,
            "StoppedHours": hours,
        }
        world.write(json.dumps(line, sort_keys=True))
    world.write(json.dumps({"summary": report.summary(), "unsettled": report.unsettled}, sort_keys=True))


def _hand_on(order: Order, env: ScheduleEnv, world: World) -> None:
    following = decide.continuation(order)
    if following is None:
        raise UnfinishedError(f"Not everything was done after {order.round} further runs; the next sweep goes on.")
    _LOG.info("The time is over: round %s goes on.", following["round"])
    world.clients("lambda", None).invoke(
        FunctionName=env.function, InvocationType="Event", Payload=json.dumps(following, sort_keys=True).encode()
    )


def _complaint(failed: Mapping[str, str]) -> str:
    told = "; ".join(f"{what}: {why}" for what, why in sorted(failed.items())[:_TOLD])
    more = f"; and {len(failed) - _TOLD} more" if len(failed) > _TOLD else ""
    return f"{len(failed)} not as the calendar says: {told}{more}."


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")


@cache
def _client(service: str, region: str | None) -> Any:
    """A client that tries again for about a minute while AWS is busy; made at first use, kept while warm."""
    import boto3
    from botocore.config import Config

    session: Any = boto3.Session()
    config = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 7, "mode": "standard"})
    return session.client(service, region_name=region, config=config)
