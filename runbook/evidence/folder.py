"""A bundle on disk: written file by file, whole once its manifest is there, and gone on with until then.

What each collector left is noted beside the bundle. A run that was killed therefore collects nothing twice, and no
file is taken for evidence that no collector has answered for.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from ..errors import UserError
from . import manifest as manifests
from .manifest import NAME, SAFE_PATH, Collected, Manifest, Missing
from .verify import faults


class Note(manifests.Part):
    """What one collector left."""

    kind: str
    files: tuple[Collected, ...]
    missing: tuple[Missing, ...]

    @property
    def is_final(self) -> bool:
        """Whether another attempt would find no more."""
        return all(one.lasting for one in self.missing)


def load(path: Path) -> tuple[dict[str, bytes], list[str]]:
    """The files of a bundle by path, and what is wrong with those that cannot be read."""
    files: dict[str, bytes] = {}
    wrong: list[str] = []

    def refuse(error: OSError) -> None:
        wrong.append(f"{error.filename} cannot be read: {error.strerror}.")

    for folder, inner, names in os.walk(path, onerror=refuse):
        links = [name for name in inner if (Path(folder) / name).is_symlink()]
        for name in sorted([*names, *links]):
            file = Path(folder) / name
            called = file.relative_to(path).as_posix()
            if file.is_symlink() or not file.is_file():
                wrong.append(f"{called} is no file but points elsewhere.")
                continue
            try:
                files[called] = file.read_bytes()
            except OSError as error:
                refuse(error)
    return files, wrong


@dataclass(frozen=True)
class Folder:
    """The bundle ``id`` below ``out``."""

    out: Path
    id: str

    @property
    def path(self) -> Path:
        return self.out / self.id

    @property
    def _notes(self) -> Path:
        return self.out / f".{self.id}"

    @cached_property
    def _temporary(self) -> Path:
        self._notes.mkdir(parents=True, exist_ok=True)
        return self._notes

    def whole(self) -> Manifest | None:
        """The manifest of what is here; None where it is not whole. Raises UserError where it was changed."""
        files, wrong = load(self.path)
        if NAME not in files:
            return None
        wrong += faults(files)
        if wrong:
            raise UserError(
                f"{self.path} is not what was collected:",
                *(f"  {fault}" for fault in wrong),
                "Move it away and keep it, then collect again.",
            )
        return manifests.read(files[NAME])

    def notes(self) -> dict[str, Note]:
        """What collectors have left so far, by kind; what no longer fits its files is left out."""
        found = {}
        for path in sorted(self._notes.glob("*.json")):
            try:
                note = Note.model_validate_json(path.read_bytes())
            except ValidationError:
                continue
            if all(self._holds(file) for file in note.files):
                found[note.kind] = note
        return found

    def _holds(self, file: Collected) -> bool:
        try:
            return manifests.hashed((self.path / file.path).read_bytes()) == file.sha256
        except OSError:
            return False

    def open(self, notes: Iterable[Note]) -> None:
        """Takes a whole bundle apart again, keeping ``notes``: what it lacks can be added then."""
        for note in notes:
            self.note(note)
        (self.path / NAME).unlink(missing_ok=True)

    def put(self, path: str, body: bytes) -> None:
        """Writes a file, all of it or none. Raises UserError for a name that could leave the bundle."""
        if not SAFE_PATH.fullmatch(path):
            raise UserError(f"{path!r} is no name of a file in a bundle.")
        self._write(self.path / path, body)

    def note(self, note: Note) -> None:
        """Notes that a collector is done."""
        self._write(self._temporary / f"{note.kind}.json", manifests.canonical(note.data()))

    def seal(self, manifest: Manifest) -> None:
        """Makes the bundle whole: what no entry names goes, the manifest comes last."""
        listed = {self.path / entry.path for entry in manifest.files}
        for file in sorted(self.path.rglob("*"), reverse=True):
            if file.is_dir() and not file.is_symlink():
                if not any(file.iterdir()):
                    file.rmdir()
            elif file not in listed and file != self.path / NAME:
                file.unlink()
        self._write(self.path / NAME, manifest.bytes)
        shutil.rmtree(self._notes, ignore_errors=True)
        self.__dict__.pop("_temporary", None)

    def _write(self, path: Path, body: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix="unfinished-", dir=self._temporary)
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except OSError as error:
            raise UserError(
                f"{path} cannot be written: {error.strerror or error}.", "Name another folder with --output."
            ) from error
