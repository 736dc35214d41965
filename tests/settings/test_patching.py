"""What a stack may say of patching."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from settings.patching import PatchingSettings, broken_rules
from settings.times import DAYS

UNTIL = {"approve_until": "2026-11-10"}


def faults(said, *, environment="staging", backup_window="06:00-07:00", maintenance_window="sun:08:00-sun:09:00"):
    return [
        (".".join(map(str, fault.path)), fault.wrong)
        for fault in broken_rules(
            PatchingSettings.model_validate(said),
            environment=environment,
            backup_window=backup_window,
            maintenance_window=maintenance_window,
        )
    ]


def refused(**said):
    with pytest.raises(ValidationError) as caught:
        PatchingSettings.model_validate(said)
    return [(".".join(map(str, error["loc"])), error["msg"]) for error in caught.value.errors()]


def test_a_silent_stack_patches_every_week_what_is_out():
    settings = PatchingSettings()
    assert (settings.install_window, settings.scan_time) == ("tue:14:00-tue:17:00", "12:30")
    assert (settings.delay_days, settings.approve_until) == (0, None)
    assert faults({}) == faults({}, environment="dev") == []


def test_prod_is_sound_with_a_date():
    assert faults(UNTIL, environment="prod") == []
    assert PatchingSettings.model_validate(UNTIL).delay_days is None


def test_prod_without_a_date_would_run_ahead_of_staging():
    assert faults({}, environment="prod") == [("patching.approve_until", "is missing")]
    assert faults({"approve_after_days": 7}, environment="prod") == [("patching.approve_until", "is missing")]


def test_what_goes_first_is_not_held_back():
    assert faults(UNTIL) == [("patching.approve_until", "holds staging back")]


def test_a_date_and_a_delay_exclude_each_other():
    assert faults({**UNTIL, "approve_after_days": 0}, environment="prod") == [
        ("patching.approve_after_days", "stands beside approve_until")
    ]


def test_in_prod_the_log_is_kept_for_a_year():
    assert faults({**UNTIL, "log_retention_days": 90}, environment="prod") == [
        ("patching.log_retention_days", "is less than a year")
    ]
    assert faults({"log_retention_days": 90}) == []


@pytest.mark.parametrize(
    ("window", "collides_with"),
    [
        ("sun:09:00-sun:11:00", []),
        ("sun:07:00-sun:09:00", ["maintenance_window, sun:08:00-sun:09:00"]),
        ("wed:04:00-wed:06:00", []),
        ("wed:05:00-wed:07:00", ["backup_window, 06:00-07:00 each day"]),
        ("sat:23:00-sun:09:00", ["backup_window, 06:00-07:00 each day", "maintenance_window, sun:08:00-sun:09:00"]),
    ],
)
def test_machines_are_not_restarted_in_the_windows_of_the_database(window, collides_with):
    assert faults({"install_window": window}) == [
        ("patching.install_window", f"collides with database.{one}") for one in collides_with
    ]


@given(day=st.sampled_from(DAYS), hour=st.integers(0, 21), minute=st.integers(0, 59), hours=st.integers(2, 24))
def test_a_window_of_two_to_twenty_four_whole_hours_is_taken(day, hour, minute, hours):
    end = DAYS.index(day) * 24 + hour + hours
    window = f"{day}:{hour:02}:{minute:02}-{DAYS[end // 24 % 7]}:{end % 24:02}:{minute:02}"
    assert PatchingSettings(install_window=window).install_window == window


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"install_window": "wed:14:00-wed:15:00"}, "is 60 minutes long"),
        ({"install_window": "wed:14:00-wed:16:30"}, "is 150 minutes long"),
        ({"install_window": "wed:14:00"}, "is not a window of the form ddd:HH:MM-ddd:HH:MM"),
        ({"approve_until": "2026-02-30"}, "is no day of the calendar"),
        ({"approve_until": "tomorrow"}, "is no day"),
        ({"approve_until": date(2026, 11, 10)}, "is a date without quotes"),
        ({"scan_time": "25:00"}, "is no time of day"),
        ({"soak_days": 2}, "is too small"),
        ({"packages": ["nginx; reboot"]}, "is no name of a package"),
        ({"services": ["$(reboot)"]}, "is no name of a service"),
    ],
)
def test_mistakes_are_told(said, wrong):
    [(where, message)] = refused(**said)
    assert where.split(".")[0] == next(iter(said))
    assert message.startswith(f"{wrong}.")


def test_the_way_out_of_a_bare_date_is_its_text():
    [(_, message)] = refused(approve_until=date(2026, 11, 10))
    assert message.endswith('Write it in quotes: "2026-11-10"')
