"""The machines of an environment and what Patch Manager knows of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..aws import spoken

#: Machines are looked at every day; so long ago, the look has failed at least once.
STALE = timedelta(days=2)

#: Servers wait for a new image with what needs a restart; so long it may take.
PENDING = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that runs or is stopped. ``looked``: when Patch Manager last looked at it, None for never.

    ``pending``: patches that wait for a restart, since ``pending_since``.
    """

    id: str
    group: str
    runs: bool
    looked: datetime | None = None
    missing: int = 0
    failed: int = 0
    rejected: int = 0
    pending: int = 0
    pending_since: datetime | None = None


def machines(ec2: Any, ssm: Any, groups: Mapping[str, str]) -> tuple[Machine, ...]:
    """All machines of the patch groups, by group and id. ``groups``: role -> patch group."""
    names = sorted(groups.values())
    with spoken("ec2:DescribeInstances"):
        pages = ec2.get_paginator("describe_instances").paginate(
            Filters=[
                {"Name": "tag:PatchGroup", "Values": names},
                {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
            ]
        )
        found = [one for page in pages for reservation in page["Reservations"] for one in reservation["Instances"]]
    states = dict(_states(ssm, names))
    made = (_machine(one, states.get(one["InstanceId"], {})) for one in found)
    return tuple(sorted(made, key=lambda one: (one.group, one.id)))


def _states(ssm: Any, groups: list[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for group in groups:
        with spoken("ssm:DescribeInstancePatchStatesForPatchGroup"):
            pages = ssm.get_paginator("describe_instance_patch_states_for_patch_group").paginate(PatchGroup=group)
            for page in pages:
                yield from ((one["InstanceId"], one) for one in page["InstancePatchStates"])


def _machine(instance: Mapping[str, Any], state: Mapping[str, Any]) -> Machine:
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}
    return Machine(
        id=instance["InstanceId"],
        group=tags["PatchGroup"],
        runs=instance["State"]["Name"] in ("pending", "running"),
        looked=state.get("OperationEndTime"),
        missing=state.get("MissingCount", 0),
        failed=state.get("FailedCount", 0),
        rejected=state.get("InstalledRejectedCount", 0),
        pending=state.get("InstalledPendingRebootCount", 0),
        pending_since=state.get("LastNoRebootInstallOperationTime"),
    )


def troubles(machine: Machine, now: datetime) -> list[str]:
    """What is wrong with a machine's patches, apart from such as only wait for the next run."""
    found = []
    if machine.looked is None:
        found.append("Patch Manager never looked at it")
    elif machine.runs and now - machine.looked > STALE:
        found.append(f"Patch Manager last looked at it {(now - machine.looked).days} days ago")
    if machine.failed:
        found.append(f"{machine.failed} failed")
    if machine.rejected:
        found.append(f"{machine.rejected} rejected but installed")
    if machine.pending and (machine.pending_since is None or now - machine.pending_since > PENDING):
        found.append(f"{machine.pending} wait for a restart for more than {PENDING.days} days")
    return found


def faults(machine: Machine, now: datetime) -> list[str]:
    """All that keeps a machine from being compliant."""
    return [*([f"{machine.missing} missing"] if machine.missing else []), *troubles(machine, now)]
