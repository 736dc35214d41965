"""Where lines go: a terminal with colours and signs, or a pipe with plain text that is never broken."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from rich.console import Console
from rich.text import Text

#: The exit code of a program that a closed pipe ends, as a shell reports it.
BROKEN_PIPE = 141

#: A spinner that flashes for a moment tells nobody anything.
_PATIENCE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The few signs that a page uses beside letters."""

    branch: str
    last: str
    bar: str
    gap: str
    bad: str
    good: str
    advice: str


_DRAWN = Signs(branch="├─ ", last="└─ ", bar="│  ", gap="   ", bad="✗", good="✓", advice="•")
_PLAIN = Signs(branch="  ", last="  ", bar="  ", gap="  ", bad="-", good="-", advice="-")


@dataclass(frozen=True, slots=True)
class Page:
    """What a renderer has to know: ``width`` in columns, or None where lines are never broken."""

    width: int | None
    signs: Signs

    def hang(self, head: Text, body: Text, hanging: Text | None = None) -> Iterator[Text]:
        """``body`` after ``head``, broken to the width; further lines start with ``hanging`` or as much space."""
        room = self.width - head.cell_len if self.width else None
        if room is None:
            yield head + body
            return
        indent = hanging or Text(" " * head.cell_len)
        lines = body.wrap(_MEASURE, max(room, 16)) if body else [Text()]
        for number, line in enumerate(lines):
            line.rstrip()
            yield (indent if number else head) + line


#: A page without a width, for pipes and files.
PLAIN = Page(None, _PLAIN)

_MEASURE = Console(file=open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - only for measuring text


def drawn(width: int) -> Page:
    """A page of a terminal that is ``width`` columns wide and can draw."""
    return Page(width, _DRAWN)
