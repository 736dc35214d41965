"""What is said of the run books: true to their words, complete, and every rule leads to one of them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook import RULES
from policies.rulebook.rule import ResourceRule
from policies.rulebook.runbook import (
    Demand,
    Lines,
    RunBook,
    Section,
    cited,
    differences,
    overlaps,
    plain,
    rules_of,
    run_books,
    spans,
)
from settings.model import Settings
from settings.section import Section as Settings_

from .test_pack import made, says

ROOT = Path(__file__).parents[2]
BOOKS = run_books()
DEMANDS = [demand for book in BOOKS for demand in book.demands]

by_book = pytest.mark.parametrize("book", BOOKS, ids=[book.file for book in BOOKS])


@by_book
def test_no_quotation_has_been_changed_since_it_was_compared_with_its_run_book(book):
    assert book.digest() == book.quoted


@by_book
def test_the_run_books_say_what_is_quoted_wherever_they_are_at_hand(book):
    for path in ROOT.parent.glob(f"shared/runbooks/{book.file}"):
        text = path.read_bytes()
        assert hashlib.sha256(text).hexdigest() == book.sha256
        assert len(text.decode().splitlines()) == book.length
        assert list(differences(book, text.decode())) == []


@by_book
def test_no_line_is_spoken_of_twice(book):
    assert list(overlaps(book)) == []


@by_book
def test_the_lines_that_nothing_is_said_of_are_the_blank_ones_between_parts(book):
    spoken_of = {number for span in spans(book) for number in range(span.first, span.last + 1)}
    silent = set(range(1, book.length + 1)) - spoken_of
    assert silent.isdisjoint(span.first for span in spans(book))
    assert len(silent) < book.length / 3


def test_a_demand_has_an_id_of_its_own():
    assert [id_ for id_, times in Counter(demand.id for demand in DEMANDS).items() if times > 1] == []


def test_every_rule_quotes_a_demand():
    def leads(rule):
        try:
            return bool(cited(rule.sentence, BOOKS))
        except ValueError:
            return False

    assert [(rule.id, rule.sentence) for rule in RULES if not leads(rule)] == []


def test_the_rules_that_are_named_exist_and_are_not_those_that_quote_the_demand_anyway():
    quoting = {(demand.id, rule.id) for rule in RULES for demand in cited(rule.sentence, BOOKS)}
    ids = {rule.id for rule in RULES}
    named = {(demand.id, rule) for demand in DEMANDS for rule in demand.rules}
    assert {rule for _, rule in named} <= ids
    assert named & quoting == set()


def test_every_demand_leads_somewhere_or_says_what_is_missing():
    rules = rules_of(BOOKS, RULES)

    def told(demand):
        met = (rules[demand.id], demand.declared, demand.done, demand.settings, demand.written)
        return any(met) or demand.manual or demand.missing

    assert [demand.id for demand in DEMANDS if not told(demand)] == []


def test_what_is_for_people_is_for_them_alone():
    rules = rules_of(BOOKS, RULES)
    both = [
        demand.id
        for demand in DEMANDS
        if demand.manual
        and any(
            (rules[demand.id], demand.declared, demand.done, demand.settings, demand.written, demand.missing),
        )
    ]
    assert both == []


def test_the_documents_that_are_named_are_there():
    assert {path for demand in DEMANDS for path in demand.written if not (ROOT / path).is_file()} == set()


def is_setting(model, *path):
    """Whether a stack's file may have a value at ``path``; a group inside a map has any key."""
    if not path:
        return True
    kinds = [model]
    while kinds:
        kind = kinds.pop()
        if isinstance(kind, type) and issubclass(kind, Settings_):
            field = kind.model_fields.get(path[0])
            return field is not None and is_setting(field.annotation, *path[1:])
        if get_origin(kind) is not Mapping:
            kinds += get_args(kind)
    return False


def test_the_settings_that_are_named_are_those_of_a_stack_s_file():
    named = {setting for demand in DEMANDS for setting in demand.settings}
    assert {setting for setting in named if not is_setting(Settings, *setting.split("."))} == set()


def test_a_setting_that_is_none_is_seen_as_none():
    assert is_setting(Settings, "maintenance", "server", "host")
    assert not is_setting(Settings, "maintenance", "server", "hots")
    assert not is_setting(Settings, "database", "port", "low")


