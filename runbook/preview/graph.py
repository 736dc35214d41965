"""The captured graph: what the program registers, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

#: What the engine writes for a value that is not known before the deployment.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

#: What stands in place of every secret, from capture on.
SECRET = "[secret]"  # noqa: S105 - the placeholder, not a secret

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """Where a resource is declared: a file below the project folder (or an absolute one) and a 1-based line."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One registration, with the fields and names of the engine's own state.

    ``inputs`` and ``outputs`` use the wire's camelCase; unknown values are ``UNKNOWN``, secrets ``SECRET``.
    ``outputs`` of a custom resource hold its inputs as well, as the engine's do.
    ``options`` holds the remaining options that were given, by their wire name (``ignoreChanges``, ``aliases``,
    ``customTimeouts``, ``deleteBeforeReplace``, ``retainOnDelete``, …).
    ``source`` is the line that builds the resource, as the engine records it; ``trace`` the calls in the project's own
    files that led there, innermost first.
    """

    urn: str
    type: str
    name: str
    custom: bool
    id: str | None
    parent: str | None
    provider: str | None
    protect: bool
    dependencies: tuple[str, ...]
    property_dependencies: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    source: SourcePosition | None
    trace: tuple[SourcePosition, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def declared_at(self) -> SourcePosition | None:
        """The line a reader should go to: the innermost call outside the shared parts (``_name.py``)."""
        return next((at for at in self.trace if not at.file.rpartition("/")[2].startswith("_")), self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """A message of the program or of the preview: ``severity`` is info, warning or error."""

    severity: str
    message: str
    urn: str | None = None


@dataclass(frozen=True)
class Graph:
    """A stack's resources in an order in which everything comes after what it depends on."""

    project: str
    stack: str
    config: Mapping[str, str]
    resources: tuple[Resource, ...]
    exports: Mapping[str, Any]
    diagnostics: tuple[Diagnostic, ...]
    fidelity: Fidelity
    seconds: float = field(compare=False)

    @cached_property
    def by_urn(self) -> Mapping[str, Resource]:
        return {resource.urn: resource for resource in self.resources}

    def of(self, *types: str) -> tuple[Resource, ...]:
        """The resources of the given types."""
        return tuple(resource for resource in self.resources if resource.type in types)

    def one(self, type_: str, name: str | None = None) -> Resource:
        """The only resource of ``type_`` (and ``name``); KeyError when there is none or more than one."""
        found = [r for r in self.of(type_) if name is None or r.name == name]
        if len(found) != 1:
            names = ", ".join(r.name for r in found) or "none"
            raise KeyError(f"One {type_}{f' named {name}' if name else ''} is expected; there is {names}.")
        return found[0]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How much of the graph is known: ``known`` of ``total`` property values, and the paths of those that are not.

    A path is ``<urn>#<property>``.
    """

    known: int
    total: int
    unknown: tuple[str, ...]

    @property
    def percent(self) -> float:
        return 100.0 * self.known / self.total if self.total else 100.0


def holds_unknown(value: Any) -> bool:
    """Whether ``value`` is unknown or has an unknown anywhere inside."""
    if isinstance(value, str):
        return UNKNOWN in value
    if isinstance(value, dict):
        return any(map(holds_unknown, value.values()))
    return isinstance(value, list) and any(map(holds_unknown, value))
