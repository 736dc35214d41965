"""A procedure looks before it acts: killed anywhere and started again, it finishes and does nothing twice."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import UserError
from runbook.operations.journal import Journal
from runbook.operations.procedure import Done, Facts, Failed, Stage, Todo, Waiting, actions, run, survey


class World:
    """A service whose things take a while; ``calls`` is what took effect, ``dies_at`` the call that kills the run."""

    def __init__(self, slow=0, dies_at=None, dies_before=False):
        self.calls, self.slow, self.count = [], slow, 0
        self.dies_at, self.dies_before = dies_at, dies_before
        self.asked = {}

    def make(self, **arguments):
        self._tick(lambda: self.calls.append(arguments["Name"]))

    def _tick(self, effect):
        self.count += 1
        dying = self.count == self.dies_at
        if dying and self.dies_before:
            raise KeyboardInterrupt
        effect()
        if dying:
            raise KeyboardInterrupt

    def look(self, name):
        def looked(_facts):
            if name not in self.calls:
                return Todo()
            self.asked[name] = self.asked.get(name, 0) + 1
            return Waiting("it grows") if self.asked[name] <= self.slow else Done({name: f"{name}-id"})

        return looked

    def stage(self, name, **changes):
        return Stage(
            **{
                "name": name,
                "changes": f"Makes {name}.",
                "look": self.look(name),
                "call": "world.make",
                "action": ("world:Get", "world:Make"),
                "arguments": lambda _facts: {"Name": name},
                **changes,
            }
        )


def journal(folder):
    return Journal(folder, "test", environment="staging", account="704193685527", who="arn:aws:iam::1:user/a")


def lines(folder):
    return [json.loads(line) for line in (folder / "test.jsonl").read_text().splitlines()]


def carry_out(world, stages, folder, **options):
    return run(stages, {"world": world}, journal(folder), pause=lambda _seconds: None, **options)


@given(size=st.integers(1, 5), slow=st.integers(0, 3), dies_at=st.integers(1, 5), before=st.booleans())
def test_killed_at_any_call_and_started_again_nothing_is_done_twice(tmp_path_factory, size, slow, dies_at, before):
    world = World(slow, dies_at, before)
    stages = [world.stage(f"s{n}") for n in range(size)]
    folder = tmp_path_factory.mktemp("journal")
    if dies_at <= size:
        with pytest.raises(KeyboardInterrupt):
            carry_out(world, stages, folder)
    facts = carry_out(world, stages, folder)
    assert world.calls == [f"s{n}" for n in range(size)]
    assert facts == {f"s{n}": f"s{n}-id" for n in range(size)}


def test_a_second_run_makes_no_call(tmp_path):
    world = World()
    stages = [world.stage("a"), world.stage("b")]
    carry_out(world, stages, tmp_path)
    carry_out(world, stages, tmp_path)
    assert world.calls == ["a", "b"]


def test_a_plan_looks_as_far_as_it_can_and_names_what_is_not_known_yet():
    world = World()
    world.calls = ["a"]
    stages = [
        world.stage("a"),
        world.stage("b"),
        world.stage("c", arguments=lambda facts: {"Name": f"{facts['a']} and {facts['b']}"}),
    ]
    planned = survey(stages)
    assert [one.state for one in planned] == [Done({"a": "a-id"}), Todo(), None]
    assert planned[2].arguments == {"Name": "a-id and <b>"}
    assert world.calls == ["a"]


def test_a_failed_stage_ends_the_run_but_not_the_cleaning_up(tmp_path):
    world = World()
    stages = [
        world.stage("a", look=lambda _facts: Failed("the snapshot is damaged")),
        world.stage("b"),
        world.stage("c", always=True),
    ]
    with pytest.raises(UserError, match=r"^a: the snapshot is damaged$"):
        carry_out(world, stages, tmp_path)
    assert world.calls == ["c"]
    assert [line["event"] for line in lines(tmp_path)] == ["begin", "failed", "call", "done"]


def test_a_clean_up_that_fails_too_is_told_beside_the_cause(tmp_path):
    world = World()
    stages = [
        world.stage("a", look=lambda _facts: Failed("it broke")),
        world.stage("b", always=True, look=lambda _facts: Failed("it stays")),
    ]
    with pytest.raises(UserError) as told:
        carry_out(world, stages, tmp_path)
    assert told.value.lines == ("a: it broke", "b: it stays")


def test_patience_ends_and_the_error_names_the_way_on(tmp_path):
    world = World(slow=100)
    moments = iter(range(0, 10_000, 60))
    with pytest.raises(UserError) as told:
        carry_out(world, [world.stage("a", patience=600)], tmp_path, clock=lambda: next(moments))
    assert told.value.lines == (
        "a: not done after 10 minutes: it grows.",
        "The same command goes on from here.",
    )
    assert world.calls == ["a"]


def test_a_refusal_names_the_permission(tmp_path):
    def refuse(_facts):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Get")

    world = World()
    with pytest.raises(UserError, match=r"AWS refuses world:Get: no\."):
        carry_out(world, [world.stage("a", look=refuse)], tmp_path)


def test_a_stage_may_act_in_its_own_way_and_is_told_once_for_each_change(tmp_path):
    world = World(slow=2)
    told = []
    stage = world.stage("a", act=lambda _facts: world.make(Name="a"), call="check")
    carry_out(world, [stage], tmp_path, told=lambda stage, look: told.append((stage.name, look)))
    assert told == [("a", Todo()), ("a", Waiting("it grows")), ("a", Done({"a": "a-id"}))]


def test_facts_that_are_not_known_show_their_name():
    assert Facts(a="1")["b"] == "<b>"


def test_the_actions_are_listed_once_each():
    world = World()
    assert list(actions([world.stage("a"), world.stage("b")])) == ["world:Get", "world:Make"]
