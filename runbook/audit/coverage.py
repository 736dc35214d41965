"""Alarm coverage of a stack: what should be watched, and whether an alarm does, somebody decided not to, or nobody did.

The lines are those of the rule ``mon-alarm-coverage``, so that the report and the rule cannot differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from policies.rulebook.coverage import coverage
from policies.rulebook.resource import Context

from ..preview.graph import Graph
from ..words import short_type
from .evaluate import stack_of

State = Literal["present", "waived", "missing", "unknown"]

#: What a person is shown first is what they have to act on.
_ORDER: tuple[State, ...] = ("missing", "unknown", "waived", "present")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One way in which one resource can fail. ``alarms``: logical names of those that tell of it.

    ``unknown``: a value that only the deployment knows kept the line from being judged, which is no pass.
    """

    urn: str
    type: str
    name: str
    metrics: tuple[str, ...]
    told: str
    state: State
    alarms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Every line of a stack, in order of type and registration."""

    stack: str
    lines: tuple[Line, ...]

    def count(self, state: State) -> int:
        """How many lines are in ``state``."""
        return sum(line.state == state for line in self.lines)


def report(captured: Graph, context: Context, waived: Collection[str] = ()) -> Coverage:
    """The coverage of a captured graph. ``waived``: URNs of resources that somebody decided not to watch further."""
    return Coverage(
        stack=captured.stack,
        lines=tuple(
            Line(
                urn=cover.resource.urn,
                type=cover.resource.type,
                name=cover.resource.name,
                metrics=cover.watch.metrics,
                told=cover.watch.told,
                state="waived" if cover.state == "missing" and cover.resource.urn in waived else cover.state,
                alarms=cover.alarms,
            )
            for cover in coverage(stack_of(captured, context))
        ),
    )


def text(coverage: Coverage) -> Iterator[str]:
    """The table for a person, resource by resource, and the sums; what is missing stands first in each resource."""
    wide = max((len(_metrics(line)) for line in coverage.lines), default=0)
    for (kind, name), members in groupby(coverage.lines, key=lambda line: (line.type, line.name)):
        yield f"{name} ({short_type(kind)})"
        for line in sorted(members, key=lambda line: _ORDER.index(line.state)):
            watched = ", ".join(line.alarms) or f"when {line.told}"
            yield f"  {line.state:<7}  {_metrics(line):<{wide}}  {watched}"
    yield f"{coverage.stack}: {sums(coverage)}"


def sums(coverage: Coverage) -> str:
    """``45 present, 0 waived, 0 missing``, and how many are unknown where there are some."""
    states: Sequence[State] = ("present", "waived", "missing", *(("unknown",) if coverage.count("unknown") else ()))
    return ", ".join(f"{coverage.count(state):,} {state}" for state in states)


def document(coverage: Coverage) -> dict[str, Any]:
    """The coverage as data for JSON."""
    return {
        "stack": coverage.stack,
        "counts": {state: coverage.count(state) for state in _ORDER},
        "lines": [
            {
                "urn": line.urn,
                "type": line.type,
                "name": line.name,
                "metrics": list(line.metrics),
                "when": line.told,
                "state": line.state,
                "alarms": list(line.alarms),
            }
            for line in coverage.lines
        ],
    }


def _metrics(line: Line) -> str:
    return ", ".join(line.metrics)
