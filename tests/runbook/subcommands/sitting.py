"""A desk in the stand-in for AWS, and the sub-commands as a person types them."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from runbook import desk
from runbook.operations import aws
from runbook.subcommands import backup, dashboards, escalation
from tests.runbook.operations.backups import site
from tests.runbook.operations.fakes.backup_jobs import attach

ROOT = typer.Typer()
ROOT.add_typer(backup.app, name="backup")
ROOT.add_typer(dashboards.app, name="dashboards")
ROOT.add_typer(escalation.app)


@pytest.fixture
def sitting(monkeypatch, tmp_path):
    """Answers of services by client name; the stack is staging, without a project's folder."""
    services = {}
    reach = aws.clients

    def attached(region, profile, *names):
        reached = reach(region, profile, *names)
        for name in names:
            for service in services.get(name, ()):
                attach(reached[name], service)
        return reached

    monkeypatch.setattr(aws, "clients", attached)
    monkeypatch.setattr(desk, "site", lambda _environment, _folder: site())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return services


def note(**entries):
    """Writes the inventory of components."""
    ssm = aws.clients("us-east-1", None, "ssm")["ssm"]
    for component, entry in entries.items():
        name = site().parameter(component)
        ssm.put_parameter(Name=name, Value=json.dumps(entry), Type="String", Overwrite=True)


def typed(*words):
    """The exit code and what was printed; errors are raised."""
    result = CliRunner().invoke(ROOT, words, catch_exceptions=False)
    return result.exit_code, result.stdout


def policy(*words):
    """The statements that --permissions prints, by their names."""
    code, printed = typed(*words, "--permissions")
    assert code == 0
    found = json.loads(printed)
    assert found["Version"] == "2012-10-17"
    names = [one["Sid"] for one in found["Statement"]]
    assert len(set(names)) == len(names)
    return {one["Sid"]: one for one in found["Statement"]}
