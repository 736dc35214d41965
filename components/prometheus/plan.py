"""What Prometheus watches and Grafana shows, as plain data, and how the alarm matrix becomes it.

The matrix belongs to another component. ``Line`` and its parts say what is read of it; its own types fit them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from settings.severity import Severity

#: How a value is compared with a threshold; ``outside`` is CloudWatch's band around what is usual, which has none.
Comparison = Literal[">", ">=", "<", "<="]
AnyComparison = Literal[">", ">=", "<", "<=", "outside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusRule:
    """An alert: ``value``, a PromQL expression without a comparison, passes ``threshold`` for ``minutes``.

    ``key``: the rule's identity. ``alert``: the name of the CloudWatch alarm that pages for the same, so that both make
    one escalation; rules may share it. ``group``: what is watched, and the rule's group. ``description``: a sentence,
    then lines ``Impact:``, ``Run book:`` and ``First action:``, as CloudWatch's alarms have them.
    """

    key: str
    alert: str
    severity: Severity
    group: str
    value: str
    comparison: Comparison
    threshold: float
    minutes: int
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series of CloudWatch. ``dimensions``: name -> a reference, or a text where the name is in ``literal``."""

    id: str
    namespace: str
    name: str
    dimensions: Mapping[str, str]
    literal: frozenset[str]
    statistic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A line of the matrix as a picture: in Prometheus's words where ``value`` is one, else in CloudWatch's.

    ``row``: the part of the dashboard; ``expression``: metric math over ``series``; ``period``: seconds that a point of
    CloudWatch stands for. ``threshold``: None where there is no line to draw.
    """

    key: str
    row: str
    title: str
    description: str
    unit: str
    comparison: AnyComparison
    threshold: float | None
    value: str | None
    series: tuple[Series, ...]
    expression: str | None
    period: int


class _Dimension(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def literal(self) -> bool: ...


class _Metric(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def dimensions(self) -> Sequence[_Dimension]: ...
    @property
    def statistic(self) -> str: ...


class _Value(Protocol):
    @property
    def value(self) -> str: ...
    @property
    def minutes(self) -> int: ...


class Line(Protocol):
    """A line of the alarm matrix, as far as it is read here."""

    @property
    def key(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def metrics(self) -> Sequence[_Metric]: ...
    @property
    def expression(self) -> str | None: ...
    @property
    def comparison(self) -> AnyComparison: ...
    @property
    def threshold(self) -> float | None: ...
    @property
    def unit(self) -> str: ...
    @property
    def period(self) -> int: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def run_book(self) -> str: ...
    @property
    def feeds(self) -> str | None: ...
    @property
    def prometheus(self) -> _Value | None: ...


class Pager(Protocol):
    """A composite alarm: it pages in place of the alarms that feed it."""

    @property
    def key(self) -> str: ...
    @property
    def severity(self) -> Severity: ...


AnyLine = TypeVar("AnyLine", bound=Line)
AnyPager = TypeVar("AnyPager", bound=Pager)


def rules_of(
    lines: Iterable[AnyLine],
    pagers: Iterable[AnyPager],
    *,
    name: Callable[[str], str],
    describe: Callable[[AnyLine | AnyPager], str],
) -> tuple[PrometheusRule, ...]:
    """The matrix's alarms that Prometheus can judge as well.

    ``name``: key of an alarm -> its name in CloudWatch; ``describe``: an alarm -> its description. An alarm that feeds
    a composite rings with the composite's name, severity and description: in CloudWatch that is what pages.
    Raises ValueError where an alarm for Prometheus has no threshold, or feeds a composite that is not there.
    """
    known = {pager.key: pager for pager in pagers}
    rules = []
    for line in lines:
        if line.prometheus is None:
            continue
        if line.threshold is None or line.comparison == "outside":
            raise ValueError(
                f"The alarm {line.key!r} has an expression for Prometheus and no threshold. Give it one, or say why "
                "Prometheus does not judge it."
            )
        if line.feeds is not None and line.feeds not in known:
            raise ValueError(f"The alarm {line.key!r} feeds {line.feeds!r}, which is no composite alarm of the matrix.")
        pager = known[line.feeds] if line.feeds is not None else None
        rules.append(
            PrometheusRule(
                key=line.key,
                alert=name(pager.key if pager else line.key),
                severity=pager.severity if pager else line.severity,
                group=line.kind,
                value=line.prometheus.value,
                comparison=line.comparison,
                threshold=line.threshold,
                minutes=line.prometheus.minutes,
                description=describe(pager or line),
            )
        )
    return tuple(rules)


def panels_of(lines: Iterable[Line]) -> tuple[Panel, ...]:
    """A panel for each line of the matrix, in its order."""
    return tuple(
        Panel(
            key=line.key,
            row=line.kind,
            title=line.title,
            description=line.run_book,
            unit=line.unit,
            comparison=line.comparison,
            threshold=line.threshold,
            value=line.prometheus.value if line.prometheus else None,
            series=tuple(
                Series(
                    id=metric.id,
                    namespace=metric.namespace,
                    name=metric.name,
                    dimensions={dimension.name: dimension.value for dimension in metric.dimensions},
                    literal=frozenset(dimension.name for dimension in metric.dimensions if dimension.literal),
                    statistic=metric.statistic,
                )
                for metric in line.metrics
            ),
            expression=line.expression,
            period=line.period,
        )
        for line in lines
    )
