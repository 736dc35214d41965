"""The document of ``runbook audit --json``, and with it what else a later reader may ask for.

Added to it: ``header``, ``changes``, ``rules`` (the catalogue), ``controls`` (the matrix), ``statuses`` of every rule
by stack, and in each stack ``passed`` (rule -> URNs, null for the stack as a whole) and ``notApplicable`` (rule ->
why). A finding has its ``status``, and ``expired`` where a waiver covered it once.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from policies.rulebook.rule import Rule

from .. import document
from ..evaluate import Finding
from .header import Header
from .matrix import controls
from .model import Report, StackAudit, Status


def text(report: Report) -> str:
    """The document with sorted keys and a newline at the end."""
    data = document.data((stack.graph, stack.audit) for stack in report.stacks)
    for entry, stack in zip(data["stacks"], report.stacks, strict=True):
        entry.update(_judged(stack))
        for told, finding in zip(entry["findings"], stack.audit.findings, strict=True):
            told.update(_state(finding))
    return document.printed(
        data
        | {
            "header": header(report.header),
            "changes": asdict(report.changes) if report.changes else None,
            "rules": {rule.id: _rule(rule) for rule in report.rules},
            "controls": [
                {
                    "framework": control.framework,
                    "control": control.name,
                    "rules": [rule.id for rule in control.rules],
                    "statuses": control.statuses,
                }
                for control in controls(report)
            ],
            "statuses": {
                rule.id: {stack.name: stack.status(rule.id) for stack in report.stacks} for rule in report.rules
            },
        }
    )


def header(header: Header) -> dict[str, Any]:
    """The header as data."""
    return {
        "project": header.project,
        "time": header.time,
        "commit": header.source.commit,
        "dirty": header.source.dirty,
        "stacks": {
            stack: {"settingsSha256": hashes.settings, "graphSha256": hashes.graph}
            for stack, hashes in header.hashes.items()
        },
        "tools": dict(header.tools),
    }


def _judged(stack: StackAudit) -> dict[str, Any]:
    passed: dict[str, list[str | None]] = {}
    for judgement in stack.judgements:
        if judgement.status is Status.PASS:
            passed.setdefault(judgement.rule.id, []).append(judgement.urn)
    return {
        "passed": passed,
        "counts": {status.value: stack.count(status) for status in Status},
    }


def _state(finding: Finding) -> dict[str, Any]:
    status = Status.WAIVED if finding.waiver else Status.EXPIRED if finding.expired else Status.FAIL
    return {"status": status, "expired": finding.expired.expires.isoformat() if finding.expired else None}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "title": rule.title,
        "severity": rule.severity,
        "level": rule.level,
        "why": rule.why,
        "remedy": rule.remedy,
        "source": rule.sentence,
        "controls": list(rule.controls),
        "types": sorted(rule.types),
    }
