"""What a run leaves behind: its name, how far it came, and the record that is written once and never again.

The findings are written before the copy is deleted: from then on they tell a run that goes on what the copy no longer
can. Both are objects that S3 refuses to write twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal

from botocore.exceptions import ClientError

from ...errors import UserError
from ..aws import error_code, spoken

Kind = Literal["restore", "drill", "files"]

#: A drill is the month's, the others are the day's.
_NAME = re.compile(
    r"(drill-\d{4}-(0[1-9]|1[0-2])|(restore|files)-\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))(-[1-9]\d?)?"
)

#: S3's words for an object that is there already, or is being written at this moment.
_WRITTEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


@dataclass(frozen=True, slots=True)
class Run:
    """A run by its name: ``drill-2026-11``, ``restore-2026-11-05``, the second of them ``restore-2026-11-05-2``."""

    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UserError(
                f"{self.name!r} is no run.",
                "A run is called drill-2026-11, restore-2026-11-05 or files-2026-11-05, and with -2 the second of it.",
            )

    @property
    def kind(self) -> Kind:
        kind: Any = self.name.partition("-")[0]
        return kind  # type: ignore[no-any-return]

    @property
    def record(self) -> str:
        """The key of its record: ``drills/2026/11/drill-2026-11.json``."""
        _, year, month, *_ = self.name.split("-")
        return f"{'files' if self.kind == 'files' else f'{self.kind}s'}/{year}/{month}/{self.name}.json"

    @property
    def findings(self) -> str:
        """The key of what was found out before the clean-up; not among the records."""
        return f"progress/{self.record}"


def named(kind: Kind, now: datetime, number: int = 1) -> Run:
    """The run of this month (a drill) or of this day, UTC; ``number`` tells several apart."""
    day = now.astimezone(UTC).strftime("%Y-%m" if kind == "drill" else "%Y-%m-%d")
    return Run(f"{kind}-{day}" if number == 1 else f"{kind}-{day}-{number}")


def text(document: Mapping[str, Any]) -> str:
    """A record as it is written: the same whoever writes it."""
    return json.dumps(document, indent=2, sort_keys=True, default=str) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The evidence bucket. ``key_arn``: the KMS key of what is written; ``owner``: the account it must belong to."""

    s3: Any = field(repr=False)
    bucket: str
    key_arn: str
    owner: str

    def read(self, key: str) -> Mapping[str, Any] | None:
        """The object at ``key``, None where there is none."""
        with spoken("s3:GetObject"):
            try:
                answer = self.s3.get_object(Bucket=self.bucket, Key=key, ExpectedBucketOwner=self.owner)
            except ClientError as error:
                if error_code(error) not in ("NoSuchKey", "404"):
                    raise
                return None
            document: Mapping[str, Any] = json.loads(answer["Body"].read())
            return document

    def arguments(self, key: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Of the call that writes ``document``, which fails where the object is there."""
        return {
            "Bucket": self.bucket,
            "Key": key,
            "Body": text(document),
            "ContentType": "application/json",
            "ChecksumAlgorithm": "SHA256",
            "ExpectedBucketOwner": self.owner,
            "IfNoneMatch": "*",
            "SSEKMSKeyId": self.key_arn,
            "ServerSideEncryption": "aws:kms",
        }

    def write(self, key: str, document: Mapping[str, Any]) -> None:
        """Writes ``document`` unless something is there, which then stays: who reads it again sees which it is."""
        try:
            self.s3.put_object(**self.arguments(key, document))
        except ClientError as error:
            if error_code(error) not in _WRITTEN:
                raise

    def next_run(self, kind: Kind, now: datetime, *, again: bool) -> Run:
        """The period's first run; with ``again`` the first that has no record yet, be it begun or not."""
        first = named(kind, now)
        if not again:
            return first
        return next(run for number in count(1) if self.read((run := named(kind, now, number)).record) is None)
