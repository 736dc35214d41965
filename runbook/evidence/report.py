"""A bundle and a verification for a person, and for a machine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from ..console import Page
from ..words import count
from .manifest import Manifest
from .places import Verdict


def collected(manifest: Manifest, path: Path | None, page: Page) -> Iterator[Text]:
    """What there is of each kind, and what is missing. ``path``: the folder, None where it was stored before."""
    yield Text(f"Bundle {manifest.id}", "bold")
    files = Counter(file.kind for file in manifest.files)
    gaps = Counter(gap.kind for gap in manifest.missing)
    for kind in manifest.kinds:
        mark, style = ("lacks", "bold red") if gaps[kind] else ("ok", "green") if files[kind] else ("none", "yellow")
        yield Text.assemble("  ", (f"{mark:<6}", style), f" {kind}: {count(files[kind], 'file')}")
        for gap in manifest.missing:
            if gap.kind == kind:
                yield from page.hang(Text("           ", "dim"), Text(f"{gap.what}: {gap.reason}", "red"))
    size = sum(file.size for file in manifest.files)
    yield Text(f"{count(len(manifest.files), 'file')}, {count(size, 'byte')}", "dim")
    yield Text(f"The manifest's hash is {manifest.sha256}.")
    if path is not None:
        yield Text(f"The bundle is in {path}.")


def collected_document(manifest: Manifest, path: Path | None, stored: str | None) -> str:
    """The same with the whole manifest."""
    data = {
        "bundle": str(path) if path else None,
        "manifest": manifest.data(),
        "manifestSha256": manifest.sha256,
        "stored": stored,
    }
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def verified(verdict: Verdict, page: Page) -> Iterator[Text]:
    """A sentence for each fault."""
    for finding in verdict.findings:
        mark, style = ("wrong", "bold red") if finding.faults else ("ok", "green")
        told = finding.bundle.manifest.id if finding.bundle else "no bundle"
        yield Text.assemble((f"{mark:<6}", style), f" {finding.name}: {told}")
        for fault in finding.faults:
            yield from page.hang(Text("         "), Text(fault, "red"))
        if finding.bundle and not finding.faults:
            manifest = finding.bundle.manifest
            missing = f"; {count(len(manifest.missing), 'thing')} could not be collected" if manifest.missing else ""
            yield Text(f"         {count(len(manifest.files), 'file')}{missing}; manifest {manifest.sha256}", "dim")
    for fault in verdict.between:
        yield from page.hang(Text(""), Text(fault, "bold red"))
    number = count(len(verdict.findings), "bundle")
    if verdict.is_well:
        yield Text(f"{number} verified: as collected.", "green")
    else:
        wrong = sum(bool(one.faults) for one in verdict.findings)
        broken = ", and the chain between them is broken" if verdict.between else ""
        yield Text(f"{wrong} of {number} not as collected{broken}.", "bold red")


def verified_document(verdict: Verdict) -> str:
    """The same for a machine."""
    data = {
        "between": list(verdict.between),
        "bundles": [
            {
                "faults": list(one.faults),
                "id": one.bundle.manifest.id if one.bundle else None,
                "manifestSha256": one.bundle.manifest.sha256 if one.bundle else None,
                "name": one.name,
            }
            for one in verdict.findings
        ],
        "well": verdict.is_well,
    }
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
