"""The database."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..facts import Database, Facts
from ..spec import AlarmSpec, Metric, Statistic
from .lines import (
    CLOUDWATCH,
    CRITICAL_RESPONSE,
    DATABASE_DOWN,
    FIVE_MINUTES,
    KEY_METRICS,
    SILENCE_RINGS,
    Silence,
    alarm,
    series,
)

if TYPE_CHECKING:
    from settings.thresholds import ThresholdSettings

_GIB = 1024**3

_NO_DATABASE: Silence = ("notBreaching", "Where the database is silent, database-silent rings.")


def rows(thresholds: ThresholdSettings, facts: Facts) -> Iterator[AlarmSpec]:
    """The database: how full, how fast, and whether it is there."""
    if facts.database:
        yield from _capacity(thresholds, facts.database)
        yield from _speed(thresholds, facts.database)
        yield from _credits(thresholds, facts.database)
        yield from _end(thresholds, facts.database)


def _rds(database: Database, name: str, statistic: Statistic = "Average") -> Metric:
    return series("AWS/RDS", name, statistic, {"DBInstanceIdentifier": database.ref})


def _of_database(database: Database) -> dict[str, Any]:
    return {"kind": "database", "subject": database.ref, "silence": _NO_DATABASE}


def _capacity(thresholds: ThresholdSettings, database: Database) -> Iterator[AlarmSpec]:
    common = _of_database(database)
    yield alarm(
        f"{database.ref}-cpu",
        _rds(database, "CPUUtilization"),
        panel="CPU",
        title="The database's CPU is busy",
        comparison=">",
        threshold=thresholds.cpu_percent,
        setting="cpu_percent",
        unit="Percent",
        minutes=thresholds.sustained_minutes,
        severity="high",
        run_book=KEY_METRICS,
        impact="Every query becomes slow.",
        first_action="Find the queries with the most load in Database Insights; scale the instance if they are right.",
        **common,
    )
    yield alarm(
        f"{database.ref}-connections",
        _rds(database, "DatabaseConnections"),
        panel="Connections",
        title="The database's connections are nearly used up",
        comparison=">",
        threshold=float(connections_limit(thresholds.connections_percent, database.max_connections)),
        setting="connections_percent",
        unit="Connections",
        period=FIVE_MINUTES,
        severity="high",
        run_book=KEY_METRICS,
        impact="When none is left, the application fails wherever it needs data.",
        first_action="Investigate connection leaks: group pg_stat_activity by client and state.",
        **common,
    )
    yield alarm(
        f"{database.ref}-storage",
        _rds(database, "FreeStorageSpace"),
        panel="Free storage",
        title="The database's storage is nearly full",
        comparison="<",
        threshold=share(thresholds.disk_free_percent, database.storage_gib),
        setting="disk_free_percent",
        unit="Bytes",
        period=FIVE_MINUTES,
        severity="high",
        run_book=KEY_METRICS,
        impact="RDS enlarges it once, then not for six hours; a full database stops.",
        first_action="Scale up storage: raise storage_gib, and max_storage_gib if it is the limit.",
        **common,
    )
    yield alarm(
        f"{database.ref}-memory",
        _rds(database, "FreeableMemory"),
        panel="Free memory",
        title="The database has little memory left",
        comparison="<",
        threshold=share(thresholds.database.free_memory_percent, database.memory_gib),
        setting="database.free_memory_percent",
        unit="Bytes",
        minutes=15,
        severity="medium",
        run_book=CLOUDWATCH,
        impact="It swaps, and every query becomes slow; at the end it restarts.",
        first_action="Look for sessions with large sorts and for too many connections; then take a larger class.",
        **common,
    )


def _speed(thresholds: ThresholdSettings, database: Database) -> Iterator[AlarmSpec]:
    common = _of_database(database)
    for way in ("read", "write"):
        yield alarm(
            f"{database.ref}-{way}-latency",
            _rds(database, f"{way.capitalize()}Latency"),
            panel="Disk latency",
            title=f"The database's disk is slow to {way}",
            comparison=">",
            threshold=thresholds.database.latency_ms / 1000,
            setting="database.latency_ms",
            unit="Seconds",
            minutes=15,
            severity="medium",
            run_book=CLOUDWATCH,
            impact="Queries wait for the disk.",
            first_action="See in Database Insights which queries wait for it, and whether the volume is at its limits.",
            **common,
        )
    yield alarm(
        f"{database.ref}-load",
        _rds(database, "DBLoad"),
        panel="Load",
        title="More sessions work than the database has processors",
        comparison=">",
        threshold=thresholds.database.load_per_processor * database.processors,
        setting="database.load_per_processor",
        unit="Sessions",
        minutes=15,
        severity="medium",
        run_book="000_… §7 Troubleshooting",
        impact="Sessions wait for one another.",
        first_action="Read in Database Insights what they wait for, and which query has most of it.",
        **common,
    )
    yield alarm(
        f"{database.ref}-queue",
        _rds(database, "DiskQueueDepth"),
        panel="Disk queue",
        title="Reads and writes queue up at the database's disk",
        comparison=">",
        threshold=thresholds.database.queue_depth,
        setting="database.queue_depth",
        unit="Requests",
        minutes=15,
        severity="medium",
        run_book=CLOUDWATCH,
        impact="Queries wait for the disk.",
        first_action="See whether a backup or a bulk load is running; else give the volume more throughput.",
        **common,
    )


def _credits(thresholds: ThresholdSettings, database: Database) -> Iterator[AlarmSpec]:
    common = _of_database(database)
    for purpose, metric, what in (
        ("io-balance", "EBSIOBalance%", "reads and writes"),
        ("byte-balance", "EBSByteBalance%", "bytes"),
    ):
        yield alarm(
            f"{database.ref}-{purpose}",
            _rds(database, metric),
            panel="Disk credits",
            title=f"The database's class has used up its burst of {what}",
            comparison="<",
            threshold=thresholds.database.balance_percent,
            setting="database.balance_percent",
            unit="Percent",
            period=FIVE_MINUTES,
            periods=3,
            severity="medium",
            run_book=CLOUDWATCH,
            impact="The disk falls back to a fraction of its speed.",
            first_action="Move what loads the disk to a quieter hour, or take a larger class.",
            **common,
        )
    if database.burstable:
        yield alarm(
            f"{database.ref}-credits",
            _rds(database, "CPUCreditBalance"),
            panel="CPU credits",
            title="The database has used up its CPU credits",
            comparison="<",
            threshold=thresholds.database.credits,
            setting="database.credits",
            unit="Credits",
            period=FIVE_MINUTES,
            periods=6,
            severity="low",
            run_book="004_… Scale RDS Instance",
            impact="More CPU is billed by the hour.",
            first_action="Take a class without credits if this comes back.",
            **common,
        )


def _end(thresholds: ThresholdSettings, database: Database) -> Iterator[AlarmSpec]:
    common = _of_database(database)
    yield alarm(
        f"{database.ref}-transaction-ids",
        _rds(database, "MaximumUsedTransactionIDs", "Maximum"),
        panel="Transaction ids",
        title="The database runs out of transaction ids",
        comparison=">",
        threshold=float(thresholds.database.transaction_ids),
        setting="database.transaction_ids",
        unit="Transactions",
        period=FIVE_MINUTES,
        severity="high",
        run_book="000_… §3 Database Operations",
        impact="When none is left, PostgreSQL takes no more writes.",
        first_action="End old transactions and unused replication slots, then vacuum the oldest tables.",
        **common,
    )
    part: dict[str, Any] = {
        "feeds": DATABASE_DOWN,
        "severity": "low",
        "run_book": CRITICAL_RESPONSE,
        "first_action": "Act on database-down.",
    }
    yield alarm(
        f"{database.ref}-storage-exhausted",
        _rds(database, "FreeStorageSpace"),
        panel="Free storage",
        title="The database's storage is used up",
        comparison="<",
        threshold=share(thresholds.database.exhausted_percent, database.storage_gib),
        setting="database.exhausted_percent",
        unit="Bytes",
        minutes=3,
        impact="A part of database-down, which pages: a full database stops.",
        **common,
        **part,
    )
    yield alarm(
        f"{database.ref}-silent",
        _rds(database, "CPUUtilization", "SampleCount"),
        panel="Readings",
        title="The database sends no metrics",
        comparison="<",
        threshold=1.0,
        setting=None,
        unit="Readings",
        minutes=5,
        impact="A part of database-down, which pages: only an instance that does not run is silent.",
        **{**common, "silence": SILENCE_RINGS},
        **part,
    )


def connections_limit(percent: float, max_connections: int) -> int:
    """How many connections are still in order: ``percent`` of what the database takes, rounded down."""
    return math.floor(percent * max_connections / 100)


def share(percent: float, gib: float) -> float:
    """``percent`` of ``gib``, in whole bytes."""
    return float(math.floor(percent * gib * _GIB / 100))
