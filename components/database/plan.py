"""What the database decides: its parameters, how many connections it takes, how long insights are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Insights = Literal["standard", "advanced"]

_GIB = 1024**3

#: RDS for PostgreSQL takes one connection for each of these bytes of memory, and no more than the limit by itself.
_BYTES_PER_CONNECTION = 9_531_392
_MOST_BY_MEMORY = 5_000

#: What RDS accepts at least and PostgreSQL at most.
_LEAST, _MOST = 6, 262_143

#: The logs that RDS copies to CloudWatch.
LOG_EXPORTS = ("postgresql", "upgrade")

#: What the event subscription tells of: categories of RDS for a database instance.
EVENT_CATEGORIES = (
    "availability",
    "configuration change",
    "deletion",
    "failover",
    "failure",
    "low storage",
    "maintenance",
    "notification",
    "recovery",
)


def max_connections(memory_gib: float, override: int | None = None) -> int:
    """How many connections a class with ``memory_gib`` of memory takes.

    Amazon RDS User Guide, quotas: ``LEAST({DBInstanceClassMemory/9531392}, 5000)``. RDS takes what the operating
    system needs off the memory first and says not how much, so its own default is a little lower; the number is
    therefore set as a parameter and is exact. ``override`` replaces it.

    Raises ValueError for memory that is not positive and an override that PostgreSQL would not start with.
    """
    if override is not None:
        if not _LEAST <= override <= _MOST:
            raise ValueError(f"max_connections is {override}; it lies between {_LEAST} and {_MOST}.")
        return override
    if not memory_gib > 0:
        raise ValueError(f"The memory of the database's class is {memory_gib} GiB; give that of a class RDS offers.")
    return max(_LEAST, min(int(memory_gib * _GIB / _BYTES_PER_CONNECTION), _MOST_BY_MEMORY))


def family(engine_version: str) -> str:
    """The parameter group family of an engine version: ``17`` and ``17.4`` are ``postgres17``.

    Raises ValueError for what is no version of PostgreSQL 10 or later, whose major version is its first number.
    """
    major, _, minor = engine_version.partition(".")
    if not major.isdecimal() or int(major) < 10 or (minor and not minor.isdecimal()) or engine_version.endswith("."):
        raise ValueError(
            f"{engine_version!r} is no version of PostgreSQL; give a major version such as 17, or 17.4 to pin a minor."
        )
    return f"postgres{int(major)}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting of PostgreSQL. ``applies``: at once, or with the next reboot, which static ones need."""

    name: str
    value: str
    applies: Literal["immediate", "pending-reboot"] = "immediate"


def parameters(*, connections: int, slow_query_ms: int) -> tuple[Parameter, ...]:
    """The parameter group: TLS only, statements over ``slow_query_ms`` logged with their plan, statistics for all.

    Sessions and long waits for locks are logged. Statements are not logged by kind: a password set in SQL would be
    in the log.
    """
    slow = str(slow_query_ms)
    return (
        Parameter("auto_explain.log_min_duration", slow),
        Parameter("log_connections", "1"),
        Parameter("log_disconnections", "1"),
        Parameter("log_lock_waits", "1"),
        Parameter("log_min_duration_statement", slow),
        Parameter("max_connections", str(connections), "pending-reboot"),
        Parameter("pg_stat_statements.track", "all"),
        # Its default from PostgreSQL 15 on. AWS lists defaults as pending and cannot change that word alone, so
        # "immediate" would be a change in every preview.
        Parameter("rds.force_ssl", "1", "pending-reboot"),
        Parameter("shared_preload_libraries", "pg_stat_statements,auto_explain", "pending-reboot"),
    )


def insights_retention_days(insights: Insights) -> int:
    """How long Performance Insights keeps its data: what is free, or the 15 months that the advanced mode requires."""
    return {"standard": 7, "advanced": 465}[insights]


def log_paths(identifier: str) -> Mapping[str, str]:
    """log -> the group that RDS writes it to, a name that cannot be chosen."""
    return {log: f"/aws/rds/instance/{identifier}/{log}" for log in LOG_EXPORTS}
