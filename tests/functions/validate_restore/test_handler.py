"""A restore test is measured once, and whoever has to know is told, whatever goes wrong on the way."""

import json
import logging
from datetime import timedelta

import pytest

from functions.validate_restore import handler
from functions.validate_restore.database import RefusedError, UnreachableError

from . import stage as stages
from .stage import INSTANCE, JOB, KEY, NOW, PASSWORD, PLAN, error, event


@pytest.fixture
def stage():
    with stages.stage() as made:
        yield made


@pytest.fixture
def metrics(caplog):
    """Metric, and vault where it has one -> value, as the function has logged them."""
    caplog.set_level(logging.INFO, logger="functions")

    def read():
        counted = [record for record in caplog.records if hasattr(record, "metric")]
        return {(r.metric, r.vault) if hasattr(r, "vault") else r.metric: r.value for r in counted}

    return read


def test_a_database_that_keeps_both_objectives_passes(stage, metrics):
    assert stage.validate() == {"outcome": "SUCCESSFUL", "evidence": KEY, "faults": []}
    assert stage.home.told == [("SUCCESSFUL", "Restored in 30 min, newest record 10 min before the backup.")]
    assert metrics() == {"RestoreTestFailed": 0.0}


def test_the_record_says_what_was_restored_measured_and_demanded(stage):
    stage.validate()
    assert stage.evidence == {
        KEY: {
            "system": "platform prod",
            "job": JOB,
            "plan": "platform_prod_restore_test",
            "restoredInstance": INSTANCE,
            "recoveryPoint": stage.home.job["RecoveryPointArn"],
            "recoveryPointCreated": "2026-06-28T10:05:00.000Z",
            "restoreStarted": "2026-07-02T09:30:00.000Z",
            "restoreCompleted": "2026-07-02T10:00:00.000Z",
            "measuredAt": "2026-07-02T10:09:00.000Z",
            "table": "public.audit_log",
            "rows": 42,
            "newestRecord": "2026-06-28T09:55:00.000Z",
            "objectives": {"rpoMinutes": 60, "rtoMinutes": 45},
            "measured": {"rpoMinutes": 10.0, "rtoMinutes": 30.0},
            "status": "SUCCESSFUL",
            "faults": [],
        }
    }


def test_the_database_gets_a_password_of_its_own_and_is_asked_with_it(stage):
    stage.validate()
    assert stage.rds_state.modified == [
        {
            "DBInstanceIdentifier": INSTANCE,
            "ManageMasterUserPassword": True,
            "MasterUserSecretKmsKeyId": stage.env.key_arn,
            "ApplyImmediately": True,
        }
    ]
    ((access, _),) = stage.asked
    assert (access.address.partition(".")[0], access.port, access.database) == (INSTANCE, 5433, "platform")
    assert (access.user, access.password, access.trust) == ("platform_admin", PASSWORD, "")


def test_certificates_that_lie_in_the_bucket_are_trusted(stage):
    stage.s3.inner.put_object(Bucket=stages.BUCKET, Key="trust/rds-bundle.pem", Body=b"-----BEGIN")
    stage.validate()
    assert stage.asked[0][0].trust == "-----BEGIN"


@pytest.mark.parametrize(
    ("rows", "newest", "minutes", "said"),
    [
        (
            42,
            timedelta(minutes=61),
            30,
            "The newest record is 61 minutes older than its backup; the recovery point objective is 60.",
        ),
        (42, timedelta(minutes=10), 46, "The restore took 46 minutes; the recovery time objective is 45."),
        (0, None, 30, "The restored database has no rows."),
        (42, None, 30, "No record of audit_log has a moment in created_at."),
    ],
)
def test_what_misses_an_objective_fails_loudly_with_the_reason(stage, metrics, rows, newest, minutes, said):
    stage.answer(rows, None if newest is None else NOW - timedelta(days=4) - newest)
    stage.home.job["CreationDate"] = NOW - timedelta(minutes=5 + minutes)
    assert stage.validate()["faults"] == [said]
    ((status, message),) = stage.home.told
    assert status == "FAILED"
    assert message.endswith(said)
    assert stage.evidence[KEY]["faults"] == [said]
    assert metrics()["RestoreTestFailed"] == 1.0


def test_a_database_that_cannot_be_read_fails_the_test_with_the_code(stage):
    stage.answers = [RefusedError("The database cannot be read (SQLSTATE 42P01).")]
    assert stage.validate()["faults"] == ["The database cannot be read (SQLSTATE 42P01)."]
    assert stage.evidence[KEY]["rows"] == 0


def test_without_a_table_tables_are_counted_and_no_age_is_measured():
    with stages.stage(evidence=False) as stage:
        stage.answers = [(12,)]
        assert stage.validate()["outcome"] == "SUCCESSFUL"
        ((_, statements),) = stage.asked
        assert len(statements) == 1
        assert stage.evidence[KEY]["measured"] == {"rpoMinutes": None, "rtoMinutes": 30.0}


