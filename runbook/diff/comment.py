"""The difference as a comment on a pull request: GitHub's Markdown, below its limit whatever the size.

Names, values and sentences come from whoever wrote the change. Each stands in a code span of its own, on one line:
there is no Markdown and no HTML in it, no mention, no reference, no link, and it ends where this module says.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..words import count, short_type
from .document import Document, Entry, Finding, StackDiff, Widening

#: By this the comment is found again, to be written anew.
MARKER = "<!-- runbook-diff -->"

#: GitHub refuses 65,536 characters and more; this is in bytes, which are never fewer.
LIMIT = 64_000

#: A name or value is cut here, so that no line takes much of the room.
_LONGEST = 400

#: Kept for what must be said whatever was left out.
_RESERVE = 700

_BACKTICKS = re.compile(r"`+")

_SIGNS = {"added": "+", "removed": "\u2212", "replaced": "\u00b1", "changed": "~", "moved": "\u2192"}


@dataclass(frozen=True, slots=True)
class _Part:
    """A headline and its lines. ``folded``: the reader opens it; ``headline`` holds no text of the change."""

    headline: str
    lines: Sequence[str]
    folded: bool = False


def text(document: Document, *, link: str | None = None, commit: str | None = None) -> str:
    """The comment. ``link``: where the whole document is; ``commit``: the full hash that was compared.

    What is lost, allowed, opened and refused comes first, for all stacks; then the rest, folded, as far as it fits.
    """
    lines = [MARKER, f"## {_verdict(document)}", ""]
    if commit:
        lines += [f"Commit {code(commit)}, compared with its base by the change's own code, without an account.", ""]
    lines += [*_table(document), ""]
    room = LIMIT - _RESERVE - _bytes(lines)
    cut = False
    parts = [part for stack in document.stacks for part in _urgent(stack)]
    parts += [part for stack in document.stacks for part in _details(stack)]
    for part in parts:
        written, whole = _fitted(part, room)
        cut = cut or not whole
        lines += written
        room -= _bytes(written)
    where = f"[the artefact of this run]({link})" if link else "the artefact of this run"
    told = "Cut to what a comment can hold; all of it is in" if cut else "The same as data is in"
    lines.append(f"{told} {where}.")
    return "\n".join(lines) + "\n"


def code(value: str) -> str:
    """``value`` as a code span: one line, no control or invisible characters, no end before its own."""
    plain = "".join(" " if sign.isspace() else sign for sign in value)
    plain = "".join("\ufffd" if unicodedata.category(sign)[0] == "C" else sign for sign in plain)
    plain = " ".join(plain.split())
    if len(plain) > _LONGEST:
        plain = plain[: _LONGEST - 1] + "\u2026"
    fence = "`" * (max((len(run) for run in _BACKTICKS.findall(plain)), default=0) + 1)
    pad = " " if not plain or plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain or '(empty)'}{pad}{fence}"


def _verdict(document: Document) -> str:
    if any(stack.fault for stack in document.stacks):
        return "\u274c A stack cannot be previewed"
    if document.refused:
        return "\u274c Refused: a mandatory rule is broken"
    if any(stack.losses or stack.grants or stack.openings for stack in document.stacks):
        return "\u26a0\ufe0f Clean, but look closely"
    if all(stack.same for stack in document.stacks):
        return "\u2705 Nothing changes"
    return "\u2705 Clean"


def _table(document: Document) -> Iterator[str]:
    """The counts. A stack's name is the only text of the change, and it stays a plain word."""
    yield "| Stack | Resources | Added | Changed | Replaced | Removed | Moved | New findings | Fixed | Waived |"
    yield "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |"
    for stack in document.stacks[:50]:
        numbers = [len(stack.of(op)) for op in ("added", "changed", "replaced", "removed", "moved")]
        numbers += [len(stack.new), len(stack.fixed), len(stack.waived)]
        size = f"{stack.resources[0]:,} \u2192 {stack.resources[1]:,}"
        yield f"| {_word(stack.stack)} | {size} | " + " | ".join(f"{n:,}" for n in numbers) + " |"


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "?", text)[:60] or "?"


