"""What operations did, for the people who ask later: JSON lines that are only ever appended."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..errors import UserError


def default_folder() -> Path:
    """``runbook/journal`` below the place where a person's programs keep their state."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "runbook" / "journal"


class Journal:
    """The journal of one run of one operation; the runs share a file, ``<operation>.jsonl``.

    Every line has the time (UTC), the run, the operation, the environment and who ran it. A line is written in one
    piece and reaches the disk before ``write`` returns, so that two runs never mix and a crash loses nothing.
    """

    def __init__(
        self,
        folder: Path,
        operation: str,
        *,
        environment: str,
        account: str,
        who: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.path = folder / f"{operation}.jsonl"
        self._now = now
        self._always = {
            "account": account,
            "environment": environment,
            "operation": operation,
            "run": uuid4().hex,
            "who": who,
        }

    def write(self, event: str, **facts: Any) -> None:
        """Appends a line. Raises UserError where the folder or the file cannot be written."""
        line = json.dumps(
            {"at": self._now().isoformat(), "event": event, **self._always, **facts}, sort_keys=True, default=str
        )
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, f"{line}\n".encode())
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise UserError(
                f"The journal {self.path} cannot be written: {error.strerror}.",
                "An operation without a journal changes nothing further. Name another folder with --journal.",
            ) from error
