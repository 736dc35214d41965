"""A stack's account for restores: moto where it knows the API, and small stand-ins for what it does not.

moto has no recovery points of AWS Backup, no window of automated backups, and instances that are there and gone at
once; its Lambda wants Docker.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from functools import cache

import boto3
from botocore.exceptions import ClientError
from moto.backends import get_backend
from moto.rds.models import rds_backends

from runbook.operations.restore.evidence import Store
from runbook.operations.site import Site
from settings.load import check

ACCOUNT = "123456789012"
REGION, RECOVERY = "us-east-1", "us-west-2"
NOW = datetime(2026, 11, 5, 10, 0, tzinfo=UTC)
PRODUCTION = "learning-platform-staging-db"
VALIDATOR = "learning-platform-staging-validate-restore"
WHO = f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/ada"
EVIDENCE, BACKUPS = "evidence-0a1b2c3", "backup-0a1b2c3"
HOST = "i-0123456789abcdef0"


class Clock:
    """Moves only when somebody waits."""

    def __init__(self, now=NOW):
        self.now = now

    def pause(self, seconds):
        self.now += timedelta(seconds=seconds)

    def moment(self):
        return self.now

    def monotonic(self):
        return self.now.timestamp()


class Pages:
    """A paginator of one page."""

    def __init__(self, page):
        self.paginate = lambda **_: [page]


class Backup:
    """AWS Backup: the recovery points of a vault."""

    def __init__(self):
        self.points = []

    def get_paginator(self, name):
        assert name == "list_recovery_points_by_backup_vault"
        return Pages({"RecoveryPoints": list(self.points)})


class Lambda:
    """The validator. ``answers``: what it says in turn; the last one stays."""

    def __init__(self, clock, *answers):
        self.clock, self.asked = clock, []
        self.answers = list(answers) or [{"outcome": "SUCCESSFUL", "faults": []}]

    def invoke(self, *, FunctionName, Payload):  # noqa: N803 - boto3's names
        self.asked.append((FunctionName, json.loads(Payload)))
        self.clock.pause(60)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, bytes):
            return {"StatusCode": 200, "Payload": io.BytesIO(answer)}
        failed = {"FunctionError": "Unhandled"} if "errorType" in answer else {}
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode()), **failed}


class Rds:
    """moto's RDS, in which things take time. ``statuses``: of a copy, look by look, before it is available."""

    def __init__(self, client, statuses=("creating", "modifying")):
        self._client, self.meta = client, client.meta
        self.statuses, self.end, self.lingers = list(statuses), "available", 2
        self.windows, self.deleting = [], {}
        self.restored, self.deleted = [], []

    def __getattr__(self, name):
        return getattr(self._client, name)

    def get_paginator(self, name):
        if name == "describe_db_instance_automated_backups":
            return Pages({"DBInstanceAutomatedBackups": list(self.windows)})
        return self._client.get_paginator(name)

    def describe_db_instances(self, DBInstanceIdentifier):  # noqa: N803 - boto3's names
        if DBInstanceIdentifier in self.deleting:
            instance = self.deleting[DBInstanceIdentifier].pop(0)
            if not self.deleting[DBInstanceIdentifier]:
                del self.deleting[DBInstanceIdentifier]
            return {"DBInstances": [{**instance, "DBInstanceStatus": "deleting"}]}
        answer = self._client.describe_db_instances(DBInstanceIdentifier=DBInstanceIdentifier)
        if DBInstanceIdentifier in self.restored:
            answer["DBInstances"][0]["DBInstanceStatus"] = self.statuses.pop(0) if self.statuses else self.end
        return answer

    def restore_db_instance_from_db_snapshot(self, **arguments):
        # moto finds none of AWS Backup by its name alone.
        snapshots = rds_backends[ACCOUNT][self.meta.region_name].database_snapshots
        snapshot = snapshots[arguments["DBSnapshotIdentifier"].partition(":snapshot:")[2]]
        kind, snapshot.snapshot_type = snapshot.snapshot_type, "automated"
        try:
            self._client.restore_db_instance_from_db_snapshot(**arguments)
        finally:
            snapshot.snapshot_type = kind
        self._restored(arguments["DBInstanceIdentifier"], arguments)

    def restore_db_instance_to_point_in_time(self, **arguments):
        self._client.restore_db_instance_to_point_in_time(**arguments)
        self._restored(arguments["TargetDBInstanceIdentifier"], arguments)

    def _restored(self, identifier, arguments):
        """moto lets what is off, or none, be as with the source."""
        self.restored.append(identifier)
        copy = rds_backends[ACCOUNT][self.meta.region_name].databases[identifier]
        copy.deletion_protection = arguments["DeletionProtection"]
        copy.multi_az = arguments["MultiAZ"]
        copy.publicly_accessible = arguments["PubliclyAccessible"]
        copy.backup_retention_period = arguments["BackupRetentionPeriod"]

    def delete_db_instance(self, **arguments):
        identifier = arguments["DBInstanceIdentifier"]
        instance = self._client.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
        self._client.delete_db_instance(**arguments)
        self.deleted.append(identifier)
        if self.lingers:
            self.deleting[identifier] = [instance] * self.lingers


