"""The IAM policies of the sub-commands; both read only."""

from __future__ import annotations

from typing import Any

from ..site import Site
from .promote import COMPONENTS

Statement = dict[str, Any]


def of_status(site: Site) -> list[Statement]:
    """In the environment that is asked for."""
    return [_inventory(site, "patching"), *_patches(site)]


def of_promote(site: Site) -> list[Statement]:
    """In the environment that goes first; what it changes is a file."""
    return [
        _inventory(site, *COMPONENTS),
        *_patches(site),
        _allow(
            "ReadAlarms",
            # Composite alarms are told of to those alone who may ask of all.
            "*",
            "cloudwatch:DescribeAlarmHistory",
            "cloudwatch:DescribeAlarms",
        ),
        _allow("ReadDatabase", site.arn("rds", "db:*"), "rds:DescribeDBInstances"),
        # Takes no resource.
        _allow("ReadEvents", "*", "rds:DescribeEvents"),
    ]


def _inventory(site: Site, *components: str) -> Statement:
    parameters = [site.arn("ssm", f"parameter{site.parameter(component)}") for component in components]
    return {"Sid": "ReadInventory", "Effect": "Allow", "Action": ["ssm:GetParameter"], "Resource": parameters}


def _patches(site: Site) -> list[Statement]:
    return [
        # None of these takes a resource.
        _allow(
            "ReadPatches",
            "*",
            "ec2:DescribeInstances",
            "ssm:DescribeAutomationExecutions",
            "ssm:DescribeInstancePatchStatesForPatchGroup",
        ),
        _allow("ReadRuns", site.arn("ssm", "automation-execution/*"), "ssm:GetAutomationExecution"),
    ]


def _allow(sid: str, resource: str, *actions: str) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": [resource]}
