"""Changes single values in a stack's file and nothing else: comments, order and quotes stay."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

import yaml

from ...errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """``value`` in place of what stands at ``section`` and ``key`` (``patching``, ``approve_until``)."""

    section: str
    key: str
    value: str


def edited(text: str, project: str, edits: Iterable[Edit]) -> str:
    """``text`` with the values changed. Raises UserError where one of them does not stand there as a single value.

    What was written is read again: apart from the edits both files mean the same.
    """
    edits = tuple(edits)
    spans = sorted(((*_span(text, project, edit), edit) for edit in edits), key=lambda one: one[0], reverse=True)
    result = text
    for start, end, edit in spans:
        result = f"{result[:start]}{_scalar(text[start:end], edit.value)}{result[end:]}"
    expected = yaml.safe_load(text)
    for edit in edits:
        expected["config"][_name(expected["config"], project, edit.section)][edit.key] = edit.value
    if expected != _read(result):
        raise UserError(
            "The stack's file cannot be changed safely: read again, it would mean something else.",
            f"Change it by hand: {'; '.join(f'{one.section}.{one.key}: {one.value}' for one in edits)}.",
        )
    return result


def diff(before: str, after: str, name: str) -> Iterator[str]:
    """The changed lines, with as little around them as there can be."""
    yield from unified_diff(before.splitlines(), after.splitlines(), name, name, n=1, lineterm="")


def write(path: Path, text: str) -> None:
    """Replaces the file in one piece, so that nobody reads half of it. Raises UserError where it cannot be written."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(path.stat().st_mode & 0o777)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.", "Nothing was changed.") from error


def _read(text: str) -> Any:
    """What a file means; None where it means nothing any more, as without the anchor that something refers to."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _name(config: Any, project: str, section: str) -> str:
    return section if section in config else f"{project}:{section}"


def _span(text: str, project: str, edit: Edit) -> tuple[int, int]:
    """Where the value stands: its first position and the one after it."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for names in (("config",), (edit.section, f"{project}:{edit.section}"), (edit.key,)):
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for key, value in pairs if key.value in names), None)
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
        raise UserError(
            f"{project}:{edit.section} has no line {edit.key}: in the stack's file.",
            f'Write it once by hand, for example {edit.key}: "{edit.value}"; from then on it is moved on.',
        )
    return node.start_mark.index, node.end_mark.index


def _scalar(before: str, value: str) -> str:
    """``value`` in the quotes of what it replaces; in quotes also where it would be no text without."""
    if before[:1] == "'":
        return f"'{value}'"
    if before[:1] == '"' or not isinstance(yaml.safe_load(value), str):
        return f'"{value}"'
    return value
