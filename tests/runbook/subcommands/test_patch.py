"""``runbook patch`` as a person types it, with the project's own stack files."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
import typer
from typer.testing import CliRunner

from runbook import desk
from runbook.errors import UserError
from runbook.operations import aws
from runbook.operations.patching import stack_file
from runbook.operations.patching.stack_file import Edit
from runbook.subcommands import patch
from tests.runbook.operations.fakes.backup_jobs import attach
from tests.runbook.operations.test_patching import IMAGE, INVENTORY, NOW, OLD_IMAGE, WEDNESDAY, Staging

PROJECT = Path(__file__).parents[3]

ROOT = typer.Typer()
ROOT.add_typer(patch.app, name="patch")


@pytest.fixture
def folder(tmp_path):
    """The project's settings, prod being at a known level."""
    made = tmp_path / "project"
    made.mkdir()
    for path in PROJECT.glob("Pulumi*.yaml"):
        shutil.copy(path, made)
    prod = made / "Pulumi.prod.yaml"
    level = [
        Edit(section="patching", key="approve_until", value="2026-11-10"),
        Edit(section="web", key="image_id", value=OLD_IMAGE),
    ]
    prod.write_text(stack_file.edited(prod.read_text(), "learning-platform", level))
    return made


@pytest.fixture
def staging(monkeypatch, folder):
    """Staging after a run of three days ago, with what the stack wrote down of itself."""
    found = Staging()
    site = desk.site("staging", folder)
    for component, entry in INVENTORY.items():
        boto3.client("ssm", site.region).put_parameter(
            Name=site.parameter(component), Value=json.dumps(entry), Type="String"
        )
    services = {"ssm": found.patches, "cloudwatch": found.alarms, "rds": found.databases}
    reach = aws.clients

    def attached(region, profile, *names):
        reached = reach(region, profile, *names)
        return {name: attach(reached[name], services[name]) if name in services else reached[name] for name in names}

    monkeypatch.setattr(aws, "clients", attached)
    monkeypatch.setattr(desk, "caller", lambda _sts, **_site: "arn:aws:sts::1:assumed-role/ops/ana")
    monkeypatch.setattr(patch, "_now", lambda: NOW + timedelta(hours=1))
    return found


def typed(*words, folder):
    """The exit code and what was printed; errors are raised."""
    result = CliRunner().invoke(ROOT, ["patch", *words, "--folder", str(folder)], catch_exceptions=False)
    return result.exit_code, result.stdout


def prod(folder):
    return (folder / "Pulumi.prod.yaml").read_text()


def test_a_compliant_environment_ends_well(staging, folder):
    code, printed = typed("status", "-e", "staging", folder=folder)
    assert code == 0
    assert printed.splitlines()[0] == "Patches of staging, 2026-11-21 16:00 UTC"
    assert printed.splitlines()[-1] == "All 2 machines compliant."
    assert staging.host in printed


def test_a_machine_behind_comes_first_and_ends_with_one(staging, folder):
    staging.changed(staging.server, MissingCount=3, FailedCount=1)
    code, printed = typed("status", "-e", "staging", folder=folder)
    assert code == 1
    assert printed.splitlines()[1].startswith(
        f"  behind  {staging.server} (learning-platform-staging-servers): 3 missing; 1 failed"
    )
    assert printed.splitlines()[-1] == "1 of 2 machines behind."


def test_a_machine_reads_the_status_as_one_document(staging, folder):
    staging.patches.runs.clear()
    code, printed = typed("status", "-e", "staging", "--json", folder=folder)
    found = json.loads(printed)
    assert (code, found["well"], found["environment"]) == (1, False, "staging")
    assert found["overdue"] == "no run ended well in the 30 days that Systems Manager remembers"
    assert {one["id"] for one in found["machines"]} == {staging.host, staging.server}


