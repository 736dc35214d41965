"""Every demand of the run books and what meets it: what ``runbook audit --coverage`` prints.

The rulebook says what should meet a demand; here that is looked up in captured graphs and in the commands there are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.text import Text

from policies.rulebook.rule import Rule
from policies.rulebook.runbook import Demand, RunBook, rules_of

from ..console import Page
from ..preview.graph import Graph
from ..words import count, short_type

#: Grows when a key goes or changes its meaning; a new key leaves it as it is.
VERSION = 1

#: ``covered``: code meets it; ``partly``: code meets some of it; ``people``: it is for people; ``open``: nothing does.
State = Literal["covered", "partly", "people", "open"]

_STATES: Mapping[State, tuple[str, str]] = {
    "covered": ("green", "met by code"),
    "partly": ("yellow", "met in part"),
    "people": ("cyan", "for people"),
    "open": ("bold red", "open"),
}


@dataclass(frozen=True, slots=True)
class Declaration:
    """What should be declared (``ec2.FlowLog``), and the stacks among those looked at that declare it."""

    name: str
    stacks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A demand and where it leads. ``gaps``: what is missing, in words."""

    demand: Demand
    rules: tuple[str, ...]
    declared: tuple[Declaration, ...]
    done: tuple[str, ...]
    gaps: tuple[str, ...]

    @property
    def state(self) -> State:
        """What is declared in none of the stacks meets nothing."""
        demand = self.demand
        if any(one.stacks for one in self.declared) or any((self.rules, self.done, demand.settings, demand.written)):
            return "partly" if self.gaps else "covered"
        return "people" if demand.manual else "open"


def traces(
    books: Sequence[RunBook], rules: Iterable[Rule], graphs: Sequence[Graph], commands: Collection[str]
) -> tuple[Trace, ...]:
    """One trace a demand. ``commands``: the sub-commands there are, as ``command_names`` lists them.

    Raises ValueError for a rule whose sentence quotes no demand.
    """
    known = {rule.id: rule for rule in rules}
    by_demand = rules_of(books, known.values())
    stacks_of = _declared(graphs)
    return tuple(
        _trace(demand, by_demand[demand.id], known, stacks_of, commands, [graph.stack for graph in graphs])
        for book in books
        for demand in book.demands
    )


def command_names(command: Any, *above: str) -> Iterator[str]:
    """``backup status``, … of a Click command and all below it."""
    members: Mapping[str, Any] | None = getattr(command, "commands", None)
    if members is None:
        yield " ".join(above)
    else:
        for name, member in members.items():
            yield from command_names(member, *above, name)


def lines(books: Sequence[RunBook], traced: Sequence[Trace], page: Page) -> Iterator[Text]:
    """Run book by run book and section by section: each demand and where it leads; then the sums, then what is open."""
    by_demand = {trace.demand.id: trace for trace in traced}
    for book in books:
        yield Text.assemble((book.file, "bold"), ": ", sums(by_demand[demand.id] for demand in book.demands))
        for section in book.sections:
            if section.demands:
                yield Text()
                numbered = section.name.startswith("§")
                yield Text(f"  {section.name} {section.heading}" if numbered else f"  {section.name}", "bold")
            for demand in section.demands:
                yield from _lines(by_demand[demand.id], page)
        yield Text()
    yield Text.assemble(("The run books", "bold"), ": ", sums(traced))
    if still_open := [trace for trace in traced if trace.state == "open"]:
        yield Text()
        yield Text("No code meets", "bold red")
        for trace in still_open:
            yield from page.hang(
                Text(f"  {trace.demand.id:<9}"), Text(f"{trace.demand.quote.rstrip('.:')}: {_joined(trace.gaps)}")
            )


def sums(traced: Iterable[Trace]) -> str:
    """``24 demands: 20 met by code, 3 met in part, 1 for people, 0 open``."""
    counted = Counter(trace.state for trace in traced)
    states = ", ".join(f"{counted[state]} {words}" for state, (_, words) in _STATES.items())
    return f"{count(counted.total(), 'demand')}: {states}"


