"""Which events a pattern of EventBridge passes; the examples follow its user guide's operators."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook.event_pattern import EventPatternError, passes, read

EVENT = {
    "source": "aws.signin",
    "detail": {
        "name": "ConsoleLogin",
        "count": 7,
        "share": 7.5,
        "root": True,
        "nothing": None,
        "tags": ["a", "b"],
        "who": {"type": "Root"},
    },
}


def detail(**wanted):
    return {"detail": wanted}


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws.signin"]},
        {"source": ["aws.ec2", "aws.signin"]},
        {"source": [{"prefix": "aws."}]},
        {"source": [{"suffix": "signin"}]},
        {"source": [{"prefix": {"equals-ignore-case": "AWS."}}]},
        {"source": [{"equals-ignore-case": "AWS.SignIn"}]},
        {"source": [{"wildcard": "aws.*in"}]},
        {"source": [{"anything-but": ["aws.ec2"]}]},
        {"source": [{"anything-but": "aws.ec2"}]},
        {"source": [{"anything-but": {"prefix": "custom."}}]},
        {"source": [{"exists": True}]},
        {"other": [{"exists": False}]},
        detail(other={"inner": [{"exists": False}]}),
        detail(who={"type": ["Root"], "invokedBy": [{"exists": False}]}),
        detail(count=[7]),
        detail(count=[{"numeric": [">", 0, "<=", 7]}]),
        detail(share=[{"numeric": [">=", 7]}]),
        detail(share=[{"numeric": ["=", 7.5]}]),
        detail(root=[True]),
        detail(nothing=[None]),
        detail(tags=["b", "c"]),
        {"$or": [{"source": ["aws.ec2"]}, detail(count=[7])]},
        {"source": ["aws.signin"], "detail": {"$or": [{"count": [8]}, {"name": ["ConsoleLogin"]}]}},
    ],
)
def test_passes(pattern):
    assert passes(read(json.dumps(pattern)), EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws.ec2"]},
        {"source": ["AWS.signin"]},
        {"source": [{"prefix": "signin"}]},
        {"source": [{"anything-but": ["aws.signin"]}]},
        {"source": [{"anything-but": {"prefix": "aws."}}]},
        {"source": [{"exists": False}]},
        {"other": [{"exists": True}]},
        {"other": [{"anything-but": ["x"]}]},
        {"other": [{"prefix": ""}]},
        {"source": ["aws.signin"], "other": ["x"]},
        detail(count=["7"]),
        detail(count=[True]),
        detail(root=[1]),
        detail(name=[{"numeric": [">", 0]}]),
        detail(count=[{"numeric": [">", 7]}]),
        detail(nothing=["null"]),
        detail(tags=["c"]),
        detail(who={"type": [{"exists": False}]}),
        {"$or": [{"source": ["aws.ec2"]}, detail(count=[8])]},
    ],
)
def test_passes_not(pattern):
    assert not passes(read(json.dumps(pattern)), EVENT)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '"x"', "{"])
def test_what_is_no_pattern_is_told(text):
    with pytest.raises(EventPatternError, match=r"^it is no JSON"):
        read(text)


@pytest.mark.parametrize("pattern", [{"source": "aws.ec2"}, {"source": [{"sounds-like": "aws"}]}])
def test_what_eventbridge_does_not_know_is_told(pattern):
    with pytest.raises(EventPatternError):
        passes(pattern, EVENT)


values = st.text("abc", max_size=3)


@given(values, st.lists(values, min_size=1, max_size=3))
def test_a_value_is_either_one_of_the_list_or_anything_but_it(value, listed):
    one = passes({"x": listed}, {"x": value})
    other = passes({"x": [{"anything-but": listed}]}, {"x": value})
    assert (one, other) == (value in listed, value not in listed)
