"""The PostgreSQL database: who reaches it, what it keeps and what it tells."""

from .component import Database, DatabaseArgs

__all__ = ["Database", "DatabaseArgs"]