def document(books: Sequence[RunBook], traced: Sequence[Trace], stacks: Sequence[str]) -> str:
    """The traces as JSON, with sorted keys and a newline at the end. ``stacks``: those that were looked at."""
    by_demand = {trace.demand.id: trace for trace in traced}
    data = {
        "version": VERSION,
        "stacks": list(stacks),
        "counts": _counts(traced),
        "runBooks": [
            {
                "file": book.file,
                "sha256": book.sha256,
                "counts": _counts([by_demand[demand.id] for demand in book.demands]),
                "demands": [_entry(by_demand[demand.id]) for demand in book.demands],
            }
            for book in books
        ],
    }
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def _declared(graphs: Sequence[Graph]) -> Mapping[str, tuple[str, ...]]:
    """``ec2.FlowLog`` and ``ec2.FlowLog::network-flow`` -> the stacks that declare it."""
    found: dict[str, dict[str, None]] = {}
    for graph in graphs:
        for resource in graph.resources:
            kind = short_type(resource.type)
            for name in (kind, f"{kind}::{resource.name}"):
                found.setdefault(name, {})[graph.stack] = None
    return {name: tuple(stacks) for name, stacks in found.items()}


def _trace(
    demand: Demand,
    rules: Sequence[str],
    known: Collection[str],
    stacks_of: Mapping[str, tuple[str, ...]],
    commands: Collection[str],
    stacks: Sequence[str],
) -> Trace:
    absent = [name for name in demand.declared if name not in stacks_of]
    return Trace(
        demand=demand,
        rules=tuple(rule for rule in rules if rule in known),
        declared=tuple(Declaration(name, stacks_of.get(name, ())) for name in demand.declared),
        done=tuple(command for command in demand.done if command in commands),
        gaps=(
            *([demand.missing] if demand.missing else []),
            *(f"there is no rule {rule}" for rule in rules if rule not in known),
            *(f"{name} is not declared in {', '.join(stacks)}" for name in absent),
            *(f"there is no `runbook {command}`" for command in demand.done if command not in commands),
        ),
    )


def _lines(trace: Trace, page: Page) -> Iterator[Text]:
    demand = trace.demand
    style, words = _STATES[trace.state]
    head = Text.assemble("    ", (f"{demand.id:<9}", "dim"), (f"{words:<13}", style))
    yield from page.hang(head, Text(demand.quote))
    looked = {stack for one in trace.declared for stack in one.stacks}
    for name, fact in (
        ("rules", ", ".join(trace.rules)),
        ("declared", ", ".join(_shown(one, looked) for one in trace.declared if one.stacks)),
        ("done by", ", ".join(f"runbook {command}" for command in trace.done)),
        ("settings", ", ".join(demand.settings)),
        ("written", ", ".join(demand.written)),
        ("people", demand.manual),
        ("missing", _joined(trace.gaps)),
    ):
        if fact:
            yield from page.hang(Text(f"             {name:<13}", "dim"), Text(fact))


def _shown(one: Declaration, looked: Collection[str]) -> str:
    """Which stacks is said only where they are not all that declare anything of the demand."""
    return one.name if set(one.stacks) == looked else f"{one.name} ({', '.join(one.stacks)})"


def _joined(gaps: Iterable[str]) -> str:
    return "; ".join(gaps)


def _counts(traced: Sequence[Trace]) -> dict[str, int]:
    return {state: sum(trace.state == state for trace in traced) for state in _STATES}


def _entry(trace: Trace) -> dict[str, Any]:
    demand = trace.demand
    return {
        "id": demand.id,
        "section": demand.section,
        "lines": [demand.lines.first, demand.lines.last],
        "quote": demand.quote,
        "state": trace.state,
        "rules": list(trace.rules),
        "declared": [{"type": one.name, "stacks": list(one.stacks)} for one in trace.declared],
        "commands": list(trace.done),
        "settings": list(demand.settings),
        "documents": list(demand.written),
        "manual": demand.manual or None,
        "missing": list(trace.gaps),
    }
