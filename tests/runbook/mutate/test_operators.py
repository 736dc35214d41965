"""How a property is made worse."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.mutate.operators import GONE, OPERATORS, changes, put, written

VALUES = st.recursive(
    st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["required", "10.0.0.0/8", "28", "{}", '{"a":[1]}']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=3),
    max_leaves=12,
)
INPUTS = st.dictionaries(st.text(min_size=1, max_size=3), VALUES, max_size=4)


def made(value):
    """operator -> what the one property became."""
    return {
        change.operator: put({"x": value}, change.path, change.value).get("x", GONE) for change in changes({"x": value})
    }


@given(INPUTS)
def test_every_change_changes_something_and_nothing_in_place(inputs):
    before = copy.deepcopy(inputs)
    for change in changes(inputs):
        assert change.operator in OPERATORS
        assert put(inputs, change.path, change.value) != inputs
    assert inputs == before


@given(INPUTS)
def test_every_property_that_is_set_can_be_removed(inputs):
    removed = {change.path[0] for change in changes(inputs) if change.operator == "removed" and len(change.path) == 1}
    assert removed == set(inputs)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, {"removed": GONE, "flipped": False}),
        (30, {"removed": GONE, "lowered": 15, "raised": 300}),
        (0, {"removed": GONE, "raised": 1}),
        ("28", {"removed": GONE, "lowered": "14", "raised": "280"}),
        ("704193685527", {"removed": GONE}),
        ("required", {"removed": GONE, "weakened": "optional"}),
        ("ELBSecurityPolicy-TLS13-1-2-2021-06", {"removed": GONE, "weakened": "ELBSecurityPolicy-2016-08"}),
        ("10.0.0.0/8", {"removed": GONE, "opened": "0.0.0.0/0"}),
        ("fd00::/8", {"removed": GONE, "opened": "::/0"}),
        ("0.0.0.0/0", {"removed": GONE}),
        ("cron(0 3 * * ? *)", {"removed": GONE, "rarer": "rate(365 days)"}),
        (["a"], {"removed": GONE, "emptied": []}),
        ([], {"removed": GONE}),
    ],
)
def test_a_value_is_weakened_by_its_kind(value, expected):
    assert made(value) == expected


def test_each_element_of_a_list_is_left_out_once():
    shortened = [change.value for change in changes({"x": ["a", "b", "c"]}) if change.operator == "shortened"]
    assert shortened == [["b", "c"], ["a", "c"], ["a", "b"]]


def test_an_allow_is_widened_and_never_taken_away():
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": ["sqs:SendMessage"],
        "Resource": "*",
        "Condition": {"ArnEquals": {"aws:SourceArn": "arn"}},
    }
    inputs = {"policy": json.dumps({"Statement": [allow]})}
    found = {
        (written(change.path), change.operator): json.loads(put(inputs, change.path, change.value)["policy"])[
            "Statement"
        ]
        for change in changes(inputs)
        if change.path[3:]
    }
    lone = {key: value for key, value in allow.items() if key != "Condition"}
    assert found == {
        ("policy:Statement.#.Action", "widened"): [{**allow, "Action": "*"}],
        ("policy:Statement.#.Principal", "widened"): [{**allow, "Principal": "*"}],
        ("policy:Statement.#.Condition.ArnEquals.aws:SourceArn", "removed"): [{**lone, "Condition": {"ArnEquals": {}}}],
    }


def test_a_deny_is_turned_or_taken_away():
    deny = {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Principal": "*"}
    inputs = {"policy": json.dumps({"Statement": [deny, deny | {"Action": "s3:PutObject"}]})}
    found = sorted({(written(change.path), change.operator) for change in changes(inputs)})
    assert found == [
        ("policy", "removed"),
        ("policy:Statement", "emptied"),
        ("policy:Statement", "removed"),
        ("policy:Statement", "shortened"),
        ("policy:Statement.#.Effect", "weakened"),
    ]
