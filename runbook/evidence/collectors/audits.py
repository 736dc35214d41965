"""Reports of ``runbook audit``, from a folder and from the evidence bucket (``002_… §9 Regular compliance checks``)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...errors import UserError
from ...operations.site import Site
from ..manifest import Audited
from ..scope import Gap, Item, Scope, Statement
from .records import objects, read

KIND = "audits"

#: Where bundles are kept; they are no audits.
BUNDLES = f"{KIND}/bundles/"


@dataclass(frozen=True, slots=True)
class Audits:
    """The JSON reports of the period that judge the stack.

    A report says itself when it was made; one in the bucket also has the time at which S3 got it, which counts there.
    """

    kind: str = KIND
    clients: tuple[str, ...] = ("s3",)
    components: tuple[str, ...] = ("archive",)

    def collect(self, scope: Scope) -> Iterator[Item | Gap]:
        """A report quotes rules and names, and no value of a property."""
        yield from _local(scope)
        yield from objects(scope, f"{KIND}/", below="bucket/", but=BUNDLES)

    def permissions(self, site: Site, /) -> Iterable[Statement]:
        """To read those in the bucket."""
        yield read(site, "ReadAudits", KIND)


def _local(scope: Scope) -> Iterator[Item | Gap]:
    for path in sorted(scope.reports.glob("*.json")):
        source = path.resolve().as_uri()
        try:
            body = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}.") from error
        document = _document(body)
        if document is None or scope.site.environment not in _stacks(document):
            continue
        made = _time(document)
        if made is None:
            reason = "it does not say when it was made; `runbook audit --report json` writes one that does"
            yield Gap(what=source, reason=reason)
        elif made in scope.period:
            yield Item(path=f"folder/{path.name}", body=body, source=source)


def audited(path: str, body: bytes, environment: str) -> Audited | None:
    """What the report at ``path`` judged of the stack; None where it is no report, or of other stacks."""
    document = _document(body)
    if document is None or environment not in _stacks(document):
        return None
    header = _header(document)
    stacks = header.get("stacks")
    hashes = stacks.get(environment) if isinstance(stacks, Mapping) else None
    hashes = hashes if isinstance(hashes, Mapping) else {}
    try:
        return Audited(
            path=path,
            commit=header.get("commit"),
            settings_sha256=hashes.get("settingsSha256"),
            graph_sha256=hashes.get("graphSha256"),
        )
    except ValueError:
        return None


def _document(body: bytes) -> Mapping[str, Any] | None:
    """The report; None for any other file."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    is_report = isinstance(found, dict) and {"version", "refused", "stacks"} <= found.keys()
    return found if is_report else None


def _stacks(document: Mapping[str, Any]) -> set[Any]:
    stacks = document["stacks"]
    entries = stacks if isinstance(stacks, list) else []
    return {entry.get("stack") for entry in entries if isinstance(entry, dict) and isinstance(entry.get("stack"), str)}


def _header(document: Mapping[str, Any]) -> Mapping[str, Any]:
    header = document.get("header")
    return header if isinstance(header, Mapping) else {}


def _time(document: Mapping[str, Any]) -> datetime | None:
    try:
        found = datetime.fromisoformat(_header(document)["time"])
    except (KeyError, TypeError, ValueError):
        return None
    return found if found.tzinfo else None