@pytest.mark.usefixtures("staging")
def test_without_apply_the_difference_is_shown_and_the_file_stays(folder):
    before = prod(folder)
    code, printed = typed("promote", folder=folder)
    assert code == 0
    changed = [line.strip() for line in printed.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert changed == [
        f"-    image_id: {OLD_IMAGE}",
        f"+    image_id: {IMAGE}",
        '-    approve_until: "2026-11-10"',
        '+    approve_until: "2026-11-17"',
    ]
    assert printed.splitlines()[-1] == "Nothing was changed; --apply writes this."
    assert prod(folder) == before


def test_with_apply_prod_s_file_moves_on_and_the_journal_says_so(staging, folder, tmp_path):
    before = prod(folder)
    code, printed = typed("promote", "--apply", "--journal", str(tmp_path / "journal"), folder=folder)
    assert code == 0
    assert printed.splitlines()[-1] == "Written. Next: review and merge Pulumi.prod.yaml, then make up STACK=prod."
    assert prod(folder) == before.replace('"2026-11-10"', '"2026-11-17"').replace(OLD_IMAGE, IMAGE)
    begin, end = map(json.loads, (tmp_path / "journal" / "patch.jsonl").read_text().splitlines())
    assert (begin["event"], begin["run"] != "", end["event"]) == ("begin", True, "end")
    assert begin["edits"] == {"patching.approve_until": "2026-11-17", "web.image_id": IMAGE}
    assert begin["source"] == staging.ran
    assert desk.site("prod", folder).settings.patching.approve_until == "2026-11-17"


@pytest.mark.usefixtures("staging")
def test_a_second_time_there_is_nothing_to_do(folder):
    typed("promote", "--apply", folder=folder)
    before = prod(folder)
    code, printed = typed("promote", "--apply", folder=folder)
    assert (code, printed.splitlines()[-1]) == (0, "Nothing to do: prod has all that staging ran.")
    assert prod(folder) == before


def test_whatever_speaks_against_it_is_told_and_nothing_is_written(staging, folder):
    staging.alarms.ring("lp-staging-site", WEDNESDAY + timedelta(days=1))
    before = prod(folder)
    code, printed = typed("promote", "--apply", folder=folder)
    assert code == 1
    assert "  - The alarm lp-staging-site rang on 2026-11-19 14:00 UTC." in printed.splitlines()
    assert printed.splitlines()[-1] == "Nothing is promoted: staging has to be without trouble first."
    assert prod(folder) == before


@pytest.mark.parametrize("words", [(), ("--apply",)])
def test_a_machine_reads_the_promotion_as_one_document(staging, folder, words):
    _, printed = typed("promote", "--json", *words, folder=folder)
    assert json.loads(printed) == {
        "applied": bool(words),
        "changes": {"patching.approve_until": "2026-11-17", "web.image_id": IMAGE},
        "from": "staging",
        "notes": [],
        "reasons": [],
        "run": staging.ran,
        "to": "prod",
    }


@pytest.mark.usefixtures("staging")
def test_prod_s_own_patience_is_not_shortened(folder):
    path = folder / "Pulumi.prod.yaml"
    path.write_text(prod(folder).replace("    approve_until:", "    soak_days: 10\n    approve_until:"))
    with pytest.raises(UserError, match="5 days are less than prod asks for"):
        typed("promote", "--days", "5", folder=folder)


@pytest.mark.usefixtures("staging")
def test_a_stack_does_not_go_before_itself(folder):
    with pytest.raises(UserError, match="cannot go before itself"):
        typed("promote", "-e", "prod", folder=folder)


@pytest.mark.usefixtures("staging")
def test_settings_that_would_be_refused_are_not_written(folder, monkeypatch):
    before = prod(folder)
    monkeypatch.setattr(
        "runbook.operations.patching.promote.edits",
        lambda *_, **__: (Edit(section="patching", key="approve_until", value="2026-02-30"),),
    )
    with pytest.raises(UserError, match="is no day of the calendar"):
        typed("promote", "--apply", folder=folder)
    assert prod(folder) == before


@pytest.mark.parametrize(
    ("words", "changing"), [(("status", "-e", "staging"), set()), (("promote",), set())], ids=["status", "promote"]
)
def test_both_need_to_read_and_no_more(folder, words, changing):
    _, printed = typed(*words, "--permissions", folder=folder)
    statements = json.loads(printed)["Statement"]
    actions = {action for one in statements for action in one["Action"]}
    assert {action for action in actions if not action.partition(":")[2].startswith(("Describe", "Get"))} == changing
    assert len({one["Sid"] for one in statements}) == len(statements)
