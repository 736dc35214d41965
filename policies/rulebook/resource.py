"""A resource and a stack as the rules see them, whoever evaluates: the Pulumi CLI or the offline audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from ipaddress import IPv4Network
from types import NoneType
from typing import Any, TypeGuard, TypeVar

from pulumi_policy.proxy import UnknownValueError

from .waivers import Waivers

T = TypeVar("T")

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
            if isinstance(step, str) and is_mapping(here):
                here = here.get(step)
            elif isinstance(step, int) and is_list(here):
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
        return value if is_mapping(value) else {}


#: What is neither a list nor a mapping. Asked first: the abstract classes take ten times as long to say no.
_SCALARS = (str, int, float, bytes, NoneType)


def is_list(value: Any) -> bool:
    """True for lists as the CLI and the audit hand them over (proxies are not ``list``)."""
    return isinstance(value, list) or (not isinstance(value, (*_SCALARS, dict)) and isinstance(value, Sequence))


def is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """True for mappings as the CLI and the audit hand them over (proxies are not ``dict``)."""
    return isinstance(value, dict) or (not isinstance(value, (*_SCALARS, list)) and isinstance(value, Mapping))


def is_true(value: Any) -> bool:
    """True for true as any caller writes it: some properties of launch templates carry booleans as text."""
    return value is True or value == "true"


def whole(value: Any) -> int | None:
    """An integer property, which the CLI hands over as a float and a program may write as text; None where unset.

    Raises ValueError for anything that is no whole number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or float(value) != int(float(value)):
        raise ValueError(f"A whole number is expected; there is a {type(value).__name__}.")
    return int(float(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Facts of the stack that a rule compares with; all from its settings.

    ``reserved_cidrs``: label -> range that the stack's VPC must not touch (other stacks, the recovery region);
    ``staging_install_window``: weekly, in which staging installs patches, None where it is not known;
    ``waivers``: those of all environments; ``today``: the day on which they hold or not.
    """

    environment: str = "prod"
    admin_cidrs: tuple[IPv4Network, ...] = ()
    regions: tuple[str, ...] = ()
    reserved_cidrs: Mapping[str, IPv4Network] = field(default_factory=dict)
    staging_install_window: str | None = None
    waivers: Waivers = field(default_factory=Waivers)
    today: date = field(default=date.min, compare=False)


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

    def with_id(self, value: Any, *types: str) -> tuple[Resource, ...]:
        """The resources of ``types`` whose own id, ARN or name is ``value``."""
        hits = self._by_id.get(value, ()) if isinstance(value, str) else ()
        return tuple(hit for hit in hits if not types or hit.type in types)

    def referenced(self, resource: Resource, prop: str, *types: str) -> tuple[Resource, ...]:
        """The resources of ``types`` that ``resource.prop`` points to, without repeats.

        A known id, ARN or name says exactly which. Where one is unknown, as ids are in a real preview, or is part of
        a longer text, the property's dependencies say it. Raises UnknownValueError where nothing says what an unknown
        one will be made of.
        """
        values, unknown = _texts(resource, prop)
        found = {hit.urn: hit for value in values for hit in self.with_id(value, *types)}
        if not found or unknown:
            made_of = resource.property_dependencies.get(prop, ())
            if unknown and not made_of:
                raise unknown
            for urn in made_of:
                hit = self.by_urn.get(urn)
                if hit is not None and (not types or hit.type in types):
                    found[urn] = hit
        return tuple(found.values())

    def strangers(self, resource: Resource, prop: str, *types: str) -> tuple[str, ...]:
        """The known ids, ARNs and names in a property that belong to no resource of ``types`` in this stack.

        Raises UnknownValueError where one is unknown and nothing of ``types`` is what it will be made of.
        """
        values, unknown = _texts(resource, prop)
        if unknown and not self.referenced(resource, prop, *types):
            raise unknown
        unmatched = tuple(value for value in values if value and not self.with_id(value, *types))
        # Where all are known and none matches, the dependencies tell what these texts are made of.
        if not unknown and len(unmatched) == len(values) and self.referenced(resource, prop, *types):
            return ()
        return unmatched

    def referring(self, target: Resource, prop: str, *types: str) -> tuple[Resource, ...]:
        """The resources of ``types`` whose ``prop`` points to ``target``."""
        return tuple(
            resource for token in types for resource in self._backwards(token, prop, target.type).get(target.urn, ())
        )

    def shared(self, build: Callable[[Stack], T]) -> T:
        """``build(self)``, made once: what several stack rules look things up in."""
        if build not in self._built:
            self._built[build] = build(self)
        found: T = self._built[build]
        return found

    @cached_property
    def _built(self) -> dict[Callable[[Stack], Any], Any]:
        return {}

    @cached_property
    def _indexes(self) -> dict[tuple[str, str, str], Mapping[str, Sequence[Resource]]]:
        return {}

    def _backwards(self, token: str, prop: str, target: str) -> Mapping[str, Sequence[Resource]]:
        """URN of a resource of type ``target`` -> the resources of type ``token`` whose ``prop`` points to it."""
        key = (token, prop, target)
        if key not in self._indexes:
            found: dict[str, list[Resource]] = {}
            for resource in self.of(token):
                for hit in self.referenced(resource, prop, target):
                    found.setdefault(hit.urn, []).append(resource)
            self._indexes[key] = found
        return self._indexes[key]


def _known(props: Mapping[str, Any], key: str) -> Any:
    """``props[key]`` or None where it is missing or unknown: only for building look-ups, never for judging."""
    try:
        return props.get(key)
    except UnknownValueError:
        return None


def _texts(resource: Resource, prop: str) -> tuple[list[str], UnknownValueError | None]:
    """The known texts in a property, and the error of the first that is unknown."""
    texts: list[str] = []
    unknown: UnknownValueError | None = None
    steps: list[tuple[Any, Any]] = [(resource.props, prop)]
    while steps:
        holder, key = steps.pop()
        try:
            value = holder[key]
        except KeyError:
            continue
        except UnknownValueError as error:
            unknown = unknown or error
            continue
        if isinstance(value, str):
            texts.append(value)
        elif is_mapping(value):
            steps.extend((value, inner) for inner in value)
        elif is_list(value):
            steps.extend((value, index) for index in reversed(range(len(value))))
    return texts, unknown
