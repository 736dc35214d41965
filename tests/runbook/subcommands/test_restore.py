"""``runbook restore`` and ``runbook drill`` as a person types them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
import typer

from runbook import streams
from runbook.errors import UserError
from runbook.subcommands import drill, restore
from tests.runbook.operations.restore.fakes import ACCOUNT, BACKUPS, EVIDENCE, PRODUCTION, REGION, World
from tests.runbook.operations.restore.test_drill import PREFIX, put

ROOT = Path(__file__).parents[3]

app = typer.Typer()
app.add_typer(restore.app, name="restore")
app.add_typer(drill.app, name="drill")


@pytest.fixture
def folder(tmp_path):
    """The project with its staging stack in the account that the stand-in knows."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    text = (ROOT / "Pulumi.staging.yaml").read_text()
    (project / "Pulumi.staging.yaml").write_text(text.replace("528846019273", ACCOUNT))
    return project


@pytest.fixture
def world(monkeypatch):
    made = World(ROOT)
    # Nothing waits here: the hours of a restore are for the operation's own tests.
    made.rds.statuses, made.rds.lingers = [], 0
    made.entry["rpoMinutes"] = 100_000_000
    put(made)
    ssm = boto3.client("ssm", region_name=REGION)
    entries = {
        "archive": {
            "backupBucket": BACKUPS,
            "evidenceBucket": EVIDENCE,
            "keyArn": made.key,
            "prefix": PREFIX,
            "restoreDocument": "archive-restore-1a2b3c4",
        },
        "backup": made.entry,
        "changes": {"calendar": "learning-platform-staging-changes"},
        "database": {"identifier": PRODUCTION},
    }
    for component, entry in entries.items():
        name = f"/learning-platform/staging/inventory/{component}"
        ssm.put_parameter(Name=name, Value=json.dumps(entry), Type="String")

    def clients(region, _profile, *names):
        return {name: made.clients.get(name) or boto3.client(name, region_name=region) for name in names}

    monkeypatch.setattr("runbook.operations.aws.clients", clients)
    monkeypatch.setattr("runbook.operations.restore.validator.client", lambda *_: made.validator)
    return made


def runbook(folder, *arguments):
    """As ``cli.main`` calls it."""
    try:
        typer.main.get_command(app)(args=[*arguments, "-e", "staging", "-C", str(folder)], prog_name="runbook")
    except SystemExit as end:
        return end.code
    except UserError as error:
        streams.complain(error.lines)
        return 2


def keys(world, prefix):
    return sorted(world.records(prefix))


def test_a_plan_shows_the_calls_and_makes_none(folder, world, capsys):
    assert runbook(folder, "restore", "database") == 0
    out = capsys.readouterr().out
    assert "rds.restore_db_instance_from_db_snapshot" in out
    assert "Nothing was changed; --apply takes them." in out
    assert f"aws rds modify-db-instance --region us-east-1 --db-instance-identifier {PRODUCTION}" in out
    assert (world.instances(), world.records()) == ({PRODUCTION}, set())


def test_a_trial_restore_tells_its_verdict_and_where_the_record_is(folder, world, capsys):
    assert runbook(folder, "restore", "database", "--apply") == 0
    out = capsys.readouterr().out
    (record,) = keys(world, "restores/")
    name = f"restore-{datetime.now(UTC):%Y-%m-%d}"
    assert f"{name}: passed" in out
    assert f"The record is s3://{EVIDENCE}/{record}." in out
    assert world.instances() == {PRODUCTION}


def test_the_month_s_drill_is_done_once_and_again_on_request(folder, world, capsys):
    month = f"{datetime.now(UTC):%Y/%m/drill-%Y-%m}"
    assert runbook(folder, "drill", "restore", "--apply") == 0
    assert runbook(folder, "drill", "restore", "--apply") == 0
    assert keys(world, "drills/") == [f"drills/{month}.json"]
    assert runbook(folder, "drill", "restore", "--apply", "--again") == 0
    assert keys(world, "drills/") == [f"drills/{month}-2.json", f"drills/{month}.json"]
    assert len(world.rds.deleted) == 2
    capsys.readouterr()
    assert runbook(folder, "drill", "restore") == 0
    assert "All is done." in capsys.readouterr().out


def test_a_missed_target_ends_with_1(folder, world, capsys):
    world.validator.answers = [{"outcome": "FAILED", "faults": ["The restored database has no rows."]}]
    assert runbook(folder, "drill", "restore", "--apply") == 1
    out = capsys.readouterr().out
    assert "rows: The restored database has no rows. (wanted: rows answered)" in out
    assert "RTO: not measured" in out


def test_a_failed_drill_ends_with_1_and_its_record_is_there(folder, world, capsys):
    world.rds.end = "incompatible-restore"
    assert runbook(folder, "drill", "restore", "--apply") == 1
    told = capsys.readouterr()
    assert "RDS gave the copy up" in told.err
    assert re.search(r"drill-\d{4}-\d\d: failed", told.out)
    assert world.instances() == {PRODUCTION}


def test_what_a_person_gets_wrong_is_told_before_anything_is_done(folder, world, capsys):
    for arguments, told in (
        (("restore", "database", "--from", "yesterday"), "'yesterday' is no time with a zone."),
        (("restore", "database", "--run", "drill-2026-11"), "drill-2026-11 is no restore."),
        (("drill", "restore", "--run", "november"), "'november' is no run."),
        (("restore", "database", "--region", "recovery"), "staging has no isolated subnet group"),
        (("restore", "files", "--host", "web-1"), "'web-1' is no instance."),
    ):
        assert runbook(folder, *arguments, "--apply") == 2
        assert capsys.readouterr().err.startswith(told)
    assert (world.instances(), world.records()) == ({PRODUCTION}, set())


@pytest.mark.usefixtures("world")
def test_a_kept_copy_is_offered_to_the_next_run(folder, capsys):
    runbook(folder, "restore", "database", "--apply", "--keep", "--run", "restore-2026-11-05")
    capsys.readouterr()
    assert runbook(folder, "restore", "database") == 0
    out = capsys.readouterr().out
    assert (
        "  runbook restore database -e staging --run restore-2026-11-05 --apply   # "
        "learning-platform-staging-restore-2026-11-05, due by "
    ) in out


def test_the_document_is_all_there_is_on_standard_output(folder, world, capsys):
    assert runbook(folder, "drill", "restore", "--apply", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["applied"], document["facts"]["verdict"]) == (True, "passed")
    assert world.instances() == {PRODUCTION}


@pytest.mark.usefixtures("world")
def test_files_are_planned_without_telling_the_host(folder, capsys):
    assert runbook(folder, "restore", "files", "--override", "The site is down") == 0
    out = capsys.readouterr().out
    assert "Leaves the change calendar out of account: The site is down [done]" in out
    assert "ssm.send_command" in out
    assert 'Parameters  {"backup": ["i-0123456789abcdef0/20261101T000000Z"], "mode": ["apply"]}' in out
    assert out.endswith("2 steps to take. Nothing was changed; --apply takes them.\n")


@pytest.mark.parametrize("command", [("restore", "database"), ("restore", "files"), ("drill", "restore")])
def test_the_permissions_need_no_credentials(folder, capsys, monkeypatch, command):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert runbook(folder, *command, "--permissions") == 0
    policy = json.loads(capsys.readouterr().out)
    sids = [statement["Sid"] for statement in policy["Statement"]]
    assert len(sids) == len(set(sids)) > 5
