"""What an alarm is and what there is to watch, as plain data: nothing here knows of CloudWatch's or Pulumi's types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from settings.severity import Severity

from .._told import RESPONSE_MINUTES, advice

#: ``outside``: above or below the band of what is usual; ``>`` with a band: above it.
Comparison = Literal[">", ">=", "<", "<=", "outside"]

#: CloudWatch's words for what happens in a period without data.
Missing = Literal["breaching", "notBreaching", "ignore", "missing"]

Statistic = Literal["Average", "Sum", "Minimum", "Maximum", "SampleCount"]

#: A word with which the stack names a resource that is watched: ``database``, ``nat-us-east-1a``. The component
#: resolves it to what CloudWatch knows the resource by.
Reference = str


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension of a metric. ``value``: a reference, or a text where ``literal``."""

    name: str
    value: Reference | str
    literal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One series. ``id`` names it in metric math."""

    id: str = "m1"
    namespace: str
    name: str
    dimensions: tuple[Dimension, ...]
    statistic: Statistic


@dataclass(frozen=True, slots=True, kw_only=True)
class PromQL:
    """The same alarm for Prometheus: ``value`` has no comparison; the alarm's own follows it, with its threshold.

    ``minutes``: how long it must hold; 0 where ``value`` looks back by itself.
    """

    value: str
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSpec:
    """A line of the alarm matrix.

    ``key``: its identity, ``resource-purpose``, the same however many others there are. ``kind``: what is watched, and
    the part of the dashboard that shows it, in the graph called ``panel``; ``subject``: which resource.

    ``expression``: metric math over ``metrics``, or None where there is one metric. ``threshold`` is in ``unit``; where
    it is None, the alarm compares with a band of ``band`` standard deviations around what is usual. ``setting``: the
    threshold's path in the settings, or None where there is nothing to choose. ``missing``: what a period without data
    means, ``because`` says why.

    ``title``: a fact, without a full stop; ``impact`` and ``first_action``: a sentence each. ``feeds``: the composite
    alarm that pages in place of this one, which only tells its part to the topic of low severity. ``prometheus``: the
    same for Prometheus, or None because of ``not_in_prometheus``.
    """

    key: str
    title: str
    kind: str
    panel: str
    subject: Reference
    metrics: tuple[Metric, ...]
    expression: str | None = None
    comparison: Comparison
    threshold: float | None
    band: float | None = None
    unit: str
    period: int
    evaluation_periods: int
    datapoints: int
    setting: str | None
    missing: Missing
    because: str
    severity: Severity
    run_book: str
    impact: str
    first_action: str
    feeds: str | None = None
    prometheus: PromQL | None = None
    not_in_prometheus: str | None = None

    @property
    def window(self) -> int:
        """Seconds that the alarm looks back."""
        return self.period * self.evaluation_periods


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeSpec:
    """An alarm that rings when any of ``alarms`` does. ``behind``: while that composite rings, this one is silent.

    ``key``, ``title``, ``severity``, ``run_book``, ``impact``, ``first_action``: as in ``AlarmSpec``.
    """

    key: str
    title: str
    alarms: tuple[str, ...]
    behind: str | None = None
    severity: Severity
    run_book: str
    impact: str
    first_action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Every alarm of a stack, in a fixed order."""

    alarms: tuple[AlarmSpec, ...]
    composites: tuple[CompositeSpec, ...]

    def voice(self, alarm: AlarmSpec) -> AlarmSpec | CompositeSpec:
        """Who pages when ``alarm`` rings: itself, or the composite that it feeds."""
        return next((composite for composite in self.composites if composite.key == alarm.feeds), alarm)

    def of(self, kind: str) -> tuple[AlarmSpec, ...]:
        """The alarms of a part of the platform."""
        return tuple(alarm for alarm in self.alarms if alarm.kind == kind)


def description(alarm: AlarmSpec | CompositeSpec, minutes: Mapping[Severity, int | None] = RESPONSE_MINUTES) -> str:
    """What the alarm says to whoever is woken: a fact, then lines with severity, impact, run book and first action.

    The messages of the escalation are made from these lines.
    """
    return advice(
        alarm.severity,
        alarm.title,
        alarm.impact,
        run_book=alarm.run_book,
        first=alarm.first_action,
        minutes=minutes,
    )
