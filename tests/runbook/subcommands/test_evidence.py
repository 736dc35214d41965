"""``runbook evidence`` as a person types it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import typer

from runbook import desk, streams
from runbook.errors import UserError
from runbook.evidence.manifest import NAME
from runbook.operations import aws
from runbook.subcommands import evidence
from tests.runbook.evidence.world import EVIDENCE, NOW, PERIOD, REGION, World

app = typer.Typer()
app.add_typer(evidence.app, name="evidence")

DAYS = ("--from", str(PERIOD.first), "--to", str(PERIOD.last))


@pytest.fixture
def world(monkeypatch, tmp_path):
    """The account, with the current folder as the project's."""
    made = World(tmp_path, hours=72)
    (tmp_path / "Pulumi.yaml").write_text("name: learning-platform\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(desk, "site", lambda _environment, _folder: made.site)
    monkeypatch.setattr(evidence, "_now", lambda: NOW)
    reach = aws.clients
    monkeypatch.setattr(
        aws, "clients", lambda region, profile, *names: reach(region, profile, *names) | known(made.clients, names)
    )
    ssm = reach(REGION, None, "ssm")["ssm"]
    for component, entry in made.inventory.items():
        ssm.put_parameter(Name=made.site.parameter(component), Value=json.dumps(entry), Type="String")
    return made


def known(clients, names):
    return {name: clients[name] for name in names if name in clients}


def runbook(*arguments):
    """As ``cli.main`` calls it."""
    try:
        typer.main.get_command(app)(args=["evidence", *arguments], prog_name="runbook")
    except SystemExit as end:
        return end.code
    except UserError as error:
        streams.complain(error.lines)
        return 2


def collect(*more):
    return runbook("collect", "-e", "staging", *DAYS, *more)


def test_a_bundle_is_collected_into_a_folder_and_stored_nowhere(world, capsys):
    assert collect() == 0
    out = capsys.readouterr().out
    name = f"staging-{PERIOD.first}-to-{PERIOD.last}"
    assert f"Bundle {name}\n  ok     audits: 2 files\n  none   restores: 0 files\n" in out
    assert f"The bundle is in reports/evidence/{name}." in out
    assert "1 step to take. Nothing was changed; --apply takes them." in out
    assert (world.folder / "reports" / "evidence" / name / NAME).is_file()
    assert world.bundles() == {}


def test_with_apply_it_is_stored_locked_and_the_second_time_left_alone(world, capsys):
    assert collect("--apply") == 0
    out = capsys.readouterr().out
    until = NOW + timedelta(days=365)
    assert f"Stores the bundle in {EVIDENCE}, locked until {until:%Y-%m-%d} (compliance)" in out
    assert f"stored: s3://{EVIDENCE}/audits/bundles/000001.zip" in out
    assert collect("--apply") == 0
    assert f"It is stored as s3://{EVIDENCE}/audits/bundles/000001.zip; --again" in capsys.readouterr().out
    assert world.bundles() == {"audits/bundles/000001.zip": 1}


def test_again_collects_one_more_that_follows_the_first(world, capsys):
    for more in ((), ("--again",), ("--again",)):
        assert collect("--apply", *more) == 0
    assert len(world.bundles()) == 3
    capsys.readouterr()
    assert runbook("verify", f"s3://{EVIDENCE}") == 0
    assert capsys.readouterr().out.endswith("3 bundles verified: as collected.\n")
    assert runbook("verify", "reports/evidence") == 0


def test_what_is_missing_is_told_and_ends_with_1(world, capsys):
    world.clients["ssm"].delete_parameter(Name=world.site.parameter("patching"))
    assert collect("--apply") == 1
    out = capsys.readouterr().out
    assert "  lacks  patches: 0 files\n" in out
    assert "whatever else there is: staging has no inventory of patching" in out
    assert collect() == 1


@pytest.mark.usefixtures("world")
def test_a_machine_gets_one_document(capsys):
    assert collect("--json", "--apply") == 0
    first = json.loads(capsys.readouterr().out)
    assert first["stored"] == f"s3://{EVIDENCE}/audits/bundles/000001.zip"
    assert first["manifest"]["id"] == first["bundle"].rpartition("/")[2]
    assert collect("--json") == 0
    second = json.loads(capsys.readouterr().out)
    assert (second["manifest"], second["stored"], second["bundle"]) == (first["manifest"], first["stored"], None)
    assert runbook("verify", first["stored"], "--json", "--expect", first["manifestSha256"]) == 0
    assert json.loads(capsys.readouterr().out)["well"] is True


def test_a_bundle_that_was_changed_ends_with_1_and_a_sentence(world, capsys):
    collect()
    (folder,) = (world.folder / "reports" / "evidence").iterdir()
    (folder / "alarms" / "history.json").write_text("{}")
    capsys.readouterr()
    assert runbook("verify", str(folder)) == 1
    out = capsys.readouterr().out
    assert "alarms/history.json was changed: it is not what was collected." in out
    assert out.endswith("1 of 1 bundle not as collected.\n")
    assert collect() == 2
    assert "Move it away and keep it, then collect again." in capsys.readouterr().err


def test_a_folder_is_verified_without_credentials(world, monkeypatch, capsys):
    collect()
    (folder,) = (world.folder / "reports" / "evidence").iterdir()
    monkeypatch.setattr(aws, "clients", None)
    assert runbook("verify", str(folder)) == 0
    assert capsys.readouterr().out.endswith("1 bundle verified: as collected.\n")


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (("2026-11-31", "2026-12-01"), "'2026-11-31' is no day."),
        (("yesterday", "2026-12-01"), "'yesterday' is no day."),
        (("20261101", "2026-12-01"), "'20261101' is no day."),
        (("2026-02-02", "2026-02-01"), "--from 2026-02-02 is after --to 2026-02-01."),
        (("2026-02-02", str(NOW.date())), f"--to {NOW.date()} is not over yet"),
    ],
)
@pytest.mark.usefixtures("world")
def test_days_that_are_none_are_told(capsys, days, told):
    assert runbook("collect", "-e", "staging", "--from", days[0], "--to", days[1]) == 2
    assert capsys.readouterr().err.startswith(told)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere",), "There is no nowhere."),
        (("s3://X",), "s3://X names no bucket."),
        (("s3://evidence-0a1b2c3/drills/",), None),
        ((".", "--expect", "1234"), "'1234' is no SHA-256 hash."),
    ],
)
@pytest.mark.usefixtures("world")
def test_places_that_are_none_are_told(capsys, arguments, told):
    code = runbook("verify", *arguments)
    told_of = capsys.readouterr()
    if told is None:
        assert (code, "The archive cannot be read" in told_of.out) == (1, True)
    else:
        assert (code, told_of.err.partition("\n")[0]) == (2, told)


def test_the_permissions_need_no_credentials_and_delete_nothing(world, monkeypatch, capsys):
    monkeypatch.setattr(aws, "clients", None)
    assert collect("--permissions") == 0
    statements = json.loads(capsys.readouterr().out)["Statement"]
    assert len({one["Sid"] for one in statements}) == len(statements)
    writing = {
        action: one["Resource"]
        for one in statements
        for action in one["Action"]
        if not action.partition(":")[2].startswith(("Get", "List", "Describe", "Decrypt"))
    }
    assert writing == {
        "kms:GenerateDataKey": [f"arn:aws:kms:us-east-1:{world.site.account_id}:key/*"],
        "s3:PutObject": ["arn:aws:s3:::*/audits/bundles/*"],
        "s3:PutObjectRetention": ["arn:aws:s3:::*/audits/bundles/*"],
    }
    assert runbook("verify", f"s3://{EVIDENCE}/audits/bundles/000001.zip", "--permissions") == 0
    assert [one["Sid"] for one in json.loads(capsys.readouterr().out)["Statement"]] == [
        "ListBundles",
        "ReadBundles",
        "UseKey",
    ]