class Dying:
    """Clients of which the n-th call ends the program: before it takes effect, or just after."""

    def __init__(self, clients, dies_at=None, *, before=False):
        self.count, self.dies_at, self.before = 0, dies_at, before
        self.clients = {name: _Counted(self, client) for name, client in clients.items()}

    def call(self, method, arguments):
        self.count += 1
        dying = self.count == self.dies_at
        if dying and self.before:
            raise KeyboardInterrupt
        try:
            return method(**arguments)
        finally:
            if dying:
                raise KeyboardInterrupt


class _Counted:
    def __init__(self, owner, client):
        self._owner, self._client, self.meta = owner, client, getattr(client, "meta", None)

    def get_paginator(self, name):
        paginator = self._client.get_paginator(name)
        counted = Pages({})
        counted.paginate = lambda **arguments: self._owner.call(lambda **a: list(paginator.paginate(**a)), arguments)
        return counted

    def __getattr__(self, name):
        method = getattr(self._client, name)
        return lambda **arguments: self._owner.call(method, arguments)


class Refusing:
    """A client whose ``method`` is refused ``times`` times with ``code``."""

    def __init__(self, client, method, code, times=10_000):
        self._client, self._method, self._code, self.left = client, method, code, times
        self.meta = getattr(client, "meta", None)

    def __getattr__(self, name):
        if name != self._method or not self.left:
            return getattr(self._client, name)

        def refuse(**_):
            self.left -= 1
            raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, name)

        return refuse


@cache
def site(root):
    """The staging stack in the account that moto knows."""
    settings = check("staging", root)
    account = settings.account.model_copy(update={"id": ACCOUNT})
    return Site(project="learning-platform", settings=settings.model_copy(update={"account": account}))


