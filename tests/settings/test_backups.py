"""What a stack may say of its backups."""

import pytest
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from settings.backups import BackupSettings, broken_rules, colliding_window, copied_days, kept_days
from settings.times import DAYS

#: A busy machine is no failure.
unhurried = with_settings(deadline=None)

EVIDENCE = {"table": "audit_log", "column": "created_at"}
PROD = {"replicate_days": 28, "restore_test": {"evidence": EVIDENCE}}


def faults(said, *, environment="staging", nat="one", backup="06:00-07:00", maintenance="sun:08:00-sun:09:00", days=28):
    return [
        (".".join(map(str, fault.path)), fault.wrong, fault.way_out)
        for fault in broken_rules(
            BackupSettings.model_validate(said),
            environment=environment,
            nat=nat,
            backup_window=backup,
            maintenance_window=maintenance,
            database_retention_days=days,
        )
    ]


def refused(said):
    with pytest.raises(ValidationError) as caught:
        BackupSettings.model_validate(said)
    return [".".join(map(str, error["loc"])) for error in caught.value.errors()]


def test_a_silent_stack_has_the_run_book_s_backups_copies_a_lock_and_a_monthly_test():
    settings = BackupSettings()
    assert kept_days(settings) == copied_days(settings) == {"weekly": 28}
    assert (settings.lock.mode, settings.lock.min_retention_days) == ("governance", 28)
    assert settings.restore_test.instance_class == "db.t3.micro"
    assert faults({}) == []


def test_prod_says_what_is_measured_and_how_long_logs_are_replicated():
    assert faults({}, environment="prod") == [
        ("backups.replicate_days", "is missing", "Write 28 to 35."),
        (
            "backups.restore_test.evidence",
            "is missing",
            "Write the table and column: {table: audit_log, column: created_at}.",
        ),
    ]
    assert faults(PROD, environment="prod") == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"copy_to_recovery": None}, ("backups.copy_to_recovery", "leaves all backups in one region")),
        ({"lock": {"mode": "none"}}, ("backups.lock.mode", "lets a backup be deleted before its time")),
        ({"lock": {"min_retention_days": 27}}, ("backups.lock.min_retention_days", "is less than 4 weeks")),
        ({"restore_test": None}, ("backups.restore_test", "leaves the backups untested")),
        ({"replicate_days": 27}, ("backups.replicate_days", "is less than 4 weeks")),
        ({"log_retention_days": 90}, ("backups.log_retention_days", "is less than a year")),
    ],
)
def test_prod_must_copy_lock_test_and_keep_its_logs_and_others_need_not(said, told):
    assert [fault[:2] for fault in faults({**PROD, **said}, environment="prod")] == [told]
    assert faults({**PROD, **said}) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            {"weekly": {"keep_days": 35}},
            ("backups.copy_to_recovery.keep_days", "is less than weekly.keep_days, 35", "Write 35 or more."),
        ),
        (
            {"daily": {"keep_days": 7}},
            (
                "backups.daily.keep_days",
                "is less than lock.min_retention_days, 28",
                "Write 28 or more, or a smaller lock.min_retention_days.",
            ),
        ),
        (
            {"continuous_days": 27},
            (
                "backups.continuous_days",
                "is less than lock.min_retention_days, 28",
                "Write 28 or more, or a smaller lock.min_retention_days.",
            ),
        ),
        (
            {"monthly": {"keep_days": 3653}, "lock": {"max_retention_days": 400}},
            ("backups.lock.max_retention_days", "is less than the longest retention, 3653 days", "Write 3653 or more."),
        ),
        (
            {"monthly": {"keep_days": 119, "cold_after_days": 30}},
            (
                "backups.monthly.keep_days",
                "ends before cold storage does, 90 days after day 30",
                "Write 120 or more.",
            ),
        ),
    ],
)
def test_retentions_that_do_not_go_together_are_told(said, told):
    assert told in faults(said, days=27 if "continuous_days" in said else 28)


def test_a_lock_that_is_none_asks_nothing_of_retentions():
    assert faults({"daily": {"keep_days": 1}, "lock": {"mode": "none"}}) == []


def test_what_is_just_long_enough_for_cold_storage_passes():
    assert faults({"monthly": {"keep_days": 120, "cold_after_days": 30}}) == []


def test_a_continuous_backup_has_the_retention_of_the_database_s_own():
    assert faults({"continuous_days": 35}, days=35) == []
    assert faults({"continuous_days": 30}, days=28) == [
        (
            "backups.continuous_days",
            "is not database.backup_retention_days, 28",
            "Write 28, or leave it out: RDS restores to any second by itself.",
        )
    ]


def test_a_test_needs_a_way_to_the_services_of_aws():
    assert [fault[0] for fault in faults({}, nat="none")] == ["backups.restore_test"]
    assert faults({"restore_test": None}, nat="none") == []


