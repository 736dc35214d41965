"""Backups (``000_… §4``, ``003_… Backups``): how they stand, whether they are good, and one more now."""
