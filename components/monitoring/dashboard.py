"""The dashboard of an environment, made from the matrix: what alarms watch, with the line at which they ring."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from settings.severity import Severity

from .._told import answer
from .spec import AlarmSpec, Matrix, Metric, Statistic

#: CloudWatch's grid is 24 wide; four graphs stand side by side.
WIDTH, _GRAPH_WIDTH, _GRAPH_HEIGHT = 24, 6, 5

#: An alarm widget shows no more.
_MOST_ALARMS = 100

#: The parts of the dashboard, in their order: kind of the matrix -> heading.
SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "balancer": "Load balancer",
        "servers": "Servers",
        "containers": "Containers",
        "database": "Database",
        "edge": "Certificate and firewall",
        "network": "Network",
        "bastion": "Bastion",
        "functions": "Functions",
        "queues": "Queues",
        "workflows": "Workflows",
        "tables": "Tables",
        "schedules": "Schedules",
        "events": "Events",
        "alerts": "Alerts",
    }
)

#: The last part; it is there whether or not alarms watch backups yet.
_BACKUPS, _BACKUPS_AND_COST = "backups", "Backups and cost"

#: A line's colour says how bad it is to cross it.
_COLOURS: Mapping[Severity, str] = MappingProxyType(
    {"critical": "#7d2105", "high": "#d13212", "medium": "#ff9900", "low": "#687078"}
)

_COLOUR_NAMES: Mapping[Severity, str] = MappingProxyType(
    {"critical": "brown", "high": "red", "medium": "orange", "low": "grey"}
)

_DAY = 86_400

Widget = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where the heading leads. ``site``: of the platform; ``run_books``: page of the run books, None without one."""

    site: str
    run_books: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the dashboard is of. ``names``: reference -> what CloudWatch knows the resource by; ``arns``: of the alarms.

    ``responses``: minutes until somebody answers. ``bill``: whether the partition has a bill in us-east-1.
    """

    environment: str
    region: str
    names: Mapping[str, str]
    arns: Sequence[str]
    links: Links
    responses: Mapping[Severity, int | None]
    bill: bool


def render(matrix: Matrix, view: View) -> str:
    """The dashboard as JSON with sorted keys, so that a second run changes nothing."""
    return json.dumps({"widgets": widgets(matrix, view)}, sort_keys=True)


def widgets(matrix: Matrix, view: View) -> list[Widget]:
    """Every widget with its place.

    Raises ValueError for alarms of a kind that has no part of the dashboard.
    """
    strangers = sorted({alarm.kind for alarm in matrix.alarms} - {*SECTIONS, _BACKUPS})
    if strangers:
        raise ValueError(f"The dashboard has no part for {', '.join(strangers)}. Add it to SECTIONS.")
    page = _Page()
    page.row([(_text(_header(view)), WIDTH, 2)])
    for start in range(0, len(view.arns), _MOST_ALARMS):
        page.row([(_states(view, start), WIDTH, 6)])
    for kind, heading in SECTIONS.items():
        graphs = [*_graphs(matrix, kind, view), *_context(kind, matrix.of(kind), view)]
        if graphs:
            page.section(heading, graphs)
    page.section(_BACKUPS_AND_COST, [*_graphs(matrix, _BACKUPS, view), *_kept(view), *_cost(view)])
    return page.widgets


class _Page:
    """Places widgets from the top down."""

    def __init__(self) -> None:
        self.widgets: list[Widget] = []
        self._bottom = 0

    def row(self, placed: Iterable[tuple[Widget, int, int]]) -> None:
        across, deepest = 0, 0
        for widget, width, height in placed:
            self.widgets.append({**widget, "x": across, "y": self._bottom, "width": width, "height": height})
            across, deepest = across + width, max(deepest, height)
        self._bottom += deepest

    def section(self, heading: str, graphs: Sequence[Widget]) -> None:
        self.row([(_text(f"## {heading}"), WIDTH, 1)])
        side_by_side = WIDTH // _GRAPH_WIDTH
        for start in range(0, len(graphs), side_by_side):
            self.row((graph, _GRAPH_WIDTH, _GRAPH_HEIGHT) for graph in graphs[start : start + side_by_side])


def _text(markdown: str) -> Widget:
    return {"type": "text", "properties": {"markdown": markdown}}


def _header(view: View) -> str:
    console = f"https://{view.region}.console.aws.amazon.com/cloudwatch/home?region={view.region}"
    links = [
        f"[Site]({view.links.site})",
        f"[Alarms]({console}#alarmsV2:)",
        f"[Logs Insights]({console}#logsV2:logs-insights)",
        f"[Database Insights]({console}#database-insights:)",
        *([f"[Run books]({view.links.run_books})"] if view.links.run_books else []),
    ]
    legend = ", ".join(f"{colour} {answer(severity, view.responses)}" for severity, colour in _COLOUR_NAMES.items())
    return f"# {view.environment}\n{' | '.join(links)} | Lines are the alarms' thresholds; respond to {legend}."


def _states(view: View, start: int) -> Widget:
    return {
        "type": "alarm",
        "properties": {
            "title": "Alarms",
            "alarms": list(view.arns[start : start + _MOST_ALARMS]),
            "sortBy": "stateUpdatedTimestamp",
        },
    }


def _graphs(matrix: Matrix, kind: str, view: View) -> Iterator[Widget]:
    """A graph for each panel, where its first alarm stands."""
    alarms = matrix.of(kind)
    for panel in dict.fromkeys(alarm.panel for alarm in alarms):
        yield _graph(panel, [alarm for alarm in alarms if alarm.panel == panel], matrix, view)


def _graph(title: str, alarms: Sequence[AlarmSpec], matrix: Matrix, view: View) -> Widget:
    lines = _Lines(view.names, several=len({alarm.subject for alarm in alarms}) > 1)
    for alarm in alarms:
        lines.add(alarm)
    longest = max(alarm.period for alarm in alarms)
    return _plot(title, lines.lines, view.region, period=longest, marks=_marks(alarms, matrix))


def _plot(
    title: str,
    lines: Sequence[Sequence[Any]],
    region: str,
    *,
    period: int,
    marks: Sequence[Widget] = (),
    stacked: bool = False,
) -> Widget:
    properties: Widget = {
        "title": title,
        "view": "timeSeries",
        "stacked": stacked,
        "region": region,
        "period": period,
        "stat": "Average",
        "metrics": lines,
        "yAxis": {"left": {"min": 0, "showUnits": False}},
    }
    if marks:
        properties["annotations"] = {"horizontal": list(marks)}
    return {"type": "metric", "properties": properties}


def _marks(alarms: Sequence[AlarmSpec], matrix: Matrix) -> list[Widget]:
    """A line for each threshold of a graph; alarms of many resources share theirs."""
    found = {
        (alarm.threshold, alarm.comparison): {
            "label": f"{alarm.comparison} {amount(alarm.threshold, alarm.unit)}",
            "value": alarm.threshold,
            "color": _COLOURS[matrix.voice(alarm).severity],
        }
        for alarm in alarms
        if alarm.threshold is not None
    }
    return list(found.values())


def amount(value: float, unit: str) -> str:
    """A threshold with its unit, as people write it: ``80 %``, ``20 GiB``, ``0.02 s``."""
    if unit == "Bytes":
        size, word = next(
            (value / 1024**power, word)
            for power, word in ((3, "GiB"), (2, "MiB"), (0, "bytes"))
            if value >= 1024**power or not power
        )
        return f"{size:.3g} {word}"
    sign = {"Percent": "%", "Seconds": "s", "Milliseconds": "ms"}.get(unit, unit.lower())
    return f"{value:,.10g} {sign}"


class _Lines:
    """The series of a graph in CloudWatch's form: each metric once, under a name of the graph's own."""

    def __init__(self, names: Mapping[str, str], *, several: bool) -> None:
        self._names = names
        self._several = several
        self._shown: dict[tuple[str, ...], str] = {}
        self.lines: list[list[Any]] = []

    def add(self, alarm: AlarmSpec) -> None:
        label = alarm.subject if self._several else None
        if alarm.expression is None:
            key = self._add(alarm.metrics[0], visible=True, label=label)
            if alarm.band is not None:
                self._formula(f"ANOMALY_DETECTION_BAND({key}, {alarm.band:g})", "usual")
            return
        keys = {metric.id: self._add(metric, visible=False) for metric in alarm.metrics}
        self._formula(_renamed(alarm.expression, keys), label or alarm.title)

    def _formula(self, expression: str, label: str) -> None:
        self.lines.append([{"expression": expression, "label": label, "id": f"e{len(self.lines)}"}])

    def _add(self, metric: Metric, *, visible: bool, label: str | None = None) -> str:
        """The series' name in the graph; a series that one alarm hides and another shows is shown."""
        series = _series(metric, self._names)
        key = self._shown.get((*series, metric.statistic))
        if key is None:
            key = self._shown[*series, metric.statistic] = f"m{len(self.lines)}"
            self.lines.append([*series, {"id": key, "stat": metric.statistic, "visible": False}])
        if visible:
            options = next(line[-1] for line in self.lines if line[-1]["id"] == key)
            options["visible"] = True
            if label is not None:
                options["label"] = label
        return key


