"""Looks whether the site is well around a patch run, and takes snapshots of the machines before it.

Steps of an SSM Automation document, which holds this file as text: it has to stand alone. A step that fails ends the
run, which somebody is told of. Each may run twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

#: The steps have no retries of their own.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 8})

_PAUSE_SECONDS = 15

Event = Mapping[str, Any]


def well(event: Event, _context: object) -> dict[str, Any]:
    """Waits until each server behind the load balancer is healthy, and one at least.

    ``event``: ``targets`` (ARN of the target group), ``seconds`` (to wait at the most) and ``group`` (the servers' tag
    PatchGroup). Returns ``{"healthy": number, "images": ids}``, the images being those that servers run. Raises
    RuntimeError when the time is up.
    """
    balancer = boto3.client("elbv2", config=_CONFIG)
    ends = time.monotonic() + float(event["seconds"])
    while True:
        found = balancer.describe_target_health(TargetGroupArn=event["targets"])["TargetHealthDescriptions"]
        # A server that is being taken out no longer counts.
        states = [state for state in (one["TargetHealth"]["State"] for one in found) if state != "draining"]
        if states and set(states) == {"healthy"}:
            ec2 = boto3.client("ec2", config=_CONFIG)
            return {
                "healthy": len(states),
                "images": sorted({one["ImageId"] for one in _machines(ec2, event["group"])}),
            }
        if time.monotonic() >= ends:
            healthy = states.count("healthy")
            raise RuntimeError(f"The site is not well: {healthy} of {len(states)} servers are healthy.")
        time.sleep(_PAUSE_SECONDS)


def keep(event: Event, _context: object) -> dict[str, list[str]]:
    """Takes snapshots of all volumes of the group's running machines, and deletes those of runs long past.

    ``event``: ``group`` (their tag PatchGroup), ``run`` (id of this run) and ``days`` (that snapshots are kept).
    Returns ``{"snapshots": ids}``, those that a first attempt of the same run took among them.
    """
    ec2 = boto3.client("ec2", config=_CONFIG)
    group, run = event["group"], event["run"]
    taken = list(_snapshots(ec2, group))
    made = [one["SnapshotId"] for one in taken if _tags(one).get("PatchRun") == run]
    done = {_tags(one).get("Instance") for one in taken if _tags(one).get("PatchRun") == run}
    for instance in (one["InstanceId"] for one in _machines(ec2, group)):
        if instance in done:
            continue
        tags = {"Instance": instance, "PatchRun": run, "Patching": group}
        answer = ec2.create_snapshots(
            InstanceSpecification={"InstanceId": instance},
            Description=f"Before patching {instance}",
            CopyTagsFromSource="volume",
            TagSpecifications=[
                {"ResourceType": "snapshot", "Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}
            ],
        )
        made += [one["SnapshotId"] for one in answer["Snapshots"]]
    oldest = datetime.now(UTC) - timedelta(days=float(event["days"]))
    for one in taken:
        if one["StartTime"] < oldest and _tags(one).get("PatchRun") != run:
            ec2.delete_snapshot(SnapshotId=one["SnapshotId"])
    return {"snapshots": sorted(made)}


def _machines(ec2: Any, group: str) -> Iterator[Mapping[str, Any]]:
    filters = [
        {"Name": "tag:PatchGroup", "Values": [group]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    for page in ec2.get_paginator("describe_instances").paginate(Filters=filters):
        for reservation in page["Reservations"]:
            yield from reservation["Instances"]


def _snapshots(ec2: Any, group: str) -> Iterator[Mapping[str, Any]]:
    filters = [{"Name": "tag:Patching", "Values": [group]}]
    for page in ec2.get_paginator("describe_snapshots").paginate(OwnerIds=["self"], Filters=filters):
        yield from page["Snapshots"]


def _tags(snapshot: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in snapshot.get("Tags", ())}
