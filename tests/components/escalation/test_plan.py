"""The rungs, the packages and the limits of the escalation."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from components.escalation import plan
from functions.common.alarm import describe
from settings.escalation import LEAST_GAP
from tests.functions.stage import settings

#: A busy machine is no failure.
unhurried = with_settings(deadline=None)

ROOT = Path(__file__).parents[3]


def test_the_rungs_are_those_of_the_run_book_and_further_calls_go_to_both_engineers():
    rungs = plan.ladder(email=5, sms=10, phone=15, repeat=15, repeats=2)
    assert [(r.name, r.channel, r.to, r.minutes, r.next_minutes) for r in rungs] == [
        ("slack", "slack", (), 0, 5),
        ("email", "email", ("primary",), 5, 5),
        ("sms", "sms", ("primary",), 10, 5),
        ("phone", "phone", ("backup",), 15, 15),
        ("phone_2", "phone", ("backup", "primary"), 30, 15),
        ("phone_3", "phone", ("backup", "primary"), 45, 0),
    ]


@unhurried
@given(
    email=st.integers(2, 5),
    sms=st.integers(4, 10),
    phone=st.integers(6, 15),
    repeat=st.integers(5, 60),
    repeats=st.integers(0, 24),
)
def test_a_ladder_rises_by_more_than_a_rung_can_take_or_is_refused(email, sms, phone, repeat, repeats):
    wide_enough = sms - email >= LEAST_GAP and phone - sms >= LEAST_GAP
    if not wide_enough:
        with pytest.raises(ValueError, match="Put them further apart"):
            plan.ladder(email=email, sms=sms, phone=phone, repeat=repeat, repeats=repeats)
        return
    rungs = plan.ladder(email=email, sms=sms, phone=phone, repeat=repeat, repeats=repeats)
    minutes = [rung.minutes for rung in rungs]
    assert all((later - earlier) * 60 > plan.LONGEST_RUNG for earlier, later in pairwise(minutes))
    assert len({rung.name for rung in rungs}) == len(rungs) == 4 + repeats
    assert all(rung.name.isidentifier() for rung in rungs), "the state machine's paths take no other names"


def test_all_tries_of_a_rung_fit_into_the_least_gap_that_the_settings_allow():
    assert plan.LONGEST_RUNG < LEAST_GAP * 60


def test_an_alarm_is_heard_of_too_late_once_its_first_call_is_past():
    assert plan.chain(settings()).patience_minutes == 15


def test_the_settings_become_plain_values():
    chain = plan.chain(settings(office={"days": ["tue"], "opens": "08:30", "holidays": ["2025-12-25"]}))
    assert (chain.office.days, chain.office.opens, chain.office.zone) == ((1,), 510, "America/Detroit")
    assert [day.isoformat() for day in chain.office.holidays] == ["2025-12-25"]
    assert chain.respond_minutes == {"critical": 15, "high": 60, "medium": 240, "low": None}
    assert chain.roster.contacts["ben"].phone == "+15125550143"
    assert chain.roster.rotation.order == ("ana", "ben", "cleo")


@pytest.mark.parametrize("function", ["acknowledge", "escalate", "notify"])
def test_a_package_holds_the_function_and_what_is_shared_and_nothing_else(function):
    files = plan.files(ROOT, function)
    assert {Path(file).parent.as_posix() for file in files} == {
        "functions",
        "functions/common",
        f"functions/{function}",
    }
    assert all((ROOT / file).is_file() and file.endswith(".py") for file in files)
    assert list(files) == sorted(files)


@pytest.mark.parametrize("function", ["acknowledge", "escalate", "notify"])
def test_a_package_runs_without_the_rest_of_the_project(function, tmp_path):
    for file in plan.files(ROOT, function):
        copy = tmp_path / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / file).read_bytes())
    code = f"import sys; from functions.{function}.handler import handler; print(handler, 'pulumi' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert run.stdout.startswith("<function handler")
    assert run.stdout.endswith(" False\n")


def test_more_variables_than_a_function_takes_are_refused_with_the_way_out():
    assert plan.fitting("notify", {"A": "b" * 4095}) == {"A": "b" * 4095}
    with pytest.raises(ValueError, match=r"The variables of notify take 4097 bytes; Lambda takes 4096\. Name fewer"):
        plan.fitting("notify", {"A": "b" * 4096})


def test_the_escalation_watches_its_executions_its_queues_and_its_functions():
    watched = {(alarm.watches, alarm.metric) for alarm in plan.own_alarms(("escalate", "notify"))}
    assert watched == {
        ("machine", "ExecutionsFailed"),
        ("machine", "ExecutionsTimedOut"),
        ("machine", "ExecutionsAborted"),
        ("machine", "ExecutionThrottled"),
        ("dead-letters", "ApproximateNumberOfMessagesVisible"),
        ("inbox", "ApproximateAgeOfOldestMessage"),
        ("escalate", "Errors"),
        ("escalate", "Throttles"),
        ("notify", "Errors"),
        ("notify", "Throttles"),
    }


def test_its_alarms_describe_themselves_in_the_form_that_messages_are_made_of():
    for alarm in plan.own_alarms(("notify",)):
        parts = describe(alarm.description)
        assert parts.run_book == "004_… Alert Escalation"
        assert parts.impact
        assert parts.first_action
        assert len(alarm.description) <= 1024
