"""What the run books demand, word for word, and what meets it: ``runbook.yaml`` as data.

A rule's own ``sentence`` says which demand it enforces, so the file names only what a sentence does not. Whatever else
meets a demand is a string here; ``runbook audit --coverage`` looks it up in graphs and commands.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from .rule import Rule

DATA = Path(__file__).with_suffix(".yaml")

#: Between a chapter and its part in the name of a section.
_WITHIN = " / "

#: What Markdown and a shell put before the words of a line.
_MARKS = re.compile(r"^\s*(?:(?:- \[ \]|[-*#]+|(?:\d+\.)+)\s+)+")

_CITATION = re.compile(r"(?P<file>\d{3}_\w+\.txt) (?P<section>[^:]+): (?P<quote>.+)")


@dataclass(frozen=True, slots=True, order=True)
class Lines:
    """Lines of a run book, counted from 1, both ends included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One demand. ``quote`` stands in the first of its ``lines``; the others are how the run book does it.

    ``rules``: ids beside those of the rules whose sentence quotes it; ``declared``: ``ec2.FlowLog``, ``Backup`` or
    ``s3.Bucket::archive-backup``; ``done``: sub-commands of ``runbook``; ``settings``: dotted keys of a stack's file;
    ``written``: files of the repository; ``manual``: why it is for people; ``missing``: what no code does.
    """

    file: str
    section: str
    lines: Lines
    quote: str
    rules: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    manual: str = ""
    missing: str = ""

    @property
    def id(self) -> str:
        """Run book and line: ``004-467``."""
        return f"{self.file[:3]}-{self.lines.first}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and the demands below it, up to the next heading. ``name`` is what rules and code cite."""

    name: str
    heading: str
    lines: Lines
    demands: tuple[Demand, ...]

    def is_cited_as(self, cited: str) -> bool:
        """By its name, its heading, or that of a chapter it is in."""
        return cited in (self.name, self.heading, *self.name.split(_WITHIN))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBook:
    """One run book. ``sha256`` is that of the file, ``quoted`` of what is quoted from it; ``length`` in lines.

    ``aside``: lines that ask for nothing.
    """

    file: str
    sha256: str
    quoted: str
    length: int
    aside: tuple[Lines, ...]
    sections: tuple[Section, ...]

    @property
    def demands(self) -> Iterator[Demand]:
        """In the order of the lines."""
        return (demand for section in self.sections for demand in section.demands)

    @property
    def quotations(self) -> Iterator[tuple[Lines, str]]:
        """Headings and demands, in the order of the lines."""
        for section in self.sections:
            yield section.lines, section.heading
            yield from ((demand.lines, demand.quote) for demand in section.demands)

    def digest(self) -> str:
        """Of every line that is quoted and its words: ``quoted``, unless somebody has changed a quotation."""
        text = "".join(f"{lines.first}\t{quote}\n" for lines, quote in self.quotations)
        return hashlib.sha256(text.encode()).hexdigest()


@cache
def run_books() -> tuple[RunBook, ...]:
    """All run books, in the order of their names."""
    return tuple(map(_run_book, yaml.safe_load(DATA.read_text(encoding="utf-8"))))


def cited(sentence: str, books: Iterable[RunBook]) -> tuple[Demand, ...]:
    """The demands that a rule's sentence quotes: ``<file> <section>: <words>``, several with a semicolon between.

    Raises ValueError for a citation of another form, and for one whose words are in no demand of that section.
    """
    books = tuple(books)
    return tuple(_quoted(citation, books) for citation in re.split(r"; (?=\d{3}_)", sentence))


def rules_of(books: Sequence[RunBook], rules: Iterable[Rule]) -> Mapping[str, tuple[str, ...]]:
    """Id of a demand -> ids of its rules: those that quote it, then those that the file adds."""
    found: dict[str, list[str]] = {demand.id: [] for book in books for demand in book.demands}
    for rule in rules:
        for demand in cited(rule.sentence, books):
            found[demand.id].append(rule.id)
    return {
        demand.id: (*found[demand.id], *(rule for rule in demand.rules if rule not in found[demand.id]))
        for book in books
        for demand in book.demands
    }


def differences(book: RunBook, text: str) -> Iterator[str]:
    """How a run book's own text differs from what is said of it: words that are not there, lines that lead nowhere."""
    lines = text.splitlines()
    for where, quote in book.quotations:
        if where.last > len(lines) or plain(quote) not in plain(lines[where.first - 1]):
            yield f"{book.file}:{where.first} does not say {quote!r}."
    spoken_of = {number for span in spans(book) for number in range(span.first, span.last + 1)}
    yield from (
        f"{book.file}:{number} leads nowhere: {line.strip()!r}"
        for number, line in enumerate(lines, start=1)
        if line.strip() and number not in spoken_of
    )


def overlaps(book: RunBook) -> Iterator[str]:
    """Lines that are spoken of twice, or that the run book does not have."""
    for one, other in pairwise(sorted(spans(book))):
        if other.first <= one.last:
            yield f"{book.file}: lines {one} and {other} overlap."
    yield from (f"{book.file} has no line {span.last}." for span in spans(book) if span.last > book.length)


def spans(book: RunBook) -> Iterator[Lines]:
    """All lines that are spoken of."""
    yield from book.aside
    yield from (lines for lines, _ in book.quotations)


def plain(line: str) -> str:
    """A line's words, without what Markdown, a shell comment or a table puts around them."""
    return " ".join(_MARKS.sub("", line).replace("**", "").strip().strip("|").split())


def _quoted(citation: str, books: Sequence[RunBook]) -> Demand:
    found = _CITATION.fullmatch(citation)
    if found is None:
        raise ValueError(f"{citation!r} cites no run book; write <file> <section>: <words>.")
    for book in books:
        if book.file == found["file"]:
            for section in book.sections:
                for demand in section.demands if section.is_cited_as(found["section"]) else ():
                    if found["quote"] in demand.quote:
                        return demand
    raise ValueError(f"No demand in {found['section']} of {found['file']} says {found['quote']!r}.")


def _run_book(data: Mapping[str, Any]) -> RunBook:
    return RunBook(
        file=data["file"],
        sha256=data["sha256"],
        quoted=data["quoted"],
        length=data["lines"],
        aside=tuple(_lines(part["lines"]) for part in data["aside"]),
        sections=tuple(
            Section(
                name=section["section"],
                heading=section["heading"],
                lines=_lines(section["lines"]),
                demands=tuple(
                    _demand(data["file"], section["section"], demand) for demand in section.get("demands", ())
                ),
            )
            for section in data["sections"]
        ),
    )


def _demand(file: str, section: str, data: Mapping[str, Any]) -> Demand:
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data.items() if key != "lines"
    }
    return Demand(file=file, section=section, lines=_lines(data["lines"]), **fields)


def _lines(text: int | str) -> Lines:
    first, _, last = str(text).partition("-")
    return Lines(int(first), int(last or first))
