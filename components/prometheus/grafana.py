"""Grafana's data sources and dashboards as data, in the form that its HTTP API takes.

No declared resource puts a dashboard into a workspace: the API wants a token, which would lie in the state. So what is
made here is stored beside the workspace, for whoever holds a token for a minute to bring it in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .plan import Panel, Series

#: Grafana version -> the type of a data source for Amazon Managed Service for Prometheus.
PROMETHEUS_TYPES: Mapping[str, str] = {"10.4": "prometheus", "12.4": "grafana-amazonprometheus-datasource"}

#: Identities of the data sources in the workspace.
PROMETHEUS, CLOUDWATCH = "prometheus", "cloudwatch"

#: A unit of the matrix, in CloudWatch's spelling -> Grafana's name of it. Whatever is counted is a plain number.
UNITS: Mapping[str, str] = {
    "Bytes": "bytes",
    "Days": "d",
    "Milliseconds": "ms",
    "Percent": "percent",
    "Seconds": "s",
}

#: Columns of a dashboard, and the size of a panel in them.
_COLUMNS, _WIDTH, _HEIGHT = 24, 8, 7


def bundle(
    *, environment: str, version: str, region: str, endpoint: str, panels: Sequence[Panel], names: Mapping[str, str]
) -> str:
    """Everything to bring into the workspace, as JSON: ``dataSources`` and ``dashboards``.

    ``endpoint``: the address of the Prometheus workspace; ``names``: reference -> what CloudWatch knows it by.
    """
    content = {
        "dataSources": data_sources(version=version, region=region, endpoint=endpoint),
        "dashboards": [dashboard(environment=environment, version=version, region=region, panels=panels, names=names)],
    }
    return json.dumps(content, sort_keys=True, ensure_ascii=False)


def data_sources(*, version: str, region: str, endpoint: str) -> list[dict[str, Any]]:
    """Bodies of ``POST /api/datasources``. Both sign their requests with the workspace's role; neither holds a key."""
    return [
        {
            "uid": PROMETHEUS,
            "name": "Prometheus",
            "type": PROMETHEUS_TYPES[version],
            "access": "proxy",
            "isDefault": True,
            "url": endpoint.rstrip("/"),
            "jsonData": {
                "httpMethod": "POST",
                "sigV4Auth": True,
                "sigV4AuthType": "ec2_iam_role",
                "sigV4Region": region,
            },
        },
        {
            "uid": CLOUDWATCH,
            "name": "CloudWatch",
            "type": "cloudwatch",
            "access": "proxy",
            "isDefault": False,
            "jsonData": {"authType": "ec2_iam_role", "defaultRegion": region},
        },
    ]


def dashboard(
    *, environment: str, version: str, region: str, panels: Sequence[Panel], names: Mapping[str, str]
) -> dict[str, Any]:
    """The environment's dashboard: what rings, then a row for each part, with a panel and its limit for each alarm."""
    source = {"type": PROMETHEUS_TYPES[version], "uid": PROMETHEUS}
    shown: list[dict[str, Any]] = [_ringing(source)]
    top = _HEIGHT
    each_row = _COLUMNS // _WIDTH
    for row, drawn in _by_row(panels).items():
        shown.append({"type": "row", "title": row, "gridPos": {"h": 1, "w": _COLUMNS, "x": 0, "y": top}, "panels": []})
        top += 1
        for index, panel in enumerate(drawn):
            place = {"x": index % each_row * _WIDTH, "y": top + index // each_row * _HEIGHT}
            shown.append(_panel(panel, source, region, names) | {"gridPos": {"h": _HEIGHT, "w": _WIDTH, **place}})
        top += -(-len(drawn) // each_row) * _HEIGHT
    return {
        "uid": f"platform-{environment}",
        "title": f"Platform, {environment}",
        "tags": ["platform", environment],
        "timezone": "utc",
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "schemaVersion": 39,
        "editable": False,
        "panels": [panel | {"id": number} for number, panel in enumerate(shown, start=1)],
    }


def _by_row(panels: Sequence[Panel]) -> dict[str, list[Panel]]:
    """Rows in the order in which they first come."""
    rows: dict[str, list[Panel]] = {}
    for panel in panels:
        rows.setdefault(panel.row, []).append(panel)
    return rows


def _ringing(source: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "table",
        "title": "What rings in Prometheus",
        "datasource": source,
        "gridPos": {"h": _HEIGHT, "w": _COLUMNS, "x": 0, "y": 0},
        "targets": [
            {
                "refId": "A",
                "datasource": source,
                "expr": 'max by (alertname, rule, severity) (ALERTS{alertstate="firing"})',
                "format": "table",
                "instant": True,
            }
        ],
    }


def _panel(panel: Panel, source: Mapping[str, str], region: str, names: Mapping[str, str]) -> dict[str, Any]:
    cloudwatch = {"type": CLOUDWATCH, "uid": CLOUDWATCH}
    targets = (
        [{"refId": "A", "datasource": source, "expr": panel.value, "legendFormat": panel.key}]
        if panel.value is not None
        else [{"datasource": cloudwatch, **target} for target in _queries(panel, region, names)]
    )
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": source if panel.value is not None else cloudwatch,
        "fieldConfig": {
            "defaults": {
                "unit": UNITS.get(panel.unit, "short"),
                "thresholds": {"mode": "absolute", "steps": _steps(panel)},
                "custom": {"thresholdsStyle": {"mode": "off" if panel.threshold is None else "line+area"}},
            },
            "overrides": [],
        },
        "targets": targets,
    }


def _steps(panel: Panel) -> list[dict[str, Any]]:
    """Colours from the bottom up: red where the alarm rings."""
    if panel.threshold is None:
        return [{"color": "green", "value": None}]
    below, above = ("green", "red") if panel.comparison in (">", ">=") else ("red", "green")
    return [{"color": below, "value": None}, {"color": above, "value": panel.threshold}]


def _queries(panel: Panel, region: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """CloudWatch's queries: the series, hidden where metric math makes the one that is compared of them."""
    common = {"queryMode": "Metrics", "metricQueryType": 0, "region": region, "period": str(panel.period)}
    computed = panel.expression is not None and panel.threshold is not None
    queries: list[dict[str, Any]] = [
        {
            **common,
            "refId": f"S{number}",
            "id": series.id,
            "metricEditorMode": 0,
            "namespace": series.namespace,
            "metricName": series.name,
            "dimensions": _dimensions(series, names),
            "matchExact": True,
            "statistic": series.statistic,
            "hide": computed,
        }
        for number, series in enumerate(panel.series, start=1)
    ]
    if panel.expression is not None:
        queries.append({**common, "refId": "E", "id": "result", "metricEditorMode": 1, "expression": panel.expression})
    return queries


def _dimensions(series: Series, names: Mapping[str, str]) -> dict[str, str]:
    return {name: value if name in series.literal else names[value] for name, value in series.dimensions.items()}
