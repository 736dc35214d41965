"""How patches stand and which of them prod may have, against AWS as moto plays it and Patch Manager as played here."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import boto3
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import UserError
from runbook.operations.patching import promote, stack_file, status
from runbook.operations.patching.machines import Machine, faults, troubles
from runbook.operations.patching.runs import runs
from runbook.operations.patching.stack_file import Edit, edited
from tests.runbook.operations.fakes.backup_jobs import attach, error, page

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
WEDNESDAY = datetime(2026, 11, 18, 14, 0, tzinfo=UTC)
GROUPS = {"hosts": "learning-platform-staging-hosts", "servers": "learning-platform-staging-servers"}
IMAGE = "ami-0a1b2c3d4e5f60718"
ENTRY = {"document": "lp-staging-patching", "groups": GROUPS, "lastStep": "after"}
DATABASE = "lp-staging-database"
INVENTORY = {
    "patching": ENTRY,
    "monitoring": {"alarms": {"cpu": "lp-staging-cpu", "site": "lp-staging-site"}},
    "database": {"identifier": DATABASE},
}


class PatchManager:
    """Patch states and runs; the stand-in for AWS has neither."""

    def __init__(self):
        self.states, self.runs, self.refuse = {}, [], None

    def state(self, instance, group, **counts):
        self.states.setdefault(group, []).append(
            {
                "InstanceId": instance,
                "PatchGroup": group,
                "BaselineId": "pb-0123456789abcdef0",
                "Operation": "Scan",
                "OperationStartTime": NOW - timedelta(hours=3),
                "OperationEndTime": NOW - timedelta(hours=3),
                **counts,
            }
        )

    def run(self, started=WEDNESDAY, outcome="installed", *, document=ENTRY["document"], images=(IMAGE,), hours=1):
        ended = {} if outcome == "under way" else {"ExecutionEndTime": started + timedelta(hours=hours)}
        number = f"{len(self.runs):08}-0000-4000-8000-000000000000"
        self.runs.append(
            {
                "AutomationExecutionId": number,
                "DocumentName": document,
                "AutomationExecutionStatus": {"failed": "Failed", "under way": "InProgress"}.get(outcome, "Success"),
                "ExecutionStartTime": started,
                **ended,
                "steps": outcome == "installed",
                "images": list(images),
            }
        )
        return number

    def describe_instance_patch_states_for_patch_group(self, PatchGroup, NextToken=None):  # noqa: N803
        if self.refuse:
            raise self.refuse
        found, more = page(self.states.get(PatchGroup, []), NextToken)
        return {"InstancePatchStates": found, **more}

    def describe_automation_executions(self, Filters, NextToken=None):  # noqa: N803
        [one] = Filters
        assert one["Key"] == "DocumentNamePrefix"
        found = [run for run in self.runs if run["DocumentName"].startswith(one["Values"][0])]
        shown, more = page([{k: v for k, v in run.items() if k not in ("steps", "images")} for run in found], NextToken)
        return {"AutomationExecutionMetadataList": shown, **more}

    def get_automation_execution(self, AutomationExecutionId):  # noqa: N803
        [run] = [one for one in self.runs if one["AutomationExecutionId"] == AutomationExecutionId]
        steps = [{"StepName": "calendar", "StepStatus": "Success"}, {"StepName": "open", "StepStatus": "Success"}]
        last = {"StepName": "after", "StepStatus": "Success", "Outputs": {"Images": run["images"]}}
        return {"AutomationExecution": {"StepExecutions": [*steps, *([last] if run["steps"] else [])]}}


class Alarms:
    def __init__(self):
        self.items, self.ringing = [], []

    def state(self, name, at, new):
        data = json.dumps({"version": "1.0", "newState": {"stateValue": new}})
        self._item(name, at, "StateUpdate", f"Alarm updated from X to {new}", data)

    def action(self, name, at, summary="Successfully executed action arn:aws:sns:us-east-1:123456789012:high"):
        self._item(name, at, "Action", summary, "{}")

    def ring(self, name, at):
        self.state(name, at, "ALARM")
        self.action(name, at)

    def _item(self, name, at, kind, summary, data):
        self.items.append(
            {
                "AlarmName": name,
                "AlarmType": "MetricAlarm",
                "Timestamp": at,
                "HistoryItemType": kind,
                "HistorySummary": summary,
                "HistoryData": data,
            }
        )

    def describe_alarm_history(self, AlarmTypes, StartDate, EndDate, NextToken=None):  # noqa: N803
        assert AlarmTypes == ["CompositeAlarm", "MetricAlarm"]
        # The newest first, as CloudWatch tells them.
        found = [one for one in reversed(self.items) if StartDate <= one["Timestamp"] <= EndDate]
        shown, more = page(found, NextToken)
        return {"AlarmHistoryItems": shown, **more}

    def describe_alarms(self, AlarmNames, AlarmTypes, StateValue, MaxRecords):  # noqa: N803
        assert (AlarmTypes, StateValue) == (["CompositeAlarm", "MetricAlarm"], "ALARM")
        assert len(AlarmNames) <= MaxRecords == 100
        return {"MetricAlarms": [{"AlarmName": one} for one in self.ringing if one in AlarmNames]}


class Databases:
    def __init__(self):
        self.events = []

    def describe_db_instances(self, DBInstanceIdentifier):  # noqa: N803
        return {"DBInstances": [{"DBInstanceIdentifier": DBInstanceIdentifier, "EngineVersion": "17.7"}]}

    def describe_events(self, StartTime, EndTime, **asked):  # noqa: N803
        assert asked == {
            "SourceIdentifier": DATABASE,
            "SourceType": "db-instance",
            "EventCategories": ["maintenance"],
        }
        # RDS refuses more than 14 days.
        assert timedelta(0) < NOW - StartTime < timedelta(days=14)
        return {"Events": [{"Message": "x", "Date": at} for at in self.events if StartTime <= at <= EndTime]}


class Staging:
    """A staging environment in which all is well: a host and a server, patched on Wednesday."""

    def __init__(self):
        self.patches, self.alarms, self.databases = PatchManager(), Alarms(), Databases()
        self.clients = {
            "ec2": boto3.client("ec2", "us-east-1"),
            "ssm": attach(boto3.client("ssm", "us-east-1"), self.patches),
            "cloudwatch": attach(boto3.client("cloudwatch", "us-east-1"), self.alarms),
            "rds": attach(boto3.client("rds", "us-east-1"), self.databases),
        }
        self.host, self.server = self.machine("hosts"), self.machine("servers")
        self.patches.state(self.host, GROUPS["hosts"])
        self.patches.state(self.server, GROUPS["servers"])
        self.ran = self.patches.run()

    def machine(self, role, **tags):
        given = [{"Key": key, "Value": value} for key, value in {"PatchGroup": GROUPS[role], **tags}.items()]
        answer = self.clients["ec2"].run_instances(
            ImageId="ami-12c6146b",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": given}],
        )
        return answer["Instances"][0]["InstanceId"]

    def changed(self, instance, **counts):
        for states in self.patches.states.values():
            for one in states:
                if one["InstanceId"] == instance:
                    one.update(counts)

    def status(self):
        return status.read(self.clients, ENTRY, NOW)

    def faults(self):
        return {machine.id: wrong for machine, wrong in self.status().findings if wrong}

    def verdict(self, days=3, delay_days=0, now=NOW):
        return promote.verify(self.clients, INVENTORY, now, days=days, delay_days=delay_days)


@pytest.fixture
def staging():
    return Staging()


# Status


def test_machines_without_a_fault_are_compliant(staging):
    found = staging.status()
    assert {machine.id for machine, _ in found.findings} == {staging.host, staging.server}
    assert (staging.faults(), found.overdue, found.is_well) == ({}, "", True)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"MissingCount": 3}, "3 missing"),
        ({"FailedCount": 1}, "1 failed"),
        ({"InstalledRejectedCount": 2}, "2 rejected but installed"),
        (
            {"InstalledPendingRebootCount": 4, "LastNoRebootInstallOperationTime": NOW - timedelta(days=15)},
            "4 wait for a restart for more than 14 days",
        ),
        ({"InstalledPendingRebootCount": 4}, "4 wait for a restart for more than 14 days"),
        ({"OperationEndTime": NOW - timedelta(days=3)}, "Patch Manager last looked at it 3 days ago"),
    ],
)
def test_what_keeps_a_machine_from_compliance_is_named(staging, counts, told):
    staging.changed(staging.server, **counts)
    assert staging.faults() == {staging.server: (told,)}
    assert not staging.status().is_well


def test_a_server_may_wait_two_weeks_for_the_image_that_restarts_it(staging):
    staging.changed(
        staging.server, InstalledPendingRebootCount=4, LastNoRebootInstallOperationTime=NOW - timedelta(days=13)
    )
    assert staging.faults() == {}


def test_a_machine_that_was_never_looked_at_is_not_compliant(staging):
    new = staging.machine("servers")
    assert staging.faults() == {new: ("Patch Manager never looked at it",)}


def test_machines_that_are_gone_or_of_others_do_not_count(staging):
    staging.patches.state("i-0gone", GROUPS["hosts"], MissingCount=9)
    gone = staging.machine("hosts")
    staging.clients["ec2"].terminate_instances(InstanceIds=[gone])
    staging.machine("hosts", PatchGroup="somebody-else-s")
    assert staging.faults() == {}


def test_a_stopped_machine_is_not_late_because_nobody_can_look_at_it(staging):
    staging.changed(staging.host, OperationEndTime=NOW - timedelta(days=9))
    staging.clients["ec2"].stop_instances(InstanceIds=[staging.host])
    assert staging.faults() == {}


def test_an_environment_without_machines_is_not_well(staging):
    staging.clients["ec2"].terminate_instances(InstanceIds=[staging.host, staging.server])
    assert not staging.status().is_well


@pytest.mark.parametrize(
    ("outcome", "days", "told"),
    [
        ("installed", 8, ""),
        ("installed", 9, "the last run that ended well was 9 days ago"),
        ("frozen", 3, ""),
        ("failed", 3, "no run ended well in the 30 days that Systems Manager remembers"),
    ],
)
def test_a_week_without_a_run_is_told(staging, outcome, days, told):
    staging.patches.runs.clear()
    staging.patches.run(NOW - timedelta(days=days), outcome)
    assert staging.status().overdue == told


def test_runs_are_told_apart_and_the_newest_comes_first(staging):
    for days, outcome in ((10, "failed"), (2, "frozen"), (0, "under way")):
        staging.patches.run(NOW - timedelta(days=days), outcome)
    staging.patches.run(NOW, document="lp-staging-patching-restart")
    found = list(runs(staging.clients["ssm"], ENTRY))
    assert [run.outcome for run in found] == ["under way", "frozen", "installed", "failed"]
    assert found[2].images == (IMAGE,)


def test_a_refusal_is_told_in_words(staging):
    staging.patches.refuse = error("AccessDeniedException", "not authorized")
    with pytest.raises(UserError, match="ssm:DescribeInstancePatchStatesForPatchGroup"):
        staging.status()


@given(missing=st.integers(0, 3), failed=st.integers(0, 3), age=st.integers(0, 4))
def test_what_waits_for_the_next_run_is_a_fault_but_no_trouble(missing, failed, age):
    machine = Machine(id="i-1", group="g", runs=True, looked=NOW - timedelta(days=age), missing=missing, failed=failed)
    assert set(faults(machine, NOW)) - set(troubles(machine, NOW)) == ({f"{missing} missing"} if missing else set())


# Verification


def test_what_staging_ran_for_three_days_may_be_promoted(staging):
    now = WEDNESDAY + timedelta(days=3, hours=1)
    verdict = staging.verdict(now=now)
    assert (verdict.reasons, verdict.notes) == ((), ())
    assert verdict.run.id == staging.ran
    assert verdict.level == promote.Level(until=date(2026, 11, 17), image=IMAGE, engine_version="17.7")


def test_a_run_that_is_an_hour_too_young_is_not_promoted(staging):
    verdict = staging.verdict(now=WEDNESDAY + timedelta(days=3, minutes=59))
    assert verdict.level is None
    assert verdict.reasons == (
        "No run that installed patches ended well 3 days ago or more, in the 30 that are remembered.",
    )


def test_an_older_run_is_promoted_while_the_newest_is_too_young(staging):
    older = staging.patches.run(WEDNESDAY - timedelta(days=7))
    assert staging.verdict(days=5).run.id == older


@pytest.mark.parametrize("outcome", ["frozen", "failed", "under way"])
def test_only_a_run_that_installed_something_counts(staging, outcome):
    staging.patches.runs.clear()
    staging.patches.run(outcome=outcome)
    assert staging.verdict().level is None


def test_a_later_run_that_failed_speaks_against_it(staging):
    staging.patches.run(NOW - timedelta(hours=5), "failed")
    assert staging.verdict(now=NOW + timedelta(hours=1)).reasons == (
        "Run 00000001-0000-4000-8000-000000000000 of 2026-11-21 failed.",
    )


def test_a_machine_whose_patches_failed_speaks_against_it_and_one_that_waits_does_not(staging):
    staging.changed(staging.host, MissingCount=5)
    assert staging.verdict(now=NOW + timedelta(hours=1)).reasons == ()
    staging.changed(staging.server, FailedCount=1)
    assert staging.verdict(now=NOW + timedelta(hours=1)).reasons == (
        f"{staging.server} (learning-platform-staging-servers): 1 failed.",
    )


def test_nothing_is_promoted_while_nothing_runs(staging):
    staging.clients["ec2"].stop_instances(InstanceIds=[staging.host, staging.server])
    assert staging.verdict(now=NOW + timedelta(hours=1)).reasons == (
        "No machine runs, so nothing can be said of them; ask again while the environment is up.",
    )


def test_an_alarm_that_rang_or_rings_speaks_against_it(staging):
    staging.alarms.ring("lp-staging-cpu", WEDNESDAY + timedelta(days=1))
    staging.alarms.ringing = ["lp-staging-site", "somebody-else-s"]
    assert staging.verdict(now=NOW + timedelta(hours=1)).reasons == (
        "The alarm lp-staging-cpu rang on 2026-11-19 14:00 UTC.",
        "The alarm lp-staging-site is in alarm.",
    )


@pytest.mark.parametrize("case", ["before", "of others", "muted", "cleared"])
def test_an_alarm_that_called_nobody_does_not(staging, case):
    at = WEDNESDAY + timedelta(days=1)
    match case:
        case "before":
            staging.alarms.ring("lp-staging-cpu", WEDNESDAY - timedelta(hours=1))
        case "of others":
            staging.alarms.ring("somebody-else-s", at)
        case "muted":
            staging.alarms.state("lp-staging-cpu", at, "ALARM")
            staging.alarms.action("lp-staging-cpu", at, "Actions are muted")
        case "cleared":
            staging.alarms.state("lp-staging-cpu", at, "OK")
            staging.alarms.action("lp-staging-cpu", at)
    assert staging.verdict(now=NOW + timedelta(hours=1)).reasons == ()


def test_a_database_that_was_just_maintained_keeps_its_version_to_itself(staging):
    staging.databases.events = [NOW - timedelta(days=1)]
    verdict = staging.verdict(now=NOW + timedelta(hours=1))
    assert verdict.level.engine_version is None
    assert verdict.notes == ("The database was maintained within 3 days, so its version is not promoted yet.",)


@pytest.mark.parametrize("images", [(), (IMAGE, "ami-0ffffffffffffffff")])
def test_servers_of_no_or_several_images_promote_none(staging, images):
    staging.patches.runs.clear()
    staging.patches.run(images=images)
    verdict = staging.verdict(now=NOW + timedelta(hours=1))
    assert verdict.level.image is None
    assert verdict.notes == (f"Servers ran {len(images)} images at the end of the run, so none is promoted.",)


@given(days=st.integers(0, 400), hour=st.integers(0, 23), minute=st.integers(0, 59), delay=st.integers(0, 30))
def test_no_patch_of_the_promoted_day_was_unapproved_when_staging_s_run_began(days, hour, minute, delay):
    started = datetime(2026, 1, 1, hour, minute, tzinfo=UTC) + timedelta(days=days)
    until = promote.released_until(started, delay)
    last_release = datetime(until.year, until.month, until.day, 23, 59, 59, tzinfo=UTC)
    assert last_release + timedelta(days=delay) < started
    assert last_release + timedelta(days=delay + 1) >= started - timedelta(seconds=1)


# What moves on

LEVEL = promote.Level(until=date(2026, 11, 17), image=IMAGE, engine_version="17.7")
OLD_IMAGE = "ami-0b7e1f8c2d4a69305"


def moved(level=LEVEL, *, until="2026-11-10", image=OLD_IMAGE, engine_version="17.6", match=True):
    found = promote.edits(level, until=until, image=image, engine_version=engine_version, architectures_match=match)
    return {f"{one.section}.{one.key}": one.value for one in found}


def test_everything_that_is_behind_moves_on():
    assert moved() == {
        "patching.approve_until": "2026-11-17",
        "web.image_id": IMAGE,
        "database.engine_version": "17.7",
    }


@pytest.mark.parametrize(
    ("given_", "stays"),
    [
        ({"until": "2026-11-17"}, "patching.approve_until"),
        ({"until": "2026-12-24"}, "patching.approve_until"),
        ({"image": IMAGE}, "web.image_id"),
        ({"image": None}, "web.image_id"),
        ({"match": False}, "web.image_id"),
        ({"engine_version": "17"}, "database.engine_version"),
        ({"engine_version": "17.7"}, "database.engine_version"),
        ({"engine_version": "17.10"}, "database.engine_version"),
        ({"engine_version": "16.9"}, "database.engine_version"),
    ],
)
def test_nothing_goes_back_and_nothing_is_pinned_that_was_not(given_, stays):
    assert stays not in moved(**given_)
    assert len(moved(**given_)) == 2


# The stack's file

FILE = """\
# Production.
config:
  aws:region: us-east-1
  learning-platform:web:
    instance_class: t3.medium
    image_id: ami-0b7e1f8c2d4a69305 # chosen
  learning-platform:database: {port: 5433, engine_version: '17.6'}
  # Patches.
  learning-platform:patching:
    # What staging has run.
    approve_until: "2026-11-10"
    install_window: sun:03:00-sun:06:00
