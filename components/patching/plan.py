"""What patching decides: approvals, times, and the steps of a run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from settings.naming import Labels
from settings.times import DAYS, weekly_window

from .._told import EVENT_PATHS, advice, as_alarm

_DAY = 24 * 60

#: The tag that puts a machine into a patch group. EC2 shows no tag with a space in instance metadata, so it is not
#: ``Patch Group``.
TAG = "PatchGroup"

Role = Literal["hosts", "servers"]

#: Machines that stay (bastion, maintenance page), and those of the Auto Scaling group.
HOSTS: Role = "hosts"
SERVERS: Role = "servers"
ROLES: tuple[Role, ...] = (HOSTS, SERVERS)

OPERATING_SYSTEM = "AMAZON_LINUX_2023"

#: Hours before a window's end from which on nothing begins.
CUTOFF_HOURS = 1

#: Days that the snapshots of a run are kept: until after the run that follows.
SNAPSHOT_DAYS = 14

#: Of the machines of a group, so many at a time; the first failure stops the rest.
CONCURRENCY, ERRORS = "50%", "0"

SCAN_DOCUMENT, INSTALL_DOCUMENT = "AWS-RunPatchBaseline", "AWS-RunPatchBaselineWithHooks"

#: A new server serves before an old one goes, as in the group's own settings.
_REFRESH = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200, "SkipMatching": False}

#: Seconds that a step may take: a script 10 minutes at most, which Systems Manager sets.
_SCRIPT, _COMMAND, _REPLACEMENT = 600, 3600, 3600

_STEPS = Path(__file__).parents[2] / "functions" / "patching" / "steps.py"


def patch_group(labels: Labels, role: Role) -> str:
    """The patch group of an environment's machines, and the value of their tag ``PatchGroup``."""
    return labels.physical(role, limit=256)


def log_path(labels: Labels) -> str:
    """The log group that the machines write the output of runs to."""
    return labels.path("patching")


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Patches of ``classification`` and one of ``severities`` are approved; a missing one weighs ``level``."""

    classification: str
    severities: tuple[str, ...]
    level: Literal["CRITICAL", "HIGH", "MEDIUM"]

    @property
    def filters(self) -> dict[str, tuple[str, ...]]:
        """By the properties that advisories of Amazon Linux 2023 have."""
        return {"PRODUCT": ("*",), "CLASSIFICATION": (self.classification,), "SEVERITY": self.severities}


#: Application server and database client are packages of the operating system's own repository, with advisories like
#: the others; so they come by the same date. A bug fix without an advisory comes with the next image.
APPROVALS = (
    Approval(classification="Security", severities=("Critical", "Important"), level="CRITICAL"),
    Approval(classification="Security", severities=("Medium", "Low"), level="HIGH"),
    Approval(classification="Bugfix", severities=("*",), level="MEDIUM"),
)


@dataclass(frozen=True, slots=True)
class Window:
    """A maintenance window: its schedule (UTC) and length."""

    schedule: str
    hours: int


def window(text: str) -> Window:
    """``wed:14:00-wed:17:00`` as Systems Manager has it. Raises ValueError for a window that is no whole hours."""
    start, minutes = weekly_window(text)
    if minutes % 60:
        raise ValueError(f"A maintenance window is whole hours long; {text} has {minutes} minutes.")
    day, minute = divmod(start, _DAY)
    return Window(f"cron({minute % 60} {minute // 60} ? * {DAYS[day].upper()} *)", minutes // 60)


def scan_schedule(time: str) -> str:
    """Every day at ``time`` (HH:MM, UTC), as State Manager has it."""
    hour, minute = map(int, time.split(":"))
    return f"cron({minute} {hour} ? * * *)"


# What runs on the machines


def restart_document(services: Sequence[str]) -> str:
    """Restarts what runs, so that it runs with what was installed; before a reboot, if there is one."""
    units = shlex.join(services)
    script = f"""\
#!/bin/bash
set -u
status=0
for unit in {units}; do
    systemctl try-restart "$unit.service" || {{ echo "$unit does not restart." >&2; status=1; }}
done
exit $status"""
    return _command("Restarts services after an update.", script)


def check_document(services: Sequence[str], packages: Sequence[str]) -> str:
    """Notes versions and looks whether what is enabled runs; at the end of an installation, after the reboot."""
    script = f"""\
#!/bin/bash
set -u
status=0
for package in {shlex.join(packages)}; do
    rpm -q "$package" || true
done
for unit in {shlex.join(services)}; do
    systemctl is-enabled --quiet "$unit.service" 2>/dev/null || continue
    for _ in $(seq 12); do
        systemctl is-active --quiet "$unit.service" && continue 2
        sleep 5
    done
    echo "$unit does not run." >&2
    status=1
done
exit $status"""
    return _command("Notes versions of packages, and looks whether services run.", script)


def _command(description: str, script: str) -> str:
    return json.dumps(
        {
            "schemaVersion": "2.2",
            "description": description,
            "mainSteps": [
                {
                    "action": "aws:runShellScript",
                    "name": "run",
                    "precondition": {"StringEquals": ["platformType", "Linux"]},
                    "inputs": {"timeoutSeconds": "300", "runCommand": script.splitlines()},
                }
            ],
        },
        sort_keys=True,
    )


# The run

#: The step that a run which installed everything ends with, and its output: the images that servers then run.
LAST_STEP, IMAGES = "after", "Images"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run works on. ``groups``: role -> patch group; ``restart`` and ``check``: names of the hooks' documents.

    ``replace``: servers are replaced from the newest image first, which is where none is pinned.
    """

    calendar: str
    groups: Mapping[Role, str]
    target_group_arn: str
    scaling_group: str
    log_group: str
    restart: str
    check: str
    role_arn: str
    replace: bool


