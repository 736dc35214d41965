"""Backups of configuration and code, evidence and archived logs: three buckets, and how servers save and restore."""

from .component import Archive as Archive
from .component import ArchiveArgs as ArchiveArgs