"""

EDITS = (
    Edit(section="patching", key="approve_until", value="2026-11-17"),
    Edit(section="web", key="image_id", value=IMAGE),
    Edit(section="database", key="engine_version", value="17.7"),
)


def test_only_the_values_change_and_comments_and_quotes_stay():
    text = edited(FILE, "learning-platform", EDITS)
    assert text == (
        FILE.replace('"2026-11-10"', '"2026-11-17"').replace("ami-0b7e1f8c2d4a69305", IMAGE).replace("'17.6'", "'17.7'")
    )


def test_a_date_without_quotes_gets_them():
    text = edited(FILE.replace('"2026-11-10"', "2026-11-10"), "learning-platform", EDITS[:1])
    assert 'approve_until: "2026-11-17"' in text


def test_line_ends_and_a_bare_key_stay():
    text = FILE.replace("learning-platform:patching", "patching").replace("\n", "\r\n")
    assert edited(text, "learning-platform", EDITS[:1]) == text.replace("2026-11-10", "2026-11-17")


@pytest.mark.parametrize(
    "text",
    [
        FILE.replace('    approve_until: "2026-11-10"\n', ""),
        FILE.replace("learning-platform:patching", "learning-platform:patches"),
        FILE.replace('"2026-11-10"', "[2026-11-10]"),
        FILE.replace('"2026-11-10"', "{secure: v1:abc}"),
        FILE.replace('"2026-11-10"', "|\n      2026-11-10"),
        "",
    ],
)
def test_a_value_that_is_not_there_is_not_guessed(text):
    with pytest.raises(UserError, match="learning-platform:patching has no line approve_until"):
        edited(text, "learning-platform", EDITS[:1])


@given(day=st.dates(date(2000, 1, 1), date(2099, 12, 31)), comment=st.text("abc #:'\"", max_size=20))
def test_whatever_stands_around_it_the_rest_of_the_file_means_the_same(day, comment):
    text = FILE.replace("# What staging has run.", f"# {comment}")
    found = yaml.safe_load(
        edited(text, "learning-platform", [Edit(section="patching", key="approve_until", value=str(day))])
    )
    expected = yaml.safe_load(text)
    expected["config"]["learning-platform:patching"]["approve_until"] = str(day)
    assert found == expected


def test_an_alias_that_would_change_elsewhere_too_is_refused():
    text = FILE.replace('"2026-11-10"', '&day "2026-11-10"') + "    noted: *day\n"
    with pytest.raises(UserError, match="cannot be changed safely"):
        edited(text, "learning-platform", EDITS[:1])


def test_the_file_is_replaced_in_one_piece_and_keeps_its_mode(tmp_path):
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(FILE)
    path.chmod(0o640)
    stack_file.write(path, "new\r\n")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new\r\n", 0o640)
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(FILE)

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stack_file.os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        stack_file.write(path, "new")
    assert path.read_text() == FILE
    assert list(tmp_path.iterdir()) == [path]
