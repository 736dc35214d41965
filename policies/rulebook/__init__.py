"""The rules: ``RULES`` is the one list that the policy pack serves and the audit evaluates."""

from __future__ import annotations

from . import (
    archive,
    backup,
    backup_watch,
    compute,
    coverage,
    database,
    deliveries,
    edge,
    escalation,
    feeds,
    governance,
    guards,
    identity,
    log_groups,
    monitoring,
    network,
    patching,
    prometheus,
    reachability,
    roles,
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
    *backup.RULES,
    *backup_watch.RULES,
    *archive.RULES,
    *storage.RULES,
    *telemetry.RULES,
    *log_groups.RULES,
    *monitoring.RULES,
    *coverage.RULES,
    *feeds.RULES,
    *deliveries.RULES,
    *prometheus.RULES,
    *escalation.RULES,
    *identity.RULES,
    *roles.RULES,
    *secrets.RULES,
    *edge.RULES,
    *patching.RULES,
    *governance.RULES,
    *guards.RULES,
)

RULES: tuple[Rule, ...] = (*_SECTIONS, waiver_rules.valid(_SECTIONS))
