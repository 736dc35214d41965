"""The state of the backups for a person who was just woken, and for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from rich.text import Text

from ...console import Page
from ...words import count
from .jobs import Job
from .judge import Check, is_well
from .status import Status
from .verify import Finding

_STYLES = {"ok": "green", "late": "yellow", "failed": "bold red", "missing": "bold red"}

#: The worst first: nobody scrolls at three in the morning.
_ORDER = ("failed", "missing", "late", "ok")


def status(environment: str, found: Status, page: Page) -> Iterator[Text]:
    """What is wrong first, then the rest, then single jobs."""
    yield Text(f"Backups of {environment}, {_moment(found.at)}", "bold")
    for check in sorted(found.checks, key=lambda one: _ORDER.index(one.verdict)):
        head = Text.assemble("  ", (f"{check.verdict:<8}", _STYLES[check.verdict]), " ")
        yield from page.hang(head, Text(_sentence(check, found.at)))
    for note in found.notes:
        yield from page.hang(Text("  "), Text(note, "dim"))
    if found.jobs:
        yield Text()
        yield Text("Jobs of AWS Backup", "bold")
    for job in found.jobs:
        yield from page.hang(Text("  "), Text(_job(job), "" if job.well or job.under_way else "red"))
    yield Text()
    bad = sum(check.verdict != "ok" for check in found.checks)
    if bad:
        yield Text(f"{bad} of {count(len(found.checks), 'check')} want attention.", "bold red")
    else:
        yield Text(f"All {count(len(found.checks), 'check')} are well.", "green")


def _sentence(check: Check, now: datetime) -> str:
    detail = f" ({check.detail})" if check.detail else ""
    if check.newest is None:
        return f"{check.what}: none{detail}; due every {_span(check.target)}"
    return (
        f"{check.what}: {_span(now - check.newest)} old, from {_moment(check.newest)}; "
        f"due every {_span(check.target)}{detail}"
    )


def _job(job: Job) -> str:
    told = f": {job.message.rstrip('.')}" if job.message else ""
    percent = f" {float(job.percent):.0f} %" if job.percent and job.under_way else ""
    return f"{_moment(job.created)}  {job.kind:<7}  {job.state}{percent}  {job.id}{told}"


def status_document(environment: str, found: Status) -> str:
    """The same for a machine; ages and targets in seconds."""
    data = {
        "at": found.at.isoformat(),
        "checks": [
            {
                "ageSeconds": None if check.newest is None else round((found.at - check.newest).total_seconds()),
                "detail": check.detail,
                "newest": None if check.newest is None else check.newest.isoformat(),
                "targetSeconds": round(check.target.total_seconds()),
                "verdict": check.verdict,
                "what": check.what,
            }
            for check in found.checks
        ],
        "environment": environment,
        "jobs": [
            {
                "created": job.created.isoformat(),
                "ended": job.ended.isoformat() if job.ended else None,
                "id": job.id,
                "kind": job.kind,
                "message": job.message,
                "state": job.state,
            }
            for job in found.jobs
        ],
        "notes": list(found.notes),
        "well": is_well(found.checks),
    }
    return _text(data)


def findings(environment: str, found: Sequence[Finding], page: Page) -> Iterator[Text]:
    """What was verified, and what is wrong with it."""
    yield Text(f"Verification of the backups of {environment}", "bold")
    for one in found:
        mark, style = (page.signs.bad, "bold red") if one.faults else ("", "green")
        yield from page.hang(Text(f"  {mark}", style), Text(f"{one.what}: {one.seen}", style))
        for fault in one.faults:
            yield from page.hang(Text("      "), Text(fault))
    faults = sum(len(one.faults) for one in found)
    yield Text()
    yield Text(f"{count(faults, 'fault')}." if faults else "No fault.", "bold red" if faults else "green")


def findings_document(environment: str, found: Sequence[Finding]) -> str:
    """The same for a machine."""
    data = {"environment": environment, "findings": [asdict(one) for one in found]}
    return _text(data | {"well": not any(one.faults for one in found)})


def _text(data: object) -> str:
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _span(span: timedelta) -> str:
    """In the unit that a person would use."""
    minutes = max(0, round(span.total_seconds() / 60))
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes / 60:.0f} h"
    return f"{minutes / 60 / 24:.0f} days"
