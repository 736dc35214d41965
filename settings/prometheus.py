"""What a stack may say of Prometheus and Grafana (``001_… §1``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from . import kinds
from .faults import Fault, Path
from .kinds import between, text
from .regions import Partition
from .section import Section

#: Alert manager takes five days at most.
LONGEST_REPEAT_MINUTES = 5 * 24 * 60

GROUP_ID = text(
    "id of a group",
    r"(?:[0-9a-f]{10}-)?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "The id of a group in IAM Identity Center, as its console shows it.",
    "94482488-3041-7071-f0e2-0c1a2b3c4d5e",
)


#: Days that metrics of prod are kept at least.
LEAST_IN_PROD = 90


class GrafanaSettings(Section):
    """Who looks at metrics in Grafana (``001_… §1``); IAM Identity Center, which knows them, exists already."""

    enabled: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="A Grafana workspace; 9 USD a month for each editor, 5 for each viewer."
    )
    version: Literal["10.4", "12.4"] = Field(
        default="12.4", description="Grafana version of the workspace; it can be raised and never lowered."
    )
    admin_group_ids: tuple[Annotated[str, GROUP_ID], ...] = Field(
        default=(),
        max_length=10,
        description="Groups of IAM Identity Center that administer the workspace, 10 at most.",
        examples=["[94482488-3041-7071-f0e2-0c1a2b3c4d5e]"],
    )
    viewer_group_ids: tuple[Annotated[str, GROUP_ID], ...] = Field(
        default=(), max_length=10, description="Groups of IAM Identity Center that look on, 10 at most."
    )


class PrometheusSettings(Section):
    """Metrics of the servers and probes of the site, with alerts of their own, beside CloudWatch (``001_… §1``)."""

    enabled: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="A Prometheus workspace, fed by the servers; a few USD a month."
    )
    retention_days: Annotated[int, between(30, 1095, "Days", "the service keeps three years at most")] = Field(
        default=150, description="Days that metrics are kept (001_… §1)."
    )
    scrape_seconds: Literal[15, 30, 60] = Field(
        default=60, description="Seconds between two probes of the site; the bill grows as they shrink."
    )
    probe_timeout_seconds: Annotated[int, between(1, 10, "Seconds")] = Field(
        default=10, description="Seconds after which a probe of the site has failed (004_… Key Metrics to Monitor)."
    )
    repeat_minutes: Annotated[int, between(30, LONGEST_REPEAT_MINUTES, "Minutes", "five days at most")] = Field(
        default=240, description="Minutes after which an alert that still fires is told again."
    )
    agent_schedule: Annotated[str, kinds.ASSOCIATION_SCHEDULE] = Field(
        default="rate(1 day)", description="When Systems Manager checks that the servers send their metrics, UTC."
    )
    log_retention_days: Annotated[int, kinds.LOG_RETENTION] = Field(
        default=365, description="Days that the logs of rules and alerts are kept; 365 or more in prod (002_… §9)."
    )
    grafana: GrafanaSettings = Field(default=GrafanaSettings(), description="Who looks at metrics in Grafana.")


def broken_rules(
    settings: PrometheusSettings,
    *,
    environment: str,
    partition: Partition,
    nat: Literal["none", "one", "per-zone"],
    path: Path = ("prometheus",),
) -> Iterator[Fault]:
    """Faults of settings whose values are each right by themselves; ``path``: where ``settings`` stands."""
    if settings.enabled:
        yield from _enabled_rules(partition, nat, (*path, "enabled"))
    if settings.enabled and environment == "prod" and settings.log_retention_days < 365:
        yield Fault(
            path=(*path, "log_retention_days"),
            wrong="is less than a year",
            rule="In prod logs are kept for a year at least (002_… §9).",
            way_out="Write 365 or more.",
        )
    if settings.enabled and environment == "prod" and settings.retention_days < LEAST_IN_PROD:
        yield Fault(
            path=(*path, "retention_days"),
            wrong=f"is less than {LEAST_IN_PROD}",
            rule="In prod metrics of the last quarter can be compared with (004_… Monthly Checklist).",
            way_out=f"Write {LEAST_IN_PROD} or more.",
        )
    yield from _grafana_rules(settings, (*path, "grafana"))


def _enabled_rules(partition: Partition, nat: str, path: Path) -> Iterator[Fault]:
    if partition == "aws-cn":
        yield Fault(
            path=path,
            wrong="asks for a service that the partition aws-cn does not have",
            rule="Amazon Managed Service for Prometheus is not offered in China.",
            way_out="Write false.",
        )
    if nat == "none":
        yield Fault(
            path=path,
            wrong="leaves the servers without a way to Prometheus",
            rule="Servers send their metrics, and probe the site, through a NAT gateway (network.nat is none).",
            way_out="Write false, or network.nat: one.",
        )


def _grafana_rules(settings: PrometheusSettings, path: Path) -> Iterator[Fault]:
    grafana = settings.grafana
    if grafana.enabled and not settings.enabled:
        yield Fault(
            path=(*path, "enabled"),
            wrong="shows metrics that nobody collects",
            rule="Grafana shows what Prometheus keeps (001_… §1).",
            way_out="Write false, or prometheus.enabled: true.",
        )
    if grafana.enabled and not grafana.admin_group_ids:
        yield Fault(
            path=(*path, "admin_group_ids"),
            wrong="is empty",
            rule="Without an administrator nobody can sign in to the workspace.",
            way_out="Write the id of a group of IAM Identity Center.",
        )
    both = sorted(set(grafana.admin_group_ids) & set(grafana.viewer_group_ids))
    if both:
        yield Fault(
            path=(*path, "viewer_group_ids"),
            wrong=f"names {both[0]}, which administers already",
            rule="A group has one role in a workspace.",
            way_out="Name it once.",
        )
