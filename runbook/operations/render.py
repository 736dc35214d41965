"""A plan for a person: what each call changes, the call itself, and what to do next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from ..console import Page
from ..words import count
from .plan import Step, shown
from .procedure import Done, Facts, Failed, Look, Planned, Stage, Waiting


def plan(title: str, steps: Sequence[Step], page: Page) -> Iterator[Text]:
    """The steps, numbered from 1."""
    yield Text(title, "bold")
    for number, step in enumerate(steps, 1):
        head = Text(f"{number:>4}  ", "bold cyan")
        yield from page.hang(head, Text(step.changes))
        yield Text(f"      {step.call}", "blue")
        for name, value in shown(step):
            yield from page.hang(Text(f"        {name}  ", "dim"), Text(value, "dim"))


def done(number: int, total: int) -> Text:
    """Told after each step."""
    return Text(f"Step {number} of {total} is done.", "green")


def closing(steps: Sequence[Step], *, applied: bool, journal: Path, commands: Sequence[str]) -> Iterator[Text]:
    """The outcome and, once everything is there, the commands that follow."""
    yield Text()
    if steps and not applied:
        yield Text(f"{count(len(steps), 'call')} would change this. Nothing was changed; --apply makes them.", "yellow")
        return
    if steps:
        yield Text(f"{count(len(steps), 'call')} made; the journal is {journal}.", "green")
    else:
        yield Text("Nothing to do: everything is as it should be.", "green")
    yield Text("Next:")
    for command in commands:
        yield Text(f"  {command}")


def survey(title: str, planned: Sequence[Planned], page: Page) -> Iterator[Text]:
    """The stages of a procedure, numbered from 1, and how each stands."""
    yield Text(title, "bold")
    for number, one in enumerate(planned, 1):
        mark, style = _standing(one.state)
        head = Text(f"{number:>4}  ", "bold cyan")
        yield from page.hang(head, Text.assemble(one.stage.changes, " ", (f"[{mark}]", style)))
        if isinstance(one.state, Done) or one.stage.call == "check":
            continue
        yield Text(f"      {one.stage.call}", "blue")
        for name, value in one.arguments.items():
            yield from page.hang(Text(f"        {name}  ", "dim"), Text(_json(value), "dim"))


def told(stage: Stage, look: Look) -> Text:
    """Told whenever a stage's standing changes."""
    mark, style = _standing(look)
    return Text.assemble(f"{stage.name}: ", (mark, style))


def ending(
    planned: Sequence[Planned], facts: Facts, *, applied: bool, journal: Path, commands: Sequence[str]
) -> Iterator[Text]:
    """The outcome, what was found out and the commands that follow."""
    yield Text()
    left = sum(not isinstance(one.state, Done) for one in planned)
    if not applied:
        outcome = f"{count(left, 'step')} to take. Nothing was changed; --apply takes them." if left else "All is done."
        yield Text(outcome, "yellow" if left else "green")
        return
    yield Text(f"{count(left, 'step')} taken; the journal is {journal}.", "green")
    for name, value in facts.items():
        yield Text(f"  {name}: {value if isinstance(value, str) else _json(value)}")
    if commands:
        yield Text("Next:")
    for command in commands:
        yield Text(f"  {command}")


def survey_document(planned: Sequence[Planned], facts: Facts, *, applied: bool) -> str:
    """The stages for a machine, in order, and what they found out."""
    stages = [
        {
            "actions": list(one.stage.action),
            "arguments": one.arguments,
            "call": one.stage.call,
            "changes": one.stage.changes,
            "name": one.stage.name,
            "state": _standing(one.state)[0],
        }
        for one in planned
    ]
    data = {"applied": applied, "facts": dict(facts), "stages": stages}
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False, default=str) + "\n"


def _standing(look: Look | None) -> tuple[str, str]:
    match look:
        case Done():
            return "done", "green"
        case Waiting(why):
            return f"waiting: {why}", "yellow"
        case Failed(why):
            return f"failed: {why}", "red"
        case _:
            return "to do", "yellow"


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
