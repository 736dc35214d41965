"""What each part of patching may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pulumi

from settings.naming import Labels

from .. import iam
from .._keys import Home
from . import plan


def instance_statements(home: Home, labels: Labels) -> tuple[iam.Statement, ...]:
    """What a machine's own role needs, so that the output of its patch runs reaches the log.

    Known before the log is made: machines are there before the component, which needs their group.
    """
    arn = home.arn("logs", f"log-group:{plan.log_path(labels)}")
    return (
        # Takes no resource.
        iam.allow(["logs:DescribeLogGroups"], ["*"], sid="FindPatchLog"),
        iam.allow(
            ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            [arn, f"{arn}:*"],
            sid="WritePatchLog",
        ),
    )


def run(
    home: Home,
    labels: Labels,
    groups: Mapping[plan.Role, str],
    *,
    calendar_arn: pulumi.Input[str],
    scaling_group: pulumi.Input[str] | None,
) -> list[iam.Statement]:
    """What a run does itself. ``scaling_group``: the group whose servers it replaces, if it does."""
    return [
        iam.allow(["ssm:GetCalendarState"], [calendar_arn], sid="AskCalendar"),
        # None of these takes a resource.
        iam.allow(
            [
                "ec2:DescribeInstances",
                "ec2:DescribeSnapshots",
                "elasticloadbalancing:DescribeTargetHealth",
                "ssm:DescribeInstanceInformation",
                "ssm:ListCommandInvocations",
                "ssm:ListCommands",
                *(["autoscaling:DescribeInstanceRefreshes"] if scaling_group is not None else []),
            ],
            ["*"],
            sid="Look",
        ),
        *_snapshots(home, labels, groups[plan.HOSTS]),
        iam.allow(["ssm:SendCommand"], [_document(home, plan.INSTALL_DOCUMENT)], sid="UseDocument"),
        iam.allow(
            ["ssm:SendCommand"],
            [home.arn("ec2", "instance/*")],
            sid="PatchMachines",
            condition={"StringEquals": {f"ssm:resourceTag/{plan.TAG}": sorted(groups.values())}},
        ),
        *(_replacing(home, scaling_group) if scaling_group is not None else ()),
    ]


def _document(home: Home, name: str) -> str:
    """A document of AWS's own, which belongs to no account."""
    return f"arn:{home.partition}:ssm:{home.region}::document/{name}"


def _snapshots(home: Home, labels: Labels, group: str) -> Iterator[iam.Statement]:
    snapshots = f"arn:{home.partition}:ec2:{home.region}::snapshot/*"
    owned = {
        "StringEquals": {
            "aws:ResourceTag/Environment": labels.environment,
            "aws:ResourceTag/Project": labels.project,
        }
    }
    machines = [home.arn("ec2", "instance/*"), home.arn("ec2", "volume/*")]
    yield iam.allow(["ec2:CreateSnapshots"], machines, sid="SnapshotOurs", condition=owned)
    yield iam.allow(
        ["ec2:CreateSnapshots"],
        [snapshots],
        sid="MakeSnapshots",
        condition={"StringEquals": {"aws:RequestTag/Patching": group}},
    )
    yield iam.allow(
        ["ec2:CreateTags"],
        [snapshots],
        sid="TagNewSnapshots",
        condition={"StringEquals": {"ec2:CreateAction": "CreateSnapshots"}},
    )
    yield iam.allow(
        ["ec2:DeleteSnapshot"],
        [snapshots],
        sid="DeleteOldSnapshots",
        condition={"StringEquals": {"aws:ResourceTag/Patching": group}},
    )


def _replacing(home: Home, scaling_group: pulumi.Input[str]) -> Iterator[iam.Statement]:
    arn = pulumi.Output.concat(home.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/"), scaling_group)
    yield iam.allow(["autoscaling:StartInstanceRefresh"], [arn], sid="ReplaceServers")


def window(home: Home, document: str, run_role_arn: pulumi.Input[str]) -> list[iam.Statement]:
    """What a maintenance window does: it starts the run, which then has a role of its own."""
    return [
        iam.allow(
            ["ssm:StartAutomationExecution"],
            # IAM knows an Automation document by two names, and a run by one of its own.
            [
                home.arn("ssm", f"automation-definition/{document}:*"),
                home.arn("ssm", "automation-execution/*"),
                home.arn("ssm", f"document/{document}"),
            ],
            sid="StartRun",
        ),
        iam.allow(
            ["iam:PassRole"],
            [run_role_arn],
            sid="PassRunRole",
            condition={"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}},
        ),
        # The window asks how its run ended.
        iam.allow(["ssm:GetAutomationExecution"], [home.arn("ssm", "automation-execution/*")], sid="FollowRun"),
    ]
