"""AWS regions with the letters of their availability zones.

A program that asks AWS for neither has to know both. Source: the region list of the AWS documentation; a zone that only
some accounts see is listed as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Partition = Literal["aws", "aws-us-gov", "aws-cn"]


@dataclass(frozen=True, slots=True)
class Region:
    """``letters``: of the availability zones, so that ``us-east-1`` and ``a`` make ``us-east-1a``."""

    partition: Partition
    letters: str


_OTHER_LETTERS = {
    "ap-northeast-1": "abcd",
    "ap-northeast-2": "abcd",
    "ca-central-1": "abd",
    "us-east-1": "abcdef",
    "us-west-2": "abcd",
}

_COMMERCIAL = """
    af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1
    ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1
    eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1
    me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2
"""

REGIONS: Mapping[str, Region] = MappingProxyType(
    {name: Region("aws", _OTHER_LETTERS.get(name, "abc")) for name in _COMMERCIAL.split()}
    | {name: Region("aws-us-gov", "abc") for name in ("us-gov-east-1", "us-gov-west-1")}
    | {"cn-north-1": Region("aws-cn", "abd"), "cn-northwest-1": Region("aws-cn", "abc")}
)
