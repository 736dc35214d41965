"""SARIF 2.1.0, for code scanning: one run a stack, one result a finding.

A waived finding is a suppressed result. What could not be judged is a notification of the run: scanners that read
results alone take every result for a fault. What passed is not in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from policies.rulebook.rule import Rule, Severity
from policies.rulebook.waivers import FILE, Waiver

from ...preview.graph import SourcePosition
from .. import document
from ..evaluate import Finding
from .as_json import header
from .model import Judgement, Report, StackAudit, Status, answered

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

#: How code scanning sorts what is a matter of security: critical from 9.0, high from 7.0, medium from 4.0.
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}

#: What every address in the log is relative to; whoever reads it knows where the repository lies.
_BASE = "%SRCROOT%"


def text(report: Report) -> str:
    """The log with sorted keys and a newline at the end."""
    runs = [_run(report, stack) for stack in report.stacks]
    return document.printed({"$schema": _SCHEMA, "version": "2.1.0", "runs": runs})


def _run(report: Report, stack: StackAudit) -> dict[str, Any]:
    rules = [judged.rule for judged in stack.judged]
    index = {rule.id: number for number, rule in enumerate(rules)}
    missed = [judged for judged in stack.judgements if judged.status is Status.NOT_EVALUATED]
    prefix = report.header.source.prefix
    return {
        "automationDetails": {
            "id": f"runbook-audit/{stack.name}/",
            "description": {"text": f"The audit of stack {stack.name} of {report.header.project}."},
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "endTimeUtc": report.header.time,
                "toolExecutionNotifications": [_notification(judged, stack, prefix, index) for judged in missed],
            }
        ],
        "originalUriBaseIds": {_BASE: {"description": {"text": "The root of the repository."}}},
        "properties": header(report.header),
        "results": [_result(finding, stack, prefix, index) for finding in stack.audit.findings],
        "tool": {
            "driver": {
                "name": "runbook audit",
                "version": report.header.tools["runbook"],
                "rules": [_descriptor(rule) for rule in rules],
            }
        },
    }


def _descriptor(rule: Rule) -> dict[str, Any]:
    facts = (("Why", rule.why), ("Remedy", rule.remedy), ("Run book", rule.sentence))
    told = [(name, fact) for name, fact in (*facts, ("Controls", ", ".join(rule.controls))) if fact]
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.id.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.title} {rule.why}"},
        "help": {
            "text": "\n".join(f"{name}: {fact}" for name, fact in told),
            "markdown": "\n\n".join(f"**{name}**: {_plain(fact)}" for name, fact in told),
        },
        "defaultConfiguration": {"level": _level(rule, mandatory=rule.level.is_mandatory("prod"))},
        "properties": {
            "precision": "very-high",
            "problem.severity": _level(rule, mandatory=rule.level.is_mandatory("prod")).replace(
                "note", "recommendation"
            ),
            "security-severity": _SCORES[rule.severity],
            "tags": ["security", *rule.controls],
        },
    }


def _level(rule: Rule, *, mandatory: bool) -> str:
    if mandatory:
        return "error"
    return "note" if rule.severity is Severity.LOW else "warning"


def _result(finding: Finding, stack: StackAudit, prefix: str, index: dict[str, int]) -> dict[str, Any]:
    rule, resource = finding.rule, finding.resource
    urn = resource.urn if resource else None
    said = finding.sentence
    if finding.expired:
        said += f" {answered(finding.expired, expired=True)}"
    result = {
        "ruleId": rule.id,
        "ruleIndex": index[rule.id],
        "kind": "fail",
        "level": _level(rule, mandatory=finding.mandatory),
        "message": {"text": said},
        "locations": [
            _location(
                stack,
                prefix,
                at=resource.declared_at if resource else None,
                urn=urn,
                name=resource.name if resource else None,
            )
        ],
        # The first stays when only the wording changes.
        "partialFingerprints": {
            "judgement/v1": _fingerprint(rule.id, urn or stack.name),
            "finding/v1": _fingerprint(rule.id, urn or stack.name, finding.sentence),
        },
        "properties": {"mandatory": finding.mandatory, "severity": rule.severity, "stack": stack.name},
    }
    if finding.waiver:
        result["suppressions"] = [_suppression(finding.waiver, prefix)]
    return result


def _suppression(waiver: Waiver, prefix: str) -> dict[str, Any]:
    return {
        "kind": "external",
        "status": "accepted",
        "justification": answered(waiver, expired=False),
        "location": {"physicalLocation": _physical(SourcePosition(f"policies/{FILE}", waiver.line), prefix)},
        "properties": {"owner": waiver.owner, "ticket": waiver.ticket, "expires": waiver.expires.isoformat()},
    }


def _notification(judged: Judgement, stack: StackAudit, prefix: str, index: dict[str, int]) -> dict[str, Any]:
    at = judged.resource.declared_at if judged.resource else None
    return {
        "level": "warning",
        "message": {"text": f"Not evaluated: {' '.join(judged.said)}"},
        "associatedRule": {"id": judged.rule.id, "index": index[judged.rule.id]},
        "locations": [_location(stack, prefix, at=at, urn=judged.urn, name=judged.subject)],
    }


def _location(
    stack: StackAudit, prefix: str, *, at: SourcePosition | None, urn: str | None, name: str | None
) -> dict[str, Any]:
    """Where a finding is shown; one that is declared nowhere stands at the top of the stack's file."""
    place: dict[str, Any] = {
        "physicalLocation": _physical(at or SourcePosition(f"Pulumi.{stack.name}.yaml", 1), prefix)
    }
    if urn:
        place["logicalLocations"] = [{"fullyQualifiedName": urn, "name": name, "kind": "resource"}]
    return place


def _physical(at: SourcePosition, prefix: str) -> dict[str, Any]:
    if at.file.startswith("/"):
        artifact = {"uri": f"file://{quote(at.file)}"}
    else:
        artifact = {"uri": quote(f"{prefix}{at.file}"), "uriBaseId": _BASE}
    return {"artifactLocation": artifact, "region": {"startLine": at.line}}


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _plain(fact: str) -> str:
    return "".join(_escaped(fact))


def _escaped(fact: Iterable[str]) -> Iterator[str]:
    for sign in fact:
        yield f"\\{sign}" if sign in r"\`*_[]<>|#" else sign
