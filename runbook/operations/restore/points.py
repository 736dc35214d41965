"""Recovery points of the database: which there are, and which one a restore begins from.

A restore goes through RDS and not through AWS Backup's restore jobs: a recovery point of RDS in a vault *is* a snapshot
(``…:snapshot:awsbackup:job-…``), and only RDS's own calls take the tags, the parameter group and the retention in the
same request, so that a copy exists at no moment that is not isolated, tagged and found again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ...errors import UserError
from ..aws import spoken
from .moments import moment, stamp

NEWEST = "newest"

Kind = Literal["vault", "snapshot", "log"]

#: Of two points of the same moment, the one whose restore has fewer parts.
_PREFERENCE: Mapping[str, int] = {"vault": 2, "snapshot": 1, "log": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Something that the database can be restored from.

    ``kind``: a recovery point of the vault, a snapshot of RDS, or the transaction logs up to ``taken``; ``parameter``:
    how RDS's restore call names the source, and ``source`` its value; ``earliest``: where the logs begin, None for
    the others; ``exactly``: the moment that was asked for and not merely the latest.
    """

    kind: Kind
    parameter: str
    source: str
    taken: datetime
    engine_version: str
    earliest: datetime | None = None
    exactly: bool = False

    @property
    def call(self) -> str:
        """RDS's method that restores from such a point."""
        return f"rds.restore_db_instance_{'to_point_in_time' if self.kind == 'log' else 'from_db_snapshot'}"

    def arguments(self, identifier: str) -> dict[str, Any]:
        """What ``call`` is told of the source and of the new instance's name."""
        if self.kind != "log":
            return {"DBInstanceIdentifier": identifier, self.parameter: self.source}
        when: dict[str, Any] = {"RestoreTime": self.taken} if self.exactly else {"UseLatestRestorableTime": True}
        return {"TargetDBInstanceIdentifier": identifier, self.parameter: self.source, **when}


def query(clients: Mapping[str, Any], *, vault: str | None, identifier: str, source_region: str) -> tuple[Point, ...]:
    """All recovery points of the instance ``identifier`` in the clients' region, newest first.

    ``vault``: its name, None where the region has none; ``source_region``: where the instance lives; elsewhere its
    backups are replicas.
    """
    rds = clients["rds"]
    held = _in_vault(clients["backup"], vault, identifier) if vault else frozenset[str]()
    points = [*_snapshots(rds, identifier, held), *_logs(rds, identifier, source_region)]
    return tuple(sorted(points, key=lambda point: (point.taken, _PREFERENCE[point.kind]), reverse=True))


def choose(points: Sequence[Point], wanted: str) -> Point:
    """The point that ``wanted`` asks for: ``newest``, an ARN, or a moment. Raises UserError where there is none."""
    if not points:
        raise UserError(
            "The database has no recovery point: the vault holds none, and RDS has neither a snapshot nor its logs.",
            "`runbook backup verify` says what is wrong with the backups.",
        )
    if wanted == NEWEST:
        return points[0]
    if wanted.startswith("arn:"):
        for point in points:
            if point.source == wanted:
                return point
        raise UserError(f"The database has no recovery point {wanted}.", f"The newest are: {_listed(points)}.")
    when = moment(wanted)
    logs = [point for point in points if point.earliest is not None]
    for point in logs:
        if point.earliest is not None and point.earliest <= when <= point.taken:
            return Point(
                kind="log",
                parameter=point.parameter,
                source=point.source,
                taken=when,
                engine_version=point.engine_version,
                earliest=point.earliest,
                exactly=True,
            )
    spans = " and ".join(f"{stamp(one.earliest)} to {stamp(one.taken)}" for one in logs if one.earliest) or "no time"
    raise UserError(
        f"The database cannot be restored to {stamp(when)}: its logs cover {spans}.",
        f"Name a time in between, or a recovery point by its ARN: {_listed(points)}.",
    )


def _listed(points: Sequence[Point]) -> str:
    snapshots = [point for point in points if point.kind != "log"][:3]
    return ", ".join(f"{point.source} ({stamp(point.taken)})" for point in snapshots) or "there is no snapshot"


def _in_vault(backup: Any, vault: str, identifier: str) -> frozenset[str]:
    with spoken("backup:ListRecoveryPointsByBackupVault"):
        pages = backup.get_paginator("list_recovery_points_by_backup_vault").paginate(
            BackupVaultName=vault, ByResourceType="RDS"
        )
        return frozenset(
            point["RecoveryPointArn"]
            for page in pages
            for point in page["RecoveryPoints"]
            # A copy in another region may name the resource of either; the identifier is the same.
            if point["Status"] == "COMPLETED" and point["ResourceArn"].endswith(f":db:{identifier}")
        )


def _snapshots(rds: Any, identifier: str, held: frozenset[str]) -> Iterator[Point]:
    # Without a type RDS leaves out those of AWS Backup.
    for asked in ({}, {"SnapshotType": "awsbackup"}):
        with spoken("rds:DescribeDBSnapshots"):
            pages = rds.get_paginator("describe_db_snapshots").paginate(DBInstanceIdentifier=identifier, **asked)
            found = [snapshot for page in pages for snapshot in page["DBSnapshots"]]
        for snapshot in found:
            if snapshot["Status"] == "available":
                yield Point(
                    kind="vault" if snapshot["DBSnapshotArn"] in held else "snapshot",
                    parameter="DBSnapshotIdentifier",
                    source=snapshot["DBSnapshotArn"],
                    # Of a copy, the other time is that of the copying.
                    taken=snapshot.get("OriginalSnapshotCreateTime") or snapshot["SnapshotCreateTime"],
                    engine_version=snapshot["EngineVersion"],
                )


def _logs(rds: Any, identifier: str, source_region: str) -> Iterator[Point]:
    with spoken("rds:DescribeDBInstanceAutomatedBackups"):
        # Not asked for by name: RDS wants the name of an instance that still is there.
        pages = rds.get_paginator("describe_db_instance_automated_backups").paginate()
        found = [backup for page in pages for backup in page["DBInstanceAutomatedBackups"]]
    replicated = rds.meta.region_name != source_region
    for backup in found:
        window = backup.get("RestoreWindow", {})
        # Without a window its first snapshot is not finished.
        if backup["DBInstanceIdentifier"] != identifier or not {"EarliestTime", "LatestTime"} <= window.keys():
            continue
        yield Point(
            kind="log",
            parameter="SourceDBInstanceAutomatedBackupsArn" if replicated else "SourceDbiResourceId",
            source=backup["DBInstanceAutomatedBackupsArn"] if replicated else backup["DbiResourceId"],
            taken=window["LatestTime"],
            engine_version=backup["EngineVersion"],
            earliest=window["EarliestTime"],
        )
