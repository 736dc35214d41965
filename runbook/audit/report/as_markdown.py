"""A page for a person, short enough for a comment: the verdict, what changed, what refuses, what is waived."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ...words import count
from .changes import Change, Changes
from .model import Judgement, Report, StackAudit, Status, answered, gravity, refusals

#: So many lines a part; the other reports have the rest.
_LINES = 20

_SPECIAL = re.compile(r"([\\`*_\[\]#|~$])")


def text(report: Report) -> str:
    """The page, with a newline at the end."""
    return "\n".join(_lines(report)).rstrip("\n") + "\n"


def _lines(report: Report) -> Iterator[str]:
    header = report.header
    yield f"# Audit of {_plain(header.project)}"
    yield ""
    if report.refused:
        yield f"**Refused**: {_plain(refusals(report))}."
    else:
        yield "**Clean**: no mandatory rule is broken."
    yield ""
    yield from _table(report.stacks)
    yield ""
    yield f"{header.time}, {_plain(str(header.source))}."
    if report.changes:
        yield from _changes(report.changes)
    judged = [(stack, each) for stack in report.stacks for each in stack.judgements]
    judged.sort(key=lambda pair: gravity(pair[1].rule.severity))  # stacks and rules keep their order within
    found = [pair for pair in judged if pair[1].status in (Status.FAIL, Status.EXPIRED)]
    yield from _part("Refused", [pair for pair in found if pair[1].mandatory])
    yield from _part("Advised", [pair for pair in found if not pair[1].mandatory])
    yield from _part("Waived", [pair for pair in judged if pair[1].status is Status.WAIVED])
    yield from _part("Not evaluated", [pair for pair in judged if pair[1].status is Status.NOT_EVALUATED])


def _table(stacks: Sequence[StackAudit]) -> Iterator[str]:
    yield f"| stack | verdict | {' | '.join(Status)} |"
    yield f"| --- | --- |{' ---: |' * len(Status)}"
    for stack in stacks:
        verdict = "**refused**" if stack.audit.refused else "clean"
        numbers = " | ".join(f"{stack.count(status):,}" for status in Status)
        yield f"| {_plain(stack.name)} | {verdict} | {numbers} |"


def _changes(changes: Changes) -> Iterator[str]:
    lists = {
        "new": changes.new,
        "fixed": changes.fixed,
        "still there": changes.still,
        "waived": changes.waived,
        "not judged any more": changes.lost,
    }
    yield ""
    yield f"## Since {_plain(changes.since or 'the earlier audit')}"
    yield ""
    yield f"{', '.join(f'{len(members):,} {name}' for name, members in lists.items())}."
    if changes.first:
        yield f"Not audited before: {_plain(', '.join(changes.first))}."
    if changes.missing:
        yield f"Not audited now: {_plain(', '.join(changes.missing))}."
    for name in ("new", "fixed", "not judged any more"):
        if lists[name]:
            yield ""
            yield from _cut([_change(name, each) for each in lists[name]])


def _change(name: str, change: Change) -> str:
    subject = change.urn.rpartition("::")[2] if change.urn else "the stack"
    how = f" ({_plain(change.how)})" if change.how else ""
    return f"- {name}: {change.stack}: {_plain(subject)}: {_plain(change.sentence)}{how}"


def _part(title: str, found: Sequence[tuple[StackAudit, Judgement]]) -> Iterator[str]:
    if found:
        yield ""
        yield f"## {title}: {count(len(found), 'judgement')}"
        yield ""
        yield from _cut([_judgement(stack, judged) for stack, judged in found])


def _judgement(stack: StackAudit, judged: Judgement) -> str:
    at = judged.resource.declared_at if judged.resource else None
    where = f"{judged.subject}, {at}" if at else judged.subject
    said = " ".join(judged.said)
    if judged.waiver:
        said += f" {answered(judged.waiver, expired=judged.status is Status.EXPIRED)}"
    return (
        f"- **{judged.rule.severity}** {_plain(judged.rule.id)} in {_plain(stack.name)}: {_plain(said)} "
        f"({_plain(where)})"
    )


def _cut(lines: Sequence[str]) -> Iterable[str]:
    rest = len(lines) - _LINES
    return lines if rest <= 0 else (*lines[:_LINES], f"- and {rest:,} more")


def _plain(text: str) -> str:
    """As text: no mark-up, no HTML, no link, no line of its own."""
    escaped = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b")
