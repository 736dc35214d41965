"""Where two values differ, and how a difference is shown."""

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from runbook.diff.values import MISSING, REORDERED, differences, dotted, shown

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def told(old, new):
    return [(dotted(path), was, now) for path, was, now in differences(old, new, ("p",))]


@given(PLAIN)
def test_a_value_does_not_differ_from_itself(value):
    assert told(value, json.loads(json.dumps(value))) == []


@given(PLAIN, PLAIN)
def test_two_values_that_are_not_equal_differ_somewhere(old, new):
    def kinds(value):
        return json.dumps(value, sort_keys=True)

    assert bool(told(old, new)) == (kinds(old) != kinds(new)) or str(old)[:1] in "{["


@given(PLAIN, PLAIN)
def test_the_other_way_round_the_same_places_differ(old, new):
    assert sorted(path for path, *_ in told(old, new)) == sorted(path for path, *_ in told(new, old))


def test_a_json_text_differs_by_what_it_says():
    old, new = json.dumps({"a": 1, "b": [1]}), json.dumps({"b": [1], "a": 2}, indent=2)
    assert told(old, new) == [("p.a", 1, 2)]


def test_items_are_told_apart_by_name_so_that_one_more_changes_no_other():
    old = [{"Sid": "A", "x": 1}, {"Sid": "B", "x": 1}]
    new = [{"Sid": "N", "x": 1}, {"Sid": "A", "x": 2}, {"Sid": "B", "x": 1}]
    assert told(old, new) == [("p[A].x", 1, 2), ("p[N]", MISSING, {"Sid": "N", "x": 1})]


def test_plain_items_come_and_go():
    assert told(["a", "b"], ["b", "c"]) == [("p[]", "a", MISSING), ("p[]", MISSING, "c")]


def test_another_order_is_one_difference():
    assert told(["a", "b"], ["b", "a"]) == [("p", REORDERED, REORDERED)]


def test_a_boolean_is_no_number():
    assert told(1, True) == [("p", 1, True)]


def test_a_long_text_is_told_by_its_lines_also_when_it_is_encoded():
    old, new = (base64.b64encode(f"#!/bin/sh\n{'x' * 200}\n{tail}".encode()).decode() for tail in ("one", "two\nthree"))
    assert shown(("userData",), old, new, {}) == (
        "a text of 3 lines and 214 characters",
        "a text of 4 lines and 220 characters: 2 lines added, 1 removed",
    )


def test_a_large_value_is_cut():
    _before, after = shown(("x",), MISSING, list(range(500)), {})
    assert after is not None
    assert (len(after), after[-1]) == (120, "…")
