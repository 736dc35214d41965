"""Rules for who may do what: policies, trust and users."""

from __future__ import annotations

from .rule import Rule

RULES: tuple[Rule, ...] = ()
