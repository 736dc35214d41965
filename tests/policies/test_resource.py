"""What rules look things up with: properties of a resource, references in a stack, and what unknown values do there."""

from __future__ import annotations

import pytest

from policies.rulebook.resource import Context, Resource, Stack, is_list, is_mapping, is_true, whole
from policies.rulebook.rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through

from .bags import UNKNOWN, UnknownValueError, resource

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:rds/subnetGroup:SubnetGroup"

ONE = resource(SUBNET, "one", {"id": "subnet-1", "arn": "arn:aws:ec2:::subnet-1"})
TWO = resource(SUBNET, "two", {"id": UNKNOWN})
OTHER = resource(VPC, "other", {"id": "vpc-1"})


def stack(*resources: Resource) -> Stack:
    return Stack(resources=(ONE, TWO, OTHER, *resources), context=Context())


def names(found):
    return [hit.name for hit in found]


def group(subnets, uses=()):
    return resource(GROUP, "group", {"subnetIds": subnets}, uses={"subnetIds": uses} if uses else {})


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        pytest.param(group(["subnet-1"]), ["one"], id="a known id"),
        pytest.param(group("subnet-1"), ["one"], id="a single value"),
        pytest.param(group(["arn:aws:ec2:::subnet-1"]), ["one"], id="an ARN"),
        pytest.param(group([{"subnetId": "subnet-1"}]), ["one"], id="an id further inside"),
        pytest.param(group([UNKNOWN], [TWO]), ["two"], id="an unknown id with its dependency"),
        pytest.param(group(UNKNOWN, [ONE, TWO]), ["one", "two"], id="an unknown list"),
        pytest.param(group(["subnet-1", UNKNOWN], [TWO]), ["one", "two"], id="a known and an unknown id"),
        pytest.param(group(["subnet-1"], [TWO]), ["one"], id="a known id says more than a dependency"),
        pytest.param(group(["subnet-1", "subnet-1"]), ["one"], id="no repeats"),
        pytest.param(group(["arn:of:subnet-2:*"], [TWO]), ["two"], id="a text made from an id"),
        pytest.param(group(["vpc-1"], [OTHER]), [], id="another type"),
        pytest.param(group(["subnet-9"]), [], id="an id of others"),
        pytest.param(group([]), [], id="an empty list"),
        pytest.param(resource(GROUP, "group"), [], id="unset"),
    ],
)
def test_a_reference_is_found_by_known_ids_first_and_by_dependencies_else(judged, expected):
    assert names(stack(judged).referenced(judged, "subnetIds", SUBNET)) == expected
    whole_stack = stack(judged)
    assert [names(whole_stack.referring(subnet, "subnetIds", GROUP)) for subnet in (ONE, TWO)] == [
        ["group"] if subnet.name in expected else [] for subnet in (ONE, TWO)
    ]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param([], "list", id="a list"),
        pytest.param((), "list", id="a tuple"),
        pytest.param({}, "mapping", id="a mapping"),
        *(pytest.param(scalar, None, id=repr(scalar)) for scalar in ("", "text", b"", 0, 1.5, True, None)),
    ],
)
def test_lists_and_mappings_are_told_apart_bare_and_behind_the_checking_proxy(value, kind):
    seen = resource(VPC, "seen", {"value": value, "other": UNKNOWN}).props["value"]
    assert [(is_list(it), is_mapping(it)) for it in (value, seen)] == [(kind == "list", kind == "mapping")] * 2


def test_a_dependency_that_is_gone_is_none():
    gone = resource(SUBNET, "gone")
    judged = group([UNKNOWN], [gone])
    assert stack(judged).referenced(judged, "subnetIds", SUBNET) == ()


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        (group(["subnet-1", "subnet-9"]), ("subnet-9",)),
        (group(["subnet-9", UNKNOWN], [TWO]), ("subnet-9",)),
        (group([UNKNOWN], [TWO]), ()),
        (group(["arn:of:subnet-2:*"], [TWO]), ()),
        (group(["vpc-1"]), ("vpc-1",)),
        (group([]), ()),
    ],
)
def test_strangers_are_the_known_ids_of_others(judged, expected):
    assert stack(judged).strangers(judged, "subnetIds", SUBNET) == expected


