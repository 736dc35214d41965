"""``runbook maintenance`` as a person types it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import typer
from typer.testing import CliRunner

from runbook import desk
from runbook.errors import UserError
from runbook.operations import alert_manager, procedure
from runbook.operations.maintenance import web
from runbook.subcommands import maintenance
from tests.runbook.operations.maintenance import world as worlds
from tests.runbook.operations.maintenance.world import MODES, REGION, START, World, site

from .sitting import note

READS = ("Describe", "Get", "List")

ROOT = typer.Typer()
ROOT.add_typer(maintenance.app, name="maintenance")


def typed(*words):
    """The exit code and what was printed; errors are raised."""
    result = CliRunner().invoke(ROOT, ["maintenance", *words, "-e", "staging"], catch_exceptions=False)
    return result.exit_code, result.stdout


@pytest.fixture
def world(sitting, monkeypatch):
    """A stack whose clock goes on as it is waited, and that answers from here."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    made = World()
    sitting.update(ssm=[made.ssm], cloudwatch=[made.cloudwatch], sns=[made.sns])
    note(**made.inventory)
    monkeypatch.setattr(desk, "site", lambda _environment, _folder: made.site)
    monkeypatch.setattr(maintenance, "_now", made.now)
    monkeypatch.setattr(web, "fetch", made.fetch)
    monkeypatch.setitem(procedure.run.__kwdefaults__, "pause", made.wait)
    monkeypatch.setitem(procedure.run.__kwdefaults__, "clock", lambda: made.elapsed)
    return made


UNTIL = ("--until", "2026-11-22T06:00")


def test_without_apply_nothing_is_changed(world):
    code, printed = typed("on", *UNTIL)
    assert code == 0
    assert (
        printed.splitlines()[0] == "https://app.example.com/ under maintenance until 2026-11-22 06:00 EST (11:00 UTC)"
    )
    assert "elbv2.create_rule" in printed
    assert "Nothing was changed; --apply takes them." in printed
    assert (world.position(), world.ssm.commands, world.cloudwatch.rule) == ("site", [], None)


@pytest.mark.usefixtures("world")
def test_on_status_and_off_tell_how_it_stands():
    assert typed("on", *UNTIL, "--apply")[0] == 0
    code, printed = typed("status")
    assert code == 0
    assert "page       ON: requests go to the page (listener-rule)" in printed
    assert "by         arn:aws:" in printed
    assert typed("off", "--apply")[0] == 0
    code, printed = typed("status")
    assert code == 0
    assert "page       off: requests go to the site (listener-rule)" in printed


def test_a_status_that_is_past_its_end_ends_with_1(world):
    typed("on", *UNTIL, "--apply")
    world.wait(5 * 3600)
    code, printed = typed("status", "--json")
    found = json.loads(printed)
    assert (code, found["well"], found["position"], found["until"]) == (1, False, "page", "2026-11-22T11:00:00Z")
    assert found["troubles"][0].startswith("The page is past its end, 2026-11-22 06:00 EST (11:00 UTC)")


def test_a_machine_gets_one_document(world):
    code, printed = typed("on", *UNTIL, "--apply", "--json")
    found = json.loads(printed)
    assert (code, found["applied"], found["facts"]["until"]) == (0, True, "2026-11-22T11:00:00Z")
    assert world.position() == "page"


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_page_that_does_not_show_is_taken_back_and_told(world, capfd, words):
    world.hidden = True
    with pytest.raises(UserError) as raised:
        typed("on", *UNTIL, "--apply", *words)
    assert raised.value.lines == ("It was taken back: requests go to the site, alarms ring, and nothing is scheduled.",)
    assert (world.position(), world.schedules(), world.cloudwatch.rule) == ("site", [], None)
    assert capfd.readouterr().out == ""


def test_what_failed_is_told_before_it_is_taken_back(world):
    world.hidden = True
    result = CliRunner().invoke(ROOT, ["maintenance", "on", *UNTIL, "--apply", "-e", "staging"])
    assert "seen outside: not done after 2 minutes" in result.stderr
    assert result.stderr.rstrip().endswith("Taking it back.")


def test_a_refusal_before_the_switch_is_not_taken_back(world):
    world.ssm.closed = [(START, START + timedelta(hours=1))]
    with pytest.raises(UserError, match="calendar: the change calendar is closed"):
        typed("on", *UNTIL, "--apply")
    assert world.ssm.executions == []


def test_an_override_goes_on_record(world):
    world.ssm.closed = [(START, START + timedelta(hours=1))]
    typed("on", *UNTIL, "--override", "Security fix", "--apply")
    assert world.records.read().override == "Security fix"
    assert "override   Security fix" in typed("status")[1]


