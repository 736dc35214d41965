"""Rules for load balancers, web ACLs and certificates."""

from __future__ import annotations

from .rule import Rule

RULES: tuple[Rule, ...] = ()
