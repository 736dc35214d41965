"""The chain that feeds the memory metric: configuration, installation, permission."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from .. import iam
from .._base import Component
from . import plan


class Agent:
    """The CloudWatch agent on every instance of a group. Its resources are children of ``owner``."""

    def __init__(
        self,
        owner: Component,
        *,
        group_name: pulumi.Input[str],
        role_name: pulumi.Input[str],
        application_log_group: aws.cloudwatch.LogGroup,
        system_log_group: aws.cloudwatch.LogGroup,
        schedule: str,
    ) -> None:
        self._owner, self._name = owner, f"{owner.name}-cloudwatch-agent"
        log_groups = (application_log_group, system_log_group)
        self.parameter = self._create_parameter(application_log_group.name, system_log_group.name)
        self._create_permission(role_name, log_groups)
        self._create_association(self._create_document(), group_name, schedule)

    def _create_parameter(
        self, application_log_group: pulumi.Output[str], system_log_group: pulumi.Output[str]
    ) -> aws.ssm.Parameter:
        config = pulumi.Output.all(application_log_group, system_log_group).apply(
            lambda names: plan.agent_config(application_log_group=names[0], system_log_group=names[1])
        )
        return aws.ssm.Parameter(
            self._name,
            name=self._owner.labels.path(self._owner.name, "cloudwatch-agent"),
            description="What the CloudWatch agent of the web tier collects",
            type="String",
            # Nothing secret: a plain value stays readable in previews and reports.
            insecure_value=config.apply(lambda value: json.dumps(value, sort_keys=True)),
            tags=self._owner.tags(self._name),
            opts=self._owner.child(),
        )

    def _create_permission(self, role_name: pulumi.Input[str], log_groups: tuple[aws.cloudwatch.LogGroup, ...]) -> None:
        aws.iam.RolePolicy(
            self._name,
            role=role_name,
            policy=iam.document(
                iam.allow(
                    ["cloudwatch:PutMetricData"],
                    ["*"],
                    sid="PutMetrics",
                    condition={"StringEquals": {"cloudwatch:namespace": plan.NAMESPACE}},
                ),
                # Neither takes a resource; the agent learns from them the group and the volumes it runs on.
                iam.allow(["ec2:DescribeTags", "ec2:DescribeVolumes"], ["*"], sid="KnowItself"),
                iam.allow(
                    ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                    [pulumi.Output.concat(group.arn, ":*") for group in log_groups],
                    sid="WriteLogs",
                ),
                iam.allow(["ssm:GetParameter"], [self.parameter.arn], sid="ReadConfiguration"),
            ),
            opts=self._owner.child(),
        )

    def _create_document(self) -> aws.ssm.Document:
        return aws.ssm.Document(
            self._name,
            document_type="Command",
            document_format="JSON",
            target_type="/AWS::EC2::Instance",
            content=json.dumps(plan.agent_document(), sort_keys=True),
            tags=self._owner.tags(self._name),
            opts=self._owner.child(),
        )

    def _create_association(self, document: aws.ssm.Document, group_name: pulumi.Input[str], schedule: str) -> None:
        aws.ssm.Association(
            self._name,
            name=document.name,
            association_name=self._owner.labels.physical(self._name),
            parameters={plan.CONFIGURATION: self.parameter.name},
            # Instances that join the group later get the agent as soon as they are managed.
            targets=[{"key": "tag:aws:autoscaling:groupName", "values": [group_name]}],
            schedule_expression=schedule,
            compliance_severity="HIGH",
            # One instance's failure says nothing about another's.
            max_concurrency="100%",
            max_errors="100%",
            tags=self._owner.tags(self._name),
            opts=self._owner.child(),
        )
