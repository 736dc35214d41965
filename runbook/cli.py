"""The command people type. Sub-commands only: each body is in ``commands`` and imported when it runs."""

from __future__ import annotations

import shlex
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from . import streams
from .errors import UserError
from .options import Apply, Environment, Folder, JournalFolder, Json, Permissions, Profile, Stacks, stack_names
from .subcommands import (
    backup,
    certificates,
    dashboards,
    diff,
    drill,
    escalation,
    evidence,
    maintenance,
    patch,
    restore,
    schedule,
)

MISTAKE = 2

#: A defect of the command itself, as ``sysexits.h`` numbers it: neither a refusal nor a person's mistake.
DEFECT = 70

app = typer.Typer(
    name="runbook",
    help="The run books as code: preview and audit a stack offline, and operate it.",
    epilog="Exit codes: 0 clean, 1 a mandatory rule is broken, 2 a mistake of the user, 70 a defect of runbook.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Boxes are for eyes; whatever reads a pipe gets plain help.
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
)
settings_app = typer.Typer(help="What a stack may say, and whether it does.", no_args_is_help=True)
app.add_typer(settings_app, name="settings")
app.add_typer(backup.app, name="backup")
app.add_typer(certificates.app, name="certificates")
app.add_typer(dashboards.app, name="dashboards")
app.add_typer(diff.app, name="diff")
app.add_typer(drill.app, name="drill")
app.add_typer(escalation.app)
app.add_typer(evidence.app, name="evidence")
app.add_typer(patch.app, name="patch")
app.add_typer(maintenance.app, name="maintenance")
app.add_typer(restore.app, name="restore")
app.add_typer(schedule.app, name="schedule")


@dataclass(slots=True)
class Invocation:
    """What the sub-commands and ``main`` share of one call."""

    debug: bool = False


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        streams.write(f"runbook {version('learning-platform-runbook')}\n")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    context.ensure_object(Invocation).debug = debug


@app.command()
def preview(
    stack: Annotated[str, typer.Argument(help="A stack by name.", autocompletion=stack_names)] = "staging",
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Preview a stack offline: its resources, and what the rules say of them.

    No Pulumi CLI, account or network is needed. With --json: the document that `pulumi preview --json` prints.
    """
    from . import commands

    raise typer.Exit(commands.preview(stack, folder, as_json=json))


@app.command()
def audit(
    stack: Stacks = None,
    folder: Folder = None,
    json: Json = False,
    alarms: Annotated[
        bool, typer.Option("--alarms", help="Show which alarm tells of what, resource by resource.")
    ] = False,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Show every demand of the run books, and what meets it, instead.")
    ] = False,
    report: Annotated[
        list[str] | None,
        typer.Option("--report", help="Write a report: html, json, sarif, junit, csv, markdown or oscal; repeatable."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The reports' folder.")] = Path("reports"),
    since: Annotated[
        Path | None,
        typer.Option(help="The JSON report of an earlier audit, to say what changed.", show_default=False),
    ] = None,
    policy_pack_config: Annotated[
        Path | None,
        typer.Option(help="Levels of rules, in a file as the Pulumi CLI takes it.", show_default=False),
    ] = None,
) -> None:
    """Evaluate all rules over stacks.

    Says what is refused, what is advised, what could not be judged, and how much of what can fail has an alarm.
    """
    from . import commands

    if coverage:
        raise typer.Exit(commands.coverage(stack or (), folder, typer.main.get_command(app), as_json=json))
    reports = commands.Reports(report or (), output, since, typer.main.get_command(app))
    raise typer.Exit(
        commands.audit(
            stack or (), folder, as_json=json, alarms=alarms, reports=reports, policy_config=policy_pack_config
        )
    )


@settings_app.command("check")
def check_settings(stack: Stacks = None, folder: Folder = None) -> None:
    """Check settings and list every mistake at once."""
    from . import commands

    raise typer.Exit(commands.check_settings(stack or (), folder))


@settings_app.command("schema")
def settings_schema() -> None:
    """Print the JSON Schema of a stack's file."""
    from . import commands

    raise typer.Exit(commands.settings_schema())


@app.command()
def bootstrap(
    environment: Environment,
    apply: Apply = False,
    permissions: Permissions = False,
    profile: Profile = None,
    journal: JournalFolder = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Make the bucket and the key for state and secrets.

    A dry run unless --apply is given. Safe to run again at any time: it does what is missing.
    """
    from . import commands

    raise typer.Exit(
        commands.bootstrap(
            environment, folder, apply=apply, permissions=permissions, as_json=json, journal=journal, profile=profile
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code; a person's mistake is told in sentences, never as a traceback."""
    given = list(arguments if arguments is not None else sys.argv[1:])
    streams.survive_narrow_encodings()
    invocation = Invocation()
    try:
        typer.main.get_command(app)(args=given, prog_name="runbook", obj=invocation)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except UserError as error:
        streams.complain(error.lines)
        _trace(invocation)
        code = MISTAKE
    except Exception as error:  # noqa: BLE001 - the last resort: a defect is told as one
        streams.complain(
            [
                f"This is a defect of runbook, not of your settings: {type(error).__name__}: {error}",
                f"`{shlex.join(['runbook', '--debug', *given])}` shows where. Please report it.",
            ]
        )
        _trace(invocation)
        code = DEFECT
    return code if streams.flushed() else streams.BROKEN_PIPE


def _trace(invocation: Invocation) -> None:
    if invocation.debug:
        traceback.print_exc()
