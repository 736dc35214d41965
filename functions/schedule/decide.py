"""What is to be done with a resource, from the calendar, the present time and its state (``003_… Schedulers``).

The event only says where to look. What has to run follows from the calendar, so that an event that comes late, twice
or not at all does no harm. Nothing here knows the time or AWS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from functions.common import calendar, moments

from .env import HOLD_TAG, PERIOD_TAG, SIZES_TAG, SWEEP_MINUTES, Period

Kind = Literal["database", "instance", "group"]

#: In the order of starting: what others need comes first.
KINDS: tuple[Kind, ...] = ("database", "instance", "group")

#: wait: its state allows nothing now, the next sweep looks again; fail: a person has to do something.
Move = Literal["none", "start", "stop", "wait", "fail"]

#: How often a run hands on what is left, each with its own 15 minutes. Lambda ends a chain of 16.
MOST_ROUNDS = 12

#: Whoever wants more says so in the settings, where others see it.
LONGEST_HOLD = timedelta(days=7)

_DOES = ("start", "stop", "sweep", "continue")
_RDS_EVENT = "RDS DB Instance Event"
_SIZES = re.compile(r"([1-9][0-9]{0,4}):([1-9][0-9]{0,4})")

#: States of RDS in which it neither starts nor stops until a person has helped it.
_BROKEN = frozenset(
    {
        "failed",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
        "incompatible-create",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "insufficient-capacity",
        "restore-error",
    }
)


class MalformedError(ValueError):
    """An event that says nothing the function knows; the message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Where to look. ``periods`` and ``regions``: all where empty. ``accounts``: the run is one that counts hours."""

    periods: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = KINDS
    regions: tuple[str, ...] = ()
    accounts: bool = False
    round: int = 0


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bounds of an Auto Scaling group."""

    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What was seen of something. ``state`` in AWS's words; of a group ``empty`` or ``filled``, by its instances.

    ``sizes``: a group's bounds as they are. ``obstacle``: why it can be neither stopped nor started; empty if it can.
    """

    kind: Kind
    id: str
    region: str
    state: str
    tags: Mapping[str, str]
    sizes: Sizes | None = None
    obstacle: str = ""

    @property
    def period(self) -> str:
        return self.tags.get(PERIOD_TAG, "")

    def __str__(self) -> str:
        return f"{self.kind} {self.id} in {self.region}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do and why, in words."""

    move: Move
    reason: str


def read(event: Any) -> Order:
    """What an event asks for: of the scheduler, of RDS, or of a run before. Raises MalformedError."""
    if not isinstance(event, Mapping):
        raise MalformedError(f"The event is {type(event).__name__}, not an object.")
    if event.get("detail-type") == _RDS_EVENT:
        region = event.get("region")
        if not isinstance(region, str) or not region:
            raise MalformedError("The event of RDS names no region.")
        return Order(kinds=("database",), regions=(region,))
    do = event.get("do")
    if do not in _DOES:
        raise MalformedError(f"The event says do: {do!r}; it has to be one of {', '.join(_DOES)}.")
    if do in ("start", "stop"):
        period = event.get("period")
        if not isinstance(period, str) or not period:
            raise MalformedError(f"The event says {do}, but not which period.")
        return Order(periods=(period,))
    if do == "sweep":
        return Order(accounts=True)
    return _continued(event)


def _continued(event: Mapping[str, Any]) -> Order:
    turn = event.get("round")
    if not isinstance(turn, int) or isinstance(turn, bool) or not 0 < turn <= MOST_ROUNDS:
        raise MalformedError(f"The event continues with round {turn!r}; it has to be 1 to {MOST_ROUNDS}.")
    kinds = tuple(kind for kind in KINDS if kind in _texts(event, "kinds"))
    if not kinds:
        raise MalformedError("The event continues with nothing.")
    return Order(periods=_texts(event, "periods"), kinds=kinds, regions=_texts(event, "regions"), round=turn)


