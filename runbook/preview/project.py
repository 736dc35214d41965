"""The preview of a real stack: ``Pulumi.yaml``, ``Pulumi.<stack>.yaml`` and ``__main__.py`` of a folder."""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

from settings.load import SettingsError, project_name, read_stack_file

from ..errors import UserError
from .capture import capture
from .graph import Graph


def preview(stack: str, folder: Path) -> Graph:
    """Runs the program of ``folder`` for ``stack`` and returns what it registers.

    Raises UserError where a file is missing or wrong, or where the program fails.
    """
    folder = folder.resolve()
    try:
        project = project_name(folder)
        file = read_stack_file(stack, folder)
    except SettingsError as error:
        raise UserError(*str(error).splitlines()) from None

    def program() -> None:
        runpy.run_path(str(folder / "__main__.py"), run_name="__main__")

    with _standing_in(folder):
        return capture(
            program, project=project, stack=stack, config=file.config, secret_keys=file.secret_keys, root=folder
        )


@contextlib.contextmanager
def _standing_in(folder: Path) -> Iterator[None]:
    """The program's own view: its folder is the current one and the first on the import path, as with the CLI."""
    before = Path.cwd()
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        os.chdir(before)
