"""Waivers: a finding that somebody answers for, for a while. ``policies/waivers.yaml`` holds them for every caller.

A waiver names one rule, one resource or a small family of them, one environment, a reason, an owner, a ticket and the
day it expires, 90 days away at most. What it covers is still told, as waived. One that is expired, unused, malformed
or too broad covers nothing or no longer, and is a finding of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

import yaml

from .values import listed

FILE = "waivers.yaml"

#: A risk that lasts longer is a decision, and belongs into the settings or the rules.
LONGEST = timedelta(days=90)

#: The resource of a finding that is about the stack as a whole.
STACK = "stack"

KEYS = ("rule", "resource", "environment", "reason", "owner", "ticket", "expires")
ENVIRONMENTS = ("dev", "staging", "prod")

_TICKET = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[0-9]+|#[0-9]+|https://\S+")


class Named(Protocol):
    """A resource, as far as a waiver looks at it."""

    @property
    def type(self) -> str: ...

    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """``resource``: ``type::name``, with ``*`` in the name for a family, or ``stack``; ``line``: where it begins."""

    rule: str
    resource: str
    environment: str
    reason: str
    owner: str
    ticket: str
    expires: date
    line: int

    def holds(self, today: date) -> bool:
        """Whether it covers anything on that day, the last one included."""
        return today <= self.expires <= today + LONGEST

    def meets(self, resource: Named | None) -> bool:
        """Whether it is about ``resource``; None is the stack as a whole."""
        here = STACK if resource is None else f"{resource.type}::{resource.name}"
        return fnmatchcase(here, self.resource)


@dataclass(frozen=True, slots=True)
class Waivers:
    """What the file holds: the waivers that can be read, and a sentence for everything else in it."""

    waivers: tuple[Waiver, ...] = ()
    malformed: tuple[str, ...] = ()

    def of(self, environment: str) -> Iterator[Waiver]:
        """The waivers for one environment, whether they hold or not."""
        return (waiver for waiver in self.waivers if waiver.environment == environment)

    def covering(self, rule: str, resource: Named | None, environment: str, today: date) -> Waiver | None:
        """The waiver that covers a finding of ``rule`` about ``resource`` (None: the stack), if there is one."""
        for waiver in self.of(environment):
            if waiver.rule == rule and waiver.holds(today) and not is_broad(waiver) and waiver.meets(resource):
                return waiver
        return None


def read(path: Path) -> Waivers:
    """The waivers in ``path``; a missing file holds none. Nothing in it raises: what is wrong becomes a finding."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Waivers()
    except (OSError, UnicodeDecodeError):
        return Waivers(malformed=(f"{path.name} cannot be read, so no waiver holds.",))
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        entries = yaml.safe_load(text)
    except yaml.YAMLError:
        return Waivers(malformed=(f"{path.name} is not YAML, so no waiver holds.",))
    if entries is None:
        return Waivers()
    if not isinstance(entries, list) or not isinstance(root, yaml.SequenceNode):
        return Waivers(malformed=(f"{path.name} is no list of waivers, so none holds.",))
    waivers: list[Waiver] = []
    malformed: list[str] = []
    for node, entry in zip(root.value, entries, strict=True):
        line = node.start_mark.line + 1
        if faults := tuple(_wrong(entry)):
            malformed.append(f"{path.name}:{line}: the waiver {listed(faults)}, so it covers nothing.")
        else:
            waivers.append(Waiver(**{key: _plain(entry[key]) for key in KEYS}, line=line))
    return Waivers(tuple(waivers), tuple(malformed))


def _plain(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _wrong(entry: Any) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield "is no group of keys"
        return
    if missing := [key for key in KEYS if entry.get(key) in (None, "")]:
        yield f"has no {listed(missing)}"
    if unknown := sorted(str(key) for key in entry if key not in KEYS):
        yield f"has the unknown {'key' if len(unknown) == 1 else 'keys'} {listed(unknown)}"
    for key in KEYS[:-1]:
        if entry.get(key) not in (None, "") and not isinstance(entry[key], str):
            yield f"has a {key} that is no text"
    if entry.get("expires") is not None and type(entry["expires"]) is not date:
        yield "has an expiry that is no day of the form 2027-01-31"
    if isinstance(entry.get("environment"), str) and entry["environment"] not in ENVIRONMENTS:
        yield f"names an environment that is none of {', '.join(ENVIRONMENTS)}"
    if isinstance(entry.get("ticket"), str) and entry["ticket"] and not _TICKET.fullmatch(entry["ticket"]):
        yield "has a ticket that is none, such as OPS-123"
    if isinstance(entry.get("reason"), str) and 0 < len(entry["reason"].split()) < 3:
        yield "gives no reason in a sentence"


def is_broad(waiver: Waiver) -> bool:
    """Whether the pattern spares a class of faults: a wildcard in the type, or fewer than four letters in the name."""
    if waiver.resource == STACK:
        return False
    token, _, name = waiver.resource.partition("::")
    return any(sign in token for sign in "*?[") or len(re.sub(r"[*?]|\[.*?\]", "", name)) < min(4, len(name) or 4)
