"""A host's configuration put back from its backup (``003_… Restore Instructions``): verified before, and by the host.

A backup is called ``<instance>/<UTC time>``: an archive ``….tar.gz`` and, written last, its ``….manifest``, whose first
line is the archive's SHA-256. The host's own document fetches both, holds entries, owners, modes and paths against the
manifest, puts the files in place and takes them back where nginx refuses them; nothing is restarted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from botocore.exceptions import ClientError

from ...errors import UserError
from .. import calendar
from ..aws import error_code, spoken
from ..procedure import Done, Facts, Failed, Look, Stage, Todo, Waiting
from ..site import Site
from .checks import Check
from .evidence import Run, named
from .moments import moment, stamp
from .points import NEWEST

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")

_NAME = re.compile(r"(i-[0-9a-f]{8,17})/([0-9]{8}T[0-9]{6}Z)")

_MANIFEST, _ARCHIVE = ".manifest", ".tar.gz"

_SUM = re.compile(rb"[0-9a-f]{64}")

_UNDER_WAY = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})

#: A host that does not take the command within ten minutes is not there.
_DELIVERY_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where backups of hosts lie. ``prefix``: what stands before their names."""

    s3: Any = field(repr=False)
    bucket: str
    prefix: str
    owner: str

    @property
    def owned(self) -> dict[str, str]:
        """The arguments that name the bucket, which must be this account's."""
        return {"Bucket": self.bucket, "ExpectedBucketOwner": self.owner}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A finished backup: ``name`` is ``<host>/<taken>``."""

    name: str
    host: str
    taken: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """``target``: the instance that gets the files; ``document``: the SSM document that puts them in place.

    ``calendar``: the change calendar that is asked first; ``override``: why it is not heeded, empty where it is.
    """

    site: Site
    run: Run
    shelf: Shelf
    document: str
    backup: Backup
    target: str
    calendar: str
    override: str = ""

    @property
    def parameters(self) -> dict[str, list[str]]:
        """What the document is told."""
        return {"backup": [self.backup.name], "mode": ["apply"]}

    @property
    def comment(self) -> str:
        """Systems Manager knows no token; the comment is how a command is found again."""
        return f"runbook restore {self.run.name} on {self.target}"


def backups(shelf: Shelf, host: str) -> tuple[Backup, ...]:
    """The finished backups of ``host``, or of all with ``newest``; newest first.

    Raises UserError for a host that is no instance id.
    """
    if host != NEWEST and not _INSTANCE.fullmatch(host):
        raise UserError(f"{host!r} is no instance.", "Write --host i-0123456789abcdef0, or --host newest.")
    prefix = shelf.prefix if host == NEWEST else f"{shelf.prefix}{host}/"
    with spoken("s3:ListBucket"):
        pages = shelf.s3.get_paginator("list_objects_v2").paginate(**shelf.owned, Prefix=prefix)
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
    found = [
        Backup(name=name[0], host=name[1], taken=datetime.strptime(name[2], "%Y%m%dT%H%M%S%z"))
        for key in keys
        if key.endswith(_MANIFEST) and (name := _NAME.fullmatch(key.removeprefix(shelf.prefix).removesuffix(_MANIFEST)))
    ]
    return tuple(sorted(found, key=lambda one: (one.taken, one.host), reverse=True))


def choose(found: Sequence[Backup], host: str, at: str | None) -> Backup:
    """The newest; with ``at`` the newest of that time, or the one of that name or key.

    Raises UserError where there is none.
    """
    whose = "any host" if host == NEWEST else host
    if not found:
        raise UserError(f"There is no finished backup of {whose}.", "`runbook backup run --what files` makes one.")
    fitting: Sequence[Backup] = found
    if at is not None and "/" in at:
        named_so = at.removesuffix(_MANIFEST).removesuffix(_ARCHIVE)
        fitting = [one for one in found if named_so == one.name or named_so.endswith(f"/{one.name}")]
    elif at is not None:
        when = moment(at)
        fitting = [one for one in found if one.taken <= when]
    if not fitting:
        newest = ", ".join(one.name for one in found[:3])
        raise UserError(f"There is no finished backup of {whose} at {at}.", f"The newest are: {newest}.")
    return fitting[0]


def verify(shelf: Shelf, backup: Backup) -> Check:
    """Fetches the archive and holds it against the SHA-256 that its manifest names."""
    wanted = "the archive is the one that was saved"
    with spoken("s3:GetObject"):
        manifest = _fetched(shelf, backup.name + _MANIFEST)
        expected = b"".join(manifest.iter_chunks()).partition(b"\n")[0] if manifest else b""
        if not _SUM.fullmatch(expected):
            return Check("files", False, f"the manifest of {backup.name} has no checksum", wanted)
        archive = _fetched(shelf, backup.name + _ARCHIVE)
        if archive is None:
            return Check("files", False, f"the archive of {backup.name} is missing", wanted)
        digest = hashlib.sha256()
        for chunk in archive.iter_chunks(1024 * 1024):
            digest.update(chunk)
    if digest.hexdigest().encode() != expected:
        return Check("files", False, f"the archive of {backup.name} is not the one that was saved", wanted)
    return Check("files", True, f"{backup.name} has the checksum of its manifest", wanted)


def _fetched(shelf: Shelf, name: str) -> Any:
    try:
        return shelf.s3.get_object(**shelf.owned, Key=shelf.prefix + name)["Body"]
    except ClientError as error:
        if error_code(error) != "NoSuchKey":
            raise
        return None


def newest_check(shelf: Shelf) -> tuple[Check, dict[str, Any]]:
    """The newest backup of any host, verified; and what a record says of it."""
    found = backups(shelf, NEWEST)
    if not found:
        return Check("files", False, "no host has a finished backup", "the archive is the one that was saved"), {}
    return verify(shelf, found[0]), {"backup": found[0].name, "taken": stamp(found[0].taken)}


def next_run(ssm: Any, document: str, target: str, now: datetime, *, again: bool) -> Run:
    """The day's first run on ``target``; with ``again`` the first that did not come to its end."""
    first = named("files", now)
    if not again:
        return first
    with spoken("ssm:ListCommands"):
        ended = {
            command["Comment"]
            for command in _commands(ssm, document)
            if command.get("Comment") and command["Status"] not in _UNDER_WAY
        }
    runs = (named("files", now, number) for number in count(1))
    return next(run for run in runs if f"runbook restore {run.name} on {target}" not in ended)


