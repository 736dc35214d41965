"""Collects a bundle: each collector in turn, what it cannot have with the reason, then the manifest."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version

from ..errors import UserError
from .collectors import audits
from .folder import Folder, Note
from .manifest import SAFE_PATH, Audited, Collected, Days, Manifest, Missing, Previous, hashed, moment, sealed
from .scope import Collector, Gap, Item, Scope

#: What a collector that failed has not got.
_REST = "whatever else there is"

_TOOLS = {"boto3": "boto3", "runbook": "learning-platform-runbook"}


def collect(
    scope: Scope,
    folder: Folder,
    collectors: Sequence[Collector],
    *,
    who: str,
    previous: Previous | None,
    now: Callable[[], datetime],
    told: Callable[[str], None] = lambda _kind: None,
) -> Manifest:
    """The whole bundle in ``folder``, begun or gone on with.

    A bundle that was whole before is kept, but what was missing in it and may be there now is looked for again.
    ``previous``: the bundle it follows; ``told`` hears the kind that is being collected. Raises UserError where the
    folder cannot be written to, or holds a bundle that was changed.
    """
    kept = folder.whole()
    notes = _notes(kept) if kept else folder.notes()
    due = [one for one in collectors if one.kind not in notes or not notes[one.kind].is_final]
    if kept is not None:
        if not due and kept.previous == previous:
            return kept
        folder.open(notes.values())
    for collector in due:
        told(collector.kind)
        found = list(_found(collector, scope))
        if collector.kind in notes and _is_less(found, notes[collector.kind]):
            continue
        notes[collector.kind] = _written(collector.kind, found, folder, now)
        folder.note(notes[collector.kind])
    folder.seal(_manifest(scope, folder, [notes[one.kind] for one in collectors], who, previous, now()))
    whole = folder.whole()
    if whole is None:
        raise UserError(f"{folder.path} was changed while the bundle was written.", "Collect again.")
    return whole


def _notes(manifest: Manifest) -> dict[str, Note]:
    return {
        kind: Note(
            kind=kind,
            files=tuple(
                Collected(**file.model_dump(exclude={"previous"})) for file in manifest.files if file.kind == kind
            ),
            missing=tuple(one for one in manifest.missing if one.kind == kind),
        )
        for kind in manifest.kinds
    }


def _found(collector: Collector, scope: Scope) -> Iterator[Item | Gap]:
    """What the collector finds; where it fails, that too."""
    try:
        yield from collector.collect(scope)
    except UserError as error:
        yield Gap(what=_REST, reason=error.lines[0].rstrip("."))
    except Exception as error:  # noqa: BLE001 - a kind that cannot be had takes no other with it, and is told
        # Without its text, which could quote anything.
        yield Gap(what=_REST, reason=f"a defect of the collector ({type(error).__name__})")


def _is_less(found: Sequence[Item | Gap], earlier: Note) -> bool:
    """Whether the collector failed, and had found as much at an earlier attempt."""
    failed = any(isinstance(one, Gap) and one.what == _REST for one in found)
    return failed and sum(isinstance(one, Item) for one in found) <= len(earlier.files)


def _written(kind: str, found: Sequence[Item | Gap], folder: Folder, now: Callable[[], datetime]) -> Note:
    files: dict[str, Collected] = {}
    gaps = [one for one in found if isinstance(one, Gap)]
    for item in found:
        if isinstance(item, Gap):
            continue
        path = f"{kind}/{item.path}"
        if path in files or not SAFE_PATH.fullmatch(path):
            gaps.append(Gap(what=item.source, reason="its name cannot be that of a file in a bundle", lasting=True))
            continue
        folder.put(path, item.body)
        files[path] = Collected(
            path=path,
            kind=kind,
            sha256=hashed(item.body),
            size=len(item.body),
            source=item.source,
            version_id=item.version_id,
            collected_at=moment(now()),
        )
    return Note(
        kind=kind,
        files=tuple(files[path] for path in sorted(files)),
        missing=tuple(Missing(kind=kind, what=gap.what, reason=gap.reason, lasting=gap.lasting) for gap in gaps),
    )


def _manifest(
    scope: Scope, folder: Folder, notes: Sequence[Note], who: str, previous: Previous | None, at: datetime
) -> Manifest:
    site, period = scope.site, scope.period
    return sealed(
        [file for note in notes for file in note.files],
        id=folder.id,
        project=site.project,
        environment=site.environment,
        account=site.account_id,
        region=site.region,
        period=Days(first=period.first.isoformat(), last=period.last.isoformat()),
        collected_at=moment(at),
        who=who,
        tools=_tools(),
        kinds=tuple(note.kind for note in notes),
        audited=tuple(_audited(scope, folder, notes)),
        missing=tuple(gap for note in notes for gap in note.missing),
        previous=previous,
    )


def _audited(scope: Scope, folder: Folder, notes: Sequence[Note]) -> Iterator[Audited]:
    for note in notes:
        if note.kind == audits.KIND:
            for file in note.files:
                found = audits.audited(file.path, (folder.path / file.path).read_bytes(), scope.site.environment)
                if found is not None:
                    yield found


def _tools() -> Mapping[str, str]:
    return {"python": platform.python_version(), **{name: version(package) for name, package in _TOOLS.items()}}
