"""Stops what is not always needed, and starts it again: EventBridge Scheduler, one function, and mute rules."""

from .component import Schedule, ScheduleArgs
from .mutes import Mutes, MutesArgs
from .plan import alarms_of

__all__ = ["Mutes", "MutesArgs", "Schedule", "ScheduleArgs", "alarms_of"]
