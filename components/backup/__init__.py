"""AWS Backup: vaults, plan, copies and restore tests (``000_… §4``, ``001_… §2``, ``002_… §3.2``)."""

from .component import Backup, BackupArgs

__all__ = ["Backup", "BackupArgs"]
