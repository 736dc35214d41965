"""The picture of the dashboard: every widget in its place, and the one in the docs is the one of prod."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from runbook.errors import UserError
from runbook.handbook.dashboard import draw, main, picture
from runbook.preview.project import preview
from tests.runbook.graphs import graph, resource

ROOT = Path(__file__).parents[3]
SVG = "{http://www.w3.org/2000/svg}"


def widget(kind, x, y, width, height, **properties):
    return {"type": kind, "x": x, "y": y, "width": width, "height": height, "properties": properties}


BODY = {
    "widgets": [
        widget("text", 0, 0, 24, 2, markdown="# Platform\n[Site](https://app.learning.example) | Lines & more"),
        widget(
            "alarm",
            0,
            2,
            24,
            4,
            title="Alarms",
            alarms=[f"arn:aws:cloudwatch:us-east-1:1:alarm:platform-prod-{key}" for key in ("cpu", "disk", "net-in")],
        ),
        widget(
            "metric",
            6,
            6,
            6,
            5,
            title="CPU <busy>",
            metrics=[
                ["AWS/EC2", "CPUUtilization", {"id": "m0", "visible": True}],
                ["AWS/EC2", "Hidden", {"id": "m1", "visible": False}],
                [{"expression": "m0 + m1", "label": "Sum of both", "id": "e0"}],
                ["AWS/EC2", "Third"],
                ["AWS/EC2", "Fourth"],
                ["AWS/EC2", "Fifth"],
            ],
            annotations={"horizontal": [{"label": "> 80 %", "value": 80, "color": "#d13212"}]},
        ),
    ]
}


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 - drawn here


def test_titles_links_alarms_series_and_thresholds_can_be_read():
    assert texts(draw(BODY, "Platform")) == [
        "Platform",
        "Site | Lines & more",
        "Alarms (3)",
        "cpu",
        "disk",
        "net-in",
        "CPU <busy>",
        "> 80 %",
        "CPUUtilization",
        "Sum of both",
        "Third",
        "and 2 more",
    ]


def test_a_threshold_is_a_dashed_line_inside_its_graph():
    lines = [e.attrib for e in ET.fromstring(draw(BODY, "")).iter(f"{SVG}line")]  # noqa: S314 - drawn here
    (threshold,) = (line for line in lines if "stroke-dasharray" in line)
    assert threshold["stroke"] == "#d13212"
    assert 6 * 50 < int(threshold["x1"]) < int(threshold["x2"]) < 12 * 50
    assert 6 * 30 < int(threshold["y1"]) == int(threshold["y2"]) < 11 * 30


def test_the_page_is_as_wide_as_the_grid_and_as_deep_as_its_lowest_widget():
    assert ET.fromstring(draw(BODY, "")).attrib["viewBox"] == "0 0 1200 330"  # noqa: S314 - drawn here


def test_long_texts_are_cut_where_their_place_ends():
    long = widget("metric", 0, 0, 6, 5, title="x" * 200, metrics=[])
    (title,) = texts(draw({"widgets": [long]}, ""))
    assert title.endswith("…")
    assert len(title) < 60


def test_a_single_alarm_keeps_its_name():
    one = widget(
        "alarm", 0, 0, 24, 4, title="Alarms", alarms=["arn:aws:cloudwatch:us-east-1:1:alarm:platform-prod-cpu"]
    )
    assert texts(draw({"widgets": [one]}, "")) == ["Alarms (1)", "cpu"]


def test_a_stack_without_a_dashboard_is_told():
    with pytest.raises(UserError, match="staging declares 0 dashboards; one is drawn"):
        picture(graph(resource("aws:sns/topic:Topic", "alerts")))


def test_the_command_wants_a_stack_and_a_file(capsys):
    assert main(["prod"]) == 2
    assert "Name a stack and a file" in capsys.readouterr().err


def test_the_picture_in_the_docs_is_the_dashboard_of_prod():
    drawn = picture(preview("prod", ROOT))
    assert (ROOT / "docs" / "dashboard.svg").read_text(encoding="utf-8") == drawn, (
        "Draw it anew: python -m runbook.handbook.dashboard prod docs/dashboard.svg"
    )
