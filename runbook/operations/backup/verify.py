"""Whether the backups are what they should be (``004_… Validate backup integrity``): complete, encrypted, elsewhere
too, locked, and readable. Nothing is written but to a temporary folder of this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, FlexibleChecksumError

from ...errors import UserError
from ...words import count
from ..aws import error_code, spoken
from . import jobs, repository, state
from .estate import ARCHIVE, HOST_MANIFEST, HOSTS, REPOSITORY, STATE, Estate, is_manifest, objects
from .jobs import Point
from .judge import gaps, uncopied

#: The clients that ``verify`` needs: of the stack's region, and of the recovery region.
CLIENTS, RECOVERY_CLIENTS = ("backup", "rds", "s3"), ("backup",)

_SHA256 = re.compile(r"[0-9a-f]{64}")

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was verified: ``seen`` says how much of it there was, ``faults`` what is wrong, in sentences."""

    what: str
    seen: str
    faults: tuple[str, ...]


def verify(
    estate: Estate, clients: Mapping[str, Any], recovery: Mapping[str, Any], now: datetime
) -> tuple[Finding, ...]:
    """Reads everything, changing nothing. ``recovery``: clients of the recovery region."""
    backup, s3 = clients["backup"], clients["s3"]
    found = jobs.points(backup, estate, estate.vault)
    return (
        _chain(estate, clients["rds"], found, now),
        _vault(estate, backup, estate.vault, estate.site.region),
        *(_recovery(estate, backup, recovery["backup"], found, now) if estate.recovery_vault else ()),
        _lock(estate, s3, now),
        _configurations(estate, s3),
        _bundle(estate, s3),
        _states(estate, s3),
    )


def _chain(estate: Estate, rds: Any, found: Sequence[Point], now: datetime) -> Finding:
    with spoken("rds:DescribeDBInstances"):
        (instance,) = rds.describe_db_instances(DBInstanceIdentifier=estate.database)["DBInstances"]
    days = estate.retention_days
    # One that goes sooner belongs to another rule of the plan.
    weekly = [point for point in found if point.whole and (point.days or days) >= days]
    missing = gaps(
        [point.made for point in weekly],
        born=instance["InstanceCreateTime"],
        now=now,
        kept=timedelta(days=days),
    )
    # A backup of RDS is encrypted with the database's key, whatever the vault's is.
    return Finding(
        what=f"recovery points in {estate.vault}",
        seen=count(len(found), "recovery point"),
        faults=(
            *(
                f"There is no recovery point between {_day(before)} and {_day(after)} that is kept for {days} days; "
                "one is due every week."
                for before, after in missing
            ),
            *_unsound(found, instance.get("KmsKeyId", "")),
        ),
    )


def _unsound(found: Sequence[Point], key: str) -> Iterator[str]:
    for point in found:
        called = f"The recovery point of {_day(point.made)} ({point.arn})"
        if point.state == "PARTIAL":
            yield f"{called} is PARTIAL: it cannot be restored as a whole."
        elif point.whole and not point.encrypted:
            yield f"{called} is not encrypted."
        elif point.whole and point.key != key:
            yield f"{called} is encrypted with {point.key or 'an unknown key'} instead of {key}."


def _vault(estate: Estate, backup: Any, vault: str, region: str) -> Finding:
    with spoken("backup:DescribeBackupVault"):
        described = backup.describe_backup_vault(BackupVaultName=vault)
    return Finding(
        what=f"vault {vault} in {region}",
        seen=_locked(described),
        faults=tuple(_loose(estate, vault, described)),
    )


def _locked(described: Mapping[str, Any]) -> str:
    if not described.get("Locked"):
        return "not locked"
    return f"locked, for good from {_day(described['LockDate'])}" if "LockDate" in described else "locked"


