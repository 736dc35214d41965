"""Where commands find what a stack made."""

import json

import pulumi
import pulumi_aws as aws
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.inventory import LIMIT, Inventory, InventoryArgs, render
from runbook.errors import UserError
from runbook.preview.capture import capture
from settings.naming import REQUIRED_TAGS, Labels

PARAMETER = "aws:ssm/parameter:Parameter"
LABELS = Labels(project="learning-platform", environment="staging", owner="platform", cost_center="lp")


def inventory(entries):
    return capture(lambda: Inventory("inventory", InventoryArgs(entries=entries), labels=LABELS) and None)


def test_every_component_has_one_standard_parameter_under_the_environments_inventory():
    graph = inventory({"web": {"url": "https://learn.example.org"}, "database": {"port": 5432}})
    assert {
        (p.name, p.inputs["name"], p.inputs["type"], p.inputs["tier"], p.inputs["insecureValue"])
        for p in graph.of(PARAMETER)
    } == {
        (
            "inventory-web",
            "/learning-platform/staging/inventory/web",
            "String",
            "Standard",
            '{"url": "https://learn.example.org"}',
        ),
        ("inventory-database", "/learning-platform/staging/inventory/database", "String", "Standard", '{"port": 5432}'),
    }


def test_the_parameters_are_children_of_the_inventory_and_carry_the_required_tags():
    graph = inventory({"web": {"url": "u"}})
    parameter = graph.one(PARAMETER)
    assert parameter.parent == graph.one("learning-platform:inventory:Inventory").urn
    assert set(REQUIRED_TAGS) <= set(parameter.inputs["tags"])


def test_a_value_that_a_resource_makes_is_written_and_its_resource_comes_first():
    def program():
        group = aws.cloudwatch.LogGroup("application", name="/web/application")
        entries = {"web": {"logs": group.name, "thresholds": {"cpu_percent": 80}}}
        Inventory("inventory", InventoryArgs(entries=entries), labels=LABELS)

    graph = capture(program)
    parameter = graph.one(PARAMETER)
    assert json.loads(parameter.inputs["insecureValue"]) == {
        "logs": "/web/application",
        "thresholds": {"cpu_percent": 80},
    }
    assert graph.one("aws:cloudwatch/logGroup:LogGroup").urn in parameter.dependencies


def test_the_inventory_tells_the_names_of_its_parameters():
    def program():
        made = Inventory("inventory", InventoryArgs(entries={"web": {"a": 1}, "database": {}}), labels=LABELS)
        pulumi.export("names", made.parameter_names)

    assert capture(program).exports == {
        "names": {
            "database": "/learning-platform/staging/inventory/database",
            "web": "/learning-platform/staging/inventory/web",
        }
    }


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
ENTRIES = st.dictionaries(st.text(max_size=10), VALUES, max_size=5)


@given(ENTRIES)
def test_the_order_of_an_entry_changes_nothing_and_nothing_is_lost(entry):
    text = render("web", entry)
    assert text == render("web", dict(reversed(entry.items())))
    assert json.loads(text) == entry


@given(st.integers(0, 2 * LIMIT))
def test_an_entry_is_taken_up_to_what_a_parameter_holds(length):
    entry = {"a": "x" * length}
    written = len('{"a": ""}') + length
    if written <= LIMIT:
        assert len(render("web", entry)) == written
    else:
        with pytest.raises(ValueError, match=f"takes {written} bytes; a parameter holds 4096"):
            render("web", entry)


def test_an_entry_that_is_too_long_names_the_component_and_the_way_out():
    with pytest.raises(UserError) as raised:
        inventory({"web": {"a": "x" * LIMIT}})
    assert (
        "The inventory of 'web' takes 4105 bytes; a parameter holds 4096. Split it into two entries."
        in raised.value.lines[0]
    )
