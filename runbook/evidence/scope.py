"""What a collector is given, and what it gives back. Another kind of evidence is another module in ``collectors``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from ..errors import UserError
from ..operations.site import Site
from .manifest import Period

Statement = dict[str, Any]

#: So long CloudWatch knows what alarms did, and Systems Manager what ran.
MEMORY = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """``clients``: boto3's by name; ``inventory``: component -> what the stack wrote down of it;
    ``reports``: the folder of audit reports."""

    site: Site
    period: Period
    now: datetime
    clients: Mapping[str, Any]
    inventory: Callable[[str], Mapping[str, Any]]
    reports: Path

    def entry(self, component: str, *keys: str) -> tuple[Any, ...]:
        """What the inventory says of a component. Raises UserError where it does not."""
        found = self.inventory(component)
        lacking = [key for key in keys if key not in found]
        if lacking:
            raise UserError(
                f"the inventory of {component} does not say {', '.join(lacking)}; "
                f"`make up STACK={self.site.environment}` writes it"
            )
        return tuple(found[key] for key in keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file of evidence. ``path``: below the folder of its kind; ``source``: an ARN, a URI or a call."""

    path: str
    body: bytes
    source: str
    version_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What should be there and is not, and why. ``lasting``: no further attempt can find it."""

    what: str
    reason: str
    lasting: bool = False


class Collector(Protocol):
    """A kind of evidence. ``clients``: boto3's that it needs; ``components``: whose inventory it reads."""

    @property
    def kind(self) -> str: ...

    @property
    def clients(self) -> tuple[str, ...]: ...

    @property
    def components(self) -> tuple[str, ...]: ...

    def collect(self, scope: Scope) -> Iterator[Item | Gap]:
        """The evidence of the period, without secrets. Raises UserError where it cannot be had."""
        ...

    def permissions(self, site: Site, /) -> Iterable[Statement]:
        """What it needs beside the inventory; reads only."""
        ...


def forgotten(scope: Scope, what: str, where: str) -> Iterator[Gap]:
    """The part of the period that a service no longer knows, if there is one."""
    known = scope.now - MEMORY
    if scope.period.start < known:
        yield Gap(
            what=f"{what} before {min(known, scope.period.end):%Y-%m-%d %H:%M} UTC",
            reason=f"{where} forgets after {MEMORY.days} days; collect every four weeks at the latest",
            lasting=True,
        )


def allow(
    sid: str, actions: list[str], resources: list[str], condition: Mapping[str, Mapping[str, Any]] | None = None
) -> Statement:
    """A statement of an IAM policy."""
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": dict(condition)} if condition else {})


def owned(site: Site) -> dict[str, Any]:
    """The condition that a bucket is the account's own; the names of buckets are made when they are deployed."""
    return {"StringEquals": {"aws:ResourceAccount": site.account_id}}
