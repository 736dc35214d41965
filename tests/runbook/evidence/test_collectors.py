"""What each kind of evidence takes, and what it says of what it cannot take."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.evidence.collectors import COLLECTORS
from runbook.evidence.collectors.audits import audited
from runbook.evidence.collectors.trail import STEP, Digest, gaps
from runbook.evidence.manifest import Period
from runbook.evidence.scope import Gap, Item
from tests.runbook.operations.fakes.backup_jobs import error

from .world import ACCOUNT, EVIDENCE, NOW, PERIOD, SECRET, TRAIL, WITHIN, happened, report, site

BY_KIND = {one.kind: one for one in COLLECTORS}
BEFORE, AFTER = PERIOD.start - timedelta(seconds=1), PERIOD.end
HOUR = timedelta(hours=1)


def found(world, kind, **more):
    return list(BY_KIND[kind].collect(world.scope(**more)))


def paths(found):
    return [one.path for one in found if isinstance(one, Item)]


def lacking(found):
    return [(one.what, one.reason) for one in found if isinstance(one, Gap)]


def content(found, path):
    return next(json.loads(one.body) for one in found if isinstance(one, Item) and one.path == path)


# Records


def test_a_record_comes_as_it_is_with_its_address_and_version(world):
    (one,) = found(world, "drills")
    assert (one.path, one.body) == ("2026/11/drill-2026-11.json", b'{"verdict": "passed"}')
    assert one.source == f"s3://{EVIDENCE}/drills/2026/11/drill-2026-11.json"
    assert world.clients["s3"].get_object(
        Bucket=EVIDENCE, Key="drills/2026/11/drill-2026-11.json", VersionId=one.version_id
    )


def test_a_record_that_was_overwritten_or_deleted_is_there_in_every_version(world):
    key = "drills/2026/11/drill-2026-11.json"
    (first,) = found(world, "drills")
    world.put(key, b"forged")
    overwritten = found(world, "drills")
    assert sorted(one.body for one in overwritten) == [b"forged", b'{"verdict": "passed"}']
    assert f"2026/11/drill-2026-11.json@{first.version_id}" in paths(overwritten)
    world.clients["s3"].delete_object(Bucket=EVIDENCE, Key=key)
    assert sorted(one.body for one in found(world, "drills")) == [b"forged", b'{"verdict": "passed"}']


def test_records_of_other_days_are_left_to_other_bundles(world):
    other = Period(PERIOD.first - timedelta(days=9), PERIOD.first - timedelta(days=8))
    assert [paths(found(world, kind, period=other)) for kind in ("restores", "restore-tests", "drills")] == [[], [], []]


def test_a_record_that_vanishes_between_list_and_get_is_told(world, monkeypatch):
    s3, get = world.clients["s3"], world.clients["s3"].get_object
    world.put("drills/2026/11/drill-2026-11-2.json", b"2")

    def vanish(**asked):
        if asked["Key"].endswith("drill-2026-11.json"):
            world.forget(asked["Key"])
        return get(**asked)

    monkeypatch.setattr(s3, "get_object", vanish)
    seen = found(world, "drills")
    assert paths(seen) == ["2026/11/drill-2026-11-2.json"]
    assert lacking(seen) == [
        (f"s3://{EVIDENCE}/drills/2026/11/drill-2026-11.json", "it was listed, and gone when it was read")
    ]


def test_a_record_in_glacier_is_told_with_the_way_to_get_it(world, monkeypatch):
    def frozen(**_asked):
        raise error("InvalidObjectState")

    monkeypatch.setattr(world.clients["s3"], "get_object", frozen)
    ((_, reason),) = lacking(found(world, "drills"))
    assert reason == "it is in Glacier: `aws s3api restore-object` first, then collect again"


def test_a_record_of_a_size_that_no_record_has_is_not_taken(world, monkeypatch):
    monkeypatch.setattr("runbook.evidence.collectors.records.LARGEST", 10)
    ((_, reason),) = lacking(found(world, "drills"))
    assert reason == "it has 21 bytes; 10 are taken at most"


# Audits


def test_audits_are_those_of_the_period_that_judge_the_stack(world):
    for name, text in {
        "other-stack": report(stacks=("prod",)),
        "both": report(stacks=("prod", "staging")),
        "early": report(at=BEFORE),
        "late": report(at=AFTER),
        "first": report(at=PERIOD.start),
        "no-report": '{"version": "2.1.0", "runs": []}',
        "broken": "{",
        "list": "[]",
    }.items():
        (world.reports / f"{name}.json").write_text(text)
    seen = found(world, "audits")
    assert paths(seen) == [
        "folder/audit.json",
        "folder/both.json",
        "folder/first.json",
        "bucket/2026/11/audit.json",
    ]
    assert lacking(seen) == []


def test_an_audit_that_does_not_say_when_it_was_made_is_told(world):
    (world.reports / "plain.json").write_text(report(header=None))
    (world.reports / "zoneless.json").write_text(report(header={"time": "2026-11-21T09:00:00"}))
    told = lacking(found(world, "audits"))
    assert [what.rpartition("/")[2] for what, _ in told] == ["plain.json", "zoneless.json"]
    assert {reason for _, reason in told} == {
        "it does not say when it was made; `runbook audit --report json` writes one that does"
    }


def test_bundles_are_no_audits(world):
    world.put("audits/bundles/000001.zip", b"PK")
    assert paths(found(world, "audits")) == ["folder/audit.json", "bucket/2026/11/audit.json"]


def test_a_folder_without_reports_is_no_fault(world):
    (world.reports / "audit.json").unlink()
    world.reports.rmdir()
    assert paths(found(world, "audits")) == ["bucket/2026/11/audit.json"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("staging"),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(("stack", "staging", "stacks", "commit")), inner),
)


@given(anything, anything)
def test_no_document_whatsoever_breaks_the_reader_of_audits(stacks, header):
    body = json.dumps({"version": 1, "refused": False, "stacks": stacks, "header": header}).encode()
    found = audited("audits/a.json", body, "staging")
    assert found is None or "staging" in [one.get("stack") for one in stacks if isinstance(one, dict)]


# Patches


def test_patches_are_counts_ids_and_times_of_every_page(world):
    seen = found(world, "patches")
    states = content(seen, "states.json")
    assert states["groups"] == ["staging-bastion", "staging-web"]
    assert [one["InstanceId"] for one in states["machines"]] == ["i-1", "i-2", "i-3"]
    assert states["machines"][0] == {
        "BaselineId": "pb-1",
        "InstanceId": "i-1",
        "MissingCount": 1,
        "Operation": "Scan",
        "OperationEndTime": f"{WITHIN:%Y-%m-%dT%H:%M:%SZ}",
        "OperationStartTime": f"{WITHIN:%Y-%m-%dT%H:%M:%SZ}",
        "PatchGroup": "staging-web",
    }


def test_runs_are_those_of_the_document_in_the_period(world):
    world.ssm.runs += [
        world.ssm.run("early", BEFORE),
        world.ssm.run("late", AFTER),
        world.ssm.run("other", document="staging-patches-hook"),
    ]
    runs = content(found(world, "patches"), "runs.json")["runs"]
    assert [one["AutomationExecutionId"] for one in runs] == ["run-1"]
    assert set(runs[0]) == {
        "AutomationExecutionId",
        "AutomationExecutionStatus",
        "DocumentName",
        "ExecutionStartTime",
        "ExecutionEndTime",
    }


# Alarms


def test_alarm_history_is_that_of_the_stack_in_the_period_without_values_or_messages(world):
    acted = {"actionState": "Succeeded", "notificationResource": "arn:topic", "publishedMessage": SECRET}
    world.cloudwatch.items += [
        happened("learning-platform-prod-cpu"),
        happened(at=AFTER),
        happened(item="Action", at=WITHIN + HOUR, data=acted),
        happened(item="ConfigurationUpdate", at=WITHIN + 2 * HOUR, data={"type": "Update", "updatedAlarm": SECRET}),
        happened(item="StateUpdate", at=WITHIN + 3 * HOUR, data="no JSON"),
        happened(item="StateUpdate", at=WITHIN + 4 * HOUR, data='["odd"]'),
    ]
    seen = found(world, "alarms")
    history = content(seen, "history.json")["history"]
    told = [{key: one[key] for key in one if key not in ("alarm", "at", "type")} for one in history]
    assert told == [
        {"item": "StateUpdate", "from": "OK", "to": "ALARM"},
        {"item": "Action", "action": "arn:topic", "outcome": "Succeeded"},
        {"item": "ConfigurationUpdate", "change": "Update"},
        {"item": "StateUpdate"},
        {"item": "StateUpdate"},
    ]
    assert lacking(seen) == []


def test_composite_alarms_are_asked_for_and_every_page_is_read(world):
    world.cloudwatch.items = [happened(at=WITHIN + number * HOUR) for number in range(5)]
    assert len(content(found(world, "alarms"), "history.json")["history"]) == 5
    assert world.cloudwatch.asked[0] == {
        "AlarmTypes": ["CompositeAlarm", "LogAlarm", "MetricAlarm"],
        "StartDate": PERIOD.start,
        "EndDate": PERIOD.end,
        "ScanBy": "TimestampAscending",
    }


def test_history_that_cloudwatch_has_forgotten_is_told(world):
    late = PERIOD.start + timedelta(days=31)
    assert lacking(found(world, "alarms", now=late)) == [
        (
            f"history before {PERIOD.start + timedelta(days=1):%Y-%m-%d %H:%M} UTC",
            "CloudWatch forgets after 30 days; collect every four weeks at the latest",
        )
    ]


# Digests


def test_digests_are_listed_with_whether_each_is_signed(world):
    seen = found(world, "trail")
    digests = content(seen, "digests.json")["digests"]
    assert (len(digests), lacking(seen)) == (72, [])
    assert (digests[0]["signed"], digests[0]["signatureAlgorithm"], digests[0]["region"]) == (
        True,
        "SHA256withRSA",
        "us-east-1",
    )
    assert digests[0]["versionId"]


def test_a_digest_without_a_signature_is_told(world):
    key = world.digest(5, signature=None)
    assert lacking(found(world, "trail")) == [(f"the signature of s3://{TRAIL}/{key}", "the digest has none")]


def test_hours_without_a_digest_are_told_region_by_region(world):
    for hour in (0, 1, 2, 40, 41, 42):
        world.digest(hour, "eu-west-1")
    day = PERIOD.start
    assert lacking(found(world, "trail")) == [
        (
            f"digests of eu-west-1 between {day:%Y-%m-%d} 02:34 and {day + 40 * HOUR:%Y-%m-%d} 16:34 UTC",
            "there is none in the trail's bucket",
        ),
        (
            f"digests of eu-west-1 between {day + 42 * HOUR:%Y-%m-%d} 18:34 and {PERIOD.end:%Y-%m-%d} 00:00 UTC",
            "there is none in the trail's bucket",
        ),
    ]


def test_digests_of_other_days_and_other_trails_are_not_counted(world):
    world.digest(-1)
    world.digest(72)
    world.digest(3, trail="organisation")
    assert len(content(found(world, "trail"), "digests.json")["digests"]) == 72


def test_a_digest_that_vanishes_between_list_and_head_is_told(world, monkeypatch):
    head = world.clients["s3"].head_object

    def vanish(**asked):
        if "T053417Z" in asked["Key"]:
            world.forget(asked["Key"], TRAIL)
        return head(**asked)

    monkeypatch.setattr(world.clients["s3"], "head_object", vanish)
    told = lacking(found(world, "trail"))
    assert {reason for _, reason in told} == {"it was listed, and gone when it was read"}
    assert len(told) == 3


START = datetime(2026, 11, 2, tzinfo=UTC)


def digests(ends):
    return [Digest(key=f"{number}", region="us-east-1", ends=end) for number, end in enumerate(ends)]


@given(st.sets(st.integers(0, 7 * 24 - 1)), st.randoms())
def test_every_hour_without_a_digest_lies_in_a_gap_and_no_other_does(hours, random):
    end = START + timedelta(days=7)
    present = [START + (hour + 0.5) * HOUR for hour in sorted(hours)]
    made = digests(present)
    random.shuffle(made)
    told = list(gaps(made, START, end))
    if not hours:
        assert [gap.what for gap in told] == ["digests"]
        return
    silent = [(one, other) for one, other in pairwise([START, *present, end]) if other - one > STEP]
    assert len(told) == len(silent)
    for hour in set(range(1, 7 * 24 - 1)) - hours:
        assert any(one < START + (hour + 0.5) * HOUR < other for one, other in silent)


# Permissions


@pytest.mark.parametrize("kind", BY_KIND)
def test_a_collector_asks_for_nothing_that_changes_anything(kind):
    actions = [action for one in BY_KIND[kind].permissions(site()) for action in one["Action"]]
    assert actions
    assert all(action.partition(":")[2].startswith(("Get", "List", "Describe")) for action in actions)


def test_digests_alone_are_readable_in_the_bucket_of_the_trail():
    resources = [one["Resource"] for one in BY_KIND["trail"].permissions(site()) if "s3:GetObject" in one["Action"]]
    assert resources == [[f"arn:aws:s3:::*/AWSLogs/{ACCOUNT}/CloudTrail-Digest/*"]]


def test_no_digest_is_expected_that_cannot_be_there_yet(world):
    seen = found(world, "trail", now=NOW - timedelta(hours=30))
    assert lacking(seen) == []
