"""Whether every kind of resource has a rule: what no rule looks at passes every audit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from .resource import Context, Resource
from .rule import Level, ResourceRule, Rule, Severity

#: Kinds that no rule need look at, and why.
UNJUDGED: Mapping[str, str] = {
    "aws:appconfig/application:Application": "It groups profiles, which are judged, and holds nothing itself.",
    "aws:cloudwatch/queryDefinition:QueryDefinition": "It is a text that a person runs with the person's own rights.",
    "aws:iam/serviceLinkedRole:ServiceLinkedRole": "AWS fixes who takes it and what it may do.",
    "aws:kms/alias:Alias": "It is a name for people; rules follow keys.",
}


def judged(rules: Sequence[Rule]) -> ResourceRule:
    """The rule that each kind is spoken of by one of ``rules`` that speaks of some kinds and not of all."""
    known = frozenset().union(*(rule.types for rule in rules)) | set(UNJUDGED)
    return ResourceRule(
        id="gov-kinds-judged",
        sentence="002_3d1abe7e242e6afd.txt §10: Change request process",
        title="Every kind of resource is judged by some rule of its own.",
        why="A resource that no rule knows passes every audit, however open it is.",
        severity=Severity.MEDIUM,
        level=Level.MANDATORY_IN_PROD,
        controls=("NIST CM-3", "NIST RA-3"),
        remedy="Write a rule for the kind, or say in policies/rulebook/kinds.py why none is needed.",
        types=frozenset(),
        check=partial(_known, known),
    )


def _known(known: Collection[str], resource: Resource, _: Context) -> Iterator[str]:
    package = resource.type.partition(":")[0]
    # The program's own components are judged by what is in them.
    if package not in ("pulumi", _project(resource)) and resource.type not in known:
        yield f"No rule judges resources of type {resource.type}: what is wrong with one stays unseen."


def _project(resource: Resource) -> str:
    """Of ``urn:pulumi:<stack>::<project>::<types>::<name>``."""
    parts = resource.urn.split("::")
    return parts[1] if len(parts) > 1 else ""
