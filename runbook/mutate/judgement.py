"""Which mutants need not be noticed, and why: ``judgement.yaml``, read and matched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ..errors import UserError
from .operators import OPERATORS

FILE = Path(__file__).with_name("judgement.yaml")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table; ``operators`` is empty where any is meant."""

    text: str
    type: str
    path: str
    operators: frozenset[str]
    reason: str = field(compare=False)

    def meets(self, token: str, path: str, operator: str) -> bool:
        return (
            (not self.operators or operator in self.operators)
            and fnmatchcase(path, self.path)
            and fnmatchcase(short(token), self.type)
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """The two lists, each in the order of the file; the first entry that meets a mutant counts."""

    harmless: tuple[Entry, ...]
    explained: tuple[Entry, ...]


def first(entries: tuple[Entry, ...], token: str, path: str, operator: str) -> Entry | None:
    """The entry that speaks for a mutant."""
    return _first(entries, token, path, operator)


@lru_cache(maxsize=65536)
def _first(entries: tuple[Entry, ...], token: str, path: str, operator: str) -> Entry | None:
    return next((entry for entry in entries if entry.meets(token, path, operator)), None)


def short(token: str) -> str:
    """``s3/bucket`` for ``aws:s3/bucket:Bucket``."""
    return token.split(":")[1]


def load(file: Path = FILE) -> Judgement:
    """Raises UserError with every mistake of the file at once."""
    try:
        body = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{file} cannot be read: {type(error).__name__}.") from None
    mistakes: list[str] = []
    if not isinstance(body, Mapping) or set(body) != {"harmless", "explained"}:
        raise UserError(f"{file} must hold the lists harmless and explained, and nothing else.")
    read = {name: tuple(_entries(name, groups, mistakes)) for name, groups in body.items()}
    if mistakes:
        raise UserError(*(f"{file.name}: {mistake}" for mistake in mistakes))
    return Judgement(**read)


def _entries(name: str, groups: Any, mistakes: list[str]) -> Iterator[Entry]:
    for group in groups or ():
        if not isinstance(group, Mapping) or set(group) != {"reason", "at"} or not group["reason"] or not group["at"]:
            mistakes.append(f"Each group of {name} needs a reason and a list `at`, and nothing else.")
            continue
        for text in group["at"]:
            parts = str(text).split()
            operators = frozenset(parts[2].split(",")) if len(parts) == 3 else frozenset()
            if len(parts) not in (2, 3) or operators - OPERATORS:
                mistakes.append(
                    f"{text!r} is no entry: write <type> <path> and, if not all, operators of "
                    f"{', '.join(sorted(OPERATORS))}."
                )
                continue
            yield Entry(str(text), parts[0], parts[1], operators, str(group["reason"]))