def _texts(event: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = event.get(key)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise MalformedError(f"The event's {key} is {found!r}, not a list of names.")
    return tuple(found)


def continuation(order: Order) -> dict[str, Any] | None:
    """The event that goes on with ``order``; None where it went on often enough."""
    if order.round >= MOST_ROUNDS:
        return None
    return {
        "do": "continue",
        "periods": list(order.periods),
        "kinds": list(order.kinds),
        "regions": list(order.regions),
        "round": order.round + 1,
    }


def decide(now: datetime, periods: Mapping[str, Period], resource: Resource) -> Decision:
    """What to do with ``resource`` at ``now``; ``periods`` by name."""
    period = periods.get(resource.period)
    if period is None:
        known = ", ".join(sorted(periods)) or "none"
        return Decision("fail", f"its tag {PERIOD_TAG} is {resource.period!r}; the periods are {known}")
    held = _held(now, resource.tags.get(HOLD_TAG, ""))
    if held is not None:
        return held
    said = calendar.verdict(period, now)
    why = f"{resource.period}: {said.reason}"
    if resource.kind == "group":
        return _of_group(resource, said.running, why)
    move = (
        _of_database(resource.state, said.running)
        if resource.kind == "database"
        else _of_instance(resource.state, said.running)
    )
    if move in ("start", "stop") and resource.obstacle:
        return Decision("fail", resource.obstacle)
    return Decision(move, why if move in ("none", "start", "stop") else f"its state is {resource.state}")


def _held(now: datetime, text: str) -> Decision | None:
    if not text:
        return None
    try:
        until = moments.parse(text)
    except ValueError:
        return Decision("fail", f"its tag {HOLD_TAG} is {text!r}; write a moment such as 2026-03-14T18:00Z")
    if until - now > LONGEST_HOLD:
        return Decision("fail", f"its tag {HOLD_TAG} is {text!r}, more than {LONGEST_HOLD.days} days ahead")
    return Decision("none", f"left alone until {moments.shown(until)}") if now < until else None


def _of_instance(state: str, running: bool) -> Move:
    if running:
        return {"stopped": "start", "stopping": "wait"}.get(state, "none")  # type: ignore[return-value]
    return {"running": "stop", "pending": "wait"}.get(state, "none")  # type: ignore[return-value]


def _of_database(state: str, running: bool) -> Move:
    if state == "deleting":
        return "none"
    if state in _BROKEN:
        return "fail"
    if running:
        # Whatever else it is doing, it is up or on its way there.
        return {"stopped": "start", "stopping": "wait"}.get(state, "none")  # type: ignore[return-value]
    if state in ("stopped", "stopping"):
        return "none"
    return "stop" if state == "available" else "wait"


def wanted_sizes(resource: Resource) -> Sizes | None:
    """What a group has while it runs, as its tag says; None where it does not say so."""
    match = _SIZES.fullmatch(resource.tags.get(SIZES_TAG, ""))
    sizes = Sizes(int(match[1]), int(match[2])) if match else None
    return sizes if sizes and sizes.least <= sizes.most else None


def _of_group(group: Resource, running: bool, why: str) -> Decision:
    wanted = wanted_sizes(group)
    if group.state == "deleting":
        return Decision("none", "it is being deleted")
    if wanted is None:
        return Decision(
            "fail",
            f"its tag {SIZES_TAG} is {group.tags.get(SIZES_TAG, '')!r}; without sizes such as 1:2 nothing could bring "
            "it back",
        )
    if running:
        return Decision("none" if group.sizes == wanted else "start", why)
    if group.sizes != Sizes(0, 0):
        return Decision("stop", why)
    return Decision("none", why) if group.state == "empty" else Decision("wait", "its instances are being ended")


def stopped_hours(resources: Iterable[Resource]) -> dict[tuple[str, Kind], float]:
    """Period and kind -> hours saved since the sweep before: a quarter of an hour for each that rests.

    A group counts as the instances that it has at least while it runs.
    """
    hours: dict[tuple[str, Kind], float] = {}
    for one in resources:
        sizes = wanted_sizes(one) if one.kind == "group" else None
        resting = sizes.least if sizes and one.sizes == Sizes(0, 0) and one.state == "empty" else 0
        if one.kind != "group":
            resting = int(one.state == "stopped")
        key = (one.period, one.kind)
        hours[key] = hours.get(key, 0.0) + resting * SWEEP_MINUTES / 60
    return hours
