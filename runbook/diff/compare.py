"""Two snapshots -> the difference: by resource, by what is allowed and open, by finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policies.rulebook.rule import Severity

from ..preview.graph import STACK_TYPE
from . import grants, ingress, values
from .document import VERSION, Change, Document, Entry, Finding, StackDiff, Widening
from .nodes import Node, by_urn, paired
from .provider import IMMUTABLE, IMMUTABLE_WHERE, STATEFUL

_SEVERITIES = [severity.value for severity in Severity]

#: Of entries: what is lost first.
_OPS = ("removed", "replaced", "added", "changed", "moved")

#: Options that change what a deployment may do; the others only change how.
_OPTIONS = {"protect": "protect", "retained": "retainOnDelete"}


def compare(base: Mapping[str, Any], head: Mapping[str, Any], wanted: Sequence[str] = ()) -> Document:
    """The difference of two snapshots, stack by stack; of ``wanted`` stacks where some are named."""
    before, after = base["stacks"], head["stacks"]
    names = sorted((before.keys() | after.keys()) & (set(wanted) or before.keys() | after.keys()))
    return Document(version=VERSION, stacks=tuple(_stack(name, before.get(name), after.get(name)) for name in names))


def _stack(name: str, base: Mapping[str, Any] | None, head: Mapping[str, Any] | None) -> StackDiff:
    if head is None:
        note = "Its file is gone. What it deployed stays until `pulumi destroy`."
        return StackDiff(stack=name, refused=False, note=note)
    if "fault" in head:
        return StackDiff(stack=name, refused=True, fault=tuple(head["fault"]))
    told: str | None = None
    if base is None:
        told = "The stack is new."
    elif "fault" in base:
        told = "It cannot be previewed at the base, so everything is new here. " + " ".join(base["fault"])[:500]
    known = base if base and "fault" not in base else {"resources": [], "audit": {}}
    return _Comparison.of(known, head).told(name, told)


@dataclass(frozen=True, slots=True)
class _Comparison:
    base: Mapping[str, Node]
    head: Mapping[str, Node]
    pairs: Mapping[str, str]
    before: values.Symbols
    after: values.Symbols
    titles: Mapping[str, str]
    audits: tuple[Mapping[str, Any], Mapping[str, Any]]

    @classmethod
    def of(cls, base: Mapping[str, Any], head: Mapping[str, Any]) -> _Comparison:
        old, new = by_urn(base["resources"]), by_urn(head["resources"])
        pairs = paired(old, new)
        return cls(
            base=old,
            head=new,
            pairs=pairs,
            before=values.Symbols(old.values(), {was: now for now, was in pairs.items()}),
            after=values.Symbols(new.values(), {}),
            titles={urn: node.title for urn, node in {**old, **new}.items()},
            audits=(base["audit"], head["audit"]),
        )

    def told(self, name: str, note: str | None) -> StackDiff:
        new, fixed, waived = self._findings()
        allowed, opened = list(self._grants()), list(self._openings())
        missed = [{(each["rule"], each["urn"]) for each in audit.get("notEvaluated", ())} for audit in self.audits]
        return StackDiff(
            stack=name,
            refused=self.audits[1]["verdict"] == "refused",
            note=note,
            resources=tuple(sum(node.custom for node in nodes.values()) for nodes in (self.base, self.head)),
            rules=(self.audits[0].get("rules", self.audits[1]["rules"]), self.audits[1]["rules"]),
            entries=tuple(sorted(self._entries(), key=_gravest_first)),
            grants=tuple(sorted(allowed, key=_existing_first)),
            openings=tuple(sorted(opened, key=_existing_first)),
            new=new,
            fixed=fixed,
            waived=waived,
            unjudged=tuple(
                f"{rule}: {self.titles.get(urn or '', 'the stack as a whole')}"
                for rule, urn in sorted(missed[1] - missed[0], key=str)
            ),
        )

    def _matched(self) -> Iterator[tuple[Node | None, Node]]:
        for urn, node in self.head.items():
            yield self.base.get(self.pairs.get(urn, "")), node

    def _entries(self) -> Iterator[Entry]:
        kept = set(self.pairs.values())
        for urn, node in self.base.items():
            if urn not in kept:
                yield _entry("removed", node)
        replaced: set[str] = set()
        for old, new in self._matched():
            if old is None:
                yield _entry("added", new)
                continue
            changes = tuple(self._changes(old, new))
            because = tuple(self._because(new, replaced))
            if because or any(change.replaces for change in changes):
                replaced.add(new.urn)
                yield _entry("replaced", new, old, changes, because)
            elif changes:
                yield _entry("changed", new, old, changes)
            elif old.urn != new.urn:
                yield _entry("moved", new, old)

    def _changes(self, old: Node, new: Node) -> Iterator[Change]:
        for path, was, now in _differences(old, new, self.before, self.after):
            secure = path[0] == "value" and "SecureString" in (old.inputs.get("type"), new.inputs.get("type"))
            before, after = values.shown(path, was, now, self.titles, hidden=secure)
            yield Change(path=values.dotted(path), before=before, after=after, replaces=_replaces(new, path))
        for option, wire in _OPTIONS.items():
            given, wanted = getattr(old, option), getattr(new, option)
            if given is not wanted:
                yield Change(path=f"options.{wire}", before=str(given).lower(), after=str(wanted).lower())

    def _because(self, node: Node, replaced: set[str]) -> Iterator[str]:
        """The immutable properties that refer to a resource which is replaced, and so gets another id."""
        for prop, urns in sorted(node.depends.items()):
            if _replaces(node, (prop,)) and replaced.intersection(urns):
                referred = values.refers_to(self.after.read(node.inputs.get(prop)))
                for urn in sorted(replaced & referred):
                    yield f"{prop} refers to {self.titles[urn]}, which is replaced"

    def _grants(self) -> Iterator[Widening]:
        for old, new in self._matched():
            if old is None or old.inputs != new.inputs:
                for path, sentence in grants.widened(old, new, self.before, self.after):
                    yield _widening(new, path, values.named(sentence, self.titles), old)

    def _openings(self) -> Iterator[Widening]:
        for old, new in self._matched():
            known = ingress.openings(old) if old else {}
            for sentence, path in ingress.openings(new).items():
                if sentence not in known:
                    yield _widening(new, path, sentence, old)

    def _findings(self) -> tuple[tuple[Finding, ...], tuple[Finding, ...], tuple[Finding, ...]]:
        """New or graver ones, those that are gone, and all that somebody answers for."""
        called = {was: now for now, was in self.pairs.items()}
        old = self._by_identity(self.audits[0], self.before, called)
        new = self._by_identity(self.audits[1], self.after, {})
        come: list[Finding] = []
        waived: list[Finding] = []
        for identity, entry in new.items():
            was = old.get(identity)
            finding = _finding(entry, self.titles, _standing(was) if was else None)
            if entry["waiver"]:
                waived.append(finding)
            elif was is None or _STANDINGS.index(_standing(entry)) > _STANDINGS.index(_standing(was)):
                come.append(finding)
        gone = [_finding(entry, self.titles) for identity, entry in old.items() if identity not in new]
        ordered = [tuple(sorted(each, key=_worst_first)) for each in (come, gone, waived)]
        return ordered[0], ordered[1], ordered[2]

    def _by_identity(
        self, audit: Mapping[str, Any], symbols: values.Symbols, called: Mapping[str, str]
    ) -> dict[tuple[str, str, str, int], Mapping[str, Any]]:
        """Findings by rule, resource and sentence; the same one twice is two."""
        found: dict[tuple[str, str, str, int], Mapping[str, Any]] = {}
        for entry in audit.get("findings", ()):
            urn = entry["urn"] or ""
            key = (entry["rule"], called.get(urn, urn), symbols.read(entry["sentence"]))
            number = sum(each[:3] == key for each in found)
            found[(*key, number)] = entry
        return found


_STANDINGS = ("waived", "advisory", "mandatory")


def _standing(entry: Mapping[str, Any]) -> str:
    return "waived" if entry["waiver"] else "mandatory" if entry["mandatory"] else "advisory"


def _differences(
    old: Node, new: Node, before: values.Symbols, after: values.Symbols
) -> Iterator[tuple[values.Path, Any, Any]]:
    """Where the inputs differ, but for what the resource is told to ignore; their stand-ins are read."""
    for prop in sorted(old.inputs.keys() | new.inputs.keys()):
        was, now = (node.inputs.get(prop, values.MISSING) for node in (old, new))
        if was == now and type(was) is type(now):
            continue
        was, now = before.read(was), after.read(now)
        for path, left, right in values.differences(was, now, (prop,)):
            if not _under(path, new.ignored):
                yield path, left, right


def _replaces(node: Node, path: values.Path) -> bool:
    if not node.custom:
        return False
    switch, switched = IMMUTABLE_WHERE.get(node.type, ("", frozenset()))
    fixed = IMMUTABLE.get(node.type, frozenset()) | (switched if node.inputs.get(switch) is True else frozenset())
    plain = [part for part in path if not part.startswith("[")]
    whole = any(".".join(plain[:end]) in fixed for end in range(1, len(plain) + 1))
    return whole or (path[0] == "region" and node.type.startswith("aws:")) or _under(path, node.replacing)


def _under(path: values.Path, patterns: Sequence[str]) -> bool:
    """Whether a property path of an option (``tags``, ``a.b``, ``*``) names ``path`` or what it is in."""
    told = values.dotted(path)
    return any(
        pattern == "*" or told == pattern or told.startswith((f"{pattern}.", f"{pattern}[")) for pattern in patterns
    )


def _entry(
    op: Any, node: Node, old: Node | None = None, changes: tuple[Change, ...] = (), because: tuple[str, ...] = ()
) -> Entry:
    standing = old or node  # what is deployed decides what a deletion meets
    return Entry(
        op=op,
        urn=node.urn,
        type=node.type,
        name=node.name,
        was=_place(old) if old and old.urn != node.urn else None,
        stateful=node.type in STATEFUL,
        protected=standing.protect,
        retained=standing.retained,
        because=because,
        changes=changes,
    )


def _place(node: Node) -> str:
    parent = (node.parent or "").split("::", 3)
    where = f" in {parent[3]}" if len(parent) == 4 and parent[2] != STACK_TYPE else ""
    return f"{node.title}{where}"


def _widening(node: Node, path: str, sentence: str, old: Node | None) -> Widening:
    return Widening(type=node.type, name=node.name, path=path, sentence=sentence, fresh=old is None)


def _finding(entry: Mapping[str, Any], titles: Mapping[str, str], was: str | None = None) -> Finding:
    waiver = entry["waiver"]
    return Finding(
        rule=entry["rule"],
        severity=entry["severity"],
        mandatory=entry["mandatory"],
        sentence=entry["sentence"],
        resource=titles.get(entry["urn"] or ""),
        file=entry["file"],
        line=entry["line"],
        waiver=f"{waiver['owner']} until {waiver['expires']} ({waiver['ticket']})" if waiver else None,
        was=was,
    )


def _gravest_first(entry: Entry) -> tuple[bool, int, str, str]:
    return not entry.loses_state, _OPS.index(entry.op), entry.type, entry.urn


def _existing_first(widening: Widening) -> tuple[bool, str, str, str, str]:
    return widening.fresh, widening.type, widening.name, widening.path, widening.sentence


def _worst_first(finding: Finding) -> tuple[bool, int, str, str, str]:
    severity = _SEVERITIES.index(finding.severity) if finding.severity in _SEVERITIES else 0
    return not finding.mandatory, -severity, finding.rule, finding.resource or "", finding.sentence
