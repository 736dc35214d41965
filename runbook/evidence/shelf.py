"""Bundles in the evidence bucket: one object each, numbered in their order, locked, and written once.

S3 refuses a number that is taken. Two people who store a bundle at the same time therefore get one chain: the slower
one is told, and its bundle then follows the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from botocore.exceptions import ClientError

from ..errors import UserError
from ..operations.aws import error_code, spoken
from ..operations.procedure import Done, Facts, Failed, Look, Stage, Todo
from .collectors.audits import BUNDLES
from .container import ContainerError, pack, unpack
from .folder import Folder, load
from .manifest import NAME, Manifest, ManifestError, Previous, read

_NUMBER = re.compile(re.escape(BUNDLES) + r"(\d{6})\.zip")

#: S3's words for an object that is there already, or is being written at this moment.
_WRITTEN = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class FrozenError(UserError):
    """The object is in Glacier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A bundle in the bucket. ``sha256``: of its manifest."""

    number: int
    key: str
    id: str
    sha256: str

    @property
    def link(self) -> Previous:
        """What the next bundle says of it."""
        return Previous(bundle=self.id, sha256=self.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """``key_arn``: the bucket's KMS key; ``owner``: the account it must belong to; ``mode`` and ``days``: for how long
    a bundle is locked (``records.locks.evidence``); ``kept``: days until it is deleted (``records.audits``)."""

    s3: Any = field(repr=False)
    bucket: str
    key_arn: str
    owner: str
    mode: Literal["none", "governance", "compliance"]
    days: int
    kept: int

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def stored(self) -> list[Stored]:
        """All bundles, the oldest first. Raises UserError for an object that is none."""
        with spoken("s3:ListBucket"):
            keys = list(listed(self.s3, self.bucket, BUNDLES, self.owner))
        found = []
        for key in keys:
            number = _NUMBER.fullmatch(key)
            with spoken("s3:GetObject"):
                told = self.s3.head_object(Bucket=self.bucket, Key=key, ExpectedBucketOwner=self.owner)["Metadata"]
            if number is None or not {"bundle", "manifest"} <= told.keys():
                raise UserError(
                    f"{self.uri(key)} is no bundle of runbook, though it lies among them.",
                    "Find out who put it there, and move it away.",
                )
            found.append(Stored(number=int(number[1]), key=key, id=told["bundle"], sha256=told["manifest"]))
        return found

    def find(self, bundle: str) -> Stored | None:
        """The bundle of that id."""
        return next((one for one in self.stored() if one.id == bundle), None)

    def manifest(self, stored: Stored) -> Manifest:
        """The manifest of a bundle that is stored. Raises UserError where it was changed."""
        body = fetched(self.s3, self.bucket, stored.key, self.owner)
        try:
            return read(unpack(body)[NAME])
        except (ContainerError, KeyError, ManifestError) as error:
            raise UserError(
                f"{self.uri(stored.key)} is not what was stored.",
                f"`runbook evidence verify {self.uri(stored.key)}` tells what is wrong.",
            ) from error

    def stage(self, folder: Folder, manifest: Manifest, now: datetime) -> Stage:
        """Stores the bundle in ``folder``."""
        return _Storing(self, folder, manifest, now).stage()


class _Storing:
    def __init__(self, shelf: Shelf, folder: Folder, manifest: Manifest, now: datetime) -> None:
        self._shelf, self._folder, self._manifest = shelf, folder, manifest
        self._until = now + timedelta(days=shelf.days)
        self._number = 0

    def stage(self) -> Stage:
        shelf = self._shelf
        lock = "without a lock" if shelf.mode == "none" else f"locked until {self._until:%Y-%m-%d} ({shelf.mode})"
        return Stage(
            name="store",
            changes=f"Stores the bundle in {shelf.bucket}, {lock}; it is deleted after {shelf.kept} days.",
            look=self.look,
            call="s3.put_object",
            action=("s3:ListBucket", "s3:PutObject"),
            arguments=self.arguments,
            act=self.act,
            patience=60,
            pause=2,
        )

    def look(self, _facts: Facts) -> Look:
        stored = self._shelf.stored()
        same = next((one for one in stored if one.id == self._manifest.id), None)
        if same is not None and same.sha256 == self._manifest.sha256:
            return Done({"stored": self._shelf.uri(same.key)})
        if same is not None:
            return Failed(
                f"another {same.id} was stored meanwhile, {self._shelf.uri(same.key)}; --again collects one more."
            )
        last = stored[-1] if stored else None
        if (last.link if last else None) != self._manifest.previous:
            return Failed(
                f"bundle {last.id if last else 'none'} is the last one now; the same command goes on after it."
            )
        self._number = last.number + 1 if last else 1
        return Todo()

    def arguments(self, _facts: Facts) -> dict[str, Any]:
        shelf = self._shelf
        locked = {"ObjectLockMode": shelf.mode.upper(), "ObjectLockRetainUntilDate": self._until.isoformat()}
        return {
            "Bucket": shelf.bucket,
            "Key": f"{BUNDLES}{self._number:06d}.zip",
            "Body": f"<{self._folder.path}>",
            "ContentType": "application/zip",
            "ChecksumAlgorithm": "SHA256",
            "ExpectedBucketOwner": shelf.owner,
            "IfNoneMatch": "*",
            "Metadata": {"bundle": self._manifest.id, "manifest": self._manifest.sha256},
            "SSEKMSKeyId": shelf.key_arn,
            "ServerSideEncryption": "aws:kms",
            # Said with the object too: a bucket without its lock then refuses it.
            **({} if shelf.mode == "none" else locked),
        }

    def act(self, facts: Facts) -> None:
        if self._folder.whole() != self._manifest:
            raise UserError(f"{self._folder.path} was changed meanwhile.", "The same command goes on from here.")
        files, _ = load(self._folder.path)
        given = self.arguments(facts) | {"Body": pack(files)}
        if self._shelf.mode != "none":
            given["ObjectLockRetainUntilDate"] = self._until
        try:
            self._shelf.s3.put_object(**given)
        except ClientError as error:
            # Somebody was faster, or an answer was lost on its way: the next look tells which.
            if error_code(error) not in _WRITTEN:
                raise


def listed(s3: Any, bucket: str, prefix: str, owner: str | None) -> Iterator[str]:
    """The keys below ``prefix``, in alphabetical order."""
    owned = {"ExpectedBucketOwner": owner} if owner else {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **owned):
        yield from (one["Key"] for one in page.get("Contents", ()))


def fetched(s3: Any, bucket: str, key: str, owner: str | None) -> bytes:
    """The object. Raises UserError where it cannot be had, with the way to get it back from Glacier."""
    owned = {"ExpectedBucketOwner": owner} if owner else {}
    with spoken("s3:GetObject"):
        try:
            body: bytes = s3.get_object(Bucket=bucket, Key=key, **owned)["Body"].read()
        except ClientError as error:
            if error_code(error) == "InvalidObjectState":
                raise FrozenError(
                    f"s3://{bucket}/{key} is in Glacier.",
                    f"`aws s3api restore-object --bucket {bucket} --key {key} --restore-request Days=7` brings it "
                    "back, in hours.",
                ) from error
            if error_code(error) == "NoSuchKey":
                raise UserError(f"There is no s3://{bucket}/{key}.") from error
            raise
        return body
