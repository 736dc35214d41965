"""What belongs into the Grafana workspace."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.monitoring.matrix import plan_matrix
from components.prometheus import Panel, grafana, panels_of
from components.prometheus.plan import Series
from settings.thresholds import ThresholdSettings

from . import promql
from .test_plan import FACTS

ENDPOINT = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/"

PANEL = Panel(
    key="group-cpu",
    row="servers",
    title="The servers' CPU is busy",
    description="004_… Key Metrics to Monitor",
    unit="Percent",
    comparison=">",
    threshold=80.0,
    value="avg(cpu_usage_active)",
    series=(),
    expression=None,
    period=60,
)

SERIES = Series(
    id="m1",
    namespace="AWS/RDS",
    name="CPUUtilization",
    dimensions={"DBInstanceIdentifier": "database", "Region": "eu-west-1"},
    literal=frozenset({"Region"}),
    statistic="Average",
)


def changed(**changes):
    values = {name: getattr(PANEL, name) for name in Panel.__dataclass_fields__}
    return Panel(**(values | changes))


def dashboard(*panels, version="12.4", names=None):
    return grafana.dashboard(
        environment="prod", version=version, region="eu-west-1", panels=panels, names=names or {"database": "platform"}
    )


def shown(*panels, **options):
    """The panels of the matrix, without the table at the top and the rows."""
    return [panel for panel in dashboard(*panels, **options)["panels"] if panel["type"] == "timeseries"]


@pytest.mark.parametrize(
    ("version", "type_"), [("10.4", "prometheus"), ("12.4", "grafana-amazonprometheus-datasource")]
)
def test_data_sources_sign_with_the_workspace_s_role_and_hold_no_key(version, type_):
    assert grafana.data_sources(version=version, region="eu-west-1", endpoint=ENDPOINT) == [
        {
            "uid": "prometheus",
            "name": "Prometheus",
            "type": type_,
            "access": "proxy",
            "isDefault": True,
            "url": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1",
            "jsonData": {
                "httpMethod": "POST",
                "sigV4Auth": True,
                "sigV4AuthType": "ec2_iam_role",
                "sigV4Region": "eu-west-1",
            },
        },
        {
            "uid": "cloudwatch",
            "name": "CloudWatch",
            "type": "cloudwatch",
            "access": "proxy",
            "isDefault": False,
            "jsonData": {"authType": "ec2_iam_role", "defaultRegion": "eu-west-1"},
        },
    ]
    (panel,) = shown(PANEL, version=version)
    assert panel["datasource"] == {"type": type_, "uid": "prometheus"}


def test_what_prometheus_judges_is_shown_in_its_words():
    (panel,) = shown(PANEL)
    assert (panel["title"], panel["description"]) == (PANEL.title, PANEL.description)
    assert panel["targets"] == [
        {"refId": "A", "datasource": panel["datasource"], "expr": PANEL.value, "legendFormat": "group-cpu"}
    ]


def test_what_only_cloudwatch_knows_is_asked_of_it_by_the_names_it_knows():
    (panel,) = shown(changed(value=None, series=(SERIES,), period=300))
    assert panel["datasource"] == {"type": "cloudwatch", "uid": "cloudwatch"}
    assert panel["targets"] == [
        {
            "datasource": panel["datasource"],
            "refId": "S1",
            "id": "m1",
            "queryMode": "Metrics",
            "metricQueryType": 0,
            "metricEditorMode": 0,
            "region": "eu-west-1",
            "period": "300",
            "namespace": "AWS/RDS",
            "metricName": "CPUUtilization",
            "dimensions": {"DBInstanceIdentifier": "platform", "Region": "eu-west-1"},
            "matchExact": True,
            "statistic": "Average",
            "hide": False,
        }
    ]


def test_of_metric_math_the_result_is_shown_and_the_series_are_hidden():
    (panel,) = shown(changed(value=None, series=(SERIES,), expression="100 * m1"))
    series, result = panel["targets"]
    assert (series["hide"], result["expression"], result["metricEditorMode"]) == (True, "100 * m1", 1)


def test_a_band_is_shown_with_the_series_it_is_around_and_without_a_limit():
    band = changed(
        value=None, series=(SERIES,), expression="ANOMALY_DETECTION_BAND(m1, 2)", threshold=None, comparison="outside"
    )
    (panel,) = shown(band)
    assert [target.get("hide") for target in panel["targets"]] == [False, None]
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["thresholds"]["steps"] == [{"color": "green", "value": None}]
    assert defaults["custom"]["thresholdsStyle"]["mode"] == "off"


@pytest.mark.parametrize(
    ("comparison", "colours"), [(">", ["green", "red"]), (">=", ["green", "red"]), ("<", ["red", "green"])]
)
def test_the_threshold_is_drawn_red_on_the_side_where_the_alarm_rings(comparison, colours):
    (panel,) = shown(changed(comparison=comparison))
    thresholds = panel["fieldConfig"]["defaults"]["thresholds"]
    assert [(step["color"], step["value"]) for step in thresholds["steps"]] == [(colours[0], None), (colours[1], 80.0)]


@given(rows=st.lists(st.sampled_from(["servers", "balancer", "database"]), min_size=1, max_size=30))
def test_panels_stand_in_their_rows_and_none_covers_another(rows):
    made = dashboard(*(changed(key=f"k{number}", row=row) for number, row in enumerate(rows)))["panels"]
    cells = [
        (x, y)
        for panel in made
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert [panel["title"] for panel in made if panel["type"] == "row"] == list(dict.fromkeys(rows))
    assert len({panel["id"] for panel in made}) == len(made)
    for panel in made:
        if panel["type"] == "timeseries":
            above = [p for p in made if p["type"] == "row" and p["gridPos"]["y"] < panel["gridPos"]["y"]]
            assert above[-1]["title"] == rows[int(panel["targets"][0]["legendFormat"][1:])]


def references(matrix):
    return {d.value for alarm in matrix.alarms for m in alarm.metrics for d in m.dimensions if not d.literal}


def test_every_alarm_of_the_matrix_is_on_the_dashboard_at_its_threshold():
    matrix = plan_matrix(ThresholdSettings(), FACTS)
    names = {reference: f"name-of-{reference}" for reference in references(matrix)}
    text = grafana.bundle(
        environment="prod",
        version="12.4",
        region="eu-west-1",
        endpoint=ENDPOINT,
        panels=panels_of(matrix.alarms),
        names=names,
    )
    content = json.loads(text)
    assert set(content) == {"dataSources", "dashboards"}
    (made,) = content["dashboards"]
    drawn = {
        (panel["title"], panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"])
        for panel in made["panels"]
        if panel["type"] == "timeseries"
    }
    assert drawn == {(alarm.title, alarm.threshold) for alarm in matrix.alarms}
    used = {
        value
        for panel in made["panels"]
        for target in panel.get("targets", ())
        for value in target.get("dimensions", {}).values()
    }
    expected = {
        names.get(dimension.value, dimension.value)
        for alarm in matrix.alarms
        if alarm.prometheus is None
        for metric in alarm.metrics
        for dimension in metric.dimensions
    }
    assert used == expected
    # A hosted configuration of AppConfig takes a megabyte.
    assert len(text.encode()) < 500_000


def test_the_table_at_the_top_shows_what_rings():
    table, *_ = dashboard(PANEL)["panels"]
    (target,) = table["targets"]
    assert target["expr"] == 'max by (alertname, rule, severity) (ALERTS{alertstate="firing"})'
    assert (target["format"], target["instant"]) == ("table", True)


def test_a_second_run_writes_the_same_text():
    matrix = plan_matrix(ThresholdSettings(), FACTS)
    names = {reference: reference for reference in references(matrix)}
    texts = {
        grafana.bundle(
            environment="prod",
            version="12.4",
            region="eu-west-1",
            endpoint=ENDPOINT,
            panels=panels_of(matrix.alarms),
            names=dict(order),
        )
        for order in (sorted(names.items()), sorted(names.items(), reverse=True))
    }
    assert len(texts) == 1
    assert promql.read(PANEL.value).metrics == {"cpu_usage_active"}
