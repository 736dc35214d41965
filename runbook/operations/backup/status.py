"""How the backups stand: each kind's newest one against what is due (``004_… Check backup completion status``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..aws import spoken
from . import jobs, state
from .estate import REPOSITORY, STATE, Estate, is_manifest, objects, servers
from .jobs import Job
from .judge import COPYING, DAILY, MONTHLY, WEEKLY, Check, check, check_host, check_jobs

#: The clients that ``read`` needs: of the stack's region, and of the recovery region.
CLIENTS, RECOVERY_CLIENTS = ("backup", "ec2", "rds", "s3"), ("rds",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """``jobs``: those of the days that were asked for, the newest first; ``notes``: what is left out, and why."""

    at: datetime
    checks: tuple[Check, ...]
    jobs: tuple[Job, ...]
    notes: tuple[str, ...]


def read(
    estate: Estate, clients: Mapping[str, Any], recovery: Mapping[str, Any], now: datetime, *, days: int
) -> Status:
    """Reads everything, changing nothing. ``days``: how far back single jobs are listed.

    ``recovery``: clients of the recovery region.
    """
    backup, s3 = clients["backup"], clients["s3"]
    # A job that is a day too old would pass for none.
    since = now - max(MONTHLY, timedelta(days=days)) - COPYING
    made = jobs.backups(backup, estate, since)
    copied = jobs.copies(backup, estate, since=since) if estate.recovery_vault else []
    restored = jobs.restores(backup, estate, since)
    elsewhere = [check_jobs(f"copy in {estate.recovery_region}", copied, WEEKLY, now)] if estate.recovery_vault else []
    in_s3 = state.is_kept_in_s3(s3, estate)
    checks = [
        check_jobs("weekly backup of the database", made, WEEKLY, now),
        *elsewhere,
        *_of_rds(estate, clients["rds"], recovery["rds"], now),
        *([check_jobs("restore test", restored, MONTHLY, now)] if estate.restore_testing else []),
        *_of_hosts(estate, s3, clients["ec2"], now),
        _of_objects(estate, s3, "repository", REPOSITORY, ".bundle", now),
        *([_of_objects(estate, s3, "Pulumi state", STATE, f"/{state.MANIFEST}", now)] if in_s3 else []),
    ]
    listed = [job for job in (*made, *copied, *restored) if now - job.created <= timedelta(days=days)]
    return Status(
        at=now,
        checks=tuple(checks),
        jobs=tuple(sorted(listed, key=lambda job: job.created, reverse=True)),
        notes=() if in_s3 else (state.elsewhere(estate),),
    )


def _of_rds(estate: Estate, rds: Any, recovery: Any, now: datetime) -> Iterator[Check]:
    """What RDS keeps by itself: a snapshot a day and the transactions since, and where it replicates them."""
    with spoken("rds:DescribeDBSnapshots"):
        pages = rds.get_paginator("describe_db_snapshots").paginate(
            DBInstanceIdentifier=estate.database, SnapshotType="automated"
        )
        snapshots = [one for page in pages for one in page["DBSnapshots"]]
    # One that is still being made has no time yet.
    newest = max((one["SnapshotCreateTime"] for one in snapshots if one["Status"] == "available"), default=None)
    yield check("automated snapshot of RDS", newest, DAILY, now, detail=f"{len(snapshots)} kept" if snapshots else "")
    with spoken("rds:DescribeDBInstances"):
        (instance,) = rds.describe_db_instances(DBInstanceIdentifier=estate.database)["DBInstances"]
    lost = timedelta(minutes=estate.rpo_minutes)
    yield check("latest moment RDS can restore", instance.get("LatestRestorableTime"), lost, now)
    for replica in instance.get("DBInstanceAutomatedBackupsReplications", ()):
        arn = replica["DBInstanceAutomatedBackupsArn"]
        with spoken("rds:DescribeDBInstanceAutomatedBackups"):
            found = recovery.describe_db_instance_automated_backups(DBInstanceAutomatedBackupsArn=arn)
        kept: Mapping[str, Any] = next(iter(found["DBInstanceAutomatedBackups"]), {})
        newest = kept.get("RestoreWindow", {}).get("LatestTime")
        yield check(f"the same in {arn.split(':')[3]}", newest, lost, now, detail=kept.get("Status", ""))


def _of_hosts(estate: Estate, s3: Any, ec2: Any, now: datetime) -> Iterator[Check]:
    with spoken("s3:ListBucket"):
        found = [one for one in objects(s3, estate.site, estate.bucket, estate.hosts) if is_manifest(one["Key"])]
    with spoken("ec2:DescribeInstances"):
        running = servers(ec2, estate.server_tags)
    for host, started in sorted(running.items()):
        newest = _newest(one for one in found if one["Key"].startswith(f"{estate.hosts}{host}/"))
        yield check_host(
            f"configuration of {host}",
            started,
            newest["LastModified"] if newest else None,
            now,
            trouble=_replication(estate, s3, newest, now) if newest else "",
        )


def _of_objects(estate: Estate, s3: Any, what: str, prefix: str, ending: str, now: datetime) -> Check:
    with spoken("s3:ListBucket"):
        found = [one for one in objects(s3, estate.site, estate.bucket, prefix) if one["Key"].endswith(ending)]
    newest = _newest(found)
    if newest is None:
        return check(what, None, WEEKLY, now, detail="`runbook backup run` makes one")
    trouble = _replication(estate, s3, newest, now)
    return check(what, newest["LastModified"], WEEKLY, now, trouble=trouble, detail=newest["Key"])


def _newest(found: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return max(found, key=lambda one: (one["LastModified"], one["Key"]), default=None)


def _replication(estate: Estate, s3: Any, one: Mapping[str, Any], now: datetime) -> str:
    """Why the object is not in the recovery region's bucket; empty where it is, or where none is to be."""
    with spoken("s3:GetObject"):
        state_of = s3.head_object(**estate.owned(one["Key"])).get("ReplicationStatus", "")
    if state_of == "FAILED" or (state_of == "PENDING" and now - one["LastModified"] > COPYING):
        return f"S3 says of the replication of {one['Key']}: {state_of}"
    return ""
