"""The score: of the mutants of some stacks, how many the rules notice, and which they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from policies.rulebook.resource import Context

from ..preview.graph import Graph, SourcePosition
from .judge import Judge
from .judgement import Entry, Judgement, first, short
from .mutants import Mutant, mutants


@dataclass(slots=True)
class Line:
    """What became of the mutants of one property under one operator.

    ``at``: the declarations of those that nobody noticed.
    """

    made: int = 0
    noticed: int = 0
    explained: Entry | None = None
    survivors: list[str] = field(default_factory=list)
    at: set[SourcePosition] = field(default_factory=set)


@dataclass(slots=True)
class Score:
    """Lines by type, path and operator. ``met``: the entries of the table that were of use.

    ``strange``: rule and type -> mutants it noticed though its ``types`` lack every type that differs; ``broken``: the
    same for rules that failed with an error.
    """

    lines: dict[tuple[str, str, str], Line] = field(default_factory=dict)
    met: set[Entry] = field(default_factory=set)
    strange: dict[tuple[str, str], int] = field(default_factory=dict)
    broken: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(
        self,
        graph: Graph,
        context: Context,
        judgement: Judgement,
        judge: Judge | None = None,
        *,
        types: Sequence[str] = (),
    ) -> None:
        """Adds the mutants of one stack. ``types``: patterns of short types; empty for all."""

        def wanted(token: str, path: str, operator: str) -> bool:
            if types and not any(fnmatchcase(short(token), pattern) for pattern in types):
                return False
            harmless = first(judgement.harmless, token, path, operator)
            if harmless is not None:
                self.met.add(harmless)
            return harmless is None

        judge = judge or Judge(graph, context)
        for mutant in mutants(graph, wanted):
            self._add(mutant, judge, judgement)

    def _add(self, mutant: Mutant, judge: Judge, judgement: Judgement) -> None:
        resource = mutant.resource
        line = self.lines.setdefault((short(resource.type), mutant.path, mutant.operator), Line())
        verdict = judge.verdict(mutant)
        line.made += 1
        for rules, counts in ((verdict.strange, self.strange), (verdict.broken, self.broken)):
            for rule in rules:
                key = (rule, short(resource.type))
                counts[key] = counts.get(key, 0) + 1
        if verdict.noticed:
            line.noticed += 1
            return
        entry = first(judgement.explained, resource.type, mutant.path, mutant.operator)
        if entry is not None:
            self.met.add(entry)
            line.explained = entry
        line.survivors.append(f"{resource.name} {mutant.label}")
        if resource.declared_at:
            line.at.add(resource.declared_at)

    @property
    def made(self) -> int:
        return sum(line.made for line in self.lines.values())

    @property
    def noticed(self) -> int:
        return sum(line.noticed for line in self.lines.values())

    @property
    def explained(self) -> int:
        return sum(len(line.survivors) for line in self.lines.values() if line.explained)

    @property
    def unexplained(self) -> int:
        return self.made - self.noticed - self.explained


def idle(scores: Iterable[Score], judgement: Judgement) -> tuple[Entry, ...]:
    """The entries of the table that no stack needs any more."""
    met = {entry for score in scores for entry in score.met}
    return tuple(entry for entry in (*judgement.harmless, *judgement.explained) if entry not in met)


def report(stack: str, score: Score, *, names: int = 3) -> Iterator[str]:
    """Survivors by property, strange and broken rules, reasons of the explained, and the sum as the last line."""
    last = ""
    for (token, path, operator), line in sorted(score.lines.items()):
        if not line.survivors or line.explained:
            continue
        if token != last:
            yield token
            last = token
        some = ", ".join(line.survivors[:names]) + (", …" if len(line.survivors) > names else "")
        where = " ".join(str(position) for position in sorted(line.at, key=str)[:2])
        yield f"  {path} {operator}: {line.noticed} of {line.made} noticed; not {some}  {where}"
    for word, counts in (("speaks of types that it does not list", score.strange), ("fails", score.broken)):
        for (rule, token), count in sorted(counts.items()):
            yield f"{rule} {word}: {token} ({count})"
    reasons: Counter[str] = Counter()
    for line in score.lines.values():
        if line.explained:
            reasons[line.explained.reason] += len(line.survivors)
    if reasons:
        yield "Explained, by reason:"
        yield from (f"  {count:4}  {reason}" for reason, count in reasons.most_common())
    percent = 100 * score.noticed / score.made if score.made else 100.0
    yield (
        f"{stack}: {score.noticed} of {score.made} mutants noticed ({percent:.1f} %), "
        f"{score.explained} explained, {score.unexplained} neither."
    )