def test_a_database_that_is_gone_fails_the_test(stage):
    stage.rds_state.is_gone = True
    assert stage.validate()["faults"] == ["The restored database was gone before it could be measured."]
    assert stage.asked == []


def test_a_clock_that_is_ahead_lost_nothing(stage):
    stage.answer(1, NOW)
    assert stage.validate()["outcome"] == "SUCCESSFUL"
    assert stage.evidence[KEY]["measured"]["rpoMinutes"] == 0.0


# Again


def test_an_event_that_comes_again_changes_nothing(stage):
    stage.validate()
    before = (stage.evidence, list(stage.home.told), len(stage.asked))
    assert stage.validate() == {"outcome": "skipped", "reason": "AWS Backup has been told before: SUCCESSFUL."}
    assert (stage.evidence, stage.home.told, len(stage.asked)) == before


def test_a_run_that_dies_after_the_record_is_finished_by_the_next_without_measuring_again(stage):
    stage.answer(0)
    stage.backup.faults["put_restore_validation_result"] = [error("AccessDeniedException")]
    with pytest.raises(Exception, match="AccessDeniedException"):
        stage.validate()
    assert stage.home.told == []
    stage.answer(42, NOW)
    assert stage.validate()["faults"] == ["The restored database has no rows."]
    assert (len(stage.asked), [status for status, _ in stage.home.told]) == (1, ["FAILED"])


def test_of_two_runs_at_once_the_record_of_the_faster_one_counts(stage):
    faster = {"measured": {"rpoMinutes": 1.0, "rtoMinutes": 2.0}, "faults": ["It was empty."]}
    real = stage.ask

    def overtaken(access, statements):
        stage.s3.inner.put_object(Bucket=stages.BUCKET, Key=KEY, Body=json.dumps(faster).encode())
        return real(access, statements)

    stage.ask = overtaken
    assert stage.validate()["faults"] == ["It was empty."]
    assert stage.evidence == {KEY: faster}


# What may pass


def test_busy_services_are_asked_again(stage):
    for client, call in (
        (stage.backup, "describe_restore_job"),
        (stage.backup, "put_restore_validation_result"),
        (stage.rds, "describe_db_instances"),
        (stage.rds, "modify_db_instance"),
        (stage.secrets, "get_secret_value"),
        (stage.s3, "put_object"),
        (stage.s3, "get_object"),
    ):
        client.faults[call] = [error("ThrottlingException")]
    assert stage.validate()["outcome"] == "SUCCESSFUL"
    assert len(stage.home.told) == 1


def test_a_password_that_another_run_has_asked_for_is_waited_for(stage):
    stage.rds.faults["modify_db_instance"] = [error("InvalidDBInstanceState"), error("InvalidDBInstanceState")]
    assert stage.validate()["outcome"] == "SUCCESSFUL"
    assert len(stage.rds_state.modified) == 1


def test_a_password_that_does_not_hold_yet_is_waited_for(stage):
    stage.rds_state.pending_minutes = 2
    assert stage.validate()["outcome"] == "SUCCESSFUL"
    assert stage.evidence[KEY]["measuredAt"] == "2026-07-02T10:11:00.000Z"


def test_a_database_that_is_not_ready_in_time_is_left_to_the_next_run_which_goes_on(stage):
    stage.rds_state.minutes = 20
    with pytest.raises(handler.NotReadyError, match="resetting-master-credentials"):
        stage.validate()
    assert stage.seconds >= handler.RESERVE
    assert (stage.evidence, stage.home.told) == ({}, [])
    assert stage.validate()["outcome"] == "SUCCESSFUL"
    assert len(stage.rds_state.modified) == 1


def test_a_database_that_does_not_answer_is_no_verdict_on_the_backup(stage):
    stage.answers = [UnreachableError("It does not answer.")]
    with pytest.raises(UnreachableError):
        stage.validate()
    assert (len(stage.asked), stage.evidence, stage.home.told) == (4, {}, [])
    stage.answers = [UnreachableError("It does not answer."), (42, NOW.timestamp())]
    assert stage.validate()["outcome"] == "SUCCESSFUL"


# What no further attempt helps


@pytest.mark.parametrize(
    ("delivered", "reason"),
    [
        ({}, "The event is no change of a restore job."),
        ([], "The event is no change of a restore job."),
        ({"detail-type": "Restore Job State Change"}, "The event is no change of a restore job."),
        ({"detail-type": "Restore Job State Change", "detail": {}}, "The event names no restore job."),
        ({"detail-type": "Restore Job State Change", "detail": {"restoreJobId": 7}}, "The event names no restore job."),
        ({**event(), "detail-type": "Backup Job State Change"}, "The event is no change of a restore job."),
    ],
)
def test_an_event_that_nobody_understands_is_buried_with_the_reason(stage, delivered, reason):
    assert stage.validate(delivered) == {"outcome": "buried", "reason": reason}
    assert stage.buried == [(json.dumps(delivered), reason)]


