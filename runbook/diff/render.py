"""The difference for a person at a terminal: per stack, the gravest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from ..console import Page
from ..words import count, short_type
from .document import Document, Entry, Finding, StackDiff, Widening

_STYLES = {"added": "green", "removed": "red", "replaced": "magenta", "changed": "yellow", "moved": "cyan"}


def lines(document: Document, page: Page) -> Iterator[Text]:
    """All stacks, then one sentence for each."""
    for stack in document.stacks:
        if not stack.same or stack.waived:
            yield from _stack(stack, page)
            yield Text()
    for stack in document.stacks:
        yield from page.hang(Text(), _sums(stack))


def _sums(stack: StackDiff) -> Text:
    outcome = Text("refused", "bold red") if stack.refused else Text("clean", "bold green")
    told = [f"{len(entries):,} {op}" for op in _STYLES if (entries := [e for e in stack.entries if e.op == op])]
    facts = [", ".join(told) or "no resource changes"]
    if stack.losses:
        facts.append(f"{count(len(stack.losses), 'resource')} with data deleted or replaced")
    if existing := [each for each in (*stack.grants, *stack.openings) if not each.fresh]:
        facts.append(
            f"{count(len(existing), 'existing resource property', 'existing resource properties')} opened wider"
        )
    facts.append(f"{len(stack.new):,} new and {len(stack.fixed):,} fixed findings, {len(stack.waived):,} waived")
    if stack.fault:
        facts = ["it cannot be previewed"]
    return Text.assemble((stack.stack, "bold cyan"), ": ", outcome, f" ({'; '.join(facts)})")


def _stack(stack: StackDiff, page: Page) -> Iterator[Text]:
    yield Text(f"Changes of {stack.stack}", "bold")
    for line in (*stack.fault, *([stack.note] if stack.note else [])):
        yield from page.hang(Text("  "), Text(line, "red" if stack.fault else "yellow"))
    if stack.rules[0] != stack.rules[1]:
        yield Text(f"  {stack.rules[0]:,} rules before, {stack.rules[1]:,} now")
    for entry in stack.entries:
        yield from _entry(entry, page)
    yield from _titled("Allowed now", [_widening(each) for each in stack.grants], page)
    yield from _titled("Open to the world now", [_widening(each) for each in stack.openings], page)
    yield from _titled("New findings", [_finding(each) for each in stack.new], page)
    yield from _titled("Fixed", [_finding(each) for each in stack.fixed], page)
    yield from _titled("Waived", [_finding(each) for each in stack.waived], page)
    yield from _titled("No longer judged", stack.unjudged, page)


def _titled(title: str, told: Sequence[str], page: Page) -> Iterator[Text]:
    if told:
        yield Text(f"  {title}", "bold")
    for line in told:
        yield from page.hang(Text(f"    {page.signs.advice}"), Text(line))


def _entry(entry: Entry, page: Page) -> Iterator[Text]:
    facts = [
        "holds data" if entry.loses_state else "",
        "protected: the engine refuses" if entry.protected and entry.op in ("removed", "replaced") else "",
        "stays in the account" if entry.retained and entry.op == "removed" else "",
        f"was {entry.was}" if entry.was else "",
        *entry.because,
    ]
    about = "; ".join(fact for fact in facts if fact)
    title = f"{short_type(entry.type)} {entry.name}"
    yield from page.hang(
        Text(f"  {entry.op:<9}", _STYLES[entry.op]), Text(f"{title} ({about})" if about else title, "bold")
    )
    for change in entry.changes:
        before, after = ("(not set)" if value is None else value for value in (change.before, change.after))
        replaces = " (replaces)" if change.replaces else ""
        yield from page.hang(Text(" " * 13), Text(f"{change.path}: {before} -> {after}{replaces}"))


def _widening(widening: Widening) -> str:
    return f"{short_type(widening.type)} {widening.name}{' (new)' if widening.fresh else ''}: {widening.sentence}"


def _finding(finding: Finding) -> str:
    where = f" ({finding.resource})" if finding.resource else ""
    waiver = f"; waived by {finding.waiver}" if finding.waiver else ""
    level = "mandatory" if finding.mandatory else "waived" if finding.waiver else "advisory"
    return f"{level} {finding.severity} {finding.rule}{where}: {finding.sentence}{waiver}"
