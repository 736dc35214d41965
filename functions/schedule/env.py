"""What the schedule function is told by the stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from functions.common.calendar import Override, Period
from functions.common.variables import write

__all__ = ["Configuration", "Override", "Period", "ScheduleEnv"]

#: Minutes between two sweeps, each of which accounts for that long.
SWEEP_MINUTES = 15

#: Tags: which period a resource follows, ``least:most`` of a group while it runs, until when it is left alone.
PERIOD_TAG, SIZES_TAG, HOLD_TAG = "Schedule", "ScheduleSizes", "ScheduleHold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the parameter holds: the periods by name."""

    periods: Mapping[str, Period]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEnv:
    """``configuration``: name of the SSM parameter; ``dead_letters``: URL of the queue; ``function``: its own name.

    ``project`` and ``environment``: tags of what it may touch. ``namespace``: of the metrics it writes.
    """

    configuration: str
    dead_letters: str
    function: str
    project: str
    environment: str
    regions: tuple[str, ...]
    namespace: str

    def variables(self) -> dict[str, str]:
        """The environment variables of the function."""
        return write(self)