@pytest.mark.parametrize(
    ("time", "day", "hit"),
    [
        ("03:59", "mon", None),
        ("04:01", "mon", "backup_window"),  # it may begin an hour later, when the backup window is an hour away
        ("06:59", "mon", "backup_window"),
        ("07:00", "mon", None),
        ("07:00", "sun", "maintenance_window"),
        ("08:59", "sun", "maintenance_window"),
        ("09:00", "sun", None),
        ("07:00", None, "maintenance_window"),
    ],
)
def test_a_backup_begins_neither_in_a_window_nor_an_hour_before_it(time, day, hit):
    assert colliding_window(time, day, "06:00-07:00", "sun:08:00-sun:09:00") == hit


def test_a_collision_is_told_with_a_time_that_is_free():
    assert faults({"weekly": {"time": "06:30"}}) == [
        ("backups.weekly.time", "collides with database.backup_window", 'Write, for example, "00:00".')
    ]
    assert [fault[0] for fault in faults({"daily": {"time": "06:30"}, "monthly": {"time": "08:30"}})] == [
        "backups.daily.time",
        "backups.monthly.time",
    ]


WINDOWS = st.tuples(st.integers(0, 1439), st.integers(30, 600))


def clock(minute):
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


@unhurried
@given(
    time=st.integers(0, 1439),
    day=st.sampled_from((*DAYS, None)),
    daily=WINDOWS,
    weekly=WINDOWS,
    weekly_day=st.integers(0, 6),
)
def test_collisions_are_those_that_a_minute_by_minute_look_finds(time, day, daily, weekly, weekly_day):
    week = 7 * 1440
    closed = {"backup_window": set(), "maintenance_window": set()}
    for index in range(7):
        start = index * 1440 + daily[0]
        closed["backup_window"] |= {minute % week for minute in range(start - 60, start + daily[1])}
    start = weekly_day * 1440 + weekly[0]
    closed["maintenance_window"] |= {minute % week for minute in range(start - 60, start + weekly[1])}
    begins = [index * 1440 + time for index in (range(7) if day is None else (DAYS.index(day),))]
    may_begin = {minute % week for begin in begins for minute in range(begin, begin + 60)}
    hits = [window for window in ("backup_window", "maintenance_window") if may_begin & closed[window]]
    end = weekly_day * 1440 + weekly[0] + weekly[1]
    found = colliding_window(
        clock(time),
        day,
        f"{clock(daily[0])}-{clock(daily[0] + daily[1])}",
        f"{DAYS[weekly_day]}:{clock(weekly[0])}-{DAYS[end // 1440 % 7]}:{clock(end)}",
    )
    assert found == (hits[0] if hits else None)


@unhurried
@given(
    weekly=st.integers(28, 3653),
    daily=st.none() | st.integers(1, 3653),
    monthly=st.none() | st.integers(28, 3653),
    continuous=st.none() | st.integers(1, 35),
    copies=st.none() | st.integers(28, 3653),
)
def test_a_copy_is_never_kept_for_less_than_its_source_and_logs_have_none(weekly, daily, monthly, continuous, copies):
    settings = BackupSettings.model_validate(
        {
            "weekly": {"keep_days": weekly},
            "daily": daily and {"keep_days": daily},
            "monthly": monthly and {"keep_days": monthly},
            "continuous_days": continuous,
            "copy_to_recovery": copies and {"keep_days": copies},
        }
    )
    kept, copied = kept_days(settings), copied_days(settings)
    assert set(copied) == (set(kept) - {"continuous"} if copies else set())
    assert all(copied[name] >= max(kept[name], copies) for name in copied)


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"weekly": {"keep_days": 27}}, "weekly.keep_days"),
        ({"weekly": {"time": "24:00"}}, "weekly.time"),
        ({"weekly": {"day": "sunday"}}, "weekly.day"),
        ({"monthly": {"day_of_month": 29}}, "monthly.day_of_month"),
        ({"continuous_days": 36}, "continuous_days"),
        ({"replicate_days": 36}, "replicate_days"),
        ({"copy_to_recovery": {"keep_days": 27}}, "copy_to_recovery.keep_days"),
        ({"lock": {"mode": "strict"}}, "lock.mode"),
        ({"lock": {"changeable_days": 2}}, "lock.changeable_days"),
        ({"break_glass": ["arn:aws:iam::123456789012:user/eve"]}, "break_glass.0"),
        ({"break_glass": ["arn:aws:iam::123456789012:role/*"]}, "break_glass.0"),
        ({"restore_test": {"validation_hours": 0}}, "restore_test.validation_hours"),
        ({"restore_test": {"pick_days": 7}}, "restore_test.pick_days"),
        ({"restore_test": {"instance_class": "db.t3.nano"}}, "restore_test.instance_class"),
        ({"restore_test": {"evidence": {**EVIDENCE, "table": 'a"; drop table x'}}}, "restore_test.evidence.table"),
        ({"restore_test": {"evidence": {"table": "audit_log"}}}, "restore_test.evidence.column"),
        ({"rpo_minutes": 0}, "rpo_minutes"),
        ({"rto_minutes": 9}, "rto_minutes"),
        ({"log_retention_days": 100}, "log_retention_days"),
        ({"hourly": {}}, "hourly"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_at_its_place(said, path):
    assert refused(said) == [path]
