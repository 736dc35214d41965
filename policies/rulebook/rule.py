"""What a rule is: frozen data and a pure check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pulumi_policy.proxy import UnknownValueError

from .resource import Context, Resource, Stack

T = TypeVar("T")
F = TypeVar("F")


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

    def judge(self, resource: Resource, context: Context) -> Iterator[str]:
        """``check`` at the pace of its reader: an error in it, too, comes out of the loop that reads the sentences."""
        yield from self.check(resource, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRule(Rule):
    """Judges resources together, by their inputs and outputs; ``check`` yields one fault each."""

    check: Callable[[Stack], Iterable[Fault]]

    def judge(self, stack: Stack) -> Iterator[Fault]:
        """``check`` at the pace of its reader: an error in it, too, comes out of the loop that reads the faults."""
        yield from self.check(stack)


class NotEvaluatedError(UnknownValueError):
    """Some of the resources that a stack rule judges could not be judged; ``urns`` names them.

    The engine and the audit treat it as the ``UnknownValueError`` it is.
    """

    def __init__(self, first: UnknownValueError, unjudged: tuple[Resource, ...]) -> None:
        super().__init__(first.unknown_type_sentinel, [unjudged[0].name, *first.props])
        self.urns = tuple(resource.urn for resource in unjudged)
        if len(unjudged) > 1:
            self.message += f" (nor can {', '.join(resource.name for resource in unjudged[1:])} be judged)"


def each(resources: Iterable[Resource], judge: Callable[[Resource], Iterable[Fault]]) -> Iterator[Fault]:
    """The faults of every resource that can be judged; then raises ``NotEvaluatedError`` where one could not.

    For stack rules: one unknown value must not hide what is wrong elsewhere, nor pass as right.
    """
    unjudged: list[Resource] = []

    def noting(resource: Resource) -> Iterator[Fault]:
        try:
            yield from judge(resource)
        except UnknownValueError:
            unjudged.append(resource)
            raise

    try:
        yield from through(resources, noting)
    except UnknownValueError as first:
        if not unjudged:  # which resources there are to judge is not known
            raise
        raise NotEvaluatedError(first, tuple(unjudged)) from first


def through(items: Iterable[T], judge: Callable[[T], Iterable[F]]) -> Iterator[F]:
    """What ``judge`` says of every item; then raises the first ``UnknownValueError`` that kept it from saying more."""
    first: UnknownValueError | None = None
    for item in items:
        try:
            yield from judge(item)
        except UnknownValueError as unknown:
            first = first or unknown
    if first is not None:
        raise first
