"""What a bundle says of itself: every file with its hash and where it is from, in a chain, under a seal.

Three things hold it together. Each file's entry holds the hash of the entry before it, the first one that of the
bundle's id: no file changes, comes, goes or moves alone. The seal is the hash of all the rest of the manifest. And the
next bundle holds the hash of this one's manifest: a bundle that was written anew from end to end no longer fits.

Hashes are SHA-256 in hex, of bytes as they are or of canonical JSON: sorted keys, no spaces, UTF-8. Keys are ASCII and
numbers whole, so that it is what RFC 8785 makes of the same data.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

#: The name of the manifest in a bundle. It is written last: without it a bundle is not whole.
NAME = "manifest.json"

#: What a file in a bundle may be called: nothing that leaves the bundle, or that some system cannot hold.
SAFE_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@=+-]{0,199}(/[A-Za-z0-9_][A-Za-z0-9_.@=+-]{0,199}){1,9}")

_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Moment = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")]
_Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
_BundleId = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,80}$")]


class ManifestError(Exception):
    """Why a manifest cannot be read, as a sentence."""


@dataclass(frozen=True, slots=True)
class Period:
    """The days ``first`` to ``last``, both included, UTC."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        """The moment after its last."""
        return datetime.combine(self.last + timedelta(days=1), time(), UTC)

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end


def bundle_id(environment: str, period: Period, number: int = 1) -> str:
    """``staging-2026-11-01-to-2026-11-07``, the second of that period with ``-2``."""
    name = f"{environment}-{period.first}-to-{period.last}"
    return name if number == 1 else f"{name}-{number}"


class Part(BaseModel):
    """A part of a manifest; keys are camelCase where it is written."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        strict=True,
        validate_by_alias=True,
        validate_by_name=True,
    )

    def data(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)


class Collected(Part):
    """A file as a collector left it. ``source``: an ARN, a URI or a call; ``version_id``: of the object in S3."""

    path: str
    kind: str
    sha256: _Hash
    size: Annotated[int, Field(ge=0)]
    source: str
    version_id: str | None
    collected_at: _Moment


class Entry(Collected):
    """The same in the chain. ``previous``: the hash of the entry before it."""

    previous: _Hash

    @property
    def link(self) -> str:
        """What the next entry holds."""
        return hashed(canonical(self.data()))


class Missing(Part):
    """What should be in the bundle and is not. ``lasting``: no further attempt can find it."""

    kind: str
    what: str
    reason: str
    lasting: bool = False


class Audited(Part):
    """What an offline audit judged (hashes of the stack's file and of its graph), and from which commit."""

    path: str
    commit: str | None
    settings_sha256: str | None
    graph_sha256: str | None


class Days(Part):
    """Both days are included, UTC."""

    first: _Day
    last: _Day


class Previous(Part):
    """The bundle before this one, and the hash of its manifest."""

    bundle: _BundleId
    sha256: _Hash


class Manifest(Part):
    """``kinds``: what was looked for, also where nothing was found; ``head``: the link of the last file;
    ``seal``: the hash of everything else here."""

    #: Grows when a key goes or changes its meaning.
    version: Literal[1]
    id: _BundleId
    project: str
    environment: str
    account: str
    region: str
    period: Days
    collected_at: _Moment
    who: str
    tools: dict[str, str]
    kinds: tuple[str, ...]
    audited: tuple[Audited, ...]
    missing: tuple[Missing, ...]
    previous: Previous | None
    files: tuple[Entry, ...]
    head: _Hash
    seal: _Hash

    @property
    def bytes(self) -> bytes:
        """As it is written."""
        return canonical(self.data())

    @property
    def sha256(self) -> str:
        """What the next bundle holds, and what is worth writing down elsewhere."""
        return hashed(self.bytes)

    @property
    def right_seal(self) -> str:
        """The seal that fits the rest."""
        return _seal(self.data())


def canonical(data: Any) -> bytes:
    """The same bytes for the same data."""
    return json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def hashed(body: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(body).hexdigest()


def moment(at: datetime) -> str:
    """``2026-11-21T09:00:00Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def chained(bundle: str, files: Iterable[Collected]) -> tuple[Entry, ...]:
    """The files in their order, each linked to the one before."""
    entries: list[Entry] = []
    link = begins(bundle)
    for file in files:
        entries.append(Entry(**file.model_dump(), previous=link))
        link = entries[-1].link
    return tuple(entries)


def begins(bundle: str) -> str:
    """What the first entry of ``bundle`` holds."""
    return hashed(bundle.encode())


def sealed(files: Iterable[Collected], **rest: Any) -> Manifest:
    """The manifest of ``files``; ``rest``: the other fields but ``version``, ``head`` and ``seal``."""
    entries = chained(rest["id"], files)
    head = entries[-1].link if entries else begins(rest["id"])
    draft = Manifest(version=1, files=entries, head=head, seal="0" * 64, **rest)
    return draft.model_copy(update={"seal": draft.right_seal})


def _seal(data: Mapping[str, Any]) -> str:
    return hashed(canonical({key: value for key, value in data.items() if key != "seal"}))


def read(body: bytes) -> Manifest:
    """Raises ManifestError where it is none, or of a later version."""
    try:
        return Manifest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ManifestError(f"{NAME} cannot be read: {f'{where}: ' if where else ''}{first['msg']}.") from None