def test_a_job_that_restored_anything_but_a_test_is_buried_and_its_database_left_alone(stage):
    stage.home.job["CreatedResourceArn"] = "arn:aws:rds:us-east-1:123456789012:db:platform-prod-db"
    assert stage.validate()["reason"].endswith("is no database of a restore test.")
    assert stage.rds.calls == []


def test_a_job_without_times_is_buried(stage):
    del stage.home.job["CompletionDate"]
    assert stage.validate() == {"outcome": "buried", "reason": "The restore job has no CompletionDate."}


def test_a_job_of_another_plan_is_left_alone(stage):
    stage.home.job["CreatedBy"] = {"RestoreTestingPlanArn": PLAN + "-other"}
    assert stage.validate()["outcome"] == "skipped"
    del stage.home.job["CreatedBy"]
    assert stage.validate()["outcome"] == "skipped"
    assert (stage.rds.calls, stage.home.told, stage.buried) == ([], [], [])


@pytest.mark.parametrize("status", ["FAILED", "SUCCESSFUL", "TIMED_OUT"])
def test_a_validation_that_is_final_is_left_alone(stage, status):
    stage.home.job["ValidationStatus"] = status
    assert stage.validate()["outcome"] == "skipped"
    assert stage.rds.calls == []


# What never happened


def point(days, status="COMPLETED"):
    return {"CreationDate": NOW - timedelta(days=days), "Status": status}


def test_the_age_of_the_newest_complete_backup_is_measured_in_each_vault_over_all_pages(stage, metrics):
    stage.home.points = {"home": [point(9), point(2), point(1, "EXPIRED"), point(16)]}
    stage.home.jobs = [
        {"CompletionDate": NOW - timedelta(days=1), "ValidationStatus": "FAILED"},
        {"CompletionDate": NOW - timedelta(days=30), "ValidationStatus": "SUCCESSFUL"},
        {"CompletionDate": NOW - timedelta(days=3)},
    ]
    found = stage.validate({"measure": "ages"})
    assert found == {"outcome": "measured", "vaults": {"home": 48.0, "recovery": 2400.0}, "restoreTest": 720.0}
    assert metrics() == {
        ("RecoveryPointAgeHours", "home"): 48.0,
        ("RecoveryPointAgeHours", "recovery"): 2400.0,
        "RestoreTestAgeHours": 720.0,
    }


def test_what_has_never_happened_counts_from_when_it_could(stage):
    found = stage.validate({"measure": "ages"})
    assert found == {"outcome": "measured", "vaults": {"home": 2400.0, "recovery": 2400.0}, "restoreTest": 1200.0}


def test_no_password_is_told_to_anybody(stage, caplog):
    caplog.set_level(logging.DEBUG, logger="functions")
    stage.answer(0)
    stage.validate()
    told = [*map(str, stage.evidence.values()), *map(str, stage.home.told), caplog.text]
    assert not [text for text in told if PASSWORD in text]
    assert PASSWORD not in repr(stage.asked[0][0])


def test_the_entry_point_reads_its_environment_and_measures(stage, monkeypatch):
    for name, value in stage.env.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_REGION", stages.REGION)
    clients = {"rds": stage.rds, "secretsmanager": stage.secrets, "s3": stage.s3, "sqs": stage.sqs}
    monkeypatch.setattr(handler, "client", clients.__getitem__)
    monkeypatch.setattr(handler, "_backup", {stages.REGION: stage.home, stages.RECOVERY: stage.recovery}.__getitem__)
    assert handler.handler({"measure": "ages"}, None)["outcome"] == "measured"


ASKED = {
    "instance": stages.TRIAL,
    "recoveryPoint": "arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-1",
    "created": "2026-06-28T10:05:00Z",
    "started": "2026-07-02T09:40:00Z",
}


def test_an_operator_s_trial_is_judged_for_the_operator_alone(stage, metrics):
    assert stage.validate({"restore": ASKED}) == {"outcome": "SUCCESSFUL", "faults": []}
    assert (stage.evidence, stage.home.told, metrics()) == ({}, [], {})


def test_a_trial_that_has_no_rows_fails(stage):
    stage.answer(0)
    assert stage.validate({"restore": ASKED}) == {
        "outcome": "FAILED",
        "faults": ["The restored database has no rows."],
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"instance": "platform-prod"}, "platform-prod is no database that is restored on trial."),
        ({"instance": None}, "None is no database that is restored on trial."),
        ({"created": "yesterday"}, "The request does not say when the backup was made and the restore begun."),
        ({"started": None}, "The request does not say when the backup was made and the restore begun."),
    ],
)
def test_a_trial_of_anything_else_is_refused_and_nothing_is_touched(stage, change, reason):
    assert stage.validate({"restore": {**ASKED, **change}}) == {"outcome": "refused", "reason": reason}
    assert stage.rds_state.modified == []
    assert stage.buried == []


def test_a_request_that_describes_nothing_is_refused(stage):
    assert stage.validate({"restore": "platform"}) == {
        "outcome": "refused",
        "reason": "The request describes no restore.",
    }
