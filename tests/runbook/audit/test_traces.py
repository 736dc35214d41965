"""Where every demand of the run books leads, in the real program and on paper."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from policies.rulebook import RULES
from policies.rulebook.runbook import Demand, Lines, RunBook, Section, run_books
from runbook.audit.traces import command_names, document, lines, sums, traces
from runbook.cli import app
from runbook.console import PLAIN, drawn
from runbook.preview.project import preview
from tests.runbook.graphs import graph, printed, resource, rule

ROOT = Path(__file__).parents[3]

FILE = "009_abc.txt"
RULE = replace(rule("net-open"), sentence=f"{FILE} §1: Light")


def demand(line, quote, **met):
    return Demand(file=FILE, section="§1", lines=Lines(line, line + 1), quote=quote, **met)


def book(*demands):
    return RunBook(
        file=FILE,
        sha256="abc",
        quoted="",
        length=99,
        aside=(),
        sections=(
            Section(name="§1", heading="Care", lines=Lines(1, 1), demands=demands),
            Section(name="§2", heading="Nothing", lines=Lines(98, 98), demands=()),
        ),
    )


STAGING = graph(resource("aws:ec2/flowLog:FlowLog", "network"), resource("shop:backup:Backup", "backup"))
PROD = graph(resource("aws:ec2/flowLog:FlowLog", "network"), stack="prod")
GRAPHS = (PROD, STAGING)


def traced(*demands, graphs=GRAPHS, rules=(), commands=("backup status",)):
    return traces([book(*demands)], rules, graphs, commands)


@pytest.fixture(scope="module")
def real():
    graphs = [preview(stack, ROOT) for stack in ("dev", "prod", "staging")]
    return traces(run_books(), RULES, graphs, set(command_names(typer.main.get_command(app))))


def test_whatever_the_run_books_lead_to_is_there(real):
    assert {gap for trace in real for gap in trace.gaps if gap != trace.demand.missing} == set()


def test_every_run_book_is_met_for_the_most_part(real):
    met = [trace for trace in real if trace.state in ("covered", "partly")]
    assert len(met) / len(real) > 0.75


@pytest.mark.parametrize(
    ("met", "state"),
    [
        ({"rules": ("net-open",)}, "covered"),
        ({"declared": ("ec2.FlowLog",)}, "covered"),
        ({"done": ("backup status",)}, "covered"),
        ({"settings": ("region",)}, "covered"),
        ({"written": ("README.md",)}, "covered"),
        ({"declared": ("ec2.FlowLog",), "missing": "the rest"}, "partly"),
        ({"manual": "People do."}, "people"),
        ({"missing": "all of it"}, "open"),
        ({"declared": ("ecs.Service",)}, "open"),
        ({"declared": ("ec2.FlowLog", "ecs.Service")}, "partly"),
        ({"done": ("ecs scale",)}, "open"),
        ({"rules": ("gone",)}, "open"),
    ],
)
def test_a_demand_is_met_by_what_is_there(met, state):
    trace, _ = traced(demand(3, "Water", **met), demand(5, "Light"), rules=[RULE])
    assert trace.state == state


def test_a_demand_is_met_by_the_rule_that_quotes_it():
    water, light = traced(demand(3, "Water", missing="all"), demand(5, "Light"), rules=[RULE])
    assert (water.rules, water.state) == ((), "open")
    assert (light.rules, light.state) == (("net-open",), "covered")


def test_a_rule_that_quotes_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="No demand in §1"):
        traced(demand(3, "Water"), rules=[RULE])


@pytest.mark.parametrize(
    ("name", "stacks"),
    [
        ("ec2.FlowLog", ("prod", "staging")),
        ("ec2.FlowLog::network", ("prod", "staging")),
        ("ec2.FlowLog::other", ()),
        ("Backup", ("staging",)),
        ("backup", ()),
    ],
)
def test_a_declaration_is_found_by_type_and_by_name(name, stacks):
    (trace,) = traced(demand(3, "Water", declared=(name,)))
    assert [one.stacks for one in trace.declared] == [stacks]
    assert trace.gaps == (() if stacks else (f"{name} is not declared in prod, staging",))


def test_what_is_not_there_is_said_to_be_missing():
    (trace,) = traced(demand(3, "Water", rules=("gone",), done=("go",), missing="Much"))
    assert trace.gaps == ("Much", "there is no rule gone", "there is no `runbook go`")


def test_commands_are_named_with_those_above_them():
    names = set(command_names(typer.main.get_command(app)))
    assert {"audit", "backup status", "settings check"} <= names
    assert "backup" not in names


FOUR = (
    demand(3, "Water", declared=("ec2.FlowLog", "Backup"), settings=("region",)),
    demand(5, "Light", done=("backup status",), missing="lamps"),
    demand(7, "Talk", manual="People do."),
    demand(9, "Sing:", missing="a voice"),
)


def test_a_person_reads_each_demand_what_meets_it_and_what_is_open():
    assert printed(lines([book(*FOUR)], traced(*FOUR), PLAIN)) == [
        "009_abc.txt: 4 demands: 1 met by code, 1 met in part, 1 for people, 1 open",
        "",
        "  §1 Care",
        "    009-3    met by code  Water",
        "             declared     ec2.FlowLog, Backup (staging)",
        "             settings     region",
        "    009-5    met in part  Light",
        "             done by      runbook backup status",
        "             missing      lamps",
        "    009-7    for people   Talk",
        "             people       People do.",
        "    009-9    open         Sing:",
        "             missing      a voice",
        "",
        "The run books: 4 demands: 1 met by code, 1 met in part, 1 for people, 1 open",
        "",
        "No code meets",
        "  009-9    Sing: a voice",
    ]


def test_what_is_too_long_for_a_narrow_page_goes_on_below():
    narrow = printed(lines([book(*FOUR)], traced(*FOUR), drawn(50)))
    at = narrow.index("             declared     ec2.FlowLog, Backup")
    assert narrow[at + 1] == "                          (staging)"


def test_one_demand_is_one_demand():
    assert sums(traced(FOUR[0])) == "1 demand: 1 met by code, 0 met in part, 0 for people, 0 open"


def test_a_program_reads_the_same_with_the_stacks_that_were_looked_at():
    told = json.loads(document([book(*FOUR)], traced(*FOUR), ["prod", "staging"]))
    counts = {"covered": 1, "partly": 1, "people": 1, "open": 1}
    (entry,) = told.pop("runBooks")
    assert told == {"version": 1, "stacks": ["prod", "staging"], "counts": counts}
    demands = entry.pop("demands")
    assert entry == {"file": FILE, "sha256": "abc", "counts": counts}
    assert demands[0] == {
        "id": "009-3",
        "section": "§1",
        "lines": [3, 4],
        "quote": "Water",
        "state": "covered",
        "rules": [],
        "declared": [
            {"type": "ec2.FlowLog", "stacks": ["prod", "staging"]},
            {"type": "Backup", "stacks": ["staging"]},
        ],
        "commands": [],
        "settings": ["region"],
        "documents": [],
        "manual": None,
        "missing": [],
    }
    assert [(one["state"], one["manual"], one["missing"]) for one in demands[1:]] == [
        ("partly", None, ["lamps"]),
        ("people", "People do.", []),
        ("open", None, ["a voice"]),
    ]
