"""``runbook schedule``: when what is stopped and started."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from ..options import Folder, Json, stack_names

app = typer.Typer(help="When what is stopped and started.", no_args_is_help=True)


@app.callback()
def _family() -> None:
    """Keeps the sub-command's name, which Typer drops where there is but one."""


@app.command()
def simulate(
    stack: Annotated[str, typer.Argument(help="A stack by name.", autocompletion=stack_names)],
    days: Annotated[int, typer.Option("--days", min=1, max=400, help="How many days.")] = 14,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], metavar="DATE", help="The first day.", show_default="today"),
    ] = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Show every start and stop of the next days, what collides with them, and what they save.

    From settings alone: no account or network is needed. Ends with 1 where a window is swallowed.
    """
    from datetime import UTC

    from settings.schedules import needs

    from .. import console, desk, streams
    from ..schedule import render
    from ..schedule import simulate as simulation

    told = desk.site(stack, folder).settings
    begin = (first or datetime.now(UTC)).date()
    forecasts = simulation.simulate(told.schedules, needs(told), begin, days)
    if json:
        streams.write(render.document(stack, forecasts, begin.isoformat(), days))
    else:
        console.show(console.output(), render.lines(stack, forecasts, begin.isoformat(), days))
    raise typer.Exit(1 if any(forecast.collisions for forecast in forecasts) else 0)
