"""Where bundles are that are to be verified: a folder, an archive, or either of many; a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..operations.aws import spoken
from .collectors.audits import BUNDLES
from .container import ContainerError, unpack
from .folder import load
from .manifest import NAME, ManifestError, read
from .shelf import FrozenError, fetched, listed
from .verify import Bundle, chain_faults, faults


@dataclass(frozen=True, slots=True)
class Finding:
    """A bundle and what is wrong with it. ``bundle`` None: not even its manifest can be read."""

    name: str
    bundle: Bundle | None
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``between``: what is wrong between bundles."""

    findings: tuple[Finding, ...]
    between: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        return not self.between and not any(one.faults for one in self.findings)


def verify(found: Iterator[tuple[str, dict[str, bytes], list[str]]], expected: str | None) -> Verdict:
    """``found``: name, files and what could not be read; ``expected``: the hash of one of the manifests."""
    findings = tuple(_finding(*one) for one in found)
    bundles = [one.bundle for one in findings if one.bundle]
    between = list(chain_faults(bundles))
    if expected is not None and all(bundle.manifest.sha256 != expected for bundle in bundles):
        between.append(f"No manifest has the hash {expected}.")
    return Verdict(findings, tuple(between))


def _finding(name: str, files: dict[str, bytes], wrong: list[str]) -> Finding:
    # An archive that cannot be read has been told of; that its files are missing too says nothing more.
    told = tuple(wrong) if wrong and not files else (*wrong, *faults(files))
    try:
        return Finding(name, Bundle(name, read(files[NAME])), told)
    except (KeyError, ManifestError):
        return Finding(name, None, told)


def local(path: Path) -> Iterator[tuple[str, dict[str, bytes], list[str]]]:
    """The bundle at ``path``, or every one in it. Raises UserError where there is nothing."""
    if path.is_file():
        yield str(path), *_unpacked(_bytes(path))
        return
    if not path.is_dir():
        raise UserError(f"There is no {path}.", "Name the folder or the archive of a bundle, or a folder of them.")
    inner = sorted(one for one in path.iterdir() if not one.name.startswith("."))
    of_many = any((one / NAME).is_file() or one.suffix == ".zip" for one in inner)
    if (path / NAME).exists() or not of_many:
        yield str(path), *load(path)
        return
    for one in inner:
        if one.is_dir():
            yield one.name, *load(one)
        elif one.suffix == ".zip":
            yield one.name, *_unpacked(_bytes(one))


def stored(s3: Any, bucket: str, prefix: str) -> Iterator[tuple[str, dict[str, bytes], list[str]]]:
    """The bundle of that key, or every one below the prefix; by default all of a bucket."""
    prefix = prefix or BUNDLES
    if prefix.endswith(".zip"):
        yield prefix, *_unpacked(fetched(s3, bucket, prefix, None))
        return
    with spoken("s3:ListBucket"):
        keys = list(listed(s3, bucket, prefix, None))
    if not keys:
        raise UserError(
            f"There is no bundle below s3://{bucket}/{prefix}.", "`runbook evidence collect --apply` stores one."
        )
    for key in keys:
        try:
            yield key, *_unpacked(fetched(s3, bucket, key, None))
        except FrozenError as error:
            # What was not read is not verified; the others can be.
            yield key, {}, [" ".join(error.lines)]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def _unpacked(body: bytes) -> tuple[dict[str, bytes], list[str]]:
    try:
        return unpack(body), []
    except ContainerError as error:
        return {}, [str(error)]
