"""A stack's backups in the stand-in for AWS."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

from runbook.operations import aws
from runbook.operations.backup import run as operation
from runbook.operations.backup.estate import Estate
from runbook.operations.journal import Journal
from runbook.operations.procedure import run
from runbook.operations.site import Site

from .fakes.backup_jobs import BackupJobs, Commands, attach

ACCOUNT, REGION, RECOVERY = "123456789012", "us-east-1", "us-west-2"
BUCKET, STATE_BUCKET = "backups", f"learning-platform-staging-state-{ACCOUNT}"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/backups"
DATABASE = "learning-platform-staging-db"
VAULT, RECOVERY_VAULT = "staging", "staging-copies"
HOSTS = f"hosts/arn:aws:ec2:{REGION}:{ACCOUNT}:instance/"
TAGS = {"Environment": "staging", "Project": "learning-platform", "Service": "web"}

INVENTORY = {
    "backup": {
        "vault": VAULT,
        "recoveryVault": RECOVERY_VAULT,
        "recoveryRegion": RECOVERY,
        "planId": "plan-1",
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/backup",
        "retentionDays": 28,
        "rpoMinutes": 60,
        "restoreTestingPlan": "tests",
    },
    "archive": {"backupBucket": BUCKET, "keyArn": KEY, "prefix": HOSTS, "backupDocument": "staging-backup"},
    "database": {"identifier": DATABASE},
}


def site(lock="governance"):
    return Site(
        project="learning-platform",
        settings=SimpleNamespace(
            environment="staging",
            region=REGION,
            recovery_region=RECOVERY,
            account=SimpleNamespace(id=ACCOUNT, partition="aws"),
            ownership=SimpleNamespace(owner="platform", cost_center="CC-1"),
            backups=SimpleNamespace(lock=SimpleNamespace(mode=lock)),
            records=SimpleNamespace(locks=SimpleNamespace(backup=SimpleNamespace(mode=lock))),
        ),
    )


def estate(**changes):
    given = {
        "site": site(),
        "vault": VAULT,
        "recovery_vault": RECOVERY_VAULT,
        "recovery_region": RECOVERY,
        "plan_id": "plan-1",
        "role_arn": f"arn:aws:iam::{ACCOUNT}:role/backup",
        "retention_days": 28,
        "rpo_minutes": 60,
        "restore_testing": True,
        "vaults_locked": True,
        "bucket_locked": True,
        "hosts": HOSTS,
        "bucket": BUCKET,
        "key_arn": KEY,
        "document": "staging-backup",
        "database": DATABASE,
    }
    return Estate(**given | changes)


class World:
    """The account: clients, whose jobs and commands are fakes, a bucket, and servers."""

    def __init__(self, *, servers=2, fates=None, offline=()):
        self.jobs = BackupJobs()
        self.commands = Commands()
        self.clients = self.reach()
        s3 = self.clients["s3"]
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.servers = self._start(servers)
        self.commands.fates = {self.servers[index]: fate for index, fate in (fates or {}).items()}
        self.commands.offline = {self.servers[index] for index in offline}

    def reach(self, region=REGION):
        clients = aws.clients(region, None, *operation.CLIENTS)
        for name, service in (("backup", self.jobs), ("rds", self.jobs), ("ssm", self.commands)):
            attach(clients[name], service)
        return clients

    def _start(self, number):
        if not number:
            return []
        made = self.clients["ec2"].run_instances(
            ImageId="ami-12c6146b",
            MinCount=number,
            MaxCount=number,
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()]}
            ],
        )
        return sorted(one["InstanceId"] for one in made["Instances"])

    def put(self, bucket, key, body=b"content", **more):
        self.clients["s3"].put_object(Bucket=bucket, Key=key, Body=body, ChecksumAlgorithm="SHA256", **more)

    def keep_state(self, **objects):
        self.clients["s3"].create_bucket(Bucket=STATE_BUCKET)
        given = {".pulumi/meta.yaml": b"version: 1", ".pulumi/stacks/platform/staging.json": b"{}"} | objects
        for key, body in given.items():
            self.put(STATE_BUCKET, key, body)
        return sorted(given)

    def listed(self, prefix=""):
        found = self.clients["s3"].list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
        return [one["Key"] for one in found]

    def versions(self):
        """Key -> how often it was written."""
        found = self.clients["s3"].list_object_versions(Bucket=BUCKET).get("Versions", ())
        keys = [one["Key"] for one in found]
        return {key: keys.count(key) for key in keys}

    def journal(self, folder):
        return Journal(folder, "backup", environment="staging", account=ACCOUNT, who="arn:aws:iam::1:user/ana")

    def run(self, parts, folder, journal, *, name="2026-11-21", clients=None, **changes):
        clients = clients or self.clients
        stages = list(operation.stages(estate(**changes), clients, parts, name, folder))
        waited = []
        return run(stages, clients, self.journal(journal), pause=waited.append, clock=lambda: sum(waited))


def git(folder, *arguments):
    told = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments]
    return subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip()


def repository(folder):
    """A clone with one commit; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    (folder / "Pulumi.yaml").write_text("name: learning-platform\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "one")
    return git(folder, "rev-parse", "HEAD")
