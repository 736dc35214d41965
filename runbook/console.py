"""Where lines go: a terminal with colours and signs, or a pipe with plain text that is never broken."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from .streams import reader_may_leave

#: A spinner that flashes for a moment tells nobody anything.
_PATIENCE_SECONDS = 0.5

#: Narrower than this, a hanging text is left to the terminal.
_LEAST_ROOM = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The few signs that a page has beside letters."""

    branch: str
    last: str
    bar: str
    gap: str
    bad: str
    advice: str
    times: str


_DRAWN = Signs(branch="├─ ", last="└─ ", bar="│  ", gap="   ", bad="✗ ", advice="• ", times="\u00d7")
_PLAIN = Signs(branch="  ", last="  ", bar="  ", gap="  ", bad="- ", advice="- ", times="x")

#: Only measures; nothing is ever written to it.
_RULER = Console(file=io.StringIO(), width=80)


@dataclass(frozen=True, slots=True)
class Page:
    """What a renderer has to know: ``width`` in columns, or None where lines are never broken."""

    width: int | None
    signs: Signs

    def hang(self, head: Text, body: Text, margin: Text | None = None) -> Iterator[Text]:
        """``body`` after ``head``, broken to the width; the lines after the first begin with ``margin``.

        ``margin`` is filled up to the width of ``head``.
        """
        room = self.width - head.cell_len if self.width else 0
        if room < _LEAST_ROOM:
            yield head + body
            return
        indent = margin.copy() if margin else Text()
        indent.pad_right(head.cell_len - indent.cell_len)
        for number, line in enumerate(body.wrap(_RULER, room)):
            line.rstrip()
            yield (indent if number else head) + line


#: The page of a pipe or a file.
PLAIN = Page(None, _PLAIN)


def drawn(width: int) -> Page:
    """The page of a terminal of ``width`` columns."""
    return Page(width, _DRAWN)


def output() -> Console:
    """Standard output. Rich leaves colours out where it is no terminal, or where ``NO_COLOR`` says so."""
    return _Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def page_of(console: Console) -> Page:
    """Signs and breaks for a terminal that can show them; ``COLUMNS`` overrides its width."""
    if not console.is_terminal:
        return PLAIN
    return Page(console.width, _DRAWN if console.encoding.startswith("utf") else _PLAIN)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def show(console: Console, lines: Iterable[Text]) -> None:
    """Prints the lines without trailing space."""
    with reader_may_leave():
        for line in lines:
            line.rstrip()
            console.print(line)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Turns a spinner on standard error while something takes its time; silent where that is no terminal.

    Standard output stays untouched: it may be a document, and a program under preview redirects it.
    """
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield
        return
    spinner = Live(Spinner("dots", text), console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
    start = threading.Timer(_PATIENCE_SECONDS, spinner.start)
    start.daemon = True
    start.start()
    try:
        yield
    finally:
        start.cancel()
        start.join()
        spinner.stop()
