"""What is different from an earlier audit, which is read from its JSON: a report's, or what ``--json`` printed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from policies.rulebook.waivers import Waiver

from ...errors import UserError
from .. import document
from .model import StackAudit, Status

#: A rule's id and the URN it is about, or None for the stack.
Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A finding of one of the two audits. ``how``: what became of it, where that is not plain from its list."""

    stack: str
    rule: str
    urn: str | None
    sentence: str
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The findings of both audits, each in one list, stack by stack.

    ``new``: not found before; ``still``: found before; ``waived``: covered by a waiver now, found before or not;
    ``fixed``: judged again and not found; ``lost``: found before and not judged now, so nobody knows.
    ``since``: time and commit of the earlier audit, where its document tells them; ``first``: stacks that it had not;
    ``missing``: stacks that only it had.
    """

    since: str
    new: tuple[Change, ...]
    still: tuple[Change, ...]
    waived: tuple[Change, ...]
    fixed: tuple[Change, ...]
    lost: tuple[Change, ...]
    first: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier audit: stack -> rule and URN -> sentences, each as often as it was found."""

    since: str
    found: Mapping[str, Mapping[Key, Counter[str]]]


@dataclass(slots=True)
class _Lists:
    new: list[Change] = field(default_factory=list)
    still: list[Change] = field(default_factory=list)
    waived: list[Change] = field(default_factory=list)
    fixed: list[Change] = field(default_factory=list)
    lost: list[Change] = field(default_factory=list)


def read(path: Path) -> Earlier:
    """The earlier audit in ``path``. Raises UserError where it cannot be read or is of another version."""
    way_out = "Name a report that `runbook audit --report json` wrote, or leave the comparison out."
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"There is no earlier audit at {path}.", way_out) from None
    except (OSError, ValueError):
        raise UserError(f"{path} cannot be read as JSON, so nothing can be compared with it.", way_out) from None
    seen = data.get("version") if isinstance(data, dict) else None
    if seen != document.VERSION:
        raise UserError(f"{path} is no audit of version {document.VERSION}, so nothing can be compared.", way_out)
    try:
        header = data.get("header", {})
        told = [header["time"], (header["commit"] or "")[:12]] if header else []
        return Earlier(
            since=" at commit ".join(part for part in told if part),
            found={str(stack["stack"]): _keyed(stack["findings"]) for stack in data["stacks"]},
        )
    except (AttributeError, KeyError, TypeError):
        raise UserError(f"{path} lacks parts of an audit, so nothing can be compared with it.", way_out) from None


def changes(earlier: Earlier, stacks: Iterable[StackAudit]) -> Changes:
    """Compares by rule and URN: a fault that is only told in other words is still there."""
    lists = _Lists()
    names = []
    for stack in stacks:
        names.append(stack.name)
        _compare(stack, earlier.found.get(stack.name, {}), lists)
    return Changes(
        since=earlier.since,
        new=tuple(lists.new),
        still=tuple(lists.still),
        waived=tuple(lists.waived),
        fixed=tuple(lists.fixed),
        lost=tuple(lists.lost),
        first=tuple(name for name in names if name not in earlier.found),
        missing=tuple(name for name in earlier.found if name not in names),
    )


def _compare(stack: StackAudit, before: Mapping[Key, Counter[str]], lists: _Lists) -> None:
    now: dict[Key, Counter[str]] = {}
    waivers: dict[Key, Waiver] = {}
    for finding in stack.audit.findings:
        key = (finding.rule.id, finding.resource.urn if finding.resource else None)
        now.setdefault(key, Counter())[finding.sentence] += 1
        if finding.waiver:
            waivers[key] = finding.waiver
    for key in dict.fromkeys([*now, *before]):
        seen, known = now.get(key, Counter()), before.get(key, Counter())
        same = seen & known
        added, gone = _sentences(seen - same), _sentences(known - same)
        if key in waivers:
            until = f"until {waivers[key].expires}"
            lists.waived += [_change(stack, key, sentence, until) for sentence in _sentences(seen)]
            continue
        both = min(len(added), len(gone))  # the same fault in other words
        lists.still += [_change(stack, key, sentence) for sentence in (*_sentences(same), *added[:both])]
        lists.new += [_change(stack, key, sentence) for sentence in added[both:]]
        unjudged = _unjudged(stack, key)
        ended = lists.lost if unjudged else lists.fixed
        ended += [_change(stack, key, sentence, unjudged or _how(stack, key)) for sentence in gone[both:]]


def _unjudged(stack: StackAudit, key: Key) -> str:
    """Why a finding that is not found any more may be there all the same; empty where it was judged."""
    rule, urn = key
    judgements = stack.by_rule.get(rule)
    if judgements is None:
        return "the rule is gone"
    if any(judged.status is Status.NOT_EVALUATED and judged.urn in (urn, None) for judged in judgements):
        return "it could not be judged"
    return ""


def _how(stack: StackAudit, key: Key) -> str:
    urn = key[1]
    return "the resource is gone" if urn and urn not in stack.graph.by_urn else ""


def _change(stack: StackAudit, key: Key, sentence: str, how: str = "") -> Change:
    return Change(stack=stack.name, rule=key[0], urn=key[1], sentence=sentence, how=how)


def _sentences(counted: Counter[str]) -> list[str]:
    return sorted(counted.elements())


def _keyed(findings: Iterable[Mapping[str, Any]]) -> dict[Key, Counter[str]]:
    found: dict[Key, Counter[str]] = {}
    for key, sentence in _told(findings):
        found.setdefault(key, Counter())[sentence] += 1
    return found


def _told(findings: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Key, str]]:
    for finding in findings:
        urn = finding["urn"]
        yield (str(finding["rule"]), None if urn is None else str(urn)), str(finding["sentence"])
