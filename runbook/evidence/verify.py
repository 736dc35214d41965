"""Whether bundles are what was collected: decisions on bytes, without a clock, a disk or an account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .manifest import NAME, SAFE_PATH, Manifest, ManifestError, begins, hashed, read


def faults(files: Mapping[str, bytes]) -> Iterator[str]:
    """What is wrong with a bundle, a sentence each. ``files``: path -> content, the manifest among them."""
    body = files.get(NAME)
    if body is None:
        yield f"There is no {NAME}: the bundle is not whole. Collecting its period again completes one that was begun."
        return
    try:
        manifest = read(body)
    except ManifestError as error:
        yield str(error)
        return
    if manifest.bytes != body:
        yield f"{NAME} was edited: it is not written the way runbook writes it."
    if manifest.right_seal != manifest.seal:
        yield f"{NAME} was edited: its seal does not fit what it says."
    yield from _chain(manifest)
    yield from _contents(manifest, files)


def _chain(manifest: Manifest) -> Iterator[str]:
    link, before = begins(manifest.id), "the beginning"
    for entry in manifest.files:
        if entry.previous != link:
            yield f"{entry.path} does not follow {before}: an entry was changed, added, left out or moved."
        link, before = entry.link, entry.path
    if manifest.head != link:
        yield f"{before} is not the last file that was collected: the end of the list was changed."


def _contents(manifest: Manifest, files: Mapping[str, bytes]) -> Iterator[str]:
    listed = Counter(entry.path for entry in manifest.files)
    for path, times in listed.items():
        if times > 1:
            yield f"{path} is listed {times} times."
        if not SAFE_PATH.fullmatch(path):
            yield f"{path!r} is no name of a file in a bundle."
    for entry in manifest.files:
        body = files.get(entry.path)
        if body is None:
            yield f"{entry.path} is missing."
        elif hashed(body) != entry.sha256 or len(body) != entry.size:
            yield f"{entry.path} was changed: it is not what was collected."
    for path in sorted(files.keys() - listed.keys() - {NAME}):
        yield f"{path} was added: the manifest does not list it."


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that could be read. ``name``: its folder, file or key."""

    name: str
    manifest: Manifest


def chain_faults(bundles: Sequence[Bundle]) -> Iterator[str]:
    """What is wrong between bundles that are verified together.

    One of them may follow a bundle that is not here, since old ones are deleted in the end; a second one may not.
    """
    by_id: dict[str, Bundle] = {}
    for bundle in bundles:
        other = by_id.setdefault(bundle.manifest.id, bundle)
        if other is not bundle:
            yield f"{other.name} and {bundle.name} both say that they are {bundle.manifest.id}."
    followed: dict[str, Bundle] = {}
    first: list[Bundle] = []
    for bundle in sorted(by_id.values(), key=lambda one: (one.manifest.collected_at, one.manifest.id)):
        previous = bundle.manifest.previous
        if previous is None or previous.bundle not in by_id:
            first.append(bundle)
            continue
        before = by_id[previous.bundle]
        if before.manifest.sha256 != previous.sha256:
            yield f"{bundle.name} follows another {previous.bundle} than {before.name}: one was written anew."
        rival = followed.setdefault(previous.bundle, bundle)
        if rival is not bundle:
            yield f"{rival.name} and {bundle.name} both follow {previous.bundle}: one of them is not of the chain."
    for bundle in first[1:]:
        previous = bundle.manifest.previous
        yield f"{bundle.name} is not linked to the others: it follows {previous.bundle if previous else 'no bundle'}."
