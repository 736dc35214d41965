"""What users meet: load balancer, certificate, firewall, CloudFront."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..facts import Balancer, Facts
from ..spec import AlarmSpec, Metric, PromQL, Reference
from .lines import (
    CRITICAL_RESPONSE,
    DAY,
    FIVE_MINUTES,
    KEY_METRICS,
    MINUTE,
    MONITORING,
    NO_TRAFFIC,
    QUIET,
    SERVICE_DOWN,
    SILENCE_RINGS,
    alarm,
    series,
)

if TYPE_CHECKING:
    from settings.thresholds import ThresholdSettings

#: Fewer failures than these in a period are no outage, whatever their share: nobody else was there.
_FEW = 5


def rows(thresholds: ThresholdSettings, facts: Facts) -> Iterator[AlarmSpec]:
    """What users meet. Raises ValueError for CloudFront outside us-east-1, where its metrics are."""
    if facts.balancer:
        yield from _answers(thresholds, facts.balancer)
        yield from _targets(facts.balancer)
    for certificate in facts.certificates:
        yield _expiry(thresholds, certificate)
    for firewall in facts.firewalls:
        yield _blocked(thresholds, firewall, facts.region)
    if facts.distributions and facts.region != "us-east-1":
        raise ValueError(
            f"CloudFront's metrics are in us-east-1, and an alarm there cannot tell a topic in {facts.region}. "
            "Leave the distributions out here and watch them from a stack in us-east-1."
        )
    for distribution in facts.distributions:
        yield from _distribution(thresholds, distribution)


def _answers(thresholds: ThresholdSettings, balancer: Balancer) -> Iterator[AlarmSpec]:
    def count(name: str, key: str = "m1") -> Metric:
        return series("AWS/ApplicationELB", name, "Sum", {"LoadBalancer": balancer.ref}, key=key)

    target, edge, requests = (
        count("HTTPCode_Target_5XX_Count", "target"),
        count("HTTPCode_ELB_5XX_Count", "edge"),
        count("RequestCount", "requests"),
    )
    common: dict[str, Any] = {"kind": "balancer", "subject": balancer.ref}
    yield alarm(
        f"{balancer.ref}-response-time",
        series("AWS/ApplicationELB", "TargetResponseTime", "Average", {"LoadBalancer": balancer.ref}),
        panel="Response time",
        title="The application answers slowly",
        comparison=">",
        threshold=thresholds.response_seconds,
        setting="response_seconds",
        unit="Seconds",
        period=FIVE_MINUTES,
        silence=NO_TRAFFIC,
        severity="high",
        run_book=KEY_METRICS,
        impact="Users wait for every page.",
        first_action="Check application performance: slow queries first, then CPU and memory of the servers.",
        prometheus=PromQL(value="avg(avg_over_time(probe_duration_seconds[5m]))", minutes=0),
        **common,
    )
    failed = "(FILL(target, 0) + FILL(edge, 0))"
    # The balancer does not count a request that it finds no target for, so its own failures may outnumber requests.
    asked = "MAX([FILL(requests, 0), FILL(edge, 0)])"
    yield alarm(
        f"{balancer.ref}-error-rate",
        target,
        edge,
        requests,
        panel="Failed requests",
        # A single failure is no rate.
        expression=f"IF({failed} > 1, 100 * {failed} / {asked}, 0)",
        title="Too many requests fail",
        comparison=">",
        threshold=thresholds.error_percent,
        setting="error_percent",
        unit="Percent",
        period=thresholds.sustained_minutes * MINUTE,
        silence=NO_TRAFFIC,
        severity="high",
        run_book=KEY_METRICS,
        impact="Users see errors.",
        first_action="Investigate application errors: the log since the last deployment, by path.",
        prometheus=PromQL(
            value=f"100 * (1 - avg(avg_over_time(probe_success[{thresholds.sustained_minutes}m])))", minutes=0
        ),
        **common,
    )
    yield alarm(
        f"{balancer.ref}-outage",
        edge,
        requests,
        panel="Failed requests",
        expression=f"IF(FILL(edge, 0) >= {_FEW}, 100 * FILL(edge, 0) / {asked}, 0)",
        title="The load balancer fails most requests itself",
        comparison=">",
        threshold=thresholds.edge.outage_percent,
        setting="edge.outage_percent",
        unit="Percent",
        minutes=3,
        silence=NO_TRAFFIC,
        severity="low",
        feeds=SERVICE_DOWN,
        run_book=CRITICAL_RESPONSE,
        impact="A part of service-down, which pages: the servers do not answer.",
        first_action="Act on service-down.",
        **common,
    )
    yield alarm(
        f"{balancer.ref}-rejected",
        count("RejectedConnectionCount"),
        panel="Connections turned away",
        title="The load balancer turns connections away",
        comparison=">",
        threshold=0.0,
        setting=None,
        unit="Connections",
        period=FIVE_MINUTES,
        silence=QUIET,
        severity="medium",
        run_book=MONITORING,
        impact="Some users cannot connect at all: the balancer is at its limit.",
        first_action="See in the firewall's log whether the load is an attack; else ask AWS for more capacity.",
        **common,
    )


def _targets(balancer: Balancer) -> Iterator[AlarmSpec]:
    here = {"TargetGroup": balancer.target_group, "LoadBalancer": balancer.ref}
    common: dict[str, Any] = {
        "kind": "balancer",
        "subject": balancer.target_group,
        "setting": None,
        "unit": "Servers",
        "minutes": 5,
    }
    yield alarm(
        f"{balancer.target_group}-unhealthy",
        series("AWS/ApplicationELB", "UnHealthyHostCount", "Minimum", here),
        panel="Health of servers",
        title="A server fails the load balancer's health check",
        comparison=">",
        threshold=0.0,
        silence=("notBreaching", "Without targets there is no value, and target-group-healthy rings."),
        severity="high",
        run_book="004_… Morning Health Check",
        impact="The others carry its load, as far as there are others.",
        first_action="Ask the server's log why its health path does not answer 200.",
        **common,
    )
    yield alarm(
        f"{balancer.target_group}-healthy",
        series("AWS/ApplicationELB", "HealthyHostCount", "Maximum", here),
        panel="Health of servers",
        title="No server is healthy",
        comparison="<",
        threshold=1.0,
        silence=SILENCE_RINGS,
        severity="low",
        feeds=SERVICE_DOWN,
        run_book=CRITICAL_RESPONSE,
        impact="A part of service-down, which pages: there is nobody to answer.",
        first_action="Act on service-down.",
        prometheus=PromQL(value="max(probe_success)", minutes=3),
        **{**common, "minutes": 3},
    )


def _expiry(thresholds: ThresholdSettings, certificate: Reference) -> AlarmSpec:
    return alarm(
        f"{certificate}-expiry",
        series("AWS/CertificateManager", "DaysToExpiry", "Minimum", {"CertificateArn": certificate}),
        panel="Certificate: days left",
        kind="edge",
        subject=certificate,
        title="The certificate has not been renewed",
        comparison="<",
        threshold=float(thresholds.edge.certificate_days),
        setting="edge.certificate_days",
        unit="Days",
        period=DAY,
        silence=("ignore", "A new certificate has no value for half a day, and an expired one none for ever."),
        severity="medium",
        run_book="004_… Certificate Management",
        impact="When it expires, browsers refuse the site.",
        first_action="Read in ACM why renewal waits; mostly the DNS record that proves the name is gone.",
        prometheus=PromQL(value="min(probe_ssl_earliest_cert_expiry - time()) / 86400", minutes=60),
    )


def _blocked(thresholds: ThresholdSettings, firewall: Reference, region: str) -> AlarmSpec:
    return alarm(
        f"{firewall}-blocked",
        series(
            "AWS/WAFV2",
            "BlockedRequests",
            "Sum",
            {"WebACL": firewall},
            texts={"Region": region, "Rule": "ALL"},
        ),
        panel="Requests blocked by the firewall",
        kind="edge",
        subject=firewall,
        title="The firewall blocks many requests",
        comparison=">",
        threshold=float(thresholds.edge.blocked_requests),
        setting="edge.blocked_requests",
        unit="Requests",
        period=FIVE_MINUTES,
        silence=QUIET,
        severity="medium",
        run_book="002_… §7.3 Network & Security",
        impact="An attack, or a rule that shuts out users.",
        first_action="Ask the firewall's log which rule blocks whom.",
    )


def _distribution(thresholds: ThresholdSettings, distribution: Reference) -> Iterator[AlarmSpec]:
    common: dict[str, Any] = {
        "kind": "edge",
        "subject": distribution,
        "period": FIVE_MINUTES,
        "silence": NO_TRAFFIC,
        "severity": "high",
        "run_book": KEY_METRICS,
    }
    texts = {"Region": "Global"}
    yield alarm(
        f"{distribution}-error-rate",
        series("AWS/CloudFront", "5xxErrorRate", "Average", {"DistributionId": distribution}, texts=texts),
        panel="CloudFront: failed requests",
        title="Too many requests to CloudFront fail",
        comparison=">",
        threshold=thresholds.error_percent,
        setting="error_percent",
        unit="Percent",
        impact="Users see errors.",
        first_action="Check the distribution and the status of its origins.",
        **common,
    )
    yield alarm(
        f"{distribution}-origin-latency",
        series("AWS/CloudFront", "OriginLatency", "Average", {"DistributionId": distribution}, texts=texts),
        panel="CloudFront: origin latency",
        title="CloudFront's origin answers slowly",
        comparison=">",
        threshold=thresholds.response_seconds * 1000,
        setting="response_seconds",
        unit="Milliseconds",
        impact="Users wait for every page that is not cached.",
        first_action="Check application performance behind the origin.",
        **common,
    )
