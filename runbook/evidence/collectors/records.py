"""Records that lie in the evidence bucket: restores, restore tests and drills (``004_… Backup and Recovery Testing``).

Every version that was written in the period is collected, so a record that was overwritten or deleted since is there
all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ...operations.aws import error_code, spoken
from ...operations.site import Site
from ..scope import Gap, Item, Scope, Statement, allow, owned

#: Bytes of the largest record that is taken; a record is a few kilobytes.
LARGEST = 64 * 1024 * 1024

_GONE = ("NoSuchKey", "NoSuchVersion", "404")


@dataclass(frozen=True, slots=True)
class Records:
    """The records below ``kind/`` in the evidence bucket."""

    kind: str
    clients: tuple[str, ...] = ("s3",)
    components: tuple[str, ...] = ("archive",)

    def collect(self, scope: Scope) -> Iterator[Item | Gap]:
        """The records as they are: nothing secret is ever written to one."""
        yield from objects(scope, f"{self.kind}/")

    def permissions(self, site: Site, /) -> Iterable[Statement]:
        """To read them."""
        yield read(site, "Read" + "".join(map(str.capitalize, self.kind.split("-"))), self.kind)


#: What is below these prefixes is written by ``runbook restore``, ``runbook drill`` and the function that validates
#: AWS Backup's restore tests.
RECORDS = (Records("restores"), Records("restore-tests"), Records("drills"))


def objects(scope: Scope, prefix: str, *, below: str = "", but: str | None = None) -> Iterator[Item | Gap]:
    """The versions below ``prefix`` that were written in the period. Those below ``but`` are left out.

    ``below``: the folder they get in the bundle, with a slash.
    """
    (bucket,) = scope.entry("archive", "evidenceBucket")
    s3 = scope.clients["s3"]
    with spoken("s3:ListBucketVersions"):
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Prefix=prefix, ExpectedBucketOwner=scope.site.account_id
        )
        found = [one for page in pages for one in page.get("Versions", ())]
    for one in sorted(found, key=lambda one: (one["Key"], one["LastModified"], one["VersionId"])):
        if one["LastModified"] not in scope.period or (but is not None and one["Key"].startswith(but)):
            continue
        name = below + one["Key"].removeprefix(prefix)
        yield _object(scope, bucket, one, name if one["IsLatest"] else f"{name}@{one['VersionId']}")


def _object(scope: Scope, bucket: str, one: dict[str, Any], name: str) -> Item | Gap:
    source = f"s3://{bucket}/{one['Key']}"
    if one["Size"] > LARGEST:
        return Gap(what=source, reason=f"it has {one['Size']:,} bytes; {LARGEST:,} are taken at most", lasting=True)
    with spoken("s3:GetObjectVersion"):
        try:
            answer = scope.clients["s3"].get_object(
                Bucket=bucket,
                Key=one["Key"],
                VersionId=one["VersionId"],
                ExpectedBucketOwner=scope.site.account_id,
            )
            body = answer["Body"].read()
        except ClientError as error:
            if error_code(error) in _GONE:
                return Gap(what=source, reason="it was listed, and gone when it was read", lasting=True)
            if error_code(error) == "InvalidObjectState":
                return Gap(what=source, reason="it is in Glacier: `aws s3api restore-object` first, then collect again")
            raise
    return Item(path=name, body=body, source=source, version_id=one["VersionId"])


def read(site: Site, sid: str, below: str) -> Statement:
    """To read what is below a prefix of the evidence bucket; that it may list it and use its key is said once."""
    return allow(sid, ["s3:GetObjectVersion"], [f"arn:{site.partition}:s3:::*/{below}/*"], owned(site))
