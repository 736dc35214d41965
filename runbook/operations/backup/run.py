"""A backup now: the database, the servers' configuration, the repository and Pulumi's state, each in its own stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ..procedure import Stage
from . import database, files, repository, state
from .estate import Estate

Part = Literal["database", "files", "repository", "state"]

#: In the order in which they are taken: servers, of which one may be ill, come last.
PARTS: tuple[Part, ...] = ("database", "repository", "state", "files")

#: The clients of the stack's region that the stages need.
CLIENTS = ("backup", "ec2", "rds", "s3", "ssm")


def stages(
    estate: Estate, clients: Mapping[str, Any], parts: Sequence[Part], run: str, folder: Path
) -> Iterator[Stage]:
    """The stages of ``parts``; ``run`` names the run, and one of the same name goes on where it stopped."""
    for part in (part for part in PARTS if part in parts):
        match part:
            case "database":
                yield from database.stages(estate, clients, run)
            case "repository":
                yield repository.stage(estate, clients, run, folder)
            case "state":
                yield state.stage(estate, clients, run)
            case "files":
                yield files.stage(estate, clients, run)
