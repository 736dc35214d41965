"""A mistake in a stack's configuration with the place it stands at, and the error that holds all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

#: Longer values are cut: the line is named, and a page of JSON hides the sentence.
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """``file`` and ``line`` (from 1; None where there is none) say where, ``key`` which setting.

    ``value`` is what stands there, as text, and empty where nothing does; a secret is shown as ``[secret]``.
    ``wrong`` goes on after it; ``rule`` and ``way_out`` are sentences.
    """

    file: str
    line: int | None
    key: str
    value: str
    wrong: str
    rule: str
    way_out: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        subject = f"{where}: {self.key}: " if self.key else f"{where}: "
        head = f"{subject}{self.value} {self.wrong}." if self.value else f"{subject}{self.wrong}."
        return "\n".join((head, f"    {self.rule}", f"    {self.way_out}"))


class SettingsError(Exception):
    """Everything that is wrong with a stack's configuration, at once, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        unique = dict.fromkeys(problems)
        self.problems = tuple(
            sorted(unique, key=lambda problem: (problem.file, problem.line or 0, problem.key, problem.wrong))
        )
        super().__init__("\n".join(map(str, self.problems)))


def shown(value: Any) -> str:
    """A value as a person wrote it: text in quotes, structures as JSON, nothing as nothing."""
    if value is None:
        return ""
    if isinstance(value, str) and value.isprintable():
        text = f"'{value}'"
    elif isinstance(value, (str, int, float, list, tuple, dict)):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