def _series(metric: Metric, names: Mapping[str, str]) -> tuple[str, ...]:
    """``namespace, metric, dimension, value…``."""
    pairs = (
        part
        for dimension in metric.dimensions
        for part in (dimension.name, dimension.value if dimension.literal else names[dimension.value])
    )
    return (metric.namespace, metric.name, *pairs)


def _renamed(expression: str, keys: Mapping[str, str]) -> str:
    """The formula with the graph's names of its metrics; those of functions are in capitals."""
    return re.sub(r"\b[a-z]\w*", lambda found: keys[found[0]], expression)


@dataclass(frozen=True, slots=True)
class _Context:
    """A graph that explains the others of its part, of the resource that the part's first alarm watches."""

    title: str
    namespace: str
    metrics: tuple[str, ...]
    dimension: str
    statistic: Statistic
    stacked: bool = False


_CONTEXT: Mapping[str, tuple[_Context, ...]] = MappingProxyType(
    {
        "balancer": (_Context("Requests", "AWS/ApplicationELB", ("RequestCount",), "LoadBalancer", "Sum"),),
        # Database Insights splits the load further; CloudWatch has these two parts of it.
        "database": (
            _Context(
                "Load by wait: on the CPU, and for all else",
                "AWS/RDS",
                ("DBLoadCPU", "DBLoadNonCPU"),
                "DBInstanceIdentifier",
                "Average",
                stacked=True,
            ),
        ),
    }
)


