"""The dashboard: everything that is watched, in its place, with the line at which it rings."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import combinations

import pytest

from components.monitoring import dashboard
from components.monitoring.dashboard import amount

from .estate import ACCOUNT, EVERYTHING, estate
from .test_component import PLANNED

DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"

NAMES = {
    dimension.value: f"name-of-{dimension.value}"
    for alarm in PLANNED.alarms
    for metric in alarm.metrics
    for dimension in metric.dimensions
    if not dimension.literal
}
VIEW = dashboard.View(
    environment="learning-platform prod",
    region="us-east-1",
    names=NAMES,
    arns=tuple(f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{alarm.key}" for alarm in PLANNED.alarms),
    links=dashboard.Links(site="https://app.learning.example", run_books="https://wiki.learning.example"),
    responses={"critical": 15, "high": 60, "medium": 240, "low": None},
    bill=True,
)
WIDGETS = dashboard.widgets(PLANNED, VIEW)
GRAPHS = [widget for widget in WIDGETS if widget["type"] == "metric"]


def graph(title):
    (found,) = (widget["properties"] for widget in GRAPHS if widget["properties"]["title"] == title)
    return found


def marks(properties):
    return {(mark["label"], mark["value"], mark["color"]) for mark in properties["annotations"]["horizontal"]}


def test_the_parts_are_those_of_the_platform_with_backups_and_cost_at_the_end():
    headings = [w["properties"]["markdown"] for w in WIDGETS if w["type"] == "text"][1:]
    assert headings == [f"## {part}" for part in (*dashboard.SECTIONS.values(), "Backups and cost")]


def test_every_threshold_is_a_line_of_the_graph_of_its_metric():
    for alarm in PLANNED.alarms:
        if alarm.threshold is None:
            continue
        drawn = [
            widget["properties"]
            for widget in GRAPHS
            if widget["properties"]["title"] == alarm.panel
            and any(line[:2] == [alarm.metrics[0].namespace, alarm.metrics[0].name] for line in lines(widget))
        ]
        label = f"{alarm.comparison} {amount(alarm.threshold, alarm.unit)}"
        assert any((label, alarm.threshold) in {mark[:2] for mark in marks(found)} for found in drawn), alarm.key


def lines(widget):
    return widget["properties"]["metrics"]


def test_every_metric_that_is_watched_is_drawn():
    drawn = {tuple(line[:-1]) for widget in GRAPHS for line in lines(widget) if isinstance(line[0], str)}
    for alarm in PLANNED.alarms:
        for metric in alarm.metrics:
            pairs = [(d.name, d.value if d.literal else NAMES[d.value]) for d in metric.dimensions]
            assert (metric.namespace, metric.name, *(part for pair in pairs for part in pair)) in drawn


def test_nothing_lies_on_anything_else_or_beside_the_page():
    for widget in WIDGETS:
        assert widget["x"] >= 0
        assert widget["x"] + widget["width"] <= 24
    for one, other in combinations(WIDGETS, 2):
        apart_across = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        apart_down = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        assert apart_across or apart_down


@pytest.mark.parametrize("widget", GRAPHS, ids=lambda widget: widget["properties"]["title"])
def test_a_graph_names_each_series_once_and_formulas_know_their_names(widget):
    options = [line[-1] for line in lines(widget) if isinstance(line[-1], dict)]
    ids = [option["id"] for option in options if "id" in option]
    assert len(set(ids)) == len(ids)
    for option in options:
        if "SEARCH" not in option.get("expression", "SEARCH"):
            assert set(re.findall(r"\b[a-z]\w*", option["expression"])) <= set(ids)


def test_formulas_are_drawn_and_what_they_are_made_of_is_not():
    shown = [
        line[-1].get("label") or line[1]
        for line in graph("Failed requests")["metrics"]
        if line[-1].get("visible", True)
    ]
    assert shown == ["Too many requests fail", "The load balancer fails most requests itself"]


def test_a_metric_that_is_watched_by_itself_is_shown():
    alone = {alarm.metrics[0].name for alarm in PLANNED.alarms if alarm.expression is None}
    shown = {
        line[1] for widget in GRAPHS for line in lines(widget) if isinstance(line[0], str) and line[-1].get("visible")
    }
    assert shown == alone


def test_a_line_s_colour_is_the_severity_of_whoever_pages():
    assert marks(graph("Free storage")) == {
        ("< 20 GiB", 20 * 1024**3, "#d13212"),
        ("< 3 GiB", 3 * 1024**3, "#7d2105"),
    }


def test_a_band_is_drawn_around_what_is_usual():
    refused = graph("Refused connections")["metrics"]
    assert [line[-1].get("expression") for line in refused] == [None, "ANOMALY_DETECTION_BAND(m0, 3)"]


def test_series_of_several_resources_are_told_apart():
    labels = [line[-1].get("label") for line in graph("Alerts that failed")["metrics"]]
    assert labels == ["alerts-critical", "alerts-high", "alerts-medium", "alerts-low", "replies"]


def test_the_database_s_load_is_split_by_what_sessions_wait_for():
    split = graph("Load by wait: on the CPU, and for all else")
    assert split["stacked"] is True
    assert [line[:4] for line in split["metrics"]] == [
        ["AWS/RDS", "DBLoadCPU", "DBInstanceIdentifier", "name-of-database"],
        ["AWS/RDS", "DBLoadNonCPU", "DBInstanceIdentifier", "name-of-database"],
    ]


def test_the_bill_is_looked_up_where_aws_keeps_it():
    bill = graph("Cost of this month so far, USD")
    assert (bill["region"], bill["metrics"][0][:2]) == ("us-east-1", ["AWS/Billing", "EstimatedCharges"])


def test_a_partition_without_a_bill_shows_none():
    titles = [w["properties"].get("title") for w in dashboard.widgets(PLANNED, replace(VIEW, bill=False))]
    assert "Cost of this month so far, USD" not in titles
    assert "Backups" in titles


def test_all_alarms_are_listed_a_hundred_at_a_time():
    arns = tuple(f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{number}" for number in range(250))
    listed = [
        w["properties"]["alarms"] for w in dashboard.widgets(PLANNED, replace(VIEW, arns=arns)) if w["type"] == "alarm"
    ]
    assert [len(part) for part in listed] == [100, 100, 50]
    assert [arn for part in listed for arn in part] == list(arns)


def test_the_heading_leads_to_the_site_the_logs_and_the_run_books_and_explains_the_colours():
    heading = WIDGETS[0]["properties"]["markdown"]
    assert re.findall(r"\[([^]]+)\]", heading) == ["Site", "Alarms", "Logs Insights", "Database Insights", "Run books"]
    assert "red within 1 hour, orange within 4 hours, grey on the next business day" in heading


def test_an_alarm_without_a_place_is_refused():
    strange = replace(PLANNED, alarms=(replace(PLANNED.alarms[0], kind="lighthouses"),))
    with pytest.raises(ValueError, match="The dashboard has no part for lighthouses"):
        dashboard.widgets(strange, VIEW)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (80.0, "Percent", "80 %"),
        (20 * 1024**3, "Bytes", "20 GiB"),
        (858_993_459.0, "Bytes", "819 MiB"),
        (512.0, "Bytes", "512 bytes"),
        (0.02, "Seconds", "0.02 s"),
        (48_000.0, "Milliseconds", "48,000 ms"),
        (1e9, "Transactions", "1,000,000,000 transactions"),
    ],
)
def test_amounts_are_written_as_people_write_them(value, unit, text):
    assert amount(value, unit) == text


def test_the_stack_declares_it_as_json_with_sorted_keys():
    made = estate().one(DASHBOARD).inputs
    body = json.loads(made["dashboardBody"])
    assert made["dashboardBody"] == json.dumps(body, sort_keys=True)
    assert made["dashboardName"] == "learning-platform-prod"
    assert len(body["widgets"]) == len(WIDGETS)
    assert EVERYTHING.region == body["widgets"][3]["properties"]["region"]
