"""What a rule is: frozen data and a pure check."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from .resource import Context, Resource, Stack


class Severity(StrEnum):
    """How bad a breach is; the order is that of the members."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Level(StrEnum):
    """Where a breach stops a deployment."""

    MANDATORY = "mandatory"
    MANDATORY_IN_PROD = "mandatory in prod"
    ADVISORY = "advisory"

    def is_mandatory(self, environment: str) -> bool:
        """Whether a finding in ``environment`` refuses the deployment."""
        return self is Level.MANDATORY or (self is Level.MANDATORY_IN_PROD and environment == "prod")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a stack rule found: the sentence, and the resource it is about (None: the whole stack)."""

    sentence: str
    urn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The part that reports need.

    ``sentence``: run book and quotation; ``title``: the rule as a fact that holds; ``why``: what happens otherwise;
    ``controls``: ids of CIS, FSBP and NIST; ``remedy``: what to write in the program or the settings;
    ``types``: the resource types it judges or looks at.
    """

    id: str
    sentence: str
    title: str
    why: str
    severity: Severity
    level: Level
    controls: tuple[str, ...]
    remedy: str
    types: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRule(Rule):
    """Judges one resource by its inputs; ``check`` yields one sentence per fault."""

    check: Callable[[Resource, Context], Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRule(Rule):
    """Judges resources together, by their inputs and outputs; ``check`` yields one fault each."""

    check: Callable[[Stack], Iterable[Fault]]
