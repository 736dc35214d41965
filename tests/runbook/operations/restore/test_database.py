"""A trial restore: isolated, measured, deleted; whatever happens, once, and nothing of it is left."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from runbook.errors import UserError
from runbook.operations.journal import Journal
from runbook.operations.procedure import Todo, Waiting, run, survey
from runbook.operations.restore.database import Restoration, Witness
from runbook.operations.restore.evidence import Run
from runbook.operations.restore.job import orphans, prepare, recovery_steps

from .fakes import (
    ACCOUNT,
    NOW,
    PRODUCTION,
    REGION,
    VALIDATOR,
    WHO,
    Dying,
    Refusing,
    World,
)

ROOT = Path(__file__).parents[4]
RUN = Run("restore-2026-11-05")
COPY = "learning-platform-staging-restore-2026-11-05"


@pytest.fixture
def world():
    return World(ROOT)


def restoration(world, clients=None, run=RUN, **options):
    clients = clients or world.clients
    store = world.store(clients["s3"])
    job = prepare(world.site, clients, store, run, backup=world.entry, production=PRODUCTION, who=WHO, **options)
    return Restoration(job=job, clients=clients, store=store, now=world.clock.moment)


def carry_out(world, folder, clients=None, told=lambda *_: None, **options):
    made = restoration(world, clients, **options)
    book = Journal(folder, "restore", environment="staging", account=ACCOUNT, who=WHO)
    witness = Witness(book, made.troubles)
    return run(made.stages(), made.clients, witness, pause=world.clock.pause, clock=world.clock.monotonic, told=told)


def checks(record):
    return {check["name"]: (check["passed"], check["found"]) for check in record["checks"]}


def test_the_copy_is_restored_checked_measured_and_deleted(world, tmp_path):
    facts = carry_out(world, tmp_path)
    assert (world.rds.restored, world.rds.deleted) == ([COPY], [COPY])
    assert world.instances() == {PRODUCTION}
    assert facts["verdict"] == "passed"
    record = world.versions("restores/2026/11/restore-2026-11-05.json")
    assert checks(record) == {
        "status": (True, "available"),
        "encrypted": (True, "yes"),
        "engine version": (True, "17.4"),
        "subnet group": (True, "isolated"),
        "security groups": (True, world.group),
        "public": (True, "no"),
        "parameter group": (True, "database-1a2b3c4"),
        "rows": (True, "they answered"),
        "RPO": (True, "2880 minutes"),
        "RTO": (True, "2 minutes"),
        "clean-up": (True, "proven"),
    }
    assert {key: record[key] for key in ("durationMinutes", "kept", "resumed", "started", "startedBy", "who")} == {
        "durationMinutes": 3.0,
        "kept": False,
        "resumed": False,
        "started": "2026-11-05T10:00:00Z",
        "startedBy": WHO,
        "who": WHO,
    }
    assert record["recoveryPoint"] == {
        "kind": "vault",
        "source": f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:awsbackup:job-1",
        "taken": "2026-11-03T10:00:00Z",
    }
    assert record["rpo"] == {"measuredMinutes": 2880.0, "targetMinutes": 4320.0}


def test_the_copy_is_never_public_and_carries_what_finds_it_again(world, tmp_path):
    carry_out(world, tmp_path, keep=True)
    copy = world.rds._client.describe_db_instances(DBInstanceIdentifier=COPY)["DBInstances"][0]
    assert (copy["PubliclyAccessible"], copy["DeletionProtection"], copy["MultiAZ"]) == (False, False, False)
    assert (copy["DBInstanceClass"], copy["BackupRetentionPeriod"]) == ("db.t4g.micro", 0)
    tags = {tag["Key"]: tag["Value"] for tag in copy["TagList"]}
    assert tags == {
        "Backup": "none",
        "CostCenter": world.site.settings.ownership.cost_center,
        "EngineVersion": "17.4",
        "Environment": "staging",
        "Expires": "2026-11-12T10:00:00Z",
        "Owner": world.site.settings.ownership.owner,
        "Project": "learning-platform",
        "Purpose": "restore-test",
        "RecoveryPoint": f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:awsbackup:job-1",
        "RecoveryPointKind": "vault",
        "RecoveryTime": "2026-11-03T10:00:00Z",
        "Run": "restore-2026-11-05",
        "RunbookRef": "004_5ca73e3508d74ec8.txt Backup and Recovery Testing",
        "Service": "backup",
        "Started": "2026-11-05T10:00:00Z",
        "StartedBy": WHO,
    }


def test_the_validator_is_told_what_was_restored_from_what_and_when(world, tmp_path):
    carry_out(world, tmp_path)
    assert world.validator.asked == [
        (
            VALIDATOR,
            {
                "restore": {
                    "created": "2026-11-03T10:00:00Z",
                    "instance": COPY,
                    "recoveryPoint": f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:awsbackup:job-1",
                    "started": "2026-11-05T10:00:00Z",
                }
            },
        )
    ]


def test_a_plan_changes_nothing(world):
    planned = survey(restoration(world).stages())
    assert [one.stage.call for one in planned if one.stage.call != "check"] == [
        "rds.restore_db_instance_from_db_snapshot",
        "lambda.invoke",
        "s3.put_object",
        "rds.delete_db_instance",
        "s3.put_object",
    ]
    assert (world.instances(), world.records(), world.validator.asked) == ({PRODUCTION}, set(), [])


def test_a_finished_run_does_nothing_more(world, tmp_path):
    carry_out(world, tmp_path)
    facts = carry_out(world, tmp_path)
    assert (world.rds.restored, world.rds.deleted, len(world.validator.asked)) == ([COPY], [COPY], 1)
    assert facts["verdict"] == "passed"


def test_the_logs_are_restored_where_they_are_newest(world, tmp_path):
    world.logs(until=timedelta(minutes=4))
    carry_out(world, tmp_path)
    record = world.versions("restores/2026/11/restore-2026-11-05.json")
    assert (record["recoveryPoint"]["kind"], record["rpo"]["measuredMinutes"]) == ("log", 4.0)
    assert (world.rds.restored, world.rds.deleted) == ([COPY], [COPY])


@pytest.mark.parametrize("before", [True, False])
def test_killed_at_any_call_and_started_again_it_is_done_once(world, tmp_path, before):
    """Every call of the whole procedure, reading ones too, before and after it takes effect."""
    counted = Dying(world.clients)
    carry_out(world, tmp_path, counted.clients)
    for dies_at in range(1, counted.count + 1):
        world.empty()
        dying = Dying(world.clients, dies_at, before=before)
        with pytest.raises(KeyboardInterrupt):
            carry_out(world, tmp_path, dying.clients)
        facts = carry_out(world, tmp_path)
        assert (dies_at, facts["verdict"]) == (dies_at, "passed")
        assert (world.rds.restored, world.rds.deleted) == ([COPY], [COPY])
        assert world.instances() == {PRODUCTION}
        assert world.records("restores/") == {"restores/2026/11/restore-2026-11-05.json"}


def test_an_interrupted_run_says_that_the_pause_counts(world, tmp_path):
    dying = Dying(world.clients, 12)
    with pytest.raises(KeyboardInterrupt):
        carry_out(world, tmp_path, dying.clients)
    assert world.instances() == {PRODUCTION, COPY}
    world.clock.pause(7200)
    carry_out(world, tmp_path)
    record = world.versions("restores/2026/11/restore-2026-11-05.json")
    assert (record["resumed"], record["verdict"]) == (True, "failed")
    assert checks(record)["RTO"][0] is False


@pytest.mark.parametrize("status", ["failed", "incompatible-restore", "incompatible-parameters"])
def test_a_restore_that_rds_gives_up_is_deleted_and_recorded(world, tmp_path, status):
    world.rds.end = status
    with pytest.raises(UserError, match=f"RDS gave the copy up: it is {status}"):
        carry_out(world, tmp_path)
    record = world.versions("restores/2026/11/restore-2026-11-05.json")
    assert record["verdict"] == "failed"
    assert record["troubles"] == [
        f"restore: RDS gave the copy up: it is {status}. The instance's events in RDS say why."
    ]
    assert checks(record) == {"clean-up": (True, "proven")}
    assert world.instances() == {PRODUCTION}


def test_a_failed_run_is_not_tried_again_under_its_name(world, tmp_path):
    world.rds.end = "failed"
    with pytest.raises(UserError):
        carry_out(world, tmp_path)
    assert carry_out(world, tmp_path)["verdict"] == "failed"
    assert world.rds.restored == [COPY]


def test_a_refused_restore_is_recorded_with_the_permission(world, tmp_path):
    world.rds = Refusing(world.rds, "restore_db_instance_from_db_snapshot", "AccessDenied")
    with pytest.raises(UserError, match="AWS refuses rds:"):
        carry_out(world, tmp_path)
    record = world.versions("restores/2026/11/restore-2026-11-05.json")
    assert (record["verdict"], record["started"]) == ("failed", None)


def test_a_busy_aws_is_waited_for(world, tmp_path):
    heard = []
    made = Refusing(world.rds, "describe_db_instances", "Throttling", times=0)
    world.rds = made

    def told(stage, look):
        if stage.name == "restore" and look == Todo():
            made.left = 3
        heard.append(look)

    facts = carry_out(world, tmp_path, told=told)
    assert facts["verdict"] == "passed"
    assert Waiting("AWS is too busy to say (Throttling)") in heard


def test_a_restore_that_takes_for_ever_ends_is_deleted_and_recorded(world, tmp_path):
    world.rds.statuses = ["creating"] * 365
    with pytest.raises(UserError) as told:
        carry_out(world, tmp_path)
    assert told.value.lines == (
        "restore: not done after 180 minutes: the copy is creating.",
        "The same command goes on from here.",
    )
    assert world.instances() == {PRODUCTION}
    assert world.versions("restores/2026/11/restore-2026-11-05.json")["verdict"] == "failed"


@pytest.mark.parametrize(
    ("answer", "passed", "found"),
    [
        (
            {"outcome": "FAILED", "faults": ["The restored database has no rows."]},
            False,
            "The restored database has no rows.",
        ),
        ({"outcome": "buried", "reason": "Nobody understands it."}, None, "Nobody understands it."),
        ({"errorType": "KeyError", "errorMessage": "'x'"}, False, f"{VALIDATOR} failed: 'x'"),
        ({"errorType": "NotReadyError", "errorMessage": "later"}, False, f"{VALIDATOR} failed: later"),
        (b"not json", False, f"{VALIDATOR} gave no answer that can be read"),
    ],
)
def test_a_validator_that_does_not_pass_fails_the_run_and_the_copy_goes(world, tmp_path, answer, passed, found):
    world.validator.answers = [answer]
    facts = carry_out(world, tmp_path)
    record = world.versions("restores/2026/11/restore-2026-11-05.json")
    assert checks(record)["rows"] == (passed, found)
    assert facts["verdict"] == ("incomplete" if passed is None else "failed")
    assert world.instances() == {PRODUCTION}


def test_a_copy_that_is_not_ready_for_the_validator_is_asked_again(world, tmp_path):
    world.validator.answers = [
        {"errorType": "NotReadyError", "errorMessage": "later"},
        {"outcome": "SUCCESSFUL", "faults": []},
    ]
    assert carry_out(world, tmp_path)["verdict"] == "passed"
    assert len(world.validator.asked) == 2


def test_a_missed_target_fails_the_run(world, tmp_path):
    world.entry |= {"rpoMinutes": 60, "rtoMinutes": 1}
    carry_out(world, tmp_path)
    record = world.versions("restores/2026/11/restore-2026-11-05.json")
    assert (checks(record)["RPO"], checks(record)["RTO"]) == ((False, "2880 minutes"), (False, "2 minutes"))
    assert record["verdict"] == "failed"


def test_an_instance_of_that_name_that_the_run_did_not_make_is_left_alone(world, tmp_path):
    world.rds.create_db_instance(
        DBInstanceIdentifier=COPY, DBInstanceClass="db.t3.micro", Engine="postgres", AllocatedStorage=20,
        MasterUsername="someone", MasterUserPassword="not-a-secret-1",
    )  # fmt: skip
    with pytest.raises(UserError, match="that this run did not make"):
        carry_out(world, tmp_path)
    assert world.instances() == {PRODUCTION, COPY}
    assert world.rds.deleted == []


def test_without_any_recovery_point_the_failure_is_on_record(world, tmp_path):
    world.backup.points.clear()
    world.backend.database_snapshots.clear()
    with pytest.raises(UserError, match="the vault holds no recovery point of the database"):
        carry_out(world, tmp_path)
    assert world.versions("restores/2026/11/restore-2026-11-05.json")["verdict"] == "failed"


def test_a_kept_copy_is_an_orphan_of_the_next_run_and_goes_when_its_own_is_finished(world, tmp_path):
    carry_out(world, tmp_path, keep=True)
    assert world.instances() == {PRODUCTION, COPY}
    left = orphans(world.rds, world.site, Run("restore-2026-11-06"))
    assert left == ((COPY, "restore-2026-11-05", "2026-11-12T10:00:00Z"),)
    carry_out(world, tmp_path)
    assert world.instances() == {PRODUCTION}
    assert world.versions("restores/2026/11/restore-2026-11-05.json")["kept"] is True


def test_a_clean_up_that_is_refused_is_on_record_and_done_by_the_next_run(world, tmp_path):
    refusing = Refusing(world.rds, "delete_db_instance", "AccessDenied")
    with pytest.raises(UserError, match="AWS refuses rds:DeleteDBInstance"):
        carry_out(world, tmp_path, {**world.clients, "rds": refusing})
    record = world.versions("restores/2026/11/restore-2026-11-05.json")
    assert (checks(record)["clean-up"], record["verdict"]) == ((False, "not proven"), "failed")
    carry_out(world, tmp_path)
    assert world.instances() == {PRODUCTION}


def test_the_secret_that_the_validator_had_made_is_proven_gone(world, tmp_path):
    secrets = world.clients["secretsmanager"]
    arn = secrets.create_secret(Name="rds!db-1", SecretString="x")["ARN"]
    described = world.rds.describe_db_instances
    world.rds.describe_db_instances = lambda **arguments: {
        "DBInstances": [
            {**one, "MasterUserSecret": {"SecretArn": arn}} for one in described(**arguments)["DBInstances"]
        ]
    }

    def told(stage, look):
        if stage.name == "clean-up" and isinstance(look, Waiting):
            heard.append(look.why)
            secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)

    heard = []
    assert carry_out(world, tmp_path, told=told)["cleanUp"] == "proven"
    assert heard == ["its secret is still there"]


def test_in_the_recovery_region_a_copy_is_restored_from_the_replicated_logs():
    world = World(ROOT, region="us-west-2")
    world.logs(until=timedelta(minutes=5))
    world.entry |= {"recoverySubnetGroup": "isolated", "recoverySecurityGroupId": world.group}
    made = restoration(world, recovery=True)
    stage = made.stages()[1]
    assert stage.call == "rds.restore_db_instance_to_point_in_time"
    arguments = made.job.point.arguments(COPY)
    assert arguments == {
        "SourceDBInstanceAutomatedBackupsArn": f"arn:aws:rds:us-west-2:{ACCOUNT}:auto-backup:ab-1",
        "TargetDBInstanceIdentifier": COPY,
        "UseLatestRestorableTime": True,
    }
    assert (made.job.validator, made.job.parameter_group) == (None, None)


def test_a_region_without_an_isolated_place_is_told(world):
    with pytest.raises(UserError, match="no isolated subnet group and security group for restores in us-west-2"):
        restoration(world, recovery=True)


def test_the_way_to_replace_the_database_is_told_and_not_taken(world):
    job = restoration(world).job
    steps = recovery_steps(job, None)
    assert [step.split(" --", 1)[0] for step in steps] == [
        "aws rds modify-db-instance",
        "aws rds restore-db-instance-from-db-snapshot",
        "aws rds modify-db-instance",
        "pulumi refresh",
        "make up STACK=staging",
    ]
    assert f"--db-instance-identifier {PRODUCTION} --db-snapshot-identifier {job.point.source}" in steps[1]
    assert "--db-subnet-group-name data" in steps[1]


def test_restores_begin_at_the_moment_of_the_call(world):
    assert restoration(world).began == NOW
