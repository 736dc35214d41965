"""OSCAL 1.1 assessment results: a result a stack, an observation a rule, a finding a control, a risk an open fault.

A control is satisfied as far as the rules test it: all of them pass, and nothing is waived or left unjudged. Rules
that had nothing to judge count neither way. Every UUID is derived from what it names, so that the same audit gives
the same document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, time
from typing import Any
from uuid import UUID, uuid5

from ...words import count
from .. import document
from ..evaluate import Judged
from .matrix import OTHERS, Control, controls
from .model import Judgement, Report, StackAudit, Status, answered, worst

VERSION = "1.1.3"

#: The root of all UUIDs here.
_SPACE = UUID("6f1c1ed6-3c0f-5d3a-9b64-3a7c0a5b7f11")

_NAMESPACE = "urn:runbook:audit"

_OPEN = (Status.FAIL, Status.EXPIRED)
_RISKS = (*_OPEN, Status.WAIVED)


def text(report: Report) -> str:
    """The document with sorted keys and a newline at the end."""
    header = report.header
    seed = (header.project, header.time)
    plan = _uuid("plan", *seed)
    return document.printed(
        {
            "assessment-results": {
                "uuid": _uuid("results", *seed),
                "metadata": {
                    "title": f"Audit of {header.project}",
                    "last-modified": header.time,
                    "version": header.source.commit or "no commit",
                    "oscal-version": VERSION,
                    "props": _props(
                        project=header.project,
                        commit=header.source.commit,
                        dirty="yes" if header.source.dirty else "no",
                        **header.tools,
                    ),
                },
                "import-ap": {"href": f"#{plan}"},
                "results": [_result(report, stack) for stack in report.stacks],
                "back-matter": {
                    "resources": [
                        {
                            "uuid": plan,
                            "title": "The rules",
                            "description": f"{count(len(report.rules), 'rule')} evaluated over the resources that "
                            "the program registers for each stack. The rules are the assessment plan.",
                        }
                    ]
                },
            }
        }
    )


def _result(report: Report, stack: StackAudit) -> dict[str, Any]:
    header = report.header
    hashes = header.hashes[stack.name]
    found = [control for control in controls(report) if _is_tested(control, stack)]
    subjects = sorted({judged.urn for judged in stack.judgements if judged.urn})
    risks = [_risk(stack, judged) for judged in stack.judgements if judged.status in _RISKS]
    result = {
        "uuid": _uuid("result", header.project, header.time, stack.name),
        "title": f"Stack {stack.name}",
        "description": f"Refused: a mandatory rule is broken in {stack.name}."
        if stack.audit.refused
        else f"Clean: no mandatory rule is broken in {stack.name}.",
        "start": header.time,
        "end": header.time,
        "props": _props(
            environment=stack.audit.environment,
            **{"settings-sha256": hashes.settings, "graph-sha256": hashes.graph},
        ),
        "local-definitions": {"inventory-items": [_item(stack, urn) for urn in subjects]},
        "reviewed-controls": {"control-selections": [_selection(found)]},
        "observations": [_observation(report, stack, judged) for judged in stack.judged],
        "risks": risks,
        "findings": [_finding(stack, control) for control in found],
    }
    if not subjects:
        del result["local-definitions"]
    return {key: value for key, value in result.items() if value != []}


def _is_tested(control: Control, stack: StackAudit) -> bool:
    return control.framework != OTHERS and control.statuses[stack.name] is not Status.NOT_APPLICABLE


def _selection(found: Iterable[Control]) -> dict[str, Any]:
    included = [{"control-id": _token(control)} for control in found]
    return {"description": "The controls that a rule tested.", **({"include-controls": included} if included else {})}


def _item(stack: StackAudit, urn: str) -> dict[str, Any]:
    resource = stack.graph.by_urn.get(urn)
    at = resource.declared_at if resource else None
    return {
        "uuid": _uuid("resource", urn),
        "description": urn.rpartition("::")[2] or urn,
        "props": _props(urn=urn, type=resource.type if resource else None, declared=str(at) if at else None),
    }


def _observation(report: Report, stack: StackAudit, judged: Judged) -> dict[str, Any]:
    rule, judgements = judged.rule, stack.by_rule[judged.rule.id]
    observation = {
        "uuid": _uuid("observation", stack.name, rule.id),
        "title": rule.title,
        "description": _told(rule.title, "Run book:", rule.sentence),
        "methods": ["TEST"],
        "types": ["control-objective"],
        "collected": report.header.time,
        "props": _props(
            rule=rule.id, severity=rule.severity, level=rule.level, status=worst(each.status for each in judgements)
        ),
        "subjects": [
            {
                "subject-uuid": _uuid("resource", each.urn),
                "type": "inventory-item",
                **({} if each.status is Status.PASS else {"props": _props(status=each.status)}),
            }
            for each in judgements
            if each.urn
        ],
        "relevant-evidence": [
            {"description": _told(f"{each.subject}:", *each.said), "props": _props(status=each.status)}
            for each in judgements
            if each.said
        ],
        "remarks": rule.why,
    }
    return {key: value for key, value in observation.items() if value}


def _risk(stack: StackAudit, judged: Judgement) -> dict[str, Any]:
    rule, waiver = judged.rule, judged.waiver
    risk: dict[str, Any] = {
        "uuid": _risk_uuid(stack, judged),
        "title": f"{rule.id}: {judged.subject}",
        "description": _told(*judged.said, answered(waiver, expired=judged.status is Status.EXPIRED) if waiver else ""),
        "statement": _told(rule.why or rule.title, "Remedy:", rule.remedy),
        "status": "deviation-approved" if judged.status is Status.WAIVED else "open",
        "props": _props(severity=rule.severity, mandatory="yes" if judged.mandatory else "no"),
        "related-observations": [{"observation-uuid": _uuid("observation", stack.name, rule.id)}],
    }
    if waiver:
        # A waiver holds to the end of its last day.
        risk["deadline"] = datetime.combine(waiver.expires, time(23, 59, 59)).isoformat() + "Z"
    return risk


def _finding(stack: StackAudit, control: Control) -> dict[str, Any]:
    rules = [rule for rule in control.rules if stack.status(rule.id) is not Status.NOT_APPLICABLE]
    status = control.statuses[stack.name]
    satisfied = status is Status.PASS
    finding = {
        "uuid": _uuid("finding", stack.name, control.framework, control.name),
        "title": f"{control.framework} {control.name}",
        "description": _told(*(rule.title for rule in rules)),
        "target": {
            "type": "statement-id",
            "target-id": f"{_token(control)}_smt",
            "status": {
                "state": "satisfied" if satisfied else "not-satisfied",
                "reason": "pass" if satisfied else "fail" if status in _OPEN else "other",
                "remarks": f"{status.capitalize()}, as far as {count(len(rules), 'rule')} can tell.",
            },
        },
        "related-observations": [{"observation-uuid": _uuid("observation", stack.name, rule.id)} for rule in rules],
        "related-risks": [
            {"risk-uuid": _risk_uuid(stack, judged)}
            for rule in rules
            for judged in stack.by_rule[rule.id]
            if judged.status in _RISKS
        ],
    }
    return {key: value for key, value in finding.items() if value}


def _risk_uuid(stack: StackAudit, judged: Judgement) -> str:
    return _uuid("risk", stack.name, judged.rule.id, judged.urn or "")


def _token(control: Control) -> str:
    """NIST's own id of a control (``sc-7``, ``ac-6.2``); of the others, which have none, a like one."""
    if control.framework == "NIST":
        return control.name.lower().replace("(", ".").rstrip(")")
    return re.sub(r"[^a-z0-9._]+", "-", f"{control.framework}-{control.name}".lower())


def _props(**values: str | None) -> list[dict[str, str]]:
    return [
        {"name": name, "ns": _NAMESPACE, "value": _told(value)} for name, value in values.items() if value is not None
    ]


def _told(*parts: str) -> str:
    """One line; OSCAL takes no empty text, and none with space around it."""
    return " ".join(" ".join(parts).split()) or "-"


def _uuid(*parts: str) -> str:
    return str(uuid5(_SPACE, "\0".join(parts)))