def _urgent(stack: StackDiff) -> Iterator[_Part]:
    name = _word(stack.stack)
    if stack.fault:
        yield _Part(f"{name} cannot be previewed", [f"- {code(line)}" for line in stack.fault])
    if stack.note:
        yield _Part(f"{name}", [f"- {code(stack.note)}"])
    if stack.rules[1] < stack.rules[0]:
        yield _Part(f"{name}: there are fewer rules", [f"- {stack.rules[0]:,} before, {stack.rules[1]:,} now"])
    if stack.losses:
        lines = [line for entry in stack.losses for line in _entry(entry)]
        yield _Part(f"{name}: {count(len(stack.losses), 'resource')} with data deleted or replaced", lines)
    if existing := [grant for grant in stack.grants if not grant.fresh]:
        yield _Part(f"{name}: more is allowed than before", list(map(_widening, existing)))
    if stack.openings:
        yield _Part(f"{name}: open to the world", list(map(_widening, stack.openings)))
    if stack.new:
        yield _Part(f"{name}: {count(len(stack.new), 'new finding')}", list(map(_finding, stack.new)))


def _details(stack: StackDiff) -> Iterator[_Part]:
    name = _word(stack.stack)
    kinds = (("replaced", "replaced"), ("removed", "removed"), ("changed", "changed"), ("added", "added"))
    for op, word in (*kinds, ("moved", "moved, and otherwise as before")):
        entries = [entry for entry in stack.entries if entry.op == op and not entry.loses_state]
        if entries:
            lines = [line for entry in entries for line in _entry(entry)]
            yield _Part(f"{name}: {count(len(entries), 'resource')} {word}", lines, folded=True)
    fresh = [grant for grant in stack.grants if grant.fresh]
    for title, lines in (
        ("allowed by new resources", list(map(_widening, fresh))),
        ("fixed", list(map(_finding, stack.fixed))),
        ("waived", list(map(_finding, stack.waived))),
        ("no longer judged", [f"- {code(each)}" for each in stack.unjudged]),
    ):
        if lines:
            yield _Part(f"{name}: {len(lines):,} {title}", lines, folded=True)


def _entry(entry: Entry) -> Iterator[str]:
    facts = [
        "**protected: the engine refuses**" if entry.protected and entry.op in ("removed", "replaced") else "",
        "stays in the account" if entry.retained and entry.op == "removed" else "",
        f"was {code(entry.was)}" if entry.was else "",
        *map(code, entry.because),
    ]
    about = "".join(f"; {fact}" for fact in facts if fact)
    yield f"- {_SIGNS[entry.op]} {code(f'{short_type(entry.type)} {entry.name}')} {entry.op}{about}"
    for change in entry.changes:
        before, after = (code(value) if value is not None else "*not set*" for value in (change.before, change.after))
        yield f"  - {code(change.path)}: {before} \u2192 {after}{' **replaces**' if change.replaces else ''}"


def _widening(widening: Widening) -> str:
    name = code(f"{short_type(widening.type)} {widening.name}")
    return f"- {name}{' (new)' if widening.fresh else ''}: {code(widening.sentence)}"


def _finding(finding: Finding) -> str:
    where = f" at {code(f'{finding.file}:{finding.line}')}" if finding.file else ""
    about = f" on {code(finding.resource)}" if finding.resource else ""
    waiver = f"; waived by {code(finding.waiver)}" if finding.waiver else ""
    was = f"; was {code(finding.was)}" if finding.was else ""
    level = "**mandatory**" if finding.mandatory else "waived" if finding.waiver else "advisory"
    return (
        f"- {level} {code(finding.severity)} {code(finding.rule)}{about}{where}: {code(finding.sentence)}{waiver}{was}"
    )


def _fitted(part: _Part, room: int) -> tuple[list[str], bool]:
    """The part as far as it fits, and whether that is all of it; its headline says how much there is."""
    head = ["<details>", f"<summary>{part.headline}</summary>", ""] if part.folded else [f"### {part.headline}", ""]
    tail = ["", "</details>", ""] if part.folded else [""]
    more = "- and {:,} more lines"
    room -= _bytes([*head, *tail, more.format(10**9)])
    if room < 0:
        return [], False
    taken: list[str] = []
    for line in part.lines:
        room -= _bytes([line])
        if room < 0:
            return [*head, *taken, more.format(len(part.lines) - len(taken)), *tail], False
        taken.append(line)
    return [*head, *taken, *tail], True


def _bytes(lines: Iterable[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)
