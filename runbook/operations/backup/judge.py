"""What the age of a backup means. Nothing here knows the time or AWS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from .jobs import Job, Point

Verdict = Literal["ok", "late", "failed", "missing"]

#: Weekly backups (``000_… §4``), with a day's grace.
WEEKLY = timedelta(days=8)

#: RDS makes its own every day, somewhere in its window.
DAILY = timedelta(hours=26)

#: A restore is tested every month (``004_… Monthly Checklist``), with a day's grace.
MONTHLY = timedelta(days=32)

#: A copy to another region may take its time.
COPYING = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How one kind of backup stands. ``newest``: when the newest good one was made; ``target``: how old it may be."""

    what: str
    verdict: Verdict
    newest: datetime | None
    target: timedelta
    detail: str = ""


def check(
    what: str, newest: datetime | None, target: timedelta, now: datetime, *, trouble: str = "", detail: str = ""
) -> Check:
    """``trouble``: why the newest attempt failed; it outweighs a good one of before."""
    verdict: Verdict = "ok"
    if trouble:
        verdict, detail = "failed", trouble
    elif newest is None:
        verdict = "missing"
    elif now - newest > target:
        verdict = "late"
    return Check(what=what, verdict=verdict, newest=newest, target=target, detail=detail)


def check_jobs(what: str, found: Sequence[Job], target: timedelta, now: datetime) -> Check:
    """``found``: the newest first. The newest job that has ended decides; what is under way is only told."""
    good = next((job for job in found if job.well), None)
    last = next((job for job in found if not job.under_way), None)
    trouble = "" if last is None or last.well else f"job {last.id} ended as {last.state}{_why(last)}"
    busy = next((f"job {job.id} is {job.state}" for job in found if job.under_way), "")
    return check(what, good.created if good else None, target, now, trouble=trouble, detail=busy)


def check_host(host: str, started: datetime, newest: datetime | None, now: datetime, *, trouble: str = "") -> Check:
    """A server that is younger than its first backup is due is not late."""
    if newest is None and not trouble and now - started <= WEEKLY:
        return Check(what=host, verdict="ok", newest=None, target=WEEKLY, detail="new; its first one is not due yet")
    return check(host, newest, WEEKLY, now, trouble=trouble)


def gaps(
    moments: Sequence[datetime], *, born: datetime, now: datetime, kept: timedelta, every: timedelta = WEEKLY
) -> list[tuple[datetime, datetime]]:
    """The spans longer than ``every`` without a recovery point, in the last ``kept`` or since there was a database."""
    start = max(born, now - kept)
    edges = [start, *sorted(moment for moment in moments if start <= moment <= now), now]
    return [(before, after) for before, after in pairwise(edges) if after - before > every]


def uncopied(
    points: Sequence[Point], copies: Sequence[Job], present: Sequence[str], now: datetime
) -> Iterator[tuple[Point, str]]:
    """The recovery points that have no copy, and why. ``present``: ARNs of what is in the recovery vault."""
    by_source: dict[str, list[Job]] = {}
    for job in copies:
        by_source.setdefault(job.source, []).append(job)
    there = frozenset(present)
    for point in (point for point in points if point.whole):
        jobs = by_source.get(point.arn, [])
        if any(job.well and job.made in there for job in jobs):
            continue
        if now - point.made <= COPYING and not any(job.state in ("FAILED", "PARTIAL") for job in jobs):
            continue
        yield point, _why_uncopied(jobs)


def _why_uncopied(jobs: Sequence[Job]) -> str:
    if not jobs:
        return "no job copied it"
    job = jobs[0]
    if job.well:
        return f"job {job.id} copied it, but the copy is gone"
    return f"job {job.id} is {job.state}{_why(job)}"


def _why(job: Job) -> str:
    return f": {job.message.rstrip('.')}" if job.message else ""


def is_well(checks: Sequence[Check]) -> bool:
    """Whether nothing is late, failed or missing."""
    return all(one.verdict == "ok" for one in checks)