FILE = "009_abc.txt"
TEXT = """# Book
## 1. Care
- [ ] **Water:** the plants

```sh
water plants
```
## Tools
| Can  | green |
"""
BOOK = RunBook(
    file=FILE,
    sha256="",
    quoted="",
    length=9,
    aside=(Lines(1, 1),),
    sections=(
        Section(
            name="§1",
            heading="Care",
            lines=Lines(2, 2),
            demands=(Demand(file=FILE, section="§1", lines=Lines(3, 7), quote="Water: the plants", rules=("dry",)),),
        ),
        Section(
            name="Care / Tools",
            heading="Tools",
            lines=Lines(8, 8),
            demands=(Demand(file=FILE, section="Care / Tools", lines=Lines(9, 9), quote="Can | green"),),
        ),
    ),
)


def test_a_run_book_that_says_what_is_quoted_has_no_difference():
    assert list(differences(BOOK, TEXT)) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT.replace("plants", "roses", 1), [f"{FILE}:3 does not say 'Water: the plants'."]),
        (TEXT + "\n- [ ] Weed\n", [f"{FILE}:11 leads nowhere: '- [ ] Weed'"]),
        ("\n".join(TEXT.splitlines()[:8]), [f"{FILE}:9 does not say 'Can | green'."]),
    ],
    ids=["another word", "a new line", "a lost line"],
)
def test_a_run_book_that_has_changed_shows_where(text, said):
    assert list(differences(BOOK, text)) == said


def test_lines_that_overlap_or_are_not_there_are_told():
    assert list(overlaps(replace(BOOK, aside=(Lines(1, 2), Lines(12, 12))))) == [
        f"{FILE}: lines 1-2 and 2 overlap.",
        f"{FILE} has no line 12.",
    ]


def test_a_changed_quotation_changes_the_digest():
    other = replace(BOOK.sections[1], heading="Tool")
    assert replace(BOOK, sections=(BOOK.sections[0], other)).digest() != BOOK.digest()


@pytest.mark.parametrize(
    ("sentence", "ids"),
    [
        (f"{FILE} §1: the plants", ["009-3"]),
        (f"{FILE} Tools: green", ["009-9"]),
        (f"{FILE} Care: Can", ["009-9"]),
        (f"{FILE} §1: Water; {FILE} Care / Tools: Can | green", ["009-3", "009-9"]),
    ],
    ids=["a section's name", "its heading", "its chapter", "two citations"],
)
def test_a_sentence_leads_to_the_demands_it_quotes(sentence, ids):
    assert [demand.id for demand in cited(sentence, [BOOK])] == ids


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        (f"{FILE}: Water", f"'{FILE}: Water' cites no run book; write <file> <section>: <words>."),
        (f"{FILE} Tools: Water", f"No demand in Tools of {FILE} says 'Water'."),
        (f"{FILE} §1: water the plants", f"No demand in §1 of {FILE} says 'water the plants'."),
        ("008_abc.txt §1: Water", "No demand in §1 of 008_abc.txt says 'Water'."),
    ],
    ids=["no section", "another section", "other words", "another file"],
)
def test_a_sentence_that_quotes_nothing_is_refused(sentence, said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        cited(sentence, [BOOK])


def test_a_demand_s_rules_are_those_that_quote_it_and_those_that_are_named():
    rule = made(ResourceRule, says(), sentence=f"{FILE} §1: Water", id="wet")
    assert rules_of([BOOK], [rule]) == {"009-3": ("wet", "dry"), "009-9": ()}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("    - **Level 1**: Slack", "Level 1: Slack"),
        ("*   The team", "The team"),
        ("### 3.2. Backup & Restoration", "Backup & Restoration"),
        ("# Check the database", "Check the database"),
        ("| CPU  | >80%   |", "CPU | >80%"),
        ("4 weeks", "4 weeks"),
        ("---", "---"),
    ],
)
def test_a_line_is_compared_by_its_words(line, words):
    assert plain(line) == words


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="*#-|.")),
    st.sampled_from(["- ", "* ", "1. ", "# ", "- [ ] "]),
)
def test_marks_do_not_change_a_line_s_words(words, mark):
    assert plain(mark + words) == plain(words)
