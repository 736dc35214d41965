"""Instance classes that a stack may name, with what is derived from them: memory and processor architecture.

Source: the instance tables of the EC2 and RDS documentation, each family without its bare-metal sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

Architecture = Literal["x86_64", "arm64"]

#: Memory of a general-purpose class by its size, in GiB; a compute class has half of it, a memory class twice.
_MEMORY = {
    "nano": 0.5,
    "micro": 1.0,
    "small": 2.0,
    "medium": 4.0,
    "large": 8.0,
    "xlarge": 16.0,
    "2xlarge": 32.0,
    "4xlarge": 64.0,
    "8xlarge": 128.0,
    "12xlarge": 192.0,
    "16xlarge": 256.0,
    "24xlarge": 384.0,
    "32xlarge": 512.0,
    "48xlarge": 768.0,
}

_MICRO_TO_2 = ("micro", "small", "medium", "large", "xlarge", "2xlarge")
_TO_16 = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
_TO_24 = (*_TO_16, "24xlarge")
_TO_32 = (*_TO_24, "32xlarge")
_TO_48 = (*_TO_24, "48xlarge")

#: Families, their sizes, and their memory against that of a general-purpose class.
_Families = tuple[str, tuple[str, ...], float]

_RDS: tuple[_Families, ...] = (
    ("db.t3 db.t4g", _MICRO_TO_2, 1),
    ("db.m6g db.m7g", _TO_16, 1),
    ("db.m5", _TO_24, 1),
    ("db.m6i", _TO_32, 1),
    ("db.m7i db.m8g", _TO_48, 1),
    ("db.r6g db.r7g", _TO_16, 2),
    ("db.r5", _TO_24, 2),
    ("db.r6i", _TO_32, 2),
    ("db.r7i db.r8g", _TO_48, 2),
)

_EC2: tuple[_Families, ...] = (
    ("t3 t3a t4g", ("nano", *_MICRO_TO_2), 1),
    ("m7i-flex", _TO_16, 1),
    ("m6g m7g", ("medium", *_TO_16), 1),
    ("m5 m5a", _TO_24, 1),
    ("m6i", _TO_32, 1),
    ("m7i", _TO_48, 1),
    ("m8g", ("medium", *_TO_48), 1),
    ("m6a", (*_TO_32, "48xlarge"), 1),
    ("m7a", ("medium", *_TO_32, "48xlarge"), 1),
    ("c7i-flex", _TO_16, 0.5),
    ("c6g c7g", ("medium", *_TO_16), 0.5),
    ("c5a", _TO_24, 0.5),
    ("c6i", _TO_32, 0.5),
    ("c7i", _TO_48, 0.5),
    ("c8g", ("medium", *_TO_48), 0.5),
    ("c6a", (*_TO_32, "48xlarge"), 0.5),
    ("c7a", ("medium", *_TO_32, "48xlarge"), 0.5),
    ("r6g r7g", ("medium", *_TO_16), 2),
    ("r5 r5a", _TO_24, 2),
    ("r6i", _TO_32, 2),
    ("r7i", _TO_48, 2),
    ("r8g", ("medium", *_TO_48), 2),
    ("r6a", (*_TO_32, "48xlarge"), 2),
    ("r7a", ("medium", *_TO_32, "48xlarge"), 2),
)


def _memory(table: Iterable[_Families]) -> Mapping[str, float]:
    return MappingProxyType(
        {
            f"{family}.{size}": _MEMORY[size] * factor
            for families, sizes, factor in table
            for family in families.split()
            for size in sizes
        }
    )


#: Memory of the RDS classes for PostgreSQL, in GiB. ``max_connections`` is derived from it, and with it the alarm at
#: ">80% of max" (``004_… Key Metrics to Monitor``).
#:
#: Performance Insights and both modes of Database Insights have no class restriction on RDS for PostgreSQL, so each
#: class here may use them; the restrictions one often meets are those of MySQL, MariaDB and Aurora.
RDS_MEMORY_GIB = _memory(_RDS)

#: Memory of the EC2 classes, in GiB.
EC2_MEMORY_GIB = _memory(_EC2)


def architecture(instance_class: str) -> Architecture:
    """What an image must be built for: ``arm64`` for the Graviton families (``t4g``, ``m7g``…), else ``x86_64``."""
    family = instance_class.removeprefix("db.").split(".")[0]
    return "arm64" if family.endswith("g") else "x86_64"
