"""``python -m runbook.mutate``: what of the weakened stacks the rules notice."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import streams
from ..errors import UserError
from .run import run


def main(
    stacks: Annotated[
        list[str] | None, typer.Argument(metavar="[STACK]...", help="prod and staging where none is named.")
    ] = None,
    type: Annotated[  # noqa: A002 - the option's name
        list[str] | None, typer.Option(help="Only resources of such types, such as 's3/bucket*'; may be repeated.")
    ] = None,
) -> None:
    """Weaken every property of the stacks, one at a time, and count what the rules notice.

    Ends with 1 where an entry of judgement.yaml meets nothing any more or a rule fails with an error; 2 for a mistake.
    """
    try:
        code = run(stacks or (), type or ())
    except UserError as error:
        streams.complain(error.lines)
        code = 2
    raise typer.Exit(code)


if __name__ == "__main__":
    typer.run(main)
