"""What the escalate function is told by the stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from functions.common.alarm import Severity
from functions.common.roster import Office
from functions.common.variables import write

__all__ = ["EscalateEnv", "Moment", "Office", "Severity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a rung goes out: ``minutes`` after the alarm, or after the office opens where that is waited for."""

    name: str
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalateEnv:
    """``notify``: name of the function that posts to the channel; ``topics``: ARN of an SNS topic -> the severity of
    its alarms; ``dead_letters``: URL of the queue.

    ``rungs``: all of them in their order, repetitions too; ``patience_minutes``: how late an alarm may be heard of and
    its rungs still keep their times. ``respond_minutes``: the response time per severity, None for the next business
    day. ``acknowledged_hours``: how long the alarm may go on after an acknowledgement before people are reminded.
    """

    table: str
    retention_days: int
    machine_arn: str
    dead_letters: str
    notify: str
    topics: Mapping[str, Severity]
    rungs: tuple[Moment, ...]
    patience_minutes: int
    respond_minutes: Mapping[str, int | None]
    office: Office
    office_severities: tuple[Severity, ...]
    acknowledged_hours: int

    def variables(self) -> dict[str, str]:
        """The environment variables of the function."""
        return write(self)
