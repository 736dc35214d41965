"""The numbers at which alarms ring: the run book's by default, stricter where a stack says so, never looser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from settings.thresholds import EdgeThresholds, ThresholdSettings, broken_rules


def test_the_defaults_are_the_run_books():
    assert ThresholdSettings().model_dump(exclude={"database", "edge", "runtime"}) == {
        "cpu_percent": 80.0,
        "memory_percent": 85.0,
        "connections_percent": 80.0,
        "response_seconds": 2.0,
        "error_percent": 5.0,
        "disk_free_percent": 20.0,
        "sustained_minutes": 5,
        "errors_per_hour": 10,
    }


#: Setting -> a value that is looser than the run book's.
LOOSER = {
    "cpu_percent": 80.5,
    "memory_percent": 86,
    "connections_percent": 81,
    "response_seconds": 2.5,
    "error_percent": 6,
    "disk_free_percent": 19,
    "sustained_minutes": 6,
    "errors_per_hour": 11,
}


@pytest.mark.parametrize(("setting", "value"), LOOSER.items())
def test_no_stack_may_be_looser_than_the_run_book(setting, value):
    with pytest.raises(ValidationError) as refused:
        ThresholdSettings.model_validate({setting: value})
    (fault,) = refused.value.errors()
    assert fault["loc"] == (setting,)
    assert "004_… " in fault["msg"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("cpu_percent", 60), ("response_seconds", 0.75), ("disk_free_percent", 35), ("errors_per_hour", 3)],
)
def test_a_stack_may_be_stricter(setting, value):
    assert getattr(ThresholdSettings.model_validate({setting: value}), setting) == value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("80", "is text, not a number. Percent, from 20 to 80: 004_… Key Metrics to Monitor. Write 20 to 80."),
        (True, "is true or false, not a number"),
        (float("nan"), "is no number. "),
        (19.9, "is too small. "),
        (81, "is too large. "),
    ],
)
def test_a_value_that_is_none_is_told_in_words(value, told):
    with pytest.raises(ValidationError) as refused:
        ThresholdSettings.model_validate({"cpu_percent": value})
    assert told in refused.value.errors()[0]["msg"]


def test_unknown_keys_are_refused_and_nothing_changes_later():
    with pytest.raises(ValidationError):
        ThresholdSettings.model_validate({"cpu": 70})
    with pytest.raises(ValidationError):
        ThresholdSettings().cpu_percent = 1.0


def broken(thresholds=None, *, cpu=70.0, memory=75.0):
    faults = broken_rules(thresholds or ThresholdSettings(), cpu_target_percent=cpu, memory_target_percent=memory)
    return [(fault.path, fault.wrong, fault.way_out) for fault in faults]


def test_the_defaults_agree_with_one_another():
    assert broken() == []


@given(alarm=st.floats(20, 80), target=st.floats(10, 90))
def test_scaling_acts_before_the_alarm(alarm, target):
    told = broken(ThresholdSettings(cpu_percent=alarm), cpu=target)
    assert bool(told) == (target >= alarm)


def test_a_target_at_the_alarm_is_told_with_the_way_out():
    assert broken(cpu=80.0, memory=90.0) == [
        (("web", "cpu_target_percent"), "is not below the alarm at 80, thresholds.cpu_percent", "Write less than 80."),
        (
            ("web", "memory_target_percent"),
            "is not below the alarm at 85, thresholds.memory_percent",
            "Write less than 85.",
        ),
    ]


def test_a_certificate_is_late_in_the_last_third_of_its_life():
    short = EdgeThresholds(certificate_lifetime_days=47)
    assert broken(ThresholdSettings(edge=short)) == [
        (
            ("thresholds", "edge", "certificate_days"),
            "is more than a third of the lifetime, 47 days",
            "Write 15 or less.",
        )
    ]
    assert broken(ThresholdSettings(edge=EdgeThresholds(certificate_lifetime_days=47, certificate_days=15))) == []
