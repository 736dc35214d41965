"""How the backups stand, read from the account."""

import json
from datetime import timedelta

import pytest

from runbook.console import PLAIN
from runbook.operations.backup import report, status
from runbook.operations.backup.judge import is_well

from .backups import BUCKET, DATABASE, HOSTS, STATE_BUCKET, VAULT, World, estate
from .fakes.backup_jobs import NOW, error

DATABASE_ARN = f"arn:aws:rds:us-east-1:123456789012:db:{DATABASE}"


def ago(**span):
    return NOW - timedelta(**span)


class Rds:
    """What RDS says of the database and of its own backups."""

    def __init__(self, jobs):
        self.snapshots = [ago(hours=hours) for hours in (5, 29, 53)]
        self.latest, self.replica = ago(minutes=5), ago(minutes=20)
        self.list_tags_for_resource = jobs.list_tags_for_resource

    def describe_db_snapshots(self, SnapshotType, DBInstanceIdentifier, Marker=None):  # noqa: N803
        assert (SnapshotType, DBInstanceIdentifier) == ("automated", DATABASE)
        start = int(Marker or 0)
        more = {"Marker": str(start + 1)} if start + 1 < len(self.snapshots) else {}
        shown = [{"SnapshotCreateTime": one, "Status": "available"} for one in self.snapshots[start : start + 1]]
        return {"DBSnapshots": shown, **more}

    def describe_db_instances(self, **_asked):
        arn = "arn:aws:rds:us-west-2:123456789012:auto-backup:ab-1"
        replicas = [{"DBInstanceAutomatedBackupsArn": arn}] if self.replica else []
        instance = {"LatestRestorableTime": self.latest, "DBInstanceAutomatedBackupsReplications": replicas}
        return {"DBInstances": [instance]}

    def describe_db_instance_automated_backups(self, **_asked):
        return {
            "DBInstanceAutomatedBackups": [{"Status": "replicating", "RestoreWindow": {"LatestTime": self.replica}}]
        }


class Listing:
    """S3 says of every object that it was written at a moment of the test's choice."""

    def __init__(self, s3):
        self.ages, self.replication = {}, {}
        s3.meta.events.register("after-call.s3.ListObjectsV2", self._age)
        s3.meta.events.register("after-call.s3.HeadObject", self._replicate)
        s3.meta.events.register("before-parameter-build.s3.HeadObject", self._note)

    def _age(self, parsed, **_more):
        for one in parsed.get("Contents", ()):
            one["LastModified"] = NOW - self.ages.get(one["Key"], timedelta(days=1))

    def _note(self, params, **_more):
        self.key = params.get("Key")

    def _replicate(self, parsed, **_more):
        if self.key in self.replication:
            parsed["ReplicationStatus"] = self.replication[self.key]


@pytest.fixture
def world():
    """Everything is well."""
    from .fakes.backup_jobs import attach

    made = World(servers=2)
    made.rds = Rds(made.jobs)
    attach(made.clients["rds"], made.rds)
    made.listing = Listing(made.clients["s3"])
    made.keep_state()
    for server in made.servers:
        for name in ("a.tar.gz", "a.manifest"):
            made.put(BUCKET, f"{HOSTS}{server}/{name}")
    made.put(BUCKET, "repository/2026-11-20-abc.bundle")
    made.put(BUCKET, "state/2026-11-20/manifest.json")
    made.jobs.jobs = [backup(3), backup(10)]
    made.jobs.copies = [
        {"CopyJobId": "c-3", "SourceRecoveryPointArn": "p-3", "CreationDate": ago(days=3), "State": "COMPLETED"}
    ]
    made.jobs.restores = [
        {
            "RestoreJobId": "r-20",
            "SourceResourceArn": DATABASE_ARN,
            "CreationDate": ago(days=20),
            "Status": "COMPLETED",
            "ValidationStatus": "SUCCESSFUL",
        }
    ]
    return made


def backup(days, state="COMPLETED", **more):
    return {
        "BackupJobId": f"b-{days}",
        "BackupVaultName": VAULT,
        "ResourceArn": DATABASE_ARN,
        "CreationDate": ago(days=days),
        "State": state,
        **more,
    }


def read(world, days=7, **changes):
    # The servers of the stand-in have just been started.
    world.clients["ec2"].meta.events.register("after-call.ec2.DescribeInstances", lambda parsed, **_more: aged(parsed))
    return status.read(estate(**changes), world.clients, {"rds": world.clients["rds"]}, NOW, days=days)


def aged(parsed):
    for reservation in parsed["Reservations"]:
        for instance in reservation["Instances"]:
            instance["LaunchTime"] = ago(days=30)


def verdicts(found):
    return {one.what: one.verdict for one in found.checks}


def test_where_all_is_well_every_kind_is_told(world):
    found = read(world)
    assert verdicts(found) == dict.fromkeys(
        [
            "weekly backup of the database",
            "copy in us-west-2",
            "automated snapshot of RDS",
            "latest moment RDS can restore",
            "the same in us-west-2",
            "restore test",
            *(f"configuration of {server}" for server in world.servers),
            "repository",
            "Pulumi state",
        ],
        "ok",
    )
    assert is_well(found.checks)
    assert [job.id for job in found.jobs] == ["b-3", "c-3"]


def worse(what, change):
    return pytest.param(what[0], what[1], change, id=f"{what[0]} {what[1]}")


