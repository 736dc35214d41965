"""Where a report comes from: the commit, the settings and the graph of each stack, the tools, the time."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from ...preview.digest import digest
from ...preview.graph import Graph

#: What decides on a graph and on its findings, beside the project itself.
_TOOLS = {
    "runbook": "learning-platform-runbook",
    "pulumi": "pulumi",
    "pulumi-aws": "pulumi-aws",
    "pulumi-policy": "pulumi-policy",
}

_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The commit that was audited; None where git knows of none.

    ``dirty``: the folder holds something that the commit does not, other than the reports. ``prefix``: the project's
    folder within the repository, empty or with a slash at its end.
    """

    commit: str | None
    dirty: bool
    prefix: str = ""

    def __str__(self) -> str:
        if self.commit is None:
            return "no commit"
        return f"{self.commit} with changes that are not committed" if self.dirty else self.commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashes:
    """SHA-256 in hex: of the stack's file as it is, and of the graph in canonical JSON without secrets or times."""

    settings: str
    graph: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """``at`` is in UTC, to the second; ``hashes`` by stack; ``tools``: name -> version."""

    project: str
    at: datetime
    source: Source
    hashes: Mapping[str, Hashes]
    tools: Mapping[str, str]

    @property
    def time(self) -> str:
        """``2027-01-31T09:00:00Z``."""
        return self.at.strftime("%Y-%m-%dT%H:%M:%SZ")


def of_project(project: Path, graphs: Sequence[Graph], reports: Path, now: datetime) -> Header:
    """The header of an audit of ``graphs`` in the folder ``project``, whose reports go to ``reports``."""
    return Header(
        project=graphs[0].project if graphs else project.resolve().name,
        at=now.astimezone(UTC).replace(microsecond=0),
        source=source(project, reports),
        hashes={graph.stack: _hashes(project, graph) for graph in graphs},
        tools={"python": platform.python_version(), **{name: version(package) for name, package in _TOOLS.items()}},
    )


def source(project: Path, reports: Path) -> Source:
    """What git says of the folder. Reports in it are no change: the second audit would be of other sources."""
    commit = _git(project, "rev-parse", "--verify", "HEAD^{commit}")
    if commit is None:
        return Source(commit=None, dirty=True)
    within = ["--", "."]
    if reports.resolve().is_relative_to(project.resolve()) and reports.resolve() != project.resolve():
        within.append(f":(exclude,literal){reports.resolve().relative_to(project.resolve()).as_posix()}")
    changed = _git(project, "status", "--porcelain", "--untracked-files=normal", *within)
    return Source(commit=commit, dirty=changed != "", prefix=_git(project, "rev-parse", "--show-prefix") or "")


def _hashes(project: Path, graph: Graph) -> Hashes:
    registered = digest(graph)
    del registered["duration"]
    canonical = json.dumps(registered, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    settings = project / f"Pulumi.{graph.stack}.yaml"
    return Hashes(
        settings=hashlib.sha256(settings.read_bytes()).hexdigest(),
        graph=hashlib.sha256(canonical.encode()).hexdigest(),
    )


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, or None where there is no git, no repository, or no answer."""
    # A hook's variables would point git at another repository; nothing is written into this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        ran = subprocess.run(  # noqa: S603 - no shell, and no argument comes from outside
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the person uses
            capture_output=True,
            check=True,
            env=environment | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip()
