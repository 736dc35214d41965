"""Reports of an audit: one writer a format, all of them from the same judgements.

A report quotes what the rules say, names and URNs; a property's value is in none of them.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from ...errors import UserError
from ...preview.graph import Graph
from ..evaluate import Audit
from ..traces import Trace
from . import as_csv, as_html, as_json, as_junit, as_markdown, as_oscal, as_sarif, changes, header
from .model import Report, StackAudit

#: Format -> the files it consists of.
FORMATS: Mapping[str, Mapping[str, Callable[[Report], str]]] = {
    "html": {"audit.html": as_html.text},
    "json": {"audit.json": as_json.text},
    "sarif": {"audit.sarif": as_sarif.text},
    "junit": {"audit.junit.xml": as_junit.text},
    "csv": {"audit.csv": as_csv.judgements, "controls.csv": as_csv.matrix},
    "markdown": {"audit.md": as_markdown.text},
    "oscal": {"audit.oscal.json": as_oscal.text},
}


def write(
    audits: Sequence[tuple[Graph, Audit]],
    formats: Sequence[str],
    folder: Path,
    *,
    project: Path,
    now: datetime,
    previous: Path | None = None,
    traced: Sequence[Trace] = (),
) -> list[Path]:
    """Writes the reports of ``audits`` of the project in ``project`` to ``folder``, and returns their paths.

    ``previous``: the JSON of an earlier audit to compare with; it may be the one that is written over. ``traced``:
    where the demands of the run books lead, for the page.

    Every file is written beside its place first: where one cannot be, the folder keeps what it had. Raises UserError
    for an unknown format, for an earlier audit that is none, and for a folder that cannot be written to.
    """
    known(formats)
    report = _report(audits, folder, project=project, now=now, previous=previous, traced=traced)
    texts = {folder / name: writer(report) for each in dict.fromkeys(formats) for name, writer in FORMATS[each].items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(texts)
    except OSError as error:
        raise UserError(
            f"The reports cannot be written to {folder}: {error.strerror or error}.", "Name another folder."
        ) from None
    return list(texts)


def known(formats: Sequence[str]) -> None:
    """Raises UserError where one of the formats is none."""
    if unknown := [name for name in formats if name not in FORMATS]:
        raise UserError(f"There is no report {', '.join(unknown)}.", f"Reports: {', '.join(FORMATS)}.")


def _report(
    audits: Sequence[tuple[Graph, Audit]],
    folder: Path,
    *,
    project: Path,
    now: datetime,
    previous: Path | None,
    traced: Sequence[Trace],
) -> Report:
    stacks = tuple(StackAudit(graph, audit) for graph, audit in audits)
    return Report(
        header=header.of_project(project, [graph for graph, _audit in audits], folder, now),
        stacks=stacks,
        changes=changes.changes(changes.read(previous), stacks) if previous else None,
        traced=tuple(traced),
    )


def _replace(texts: Mapping[Path, str]) -> None:
    with contextlib.ExitStack() as unfinished:
        ready = [(unfinished.enter_context(_beside(path, text)), path) for path, text in texts.items()]
        for temporary, path in ready:
            temporary.replace(path)


@contextlib.contextmanager
def _beside(path: Path, text: str) -> Iterator[Path]:
    """A complete copy of ``text`` next to ``path``, which is gone at the end unless it has been moved there."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
