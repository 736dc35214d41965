"""The certificates of hosts: handed over from the server to the machine with the page, renewed, counted, rehearsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from settings.maintenance import ServerSettings

from .. import iam
from .._base import Component
from .._bucket import BucketArgs, GuardedBucket
from .._keys import customer_key
from . import plan
from .args import MaintenanceArgs
from .host import Host


class Certificates:
    """A way for a certificate from host to host that no laptop is on. Its resources are children of ``owner``.

    The server may only put one object into the bucket, the machine with the page only fetch and delete it. It lies
    there encrypted with a key of its own, for the minutes between the two documents, and for a day at most.
    """

    def __init__(self, owner: Component, args: MaintenanceArgs, server: ServerSettings, host: Host) -> None:
        self._owner, self._name, self._args = owner, owner.name, args
        self._server, self._host = server, host
        self.namespace = owner.labels.physical(self._name)
        self._key = customer_key(
            owner, f"{self._name}-hand-over", "Encrypts handed-over certificates", args.home, protect=args.protect
        )
        self._store = self._create_store(args)
        self.bucket = self._store.bucket.bucket
        #: What the server's role is allowed; written there where the settings name the role.
        self.server_statements = self._allow_server()
        self._grant()
        self.documents: dict[str, pulumi.Output[str]] = {**self._exchange(), **self._count()}
        if args.settings.certbot.enabled:
            self.documents |= self._renew()

    def _create_store(self, args: MaintenanceArgs) -> GuardedBucket:
        days = plan.HAND_OVER_DAYS
        name = f"{self._name}-hand-over"
        store = GuardedBucket(
            self._owner,
            name,
            BucketArgs(
                purpose="state", key_arn=self._key.arn, expire_days=days, noncurrent_days=days, protect=args.protect
            ),
        )
        delivery = iam.allow_service(
            "logging.s3.amazonaws.com",
            ["s3:PutObject"],
            [],
            sid="HandOverLogs",
            condition={
                "ArnEquals": {"aws:SourceArn": store.bucket.arn},
                "StringEquals": {"aws:SourceAccount": args.home.account_id},
            },
        )
        logs = GuardedBucket(
            self._owner,
            f"{self._name}-access-logs",
            # Server access logging cannot write with a customer key.
            BucketArgs(purpose="logs", key_arn=None, expire_days=args.log_retention_days, protect=args.protect),
            statements=[(delivery, "/hand-over/*")],
        )
        aws.s3.BucketLogging(
            name,
            bucket=store.bucket.id,
            target_bucket=logs.policy.bucket,
            target_prefix="hand-over/",
            opts=self._owner.child(),
        )
        return store

    @property
    def _object(self) -> pulumi.Output[str]:
        return pulumi.Output.concat(self._store.bucket.arn, f"/hand-over/{self._server.host}.tar.gz")

    def _allow_server(self) -> tuple[iam.Statement, ...]:
        backup = self._args.backup_document
        home = self._args.home
        return (
            iam.allow(["s3:PutObject"], [self._object], sid="HandOver"),
            iam.allow(["kms:GenerateDataKey"], [self._key.arn], sid="EncryptHandedOver"),
            self._count_statement(),
            *(
                [
                    iam.allow(
                        ["ssm:SendCommand"],
                        [
                            pulumi.Output.concat(home.arn("ssm", "document/"), backup),
                            home.arn("ec2", f"instance/{self._server.instance_id}"),
                        ],
                        sid="BackUpAfterRenewal",
                    )
                ]
                if backup is not None and self._args.settings.certbot.enabled
                else []
            ),
        )

    def _count_statement(self) -> iam.Statement:
        return iam.allow(
            ["cloudwatch:PutMetricData"],
            ["*"],
            sid="CountDays",
            condition={"StringEquals": {"cloudwatch:namespace": self.namespace}},
        )

    def _grant(self) -> None:
        taker = (
            iam.allow(["s3:DeleteObjectVersion", "s3:GetObjectVersion"], [self._object], sid="TakeOver"),
            iam.allow(
                ["s3:ListBucketVersions"],
                [self._store.bucket.arn],
                sid="FindHandedOver",
                condition={"StringEquals": {"s3:prefix": f"hand-over/{self._server.host}.tar.gz"}},
            ),
            iam.allow(["kms:Decrypt"], [self._key.arn], sid="DecryptHandedOver"),
            self._count_statement(),
        )
        roles: list[tuple[str, pulumi.Input[str], Sequence[iam.Statement]]] = [
            ("take-over", self._host.role.name, taker)
        ]
        if self._server.role_name is not None:
            roles.append(("hand-over", self._server.role_name, self.server_statements))
        for purpose, role, statements in roles:
            aws.iam.RolePolicy(
                f"{self._name}-{purpose}", role=role, policy=iam.document(*statements), opts=self._owner.child()
            )

    def _document(
        self,
        purpose: str,
        description: str,
        file: str,
        variables: Mapping[str, pulumi.Input[str]],
        files: Mapping[str, str] | None = None,
    ) -> aws.ssm.Document:
        content = pulumi.Output.all(**variables).apply(
            lambda known: plan.command(description, plan.script(file, known, files))
        )
        return self._host.document(f"{self._name}-{purpose}", content)

    def _exchange(self) -> dict[str, pulumi.Output[str]]:
        region = self._args.home.region
        common: dict[str, pulumi.Input[str]] = {
            "ACCOUNT": self._args.home.account_id,
            "AWS_DEFAULT_REGION": region,
            "BUCKET": self.bucket,
            "HOST": self._server.host,
        }
        give = self._document(
            "hand-over",
            "Hands the certificate of this machine over to the maintenance page.",
            "hand-over.sh",
            {**common, "KEY_ARN": self._key.arn},
        )
        take = self._document(
            "take-over", "Takes a handed-over certificate over, for the maintenance page.", "take-over.sh", common
        )
        associate, server = self._host.associate, self._server.instance_id
        associate(f"{self._name}-hand-over", give, server, self._args.settings.hand_over_schedule)
        # Often, so that nothing lies in the bucket for long; where nothing does, nothing happens.
        associate(f"{self._name}-take-over", take, self._host.instance.id, "rate(30 minutes)")
        return {"handOver": give.name, "takeOver": take.name}

    def _count(self) -> dict[str, pulumi.Output[str]]:
        machines = {"maintenance": self._host.instance.id, "server": pulumi.Output.from_input(self._server.instance_id)}
        names = {}
        for machine, instance_id in machines.items():
            purpose = f"days-left-{machine}"
            variables = {
                "AWS_DEFAULT_REGION": self._args.home.region,
                "MACHINE": machine,
                "NAMESPACE": self.namespace,
            }
            document = self._document(
                purpose, "Tells how many days the certificates are good for.", "days-left.sh", variables
            )
            self._host.associate(f"{self._name}-{purpose}", document, instance_id, "rate(1 day)")
            names[f"daysLeft{machine.capitalize()}"] = document.name
            self._watch_days(machine, purpose)
        return names

    def _watch_days(self, machine: str, purpose: str) -> None:
        """Rings when the renewal is late, and when nobody counts any more."""
        name, topic = f"{self._name}-{purpose}", self._args.topic_arns["high"]
        aws.cloudwatch.MetricAlarm(
            name,
            name=self._owner.labels.physical(self._name, purpose, limit=255),
            alarm_description=plan.late_renewal(machine, self._server.host, self._args.settings.certbot.late_days),
            namespace=self.namespace,
            metric_name="CertificateDaysLeft",
            dimensions={"Host": self._server.host, "Machine": machine},
            statistic="Minimum",
            period=24 * 3600,
            evaluation_periods=1,
            comparison_operator="LessThanThreshold",
            threshold=self._args.settings.certbot.late_days,
            treat_missing_data="breaching",
            alarm_actions=[topic],
            ok_actions=[topic],
            tags=self._owner.tags(name, Severity="high"),
            opts=self._owner.child(),
        )

    def _renew(self) -> dict[str, pulumi.Output[str]]:
        certbot, server = self._args.settings.certbot, self._server
        setup = self._document(
            "certbot",
            "Installs certbot and its timer, which renews certificates without stopping a server.",
            "certbot-setup.sh",
            {
                "BACKUP_DOCUMENT": self._args.backup_document or "",
                "CONTAINER": certbot.container or "",
                "EMAIL": certbot.email or "",
                "HOST": server.host,
                "WEBROOT": certbot.webroot,
            },
            {
                name: plan.read(name)
                for name in ("certificate-deployed.sh", "certificate-renewal.service", "certificate-renewal.timer")
            },
        )
        drill = self._document(
            "certbot-drill",
            "Rehearses the renewal of certificates against staging servers.",
            "certbot-drill.sh",
            {"WEBROOT": certbot.webroot},
        )
        self._host.associate(f"{self._name}-certbot", setup, server.instance_id, "rate(7 days)")
        self._host.associate(f"{self._name}-certbot-drill", drill, server.instance_id, certbot.drill_schedule)
        return {"certbot": setup.name, "certbotDrill": drill.name}
