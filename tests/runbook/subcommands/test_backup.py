"""``runbook backup`` as a person types it."""

import json

import pytest

from runbook.errors import UserError
from runbook.operations import procedure
from tests.runbook.operations.backups import (
    BUCKET,
    HOSTS,
    INVENTORY,
    RECOVERY_VAULT,
    STATE_BUCKET,
    VAULT,
    World,
    repository,
)

from .sitting import note, policy, typed

READS = ("Describe", "Get", "List")


@pytest.fixture
def world(sitting, monkeypatch, tmp_path):
    made = World(servers=1)
    sitting.update(backup=[made.jobs], ssm=[made.commands])
    rds = Rds(made)
    sitting["rds"] = [rds]
    note(**INVENTORY)
    repository(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    made.jobs.vaults = {
        VAULT: {"here": True, "Locked": True},
        RECOVERY_VAULT: {"here": False, "Locked": True, "EncryptionKeyArn": "there"},
    }
    return made


class Rds:
    def __init__(self, world):
        self.list_tags_for_resource = world.jobs.list_tags_for_resource
        self.now = world.jobs.now

    def describe_db_snapshots(self, **_asked):
        return {"DBSnapshots": []}

    def describe_db_instances(self, **_asked):
        return {"DBInstances": [{"InstanceCreateTime": self.now, "KmsKeyId": "k"}]}


@pytest.mark.usefixtures("world")
def test_a_status_that_is_not_well_ends_with_1():
    code, printed = typed("backup", "status", "-e", "staging")
    assert code == 1
    assert "missing  weekly backup of the database: none; due every 8 days" in printed


@pytest.mark.usefixtures("world")
def test_a_machine_gets_one_document():
    code, printed = typed("backup", "status", "-e", "staging", "--json")
    assert (code, json.loads(printed)["well"]) == (1, False)


@pytest.mark.usefixtures("world")
def test_a_verification_that_finds_faults_ends_with_1():
    code, printed = typed("backup", "verify", "-e", "staging")
    assert code == 1
    assert "There is no bundle; `runbook backup run` makes one." in printed
    code, printed = typed("backup", "verify", "-e", "staging", "--json")
    assert (code, json.loads(printed)["well"]) == (1, False)


def test_a_run_without_apply_changes_nothing(world):
    code, printed = typed("backup", "run", "-e", "staging")
    assert code == 0
    assert "backup.start_backup_job" in printed
    assert printed.count("The state of staging is not in S3") == 1
    assert (world.jobs.started, world.commands.sent, world.listed()) == ([], [], [])


@pytest.mark.parametrize(
    ("what", "left"),
    [("database", []), ("repository", ["repository"]), ("state", ["state"] * 3), ("files", [])],
)
def test_one_part_alone_is_backed_up(world, monkeypatch, what, left):
    monkeypatch.setitem(procedure.run.__kwdefaults__, "pause", lambda _seconds: None)
    world.keep_state()
    code, printed = typed("backup", "run", "-e", "staging", "--what", what, "--name", "x", "--apply", "--json")
    assert (code, json.loads(printed)["applied"]) == (0, True)
    assert [key.split("/")[0] for key in world.listed()] == left


@pytest.mark.usefixtures("world")
def test_a_state_that_is_elsewhere_is_told_where_it_is_all_that_was_asked_for():
    with pytest.raises(UserError, match="The state of staging is not in S3"):
        typed("backup", "run", "-e", "staging", "--what", "state")


@pytest.mark.usefixtures("world")
def test_a_name_that_cannot_be_is_told_before_aws_is_asked():
    with pytest.raises(UserError, match="cannot be the name of a run"):
        typed("backup", "run", "-e", "staging", "--name", "../x")


@pytest.mark.parametrize("words", [("--days", "0"), ("--days", "31")])
@pytest.mark.usefixtures("sitting")
def test_days_that_aws_does_not_know_are_refused(words):
    assert typed("backup", "status", "-e", "staging", *words)[0] == 2


@pytest.mark.usefixtures("sitting")
def test_a_stack_without_backups_is_told():
    with pytest.raises(UserError, match="staging has no inventory of archive"):
        typed("backup", "status", "-e", "staging")


@pytest.mark.parametrize("command", ["status", "verify"])
@pytest.mark.usefixtures("sitting")
def test_who_only_looks_needs_only_to_read(command):
    actions = [action for one in policy("backup", command, "-e", "staging").values() for action in one["Action"]]
    assert [one for one in actions if not one.split(":")[1].startswith(READS)] == (
        ["kms:Decrypt"] if command == "verify" else []
    )


@pytest.mark.usefixtures("sitting")
def test_who_backs_up_writes_where_backups_are_and_deletes_nothing():
    found = policy("backup", "run", "-e", "staging")
    writing = {
        action for one in found.values() for action in one["Action"] if not action.split(":")[1].startswith(READS)
    }
    assert writing == {
        "backup:StartBackupJob",
        "backup:StartCopyJob",
        "backup:TagResource",
        "iam:PassRole",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "s3:PutObject",
        "ssm:SendCommand",
    }
    assert found["WriteBackups"]["Resource"] == ["arn:aws:s3:::*/repository/*", "arn:aws:s3:::*/state/*"]
    assert found["WriteBackups"]["Condition"] == {"StringEquals": {"aws:ResourceAccount": "123456789012"}}
    assert found["PassRole"]["Condition"] == {"StringEquals": {"iam:PassedToService": "backup.amazonaws.com"}}
    assert f"arn:aws:s3:::{STATE_BUCKET}" in found["ListBackups"]["Resource"]
    assert f"arn:aws:s3:::*/{HOSTS.split('/')[0]}/*" in found["ReadBackups"]["Resource"]
    assert BUCKET not in json.dumps(found)