def _context(kind: str, alarms: Sequence[AlarmSpec], view: View) -> Iterator[Widget]:
    for graph in _CONTEXT.get(kind, ()) if alarms else ():
        subject = view.names[alarms[0].subject]
        lines = [
            [graph.namespace, metric, graph.dimension, subject, {"stat": graph.statistic}] for metric in graph.metrics
        ]
        yield _plot(graph.title, lines, view.region, period=60, stacked=graph.stacked)


def _kept(view: View) -> Iterator[Widget]:
    """What AWS Backup did, day by day, for all vaults that there are."""
    for title, dimension, names in (
        ("Backups", "BackupVaultName", ("NumberOfBackupJobsCompleted", "NumberOfBackupJobsFailed")),
        ("Restores", "ResourceType", ("NumberOfRestoreJobsCompleted", "NumberOfRestoreJobsFailed")),
    ):
        searches = [
            [{"expression": _every("AWS/Backup", dimension, name), "label": name, "id": f"e{place}"}]
            for place, name in enumerate(names)
        ]
        yield _plot(title, searches, view.region, period=_DAY)


def _every(namespace: str, dimension: str, name: str) -> str:
    search = f'{{{namespace},{dimension}}} MetricName="{name}"'
    return f"SUM(SEARCH('{search}', 'Sum', {_DAY}))"


def _cost(view: View) -> Iterator[Widget]:
    """The month's bill so far; AWS keeps it in us-east-1, for every account of the partition."""
    if view.bill:
        bill = ["AWS/Billing", "EstimatedCharges", "Currency", "USD", {"stat": "Maximum"}]
        yield _plot("Cost of this month so far, USD", [bill], "us-east-1", period=21_600)
