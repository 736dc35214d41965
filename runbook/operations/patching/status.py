"""How the patches of an environment stand (``004_… Weekly: Check for available security patches and updates``)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.text import Text

from ...console import Page
from ...words import count
from .machines import Machine, faults, machines
from .runs import Run, runs

#: The clients that ``read`` needs.
CLIENTS = ("ec2", "ssm")

#: Runs are weekly, with a day's grace.
DUE = timedelta(days=8)

#: So many runs are listed.
_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """``findings``: machine -> what is wrong; ``overdue``: why the last run is too long ago, or empty."""

    at: datetime
    findings: tuple[tuple[Machine, tuple[str, ...]], ...]
    runs: tuple[Run, ...]
    overdue: str

    @property
    def is_well(self) -> bool:
        """Whether there are machines, all are compliant, and runs happen."""
        return bool(self.findings) and not self.overdue and not any(wrong for _, wrong in self.findings)


def read(clients: Mapping[str, Any], entry: Mapping[str, Any], now: datetime) -> Status:
    """Reads everything, changing nothing. ``entry``: the inventory's of patching."""
    found = tuple(runs(clients["ssm"], entry))
    return Status(
        at=now,
        findings=tuple(
            (one, tuple(faults(one, now))) for one in machines(clients["ec2"], clients["ssm"], entry["groups"])
        ),
        runs=found[:_LISTED],
        overdue=_overdue(found, now),
    )


def _overdue(found: tuple[Run, ...], now: datetime) -> str:
    # In a freeze nothing is installed, and nobody is late.
    last = next((run for run in found if run.outcome in ("installed", "frozen")), None)
    if last is None:
        return "no run ended well in the 30 days that Systems Manager remembers"
    age = now - last.started
    return f"the last run that ended well was {age.days} days ago" if age > DUE else ""


def lines(environment: str, status: Status, page: Page) -> Iterator[Text]:
    """What is wrong first, for a person."""
    yield Text(f"Patches of {environment}, {status.at:%Y-%m-%d %H:%M} UTC", "bold")
    for machine, wrong in sorted(status.findings, key=lambda one: not one[1]):
        mark, style = ("behind", "bold red") if wrong else ("ok", "green")
        head = Text.assemble("  ", (f"{mark:<7}", style), f" {machine.id} ")
        yield from page.hang(head, Text(_sentence(machine, wrong)))
    if not status.findings:
        yield Text("  There is no machine with the tag PatchGroup of this environment.", "bold red")
    for run in status.runs:
        yield Text(f"  run {run.started:%Y-%m-%d %H:%M} UTC  {run.outcome}  {run.id}", "dim")
    if status.overdue:
        yield Text(f"  {status.overdue[0].upper()}{status.overdue[1:]}; one is due every week.", "bold red")
    bad = sum(bool(wrong) for _, wrong in status.findings)
    machines_ = count(len(status.findings), "machine")
    if status.is_well:
        yield Text(f"All {machines_} compliant.", "green")
    else:
        yield Text(f"{bad} of {machines_} behind.", "bold red")


def _sentence(machine: Machine, wrong: tuple[str, ...]) -> str:
    state = "; ".join(wrong) or "nothing missing"
    waiting = f"; {machine.pending} wait for a restart" if machine.pending and not wrong else ""
    looked = f", looked at {machine.looked:%Y-%m-%d %H:%M} UTC" if machine.looked else ""
    return f"({machine.group}): {state}{waiting}{looked}"


def document(environment: str, status: Status) -> str:
    """The same for a machine."""
    data = {
        "at": status.at.isoformat(),
        "environment": environment,
        "machines": [
            {
                "failed": machine.failed,
                "faults": list(wrong),
                "group": machine.group,
                "id": machine.id,
                "looked": machine.looked.isoformat() if machine.looked else None,
                "missing": machine.missing,
                "pendingReboot": machine.pending,
                "rejected": machine.rejected,
            }
            for machine, wrong in status.findings
        ],
        "overdue": status.overdue,
        "runs": [{"id": run.id, "outcome": run.outcome, "started": run.started.isoformat()} for run in status.runs],
        "well": status.is_well,
    }
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
