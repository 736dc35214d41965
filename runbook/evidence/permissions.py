"""The IAM policies of both sub-commands: what each needs and no more, known before anything is deployed."""

from __future__ import annotations

from ..operations.site import Site
from .collectors import COLLECTORS
from .collectors.audits import BUNDLES
from .scope import Statement, allow, owned


def of_collect(site: Site) -> list[Statement]:
    """Reads, and with --apply writes a bundle that it cannot delete."""
    components = sorted({"archive", *(name for one in COLLECTORS for name in one.components)})
    parameters = [site.arn("ssm", f"parameter{site.parameter(name)}") for name in components]
    bundles = [f"arn:{site.partition}:s3:::*/{BUNDLES}*"]
    return [
        allow("ReadInventory", ["ssm:GetParameter"], parameters),
        # Without the first S3 calls an object forbidden that is not there.
        allow("ListBuckets", ["s3:ListBucket", "s3:ListBucketVersions"], [f"arn:{site.partition}:s3:::*"], owned(site)),
        _key(site.partition, site.region, site.account_id, "kms:Decrypt", "kms:GenerateDataKey"),
        *(statement for one in COLLECTORS for statement in one.permissions(site)),
        allow("StoreBundles", ["s3:GetObject", "s3:PutObject", "s3:PutObjectRetention"], bundles, owned(site)),
    ]


def of_verify(partition: str, region: str, bucket: str, prefix: str) -> list[Statement]:
    """Reads only."""
    arn = f"arn:{partition}:s3:::{bucket}"
    return [
        allow("ListBundles", ["s3:ListBucket"], [arn]),
        allow("ReadBundles", ["s3:GetObject"], [f"{arn}/{prefix or BUNDLES}*"]),
        _key(partition, region, "*", "kms:Decrypt"),
    ]


def _key(partition: str, region: str, account: str, *actions: str) -> Statement:
    """Keys as far as S3 uses them for whoever asks it; which one is known once it is deployed."""
    host = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    through = {"StringEquals": {"kms:ViaService": f"s3.{region}.{host}"}}
    return allow("UseKey", list(actions), [f"arn:{partition}:kms:{region}:{account}:key/*"], through)
