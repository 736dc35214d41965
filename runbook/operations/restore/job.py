"""A trial restore as data: what is restored where, what is there of it already, and what others left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from ...errors import UserError
from ..aws import error_code, spoken
from ..site import Site
from .evidence import Run, Store
from .moments import stamp
from .points import NEWEST, Point, choose, query

#: The tag by which IAM and everybody else tells a trial copy from a database.
PURPOSE = "restore-test"

#: Facts that the copy's tags carry from one run to the next: fact -> tag.
TAGS = {
    "engineVersion": "EngineVersion",
    "pointKind": "RecoveryPointKind",
    "recoveryPoint": "RecoveryPoint",
    "recoveryTime": "RecoveryTime",
    "started": "Started",
    "startedBy": "StartedBy",
}

#: RDS brings an instance in one of these states no further by itself, but deletes it.
_DEAD = frozenset({"failed", "restore-error", "storage-full", "inaccessible-encryption-credentials"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One trial restore.

    ``production``: the database's identifier; ``source``: the instance as RDS describes it, None where it is gone;
    ``point``: what is restored, or None and ``why``; ``validator``: the function that asks for rows, None where it
    cannot reach the copy; ``rpo_minutes`` and ``rto_minutes``: the targets; ``keep``: the copy stays.
    """

    site: Site
    run: Run
    region: str
    who: str
    production: str
    source: Mapping[str, Any] | None
    point: Point | None
    why: str
    subnet_group: str
    security_group_id: str
    instance_class: str
    validator: str | None
    rpo_minutes: float
    rto_minutes: float
    keep: bool = False

    @property
    def identifier(self) -> str:
        """The copy's name."""
        return self.site.labels.physical(self.run.name, limit=63)

    @property
    def parameter_group(self) -> str | None:
        """The production instance's own; in another region there is none of that name."""
        if self.source is None or self.region != self.site.region:
            return None
        return str(self.source["DBParameterGroups"][0]["DBParameterGroupName"])


def prepare(
    site: Site,
    clients: Mapping[str, Any],
    store: Store,
    run: Run,
    *,
    backup: Mapping[str, Any],
    production: str,
    who: str,
    wanted: str = NEWEST,
    recovery: bool = False,
    instance_class: str = "db.t4g.micro",
    keep: bool = False,
) -> Job:
    """Reads what a trial restore starts from; ``backup`` is the inventory's entry, ``clients`` are of the region.

    Raises UserError where the region has no isolated place for a copy, and for a recovery point that is not there.
    Where there is none at all the job says so, so that a drill can put it on record.
    """
    region = site.settings.recovery_region if recovery else site.region
    place = {
        key: backup.get(f"recovery{key[0].upper()}{key[1:]}" if recovery else key)
        for key in ("subnetGroup", "securityGroupId")
    }
    if None in place.values():
        raise UserError(
            f"{site.environment} has no isolated subnet group and security group for restores in {region}.",
            "Restore in the primary region, or let the stack make both there first.",
        )
    job = Job(
        site=site,
        run=run,
        region=region,
        who=who,
        production=production,
        source=described(clients["rds"], production) if not recovery else None,
        point=None,
        why="the copy that it began with is gone",
        subnet_group=str(place["subnetGroup"]),
        security_group_id=str(place["securityGroupId"]),
        instance_class=instance_class,
        validator=None if recovery else backup.get("validator"),
        rpo_minutes=float(backup["rpoMinutes"]),
        rto_minutes=float(backup["rtoMinutes"]),
        keep=keep,
    )
    if store.read(run.findings) is not None or is_ours(described(clients["rds"], job.identifier), run):
        return job  # it goes on from what it began with
    points = query(
        clients,
        vault=backup.get("recoveryVault" if recovery else "vault"),
        identifier=production,
        source_region=site.region,
    )
    if not points and wanted == NEWEST:
        why = "the vault holds no recovery point of the database, and RDS has neither a snapshot nor its logs"
        return replace(job, why=why)
    return replace(job, point=choose(points, wanted))


def orphans(rds: Any, site: Site, run: Run) -> tuple[tuple[str, str, str], ...]:
    """Copies that other runs left: identifier, run, when it is overdue."""
    with spoken("rds:DescribeDBInstances"):
        pages = rds.get_paginator("describe_db_instances").paginate()
        tagged = [(one["DBInstanceIdentifier"], _tags(one)) for page in pages for one in page["DBInstances"]]
    ours = {"Project": site.project, "Environment": site.environment, "Purpose": PURPOSE}
    return tuple(
        (identifier, tags["Run"], tags.get("Expires", "at once"))
        for identifier, tags in sorted(tagged)
        if ours.items() <= tags.items() and tags.get("Run", run.name) != run.name
    )


def recovery_steps(job: Job, record: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What replaces the production database for good: a person's decision, which no command here takes.

    ``record``: of the trial, where there is one; the point that was tried is the one to take.
    """
    point = job.point
    tried = (record or {}).get("recoveryPoint") or {}
    kind = tried.get("kind") or (point.kind if point else None)
    source = tried.get("source") or (point.source if point else "<recovery point>")
    taken = tried.get("taken") or (stamp(point.taken) if point else "<time>")
    live = job.source or {}
    groups = " ".join(group["VpcSecurityGroupId"] for group in live.get("VpcSecurityGroups", ()))
    if kind == "log":
        by = "source-db-instance-automated-backups-arn" if source.startswith("arn:") else "source-dbi-resource-id"
        call = (
            f"to-point-in-time --target-db-instance-identifier {job.production} --{by} {source} --restore-time {taken}"
        )
    else:
        call = f"from-db-snapshot --db-instance-identifier {job.production} --db-snapshot-identifier {source}"
    where = f"--region {job.region}"
    aside = (
        f"aws rds modify-db-instance {where} --db-instance-identifier {job.production} "
        f"--new-db-instance-identifier {job.production}-broken --apply-immediately"
    )
    return (
        *((aside,) if live else ()),
        f"aws rds restore-db-instance-{call} {where} "
        f"--db-instance-class {live.get('DBInstanceClass', job.site.settings.database.instance_class)} "
        f"--db-subnet-group-name {live.get('DBSubnetGroup', {}).get('DBSubnetGroupName', '<data subnet group>')} "
        f"--vpc-security-group-ids {groups or '<security group of the database>'} "
        f"--db-parameter-group-name {job.parameter_group or '<parameter group>'} "
        f"--no-publicly-accessible{' --multi-az' * bool(live.get('MultiAZ'))} --deletion-protection "
        "--copy-tags-to-snapshot",
        f"aws rds modify-db-instance {where} --db-instance-identifier {job.production} "
        "--manage-master-user-password --apply-immediately",
        f"pulumi refresh --stack {job.site.environment}",
        f"make up STACK={job.site.environment}",
    )


def described(rds: Any, identifier: str) -> Any:
    """The instance, None where there is none."""
    try:
        return rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    except ClientError as error:
        if error_code(error) not in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
            raise
        return None


def _tags(instance: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance.get("TagList", ())}


def is_ours(instance: Mapping[str, Any] | None, run: Run) -> bool:
    """Whether the run made it."""
    return instance is not None and {"Purpose": PURPOSE, "Run": run.name}.items() <= _tags(instance).items()


def remembered(copy: Mapping[str, Any]) -> dict[str, str]:
    """The facts that its tags carry."""
    tags = _tags(copy)
    return {fact: tags[tag] for fact, tag in TAGS.items() if tag in tags}


def is_dead(status: str) -> bool:
    """Whether RDS has given an instance up."""
    return status in _DEAD or status.startswith("incompatible-")