def stages(job: Job, clients: Mapping[str, Any]) -> tuple[Stage, ...]:
    """``clients``: ec2 and ssm."""
    restoration = _Restoration(job, clients)
    return (
        calendar.ask(clients["ssm"], job.calendar, job.override),
        Stage(
            name="verify",
            changes=f"Verifies {job.backup.name} against its manifest.",
            look=restoration.look_at_backup,
            action=("s3:GetObject",),
        ),
        Stage(
            name="host",
            changes=f"Sees that {job.target} is one of {job.site.environment} and answers.",
            look=restoration.look_at_host,
            action=("ec2:DescribeInstances", "ssm:DescribeInstanceInformation"),
        ),
        Stage(
            name="files",
            changes=f"Has {job.target} put the files in place and verify permissions and paths ({job.document}).",
            look=restoration.look_at_command,
            call="ssm.send_command",
            action=("ssm:ListCommands", "ssm:GetCommandInvocation", "ssm:SendCommand"),
            arguments=lambda _facts: {
                "Comment": job.comment,
                "DocumentName": job.document,
                "InstanceIds": [job.target],
                "Parameters": job.parameters,
                "TimeoutSeconds": _DELIVERY_SECONDS,
            },
            pause=5,
        ),
    )


def next_steps(job: Job) -> tuple[str, ...]:
    """Nothing was restarted: what is left to a person who has read the host's verdict (``003_… Restore``)."""
    return (
        f"aws ssm start-session --target {job.target} --region {job.site.region}",
        "sudo systemctl restart platform   # on the host, once permissions and paths are right",
    )


class _Restoration:
    def __init__(self, job: Job, clients: Mapping[str, Any]) -> None:
        self._job = job
        self._ec2, self._ssm = clients["ec2"], clients["ssm"]

    def look_at_backup(self, _facts: Facts) -> Look:
        check = verify(self._job.shelf, self._job.backup)
        if not check.passed:
            return Failed(f"{check.found}. Name an older backup with --at.")
        return Done({"backup": self._job.backup.name, "verified": check.found})

    def look_at_host(self, _facts: Facts) -> Look:
        job = self._job
        ours = {"Project": job.site.project, "Environment": job.site.environment}
        try:
            found = self._ec2.describe_instances(InstanceIds=[job.target])["Reservations"][0]["Instances"][0]
        except ClientError as error:
            if error_code(error) != "InvalidInstanceID.NotFound":
                raise
            return Failed(f"there is no instance {job.target} in {job.site.region}. Name another with --onto.")
        if not ours.items() <= {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}.items():
            return Failed(f"{job.target} is not one of {job.site.environment}: its tags say so.")
        known = self._ssm.describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [job.target]}])
        if not any(one["PingStatus"] == "Online" for one in known["InstanceInformationList"]):
            return Failed(f"{job.target} does not answer to Systems Manager. Name another with --onto.")
        return Done({"target": job.target})

    def look_at_command(self, _facts: Facts) -> Look:
        job = self._job
        sent = [one for one in _commands(self._ssm, job.document) if one.get("Comment") == job.comment]
        if not sent:
            return Todo()
        command = sent[0]
        if command.get("Parameters") != job.parameters:
            other = command.get("Parameters", {}).get("backup", ["something else"])[0]
            return Failed(f"{job.run.name} put {other} back on {job.target}. --again is another run.")
        try:
            said = self._ssm.get_command_invocation(CommandId=command["CommandId"], InstanceId=job.target)
        except ClientError as error:
            if error_code(error) != "InvocationDoesNotExist":
                raise
            return Waiting("the host was told")
        if said["Status"] in _UNDER_WAY:
            return Waiting(f"the host is at it: {said['Status']}")
        if said["Status"] != "Success":
            told = (
                said.get("StandardErrorContent") or said.get("StandardOutputContent") or "it does not say why"
            ).strip()
            return Failed(f"{job.target} ended with {said['Status']}: {told}. --again tries once more.")
        return Done({"command": command["CommandId"], "verdict": said["StandardOutputContent"].strip()})


def _commands(ssm: Any, document: str) -> list[Any]:
    pages = ssm.get_paginator("list_commands").paginate(Filters=[{"key": "DocumentName", "value": document}])
    return [command for page in pages for command in page["Commands"]]
