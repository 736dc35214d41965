"""What a stack can say of its records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from settings.records import (
    BUCKETS,
    LEAST_IN_DEEP_ARCHIVE,
    LEAST_IN_GLACIER,
    RecordsSettings,
    RetentionSettings,
    broken_rules,
)

PROD = {"locks": {"evidence": {"mode": "compliance"}}}


def faults(said, *, environment="staging"):
    settings = RecordsSettings.model_validate(said)
    return [
        (".".join(map(str, fault.path)), fault.wrong, fault.way_out) for fault in broken_rules(settings, environment)
    ]


def refused(said):
    with pytest.raises(ValidationError) as caught:
        RecordsSettings.model_validate(said)
    return [".".join(map(str, error["loc"])) for error in caught.value.errors()]


def test_a_stack_that_says_nothing_is_right_and_prod_has_to_say_one_word():
    assert faults({}) == []
    assert faults({}, environment="prod") == [
        ("records.locks.evidence.mode", "lets the lock be lifted", "Write compliance.")
    ]
    assert faults(PROD, environment="prod") == []


def test_what_costs_or_binds_for_ever_is_off_unless_a_stack_asks_for_it():
    settings = RecordsSettings()
    assert settings.glacier_vault is False
    assert {settings.locks.backup.mode, settings.locks.evidence.mode, settings.locks.archive.mode} == {"governance"}


def test_what_proves_something_is_kept_for_seven_years_and_copies_for_one():
    settings = RecordsSettings()
    days = {kind: getattr(settings, kind).days for kinds in BUCKETS.values() for kind in kinds}
    assert days == {
        "configuration": 365,
        "repository": 365,
        "state": 365,
        "reports": 2557,
        "restores": 2557,
        "audits": 2557,
        "logs": 2557,
    }


def test_saying_one_number_keeps_the_others():
    settings = RecordsSettings.model_validate({"audits": {"days": 3000}, "locks": {"evidence": {"mode": "compliance"}}})
    assert (settings.audits.days, settings.audits.glacier_days, settings.audits.deep_archive_days) == (3000, 90, 365)
    assert settings.locks.evidence.days == 365


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (
            {"days": 179, "glacier_days": 90},
            ("records.state.days", "is less than 90 days after glacier_days, 90", "Write 180 or more, or leave "),
        ),
        (
            {"days": 400, "glacier_days": 90, "deep_archive_days": 179},
            (
                "records.state.deep_archive_days",
                "is less than 90 days after glacier_days, 90",
                "Write 180 or more, or leave ",
            ),
        ),
        (
            {"days": 359, "glacier_days": 90, "deep_archive_days": 180},
            (
                "records.state.days",
                "is less than 180 days after deep_archive_days, 180",
                "Write 360 or more, or leave ",
            ),
        ),
    ],
)
def test_what_is_archived_stays_for_what_s3_bills(kept, expected):
    ((path, wrong, way_out),) = faults({"state": kept})
    assert (path, wrong, way_out.rpartition(" leave ")[0] + " leave ") == expected


OPTIONAL = st.none() | st.integers(1, 800)


@given(days=st.integers(1, 3653), glacier=OPTIONAL, deep=OPTIONAL)
def test_no_object_leaves_a_storage_class_before_its_least_stay_unless_a_fault_says_so(days, glacier, deep):
    kept = {"days": days, "glacier_days": glacier, "deep_archive_days": deep}
    steps = [step for step in ((glacier, LEAST_IN_GLACIER), (deep, LEAST_IN_DEEP_ARCHIVE)) if step[0] is not None]
    ends = [*(begins for begins, _ in steps[1:]), days]
    right = all(end - begins >= least for (begins, least), end in zip(steps, ends, strict=False))
    found = [path for path, *_ in faults({"repository": kept}) if path.startswith("records.repository")]
    assert (found == []) is right


def test_a_lock_ends_before_anything_in_its_bucket_does():
    assert faults({"locks": {"backup": {"days": 366}}}) == [
        ("records.locks.backup.days", "is more than records.configuration.days, 365", "Write 365 or less.")
    ]
    assert faults({"locks": {"backup": {"days": 366, "mode": "none"}}}) == []


def test_in_prod_every_bucket_is_locked_for_long_enough():
    said = {
        "locks": {
            "backup": {"mode": "none", "days": 27},
            "evidence": {"mode": "governance", "days": 364},
            "archive": {"mode": "none"},
        },
        "access_log_days": 364,
        "noncurrent_days": 27,
        "audits": {"days": 2554},
    }
    assert [(path, wrong) for path, wrong, _ in faults(said, environment="prod")] == [
        ("records.locks.backup.mode", "leaves the bucket without a lock"),
        ("records.locks.backup.days", "is less than 28"),
        ("records.locks.evidence.mode", "lets the lock be lifted"),
        ("records.locks.evidence.days", "is less than 365"),
        ("records.locks.archive.mode", "leaves the bucket without a lock"),
        ("records.access_log_days", "is less than a year"),
        ("records.audits.days", "is less than seven years"),
        ("records.noncurrent_days", "is less than 4 weeks"),
    ]
    assert faults(said) == []


@pytest.mark.parametrize(
    ("schedule", "stale_days", "expected"),
    [
        ("cron(0 2 ? * SUN *)", 8, []),
        ("cron(0 2 ? * SUN *)", 7, [("records.hosts.stale_days", "Write 8 or more.")]),
        ("cron(0 2 ? * SUN#1 *)", 31, [("records.hosts.schedule", "Write, for example, cron(0 2 ? * SUN *)")]),
        ("rate(8 days)", 31, [("records.hosts.schedule", "Write, for example, cron(0 2 ? * SUN *)")]),
        ("rate(3 days)", 3, [("records.hosts.stale_days", "Write 4 or more.")]),
        ("rate(12 hours)", 2, []),
        ("cron(0 2 ? * * *)", 2, []),
    ],
)
def test_configuration_is_saved_every_week_and_is_stale_only_when_a_backup_is_missing(schedule, stale_days, expected):
    found = faults({"hosts": {"schedule": schedule, "stale_days": stale_days}})
    assert [(path, way_out) for path, _, way_out in found] == expected


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/etc/nginx", "/etc/letsencrypt", "/etc/nginx-extra", "/opt/platform-extra"], []),
        (["/etc/nginx", "/etc/nginx/conf.d"], [("records.hosts.paths.1", "overlaps /etc/nginx")]),
        (["/etc/nginx/conf.d", "/etc/nginx"], [("records.hosts.paths.1", "overlaps /etc/nginx/conf.d")]),
        (["/etc/nginx", "/etc/nginx"], [("records.hosts.paths.1", "overlaps /etc/nginx")]),
        (["/opt/platform"], [("records.hosts.paths.0", "holds the application's folder, /opt/platform")]),
        (["/opt/platform/config/tls"], [("records.hosts.paths.0", "is saved with the application already")]),
        (["/opt/platform/.env.prod"], [("records.hosts.paths.0", "is saved with the application already")]),
        (["/opt/platform/keys"], []),
    ],
)
def test_each_path_is_saved_once(paths, expected):
    assert [(path, wrong) for path, wrong, _ in faults({"hosts": {"paths": paths}})] == expected


@pytest.mark.parametrize(
    "path",
    ["/", "/etc", "/etc/", "/usr/lib", "etc/nginx", "/etc/../root", "/etc/./x", "/etc/nginx/", "/etc//x", "/etc/a b"],
)
def test_a_path_that_nobody_should_replace_is_refused(path):
    assert refused({"hosts": {"paths": [path]}}) == ["hosts.paths.0"]
    assert refused({"hosts": {"application": path}}) == ["hosts.application"]


def test_days_a_number_cannot_be_are_refused():
    assert refused({"state": {"days": 0}, "logs": {"glacier_days": 4000}, "hosts": {"watch_minutes": 4}}) == [
        "state.days",
        "logs.glacier_days",
        "hosts.watch_minutes",
    ]


def test_every_kind_of_record_lies_in_one_bucket():
    kinds = [kind for kinds in BUCKETS.values() for kind in kinds]
    settings = RecordsSettings()
    assert sorted(kinds) == sorted(
        name for name in RecordsSettings.model_fields if isinstance(getattr(settings, name), RetentionSettings)
    )
    assert set(BUCKETS) == set(type(settings.locks).model_fields)
