"""Whether the backups are what they should be."""

import base64
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.awsrequest import AWSResponse

from runbook.console import PLAIN
from runbook.operations.backup import report
from runbook.operations.backup.verify import verify

from .backups import BUCKET, DATABASE, HOSTS, RECOVERY_VAULT, VAULT, World, estate, repository
from .fakes.backup_jobs import attach, error

#: The bucket's stand-in reckons retention with the clock, so these tests do too.
NOW = datetime.now(UTC)
KEY, THERE = "arn:aws:kms:us-east-1:1:key/database", "arn:aws:kms:us-west-2:1:key/copies"
HOST = f"{HOSTS}i-0123456789abcdef0/20261121T020000Z"


def ago(days):
    return NOW - timedelta(days=days)


def point(days, **changes):
    return {
        "RecoveryPointArn": f"point-{days}",
        "Status": "COMPLETED",
        "CreationDate": ago(days),
        "Lifecycle": {"DeleteAfterDays": 28},
        "EncryptionKeyArn": KEY,
        "IsEncrypted": True,
        **changes,
    }


def copied(days, **changes):
    return point(days, EncryptionKeyArn=THERE, **changes) | {"RecoveryPointArn": f"copy-{days}"}


def copying(days, state="COMPLETED", **more):
    return {
        "CopyJobId": f"c-{days}",
        "SourceRecoveryPointArn": f"point-{days}",
        "DestinationRecoveryPointArn": f"copy-{days}",
        "CreationDate": ago(days),
        "State": state,
        **more,
    }


WEEKS = (2, 9, 16, 23)


class Rds:
    def describe_db_instances(self, DBInstanceIdentifier):  # noqa: N803
        assert DBInstanceIdentifier == DATABASE
        return {"DBInstances": [{"InstanceCreateTime": ago(400), "KmsKeyId": KEY}]}


