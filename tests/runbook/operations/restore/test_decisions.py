"""What a restore decides: which point, what passes, how a run is called. Pure, but for the evidence bucket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import UserError
from runbook.operations.procedure import actions
from runbook.operations.restore import permissions, points
from runbook.operations.restore.checks import Check, Wanted, of_instance, of_target, verdict
from runbook.operations.restore.database import Restoration
from runbook.operations.restore.evidence import Run, named
from runbook.operations.restore.job import prepare
from runbook.operations.restore.moments import minutes_between, moment, stamp
from runbook.operations.restore.points import Point, choose

from .fakes import ACCOUNT, EVIDENCE, NOW, PRODUCTION, WHO, World, site

ROOT = Path(__file__).parents[4]

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def point(name="a", taken=NOW, kind="snapshot", **changes):
    return Point(
        **{
            "kind": kind,
            "parameter": "DBSnapshotIdentifier",
            "source": f"arn:aws:rds:us-east-1:{ACCOUNT}:snapshot:{name}",
            "taken": taken,
            "engine_version": "17.4",
            **changes,
        }
    )


def logs(until=NOW):
    return point(
        kind="log", parameter="SourceDbiResourceId", source="db-1", taken=until, earliest=until - timedelta(days=7)
    )


@given(MOMENTS)
def test_a_moment_comes_back_to_the_second(when):
    assert moment(stamp(when)) == when.replace(microsecond=0)


@given(MOMENTS, st.integers(0, 100_000))
def test_measured_minutes_are_never_less_than_what_passed(when, seconds):
    measured = minutes_between(stamp(when), stamp(when + timedelta(seconds=seconds)))
    assert seconds / 60 <= measured < seconds / 60 + 0.1 + 1e-9


@pytest.mark.parametrize("text", ["yesterday", "2026-11-05", "2026-11-05T10:00:00"])
def test_a_time_without_its_zone_is_told(text):
    with pytest.raises(UserError, match="is no time with a zone"):
        moment(text)


@given(st.sampled_from(["drill", "restore", "files"]), MOMENTS, st.integers(1, 99))
def test_a_run_is_found_below_its_year_and_month(kind, when, number):
    run = named(kind, when, number)
    assert run.kind == kind
    assert run.record.split("/")[1:3] == [f"{when:%Y}", f"{when:%m}"]
    assert run.findings == f"progress/{run.record}"


def test_the_record_of_a_drill_lies_where_auditors_look():
    assert Run("drill-2026-11").record == "drills/2026/11/drill-2026-11.json"
    assert Run("drill-2026-11-2").record == "drills/2026/11/drill-2026-11-2.json"


@pytest.mark.parametrize(
    "name",
    [
        "db",
        "drill-2026-13",
        "drill-2026-11-05",
        "restore-2026-11",
        "restore-2026-11-5",
        "x-2026-11-05",
        "drill-2026-11-0",
    ],
)
def test_a_name_that_is_none_is_told(name):
    with pytest.raises(UserError, match="is no run"):
        Run(name)


def test_the_newest_point_is_taken_and_an_arn_or_a_time_is_found():
    old, new = point("old", NOW - timedelta(days=3)), point("new", NOW - timedelta(days=1))
    found = (logs(NOW - timedelta(minutes=5)), new, old)
    assert choose(found, "newest").kind == "log"
    assert choose(found, old.source) == old
    exact = choose(found, "2026-11-04T08:00:00Z")
    assert exact.arguments("copy") == {
        "TargetDBInstanceIdentifier": "copy",
        "SourceDbiResourceId": "db-1",
        "RestoreTime": datetime(2026, 11, 4, 8, tzinfo=UTC),
    }


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        (
            "arn:aws:rds:us-east-1:1:snapshot:x",
            (
                "The database has no recovery point arn:aws:rds:us-east-1:1:snapshot:x.",
                f"The newest are: arn:aws:rds:us-east-1:{ACCOUNT}:snapshot:a (2026-11-05T10:00:00Z).",
            ),
        ),
        (
            "2026-01-01T00:00:00Z",
            (
                "The database cannot be restored to 2026-01-01T00:00:00Z: its logs cover 2026-10-29T10:00:00Z to "
                "2026-11-05T10:00:00Z.",
                "Name a time in between, or a recovery point by its ARN: "
                f"arn:aws:rds:us-east-1:{ACCOUNT}:snapshot:a (2026-11-05T10:00:00Z).",
            ),
        ),
    ],
)
def test_a_point_that_is_not_there_is_told_with_those_that_are(wanted, lines):
    with pytest.raises(UserError) as told:
        choose((logs(), point()), wanted)
    assert told.value.lines == lines


def test_points_of_one_moment_are_taken_from_the_vault_first():
    world = World(ROOT)
    world.snapshot("rds:db-1", kind="automated", age=timedelta(days=2))
    world.snapshot("awsbackup:job-2", kind="awsbackup", age=timedelta(days=5), in_vault=False)
    world.logs(until=timedelta(days=2))
    found = points.query(world.clients, vault="primary", identifier=PRODUCTION, source_region="us-east-1")
    assert [(one.kind, one.source.rpartition(":")[2]) for one in found] == [
        ("vault", "job-1"),
        ("snapshot", "db-1"),
        ("log", "db-M5ENSHXFPU6XHZ4G4ZEI5QIO2U"),
        ("snapshot", "job-2"),
    ]


def test_a_snapshot_that_is_being_made_or_is_another_database_s_is_no_point():
    world = World(ROOT)
    world.backend.database_snapshots["awsbackup:job-1"].status = "creating"
    world.logs(until=timedelta(0))
    world.rds.windows[0]["DBInstanceIdentifier"] = "another"
    world.rds.windows.append({"DBInstanceIdentifier": PRODUCTION})
    assert points.query(world.clients, vault=None, identifier=PRODUCTION, source_region="us-east-1") == ()


GOOD = {
    "DBInstanceStatus": "available",
    "DBParameterGroups": [{"DBParameterGroupName": "database-1"}],
    "DBSubnetGroup": {"DBSubnetGroupName": "isolated"},
    "EngineVersion": "17.4",
    "PubliclyAccessible": False,
    "StorageEncrypted": True,
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}],
}
WANTED = Wanted(engine_version="17.4", subnet_group="isolated", security_group_id="sg-1", parameter_group="database-1")


def test_a_copy_as_it_should_be_passes():
    assert [check.passed for check in of_instance(GOOD, WANTED)] == [True] * 7


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"DBInstanceStatus": "modifying"}, "status"),
        ({"DBParameterGroups": [{"DBParameterGroupName": "default.postgres17"}]}, "parameter group"),
        ({"DBSubnetGroup": {"DBSubnetGroupName": "data"}}, "subnet group"),
        ({"EngineVersion": "16.1"}, "engine version"),
        ({"PubliclyAccessible": True}, "public"),
        ({"StorageEncrypted": False}, "encrypted"),
        ({"VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}, {"VpcSecurityGroupId": "sg-2"}]}, "security groups"),
    ],
)
def test_one_thing_that_is_wrong_fails_its_check_alone(change, name):
    assert [check.name for check in of_instance({**GOOD, **change}, WANTED) if not check.passed] == [name]
    (key,) = change
    assert name in [
        check.name for check in of_instance({k: v for k, v in GOOD.items() if k != key}, WANTED) if not check.passed
    ]


def test_where_the_source_s_parameters_are_not_to_be_had_the_default_passes():
    wanted = Wanted(engine_version="17.4", subnet_group="isolated", security_group_id="sg-1", parameter_group=None)
    default = {**GOOD, "DBParameterGroups": [{"DBParameterGroupName": "default.postgres17"}]}
    assert all(check.passed for check in of_instance(default, wanted))
    assert not all(check.passed for check in of_instance(GOOD, wanted))


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_target_is_met_up_to_its_very_number(measured, target):
    assert of_target("RTO", measured, target).passed is (measured <= target)
    assert of_target("RTO", None, target).passed is False


@given(st.lists(st.sampled_from([True, False, None]), max_size=4), st.lists(st.text(min_size=1), max_size=2))
def test_only_what_passed_throughout_is_passed(results, troubles):
    judged = verdict([Check("x", passed, "", "") for passed in results], troubles)
    assert (judged == "passed") is (bool(results) and all(results) and not troubles)
    if False in results or troubles:
        assert judged == "failed"


def test_what_is_written_is_encrypted_checked_and_never_overwritten():
    world = World(ROOT)
    store = world.store()
    store.write("drills/2026/11/drill-2026-11.json", {"verdict": "failed"})
    store.write("drills/2026/11/drill-2026-11.json", {"verdict": "passed"})
    assert store.read("drills/2026/11/drill-2026-11.json") == {"verdict": "failed"}
    head = world.s3.head_object(Bucket=EVIDENCE, Key="drills/2026/11/drill-2026-11.json", ChecksumMode="ENABLED")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", world.key)
    assert head["ChecksumSHA256"]


def test_another_run_is_the_first_without_a_record():
    world = World(ROOT)
    store = world.store()
    assert store.next_run("drill", NOW, again=True).name == "drill-2026-11"
    store.write(Run("drill-2026-11").record, {})
    store.write(Run("drill-2026-11-2").findings, {})
    assert store.next_run("drill", NOW, again=False).name == "drill-2026-11"
    assert store.next_run("drill", NOW, again=True).name == "drill-2026-11-2"


def granted(statements):
    return {action for statement in statements for action in statement["Action"]}


def test_the_policy_grants_what_the_stages_use_and_changes_nothing_but_copies():
    world = World(ROOT)
    store = world.store()
    used = set()
    for logged in (False, True):
        if logged:
            world.logs(until=timedelta(minutes=1))
        job = prepare(
            world.site,
            world.clients,
            store,
            Run("restore-2026-11-05"),
            backup=world.entry,
            production=PRODUCTION,
            who=WHO,
        )
        used |= set(actions(Restoration(job=job, clients=world.clients, store=store).stages()))
    statements = permissions.of_database(site(ROOT))
    # What RDS and S3 do with keys in the caller's name, the inventory, and S3's word for "not there".
    besides = {
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKey",
        "s3:ListBucket",
        "ssm:GetParameter",
    }
    assert granted(statements) == used | besides
    (deleting,) = [one for one in statements if "rds:DeleteDBInstance" in one["Action"]]
    assert deleting["Condition"] == {"StringEquals": {"aws:ResourceTag/Purpose": "restore-test"}}
    assert deleting["Resource"] == [
        f"arn:aws:rds:{region}:{ACCOUNT}:db:learning-platform-staging-{kind}-*"
        for kind in ("drill", "restore")
        for region in ("us-east-1", "us-west-2")
    ]
