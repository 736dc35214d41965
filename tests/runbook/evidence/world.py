"""A stack's account with evidence in it: moto's S3, and small stand-ins for what moto does not know."""

# ruff: noqa: N803 - arguments as the API names them

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from runbook.errors import UserError
from runbook.evidence.collect import collect
from runbook.evidence.collectors import COLLECTORS
from runbook.evidence.folder import Folder
from runbook.evidence.manifest import Period, bundle_id, moment
from runbook.evidence.scope import Scope
from runbook.evidence.shelf import Shelf
from runbook.operations import aws
from runbook.operations.journal import Journal
from runbook.operations.procedure import run
from runbook.operations.site import Site
from tests.runbook.operations.fakes.backup_jobs import Trouble, attach, error, page

ACCOUNT, REGION = "123456789012", "us-east-1"
EVIDENCE, TRAIL = "evidence-0a1b2c3", "trail-0a1b2c3"
WHO = f"arn:aws:sts::{ACCOUNT}:assumed-role/auditor/ada"
SECRET = "hunter2-in-plain-text"

#: The stand-in for S3 writes everything now. A period of two days, over for three hours, holds that at midnight too.
TODAY = datetime.now(UTC).date()
PERIOD = Period(TODAY - timedelta(days=1), TODAY + timedelta(days=1))
NOW = PERIOD.end + timedelta(hours=3)
WITHIN = PERIOD.start + timedelta(hours=30)

INVENTORY = {
    "archive": {"evidenceBucket": EVIDENCE, "keyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/evidence"},
    "audit": {
        "bucket": TRAIL,
        "trailArn": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/learning-platform-staging-audit",
    },
    "monitoring": {"alarmPrefix": "learning-platform-staging-"},
    "patching": {"groups": {"web": "staging-web", "bastion": "staging-bastion"}, "document": "staging-patches"},
}


def site(mode="compliance"):
    return Site(
        project="learning-platform",
        settings=SimpleNamespace(
            environment="staging",
            region=REGION,
            recovery_region="us-west-2",
            account=SimpleNamespace(id=ACCOUNT, partition="aws"),
            ownership=SimpleNamespace(owner="platform", cost_center="CC-1"),
            records=SimpleNamespace(
                locks=SimpleNamespace(evidence=SimpleNamespace(mode=mode, days=365)), audits=SimpleNamespace(days=2557)
            ),
        ),
    )


def report(at=WITHIN, stacks=("staging",), **changes):
    """As ``runbook audit --report json`` writes it."""
    document = {
        "version": 1,
        "refused": False,
        "stacks": [{"stack": stack, "verdict": "clean"} for stack in stacks],
        "header": {
            "time": moment(at),
            "commit": "c0ffee",
            "stacks": {stack: {"settingsSha256": "a" * 64, "graphSha256": "b" * 64} for stack in stacks},
        },
    }
    return json.dumps(document | changes)


def happened(alarm="learning-platform-staging-cpu", at=WITHIN, item="StateUpdate", data=None, **more):
    given = data or {"oldState": {"stateValue": "OK"}, "newState": {"stateValue": "ALARM", "stateReason": SECRET}}
    return {
        "AlarmName": alarm,
        "AlarmType": "MetricAlarm",
        "Timestamp": at,
        "HistoryItemType": item,
        "HistorySummary": SECRET,
        "HistoryData": given if isinstance(given, str) else json.dumps(given),
    } | more


class Cloudwatch:
    def __init__(self):
        self.items, self.asked = [happened()], []

    def describe_alarm_history(self, NextToken=None, **asked):
        self.asked.append(asked)
        shown, more = page(self.items, NextToken)
        return {"AlarmHistoryItems": shown, **more}


class Ssm:
    """Patch Manager and Automation."""

    def __init__(self):
        self.states = {
            "staging-web": [
                {
                    "InstanceId": f"i-{number}",
                    "PatchGroup": "staging-web",
                    "BaselineId": "pb-1",
                    "Operation": "Scan",
                    "OperationStartTime": WITHIN,
                    "OperationEndTime": WITHIN,
                    "MissingCount": number,
                    "OwnerInformation": SECRET,
                }
                for number in (3, 1, 2)
            ]
        }
        self.runs = [self.run("run-1")]

    def run(self, name, at=WITHIN, document="staging-patches"):
        return {
            "AutomationExecutionId": name,
            "AutomationExecutionStatus": "Success",
            "DocumentName": document,
            "ExecutionStartTime": at,
            "ExecutionEndTime": at,
            "Outputs": {"Words": [SECRET]},
            "FailureMessage": SECRET,
        }

    def describe_instance_patch_states_for_patch_group(self, PatchGroup, NextToken=None):
        shown, more = page(self.states.get(PatchGroup, []), NextToken)
        return {"InstancePatchStates": shown, **more}

    def describe_automation_executions(self, NextToken=None, **_asked):
        shown, more = page(self.runs, NextToken)
        return {"AutomationExecutionMetadataList": shown, **more}


