"""Rules that hold for every resource: tags, protection, regions."""

from __future__ import annotations

from .rule import Rule

RULES: tuple[Rule, ...] = ()
