"""JUnit XML as Jenkins and GitLab read it: a test suite a stack, a test a judgement.

Only what refuses a deployment fails, so that a build is as red as the exit code; advice is the output of a test that
passes. What is waived, could not be judged or had nothing to judge is skipped, with the reason.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from ...words import short_type
from .model import Judgement, Report, StackAudit, Status, answered

#: What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_SKIPPED = (Status.WAIVED, Status.NOT_EVALUATED, Status.NOT_APPLICABLE)


def text(report: Report) -> str:
    """The document, with a newline at the end."""
    root = ET.Element("testsuites", name=f"runbook audit of {_clean(report.header.project)}")
    for stack in report.stacks:
        root.append(_suite(report, stack))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(report: Report, stack: StackAudit) -> ET.Element:
    cases = [_case(judged, stack) for judged in stack.judgements]
    suite = ET.Element(
        "testsuite",
        name=_clean(stack.name),
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors="0",
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        timestamp=report.header.time.removesuffix("Z"),
    )
    properties = ET.SubElement(suite, "properties")
    hashes = report.header.hashes[stack.name]
    for name, value in (
        ("commit", str(report.header.source)),
        ("settings.sha256", hashes.settings),
        ("graph.sha256", hashes.graph),
        *report.header.tools.items(),
    ):
        ET.SubElement(properties, "property", name=name, value=value)
    suite.extend(cases)
    return suite


def _case(judged: Judgement, stack: StackAudit) -> ET.Element:
    resource = judged.resource
    subject = f"{judged.subject} ({short_type(resource.type)})" if resource else judged.subject
    case = ET.Element("testcase", classname=_clean(f"{stack.name}.{judged.rule.id}"), name=_clean(subject))
    said = " ".join(judged.said)
    if judged.mandatory and judged.status is not Status.WAIVED:
        failure = ET.SubElement(case, "failure", type=judged.rule.severity, message=_clean(said))
        failure.text = _clean(_details(judged))
    elif judged.status in _SKIPPED:
        ET.SubElement(case, "skipped", message=_clean(f"{judged.status.capitalize()}: {_reason(judged)}"))
    elif judged.status is not Status.PASS:
        ET.SubElement(case, "system-out").text = _clean(f"Advised: {_details(judged)}")
    return case


def _reason(judged: Judgement) -> str:
    said = " ".join(judged.said)
    return f"{said} {answered(judged.waiver, expired=False)}" if judged.waiver else said


def _details(judged: Judgement) -> str:
    rule, resource = judged.rule, judged.resource
    facts = [
        *judged.said,
        f"Declared at: {resource.declared_at}" if resource and resource.declared_at else "",
        f"URN: {judged.urn}" if judged.urn else "",
        answered(judged.waiver, expired=True) if judged.waiver else "",
        f"Rule: {rule.title}",
        f"Why: {rule.why}" if rule.why else "",
        f"Remedy: {rule.remedy}",
        f"Run book: {rule.sentence}",
        f"Controls: {', '.join(rule.controls)}" if rule.controls else "",
    ]
    return "\n".join(fact for fact in facts if fact)


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)