class Lock:
    """Object Lock: the stand-in copies nothing into a bucket that has one, which S3 does."""

    def __init__(self, s3):
        self.rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 28}}
        self.until = ago(-28)
        attach(s3, self)
        s3.meta.events.register("after-call.s3.HeadObject", self._retain)

    def get_object_lock_configuration(self, **_asked):
        if self.rule is None:
            raise error("ObjectLockConfigurationNotFoundError")
        return {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": self.rule}}

    def _retain(self, parsed, **_more):
        parsed["ObjectLockRetainUntilDate"] = self.until


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    repository(folder)
    return folder


@pytest.fixture
def world(project, tmp_path):
    """Everything is as it should be."""
    made = World(servers=0)
    attach(made.clients["rds"], Rds())
    made.lock = Lock(made.clients["s3"])
    made.keep_state()
    made.run(["repository", "state"], project, tmp_path / "journal")
    archive = b"an archive"
    made.put(BUCKET, f"{HOST}.tar.gz", archive)
    made.put(BUCKET, f"{HOST}.manifest", hashlib.sha256(archive).hexdigest().encode() + b"\n-rw-r--r-- a/a 1 x\n")
    made.jobs.vaults = {
        VAULT: {"here": True, "Locked": True, "MinRetentionDays": 28, "MaxRetentionDays": 3653},
        RECOVERY_VAULT: {"here": False, "Locked": True, "EncryptionKeyArn": THERE},
    }
    made.jobs.points = [point(days) for days in WEEKS]
    made.jobs.copied = [copied(days) for days in WEEKS]
    made.jobs.copies = [copying(days) for days in WEEKS]
    return made


def findings(world, **changes):
    return verify(estate(**changes), world.clients, {"backup": world.clients["backup"]}, NOW)


def faults(world, **changes):
    return [fault for one in findings(world, **changes) for fault in one.faults]


def day(days):
    return f"{ago(days):%Y-%m-%d %H:%M}"


def test_where_all_is_well_nothing_is_found(world):
    assert faults(world) == []
    assert [one.seen for one in findings(world)][:4] == ["4 recovery points", "locked", "locked", "4 recovery points"]


def test_verifying_writes_nothing(world, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before, versions = list(tmp_path.iterdir()), world.versions()
    findings(world)
    assert (list(tmp_path.iterdir()), world.versions(), world.jobs.started) == (before, versions, [])


class TestRecoveryPoints:
    def test_a_week_without_one_is_told(self, world):
        for points in (world.jobs.points, world.jobs.copied, world.jobs.copies):
            del points[1]
        assert faults(world) == [
            f"There is no recovery point between {day(16)} and {day(2)} that is kept for 28 days; "
            "one is due every week."
        ]

    def test_one_that_is_not_kept_for_four_weeks_does_not_count(self, world):
        world.jobs.points[1]["Lifecycle"] = {"DeleteAfterDays": 7}
        assert faults(world)[0].startswith(f"There is no recovery point between {day(16)} and {day(2)}")

    def test_one_that_is_kept_for_ever_counts(self, world):
        world.jobs.points[1]["Lifecycle"] = {}
        assert faults(world) == []

    def test_one_with_another_key_is_told(self, world):
        world.jobs.points[0]["EncryptionKeyArn"] = "another"
        assert faults(world) == [
            f"The recovery point of {day(2)} (point-2) is encrypted with another instead of {KEY}."
        ]

    def test_one_without_a_key_is_told(self, world):
        world.jobs.points[0]["IsEncrypted"] = False
        assert faults(world) == [f"The recovery point of {day(2)} (point-2) is not encrypted."]

    def test_one_that_is_partial_is_told(self, world):
        world.jobs.points.append(point(3, Status="PARTIAL"))
        assert faults(world) == [
            f"The recovery point of {day(3)} (point-3) is PARTIAL: it cannot be restored as a whole."
        ]


class TestCopies:
    def test_one_that_failed_is_told(self, world):
        world.jobs.copies[1].update(State="FAILED", StatusMessage="No key.")
        assert faults(world) == [
            f"The recovery point of {day(9)} (point-9) has no copy in us-west-2: job c-9 is FAILED: No key."
        ]

    def test_one_that_is_gone_is_told(self, world):
        del world.jobs.copied[1]
        assert faults(world) == [
            f"The recovery point of {day(9)} (point-9) has no copy in us-west-2: "
            "job c-9 copied it, but the copy is gone."
        ]

    def test_one_with_another_key_than_the_vault_s_is_told(self, world):
        world.jobs.copied[0]["EncryptionKeyArn"] = KEY
        assert faults(world) == [f"The recovery point of {day(2)} (copy-2) is encrypted with {KEY} instead of {THERE}."]

    def test_without_a_recovery_vault_none_is_asked_for(self, world):
        world.jobs.copies, world.jobs.copied = [], []
        assert faults(world, recovery_vault="") == []


class TestVaults:
    @pytest.mark.parametrize("vault", [VAULT, RECOVERY_VAULT])
    def test_one_that_is_open_is_told(self, world, vault):
        world.jobs.vaults[vault]["Locked"] = False
        assert faults(world) == [
            f"The vault {vault} is not locked: whoever may delete recovery points can delete all of them."
        ]

    def test_one_that_is_meant_to_be_open_is_not(self, world):
        world.jobs.vaults[VAULT]["Locked"] = False
        assert faults(world, vaults_locked=False) == []

    def test_a_lock_that_refuses_the_backups_is_told(self, world):
        world.jobs.vaults[VAULT]["MinRetentionDays"] = 35
        world.jobs.vaults[RECOVERY_VAULT]["MaxRetentionDays"] = 14
        assert faults(world) == [
            f"The vault {VAULT} takes nothing that is kept less than 35 days: backups for 28 days fail.",
            f"The vault {RECOVERY_VAULT} takes nothing that is kept more than 14 days: backups for 28 days fail.",
        ]


class TestObjects:
    def test_an_archive_that_is_another_is_told(self, world):
        world.put(BUCKET, f"{HOST}.tar.gz", b"something else")
        (fault,) = faults(world)
        assert fault.startswith(f"{HOST}.tar.gz has the SHA-256 ")
        assert fault.endswith(
            f"; its manifest says {base64.b64encode(hashlib.sha256(b'an archive').digest()).decode()}."
        )

    def test_an_archive_that_is_gone_is_told(self, world):
        world.clients["s3"].delete_object(Bucket=BUCKET, Key=f"{HOST}.tar.gz")
        assert faults(world) == [f"{HOST}.tar.gz is in its manifest and not in the bucket."]

    def test_an_archive_that_came_in_parts_is_read(self, world):
        reads = []
        events = world.clients["s3"].meta.events
        events.register("after-call.s3.HeadObject", lambda parsed, **_more: parsed.pop("ChecksumSHA256", None))
        events.register("before-parameter-build.s3.GetObject", lambda params, **_more: reads.append(params["Key"]))
        assert faults(world) == []
        assert f"{HOST}.tar.gz" in reads

    def test_a_manifest_without_a_checksum_is_told(self, world):
        world.put(BUCKET, f"{HOST}.manifest", b"nothing\n")
        assert faults(world) == [f"{HOST}.manifest names no checksum."]

    def test_an_archive_that_was_never_finished_is_no_fault(self, world):
        world.put(BUCKET, f"{HOST[:-1]}1Z.tar.gz")
        assert faults(world) == []

    def test_a_copied_state_that_is_another_is_told(self, world):
        key = next(key for key in world.listed("state/") if key.endswith("staging.json"))
        world.put(BUCKET, key, b"something else")
        (fault,) = faults(world)
        assert fault.startswith(f"{key} has the SHA-256 ")

    def test_a_manifest_of_a_state_that_is_none_is_told(self, world):
        key = next(key for key in world.listed("state/") if key.endswith("/manifest.json"))
        for content in (b"[]", b"x", json.dumps({"objects": 1}).encode()):
            world.put(BUCKET, key, content)
            assert faults(world) == [f"{key} names no checksums."]

    def test_a_bundle_that_is_none_is_told(self, world):
        world.put(BUCKET, "repository/9999-12-31-x.bundle", b"nonsense")
        (fault,) = faults(world)
        assert fault.startswith("repository/9999-12-31-x.bundle is no complete bundle: git bundle in ")

    def test_a_bundle_that_arrives_damaged_is_told(self, world):
        (key,) = world.listed("repository/")
        world.clients["s3"].meta.events.register_first("before-send.s3.GetObject", answering(key, b"cut off"))
        (fault,) = faults(world)
        assert fault.startswith(f"{key} is damaged: Expected checksum ")

    def test_no_bundle_is_told(self, world):
        (key,) = world.listed("repository/")
        world.clients["s3"].delete_object(Bucket=BUCKET, Key=key)
        assert faults(world) == ["There is no bundle; `runbook backup run` makes one."]


def answering(key, body):
    """S3 answers for ``key`` with ``body``, and with the checksum of something else."""

    class Raw(io.BytesIO):
        def stream(self, **_more):
            yield self.read()

    def answer(request, **_more):
        if not request.url.split("?")[0].endswith(key):
            return None
        checksum = base64.b64encode(hashlib.sha256(b"what was stored").digest()).decode()
        return AWSResponse(request.url, 200, {"x-amz-checksum-sha256": checksum}, Raw(body))

    return answer


class TestObjectLock:
    @pytest.mark.parametrize("rule", [None, {}])
    def test_a_bucket_without_retention_is_told(self, world, rule):
        world.lock.rule = rule
        assert faults(world) == [f"The bucket {BUCKET} has no Object Lock with a default retention."]
        assert faults(world, bucket_locked=False) == []

    def test_an_object_that_can_be_deleted_is_told(self, world):
        world.lock.until = ago(1)
        found = faults(world)
        assert len(found) == len(world.listed())
        assert found[0].endswith(" can be deleted: no retention is in force.")

    def test_an_object_that_is_older_than_the_retention_may_go(self, world):
        world.lock.until = ago(1)
        world.clients["s3"].meta.events.register(
            "after-call.s3.ListObjectsV2",
            lambda parsed, **_more: [one.update(LastModified=ago(29)) for one in parsed.get("Contents", ())] and None,
        )
        assert faults(world) == []


class TestReport:
    def test_faults_stand_below_what_they_are_of(self, world):
        world.jobs.vaults[VAULT]["Locked"] = False
        lines = [line.plain for line in report.findings("staging", findings(world), PLAIN)]
        assert lines[:4] == [
            "Verification of the backups of staging",
            f"  recovery points in {VAULT}: 4 recovery points",
            f"  - vault {VAULT} in us-east-1: not locked",
            f"      The vault {VAULT} is not locked: whoever may delete recovery points can delete all of them.",
        ]
        assert lines[-1] == "1 fault."

    def test_machines_learn_whether_all_is_well(self, world):
        assert json.loads(report.findings_document("staging", findings(world)))["well"] is True