def _loose(estate: Estate, vault: str, described: Mapping[str, Any]) -> Iterator[str]:
    if estate.vaults_locked and not described.get("Locked"):
        yield f"The vault {vault} is not locked: whoever may delete recovery points can delete all of them."
    least, most, days = described.get("MinRetentionDays"), described.get("MaxRetentionDays"), estate.retention_days
    if least and least > days:
        yield f"The vault {vault} takes nothing that is kept less than {least} days: backups for {days} days fail."
    if most and most < days:
        yield f"The vault {vault} takes nothing that is kept more than {most} days: backups for {days} days fail."


def _recovery(
    estate: Estate, backup: Any, recovery: Any, found: Sequence[Point], now: datetime
) -> tuple[Finding, Finding]:
    there = jobs.points(recovery, estate, estate.recovery_vault)
    made = jobs.copies(backup, estate)
    with spoken("backup:DescribeBackupVault"):
        key = recovery.describe_backup_vault(BackupVaultName=estate.recovery_vault).get("EncryptionKeyArn", "")
    return (
        _vault(estate, recovery, estate.recovery_vault, estate.recovery_region),
        Finding(
            what=f"copies in {estate.recovery_vault}",
            seen=count(len(there), "recovery point"),
            faults=(
                *(
                    f"The recovery point of {_day(point.made)} ({point.arn}) has no copy in "
                    f"{estate.recovery_region}: {why}."
                    for point, why in uncopied(found, made, [one.arn for one in there if one.whole], now)
                ),
                *_unsound(there, key),
            ),
        ),
    )


def _lock(estate: Estate, s3: Any, now: datetime) -> Finding:
    """Object Lock of the bucket, and of what came into it last."""
    with spoken("s3:GetBucketObjectLockConfiguration"):
        try:
            rule = s3.get_object_lock_configuration(**estate.owned())["ObjectLockConfiguration"].get("Rule", {})
        except ClientError as error:
            if error_code(error) != "ObjectLockConfigurationNotFoundError":
                raise
            rule = {}
    retention = rule.get("DefaultRetention", {})
    if not retention:
        return Finding(
            what=f"bucket {estate.bucket}",
            seen="no retention",
            faults=(f"The bucket {estate.bucket} has no Object Lock with a default retention.",)
            if estate.bucket_locked
            else (),
        )
    span = timedelta(days=retention.get("Days") or 365 * retention["Years"])
    with spoken("s3:ListBucket"):
        recent = [
            one
            for prefix in (HOSTS, REPOSITORY, STATE)
            for one in objects(s3, estate.site, estate.bucket, prefix)
            if now - one["LastModified"] < span
        ]
    return Finding(
        what=f"bucket {estate.bucket}",
        seen=f"{retention['Mode'].lower()} retention of {span.days} days, {count(len(recent), 'object')} under it",
        faults=tuple(_unretained(estate, s3, recent, now)),
    )


