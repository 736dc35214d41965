"""Standard output and error without decoration: documents, sentences, and a reader that goes away."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

#: What a shell reports of a program whose reader went away.
BROKEN_PIPE = 141


def write(text: str) -> None:
    """A text to standard output, as it is."""
    with reader_may_leave():
        sys.stdout.write(text)


def complain(lines: Iterable[str]) -> None:
    """Plain sentences to standard error."""
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201 - this is where errors are printed


def survive_narrow_encodings() -> None:
    """A stream that cannot carry a letter carries its code; it is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Ends the program without a word where nobody reads any more, as in ``runbook preview | head``."""
    try:
        yield
    except BrokenPipeError:
        _forget_the_rest()
        raise SystemExit(BROKEN_PIPE) from None


def flushed() -> bool:
    """Sends what is still buffered on its way; False where nobody reads it."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_the_rest()
        return False
    return True


def _forget_the_rest() -> None:
    """What is still buffered would fail again when the interpreter flushes it at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
