"""Pulumi's state, copied inside S3 from the bucket that ``runbook bootstrap`` makes (``003_… Backups``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ...errors import UserError
from ..aws import error_code, spoken
from ..bootstrap import Target
from ..procedure import Done, Facts, Look, Stage, Todo
from .estate import STATE, Estate, objects

#: Written last: a copy without it is incomplete.
MANIFEST = "manifest.json"

#: A lock that came back with a restored state would keep everybody out.
_LOCKS = ".pulumi/locks/"

#: So often is a state listed that changes while it is being copied.
_ROUNDS = 5


def bucket(estate: Estate) -> str:
    """The name of the bucket that holds the state, where it is kept in S3 at all."""
    return Target.of(estate.site.project, estate.site.settings).bucket


def is_kept_in_s3(s3: Any, estate: Estate) -> bool:
    """Whether that bucket exists."""
    with spoken("s3:ListBucket"):
        try:
            s3.head_bucket(Bucket=bucket(estate), ExpectedBucketOwner=estate.site.account_id)
        except ClientError as error:
            if error_code(error) not in ("404", "NoSuchBucket"):
                raise
            return False
    return True


def elsewhere(estate: Estate) -> str:
    """The sentence for a stack whose state is not kept in S3."""
    return (
        f"The state of {estate.site.environment} is not in S3 (there is no bucket {bucket(estate)}): "
        "Pulumi Cloud, or whatever back end holds it, keeps its own history."
    )


def stage(estate: Estate, clients: Mapping[str, Any], run: str) -> Stage:
    """The copy and its manifest. ``clients``: ``s3``."""
    state = _State(estate, clients["s3"], run)
    return Stage(
        name="state",
        changes=f"Copies the state from {bucket(estate)} to {estate.bucket} without its locks, and notes checksums.",
        look=state.look,
        call="s3.copy_object",
        action=("s3:ListBucket", "s3:PutObject"),
        arguments=state.arguments,
        act=state.act,
        # The database's trouble is none of the state's.
        always=True,
    )


class _State:
    def __init__(self, estate: Estate, s3: Any, run: str) -> None:
        self._estate = estate
        self._s3 = s3
        self._prefix = f"{STATE}{run}/"

    def look(self, _facts: Facts) -> Look:
        return Done({"state": self._prefix}) if MANIFEST in self._copied() else Todo()

    def arguments(self, _facts: Facts) -> Mapping[str, Any]:
        return {
            **self._estate.owned(f"{self._prefix}<each object>"),
            "CopySource": f"{bucket(self._estate)}/<each object>",
            **self._written(),
        }

    def act(self, _facts: Facts) -> None:
        for _ in range(_ROUNDS):
            missing = self._missing()
            if not missing:
                self._note()
                return
            for key, etag in missing.items():
                self._copy(key, etag)
        raise UserError(
            f"The state in {bucket(self._estate)} changes faster than it can be copied.",
            "Run the command again once no update is under way; it goes on where it stopped.",
        )

    def _copy(self, key: str, etag: str) -> None:
        try:
            self._s3.copy_object(
                **self._estate.owned(self._prefix + key),
                CopySource={"Bucket": bucket(self._estate), "Key": key},
                # What was listed is what is copied: a state that has changed meanwhile is listed again.
                CopySourceIfMatch=etag,
                ExpectedSourceBucketOwner=self._estate.site.account_id,
                ChecksumAlgorithm="SHA256",
                # Tags would want further permissions on both sides.
                TaggingDirective="REPLACE",
                **self._written(),
            )
        except ClientError as error:
            if error_code(error) not in ("NoSuchKey", "PreconditionFailed"):
                raise

    def _note(self) -> None:
        checksums = {
            key: self._s3.head_object(**self._estate.owned(self._prefix + key), ChecksumMode="ENABLED").get(
                "ChecksumSHA256", ""
            )
            for key in sorted(self._copied() - {MANIFEST})
        }
        content = {"bucket": bucket(self._estate), "objects": checksums}
        try:
            self._s3.put_object(
                **self._estate.owned(self._prefix + MANIFEST),
                Body=json.dumps(content, indent=2, sort_keys=True).encode(),
                ChecksumAlgorithm="SHA256",
                ContentType="application/json",
                **self._written(),
            )
        except ClientError as error:
            # Somebody else was faster.
            if error_code(error) != "PreconditionFailed":
                raise

    def _written(self) -> dict[str, str]:
        return {"IfNoneMatch": "*", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._estate.key_arn}

    def _copied(self) -> set[str]:
        """Keys without the copy's prefix."""
        with spoken("s3:ListBucket"):
            found = list(objects(self._s3, self._estate.site, self._estate.bucket, self._prefix))
        return {one["Key"].removeprefix(self._prefix) for one in found}

    def _missing(self) -> dict[str, str]:
        """Key -> ETag of what is in the state's bucket and not yet in the copy."""
        copied = self._copied()
        with spoken("s3:ListBucket"):
            found = list(objects(self._s3, self._estate.site, bucket(self._estate), ""))
        return {
            one["Key"]: one["ETag"] for one in found if not one["Key"].startswith(_LOCKS) and one["Key"] not in copied
        }
