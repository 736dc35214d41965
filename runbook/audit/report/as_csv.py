"""Two tables for a spreadsheet: every judgement, and the matrix of controls and rules."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from .matrix import FRAMEWORKS, controls
from .model import Report, Status, answered, refusal

_COLUMNS = (
    "stack",
    "environment",
    "rule",
    "severity",
    "status",
    "outcome",
    "component",
    "type",
    "resource",
    "urn",
    "file",
    "line",
    "said",
    "waiver",
    "title",
    "source",
    "controls",
)

#: A cell that begins so is a formula to a spreadsheet, whoever named the resource.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def judgements(report: Report) -> str:
    """One row a judgement; ``outcome`` of a finding is ``refused`` or ``advised``."""
    rows: list[Sequence[str]] = [_COLUMNS]
    for stack in report.stacks:
        for judged in stack.judgements:
            rule, resource, waiver = judged.rule, judged.resource, judged.waiver
            at = resource.declared_at if resource else None
            rows.append(
                (
                    stack.name,
                    stack.audit.environment,
                    rule.id,
                    rule.severity,
                    judged.status,
                    refusal(judged),
                    stack.component(judged.urn) or "",
                    resource.type if resource else "",
                    judged.subject,
                    judged.urn or "",
                    at.file if at else "",
                    str(at.line) if at else "",
                    " ".join(judged.said),
                    answered(waiver, expired=judged.status is Status.EXPIRED) if waiver else "",
                    rule.title,
                    rule.sentence,
                    ", ".join(rule.controls),
                )
            )
    return _table(rows)


def matrix(report: Report) -> str:
    """One row for each control and rule: the rule's status in each stack."""
    stacks = report.stacks
    rows: list[Sequence[str]] = [("framework", "control", "rule", "title", *(stack.name for stack in stacks))]
    for control in controls(report):
        for rule in control.rules:
            statuses = (stack.status(rule.id) for stack in stacks)
            rows.append(
                (FRAMEWORKS.get(control.framework, control.framework), control.name, rule.id, rule.title, *statuses)
            )
    return _table(rows)


def _table(rows: Iterable[Sequence[str]]) -> str:
    """The rows as RFC 4180 has them."""
    written = io.StringIO(newline="")
    csv.writer(written).writerows([_harmless(cell) for cell in row] for row in rows)
    return written.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
