"""Alarms on everything that should be watched, and the dashboard that shows it, from one matrix."""

from . import facts
from .component import Monitoring, MonitoringArgs
from .dashboard import Links
from .matrix import description

__all__ = ["Links", "Monitoring", "MonitoringArgs", "description", "facts"]
