"""``runbook schedule simulate``: what goes where, and how it ends."""

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from runbook import desk
from runbook.subcommands.schedule import app
from settings.backups import BackupSettings
from settings.patching import PatchingSettings
from settings.schedules import SchedulesSettings

PATCHING = PatchingSettings(install_window="wed:15:00-wed:17:00")
BACKUPS = BackupSettings.model_validate({"weekly": {"day": "wed", "time": "18:00"}})

SCHEDULES = SchedulesSettings.model_validate(
    {
        "periods": {"office": {"start": "07:30", "stop": "19:00", "time_zone": "America/Detroit"}},
        "resources": {"database": "office"},
    }
)


@pytest.fixture
def simulated(monkeypatch):
    """Runs the sub-command on a stack whose database is backed up in ``window``."""

    def run(*arguments, window="21:00-21:45"):
        database = SimpleNamespace(backup_window=window, maintenance_window="wed:20:00-wed:21:00")
        told = SimpleNamespace(schedules=SCHEDULES, database=database, backups=BACKUPS, patching=PATCHING)
        monkeypatch.setattr(desk, "site", lambda *_: SimpleNamespace(settings=told))
        return CliRunner().invoke(app, ["simulate", "staging", *arguments])

    return run


def test_days_without_a_collision_end_with_0(simulated):
    result = simulated("--days", "2", "--from", "2026-03-09")
    assert result.exit_code == 0
    assert result.output.startswith("Schedules of staging, 2 days from 2026-03-09, offline\n")
    assert "  Mon 2026-03-09 07:30 -04:00  start  within its hours\n" in result.output


def test_a_collision_ends_with_1(simulated):
    result = simulated("--days", "2", "--from", "2026-03-09", window="05:00-06:00")
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "2 collisions with windows.")


def test_the_document_is_all_that_is_printed(simulated):
    result = simulated("--from", "2026-03-09", "--json")
    document = json.loads(result.output)
    assert (document["days"], len(document["resources"][0]["changes"])) == (14, 20)


@pytest.mark.parametrize("wrong", [("--days", "0"), ("--from", "tomorrow")])
def test_a_wrong_option_is_a_mistake_of_the_user(simulated, wrong):
    assert simulated(*wrong).exit_code == 2
