"""Options that several sub-commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import stacks
from .errors import UserError


def stack_names(context: typer.Context) -> list[str]:
    """Completes stack names; silent outside a project."""
    try:
        return list(stacks.names(stacks.project_folder(context.params.get("folder"))))
    except UserError:
        return []


Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        "-C",
        help="The project's folder; by default the nearest that has a Pulumi.yaml.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print a document for machines, and nothing else.")]
Stacks = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="STACK…",
        help="Stacks by name; without any, all of them.",
        autocompletion=stack_names,
        show_default=False,
    ),
]
Environment = Annotated[
    str, typer.Option("--environment", "-e", help="The stack to work on.", autocompletion=stack_names)
]
Apply = Annotated[bool, typer.Option("--apply", help="Make the calls; without it nothing is changed.")]
Permissions = Annotated[bool, typer.Option("--permissions", help="Print the IAM policy that this needs.")]
Profile = Annotated[str | None, typer.Option(help="The AWS profile.", show_default="ambient credentials")]
JournalFolder = Annotated[
    Path | None, typer.Option("--journal", help="The journal's folder.", show_default="~/.local/state/runbook/journal")
]
