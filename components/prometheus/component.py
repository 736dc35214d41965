"""Where metrics are kept, and how the servers send them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from settings.naming import Labels

from .. import iam
from .._base import Component
from .._keys import Home, customer_key, log_group
from . import scrape


@dataclass(frozen=True, kw_only=True, slots=True)
class PrometheusArgs:
    """``server_tags``: tags that together name the servers; ``probe_url``: what answers while the site is up.

    ``agent_schedule``: when Systems Manager checks that the servers send (SSM rate or cron). ``protect``: what is kept
    cannot be deleted.
    """

    home: Home
    server_tags: Mapping[str, str]
    probe_url: str
    scrape_seconds: int
    probe_timeout_seconds: int
    agent_schedule: str
    retention_days: int
    log_retention_days: int
    logs_key_arn: pulumi.Input[str]
    protect: bool


class Prometheus(Component):
    """An encrypted workspace of Amazon Managed Service for Prometheus, and the association that makes servers feed it.

    The servers' CloudWatch agent sends what it reads to both systems (``scrape.agent_config``). It is configured by
    appending, so whoever else configures it has to append too: fetching would throw this part away. Where Prometheus is
    switched off again, a server goes on trying until it is replaced.

    Cost: samples are 0.90 USD for 10 million. Two servers with some 25 series each, at one sample a minute, make 2
    million a month, 0.20 USD; the key is 1 USD, and the agent's further metrics in CloudWatch (processors, network) are
    less than 3 USD.
    """

    TYPE = "learning-platform:prometheus:Prometheus"
    SERVICE = "prometheus"
    RUNBOOK = "001_62c8c82a6a764433.txt 1"

    key_arn: pulumi.Output[str]
    workspace_id: pulumi.Output[str]
    workspace_arn: pulumi.Output[str]
    #: The address to which queries are put.
    endpoint: pulumi.Output[str]
    #: What a server's role must allow so that the server can send its metrics.
    instance_statements: tuple[iam.Statement, ...]

    def __init__(
        self, name: str, args: PrometheusArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._key = customer_key(self, name, "Encrypts metrics and their dashboards", args.home, protect=args.protect)
        self._workspace = self._create_workspace(args)
        self._parameter = self._create_parameter()
        self.instance_statements = self._allow_sending(args.home)
        self._create_association(self._create_document(args), args)
        self.key_arn = self._key.arn
        self.workspace_id = self._workspace.id
        self.workspace_arn = self._workspace.arn
        self.endpoint = self._workspace.prometheus_endpoint
        self.register_outputs(
            {"workspaceId": self.workspace_id, "workspaceArn": self.workspace_arn, "endpoint": self.endpoint}
        )

    def _create_workspace(self, args: PrometheusArgs) -> aws.amp.Workspace:
        alias = self.labels.physical("metrics", limit=100)
        # The prefix spares the policy that CloudWatch Logs would write for the group.
        group = log_group(
            self,
            self.name,
            f"/aws/vendedlogs/prometheus/{alias}",
            retention_days=args.log_retention_days,
            key_arn=args.logs_key_arn,
        )
        workspace = aws.amp.Workspace(
            self.name,
            alias=alias,
            kms_key_arn=self._key.arn,
            logging_configuration={"log_group_arn": pulumi.Output.concat(group.arn, ":*")},
            tags=self.tags(self.name),
            opts=self.child(protect=args.protect),
        )
        aws.amp.WorkspaceConfiguration(
            self.name,
            workspace_id=workspace.id,
            retention_period_in_days=args.retention_days,
            opts=self.child(),
        )
        return workspace

    def _create_parameter(self) -> aws.ssm.Parameter:
        name = f"{self.name}-agent"
        config: pulumi.Output[str] = self._workspace.id.apply(
            lambda workspace_id: json.dumps(scrape.agent_config(workspace_id=workspace_id), sort_keys=True)
        )
        return aws.ssm.Parameter(
            name,
            name=self.labels.path(self.name, "cloudwatch-agent"),
            description="What the CloudWatch agent sends to Prometheus",
            type="String",
            # Nothing secret: a plain value stays readable in previews and reports.
            insecure_value=config,
            tags=self.tags(name),
            opts=self.child(),
        )

    def _allow_sending(self, home: Home) -> tuple[iam.Statement, ...]:
        return (
            iam.allow(["aps:RemoteWrite"], [self._workspace.arn], sid="SendMetrics"),
            iam.allow(
                ["kms:Decrypt", "kms:GenerateDataKey"],
                [self._key.arn],
                sid="EncryptMetrics",
                condition={"StringEquals": {"kms:ViaService": f"aps.{home.region}.amazonaws.com"}},
            ),
            iam.allow(["ssm:GetParameter"], [self._parameter.arn], sid="ReadMetricsConfiguration"),
        )

    def _create_document(self, args: PrometheusArgs) -> aws.ssm.Document:
        content = scrape.document(
            target=args.probe_url,
            scrape_seconds=args.scrape_seconds,
            timeout_seconds=args.probe_timeout_seconds,
        )
        name = f"{self.name}-agent"
        return aws.ssm.Document(
            name,
            document_type="Command",
            document_format="JSON",
            target_type="/AWS::EC2::Instance",
            content=json.dumps(content, sort_keys=True),
            tags=self.tags(name),
            opts=self.child(),
        )

    def _create_association(self, document: aws.ssm.Document, args: PrometheusArgs) -> None:
        name = f"{self.name}-agent"
        aws.ssm.Association(
            name,
            name=document.name,
            association_name=self.labels.physical(name),
            parameters={scrape.CONFIGURATION: self._parameter.name},
            targets=[{"key": f"tag:{key}", "values": [value]} for key, value in sorted(args.server_tags.items())],
            schedule_expression=args.agent_schedule,
            compliance_severity="MEDIUM",
            # One server's failure says nothing about another's.
            max_concurrency="100%",
            max_errors="100%",
            tags=self.tags(name),
            opts=self.child(),
        )
