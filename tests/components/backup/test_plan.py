"""When backups are made, what rings, and what the package holds."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from components.backup import package, plan
from functions.common.alarm import describe
from functions.escalate import decide as escalation
from settings.backups import BackupSettings
from settings.times import DAYS

unhurried = with_settings(deadline=None)

ROOT = Path(__file__).parents[3]


def settings(**said):
    return BackupSettings.model_validate(said)


def test_the_run_book_s_backup_is_weekly_and_kept_for_four_weeks_in_both_regions():
    assert plan.rules(settings()) == (
        plan.PlannedRule(name="weekly", schedule="cron(0 2 ? * SUN *)", keep_days=28, copy_days=28),
    )


def test_a_stack_that_asks_for_everything_has_a_rule_for_each():
    found = plan.rules(
        settings(
            weekly={"day": "wed", "time": "03:30", "keep_days": 35},
            daily={"time": "04:15"},
            monthly={"day_of_month": 3, "keep_days": 500, "cold_after_days": 30},
            continuous_days=28,
            copy_to_recovery={"keep_days": 40},
        )
    )
    assert [(r.name, r.schedule, r.keep_days, r.cold_after_days, r.copy_days, r.is_continuous) for r in found] == [
        ("weekly", "cron(30 3 ? * WED *)", 35, None, 40, False),
        ("daily", "cron(15 4 * * ? *)", 28, None, 40, False),
        ("monthly", "cron(0 2 3 * ? *)", 500, 30, 500, False),
        ("continuous", "cron(15 4 * * ? *)", 28, None, None, True),
    ]


@unhurried
@given(
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    weekday=st.none() | st.sampled_from(DAYS),
    day=st.none() | st.integers(1, 28),
)
def test_a_schedule_has_six_fields_and_leaves_one_kind_of_day_open(hour, minute, weekday, day):
    time = f"{hour:02}:{minute:02}"
    if weekday and day:
        with pytest.raises(ValueError, match="not both"):
            plan.cron(time, weekday=weekday, day_of_month=day)
        return
    text = plan.cron(time, weekday=weekday, day_of_month=day)
    fields = text.removeprefix("cron(").removesuffix(")").split(" ")
    assert (len(fields), fields[2:5].count("?")) == (6, 1)
    assert (int(fields[0]), int(fields[1])) == (minute, hour)


@pytest.mark.parametrize(
    ("test", "schedule", "hours"),
    [
        ({}, "cron(0 9 2 * ? *)", 31 * 24 + 1 + 4 + 24),
        ({"weekday": "mon", "time": "10:30"}, "cron(30 10 ? * MON *)", 7 * 24 + 1 + 4 + 24),
    ],
)
def test_a_restore_test_is_monthly_unless_a_weekday_is_named_and_missed_a_day_later(test, schedule, hours):
    told = settings(restore_test=test)
    assert plan.restore_test_schedule(told.restore_test) == schedule
    assert plan.age_alarms(told)[-1].hours == hours


def test_a_backup_is_missed_a_day_after_it_was_due():
    assert [(a.purpose, a.hours) for a in plan.age_alarms(settings())][:2] == [
        ("backup-age-home", 192),
        ("backup-age-recovery", 192),
    ]
    assert [(a.purpose, a.hours) for a in plan.age_alarms(settings(daily={}, copy_to_recovery=None))][:1] == [
        ("backup-age-home", 48)
    ]
    assert [a.purpose for a in plan.age_alarms(settings(copy_to_recovery=None, restore_test=None))] == [
        "backup-age-home"
    ]


def test_every_way_in_which_a_job_ends_badly_rings_and_no_other():
    assert {bell.key: json.loads(bell.pattern("arn:mine")) for bell in plan.BELLS} == {
        "backup-failed": {
            "source": ["aws.backup"],
            "detail-type": ["Backup Job State Change"],
            "detail": {"backupVaultArn": ["arn:mine"], "state": ["ABORTED", "EXPIRED", "FAILED", "PARTIAL"]},
        },
        "backup-copy-failed": {
            "source": ["aws.backup"],
            "detail-type": ["Copy Job State Change"],
            "detail": {"sourceBackupVaultArn": ["arn:mine"], "state": ["FAILED", "PARTIAL"]},
        },
        "restore-failed": {
            "source": ["aws.backup"],
            "detail-type": ["Restore Job State Change"],
            "detail": {"iamRoleArn": ["arn:mine"], "status": ["ABORTED", "FAILED"]},
        },
    }


@pytest.mark.parametrize("bell", plan.BELLS, ids=lambda bell: bell.key)
def test_what_people_are_told_is_read_by_the_escalation_as_an_alarm(bell):
    values = {
        "account": "1",
        "job": "j-1",
        "region": "us-east-1",
        "resource": "RDS",
        "state": "FAILED",
        "time": "2026-07-05T02:11:00Z",
    }
    text = bell.message("platform-prod-it")
    assert set(bell.paths) == set(values)
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    assert "<" not in text
    signal = escalation.read(json.dumps({"TopicArn": "t", "Message": text}), {"t": bell.severity})
    assert (signal.alarm, signal.said, signal.reason) == ("platform-prod-it", "raised", "Job j-1 of RDS is FAILED.")
    parts = describe(signal.description)
    assert parts.severity.startswith("high, respond within 1 hour")
    assert all((parts.summary, parts.impact, parts.run_book, parts.first_action))


def test_only_completed_databases_of_this_plan_are_measured():
    assert json.loads(plan.completed_pattern("arn:p")) == {
        "source": ["aws.backup"],
        "detail-type": ["Restore Job State Change"],
        "detail": {"resourceType": ["RDS"], "restoreTestingPlanArn": ["arn:p"], "status": ["COMPLETED"]},
    }


# The package


def test_the_package_can_be_imported_where_nothing_else_is_installed(tmp_path):
    archive = tmp_path / "code.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for name, path in package.files(ROOT).items():
            made.write(ROOT / path, name)
    program = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "import pg8000.native, functions.validate_restore.decide, functions.validate_restore.database\n"
        "assert 'code.zip' in pg8000.native.__file__"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_the_package_holds_modules_and_metadata_only_named_as_they_are_imported():
    packed = package.files(ROOT)
    assert list(packed) == sorted(packed)
    assert {"functions/__init__.py", "functions/common/backoff.py", "functions/validate_restore/handler.py"} <= set(
        packed
    )
    assert {"asn1crypto/x509.py", "pg8000/native.py", "scramp/core.py", "dateutil/parser/__init__.py"} <= set(packed)
    assert [name for name in packed if not name.endswith((".py", ".dist-info/METADATA"))] == []
    assert [name for name in packed if name.startswith("functions/escalate")] == []
    assert [path for path in packed.values() if not (ROOT / path).is_file()] == []


def test_a_driver_that_is_not_installed_stops_with_the_way_out(monkeypatch):
    monkeypatch.setattr(package, "DRIVER", "no-such-driver")
    with pytest.raises(ValueError, match=r"'no-such-driver' is not installed.*pip install -r requirements.txt"):
        package.files(ROOT)
