"""What the scheduler and the function may do, and who may send to the dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from .. import iam
from .._keys import Home


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """What the function may touch: resources with these tags, in these regions."""

    home: Home
    regions: Sequence[str]
    project: str
    environment: str
    periods: Sequence[str]

    def arns(self, service: str, resource: str) -> list[str]:
        home = self.home
        return [
            Home(partition=home.partition, account_id=home.account_id, region=region).arn(service, resource)
            for region in self.regions
        ]

    @property
    def tagged(self) -> dict[str, dict[str, str | list[str]]]:
        return {
            "StringEquals": {
                "aws:ResourceTag/Environment": self.environment,
                "aws:ResourceTag/Project": self.project,
                "aws:ResourceTag/Schedule": list(self.periods),
            }
        }


def scheduler(function_arn: pulumi.Input[str], dead_letters_arn: pulumi.Input[str]) -> list[iam.Statement]:
    """Invoke that function only (``003_… Schedulers``). A schedule's dead letters are sent with the same role."""
    return [
        iam.allow(["lambda:InvokeFunction"], [function_arn], sid="InvokeFunction"),
        iam.allow(["sqs:SendMessage"], [dead_letters_arn], sid="BuryEvents"),
    ]


def function(
    reach: Reach,
    *,
    own_arn: str,
    parameter_arn: pulumi.Input[str],
    dead_letters_arn: pulumi.Input[str],
    log_group_arn: pulumi.Input[str],
) -> list[iam.Statement]:
    """Stop and start what is tagged; see what there is; read the configuration, go on, bury, log and trace."""
    here = {"StringEquals": {"aws:RequestedRegion": list(reach.regions)}}
    return [
        iam.allow(
            ["ec2:StartInstances", "ec2:StopInstances"],
            reach.arns("ec2", "instance/*"),
            sid="StopAndStartInstances",
            condition=reach.tagged,
        ),
        iam.allow(
            ["autoscaling:UpdateAutoScalingGroup"],
            reach.arns("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*"),
            sid="ResizeGroups",
            condition=reach.tagged,
        ),
        iam.allow(
            ["rds:StartDBInstance", "rds:StopDBInstance"],
            reach.arns("rds", "db:*"),
            sid="StopAndStartDatabases",
            condition=reach.tagged,
        ),
        # Neither of the two knows a resource that could be named.
        iam.allow(
            ["autoscaling:DescribeAutoScalingGroups", "ec2:DescribeInstances"],
            ["*"],
            sid="SeeInstances",
            condition=here,
        ),
        iam.allow(["rds:DescribeDBInstances"], reach.arns("rds", "db:*"), sid="SeeDatabases"),
        iam.allow(["ssm:GetParameter"], [parameter_arn], sid="ReadConfiguration"),
        iam.allow(["lambda:InvokeFunction"], [own_arn], sid="GoOn"),
        iam.allow(["sqs:SendMessage"], [dead_letters_arn], sid="BuryEvents"),
        iam.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [pulumi.Output.concat(log_group_arn, ":*")]),
        # Traces belong to no resource.
        iam.allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"], sid="Trace"),
    ]
