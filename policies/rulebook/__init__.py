"""The rules: ``RULES`` is the one list that the policy pack serves and the audit evaluates."""

from __future__ import annotations

from . import (
    compute,
    coverage,
    database,
    edge,
    escalation,
    feeds,
    governance,
    guards,
    identity,
    monitoring,
    network,
    reachability,
    secrets,
    storage,
    telemetry,
    waiver_rules,
)
from .rule import Rule

#: In the order of the catalogue's sections.
_SECTIONS: tuple[Rule, ...] = (
    *network.RULES,
    *reachability.RULES,
    *compute.RULES,
    *database.RULES,
    *storage.RULES,
    *telemetry.RULES,
    *monitoring.RULES,
    *coverage.RULES,
    *feeds.RULES,
    *escalation.RULES,
    *identity.RULES,
    *secrets.RULES,
    *edge.RULES,
    *governance.RULES,
    *guards.RULES,
)

RULES: tuple[Rule, ...] = (*_SECTIONS, waiver_rules.valid(_SECTIONS))