def test_prometheus_is_reached_where_the_stack_has_it(sitting, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    made = World(prometheus=True)
    sitting.update(ssm=[made.ssm], cloudwatch=[made.cloudwatch], sns=[made.sns])
    note(**made.inventory)
    monkeypatch.setattr(desk, "site", lambda _environment, _folder: made.site)
    monkeypatch.setattr(maintenance, "_now", made.now)
    monkeypatch.setattr(web, "fetch", made.fetch)
    reached = []

    def connect(*where):
        reached.append(where)
        return made.silences

    monkeypatch.setattr(alert_manager, "connect", connect)
    assert "Prometheus rings" in typed("status")[1]
    assert reached == [(worlds.WORKSPACE, REGION, None)]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "The end is missing."),
        (("--until", "soon"), "--until 'soon' is no time."),
        (("--until", "2026-11-22T01:00"), "is past: 2026-11-22 01:00 EST"),
        (("--until", "2026-11-24T01:00"), "is too far away"),
        ((*UNTIL, "--override", " "), "is no reason"),
    ],
)
@pytest.mark.usefixtures("world")
def test_a_wrong_input_is_told_in_a_sentence(words, sentence):
    with pytest.raises(UserError) as raised:
        typed("on", *words)
    assert sentence in raised.value.lines[0]
    assert len(raised.value.lines) == 2


def test_a_stack_without_a_page_is_told(sitting, monkeypatch):
    monkeypatch.setattr(desk, "site", lambda _environment, _folder: site())
    assert sitting == {}
    with pytest.raises(UserError, match="staging has no inventory of alerts"):
        typed("status")


def test_the_clock_is_utc():
    assert abs(datetime.now(UTC) - maintenance._now()) < timedelta(minutes=1)


class TestPermissions:
    @pytest.fixture(params=MODES)
    def mode(self, request, monkeypatch):
        monkeypatch.setattr(desk, "site", lambda _environment, _folder: site(request.param))
        return request.param

    def policy(self, command):
        code, printed = typed(command, "--permissions")
        assert code == 0
        statements = json.loads(printed)["Statement"]
        assert len({one["Sid"] for one in statements}) == len(statements)
        return {one["Sid"]: one for one in statements}

    def changing(self, found):
        return {
            action for one in found.values() for action in one["Action"] if not action.split(":")[1].startswith(READS)
        }

    @pytest.mark.usefixtures("mode")
    def test_who_only_looks_needs_only_to_read(self):
        assert self.changing(self.policy("status")) == set()

    def test_who_switches_needs_what_the_mode_switches(self, mode):
        found = self.policy("on")
        switch = {
            "listener-rule": "elasticloadbalancing:CreateRule",
            "elastic-ip": "ec2:AssociateAddress",
            "dns": "route53:UpdateHealthCheck",
        }[mode]
        assert self.changing(found) - self.changing(self.policy("off")) == {
            switch,
            "cloudwatch:PutAlarmMuteRule",
            "scheduler:CreateSchedule",
            "scheduler:UpdateSchedule",
            "ssm:PutParameter",
        }
        assert found["PassRoles"]["Condition"] == {
            "StringEquals": {"iam:PassedToService": ["scheduler.amazonaws.com", "ssm.amazonaws.com"]}
        }

    def test_who_silences_prometheus_may_do_so_where_there_is_one(self, mode, monkeypatch):
        without = {command: self.changing(self.policy(command)) for command in ("status", "on", "off")}
        monkeypatch.setattr(desk, "site", lambda _environment, _folder: site(mode, prometheus=True))
        more = {command: self.changing(self.policy(command)) - without[command] for command in without}
        assert more == {
            "status": set(),
            "on": {"aps:PutAlertManagerSilences", "aps:DeleteAlertManagerSilence"},
            "off": {"aps:DeleteAlertManagerSilence"},
        }

    @pytest.mark.usefixtures("mode")
    def test_who_leads_back_cannot_lead_away(self):
        found = self.policy("off")
        assert self.changing(found) == {
            "cloudwatch:DeleteAlarmMuteRule",
            "iam:PassRole",
            "kms:Decrypt",
            "kms:GenerateDataKey*",
            "scheduler:DeleteSchedule",
            "sns:Publish",
            "ssm:DeleteParameter",
            "ssm:SendCommand",
            "ssm:StartAutomationExecution",
        }
        assert found["PassRoles"]["Condition"] == {"StringEquals": {"iam:PassedToService": ["ssm.amazonaws.com"]}}

    @pytest.mark.parametrize("command", ["on", "off"])
    def test_every_stage_is_allowed_what_it_does(self, command, mode, monkeypatch):
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        monkeypatch.setattr(desk, "site", lambda _environment, _folder: site(mode, prometheus=True))
        changeover = World(mode, prometheus=True).changeover()
        stages = changeover.on(worlds.UNTIL) if command == "on" else changeover.off()
        allowed = {action for one in self.policy(command).values() for action in one["Action"]}
        assert set(procedure.actions(stages)) <= allowed
