"""``runbook patch``: how the patches stand, and which of them prod may have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Apply, Environment, Folder, JournalFolder, Json, Permissions, Profile, stack_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.text import Text

    from ..operations.patching.promote import Verdict
    from ..operations.patching.stack_file import Edit

app = typer.Typer(help="How the patches stand, and which of them prod may have.", no_args_is_help=True)

CLEAN, UNWELL = 0, 1


@app.command()
def status(
    environment: Environment,
    permissions: Permissions = False,
    profile: Profile = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Say of each machine which patches are missing, failed or wait for a restart, and when patches were installed.

    Reads only. Ends with 1 where a machine is behind, or the weekly run did not happen.
    """
    from .. import console, desk, streams
    from ..operations.patching import permissions as policies
    from ..operations.patching import status as operation

    if permissions:
        raise typer.Exit(desk.show_permissions(policies.of_status(desk.site(environment, folder))))
    sitting = desk.sit_down(environment, folder, profile)
    with console.progress(f"Reading the patches of {environment}"):
        found = operation.read(sitting.clients(*operation.CLIENTS), sitting.inventory("patching"), _now())
    if json:
        streams.write(operation.document(environment, found))
    else:
        output = console.output()
        console.show(output, operation.lines(environment, found, console.page_of(output)))
    raise typer.Exit(CLEAN if found.is_well else UNWELL)


@app.command()
def promote(
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="Where patches run first.", autocompletion=stack_names)
    ] = "staging",
    to: Annotated[str, typer.Option(help="The stack whose settings move on.", autocompletion=stack_names)] = "prod",
    days: Annotated[
        int | None,
        typer.Option(
            min=3, max=28, help="Days that they ran without an alarm.", show_default="patching.soak_days of --to"
        ),
    ] = None,
    apply: Apply = False,
    permissions: Permissions = False,
    profile: Profile = None,
    journal: JournalFolder = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Let prod have the patches, the image and the database's version that staging ran for some days without an alarm.

    A dry run unless --apply is given, which changes lines of prod's stack file and nothing in AWS: a review of the
    file and a deployment bring them into force. Ends with 1 where something speaks against it.
    """
    from settings.instance_classes import architecture

    from .. import console, desk, stacks, streams
    from ..errors import UserError
    from ..operations.patching import permissions as policies
    from ..operations.patching import promote as operation
    from ..operations.patching import stack_file

    if permissions:
        raise typer.Exit(desk.show_permissions(policies.of_promote(desk.site(environment, folder))))
    if environment == to:
        raise UserError(f"{to} cannot go before itself.", "Name two stacks with --environment and --to.")
    target = desk.site(to, folder)
    sitting = desk.sit_down(environment, folder, profile)
    first, then = sitting.site.settings, target.settings
    soak = days or then.patching.soak_days
    if soak < then.patching.soak_days:
        raise UserError(
            f"{soak} days are less than {to} asks for: patching.soak_days is {then.patching.soak_days}.",
            "Name that many --days or more.",
        )
    with console.progress(f"Looking at {soak} days of {environment}"):
        verdict = operation.verify(
            sitting.clients(*operation.CLIENTS),
            {component: sitting.inventory(component) for component in operation.COMPONENTS},
            _now(),
            days=soak,
            delay_days=first.patching.delay_days or 0,
        )
    changes: tuple[Edit, ...] = ()
    if verdict.level is not None:
        changes = operation.edits(
            verdict.level,
            until=then.patching.approve_until,
            image=then.web.image_id,
            engine_version=then.database.engine_version,
            architectures_match=architecture(first.web.instance_class) == architecture(then.web.instance_class),
        )
    project = stacks.project_folder(folder)
    path = project / f"Pulumi.{to}.yaml"
    before = path.read_text(encoding="utf-8")
    after = stack_file.edited(before, target.project, changes)
    if changes:
        _judge(project, to, after)
    if apply and changes:
        log = sitting.journal("patch", journal)
        facts = {"source": verdict.run.id if verdict.run else None, "days": soak}
        edits = {f"{one.section}.{one.key}": one.value for one in changes}
        log.write("begin", file=str(path), edits=edits, **facts)
        stack_file.write(path, after)
        log.write("end", file=str(path))
    if json:
        streams.write(_document(environment, to, verdict, changes, applied=apply))
    else:
        output = console.output()
        difference = list(stack_file.diff(before, after, path.name))
        console.show(output, _lines(environment, to, soak, verdict, difference, applied=apply))
    raise typer.Exit(UNWELL if verdict.reasons else CLEAN)


def _judge(project: Path, stack: str, text: str) -> None:
    """Raises UserError where the settings would be refused; the file itself is not touched."""
    import shutil
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from settings.load import check

    from ..desk import sentences

    with TemporaryDirectory() as name:
        beside = Path(name)
        for path in project.glob("Pulumi*.yaml"):
            shutil.copy(path, beside)
        (beside / f"Pulumi.{stack}.yaml").write_text(text, encoding="utf-8")
        with sentences():
            check(stack, beside)


def _lines(
    environment: str, to: str, days: int, verdict: Verdict, difference: list[str], *, applied: bool
) -> Iterator[Text]:
    from rich.text import Text

    yield Text(f"Patches that {environment} ran for {days} days, for {to}", "bold")
    for reason in verdict.reasons:
        yield Text(f"  - {reason}", "red")
    if verdict.run is not None:
        yield Text(f"  run {verdict.run.id}, {verdict.run.started:%Y-%m-%d %H:%M} UTC", "dim")
    for note in verdict.notes:
        yield Text(f"  {note}", "dim")
    for line in difference:
        yield Text(line, {"+": "green", "-": "red"}.get(line[:1], ""))
    if verdict.reasons:
        yield Text(f"Nothing is promoted: {environment} has to be without trouble first.", "bold red")
    elif not difference:
        yield Text(f"Nothing to do: {to} has all that {environment} ran.", "green")
    elif not applied:
        yield Text("Nothing was changed; --apply writes this.", "yellow")
    else:
        yield Text(f"Written. Next: review and merge Pulumi.{to}.yaml, then make up STACK={to}.", "green")


def _document(environment: str, to: str, verdict: Verdict, changes: tuple[Edit, ...], *, applied: bool) -> str:
    import json

    data = {
        "applied": applied and bool(changes),
        "changes": {f"{one.section}.{one.key}": one.value for one in changes},
        "from": environment,
        "notes": list(verdict.notes),
        "reasons": list(verdict.reasons),
        "run": verdict.run.id if verdict.run else None,
        "to": to,
    }
    return json.dumps(data, indent=4, sort_keys=True) + "\n"


def _now() -> datetime:
    return datetime.now(UTC)
