"""``runbook backup``: how the backups stand, whether they are good, and one more now."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Apply, Environment, Folder, JournalFolder, Json, Permissions, Profile

if TYPE_CHECKING:
    from ..desk import Desk
    from ..operations.backup.estate import Estate

app = typer.Typer(help="How the backups stand, whether they are good, and one more now.", no_args_is_help=True)

CLEAN, UNWELL = 0, 1


class What(StrEnum):
    """What ``run`` backs up."""

    ALL = "all"
    DATABASE = "database"
    FILES = "files"
    REPOSITORY = "repository"
    STATE = "state"


@app.command()
def status(
    environment: Environment,
    days: Annotated[int, typer.Option(min=1, max=30, help="How many days of single jobs to list.")] = 7,
    permissions: Permissions = False,
    profile: Profile = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Say how old the newest backup of each kind is, and whether that is good enough.

    Reads only. Ends with 1 where something is late, failed or missing.
    """
    from .. import console, desk, streams
    from ..operations.backup import permissions as policies
    from ..operations.backup import report
    from ..operations.backup import status as operation
    from ..operations.backup.judge import is_well

    if permissions:
        raise typer.Exit(desk.show_permissions(policies.of_status(desk.site(environment, folder))))
    sitting = desk.sit_down(environment, folder, profile)
    with console.progress(f"Reading the backups of {environment}"):
        estate = _estate(sitting)
        found = operation.read(
            estate,
            sitting.clients(*operation.CLIENTS),
            sitting.clients(*operation.RECOVERY_CLIENTS, region=estate.recovery_region),
            _now(),
            days=days,
        )
    if json:
        streams.write(report.status_document(environment, found))
    else:
        output = console.output()
        console.show(output, report.status(environment, found, console.page_of(output)))
    raise typer.Exit(CLEAN if is_well(found.checks) else UNWELL)


@app.command()
def verify(
    environment: Environment,
    permissions: Permissions = False,
    profile: Profile = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Verify that the backups are complete, encrypted, copied, locked and readable.

    Reads only, and every file that it verifies; that may take minutes. Ends with 1 where something is wrong.
    """
    from .. import console, desk, streams
    from ..operations.backup import permissions as policies
    from ..operations.backup import report
    from ..operations.backup import verify as operation

    if permissions:
        raise typer.Exit(desk.show_permissions(policies.of_verify(desk.site(environment, folder))))
    sitting = desk.sit_down(environment, folder, profile)
    with console.progress(f"Verifying the backups of {environment}"):
        estate = _estate(sitting)
        found = operation.verify(
            estate,
            sitting.clients(*operation.CLIENTS),
            sitting.clients(*operation.RECOVERY_CLIENTS, region=estate.recovery_region),
            _now(),
        )
    if json:
        streams.write(report.findings_document(environment, found))
    else:
        output = console.output()
        console.show(output, report.findings(environment, found, console.page_of(output)))
    raise typer.Exit(UNWELL if any(one.faults for one in found) else CLEAN)


@app.command()
def run(
    environment: Environment,
    what: Annotated[What, typer.Option(help="What to back up.")] = What.ALL,
    name: Annotated[
        str | None,
        typer.Option(help="The run's name: one of the same name goes on where it stopped.", show_default="today, UTC"),
    ] = None,
    apply: Apply = False,
    permissions: Permissions = False,
    profile: Profile = None,
    journal: JournalFolder = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Back up now, beside what happens by itself every week.

    A dry run unless --apply is given. Whatever a run of the same name has done is not done again: another backup on the
    same day wants another --name.
    """
    from .. import desk, stacks
    from ..errors import UserError
    from ..operations.backup import permissions as policies
    from ..operations.backup import run as operation
    from ..operations.backup import state
    from ..operations.backup.estate import checked_name

    if permissions:
        raise typer.Exit(desk.show_permissions(policies.of_run(desk.site(environment, folder))))
    called = checked_name(name or f"{_now():%Y-%m-%d}")
    sitting = desk.sit_down(environment, folder, profile)
    estate = _estate(sitting)
    clients = sitting.clients(*operation.CLIENTS)
    parts = [part for part in operation.PARTS if what in (What.ALL, part)]
    title = f"Backup {called} of {environment}"
    if "state" in parts and not state.is_kept_in_s3(clients["s3"], estate):
        if what is What.STATE:
            raise UserError(state.elsewhere(estate), "There is nothing to back up. Nothing was changed.")
        parts.remove("state")
        title += f". {state.elsewhere(estate)}"
    desk.carry_out(
        title,
        list(operation.stages(estate, clients, parts, called, stacks.project_folder(folder))),
        clients,
        sitting.journal("backup", journal),
        apply=apply,
        as_json=json,
        following=(f"runbook backup status -e {environment}",),
    )
    raise typer.Exit(CLEAN)


def _estate(sitting: Desk) -> Estate:
    from ..operations.backup.estate import estate

    return estate(sitting.site, sitting.inventory)


def _now() -> datetime:
    return datetime.now(UTC)
