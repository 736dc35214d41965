"""A host's files: the right backup, verified before, put back once, and nothing restarted."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from runbook.errors import UserError
from runbook.operations.journal import Journal
from runbook.operations.procedure import actions, run
from runbook.operations.restore import permissions
from runbook.operations.restore.evidence import Run
from runbook.operations.restore.files import (
    Job,
    Shelf,
    backups,
    choose,
    newest_check,
    next_run,
    next_steps,
    stages,
    verify,
)

from .fakes import ACCOUNT, BACKUPS, NOW, REGION, WHO, Clock, Dying, Pages, site

ROOT = Path(__file__).parents[4]
PREFIX = f"hosts/arn:aws:ec2:{REGION}:{ACCOUNT}:instance/"
OTHER = "i-0fedcba9876543210"
DOCUMENT = "archive-restore-1a2b3c4"
CALENDAR = "learning-platform-staging-changes"


class Ssm:
    """Systems Manager, whose hosts take a while. ``statuses``: look by look, before ``end``."""

    def __init__(self, end="Success", said="Restored; what it replaced is kept\n"):
        self.commands, self.statuses, self.end, self.said = [], ["Pending", "InProgress"], end, said
        self.online = "Online"
        self.calendar = {"State": "OPEN"}

    def get_calendar_state(self, **asked):
        assert asked == {"CalendarNames": [CALENDAR]}
        return self.calendar

    def send_command(self, **arguments):
        self.commands.append({**arguments, "CommandId": f"c-{len(self.commands)}", "Status": "InProgress"})

    def get_paginator(self, name):
        assert name == "list_commands"
        return Pages({"Commands": [dict(one) for one in reversed(self.commands)]})

    def get_command_invocation(self, *, CommandId, InstanceId):  # noqa: N803 - boto3's names
        (command,) = [one for one in self.commands if one["CommandId"] == CommandId]
        assert command["InstanceIds"] == [InstanceId]
        if self.statuses and self.statuses[0] == "Pending":
            self.statuses.pop(0)
            raise ClientError({"Error": {"Code": "InvocationDoesNotExist"}}, "GetCommandInvocation")
        status = self.statuses.pop(0) if self.statuses else self.end
        command["Status"] = status
        return {"Status": status, "StandardOutputContent": self.said, "StandardErrorContent": ""}

    def describe_instance_information(self, **_):
        return {"InstanceInformationList": [{"PingStatus": self.online}]}


@pytest.fixture
def s3():
    client = boto3.client("s3", region_name=REGION)
    client.create_bucket(Bucket=BACKUPS)
    return client


@pytest.fixture
def host():
    ec2 = boto3.client("ec2", region_name=REGION)
    tags = [{"Key": "Project", "Value": "learning-platform"}, {"Key": "Environment", "Value": "staging"}]
    (made,) = ec2.run_instances(
        ImageId="ami-12c6146b", MinCount=1, MaxCount=1, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}]
    )["Instances"]
    return made["InstanceId"]


def shelf(s3):
    return Shelf(s3=s3, bucket=BACKUPS, prefix=PREFIX, owner=ACCOUNT)


def put(s3, name, content=b"archive", digest=None, manifest=True):
    s3.put_object(Bucket=BACKUPS, Key=f"{PREFIX}{name}.tar.gz", Body=content)
    if manifest:
        text = f"{digest or hashlib.sha256(content).hexdigest()}\n-rw-r--r-- root/root 1 2026-11-01 00:00 etc/x\n"
        s3.put_object(Bucket=BACKUPS, Key=f"{PREFIX}{name}.manifest", Body=text)


def job(s3, host, name=None, number=1, override=""):
    found = backups(shelf(s3), host)
    return Job(
        site=site(ROOT),
        run=Run(f"files-2026-11-05{f'-{number}' if number > 1 else ''}"),
        shelf=shelf(s3),
        document=DOCUMENT,
        backup=choose(found, host, name),
        target=host,
        calendar=CALENDAR,
        override=override,
    )


def carry_out(made, ssm, folder, clients=None):
    clients = clients or {"ec2": boto3.client("ec2", region_name=REGION), "ssm": ssm}
    clock = Clock()
    book = Journal(folder, "restore", environment="staging", account=ACCOUNT, who=WHO)
    return run(stages(made, clients), clients, book, pause=clock.pause, clock=clock.monotonic)


def test_only_finished_backups_count_and_the_newest_is_first(s3):
    put(s3, f"{OTHER}/20261101T000000Z")
    put(s3, f"{OTHER}/20261103T000000Z", manifest=False)
    put(s3, "i-0123456789abcdef0/20261102T000000Z")
    assert [one.name for one in backups(shelf(s3), "newest")] == [
        "i-0123456789abcdef0/20261102T000000Z",
        f"{OTHER}/20261101T000000Z",
    ]
    assert [one.name for one in backups(shelf(s3), OTHER)] == [f"{OTHER}/20261101T000000Z"]


def test_a_backup_is_found_by_time_by_name_and_by_key(s3):
    for day in (1, 2, 3):
        put(s3, f"{OTHER}/2026110{day}T000000Z")
    found = backups(shelf(s3), OTHER)
    second = f"{OTHER}/20261102T000000Z"
    for at in ("2026-11-02T12:00:00Z", second, f"{PREFIX}{second}.manifest", f"{PREFIX}{second}.tar.gz"):
        assert choose(found, OTHER, at).name == second
    assert choose(found, OTHER, None).taken == datetime(2026, 11, 3, tzinfo=UTC)


def test_wrong_inputs_are_sentences(s3):
    with pytest.raises(UserError, match="'web-1' is no instance"):
        backups(shelf(s3), "web-1")
    with pytest.raises(UserError, match="There is no finished backup of any host"):
        choose((), "newest", None)
    put(s3, f"{OTHER}/20261102T000000Z")
    with pytest.raises(UserError) as told:
        choose(backups(shelf(s3), OTHER), OTHER, "2026-10-01T00:00:00Z")
    assert told.value.lines == (
        f"There is no finished backup of {OTHER} at 2026-10-01T00:00:00Z.",
        f"The newest are: {OTHER}/20261102T000000Z.",
    )


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ({}, "has the checksum of its manifest"),
        ({"digest": "0" * 64}, "is not the one that was saved"),
        ({"digest": "short"}, "has no checksum"),
    ],
)
def test_an_archive_is_held_against_its_manifest(s3, damage, found):
    put(s3, f"{OTHER}/20261102T000000Z", **damage)
    check, told = newest_check(shelf(s3))
    assert (check.passed, found in check.found) == (not damage, True)
    assert told == {"backup": f"{OTHER}/20261102T000000Z", "taken": "2026-11-02T00:00:00Z"}


def test_an_archive_that_is_gone_fails(s3):
    put(s3, f"{OTHER}/20261102T000000Z")
    s3.delete_object(Bucket=BACKUPS, Key=f"{PREFIX}{OTHER}/20261102T000000Z.tar.gz")
    assert verify(shelf(s3), backups(shelf(s3), OTHER)[0]).found.endswith("is missing")


def test_the_host_puts_the_files_in_place_and_its_verdict_is_told(s3, host, tmp_path):
    put(s3, f"{host}/20261102T000000Z")
    ssm, made = Ssm(), job(s3, host)
    facts = carry_out(made, ssm, tmp_path)
    assert [
        {key: one[key] for key in ("Comment", "DocumentName", "InstanceIds", "Parameters")} for one in ssm.commands
    ] == [
        {
            "Comment": f"runbook restore files-2026-11-05 on {host}",
            "DocumentName": DOCUMENT,
            "InstanceIds": [host],
            "Parameters": {"backup": [f"{host}/20261102T000000Z"], "mode": ["apply"]},
        }
    ]
    assert facts["verdict"] == "Restored; what it replaced is kept"
    assert next_steps(made)[0] == f"aws ssm start-session --target {host} --region us-east-1"


@pytest.mark.parametrize("before", [True, False])
def test_killed_at_any_call_and_started_again_the_host_is_told_once(s3, host, tmp_path, before):
    put(s3, f"{host}/20261102T000000Z")
    ec2 = boto3.client("ec2", region_name=REGION)
    counted = Dying({"ec2": ec2, "ssm": Ssm()})
    carry_out(job(s3, host), None, tmp_path, counted.clients)
    for dies_at in range(1, counted.count + 1):
        ssm = Ssm()
        with pytest.raises(KeyboardInterrupt):
            carry_out(job(s3, host), None, tmp_path, Dying({"ec2": ec2, "ssm": ssm}, dies_at, before=before).clients)
        carry_out(job(s3, host), ssm, tmp_path)
        assert len(ssm.commands) == 1


def test_a_damaged_backup_reaches_no_host(s3, host, tmp_path):
    put(s3, f"{host}/20261102T000000Z", digest="0" * 64)
    ssm = Ssm()
    with pytest.raises(UserError, match="Name an older backup with --at"):
        carry_out(job(s3, host), ssm, tmp_path)
    assert ssm.commands == []


def test_a_host_that_fails_is_told_with_its_reason(s3, host, tmp_path):
    put(s3, f"{host}/20261102T000000Z")
    with pytest.raises(UserError, match=rf"{host} ended with Failed: nginx refuses. --again tries once more"):
        carry_out(job(s3, host), Ssm("Failed", "nginx refuses"), tmp_path)


def test_a_host_of_another_stack_or_one_that_is_silent_is_left_alone(s3, host, tmp_path):
    put(s3, f"{host}/20261102T000000Z")
    silent = Ssm()
    silent.online = "ConnectionLost"
    with pytest.raises(UserError, match="does not answer to Systems Manager"):
        carry_out(job(s3, host), silent, tmp_path)
    boto3.client("ec2", region_name=REGION).create_tags(
        Resources=[host], Tags=[{"Key": "Environment", "Value": "prod"}]
    )
    ssm = Ssm()
    with pytest.raises(UserError, match="is not one of staging"):
        carry_out(job(s3, host), ssm, tmp_path)
    assert ssm.commands == silent.commands == []


def test_another_backup_on_the_same_day_wants_another_run(s3, host, tmp_path):
    for day in (1, 2):
        put(s3, f"{host}/2026110{day}T000000Z")
    ssm = Ssm()
    carry_out(job(s3, host), ssm, tmp_path)
    older = f"{host}/20261101T000000Z"
    with pytest.raises(UserError, match="--again is another run"):
        carry_out(job(s3, host, older), ssm, tmp_path)
    again = next_run(ssm, DOCUMENT, host, NOW, again=True)
    assert again.name == "files-2026-11-05-2"
    assert next_run(ssm, DOCUMENT, host, NOW, again=False).name == "files-2026-11-05"
    carry_out(job(s3, host, older, number=2), ssm, tmp_path)
    assert [one["Parameters"]["backup"] for one in ssm.commands] == [[f"{host}/20261102T000000Z"], [older]]


def test_the_policy_grants_what_the_stages_use(s3, host):
    put(s3, f"{host}/20261102T000000Z")
    used = set(actions(stages(job(s3, host), {"ec2": None, "ssm": None})))
    granted = {action for statement in permissions.of_files(site(ROOT)) for action in statement["Action"]}
    assert granted == used | {"kms:Decrypt", "s3:ListBucket", "ssm:GetParameter"}


def test_nothing_is_put_back_while_the_change_calendar_is_closed(s3, host, tmp_path):
    put(s3, f"{host}/20261101T000000Z")
    ssm = Ssm()
    ssm.calendar = {"State": "CLOSED", "NextTransitionTime": "2026-12-19T23:00:00Z"}
    with pytest.raises(UserError) as told:
        carry_out(job(s3, host), ssm, tmp_path)
    assert told.value.lines == (
        "calendar: the change calendar is closed until 2026-12-19T23:00:00Z. Choose another time, or say why it cannot "
        'wait: --override "reason".',
    )
    assert ssm.commands == []


def test_a_reason_overrides_the_calendar_and_is_a_fact_of_the_run(s3, host, tmp_path):
    put(s3, f"{host}/20261101T000000Z")
    ssm = Ssm()
    ssm.calendar = {"State": "CLOSED"}
    facts = carry_out(job(s3, host, override="The site is down"), ssm, tmp_path)
    assert facts["override"] == "The site is down"
    assert len(ssm.commands) == 1
