"""``runbook dashboards``: what the stack keeps for Grafana, brought into the workspace."""

from __future__ import annotations

import typer

from ..options import Apply, Environment, Folder, JournalFolder, Json, Permissions, Profile

app = typer.Typer(help="The dashboards that the stack keeps for Grafana.", no_args_is_help=True)

CLEAN = 0


@app.callback()
def _family() -> None:
    """The dashboards that the stack keeps for Grafana."""


@app.command()
def publish(
    environment: Environment,
    apply: Apply = False,
    permissions: Permissions = False,
    profile: Profile = None,
    journal: JournalFolder = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Bring the dashboards and data sources into the Grafana workspace.

    A dry run unless --apply is given; then a token is made that lives for a minute, used, and deleted. Safe to run
    again at any time: what is as it should be is left alone.
    """
    from rich.text import Text

    from .. import console, desk, streams
    from ..operations import dashboards as operation
    from ..words import count

    if permissions:
        raise typer.Exit(desk.show_permissions(operation.permissions(desk.site(environment, folder))))
    sitting = desk.sit_down(environment, folder, profile)
    clients = sitting.clients("appconfig", "grafana")
    with console.progress(f"Reading the dashboards of {environment}"):
        where = operation.workspace(sitting.site, sitting.inventory(operation.COMPONENT))
        bundle = operation.stored(clients["appconfig"], where)
    output = console.output()
    outcomes: list[tuple[operation.Item, operation.Outcome]] = []

    def told(item: operation.Item, outcome: operation.Outcome) -> None:
        outcomes.append((item, outcome))
        if not json:
            console.show(output, [Text(f"  {item.kind} {item.title} ({item.uid}): {outcome}")])

    if not json:
        console.show(output, [Text(operation.title(sitting.site, where, bundle), "bold")])
    if apply:
        operation.publish(bundle, where, clients["grafana"], sitting.journal(operation.OPERATION, journal), told=told)
    if json:
        streams.write(operation.document(bundle, outcomes, applied=apply))
    elif apply:
        changed = sum(outcome != "unchanged" for _, outcome in outcomes)
        console.show(output, [Text(f"{count(changed, 'change')} made.", "green")])
    else:
        items = [Text(f"  {item.kind} {item.title} ({item.uid})") for item in bundle.items]
        sentence = (
            f"{count(len(items), 'item')} would be compared and brought in. Nothing was changed; --apply does it."
        )
        console.show(output, [*items, Text(sentence, "yellow")])
    raise typer.Exit(CLEAN)
