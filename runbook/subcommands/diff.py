"""``runbook diff``: what a change does to the stacks, against another checkout or a stored snapshot."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..options import Folder, Stacks

CLEAN, REFUSED = 0, 1

_COMPARE = "compare"


class _ComparesByDefault(TyperGroup):
    """``runbook diff --base …`` is ``runbook diff compare --base …``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [_COMPARE, *args]
        return super().parse_args(ctx, args)


class Format(StrEnum):
    """How the difference is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


app = typer.Typer(
    cls=_ComparesByDefault,
    help="What a change does to the stacks: resources, permissions, openings, findings.",
    no_args_is_help=True,
)


@app.command(_COMPARE)
def compare(
    base: Annotated[
        Path, typer.Option("--base", help="Another checkout's folder, or a snapshot's file.", show_default=False)
    ],
    stack: Stacks = None,
    head: Annotated[
        Path | None,
        typer.Option("--head", help="The folder, or file, that is compared.", show_default="the project you are in"),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How the difference is written.")] = Format.TEXT,
    link: Annotated[
        str | None, typer.Option(help="Where a reader of the Markdown finds the rest.", show_default=False)
    ] = None,
) -> None:
    """Compare the stacks of two checkouts, each previewed and audited offline by its own code.

    Ends with 1 where a stack is refused or cannot be previewed. This is what `runbook diff` does without a sub-command.
    """
    from .. import console, streams
    from ..diff import comment, document, render
    from ..diff.compare import compare as compared

    wanted = stack or ()
    with console.progress("Previewing both"):
        found = compared(_snapshot(base, wanted), _snapshot(head, wanted, chosen=True), wanted)
    if form is Format.JSON:
        streams.write(document.text(found))
    elif form is Format.MARKDOWN:
        streams.write(comment.text(found, link=link))
    else:
        output = console.output()
        console.show(output, render.lines(found, console.page_of(output)))
    raise typer.Exit(REFUSED if found.refused else CLEAN)


@app.command()
def snapshot(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.", show_default=False)],
    stack: Stacks = None,
    folder: Folder = None,
) -> None:
    """Store the previews and audits of a checkout, for a later --base or --head."""
    from .. import console, stacks
    from ..diff import snapshot as taken
    from ..errors import UserError

    found = stacks.project_folder(folder)
    with console.progress(f"Previewing {found.name}"):
        text = taken.text(taken.take(found, stacks.chosen(stack or (), found)))
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}.", "Name another file with -o.") from None


def _snapshot(source: Path | None, wanted: Any, *, chosen: bool = False) -> dict[str, Any]:
    """A stored snapshot, or one of a folder. ``chosen``: the folder must have every stack that is wanted."""
    from .. import stacks
    from ..diff import snapshot as taken

    if source is not None and not source.is_dir():
        return taken.read(source)
    folder = stacks.project_folder(source)
    return taken.take(folder, stacks.chosen(wanted, folder) if chosen else wanted)
