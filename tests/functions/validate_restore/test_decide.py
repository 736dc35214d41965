"""What a restore test tells, for any times and answers."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from functions.validate_restore import decide
from functions.validate_restore.env import Evidence, ValidateRestoreEnv

unhurried = with_settings(deadline=None)

MADE = datetime(2026, 6, 28, 10, tzinfo=UTC)


def environment(rpo=60, rto=45):
    return ValidateRestoreEnv(
        system="platform prod",
        plan_arn="arn",
        plan_name="plan",
        key_arn="key",
        bucket="bucket",
        trust_key="trust",
        dead_letters="queue",
        trials=("platform-prod-drill-",),
        vaults=(),
        evidence=Evidence(schema="public", table="audit_log", column="created_at"),
        rpo_minutes=rpo,
        rto_minutes=rto,
    )


def job(minutes=30.0):
    return decide.Job(
        job_id="job",
        plan_arn="arn",
        resource_type="RDS",
        instance="awsbackup-restore-test-1",
        recovery_point="point",
        recovery_point_created=MADE,
        started=MADE,
        completed=MADE + timedelta(minutes=minutes),
        validation="",
    )


@unhurried
@given(
    lost=st.integers(-600, 10_000),
    took=st.integers(0, 10_000),
    rpo=st.integers(1, 5_000),
    rto=st.integers(1, 5_000),
    rows=st.integers(0, decide.MOST_ROWS),
)
def test_a_test_passes_exactly_when_there_are_rows_and_both_objectives_are_kept(lost, took, rpo, rto, rows):
    found = decide.Measured(rows=rows, newest=MADE - timedelta(minutes=lost))
    verdict = decide.judge(job(took), found, environment(rpo, rto))
    assert (verdict.status == "SUCCESSFUL") == (rows > 0 and lost <= rpo and took <= rto)
    assert verdict.lost_minutes == max(0, lost)


@unhurried
@given(
    lost=st.none() | st.integers(0, 10_000),
    took=st.integers(0, 10_000),
    rows=st.integers(0, 10),
    fault=st.sampled_from(("", "The database cannot be read (SQLSTATE 42P01).")),
)
def test_a_verdict_survives_being_kept(lost, took, rows, fault):
    newest = None if lost is None else MADE - timedelta(minutes=lost)
    found = decide.Measured(rows=rows, newest=newest, fault=fault)
    env = environment()
    verdict = decide.judge(job(took), found, env)
    assert decide.verdict_of(decide.record(job(took), found, verdict, env, MADE)) == verdict


@unhurried
@given(name=st.text(min_size=1))
def test_a_name_cannot_end_its_quotes(name):
    _, statement = decide.queries(Evidence(schema="public", table=name, column="at"))
    quoted = statement.partition('"public".')[2]
    assert quoted[0] == quoted[-1] == '"'
    assert '"' not in quoted[1:-1].replace('""', "")


def test_a_long_list_of_faults_still_fits_into_what_aws_backup_takes():
    verdict = decide.Verdict(recovery_minutes=1, lost_minutes=None, faults=("x" * 900, "y" * 900))
    assert len(decide.message(verdict)) == 1000
