"""Which stacks there are: the project's folder and its ``Pulumi.<stack>.yaml`` files."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from .errors import UserError


def find_folder(start: Path) -> Path:
    """The nearest folder, from ``start`` upwards, that holds a ``Pulumi.yaml``."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / "Pulumi.yaml").is_file():
            return folder
    raise UserError(
        f"There is no Pulumi.yaml in {start} or in a folder above it.",
        "Go to the project's folder, or name it with --folder.",
    )


def project_folder(folder: Path | None) -> Path:
    """``folder`` where one is given, which must be a project's; otherwise the nearest."""
    if folder is None:
        return find_folder(Path.cwd())
    if not (folder / "Pulumi.yaml").is_file():
        raise UserError(f"{folder} holds no Pulumi.yaml, so it is not a project's folder.", "Name another --folder.")
    return folder.resolve()


def names(folder: Path) -> tuple[str, ...]:
    """The stacks that have a file in ``folder``, in alphabetical order."""
    return tuple(sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in folder.glob("Pulumi.*.yaml")))


def chosen(wanted: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The stacks a person asked for, each once and in their order; all of them where none was named."""
    known = names(folder)
    if not known:
        raise UserError(f"{folder} has no stack: no file is named Pulumi.<stack>.yaml.", "Write one, then try again.")
    lines: list[str] = []
    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            lines.append(f"There is no stack {name!r}: {folder} holds no Pulumi.{name}.yaml.{hint}")
    if lines:
        raise UserError(*lines, f"Stacks: {', '.join(known)}.")
    return tuple(dict.fromkeys(wanted)) or known