class World:
    """The account, and a folder for bundles. ``hours``: of the period that have a digest."""

    def __init__(self, folder, site=None, hours=72):
        self.folder, self.site = folder, site or globals()["site"]()
        self.reports = folder / "reports"
        self.reports.mkdir()
        (self.reports / "audit.json").write_text(report())
        self.cloudwatch, self.ssm = Cloudwatch(), Ssm()
        self.clients = self.reach()
        self.inventory = dict(INVENTORY)
        self.looks = 0
        self.make_buckets()
        self.put("drills/2026/11/drill-2026-11.json", b'{"verdict": "passed"}')
        self.put("restore-tests/2026/11/20261105T100000Z-job.json", b'{"status": "SUCCESSFUL"}')
        self.put("audits/2026/11/audit.json", report().encode())
        for hour in range(hours):
            self.digest(hour)

    def reach(self):
        clients = aws.clients(REGION, None, "cloudwatch", "s3", "ssm")
        attach(clients["cloudwatch"], self.cloudwatch)
        attach(clients["ssm"], self.ssm)
        return clients

    def make_buckets(self):
        s3 = self.clients["s3"]
        for bucket in (EVIDENCE, TRAIL):
            s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)

    def put(self, key, body=b"{}", bucket=EVIDENCE, **more):
        return self.clients["s3"].put_object(Bucket=bucket, Key=key, Body=body, **more)["VersionId"]

    def digest(self, hour, region=REGION, signature="5e1f", trail="learning-platform-staging-audit"):
        at = PERIOD.start + timedelta(hours=hour, minutes=34, seconds=17)
        name = f"{ACCOUNT}_CloudTrail-Digest_{region}_{trail}_{REGION}_{at:%Y%m%dT%H%M%SZ}.json.gz"
        key = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{region}/{at:%Y/%m/%d}/{name}"
        signed = {"signature": signature, "signature-algorithm": "SHA256withRSA"} if signature else {}
        self.put(key, b"gz", TRAIL, Metadata=signed)
        return key

    def forget(self, key, bucket=EVIDENCE):
        """Deletes an object with all its versions, as no one may."""
        s3 = self.clients["s3"]
        for one in s3.list_object_versions(Bucket=bucket, Prefix=key).get("Versions", ()):
            s3.delete_object(Bucket=bucket, Key=key, VersionId=one["VersionId"], BypassGovernanceRetention=True)

    def scope(self, period=PERIOD, now=NOW, clients=None):
        def entry(component):
            if component not in self.inventory:
                raise UserError(f"staging has no inventory of {component}.", "Deploy it.")
            return self.inventory[component]

        return Scope(
            site=self.site,
            period=period,
            now=now,
            clients=clients or self.clients,
            inventory=entry,
            reports=self.reports,
        )

    def shelf(self, clients=None):
        records = self.site.settings.records
        return Shelf(
            s3=(clients or self.clients)["s3"],
            bucket=EVIDENCE,
            key_arn=INVENTORY["archive"]["keyArn"],
            owner=ACCOUNT,
            mode=records.locks.evidence.mode,
            days=records.locks.evidence.days,
            kept=records.audits.days,
        )

    def tick(self):
        self.looks += 1
        return NOW + timedelta(seconds=self.looks)

    def bundle(self, period=PERIOD, out="out"):
        return Folder(self.folder / out, bundle_id("staging", period))

    def collect(self, bundle=None, *, clients=None, collectors=COLLECTORS, period=PERIOD, previous=None, told=None):
        return collect(
            self.scope(period=period, clients=clients),
            bundle or self.bundle(period),
            collectors,
            who=WHO,
            previous=previous,
            now=self.tick,
            told=told or (lambda _kind: None),
        )

    def store(self, bundle, manifest, clients=None):
        clients = clients or self.clients
        waited = []
        book = Journal(self.folder / "journal", "evidence", environment="staging", account=ACCOUNT, who=WHO)
        stage = self.shelf(clients).stage(bundle, manifest, NOW)
        return run([stage], clients, book, pause=waited.append, clock=lambda: sum(waited))

    def collect_and_store(self, bundle=None, *, period=PERIOD, clients=None):
        bundle = bundle or self.bundle(period)
        stored = self.shelf(clients).stored()
        manifest = self.collect(bundle, clients=clients, period=period, previous=stored[-1].link if stored else None)
        self.store(bundle, manifest, clients)
        return manifest

    def struck(self, at, what=KeyboardInterrupt, *, before=True):
        """Clients of which the ``at``-th call fails once."""
        trouble = Trouble(at, what, before=before)
        clients = self.reach()
        for client in clients.values():
            trouble.watch(client)
        return trouble, clients

    def bundles(self):
        """Key -> how often it was written."""
        found = self.clients["s3"].list_object_versions(Bucket=EVIDENCE, Prefix="audits/bundles/").get("Versions", ())
        keys = [one["Key"] for one in found]
        return {key: keys.count(key) for key in keys}


def throttled():
    return error("ThrottlingException", "Rate exceeded")
