"""The coverage report: present, waived, missing, and what could not be judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.rulebook.resource import Context
from runbook.audit.coverage import Coverage, Line, document, report, sums, text
from tests.components.monitoring.estate import estate
from tests.runbook.graphs import urn

CONTEXT = Context(environment="prod", regions=("us-east-1", "us-west-2"))
NAT = "aws:ec2/natGateway:NatGateway"


@pytest.fixture(scope="module")
def whole():
    return estate()


def without(graph, *names):
    return replace(graph, resources=tuple(made for made in graph.resources if made.name not in names))


def test_a_stack_whose_monitoring_knows_everything_is_covered(whole):
    covered = report(whole, CONTEXT)
    assert {line.state for line in covered.lines} == {"present"}
    assert sums(covered) == f"{len(covered.lines)} present, 0 waived, 0 missing"


def test_a_missing_alarm_is_one_missing_line(whole):
    covered = report(without(whole, "monitoring-nat-us-east-1a-ports"), CONTEXT)
    assert [(line.name, line.metrics, line.state) for line in covered.lines if line.state != "present"] == [
        ("nat-us-east-1a", ("ErrorPortAllocation",), "missing")
    ]
    assert covered.count("missing") == 1


def test_what_somebody_decided_not_to_watch_is_waived_and_what_is_watched_stays_present(whole):
    graph = without(whole, "monitoring-nat-us-east-1a-ports", "monitoring-bastion-cpu")
    covered = report(graph, CONTEXT, waived={graph.one(NAT).urn})
    assert {
        (line.name, line.metrics): line.state for line in covered.lines if line.name in ("nat-us-east-1a", "bastion")
    } == {
        ("nat-us-east-1a", ("ErrorPortAllocation",)): "waived",
        ("nat-us-east-1a", ("PacketsDropCount",)): "present",
        ("bastion", ("StatusCheckFailed",)): "present",
        ("bastion", ("CPUUtilization",)): "missing",
    }


def test_a_present_line_names_its_alarms(whole):
    covered = report(whole, CONTEXT)
    (line,) = (line for line in covered.lines if line.metrics == ("DBLoad",))
    assert line.alarms == ("monitoring-database-load",)


def line(name, state, *metrics, told="it is down", alarms=()):
    return Line(urn=urn(NAT, name), type=NAT, name=name, metrics=metrics, told=told, state=state, alarms=alarms)


FEW = Coverage(
    stack="staging",
    lines=(
        line("east", "present", "Ports", alarms=("ports", "ports-too")),
        line("east", "missing", "Packets", "Bytes", told="it drops packets"),
        line("west", "waived", "Ports"),
    ),
)


def test_a_person_sees_what_is_missing_first():
    assert list(text(FEW)) == [
        "east (ec2.NatGateway)",
        "  missing  Packets, Bytes  when it drops packets",
        "  present  Ports           ports, ports-too",
        "west (ec2.NatGateway)",
        "  waived   Ports           when it is down",
        "staging: 1 present, 1 waived, 1 missing",
    ]


def test_what_could_not_be_judged_is_counted_where_there_is_some():
    unknown = replace(FEW, lines=(*FEW.lines, line("north", "unknown", "Ports")))
    assert sums(unknown) == "1 present, 1 waived, 1 missing, 1 unknown"


def test_a_stack_without_anything_to_watch_says_so():
    assert list(text(Coverage(stack="dev", lines=()))) == ["dev: 0 present, 0 waived, 0 missing"]


def test_the_document_says_the_same():
    said = document(FEW)
    assert (said["stack"], said["counts"]) == ("staging", {"missing": 1, "unknown": 0, "waived": 1, "present": 1})
    assert said["lines"][1] == {
        "urn": urn(NAT, "east"),
        "type": NAT,
        "name": "east",
        "metrics": ["Packets", "Bytes"],
        "when": "it drops packets",
        "state": "missing",
        "alarms": [],
    }
