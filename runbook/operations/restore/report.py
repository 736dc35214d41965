"""A run's record for a person: the verdict, every check, and where the record lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from ...console import Page
from .evidence import Run

_STYLES = {"passed": "green", "failed": "red", "incomplete": "yellow"}


def record(run: Run, document: Mapping[str, Any], bucket: str, page: Page) -> Iterator[Text]:
    """``document``: the record, as the bucket holds it."""
    verdict = document["verdict"]
    yield Text()
    yield Text.assemble(f"{run.name}: ", (verdict, f"bold {_STYLES[verdict]}"))
    for check in document["checks"]:
        mark, style = {True: ("passed", "green"), False: ("failed", "red")}.get(
            check["passed"], ("not evaluated", "yellow")
        )
        head = Text.assemble("  ", (f"{mark:<14}", style))
        wanted = "" if check["found"] == check["wanted"] else f" (wanted: {check['wanted']})"
        yield from page.hang(head, Text(f"{check['name']}: {check['found']}{wanted}"))
    for trouble in document["troubles"]:
        yield from page.hang(Text("  "), Text(trouble, "red"))
    if document["resumed"]:
        yield Text("  The run was interrupted; the time until it went on counts as recovery time.", "yellow")
    yield Text(f"The record is s3://{bucket}/{run.record}.")


def orphans(environment: str, found: Sequence[tuple[str, str, str]], *, recovery: bool) -> Iterator[Text]:
    """Copies that other runs left, and the commands that finish them."""
    where = " --region recovery" if recovery else ""
    if found:
        yield Text("Other runs left copies, which cost money until they are finished:", "yellow")
    for identifier, run, expires in found:
        command = "drill restore" if run.startswith("drill-") else f"restore database{where}"
        yield Text(f"  runbook {command} -e {environment} --run {run} --apply   # {identifier}, due by {expires}")


def recovery(steps: Sequence[str]) -> Iterator[Text]:
    """What a person types to replace the database for good."""
    yield Text("To replace the database itself, which no command here does:")
    for step in steps:
        yield Text(f"  {step}")
