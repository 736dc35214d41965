"""What the function that validates restores is told by the stack."""

from __future__ import annotations

from dataclasses import dataclass

from functions.common.variables import write

__all__ = ["Evidence", "ValidateRestoreEnv", "Vault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The table whose newest record is measured, and the column with its moment."""

    schema: str
    table: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """``label``: ``home`` or ``recovery``, the dimension of its metric."""

    label: str
    name: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateRestoreEnv:
    """``plan_arn`` and ``plan_name``: of the restore testing plan; jobs of others are left alone.

    ``key_arn``: encrypts the password of the restored database. ``bucket``: where evidence goes, and where the
    certificates of RDS may lie (``trust_key``). ``dead_letters``: URL of the queue. ``evidence`` None means that rows
    and age are not measured. ``trials``: how the names of databases begin that operators restore on trial.
    """

    system: str
    plan_arn: str
    plan_name: str
    key_arn: str
    bucket: str
    trust_key: str
    dead_letters: str
    trials: tuple[str, ...]
    vaults: tuple[Vault, ...]
    evidence: Evidence | None
    rpo_minutes: int
    rto_minutes: int

    def variables(self) -> dict[str, str]:
        """The environment variables of the function."""
        return write(self)