class World:
    """The account: the database with a vault's recovery point of two days ago, and what its inventory tells."""

    def __init__(self, root, region=REGION):
        self.clock = Clock()
        self.site = site(root)
        self.region = region
        self._clients = {
            name: boto3.client(name, region_name=region) for name in ("ec2", "kms", "rds", "secretsmanager")
        }
        self.s3 = boto3.client("s3", region_name=REGION)
        self.key, self.database_key = (self._clients["kms"].create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        self._network()
        self._fill()

    def _fill(self):
        for bucket in (EVIDENCE, BACKUPS):
            self.s3.create_bucket(Bucket=bucket)
        self.rds = Rds(self._clients["rds"])
        self.backup, self.validator = Backup(), Lambda(self.clock)
        self._database()
        self.entry = {
            "recoveryVault": "recovery",
            "rpoMinutes": 4320,
            "rtoMinutes": 60,
            "securityGroupId": self.group,
            "subnetGroup": "isolated",
            "validator": VALIDATOR,
            "vault": "primary",
        }

    @property
    def clients(self):
        return {
            "backup": self.backup,
            "lambda": self.validator,
            "rds": self.rds,
            "s3": self.s3,
            "secretsmanager": self._clients["secretsmanager"],
        }

    def store(self, s3=None):
        return Store(s3=s3 or self.s3, bucket=EVIDENCE, key_arn=self.key, owner=ACCOUNT)

    def _network(self):
        ec2 = self._clients["ec2"]
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{self.region}{zone}")
            for n, zone in enumerate("ab")
        ]
        self.group = ec2.create_security_group(VpcId=vpc, GroupName="isolated", Description="x")["GroupId"]
        self.subnets = [subnet["Subnet"]["SubnetId"] for subnet in subnets]

    def _database(self):
        for name in ("data", "isolated"):
            self.rds.create_db_subnet_group(
                DBSubnetGroupName=name, DBSubnetGroupDescription="x", SubnetIds=self.subnets
            )
        self.rds.create_db_parameter_group(
            DBParameterGroupName="database-1a2b3c4", DBParameterGroupFamily="postgres17", Description="x"
        )
        self.rds.create_db_instance(
            DBInstanceIdentifier=PRODUCTION,
            DBInstanceClass="db.t4g.small",
            DBName="platform",
            DBParameterGroupName="database-1a2b3c4",
            DBSubnetGroupName="data",
            AllocatedStorage=20,
            DeletionProtection=True,
            Engine="postgres",
            EngineVersion="17.4",
            KmsKeyId=self.database_key,
            MasterUserPassword="not-a-secret-1",
            MasterUsername="platform_admin",
            StorageEncrypted=True,
        )
        self.backend = rds_backends[ACCOUNT][self.region]
        # moto takes one at the start, of this very moment.
        self.backend.database_snapshots.clear()
        self.snapshot("awsbackup:job-1", kind="awsbackup", age=timedelta(days=2))

    def snapshot(self, name, *, kind, age, in_vault=True):
        taken = (NOW - age).replace(tzinfo=None)
        made = self.backend.create_db_snapshot(PRODUCTION, name, snapshot_type=kind, original_created_at=taken)
        if kind == "awsbackup" and in_vault:
            self.backup.points.append(
                {
                    "RecoveryPointArn": made.db_snapshot_arn,
                    "ResourceArn": f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{PRODUCTION}",
                    "Status": "COMPLETED",
                }
            )
        return made.db_snapshot_arn

    def logs(self, *, until, since=timedelta(days=28)):
        """The database's automated backups, with which any second can be restored."""
        self.rds.windows.append(
            {
                "DBInstanceAutomatedBackupsArn": f"arn:aws:rds:{self.region}:{ACCOUNT}:auto-backup:ab-1",
                "DBInstanceIdentifier": PRODUCTION,
                "DbiResourceId": "db-M5ENSHXFPU6XHZ4G4ZEI5QIO2U",
                "EngineVersion": "17.4",
                "RestoreWindow": {"EarliestTime": NOW - since, "LatestTime": NOW - until},
            }
        )

    def empty(self):
        """As it was at first."""
        for service in ("rds", "s3", "secretsmanager"):
            for regions in get_backend(service).values():
                for backend in regions.values():
                    backend.reset()
        self.clock.now = NOW
        self._fill()

    def instances(self):
        found = self.rds._client.describe_db_instances()["DBInstances"]
        return {one["DBInstanceIdentifier"] for one in found}

    def records(self, prefix=""):
        listed = self.s3.list_objects_v2(Bucket=EVIDENCE, Prefix=prefix).get("Contents", [])
        return {one["Key"] for one in listed}

    def versions(self, key):
        return json.loads(self.s3.get_object(Bucket=EVIDENCE, Key=key)["Body"].read())
