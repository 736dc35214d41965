"""Rules for buckets, volumes, file systems and log groups."""

from __future__ import annotations

from .rule import Rule

RULES: tuple[Rule, ...] = ()
