"""``runbook certificates``: whether any is about to end."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from ..options import Environment, Folder, Json, Permissions, Profile

app = typer.Typer(help="Certificates: how long each is good for.", no_args_is_help=True)

CLEAN, UNWELL = 0, 1


@app.callback()
def _family() -> None:
    """Keeps ``status`` a sub-command while it is the only one."""


@app.command()
def status(
    environment: Environment,
    permissions: Permissions = False,
    profile: Profile = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Say how long the certificates are good for: by ACM, by the hosts, and by what is really served.

    Reads only. Ends with 1 where one is late, failed or missing.
    """
    from .. import console, desk, streams
    from ..operations import certificates as operation

    if permissions:
        raise typer.Exit(desk.show_permissions(operation.permissions(desk.site(environment, folder))))
    sitting = desk.sit_down(environment, folder, profile)
    with console.progress(f"Reading the certificates of {environment}"):
        found = operation.read(
            sitting.site,
            sitting.inventory,
            sitting.clients(*operation.CLIENTS),
            operation.handshake,
            datetime.now(UTC),
        )
    if json:
        streams.write(operation.document(environment, found))
    else:
        output = console.output()
        console.show(output, operation.lines(environment, found, console.page_of(output)))
    raise typer.Exit(CLEAN if operation.is_well(found) else UNWELL)
