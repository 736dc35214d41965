"""What the acknowledge function is told by the stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from functions.common.roster import Contact
from functions.common.variables import write

__all__ = ["AcknowledgeEnv", "Contact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeEnv:
    """``dead_letters``: URL of the queue; ``contacts``: whose text messages count."""

    table: str
    retention_days: int
    dead_letters: str
    contacts: Mapping[str, Contact]

    def variables(self) -> dict[str, str]:
        """The environment variables of the function."""
        return write(self)