def install_document(run: Run) -> str:
    """The Automation document of a run, as JSON.

    A closed calendar ends it at once, and well; whatever else goes wrong ends it as failed, with nothing begun after
    that. Hosts come first: nobody's page depends on them. Servers are never restarted in place, because their load
    balancer would have them replaced: what needs a restart waits for the next image.
    """
    steps = [
        {
            "name": "calendar",
            "action": "aws:executeAwsApi",
            "inputs": {"Service": "ssm", "Api": "GetCalendarState", "CalendarNames": [run.calendar]},
            "outputs": [{"Name": "State", "Selector": "$.State", "Type": "String"}],
        },
        {
            "name": "open",
            "action": "aws:branch",
            "inputs": {
                "Choices": [{"NextStep": "before", "Variable": "{{ calendar.State }}", "StringEquals": "OPEN"}],
            },
            "isEnd": True,
        },
        _well("before", run, 60),
        _script(
            "keep",
            "keep",
            {"group": run.groups[HOSTS], "run": "{{ automation:EXECUTION_ID }}", "days": SNAPSHOT_DAYS},
        ),
        _install(run, HOSTS, "RebootIfNeeded"),
        *(_replacement(run) if run.replace else ()),
        _install(run, SERVERS, "NoReboot"),
        {**_well(LAST_STEP, run, _SCRIPT - 60), "isEnd": True},
    ]
    return json.dumps(
        {
            "schemaVersion": "0.3",
            "description": "Installs approved patches, unless the calendar is closed or the site is not well.",
            "assumeRole": run.role_arn,
            "mainSteps": steps,
        },
        sort_keys=True,
    )


def _script(name: str, handler: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "action": "aws:executeScript",
        "timeoutSeconds": _SCRIPT,
        "inputs": {
            "Runtime": "python3.11",
            "Handler": handler,
            "InputPayload": dict(payload),
            "Script": _STEPS.read_text(encoding="utf-8"),
        },
    }


def _well(name: str, run: Run, seconds: int) -> dict[str, Any]:
    payload = {"group": run.groups[SERVERS], "targets": run.target_group_arn, "seconds": seconds}
    images = {"Name": IMAGES, "Selector": "$.Payload.images", "Type": "StringList"}
    return {**_script(name, "well", payload), "outputs": [images]}


def _install(run: Run, role: Role, reboot: str) -> dict[str, Any]:
    return {
        "name": role,
        "action": "aws:runCommand",
        "timeoutSeconds": _COMMAND,
        "inputs": {
            "DocumentName": INSTALL_DOCUMENT,
            "Targets": [{"Key": f"tag:{TAG}", "Values": [run.groups[role]]}],
            "MaxConcurrency": CONCURRENCY,
            "MaxErrors": ERRORS,
            "Parameters": {
                "Operation": "Install",
                "RebootOption": reboot,
                # All machines of a run get the same patches, also those that are approved while it is under way.
                "SnapshotId": "{{ automation:EXECUTION_ID }}",
                "PostInstallHookDocName": run.restart,
                "OnExitHookDocName": run.check,
            },
            "CloudWatchOutputConfig": {"CloudWatchLogGroupName": run.log_group, "CloudWatchOutputEnabled": True},
        },
    }


def _replacement(run: Run) -> tuple[dict[str, Any], ...]:
    refreshes = {"Service": "autoscaling", "AutoScalingGroupName": run.scaling_group}
    return (
        {
            "name": "replace",
            "action": "aws:executeAwsApi",
            "inputs": {**refreshes, "Api": "StartInstanceRefresh", "Strategy": "Rolling", "Preferences": _REFRESH},
            "outputs": [{"Name": "Id", "Selector": "$.InstanceRefreshId", "Type": "String"}],
        },
        {
            "name": "replaced",
            "action": "aws:waitForAwsResourceProperty",
            "timeoutSeconds": _REPLACEMENT,
            "inputs": {
                **refreshes,
                "Api": "DescribeInstanceRefreshes",
                "InstanceRefreshIds": ["{{ replace.Id }}"],
                "PropertySelector": "$.InstanceRefreshes[0].Status",
                "DesiredValues": ["Successful"],
            },
        },
    )


def failure_pattern(document: str) -> str:
    """The event pattern of runs that did not end well."""
    pattern = {
        "source": ["aws.ssm"],
        "detail-type": ["EC2 Automation Execution Status-change Notification"],
        "detail": {"Definition": [document], "Status": ["Cancelled", "Failed", "TimedOut"]},
    }
    return json.dumps(pattern, sort_keys=True)


#: Place-holder -> where its value stands in the event.
FAILURE_PATHS = {**EVENT_PATHS, "execution": "$.detail.ExecutionId", "status": "$.detail.Status"}


def failure_message(name: str, environment: str) -> str:
    """The input template of the target of the rule ``name``."""
    told = advice(
        "high",
        f"Patching of {environment} stopped",
        "Machines that were not reached are as they were.",
        run_book="001 section 3",
        first="Read in the execution which step failed. Way back: a server is terminated, and the group starts another "
        "from its image; a host gets its disk back with `aws ec2 create-replace-root-volume-task` and the snapshot "
        "tagged PatchRun=<execution>.",
    )
    return as_alarm(name, told, "Execution <execution> ended as <status>.")