def _unretained(estate: Estate, s3: Any, recent: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[str]:
    for one in recent:
        with spoken("s3:GetObjectRetention"):
            until = s3.head_object(**estate.owned(one["Key"])).get("ObjectLockRetainUntilDate")
        if until is None or until <= now:
            yield f"{one['Key']} of {_day(one['LastModified'])} can be deleted: no retention is in force."


def _configurations(estate: Estate, s3: Any) -> Finding:
    """A server's manifest begins with the SHA-256 of its archive, in hexadecimal digits."""
    sizes = _sizes(estate, s3, estate.hosts)
    named: dict[str, str] = {}
    faults = []
    for key in filter(is_manifest, sizes):
        first = _read(estate, s3, key).partition(b"\n")[0].decode(errors="replace").strip()
        if _SHA256.fullmatch(first):
            named[key.removesuffix(HOST_MANIFEST) + ARCHIVE] = base64.b64encode(bytes.fromhex(first)).decode()
        else:
            faults.append(f"{key} names no checksum.")
    return _held(estate, s3, "configuration of the servers", named, sizes, faults)


def _states(estate: Estate, s3: Any) -> Finding:
    """The manifest of a copy of the state names the SHA-256 of each object, as S3 gives it."""
    sizes = _sizes(estate, s3, STATE)
    named: dict[str, str] = {}
    faults = []
    for key in sizes:
        folder, _, name = key.rpartition("/")
        if name != state.MANIFEST or folder.count("/") != 1:
            continue
        try:
            named |= {
                f"{folder}/{one}": wanted for one, wanted in json.loads(_read(estate, s3, key))["objects"].items()
            }
        except (AttributeError, KeyError, TypeError, ValueError):
            faults.append(f"{key} names no checksums.")
    return _held(estate, s3, "copies of the Pulumi state", named, sizes, faults)


def _sizes(estate: Estate, s3: Any, prefix: str) -> dict[str, int]:
    with spoken("s3:ListBucket"):
        return {one["Key"]: one["Size"] for one in objects(s3, estate.site, estate.bucket, prefix)}


def _read(estate: Estate, s3: Any, key: str) -> bytes:
    with spoken("s3:GetObject"):
        body: bytes = s3.get_object(**estate.owned(key))["Body"].read()
    return body


def _held(
    estate: Estate, s3: Any, what: str, named: Mapping[str, str], sizes: Mapping[str, int], faults: Sequence[str]
) -> Finding:
    """``named``: key -> the SHA-256 that a manifest gives it; what no manifest names was never finished."""
    differing = []
    for key, wanted in sorted(named.items()):
        if key not in sizes:
            differing.append(f"{key} is in its manifest and not in the bucket.")
        elif (found := _sha256(estate, s3, key)) != wanted:
            differing.append(f"{key} has the SHA-256 {found}; its manifest says {wanted}.")
    return Finding(what=what, seen=f"{count(len(named), 'file')} with a checksum", faults=(*faults, *differing))


def _sha256(estate: Estate, s3: Any, key: str) -> str:
    """In base64, as S3 keeps it; of what came in parts S3 keeps something else, so that is read."""
    with spoken("s3:GetObject"):
        kept = s3.head_object(**estate.owned(key), ChecksumMode="ENABLED").get("ChecksumSHA256", "")
        if kept and "-" not in kept:
            return str(kept)
        digest = hashlib.sha256()
        try:
            for chunk in s3.get_object(**estate.owned(key))["Body"].iter_chunks(_CHUNK):
                digest.update(chunk)
        except FlexibleChecksumError:
            return "of something else than was uploaded"
    return base64.b64encode(digest.digest()).decode()


def _bundle(estate: Estate, s3: Any) -> Finding:
    with spoken("s3:ListBucket"):
        found = [one for one in objects(s3, estate.site, estate.bucket, REPOSITORY) if one["Key"].endswith(".bundle")]
    what = "repository"
    if not found:
        return Finding(what=what, seen="no bundle", faults=("There is no bundle; `runbook backup run` makes one.",))
    key = max(found, key=lambda one: (one["LastModified"], one["Key"]))["Key"]
    with tempfile.TemporaryDirectory(prefix="runbook-") as made:
        path = Path(made) / "repository.bundle"
        try:
            wanted = _download(estate, s3, key, path)
        except FlexibleChecksumError as error:
            return Finding(what=what, seen=key, faults=(f"{key} is damaged: {error}",))
        if not wanted:
            return Finding(what=what, seen=key, faults=(f"{key} has no SHA-256 that it could be held against.",))
        try:
            repository.verify(path, Path(made))
        except UserError as error:
            return Finding(what=what, seen=key, faults=(f"{key} is no complete bundle: {error.lines[0]}",))
    return Finding(what=what, seen=key, faults=())


def _download(estate: Estate, s3: Any, key: str, path: Path) -> str | None:
    """Returns the SHA-256 that S3 keeps of it. Raises FlexibleChecksumError where what arrives has another."""
    with spoken("s3:GetObject"):
        answer = s3.get_object(**estate.owned(key), ChecksumMode="ENABLED")
    with path.open("wb") as file:
        for chunk in answer["Body"].iter_chunks(_CHUNK):
            file.write(chunk)
    found: str | None = answer.get("ChecksumSHA256")
    return found


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