def test_what_rules_share_is_made_once():
    calls = []

    def build(of):
        calls.append(of)
        return {"made": len(calls)}

    looked_at = stack()
    assert looked_at.shared(build) is looked_at.shared(build)
    assert len(calls) == 1
    assert stack().shared(build) == {"made": 2}


@pytest.mark.parametrize(
    ("value", "expected"), [(5, 5), (5.0, 5), ("5", 5), ("5.0", 5), (-1.0, -1), (None, None), ("", None)]
)
def test_whole_numbers_come_as_floats_and_as_text(value, expected):
    assert whole(value) == expected


@pytest.mark.parametrize("value", [5.5, "x", True])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ValueError, match=r"whole number|could not convert"):
        whole(value)


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), ("true", True), (False, False), ("false", False), (None, False), (1.0, False)]
)
def test_true_is_true_as_any_caller_writes_it(value, expected):
    assert is_true(value) is expected


NESTED = resource(VPC, "nested", {"a": [{"b": "c"}], "text": "abc", "none": None, "unknown": [UNKNOWN], "tags": "x"})


@pytest.mark.parametrize(
    ("path", "expected"),
    [(("a", 0, "b"), "c"), (("a", 1, "b"), None), (("x", "y"), None), (("text", 0), None), (("none", "x"), None)],
)
def test_a_section_is_none_where_a_step_is_missing(path, expected):
    assert NESTED.section(*path) == expected


def test_items_are_a_list_whatever_is_written():
    assert list(NESTED.items("text")) == ["abc"]
    assert list(NESTED.items("none")) == []
    assert list(NESTED.items("missing")) == []
    assert [item["b"] for item in NESTED.items("a")] == ["c"]
    assert NESTED.tags == {}


def test_an_unknown_value_raises_where_it_is_touched():
    with pytest.raises(UnknownValueError):
        NESTED.section("unknown", 0)


# How a rule goes on past an unknown value


def judge(judged):
    yield Fault(f"{judged.name} was judged.", judged.urn)
    if judged.props["id"] == "":
        yield Fault("Never.")


def test_an_unknown_value_hides_nothing_and_passes_nothing():
    said = []
    third = resource(SUBNET, "three", {"id": UNKNOWN})
    last = resource(SUBNET, "last", {"id": "subnet-4"})

    def read():
        for fault in each([ONE, TWO, third, last], judge):
            said.append(fault.sentence)  # noqa: PERF401 - what was said before the error is the point

    with pytest.raises(UnknownValueError) as raised:
        read()
    assert said == [f"{name} was judged." for name in ("one", "two", "three", "last")]
    assert raised.value.urns == (TWO.urn, third.urn)
    assert raised.value.message == "string value at .two.id can't be known during preview (nor can three be judged)"


def test_with_everything_known_nothing_is_raised():
    assert [fault.urn for fault in each([ONE], judge)] == [ONE.urn]


def test_through_raises_the_first_of_several():
    errors = [UnknownValueError(UNKNOWN, ["first"]), UnknownValueError(UNKNOWN, ["second"])]

    def fail(error):
        yield from ()
        raise error

    with pytest.raises(UnknownValueError) as raised:
        list(through(errors, fail))
    assert raised.value is errors[0]


FIELDS = {
    "id": "x",
    "sentence": "s",
    "title": "t",
    "why": "w",
    "severity": Severity.LOW,
    "level": Level.ADVISORY,
    "controls": (),
    "remedy": "r",
    "types": frozenset(),
}


def fails(*_):
    raise KeyError("at once")


@pytest.mark.parametrize(
    ("rule", "args"), [(ResourceRule, (ONE, Context())), (StackRule, (Stack(resources=(), context=Context()),))]
)
def test_a_rules_error_comes_out_where_its_findings_are_read(rule: type[Rule], args):
    judged = rule(**FIELDS, check=fails).judge(*args)
    with pytest.raises(KeyError):
        next(judged)
