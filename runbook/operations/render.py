"""A plan for a person: what each call changes, the call itself, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.text import Text

from ..console import Page
from ..words import count
from .plan import Step, shown


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
