"""A backup now: killed anywhere and started again it is whole, and nothing is done twice."""

import itertools
import json

import pytest
from botocore.exceptions import ClientError

from runbook.errors import UserError
from runbook.operations.backup import run as operation
from runbook.operations.backup import state
from runbook.operations.backup.estate import checked_name
from runbook.operations.backup.estate import estate as read_estate
from runbook.operations.procedure import survey

from .backups import (
    BUCKET,
    DATABASE,
    INVENTORY,
    KEY,
    STATE_BUCKET,
    VAULT,
    World,
    estate,
    git,
    repository,
    site,
)
from .fakes.backup_jobs import Trouble

DATABASE_ARN = f"arn:aws:rds:us-east-1:123456789012:db:{DATABASE}"
ALL = operation.PARTS
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Call")


@pytest.fixture
def folder(tmp_path):
    repository(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


def effects(world):
    """What was changed: jobs, commands, and how often each object was written."""
    return [call for call, _ in world.jobs.started], len(world.commands.sent), world.versions()


class TestDatabase:
    def test_the_backup_goes_into_the_vault_as_the_plan_keeps_it_and_is_copied(self, folder, journal):
        world = World()
        world.jobs.rules = [
            {"RuleName": "daily", "TargetBackupVaultName": VAULT, "Lifecycle": {"DeleteAfterDays": 3}},
            {
                "RuleName": "weekly",
                "TargetBackupVaultName": VAULT,
                "Lifecycle": {"DeleteAfterDays": 35},
                "CopyActions": [
                    {
                        "DestinationBackupVaultArn": estate().recovery_vault_arn,
                        "Lifecycle": {"DeleteAfterDays": 40},
                    }
                ],
            },
        ]
        facts = world.run(["database"], folder, journal)
        (backup, asked), (copy, copied) = world.jobs.started
        assert (backup, copy) == ("start_backup_job", "start_copy_job")
        assert asked == {
            "BackupVaultName": VAULT,
            "ResourceArn": DATABASE_ARN,
            "IamRoleArn": "arn:aws:iam::123456789012:role/backup",
            "IdempotencyToken": "learning-platform-staging-backup-2026-11-21-0",
            "Lifecycle": {"DeleteAfterDays": 35},
            "RecoveryPointTags": {
                "Backup": "none",
                "CostCenter": "CC-1",
                "Environment": "staging",
                "Owner": "platform",
                "Project": "learning-platform",
                "Run": "2026-11-21",
                "RunbookRef": "000_b5883a9168e66709.txt 4",
                "Service": "backup",
            },
        }
        assert copied["RecoveryPointArn"] == facts["recoveryPoint"]
        assert copied["Lifecycle"] == {"DeleteAfterDays": 40}
        assert facts["recoveryCopy"].startswith("arn:aws:rds:us-west-2:")

    def test_a_plan_that_says_nothing_leaves_it_to_the_inventory(self, folder, journal):
        world = World()
        world.run(["database"], folder, journal)
        assert [asked["Lifecycle"] for _, asked in world.jobs.started] == [{"DeleteAfterDays": 28}] * 2

    def test_without_a_recovery_vault_there_is_no_copy(self, folder, journal):
        world = World()
        world.run(["database"], folder, journal, recovery_vault="")
        assert [call for call, _ in world.jobs.started] == ["start_backup_job"]

    def test_the_same_name_does_nothing_again_and_another_does(self, folder, journal):
        world = World()
        for name in ("2026-11-21", "2026-11-21", "before-release"):
            world.run(["database"], folder, journal, name=name)
        assert [asked.get("RecoveryPointTags", {}).get("Run") for _, asked in world.jobs.started] == [
            "2026-11-21",
            None,
            "before-release",
            None,
        ]

    def test_a_backup_of_the_plan_that_is_under_way_is_waited_for_and_is_not_ours(self, folder, journal):
        world = World()
        arn = "arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-plan"
        world.jobs.tags[arn] = {}
        world.jobs.jobs.append(
            {
                "BackupJobId": "plan",
                "BackupVaultName": VAULT,
                "RecoveryPointArn": arn,
                "ResourceArn": DATABASE_ARN,
                "CreationDate": world.jobs.now,
                "State": "RUNNING",
                "CreatedBy": {"BackupPlanId": "plan-1"},
            }
        )
        facts = world.run(["database"], folder, journal)
        assert facts["recoveryPoint"] != arn

    def test_a_job_that_fails_is_told_and_the_next_run_tries_again_under_a_new_token(self, folder, journal):
        world = World()
        world.jobs.failing = ["The database was stopped."]
        with pytest.raises(UserError) as raised:
            world.run(["database"], folder, journal)
        assert raised.value.lines == (
            "database: AWS Backup ended the backup job b-1 as FAILED: The database was stopped.",
        )
        world.run(["database"], folder, journal)
        assert [asked["IdempotencyToken"][-1] for _, asked in world.jobs.started] == ["0", "1", "0"]

    def test_a_copy_that_fails_leaves_the_backup_alone(self, folder, journal):
        world = World()
        world.jobs.failing = []
        world.run(["database"], folder, journal, recovery_vault="")
        world.jobs.failing = ["no key"]
        with pytest.raises(UserError, match=r"copy: AWS Backup ended the copy job c-2 as FAILED: no key\."):
            world.run(["database"], folder, journal)
        world.run(["database"], folder, journal)
        assert [call for call, _ in world.jobs.started] == ["start_backup_job", "start_copy_job", "start_copy_job"]


class TestFiles:
    def test_every_server_is_told_once(self, folder, journal):
        world = World(servers=3)
        for _ in range(2):
            assert world.run(["files"], folder, journal)["servers"] == world.servers
        (sent,) = world.commands.sent
        assert sent == {
            "DocumentName": "staging-backup",
            "InstanceIds": world.servers,
            "Comment": "runbook backup 2026-11-21",
            "TimeoutSeconds": 600,
            "MaxErrors": "100%",
        }

    def test_servers_of_others_are_left_alone(self, folder, journal):
        world = World(servers=1)
        world.clients["ec2"].run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
        assert world.run(["files"], folder, journal)["servers"] == world.servers

    def test_one_that_fails_is_named_and_alone_is_told_again(self, folder, journal):
        world = World(servers=2, fates={1: ["Failed", "Success"]})
        sick = world.servers[1]
        with pytest.raises(UserError) as raised:
            world.run(["files"], folder, journal)
        (line,) = raised.value.lines
        assert line == (
            f"files: 1 of 2 servers are backed up. {sick}: Failed (aws ssm get-command-invocation --command-id "
            f"{'0' * 36} --instance-id {sick} tells more)."
        )
        world.run(["files"], folder, journal)
        assert [sent["InstanceIds"] for sent in world.commands.sent] == [world.servers, [sick]]

    def test_one_that_does_not_answer_does_not_keep_the_others_from_it(self, folder, journal):
        world = World(servers=2, offline=[0])
        with pytest.raises(UserError) as raised:
            world.run(["files"], folder, journal)
        assert raised.value.lines == (
            f"files: 1 of 2 servers are backed up. {world.servers[0]} does not answer to Systems Manager.",
        )
        assert [sent["InstanceIds"] for sent in world.commands.sent] == [[world.servers[1]]]

    def test_without_a_server_there_is_nothing_to_tell(self, folder, journal):
        with pytest.raises(UserError, match="no server of the web tier runs"):
            World(servers=0).run(["files"], folder, journal)


class TestRepository:
    def test_the_bundle_holds_every_branch_and_can_be_cloned(self, folder, journal, tmp_path):
        git(folder, "branch", "other")
        world = World()
        key = world.run(["repository"], folder, journal)["repository"]
        assert key == f"repository/2026-11-21-{git(folder, 'rev-parse', 'HEAD')[:12]}.bundle"
        found = world.clients["s3"].get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", KEY)
        assert found["ChecksumSHA256"]
        (tmp_path / "fetched.bundle").write_bytes(found["Body"].read())
        git(tmp_path, "clone", "--quiet", "fetched.bundle", "clone")
        assert (tmp_path / "clone" / "Pulumi.yaml").is_file()
        assert "origin/other" in git(tmp_path / "clone", "branch", "--remotes")

    def test_it_is_uploaded_once_a_commit_and_nothing_is_left_on_the_machine(
        self, folder, journal, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
        (tmp_path / "temp").mkdir()
        world = World()
        for _ in range(2):
            world.run(["repository"], folder, journal)
        assert list(world.versions().values()) == [1]
        assert list((tmp_path / "temp").iterdir()) == []

    def test_somebody_who_was_faster_is_no_trouble(self, folder, journal):
        world = World()
        key = f"repository/2026-11-21-{git(folder, 'rev-parse', 'HEAD')[:12]}.bundle"

        def race(**_more):
            world.clients["s3"].meta.events.unregister("before-call.s3.PutObject", race)
            world.put(BUCKET, key, b"theirs")

        world.clients["s3"].meta.events.register("before-call.s3.PutObject", race)
        world.run(["repository"], folder, journal)
        assert world.clients["s3"].get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"theirs"
        assert world.versions() == {key: 1}

    def test_the_plan_tells_what_is_not_committed(self, folder):
        (folder / "new").write_text("")
        (stage,) = operation.stages(estate(), World().clients, ["repository"], "x", folder)
        assert stage.changes.endswith("and uploads it. 1 file not committed, which it leaves out.")

    def test_a_hook_s_variables_do_not_point_elsewhere(self, folder, journal, tmp_path, monkeypatch):
        repository(tmp_path / "elsewhere")
        git(tmp_path / "elsewhere", "commit", "--quiet", "--allow-empty", "--message", "two")
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere" / ".git"))
        key = World().run(["repository"], folder, journal)["repository"]
        monkeypatch.delenv("GIT_DIR")
        assert git(folder, "rev-parse", "HEAD")[:12] in key

    def test_what_is_no_repository_is_told(self, tmp_path, journal):
        with pytest.raises(UserError) as raised:
            World().run(["repository"], tmp_path, journal)
        assert "not a git repository" in raised.value.lines[0]

    def test_a_repository_without_a_commit_is_told(self, tmp_path, journal):
        git(tmp_path, "init", "--quiet")
        with pytest.raises(UserError) as raised:
            World().run(["repository"], tmp_path, journal)
        assert raised.value.lines[1] == "The repository is backed up from a complete clone with at least one commit."

    def test_a_shallow_clone_is_refused(self, folder, tmp_path, journal):
        git(folder, "commit", "--quiet", "--allow-empty", "--message", "two")
        git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{folder}", "shallow")
        with pytest.raises(UserError, match="is a shallow clone"):
            World().run(["repository"], tmp_path / "shallow", journal)

    def test_a_machine_without_git_is_told(self, folder, journal, monkeypatch):
        world = World()
        monkeypatch.setenv("PATH", "")
        with pytest.raises(UserError, match="There is no git on this machine"):
            world.run(["repository"], folder, journal)


class TestState:
    def test_everything_but_the_locks_is_copied_and_noted(self, folder, journal):
        world = World()
        keys = world.keep_state(**{".pulumi/locks/1.json": b"locked"})
        keys.remove(".pulumi/locks/1.json")
        assert world.run(["state"], folder, journal)["state"] == "state/2026-11-21/"
        assert world.listed() == sorted(f"state/2026-11-21/{key}" for key in [*keys, "manifest.json"])
        manifest = world.clients["s3"].get_object(Bucket=BUCKET, Key="state/2026-11-21/manifest.json")
        noted = json.loads(manifest["Body"].read())
        assert noted["bucket"] == STATE_BUCKET
        assert sorted(noted["objects"]) == keys
        assert all(noted["objects"].values())
        copied = world.clients["s3"].head_object(Bucket=BUCKET, Key=f"state/2026-11-21/{keys[0]}")
        assert copied["SSEKMSKeyId"] == KEY

    def test_a_copy_that_is_complete_stays_as_it_was(self, folder, journal):
        world = World()
        world.keep_state()
        world.run(["state"], folder, journal)
        world.put(STATE_BUCKET, ".pulumi/stacks/platform/new.json")
        before = world.versions()
        world.run(["state"], folder, journal)
        assert world.versions() == before

    def test_a_state_that_keeps_changing_is_told(self, folder, journal):
        world = World()
        world.keep_state()
        world.clients["s3"].meta.events.register(
            "before-call.s3.CopyObject",
            lambda **_more: world.put(STATE_BUCKET, f".pulumi/history/{len(world.listed())}.json"),
        )
        with pytest.raises(UserError, match="changes faster than it can be copied"):
            world.run(["state"], folder, journal)
        assert "state/2026-11-21/manifest.json" not in world.listed()

    def test_a_stack_without_such_a_bucket_is_said_to_keep_its_state_elsewhere(self):
        assert state.is_kept_in_s3(World().clients["s3"], estate()) is False
        assert state.elsewhere(estate()) == (
            f"The state of staging is not in S3 (there is no bucket {STATE_BUCKET}): Pulumi Cloud, or whatever back "
            "end holds it, keeps its own history."
        )


class TestWhole:
    def test_one_part_s_trouble_is_none_of_the_others(self, folder, journal):
        world = World(servers=1)
        world.keep_state()
        world.jobs.failing = ["broken"]
        with pytest.raises(UserError, match="broken"):
            world.run(ALL, folder, journal)
        assert [key.split("/")[0] for key in world.listed()] == ["repository", "state", "state", "state"]
        assert len(world.commands.sent) == 1
        assert [call for call, _ in world.jobs.started] == ["start_backup_job"]

    def test_a_plan_changes_nothing(self, folder):
        world = World()
        world.keep_state()
        planned = survey(list(operation.stages(estate(), world.clients, ALL, "x", folder)))
        assert [one.stage.name for one in planned] == ["database", "copy", "repository", "state", "files"]
        assert effects(world) == ([], 0, {})

    @pytest.mark.parametrize(
        ("what", "before"),
        [(KeyboardInterrupt, True), (KeyboardInterrupt, False), (THROTTLED, True)],
        ids=["killed before", "killed after", "throttled"],
    )
    def test_stopped_at_any_call_and_started_again_it_is_whole_and_nothing_is_done_twice(
        self, folder, journal, what, before
    ):
        world = World(servers=2)
        world.keep_state()
        trouble = Trouble(None, what, before=before)
        for client in world.clients.values():
            trouble.watch(client)
        for index in itertools.count(1):
            world.jobs.__init__()
            world.commands.__init__()
            trouble.at, trouble.count = index, 0
            name = f"run-{index}"
            try:
                world.run(ALL, folder, journal, name=name)
            except (KeyboardInterrupt, UserError):
                world.run(ALL, folder, journal, name=name)
            missed, trouble.at = trouble.at is not None, None
            jobs, commands, versions = effects(world)
            written = {key: times for key, times in versions.items() if name in key}
            assert (jobs, commands) == (["start_backup_job", "start_copy_job"], 1), f"trouble at call {index}"
            assert list(written.values()) == [1, 1, 1, 1], f"trouble at call {index}"
            if missed:  # there is no such call
                break
        assert index > 30


class TestNames:
    @pytest.mark.parametrize("name", ["2026-11-21", "before-release", "a", "X" * 40])
    def test_a_name_may_be_a_date_or_words(self, name):
        assert checked_name(name) == name

    @pytest.mark.parametrize("name", ["", "-x", "a/b", "a b", "../x", "X" * 41, "ä"])
    def test_what_could_not_be_part_of_a_key_is_refused(self, name):
        with pytest.raises(UserError, match="cannot be the name of a run"):
            checked_name(name)


def test_the_estate_is_read_from_the_inventory():
    assert read_estate(site(), INVENTORY.__getitem__) == estate()


def test_a_stack_without_copies_or_restore_tests_says_nothing_of_them():
    said = {
        name: one for name, one in INVENTORY["backup"].items() if name not in ("recoveryVault", "restoreTestingPlan")
    }
    found = read_estate(site("none"), (INVENTORY | {"backup": said}).__getitem__)
    assert (found.recovery_vault, found.restore_testing) == ("", False)
    assert (found.vaults_locked, found.bucket_locked) == (False, False)


def test_an_inventory_that_lacks_something_is_told():
    entries = INVENTORY | {"archive": {}}
    with pytest.raises(UserError) as raised:
        read_estate(site(), entries.__getitem__)
    assert raised.value.lines == (
        "The inventory of archive (/learning-platform/staging/inventory/archive) does not say backupBucket.",
        "`make up STACK=staging` writes it anew.",
    )
