"""The servers back up their own configuration (``003_… Backups``); here they are told to, and listened to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..aws import spoken
from ..procedure import Done, Facts, Failed, Look, Stage, Todo, Waiting
from .estate import Estate, servers

_UNDER_WAY = frozenset({"Cancelling", "Delayed", "InProgress", "Pending"})

#: A server that does not take the command within ten minutes is not there.
_DELIVERY_SECONDS = 600

_TAKEN_AT_ONCE = 50


def stage(estate: Estate, clients: Mapping[str, Any], run: str) -> Stage:
    """``clients``: ``ec2`` and ``ssm``. A server that failed is told again by the next run, the others are not."""
    files = _Files(estate, clients, run)
    return Stage(
        name="files",
        changes=f"Tells every server of the web tier to back up its configuration ({estate.document}).",
        look=files.look,
        call="ssm.send_command",
        action=(
            "ec2:DescribeInstances",
            "ssm:DescribeInstanceInformation",
            "ssm:ListCommands",
            "ssm:ListCommandInvocations",
            "ssm:SendCommand",
        ),
        arguments=files.arguments,
        act=files.act,
        # The database's trouble is none of the servers'.
        always=True,
        pause=5,
    )


class _Files:
    def __init__(self, estate: Estate, clients: Mapping[str, Any], run: str) -> None:
        self._estate = estate
        self._ec2 = clients["ec2"]
        self._ssm = clients["ssm"]
        # Systems Manager knows no token; the comment is how a command is found again.
        self._comment = f"runbook backup {run}"
        self._sent: set[str] = set()
        self._due: tuple[str, ...] = ()

    def look(self, _facts: Facts) -> Look:
        with spoken("ec2:DescribeInstances"):
            running = sorted(servers(self._ec2, self._estate.server_tags))
        if not running:
            return Failed("no server of the web tier runs. `runbook backup run` again once one does.")
        results = self._results()
        waiting = [server for server in running if results.get(server, ("",))[0] in _UNDER_WAY]
        done = [server for server in running if results.get(server, ("",))[0] == "Success"]
        if waiting:
            return Waiting(f"{', '.join(waiting)} at work; {len(done)} of {len(running)} done")
        left = [server for server in running if server not in done]
        if not left:
            return Done({"servers": done})
        reachable = self._reachable(left)
        failed = [server for server in left if server in results and results[server][1] in self._sent]
        self._due = tuple(server for server in left if server in reachable and server not in failed)[:_TAKEN_AT_ONCE]
        if self._due:
            return Todo()
        return Failed(" ".join([f"{len(done)} of {len(running)} servers are backed up.", *self._told(left, results)]))

    def _told(self, left: list[str], results: Mapping[str, tuple[str, str]]) -> list[str]:
        return [
            f"{server}: {results[server][0]} (aws ssm get-command-invocation --command-id {results[server][1]} "
            f"--instance-id {server} tells more)."
            if server in results
            else f"{server} does not answer to Systems Manager."
            for server in left
        ]

    def _results(self) -> dict[str, tuple[str, str]]:
        """Server -> the outcome of this run's newest command to it, and the command's id; success outdoes the rest."""
        filters = [{"key": "DocumentName", "value": self._estate.document}]
        with spoken("ssm:ListCommands"):
            pages = self._ssm.get_paginator("list_commands").paginate(Filters=filters)
            commands = [one for page in pages for one in page["Commands"] if one.get("Comment") == self._comment]
        results: dict[str, tuple[str, str]] = {}
        for command in sorted(commands, key=lambda one: one["RequestedDateTime"]):
            # A server that was told a moment ago may not have an entry of its own yet.
            said = dict.fromkeys(command.get("InstanceIds", ()), command["Status"])
            with spoken("ssm:ListCommandInvocations"):
                pages = self._ssm.get_paginator("list_command_invocations").paginate(CommandId=command["CommandId"])
                said |= {one["InstanceId"]: one["Status"] for page in pages for one in page["CommandInvocations"]}
            for server, status in said.items():
                if results.get(server, ("",))[0] != "Success":
                    results[server] = (status, command["CommandId"])
        return results

    def _reachable(self, ids: list[str]) -> set[str]:
        with spoken("ssm:DescribeInstanceInformation"):
            pages = self._ssm.get_paginator("describe_instance_information").paginate(
                Filters=[{"Key": "InstanceIds", "Values": ids}]
            )
            known = [one for page in pages for one in page["InstanceInformationList"]]
        return {one["InstanceId"] for one in known if one["PingStatus"] == "Online"}

    def arguments(self, _facts: Facts) -> Mapping[str, Any]:
        return {
            "DocumentName": self._estate.document,
            "InstanceIds": list(self._due) or ["<every server that runs>"],
            "Comment": self._comment,
            "TimeoutSeconds": _DELIVERY_SECONDS,
            # One server's failure says nothing about another's.
            "MaxErrors": "100%",
        }

    def act(self, facts: Facts) -> None:
        self._sent.add(self._ssm.send_command(**self.arguments(facts))["Command"]["CommandId"])