@pytest.mark.parametrize(
    ("what", "verdict", "change"),
    [
        worse(("weekly backup of the database", "late"), lambda w: w.jobs.jobs.pop(0)),
        worse(("weekly backup of the database", "missing"), lambda w: w.jobs.jobs.clear()),
        worse(("weekly backup of the database", "failed"), lambda w: w.jobs.jobs.append(backup(1, "FAILED"))),
        worse(("weekly backup of the database", "failed"), lambda w: w.jobs.jobs.append(backup(1, "EXPIRED"))),
        worse(("copy in us-west-2", "missing"), lambda w: w.jobs.copies.clear()),
        worse(("automated snapshot of RDS", "late"), lambda w: w.rds.snapshots.pop(0)),
        worse(("automated snapshot of RDS", "missing"), lambda w: w.rds.snapshots.clear()),
        worse(("latest moment RDS can restore", "late"), lambda w: setattr(w.rds, "latest", ago(minutes=61))),
        worse(("the same in us-west-2", "late"), lambda w: setattr(w.rds, "replica", ago(hours=2))),
        worse(("restore test", "failed"), lambda w: w.jobs.restores[0].update(ValidationStatus="FAILED")),
        worse(("restore test", "missing"), lambda w: w.jobs.restores.clear()),
        worse(
            ("repository", "late"),
            lambda w: w.listing.ages.update({"repository/2026-11-20-abc.bundle": timedelta(days=9)}),
        ),
        worse(
            ("repository", "failed"),
            lambda w: w.listing.replication.update({"repository/2026-11-20-abc.bundle": "FAILED"}),
        ),
        worse(
            ("Pulumi state", "missing"),
            lambda w: w.clients["s3"].delete_object(Bucket=BUCKET, Key="state/2026-11-20/manifest.json"),
        ),
    ],
)
def test_one_thing_that_is_wrong_is_the_only_one_told(world, what, verdict, change):
    change(world)
    found = {name: one for name, one in verdicts(read(world)).items() if one != "ok"}
    assert found == {what: verdict}


def test_an_archive_without_its_manifest_is_no_backup(world):
    server = world.servers[0]
    world.clients["s3"].delete_object(Bucket=BUCKET, Key=f"{HOSTS}{server}/a.manifest")
    assert verdicts(read(world))[f"configuration of {server}"] == "missing"


def test_the_newest_backup_of_a_server_counts(world):
    server = world.servers[0]
    world.put(BUCKET, f"{HOSTS}{server}/b.manifest")
    world.listing.ages[f"{HOSTS}{server}/a.manifest"] = timedelta(days=9)
    assert verdicts(read(world))[f"configuration of {server}"] == "ok"
    world.listing.ages[f"{HOSTS}{server}/b.manifest"] = timedelta(days=9)
    assert verdicts(read(world))[f"configuration of {server}"] == "late"


def test_a_replication_that_takes_more_than_a_day_is_a_failure(world):
    key = "repository/2026-11-20-abc.bundle"
    world.listing.replication[key] = "PENDING"
    world.listing.ages[key] = timedelta(hours=2)
    assert verdicts(read(world))["repository"] == "ok"
    world.listing.ages[key] = timedelta(hours=25)
    assert verdicts(read(world))["repository"] == "failed"


def test_a_restore_of_another_database_is_no_test_of_this_one(world):
    world.jobs.restores[0]["SourceResourceArn"] = "arn:aws:rds:us-east-1:123456789012:db:other"
    assert verdicts(read(world))["restore test"] == "missing"


def test_what_the_stack_does_not_have_is_not_asked_for(world):
    s3 = world.clients["s3"]
    for one in s3.list_objects_v2(Bucket=STATE_BUCKET)["Contents"]:
        s3.delete_object(Bucket=STATE_BUCKET, Key=one["Key"])
    s3.delete_bucket(Bucket=STATE_BUCKET)
    world.rds.replica = None
    found = read(world, recovery_vault="", restore_testing=False)
    left_out = {"copy in us-west-2", "the same in us-west-2", "restore test", "Pulumi state"}
    assert left_out.isdisjoint(verdicts(found))
    assert found.notes[0].startswith("The state of staging is not in S3")
    assert is_well(found.checks)


def test_single_jobs_are_listed_as_far_back_as_asked(world):
    assert [job.id for job in read(world, days=30).jobs] == ["b-3", "c-3", "b-10", "r-20"]


def test_a_service_that_is_busy_is_told_and_nothing_is_said_to_be_well(world):
    def busy(**_asked):
        raise error("ThrottlingException")

    world.jobs.list_copy_jobs = busy
    with pytest.raises(Exception, match="AWS is too busy for backup:ListCopyJobs"):
        read(world)


class TestReport:
    def lines(self, world):
        return [line.plain for line in report.status("staging", read(world), PLAIN)]

    def test_what_is_wrong_comes_first(self, world):
        world.jobs.jobs.append(backup(1, "FAILED", StatusMessage="No room."))
        lines = self.lines(world)
        assert lines[0] == "Backups of staging, 2026-11-21 03:00 UTC"
        assert lines[1] == (
            "  failed   weekly backup of the database: 3 days old, from 2026-11-18 03:00 UTC; due every 8 days "
            "(job b-1 ended as FAILED: No room)"
        )
        assert "2026-11-20 03:00 UTC  backup   FAILED  b-1: No room" in "\n".join(lines)
        assert lines[-1] == "1 of 10 checks want attention."

    def test_a_clean_one_ends_with_a_sentence(self, world):
        assert self.lines(world)[-1] == "All 10 checks are well."

    def test_machines_get_ages_in_seconds(self, world):
        found = json.loads(report.status_document("staging", read(world)))
        assert found["well"] is True
        first = found["checks"][0]
        assert (first["ageSeconds"], first["targetSeconds"]) == (3 * 86400, 8 * 86400)
