"""``runbook certificates status`` as a person types it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import typer
from typer.testing import CliRunner

from runbook import desk
from runbook.errors import UserError
from runbook.operations import certificates as operation
from runbook.operations.certificates import Served
from runbook.subcommands import certificates
from tests.runbook.operations.maintenance.world import site
from tests.runbook.operations.test_certificates import INVENTORY, Acm

from .sitting import note

ROOT = typer.Typer()
ROOT.add_typer(certificates.app, name="certificates")


def typed(*words):
    """The exit code and what was printed; errors are raised."""
    result = CliRunner().invoke(ROOT, ["certificates", "status", "-e", "staging", *words], catch_exceptions=False)
    return result.exit_code, result.stdout


@pytest.fixture
def stack(sitting, monkeypatch):
    monkeypatch.setattr(desk, "site", lambda _environment, _folder: site())
    return sitting


@pytest.fixture
def lasting(stack, monkeypatch):
    """Certificates that last so many days."""

    def last(days):
        end = datetime.now(UTC) + timedelta(days=days, hours=1)
        stack["acm"] = [Acm(NotAfter=end)]
        monkeypatch.setattr(operation, "handshake", lambda _host, _address: Served(end))
        note(**INVENTORY)

    return last


@pytest.mark.parametrize(("days", "code"), [(30, 0), (29, 1), (-2, 1)])
def test_the_exit_code_tells_whether_one_is_late(lasting, days, code):
    lasting(days)
    assert typed()[0] == code


def test_it_is_printed(lasting):
    lasting(29)
    assert typed()[1].splitlines() == [
        "Certificates of staging",
        "  late     ACM, app.example.com: 29 days left, late below 30; in use by 1 resource; renewal: SUCCESS",
        "  late     served at app.example.com: 29 days left, late below 30",
        "",
        "2 of 2 checks want attention.",
    ]


def test_a_machine_gets_one_document(lasting):
    lasting(40)
    code, printed = typed("--json")
    found = json.loads(printed)
    assert (code, found["well"], [one["daysLeft"] for one in found["checks"]]) == (0, True, [40, 40])


@pytest.mark.usefixtures("stack")
def test_a_stack_that_was_not_deployed_is_told():
    with pytest.raises(UserError, match="staging has no inventory of web"):
        typed()


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("listener-rule", {"ReadCertificate", "ReadInventory"}),
        ("dns", {"ReadCertificate", "ReadHosts", "ReadInventory"}),
    ],
)
def test_it_needs_only_to_read(stack, monkeypatch, mode, names):
    assert stack == {}
    monkeypatch.setattr(desk, "site", lambda _environment, _folder: site(mode))
    statements = json.loads(typed("--permissions")[1])["Statement"]
    assert {one["Sid"] for one in statements} == names
    actions = [action for one in statements for action in one["Action"]]
    assert [one for one in actions if not one.split(":")[1].startswith(("Describe", "Get"))] == []
