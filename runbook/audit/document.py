"""An audit as a document: what ``runbook audit --json`` prints.

The classes are its schema; their names become camelCase. Nothing in it depends on the clock: the same program and
settings give the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from policies.rulebook.waivers import Waiver

from ..preview.graph import Graph
from .evaluate import Audit, Finding

#: Grows when a key goes or changes its meaning; a new key leaves it as it is.
VERSION = 1

_CAMEL = re.compile(r"_([a-z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverEntry:
    """Who answers for a finding, and until which day (``YYYY-MM-DD``)."""

    owner: str
    ticket: str
    reason: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingEntry:
    """``urn``, ``resource`` and ``type`` are null where the finding is about the stack; ``file`` is relative to the
    project, ``line`` counts from 1."""

    rule: str
    severity: str
    mandatory: bool
    sentence: str
    urn: str | None
    resource: str | None
    type: str | None
    file: str | None
    line: int | None
    title: str
    why: str
    remedy: str
    source: str
    controls: tuple[str, ...]
    waiver: WaiverEntry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotEvaluatedEntry:
    """A judgement that an unknown value prevented; ``urn`` is null where the rule looks at the whole stack."""

    rule: str
    urn: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FidelityEntry:
    """``known`` of ``total`` property values; ``unknown``: ``<urn>#<property>`` of the others."""

    known: int
    total: int
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEntry:
    """``verdict`` is ``clean`` or ``refused``; ``idle``: the rules that found nothing to judge; ``not_applicable``:
    these and those that are switched off, each with the reason.
    """

    stack: str
    environment: str
    verdict: str
    resources: int
    rules: int
    judgements: int
    idle: tuple[str, ...]
    not_applicable: Mapping[str, str]
    findings: tuple[FindingEntry, ...]
    not_evaluated: tuple[NotEvaluatedEntry, ...]
    fidelity: FidelityEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """``stacks`` in the order in which they were asked for; ``refused``: whether any of them is."""

    version: int
    refused: bool
    stacks: tuple[StackEntry, ...]


def text(audited: Iterable[tuple[Graph, Audit]]) -> str:
    """The document as printed, with sorted keys and a newline at the end."""
    return printed(data(audited))


def data(audited: Iterable[tuple[Graph, Audit]]) -> dict[str, Any]:
    """The document as data; a report adds keys of its own."""
    stacks = tuple(_stack(graph, audit) for graph, audit in audited)
    document = Document(version=VERSION, refused=any(entry.verdict == "refused" for entry in stacks), stacks=stacks)
    return asdict(document, dict_factory=_in_camel_case)


def printed(data: Any) -> str:
    """JSON as every document here is printed."""
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def _in_camel_case(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {_CAMEL.sub(lambda found: found[1].upper(), key): value for key, value in items}


def _stack(graph: Graph, audit: Audit) -> StackEntry:
    return StackEntry(
        stack=audit.stack,
        environment=audit.environment,
        verdict="refused" if audit.refused else "clean",
        resources=len(graph.resources),
        rules=audit.rules,
        judgements=audit.judgements,
        idle=audit.idle,
        not_applicable={judged.rule.id: judged.why_not for judged in audit.not_applicable},
        findings=tuple(map(_finding, audit.findings)),
        not_evaluated=tuple(
            NotEvaluatedEntry(rule=missed.rule.id, urn=missed.urn, reason=missed.reason)
            for missed in audit.not_evaluated
        ),
        fidelity=FidelityEntry(known=graph.fidelity.known, total=graph.fidelity.total, unknown=graph.fidelity.unknown),
    )


def _finding(finding: Finding) -> FindingEntry:
    rule, resource = finding.rule, finding.resource
    declared = resource.declared_at if resource else None
    return FindingEntry(
        rule=rule.id,
        severity=rule.severity.value,
        mandatory=finding.mandatory,
        sentence=finding.sentence,
        urn=resource.urn if resource else None,
        resource=resource.name if resource else None,
        type=resource.type if resource else None,
        file=declared.file if declared else None,
        line=declared.line if declared else None,
        title=rule.title,
        why=rule.why,
        remedy=rule.remedy,
        source=rule.sentence,
        controls=rule.controls,
        waiver=_waiver(finding.waiver) if finding.waiver else None,
    )


def _waiver(waiver: Waiver) -> WaiverEntry:
    return WaiverEntry(
        owner=waiver.owner, ticket=waiver.ticket, reason=waiver.reason, expires=waiver.expires.isoformat()
    )
