"""A resource and a stack as the rules see them, whoever evaluates: the Pulumi CLI or the offline audit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network
from typing import Any

#: What a property's value is when it cannot be known before the deployment (``pulumi_policy`` reads the same text).
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

#: What stands in place of a secret. A rule may ask whether a secret is there, never what it is.
SECRET = "[secret]"  # noqa: S105 - the placeholder, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One registered resource.

    ``props`` are the inputs where a resource rule reads them and inputs plus outputs where a stack rule does.
    Reading an unknown value raises ``pulumi_policy.proxy.UnknownValueError``: the rule is then "not evaluated"
    for this resource, which is never a pass.
    ``property_dependencies``: property -> URNs of the resources its value was made from.
    """

    urn: str
    type: str
    name: str
    props: Mapping[str, Any]
    parent: str | None = None
    protect: bool = False
    retain_on_delete: bool = False
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def section(self, *path: str | int) -> Any:
        """The value at ``path`` or None where any step is missing: ``section("metadataOptions", "httpTokens")``."""
        here: Any = self.props
        for step in path:
            if isinstance(here, Mapping) and isinstance(step, str):
                here = here.get(step)
            elif is_list(here) and isinstance(step, int):
                here = here[step] if step < len(here) else None
            else:
                return None
        return here

    def items(self, *path: str | int) -> Sequence[Any]:
        """The list at ``path``; a single value counts as a list of one, a missing one as empty."""
        value = self.section(*path)
        if value is None:
            return ()
        return value if is_list(value) else (value,)

    @property
    def tags(self) -> Mapping[str, Any]:
        value = self.props.get("tags")
        return value if isinstance(value, Mapping) else {}


def is_list(value: Any) -> bool:
    """True for lists as the CLI and the audit hand them over (proxies are not ``list``)."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Facts of the stack that a rule compares with; all from its settings.

    ``reserved_cidrs``: label -> range that the stack's VPC must not touch (other stacks, the recovery region).
    """

    environment: str = "prod"
    admin_cidrs: tuple[IPv4Network, ...] = ()
    regions: tuple[str, ...] = ()
    reserved_cidrs: Mapping[str, IPv4Network] = field(default_factory=dict)


@dataclass(frozen=True)
class Stack:
    """All resources of a stack, with look-ups that are built once and shared by the stack rules."""

    resources: tuple[Resource, ...]
    context: Context

    @cached_property
    def by_urn(self) -> Mapping[str, Resource]:
        return {resource.urn: resource for resource in self.resources}

    @cached_property
    def _by_type(self) -> Mapping[str, tuple[Resource, ...]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources:
            found.setdefault(resource.type, []).append(resource)
        return {token: tuple(resources) for token, resources in found.items()}

    @cached_property
    def _by_id(self) -> Mapping[str, tuple[Resource, ...]]:
        """Known ids, ARNs and names -> resources, for values written as literals."""
        found: dict[str, list[Resource]] = {}
        for resource in self.resources:
            for key in ("id", "arn", "name", "bucket"):
                value = _known(resource.props, key)
                if isinstance(value, str) and value:
                    found.setdefault(value, []).append(resource)
        return {value: tuple(resources) for value, resources in found.items()}

    def of(self, *types: str) -> Iterator[Resource]:
        """The resources of the given types, in order of registration within each type."""
        for token in types:
            yield from self._by_type.get(token, ())

    def referenced(self, resource: Resource, prop: str, *types: str) -> tuple[Resource, ...]:
        """The resources of ``types`` that ``resource.prop`` points to.

        Dependencies come first, because ids are unknown in a real preview; a literal id, ARN or name that equals a
        resource's own counts too.
        """
        found = [self.by_urn[urn] for urn in resource.property_dependencies.get(prop, ()) if urn in self.by_urn]
        if not found:
            value = _known(resource.props, prop)
            values: Iterable[Any] = value if is_list(value) else (value,)
            found = [hit for item in values if isinstance(item, str) for hit in self._by_id.get(item, ())]
        return tuple(hit for hit in found if not types or hit.type in types)

    def referring(self, target: Resource, prop: str, *types: str) -> tuple[Resource, ...]:
        """The resources of ``types`` whose ``prop`` points to ``target``."""
        return tuple(
            resource
            for resource in self.of(*types)
            if any(hit.urn == target.urn for hit in self.referenced(resource, prop, target.type))
        )


def _known(props: Mapping[str, Any], key: str) -> Any:
    """``props[key]`` or None where it is missing or unknown: only for building look-ups, never for judging."""
    from pulumi_policy.proxy import UnknownValueError

    try:
        return props.get(key)
    except UnknownValueError:
        return None
