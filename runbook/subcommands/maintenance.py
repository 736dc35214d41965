"""``runbook maintenance``: the page in front of the site, back again, and how that stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Apply, Environment, Folder, JournalFolder, Json, Permissions, Profile

if TYPE_CHECKING:
    from ..desk import Desk
    from ..operations.maintenance.changeover import Changeover

app = typer.Typer(help="The maintenance page: on, off, and how it stands.", no_args_is_help=True)

CLEAN, UNWELL = 0, 1


@app.command()
def on(
    environment: Environment,
    until: Annotated[
        str | None,
        typer.Option(help="When it ends: 2026-11-22T06:00, in the zone of changes.time_zone.", show_default=False),
    ] = None,
    override: Annotated[
        str, typer.Option(help="Why the change calendar is not heeded; it is on record.", show_default=False)
    ] = "",
    apply: Apply = False,
    permissions: Permissions = False,
    profile: Profile = None,
    journal: JournalFolder = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Put the maintenance page in front of the site until a time, at which it goes off by itself.

    A dry run unless --apply is given. Where the page is on, only its end moves. What does not show outside is taken
    back.
    """
    from .. import console, desk, streams
    from ..errors import UserError
    from ..operations import render
    from ..operations.maintenance import permissions as policies
    from ..operations.maintenance.until import checked_reason, parse, shown
    from ..operations.procedure import Look, Stage

    if permissions:
        raise typer.Exit(desk.show_permissions(policies.of_on(desk.site(environment, folder))))
    if until is None:
        raise UserError(
            "The end is missing.", f"Write: runbook maintenance on -e {environment} --until 2026-11-22T06:00"
        )
    reason = checked_reason(override)
    zone = desk.site(environment, folder).settings.changes.time_zone
    end = parse(until, zone, _now())
    sitting = desk.sit_down(environment, folder, profile)
    changeover, written = _changeover(sitting), sitting.journal("maintenance", journal)
    try:
        desk.carry_out(
            f"{changeover.entry.url} under maintenance until {shown(end, zone)}",
            changeover.on(end, reason),
            changeover.clients,
            written,
            apply=apply,
            as_json=json,
            following=(
                f"runbook maintenance status -e {environment}",
                f"runbook maintenance off -e {environment} --apply",
            ),
        )
    except UserError as error:
        if not (apply and changeover.at_risk):
            raise
        streams.complain([*error.lines, "Taking it back."])

        def told(stage: Stage, look: Look) -> None:
            if not json:
                console.show(console.output(), [render.told(stage, look)])

        raise UserError(*changeover.take_back(written, told=told)) from error
    raise typer.Exit(CLEAN)


@app.command()
def off(
    environment: Environment,
    force: Annotated[bool, typer.Option("--force", help="Also where the site is not well.")] = False,
    apply: Apply = False,
    permissions: Permissions = False,
    profile: Profile = None,
    journal: JournalFolder = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Lead requests back to the site, once that is well, and tidy up: the end, the mute rule, the record.

    A dry run unless --apply is given. Whatever a run that was interrupted left over is done.
    """
    from .. import desk
    from ..operations.maintenance import permissions as policies

    if permissions:
        raise typer.Exit(desk.show_permissions(policies.of_off(desk.site(environment, folder))))
    sitting = desk.sit_down(environment, folder, profile)
    changeover = _changeover(sitting)
    desk.carry_out(
        f"{changeover.entry.url} back from maintenance",
        changeover.off(force=force),
        changeover.clients,
        sitting.journal("maintenance", journal),
        apply=apply,
        as_json=json,
        following=(f"runbook maintenance status -e {environment}",),
    )
    raise typer.Exit(CLEAN)


@app.command()
def status(
    environment: Environment,
    permissions: Permissions = False,
    profile: Profile = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Say whether the page is on, until when and by whom, what is muted, and whether all of that fits together.

    Reads only. Ends with 1 where the page is past its end, or something is half-done.
    """
    from .. import console, desk, streams
    from ..operations.maintenance import permissions as policies
    from ..operations.maintenance import report
    from ..operations.maintenance import status as operation

    if permissions:
        raise typer.Exit(desk.show_permissions(policies.of_status(desk.site(environment, folder))))
    with console.progress(f"Reading the maintenance of {environment}"):
        changeover = _changeover(desk.sit_down(environment, folder, profile))
        found = operation.read(changeover.entry, changeover.clients, changeover.fetch, _now())
    if json:
        streams.write(report.document(changeover.entry, found))
    else:
        output = console.output()
        console.show(output, report.lines(changeover.entry, found, console.page_of(output)))
    raise typer.Exit(UNWELL if operation.troubles(found) else CLEAN)


def _changeover(sitting: Desk) -> Changeover:
    from ..operations import alert_manager
    from ..operations.maintenance import changeover, web
    from ..operations.maintenance.entry import entry

    found = entry(sitting.site, sitting.inventory)
    clients = sitting.clients(*changeover.CLIENTS)
    if found.alert_manager:
        region = sitting.site.region
        clients[changeover.ALERT_MANAGER] = alert_manager.connect(found.alert_manager, region, sitting.profile)
    return changeover.Changeover(
        entry=found,
        clients=clients,
        who=sitting.who,
        fetch=web.fetch,
        now=_now,
    )


def _now() -> datetime:
    return datetime.now(UTC)
