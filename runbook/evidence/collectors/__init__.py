"""The kinds of evidence that a bundle holds, one module each."""

from __future__ import annotations

from ..scope import Collector
from .alarms import Alarms
from .audits import Audits
from .patches import Patches
from .records import RECORDS
from .trail import Trail

#: In the order in which they are collected and listed.
COLLECTORS: tuple[Collector, ...] = (Audits(), *RECORDS, Patches(), Alarms(), Trail())
