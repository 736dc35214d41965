"""Where people look at metrics: Grafana."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from settings.naming import Labels

from .. import iam
from .._base import Component
from .._keys import Home
from . import grafana
from .plan import Panel


@dataclass(frozen=True, kw_only=True, slots=True)
class GrafanaArgs:
    """``workspace_arn`` and ``endpoint``: of the Prometheus workspace; ``key_arn``: of the key that encrypts it.

    ``topic_key_arn``: of the key that encrypts what is sent to people; ``email``: who gets what Grafana sends.
    ``panels``: what the alarm matrix shows; ``names``: reference in them -> what CloudWatch knows the resource by.
    ``admin_group_ids`` and ``viewer_group_ids``: of IAM Identity Center.
    """

    home: Home
    version: str
    admin_group_ids: tuple[str, ...]
    viewer_group_ids: tuple[str, ...]
    workspace_arn: pulumi.Input[str]
    endpoint: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    topic_key_arn: pulumi.Input[str]
    panels: Sequence[Panel]
    names: Mapping[str, pulumi.Input[str]]
    email: pulumi.Input[str]
    protect: bool


def topic_name(labels: Labels) -> str:
    """The name of the topic that Grafana publishes to, known before the topic is made."""
    return labels.physical("grafana", limit=256)


class Grafana(Component):
    """A workspace of Amazon Managed Grafana, and the dashboards that belong into it.

    People sign in with IAM Identity Center. The dashboards and data sources are rendered from the alarm matrix and kept
    in AppConfig, the newest version of ``dashboards_profile``; declaring the workspace does not put them into it,
    because its API wants a token. Whoever brings them in makes one for the service account that is declared here, valid
    for a minute, and posts them; a person can as well paste them into the workspace.

    What people build in Grafana may send e-mail by a topic of its own, and calls nobody: an alarm that shall call
    somebody belongs in the matrix.

    Cost: 9 USD a month for each editor or administrator who signs in, 5 for each viewer; the service account counts as
    one in a month in which it has a token.
    """

    TYPE = "learning-platform:prometheus:Grafana"
    SERVICE = "grafana"
    RUNBOOK = "001_62c8c82a6a764433.txt 1"

    workspace_id: pulumi.Output[str]
    #: The address, without ``https://``.
    address: pulumi.Output[str]
    service_account_id: pulumi.Output[str]
    dashboards_application: pulumi.Output[str]
    dashboards_profile: pulumi.Output[str]

    def __init__(
        self, name: str, args: GrafanaArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._topic = self._create_topic(args)
        self._workspace = self._create_workspace(args, self._create_role(args))
        self._create_members(args)
        self._account = self._create_account()
        self._application, self._profile = self._create_store(args)
        self._create_dashboards(args)
        self.workspace_id = self._workspace.id
        self.address = self._workspace.endpoint
        self.service_account_id = self._account.service_account_id
        self.dashboards_application = self._application.id
        self.dashboards_profile = self._profile.configuration_profile_id
        self.register_outputs({"workspaceId": self.workspace_id, "address": self.address})

    def _create_topic(self, args: GrafanaArgs) -> aws.sns.Topic:
        topic = aws.sns.Topic(
            self.name,
            name=topic_name(self.labels),
            display_name=f"{self.labels.environment} grafana",
            kms_master_key_id=args.topic_key_arn,
            signature_version=2,
            tags=self.tags(self.name),
            opts=self.child(),
        )
        aws.sns.TopicPolicy(
            self.name,
            arn=topic.arn,
            policy=iam.document(iam.deny_insecure("sns:Publish", topic.arn)),
            opts=self.child(),
        )
        aws.sns.TopicSubscription(
            f"{self.name}-email", topic=topic.arn, protocol="email", endpoint=args.email, opts=self.child()
        )
        return topic

    def _create_role(self, args: GrafanaArgs) -> aws.iam.Role:
        role = aws.iam.Role(
            self.name,
            description="Grafana: reads metrics and alarms",
            assume_role_policy=iam.trust(
                "grafana.amazonaws.com",
                account_id=args.home.account_id,
                source_arn=args.home.arn("grafana", "/workspaces/*"),
            ),
            tags=self.tags(self.name),
            opts=self.child(),
        )
        aws.iam.RolePolicy(
            self.name,
            role=role.name,
            policy=iam.document(*self._allow_reading(args), *self._allow_sending(args)),
            opts=self.child(),
        )
        return role

    def _allow_reading(self, args: GrafanaArgs) -> tuple[iam.Statement, ...]:
        home = args.home
        return (
            iam.allow(
                [
                    "aps:DescribeWorkspace",
                    "aps:GetAlertManagerStatus",
                    "aps:GetLabels",
                    "aps:GetMetricMetadata",
                    "aps:GetSeries",
                    "aps:ListAlertManagerAlertGroups",
                    "aps:ListAlertManagerAlerts",
                    "aps:ListAlertManagerSilences",
                    "aps:ListRules",
                    "aps:QueryMetrics",
                ],
                [args.workspace_arn],
                sid="ReadPrometheus",
            ),
            # Neither takes a resource.
            iam.allow(["cloudwatch:GetMetricData", "cloudwatch:ListMetrics"], ["*"], sid="ReadMetrics"),
            iam.allow(
                ["cloudwatch:DescribeAlarmHistory", "cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmsForMetric"],
                [home.arn("cloudwatch", "alarm:*")],
                sid="ReadAlarms",
            ),
        )

    def _allow_sending(self, args: GrafanaArgs) -> tuple[iam.Statement, ...]:
        """What Grafana may publish, and the keys: of what Prometheus keeps, and of what is sent."""
        region = args.home.region
        return (
            iam.allow(["sns:Publish"], [self._topic.arn], sid="SendNotifications"),
            *(
                iam.allow(
                    ["kms:Decrypt", "kms:GenerateDataKey"],
                    [key_arn],
                    sid=sid,
                    condition={"StringEquals": {"kms:ViaService": f"{service}.{region}.amazonaws.com"}},
                )
                for sid, key_arn, service in (
                    ("UseMetricsKey", args.key_arn, "aps"),
                    ("UseTopicKey", args.topic_key_arn, "sns"),
                )
            ),
        )

    def _create_workspace(self, args: GrafanaArgs, role: aws.iam.Role) -> aws.grafana.Workspace:
        return aws.grafana.Workspace(
            self.name,
            name=self.labels.physical("grafana", limit=255),
            description=f"Metrics of {self.labels.project}, {self.labels.environment}",
            account_access_type="CURRENT_ACCOUNT",
            authentication_providers=["AWS_SSO"],
            # The role is ours: one that AWS makes reads every metric and publishes to every topic named grafana.
            permission_type="CUSTOMER_MANAGED",
            role_arn=role.arn,
            data_sources=["CLOUDWATCH", "PROMETHEUS"],
            notification_destinations=["SNS"],
            grafana_version=args.version,
            kms_key_id=args.key_arn,
            tags=self.tags(self.name),
            opts=self.child(protect=args.protect),
        )

    def _create_members(self, args: GrafanaArgs) -> None:
        for role, group_ids in (("ADMIN", args.admin_group_ids), ("VIEWER", args.viewer_group_ids)):
            if group_ids:
                aws.grafana.RoleAssociation(
                    f"{self.name}-{role.lower()}",
                    workspace_id=self._workspace.id,
                    role=role,
                    group_ids=sorted(group_ids),
                    opts=self.child(),
                )

    def _create_account(self) -> aws.grafana.WorkspaceServiceAccount:
        """Whose token brings dashboards in; data sources are for administrators alone. No token is declared."""
        return aws.grafana.WorkspaceServiceAccount(
            f"{self.name}-dashboards",
            name="dashboards",
            grafana_role="ADMIN",
            workspace_id=self._workspace.id,
            opts=self.child(),
        )

    def _create_store(self, args: GrafanaArgs) -> tuple[aws.appconfig.Application, aws.appconfig.ConfigurationProfile]:
        name = f"{self.name}-dashboards"
        application = aws.appconfig.Application(
            name,
            name=self.labels.physical("grafana", limit=64),
            description="What belongs into the Grafana workspace",
            tags=self.tags(name),
            opts=self.child(),
        )
        profile = aws.appconfig.ConfigurationProfile(
            name,
            name="dashboards",
            description="Data sources and dashboards, as Grafana's API takes them",
            application_id=application.id,
            location_uri="hosted",
            type="AWS.Freeform",
            kms_key_identifier=args.key_arn,
            tags=self.tags(name),
            opts=self.child(),
        )
        return application, profile

    def _create_dashboards(self, args: GrafanaArgs) -> None:
        known: pulumi.Output[dict[str, Any]] = pulumi.Output.from_input(
            {"endpoint": args.endpoint, "names": dict(args.names)}
        )
        aws.appconfig.HostedConfigurationVersion(
            f"{self.name}-dashboards",
            application_id=self._application.id,
            configuration_profile_id=self._profile.configuration_profile_id,
            content_type="application/json",
            content=known.apply(
                lambda facts: grafana.bundle(
                    environment=self.labels.environment,
                    version=args.version,
                    region=args.home.region,
                    panels=args.panels,
                    **facts,
                )
            ),
            opts=self.child(),
        )
