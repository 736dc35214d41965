"""``runbook acknowledge``: one line at three in the morning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Environment, Folder, JournalFolder, Json, Permissions, Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..desk import Desk

app = typer.Typer()

STOPPED, NOBODY_WAITED = 0, 1


@app.command()
def acknowledge(
    environment: Environment,
    alarm: Annotated[str | None, typer.Argument(help="The alarm, as the message names it.", show_default=False)] = None,
    permissions: Permissions = False,
    profile: Profile = None,
    journal: JournalFolder = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Take over an alarm: its escalation stops.

    It acts at once and has no --apply: whoever types this was just woken. Ends with 1 where nobody was waiting.
    """
    from .. import desk, streams
    from ..errors import UserError
    from ..operations import acknowledge as operation

    if permissions:
        raise typer.Exit(desk.show_permissions(operation.permissions(desk.site(environment, folder))))
    if alarm is None:
        raise UserError("The alarm is missing.", f"Write: runbook acknowledge ALARM -e {environment}")
    sitting = desk.sit_down(environment, folder, profile)
    function = sitting.inventory("escalation")["acknowledgeFunction"]
    answer = operation.acknowledge(
        sitting.clients("lambda")["lambda"], function, alarm, operation.who(sitting.who), _alarms(sitting)
    )
    if json:
        streams.write(operation.document(answer))
    else:
        streams.write("".join(f"{line}\n" for line in operation.sentences(answer, environment)))
    try:
        sitting.journal("acknowledge", journal).write("acknowledge", alarm=answer.alarm, reason=answer.reason)
    except UserError as error:
        # It is done, and a full disk is no reason to say otherwise.
        streams.complain(error.lines[:1])
    raise typer.Exit(STOPPED if answer.stopped else NOBODY_WAITED)


def _alarms(sitting: Desk) -> Mapping[str, str]:
    """Short name -> full name; none where the list cannot be read, which must not keep anybody from taking over."""
    from ..errors import UserError

    try:
        alarms: Mapping[str, str] = sitting.inventory("monitoring").get("alarms", {})
    except UserError:
        return {}
    return alarms
