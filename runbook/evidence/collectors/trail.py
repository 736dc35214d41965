"""CloudTrail's digests: that there is one for every hour and region, and that each is signed (``000_… §7``).

A digest holds the hashes of an hour's log files and the signature of the digest before it; its own signature lies in
the object's metadata. That a signature is there is looked at here; ``aws cloudtrail validate-logs`` checks it, with
CloudTrail's public keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from ...operations.aws import error_code, spoken
from ...operations.site import Site
from ..manifest import canonical, moment
from ..scope import Gap, Item, Scope, Statement, allow, owned

#: Digests come every hour; so far apart, one is missing.
STEP = timedelta(minutes=90)

#: So late may a digest be, which is delivered within the hour.
LATE = timedelta(hours=2)

#: A week of all regions has thousands of digests, each with a call of its own.
_AT_ONCE = 16

_NAME = re.compile(r"_(\d{8}T\d{6}Z)\.json\.gz$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """``ends``: the end of its hour, in its name."""

    key: str
    region: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class Trail:
    """The digests of the stack's trail whose hour ends in the period."""

    kind: str = "trail"
    clients: tuple[str, ...] = ("s3",)
    components: tuple[str, ...] = ("audit",)

    def collect(self, scope: Scope) -> Iterator[Item | Gap]:
        """Names, versions and whether each is signed; the signatures themselves stay with the digests."""
        bucket, arn = scope.entry("audit", "bucket", "trailArn")
        digests = _list(scope, bucket, arn)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            heads = list(pool.map(lambda digest: _head(scope, bucket, digest), digests))
        listed = []
        for digest, head in zip(digests, heads, strict=True):
            where = f"s3://{bucket}/{digest.key}"
            if head is None:
                yield Gap(what=where, reason="it was listed, and gone when it was read", lasting=True)
                continue
            if not head["signed"]:
                yield Gap(what=f"the signature of {where}", reason="the digest has none", lasting=True)
            listed.append({"endsAt": moment(digest.ends), "key": digest.key, "region": digest.region, **head})
        yield from gaps(digests, scope.period.start, min(scope.period.end, scope.now - LATE))
        yield Item(
            path="digests.json",
            body=canonical({"bucket": bucket, "digests": listed, "trail": arn}),
            source=arn,
        )

    def permissions(self, site: Site, /) -> Iterable[Statement]:
        """The digests' names and metadata; their content is not read."""
        below = f"AWSLogs/{site.account_id}/CloudTrail-Digest/*"
        yield allow("ListDigests", ["s3:ListBucket"], [f"arn:{site.partition}:s3:::*"], owned(site))
        yield allow("LookAtDigests", ["s3:GetObject"], [f"arn:{site.partition}:s3:::*/{below}"], owned(site))


def gaps(digests: Sequence[Digest], start: datetime, end: datetime) -> Iterator[Gap]:
    """The hours without a digest between ``start`` and ``end``, region by region."""
    if not digests:
        yield Gap(what="digests", reason="the trail's bucket has none of the period")
        return
    for region in sorted({digest.region for digest in digests}):
        known = sorted(digest.ends for digest in digests if digest.region == region)
        for before, after in zip([start, *known], [*known, end], strict=True):
            if after - before > STEP:
                yield Gap(
                    what=f"digests of {region} between {before:%Y-%m-%d %H:%M} and {after:%Y-%m-%d %H:%M} UTC",
                    reason="there is none in the trail's bucket",
                )


def _list(scope: Scope, bucket: str, arn: str) -> list[Digest]:
    """By region and time. Other trails may share the bucket."""
    prefix = f"AWSLogs/{scope.site.account_id}/CloudTrail-Digest/"
    own = f"_{arn.rpartition('/')[2]}_"
    asked = {"Bucket": bucket, "ExpectedBucketOwner": scope.site.account_id}
    found = []
    with spoken("s3:ListBucket"):
        pages = scope.clients["s3"].get_paginator("list_objects_v2")
        tops = pages.paginate(**asked, Prefix=prefix, Delimiter="/")
        regions = sorted(one["Prefix"] for page in tops for one in page.get("CommonPrefixes", ()))
        for region in regions:
            # Keys go on with year, month and day, and are listed in that order.
            begin = f"{region}{scope.period.first:%Y/%m/%d}"
            for page in pages.paginate(**asked, Prefix=region, StartAfter=begin):
                listed = [_digest(one["Key"], region, prefix) for one in page.get("Contents", ())]
                found += [one for one in listed if one and own in one.key and one.ends in scope.period]
                if any(one and one.ends >= scope.period.end for one in listed):
                    break
    return sorted(found, key=lambda one: (one.region, one.ends, one.key))


def _digest(key: str, region: str, prefix: str) -> Digest | None:
    name = _NAME.search(key)
    if name is None:
        return None
    ends = datetime.strptime(name[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return Digest(key=key, region=region.removeprefix(prefix).rstrip("/"), ends=ends)


def _head(scope: Scope, bucket: str, digest: Digest) -> Mapping[str, Any] | None:
    """What is known of the object without reading it; None where it is gone."""
    with spoken("s3:GetObject"):
        try:
            head = scope.clients["s3"].head_object(
                Bucket=bucket, Key=digest.key, ExpectedBucketOwner=scope.site.account_id
            )
        except ClientError as error:
            if error_code(error) in ("404", "NoSuchKey"):
                return None
            raise
    told = head.get("Metadata", {})
    return {
        "etag": head["ETag"].strip('"'),
        "signatureAlgorithm": told.get("signature-algorithm"),
        "signed": bool(told.get("signature")),
        "size": head["ContentLength"],
        "versionId": head.get("VersionId"),
    }
