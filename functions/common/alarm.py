"""An alarm as the chain carries it, and what its description says to people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

Severity = Literal["critical", "high", "medium", "low"]

#: From the worst down (``004_… Severity Levels``).
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """``started``: when it went into alarm; ``respond_minutes``: the response time, None for the next business day.

    ``deferred_until``: when the first rung goes out, where office hours are waited for.
    """

    name: str
    severity: Severity
    started: datetime
    reason: str
    description: str
    respond_minutes: int | None
    deferred_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The parts of an alarm's description; empty where it has no such line.

    ``severity`` is what the description says of it; what counts is the topic.
    """

    summary: str = ""
    severity: str = ""
    impact: str = ""
    run_book: str = ""
    first_action: str = ""


_LINE = re.compile(r"\s*(severity|impact|run book|first action)\s*:\s*(.*\S)\s*", re.IGNORECASE)


def describe(text: str) -> Description:
    """The parts: lines that begin with ``Severity:``, ``Impact:``, ``Run book:`` or ``First action:``, and the rest.

    A part that stands twice counts as it stands first.
    """
    parts: dict[str, str] = {}
    rest = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match:
            parts.setdefault(match[1].lower().replace(" ", "_"), match[2])
        elif line.strip():
            rest.append(line.strip())
    return Description(summary=" ".join(rest), **parts)
