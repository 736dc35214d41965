"""What a checkout would deploy, as its own code says: the previews and audits of its stacks, in a file.

Each is made by ``python -m runbook`` in that folder, in a process of its own: two checkouts never share a module, and
the code of neither sees the credentials of whoever compares them.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .. import stacks
from ..errors import UserError

#: Grows when a key goes or changes its meaning.
VERSION = 1

#: The longest that one stack may take.
_PATIENCE_SECONDS = 600

#: All that the code of a checkout gets to see of the environment.
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "USERPROFILE")

_SIGNATURE = "4dabf18193072939515e22adb298388d"

CLEAN, REFUSED = 0, 1


def take(folder: Path, wanted: Sequence[str] = ()) -> dict[str, Any]:
    """The snapshot of ``wanted`` stacks of a project's folder, those that it has; of all where none is named.

    A stack that cannot be previewed or audited is in it with the reasons.
    """
    names = [stack for stack in stacks.names(folder) if stack in wanted or not wanted]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        taken = pool.map(lambda stack: _stack(folder, stack), names)
        return {"version": VERSION, "stacks": dict(zip(names, taken, strict=True))}


def text(snapshot: Mapping[str, Any]) -> str:
    """The snapshot as a file: one line a stack would be no shorter, and nobody reads it."""
    return json.dumps(snapshot, sort_keys=True, separators=(",", ":")) + "\n"


def read(path: Path) -> dict[str, Any]:
    """A stored snapshot. Raises UserError where the file is none."""
    way_out = "Write one: runbook diff snapshot -o FILE"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", way_out) from None
    except ValueError:
        raise UserError(f"{path} holds no JSON, so it is no snapshot.", way_out) from None
    if not isinstance(data, dict) or not isinstance(data.get("stacks"), dict):
        raise UserError(f"{path} is no snapshot: it has no stacks.", way_out)
    if data.get("version") != VERSION:
        raise UserError(
            f"{path} is a snapshot of version {data.get('version')!r}; this release reads {VERSION}.", way_out
        )
    return data


def _stack(folder: Path, stack: str) -> dict[str, Any]:
    try:
        preview = _asked(folder, "preview", stack, "--json")
        audit = _asked(folder, "audit", stack, "--json")
    except UserError as error:
        return {"fault": list(error.lines)}
    return {
        "resources": [_stated(step["newState"], folder) for step in preview["steps"]],
        "audit": next(iter(audit["stacks"])),
    }


def _asked(folder: Path, *arguments: str) -> Any:
    """The document that a sub-command of the folder's own code prints. Raises UserError with what it says instead."""
    own = folder / ".venv" / "bin" / "python"
    command = [str(own) if own.exists() else sys.executable, "-m", "runbook", *arguments]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    said = f"`runbook {' '.join(arguments)}` in {folder}"
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, and the sub-commands above
            command,
            cwd=folder,
            env={**environment, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{said} was given up after {_PATIENCE_SECONDS} seconds.") from None
    if done.returncode in (CLEAN, REFUSED):
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise UserError(f"{said} printed no document.", *_complaint(done.stderr)) from None
    raise UserError(f"{said} ended with {done.returncode}:", *_complaint(done.stderr))


def _complaint(stderr: str) -> list[str]:
    """The last lines, which say what is wrong also where a traceback comes before them."""
    return [line[:500] for line in stderr.splitlines() if line.strip()][-20:]


def _stated(state: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return {**state, "inputs": _with_digests(state.get("inputs", {}), folder)}


def _with_digests(value: Any, folder: Path) -> Any:
    """The value, its files and folders as a digest of what is in them: a path says nothing of a change."""
    if isinstance(value, list):
        return [_with_digests(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    if _SIGNATURE in value and isinstance(value.get("path"), str):
        return _digest(folder.resolve(), value["path"])
    return {key: _with_digests(item, folder) for key, item in value.items() if key != _SIGNATURE}


def _digest(folder: Path, path: str) -> str:
    """Of a file, or of all files of a folder: of the project or of an installed package, and of nothing else."""
    start = (folder / path).resolve()
    if not start.is_relative_to(folder) and "site-packages" not in start.parts:
        return "a file outside of the project"
    found: Iterable[Path] = [start] if start.is_file() else sorted(start.rglob("*"))
    total = hashlib.sha256()
    for each in found:
        if each.is_file() and "__pycache__" not in each.parts:
            total.update(
                each.relative_to(start).as_posix().encode() + b"\0" + hashlib.sha256(each.read_bytes()).digest()
            )
    return f"file contents {total.hexdigest()[:16]}"
