"""What is done with a resource in each of its states."""

from datetime import UTC, datetime

import pytest

from functions.common.calendar import Period
from functions.schedule.decide import (
    MOST_ROUNDS,
    Decision,
    MalformedError,
    Order,
    Resource,
    Sizes,
    continuation,
    decide,
    read,
    stopped_hours,
)

OFFICE = {"office": Period(zone="UTC", days=(0, 1, 2, 3, 4), start=480, stop=1080)}
DAY, NIGHT = datetime(2026, 1, 5, 12, tzinfo=UTC), datetime(2026, 1, 5, 22, tzinfo=UTC)


def resource(kind, state, sizes=None, obstacle="", **tags):
    return Resource(
        kind=kind,
        id="x",
        region="us-east-1",
        state=state,
        tags={"Schedule": "office", **tags},
        sizes=sizes,
        obstacle=obstacle,
    )


@pytest.mark.parametrize(
    ("kind", "state", "by_day", "by_night"),
    [
        ("instance", "pending", "none", "wait"),
        ("instance", "running", "none", "stop"),
        ("instance", "stopping", "wait", "none"),
        ("instance", "stopped", "start", "none"),
        ("instance", "shutting-down", "none", "none"),
        ("database", "available", "none", "stop"),
        ("database", "starting", "none", "wait"),
        ("database", "backing-up", "none", "wait"),
        ("database", "maintenance", "none", "wait"),
        ("database", "modifying", "none", "wait"),
        ("database", "storage-full", "none", "wait"),
        ("database", "stopping", "wait", "none"),
        ("database", "stopped", "start", "none"),
        ("database", "deleting", "none", "none"),
        ("database", "failed", "fail", "fail"),
    ],
)
def test_each_state_allows_one_move(kind, state, by_day, by_night):
    assert decide(DAY, OFFICE, resource(kind, state)).move == by_day
    assert decide(NIGHT, OFFICE, resource(kind, state)).move == by_night


@pytest.mark.parametrize(
    ("state", "sizes", "by_day", "by_night"),
    [
        ("filled", Sizes(1, 2), "none", "stop"),
        ("filled", Sizes(0, 0), "start", "wait"),
        ("empty", Sizes(0, 0), "start", "none"),
        # A scaling policy or a person has changed it, or the settings have.
        ("filled", Sizes(1, 4), "start", "stop"),
        ("filled", Sizes(0, 2), "start", "stop"),
        ("deleting", Sizes(1, 2), "none", "none"),
    ],
)
def test_a_group_has_its_sizes_or_none(state, sizes, by_day, by_night):
    group = resource("group", state, sizes, ScheduleSizes="1:2")
    assert decide(DAY, OFFICE, group).move == by_day
    assert decide(NIGHT, OFFICE, group).move == by_night


@pytest.mark.parametrize("tag", ["", "2:1", "0:2", "1", "one:two"])
def test_a_group_that_nothing_could_bring_back_is_left_alone(tag):
    assert decide(NIGHT, OFFICE, resource("group", "filled", Sizes(1, 2), ScheduleSizes=tag)) == Decision(
        "fail", f"its tag ScheduleSizes is {tag!r}; without sizes such as 1:2 nothing could bring it back"
    )


def test_an_obstacle_is_told_only_where_something_would_have_to_be_done():
    replica = resource("database", "available", obstacle="it is a read replica, which RDS does not stop")
    assert decide(NIGHT, OFFICE, replica) == Decision("fail", "it is a read replica, which RDS does not stop")
    assert decide(DAY, OFFICE, replica).move == "none"


def test_the_reason_is_the_calendar_s():
    assert decide(NIGHT, OFFICE, resource("instance", "running")) == Decision("stop", "office: outside of its hours")
    assert decide(NIGHT, OFFICE, resource("database", "backing-up")) == Decision("wait", "its state is backing-up")


def test_a_period_that_is_none_is_told():
    assert decide(NIGHT, OFFICE, resource("instance", "running", Schedule="offce")) == Decision(
        "fail", "its tag Schedule is 'offce'; the periods are office"
    )


@pytest.mark.parametrize(
    ("hold", "decision"),
    [
        ("2026-01-05T23:00Z", Decision("none", "left alone until 2026-01-05 23:00 UTC")),
        ("2026-01-05T18:00-05:00", Decision("none", "left alone until 2026-01-05 23:00 UTC")),
        ("2026-01-05T22:00Z", Decision("stop", "office: outside of its hours")),
        (
            "tonight",
            Decision("fail", "its tag ScheduleHold is 'tonight'; write a moment such as 2026-03-14T18:00Z"),
        ),
        (
            "2026-01-05T23:00",
            Decision("fail", "its tag ScheduleHold is '2026-01-05T23:00'; write a moment such as 2026-03-14T18:00Z"),
        ),
        (
            "2026-02-05T23:00Z",
            Decision("fail", "its tag ScheduleHold is '2026-02-05T23:00Z', more than 7 days ahead"),
        ),
    ],
)
def test_a_hold_leaves_a_resource_alone_for_a_while(hold, decision):
    assert decide(NIGHT, OFFICE, resource("instance", "running", ScheduleHold=hold)) == decision


def test_the_event_says_where_to_look():
    assert read({"do": "stop", "period": "office"}) == Order(periods=("office",))
    assert read({"do": "sweep"}) == Order(accounts=True)
    event = {"detail-type": "RDS DB Instance Event", "region": "us-west-2", "detail": {"EventID": "RDS-EVENT-0154"}}
    assert read(event) == Order(kinds=("database",), regions=("us-west-2",))


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ([], "The event is list, not an object."),
        ({}, "The event says do: None; it has to be one of start, stop, sweep, continue."),
        ({"do": "stop"}, "The event says stop, but not which period."),
        ({"do": "stop", "period": 3}, "The event says stop, but not which period."),
        ({"detail-type": "RDS DB Instance Event"}, "The event of RDS names no region."),
        ({"do": "continue", "round": 0}, "The event continues with round 0; it has to be 1 to 12."),
        ({"do": "continue", "round": 1}, "The event's kinds is None, not a list of names."),
        ({"do": "continue", "round": 1, "kinds": ["x"]}, "The event continues with nothing."),
    ],
)
def test_an_event_that_says_nothing_is_told(event, says):
    with pytest.raises(MalformedError) as refusal:
        read(event)
    assert str(refusal.value) == says


def test_a_run_goes_on_where_it_stopped_and_not_for_ever():
    order = Order(periods=("office",), kinds=("database",), regions=("us-west-2",))
    for turn in range(1, MOST_ROUNDS + 1):
        event = continuation(order)
        order = read(event)
        assert order == Order(periods=("office",), kinds=("database",), regions=("us-west-2",), round=turn)
    assert continuation(order) is None


def test_what_rests_saves_a_quarter_of_an_hour_each_sweep():
    seen = [
        resource("instance", "stopped"),
        resource("instance", "stopped"),
        resource("instance", "running"),
        resource("database", "stopping"),
        resource("group", "empty", Sizes(0, 0), ScheduleSizes="2:4"),
    ]
    assert stopped_hours(seen) == {
        ("office", "instance"): 0.5,
        ("office", "database"): 0.0,
        ("office", "group"): 0.5,
    }
