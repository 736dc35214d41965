"""``runbook drill``: what is practised each month, with evidence."""

from __future__ import annotations

import typer

from ..options import Apply, Environment, Folder, JournalFolder, Json, Permissions, Profile
from .restore import Again, Class, Point, RunName, trial

app = typer.Typer(help="Practise what has to work on the day, and keep evidence of it.", no_args_is_help=True)


@app.callback()
def _family() -> None:
    """Keeps ``restore`` a sub-command while it is the only one."""


@app.command()
def restore(
    environment: Environment,
    point: Point = "newest",
    instance_class: Class = "db.t4g.micro",
    run: RunName = None,
    again: Again = False,
    apply: Apply = False,
    permissions: Permissions = False,
    profile: Profile = None,
    journal: JournalFolder = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Restore the newest recovery point, check and measure it, verify a host's backup, and record all of it.

    A dry run unless --apply is given. The month's drill is done once; an interrupted one goes on. Ends with 1 where a
    check fails or a target is missed; the record is written all the same.
    """
    code = trial(
        "drill",
        environment,
        folder,
        point=point,
        recovery=False,
        instance_class=instance_class,
        keep=False,
        run=run,
        again=again,
        apply=apply,
        permissions=permissions,
        profile=profile,
        journal=journal,
        as_json=json,
    )
    raise typer.Exit(code)
