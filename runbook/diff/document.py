"""The difference as data: what ``runbook diff --format json`` prints, and what is read back before it is trusted.

The classes are its schema; their names become camelCase. Every text is fit to be shown: secrets are out, values are
cut. Nothing but the standard library is needed to read one.
"""

from __future__ import annotations

import json
import re
import types
import typing
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

#: Grows when a key goes or changes its meaning; a new key leaves it as it is.
VERSION = 1

Op = Literal["added", "removed", "replaced", "changed", "moved"]

_CAMEL = re.compile(r"_([a-z])")

T = TypeVar("T")


class DocumentError(ValueError):
    """The text is not such a document; the message says where it fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One property: ``before`` is null where it was not set, ``after`` where it no longer is.

    ``replaces``: the provider cannot change it in place.
    """

    path: str
    before: str | None
    after: str | None
    replaces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One resource. ``was``: its name and place before, where it moved; ``because``: why it is replaced, beyond its own
    properties; ``stateful``: it holds what cannot be made again; ``protected``: the engine refuses to delete it;
    ``retained``: it stays in the account when it leaves the stack."""

    op: Op
    urn: str
    type: str
    name: str
    was: str | None = None
    stateful: bool = False
    protected: bool = False
    retained: bool = False
    because: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def loses_state(self) -> bool:
        """Whether data goes when this is deployed."""
        return self.stateful and self.op in ("removed", "replaced")


@dataclass(frozen=True, slots=True, kw_only=True)
class Widening:
    """Something that is allowed now and was not. ``fresh``: by a resource that is new itself."""

    type: str
    name: str
    path: str
    sentence: str
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding of the audit. ``waiver``: who answers for it until when; ``file`` and ``line`` (from 1) where declared.

    ``was``: its standing before (``advisory`` or ``waived``), where it was known and is graver now.
    """

    rule: str
    severity: str
    mandatory: bool
    sentence: str
    resource: str | None = None
    file: str | None = None
    line: int | None = None
    waiver: str | None = None
    was: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackDiff:
    """One stack. ``fault``: why it cannot be compared, line by line; ``resources``: before and after.

    ``unjudged``: judgements that an unknown value prevents now and did not before; ``rules``: before and after.
    """

    stack: str
    refused: bool
    note: str | None = None
    fault: tuple[str, ...] = ()
    resources: tuple[int, ...] = (0, 0)
    rules: tuple[int, ...] = (0, 0)
    entries: tuple[Entry, ...] = ()
    grants: tuple[Widening, ...] = ()
    openings: tuple[Widening, ...] = ()
    new: tuple[Finding, ...] = ()
    fixed: tuple[Finding, ...] = ()
    waived: tuple[Finding, ...] = ()
    unjudged: tuple[str, ...] = ()

    def of(self, *ops: Op) -> tuple[Entry, ...]:
        """The entries of some kinds, in their order."""
        return tuple(entry for entry in self.entries if entry.op in ops)

    @property
    def losses(self) -> tuple[Entry, ...]:
        """The stateful resources that are deleted or replaced."""
        return tuple(entry for entry in self.entries if entry.loses_state)

    @property
    def same(self) -> bool:
        """Whether there is nothing to tell."""
        told = (self.note, self.fault, self.entries, self.new, self.fixed, self.unjudged)
        return not any(told) and self.rules[0] == self.rules[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """``stacks`` by name."""

    version: int
    stacks: tuple[StackDiff, ...]

    @property
    def refused(self) -> bool:
        """Whether any stack is refused or cannot be compared."""
        return any(stack.refused for stack in self.stacks)


def text(document: Document) -> str:
    """The document as printed, with sorted keys and a newline at the end."""
    return (
        json.dumps(asdict(document, dict_factory=_in_camel_case), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    )


def read(source: str) -> Document:
    """The document in ``source``, checked key by key. Raises DocumentError."""
    try:
        data = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"It is not JSON: {error}") from None
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise DocumentError(f"Its version is not {VERSION}; it was written by another release of runbook.")
    document = cast("Document", _read(Document, data, "document"))
    for stack in document.stacks:
        if len(stack.resources) != 2 or len(stack.rules) != 2:
            raise DocumentError(f"Of stack {stack.stack[:100]!r}, resources and rules are not two numbers each.")
    return document


def _in_camel_case(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {_camel(key): value for key, value in items}


def _camel(name: str) -> str:
    return _CAMEL.sub(lambda found: found[1].upper(), name)


def _read(wanted: Any, value: Any, path: str) -> Any:
    """``value`` as the type ``wanted``: a dataclass, a tuple of one type, a union with None, a literal or a scalar."""
    origin = get_origin(wanted)
    if is_dataclass(wanted) and isinstance(wanted, type) and isinstance(value, dict):
        hints = typing.get_type_hints(wanted)
        known = {_camel(field.name): field.name for field in fields(wanted)}
        if odd := sorted(value.keys() ^ known.keys()):
            raise DocumentError(f"{path} lacks or has no use for {odd[0][:100]!r}.")
        return wanted(**{name: _read(hints[name], value[key], f"{path}.{key}") for key, name in known.items()})
    if origin is tuple and isinstance(value, list):
        return tuple(_read(get_args(wanted)[0], item, f"{path}[{at}]") for at, item in enumerate(value))
    if origin in (typing.Union, types.UnionType):
        inner = next(each for each in get_args(wanted) if each is not type(None))
        return None if value is None else _read(inner, value, path)
    if origin is Literal and value in get_args(wanted):
        return value
    if isinstance(wanted, type) and type(value) is wanted:
        return value
    raise DocumentError(f"{path} is not a {getattr(wanted, '__name__', wanted)}.")
