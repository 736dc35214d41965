"""The network: NAT gateways and refused connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..facts import Facts
from ..spec import AlarmSpec, Metric, Reference
from .lines import BAND_ONLY, FIVE_MINUTES, MONITORING, QUIET, alarm, series

if TYPE_CHECKING:
    from settings.thresholds import ThresholdSettings


def rows(thresholds: ThresholdSettings, facts: Facts) -> Iterator[AlarmSpec]:
    """NAT gateways and refused connections."""
    for gateway in facts.gateways:
        yield from _gateway(thresholds, gateway)
    if facts.rejects:
        yield alarm(
            "network-rejects",
            series(facts.rejects, "RejectedConnections", "Sum"),
            panel="Refused connections",
            kind="network",
            subject="network",
            title="Unusually many connections are refused",
            comparison=">",
            threshold=None,
            band=thresholds.edge.band_deviations,
            setting="edge.band_deviations",
            unit="Connections",
            period=FIVE_MINUTES,
            periods=3,
            silence=QUIET,
            severity="low",
            run_book="004_… Infrastructure Logs",
            impact="Somebody scans the network, or a rule shuts out somebody who belongs.",
            first_action="Ask the flow log for REJECTs by source.",
            not_in_prometheus=BAND_ONLY,
        )


def _gateway(thresholds: ThresholdSettings, gateway: Reference) -> Iterator[AlarmSpec]:
    def count(name: str, key: str = "m1") -> Metric:
        return series("AWS/NATGateway", name, "Sum", {"NatGatewayId": gateway}, key=key)

    common: dict[str, Any] = {
        "kind": "network",
        "subject": gateway,
        "period": FIVE_MINUTES,
        "periods": 3,
        "silence": QUIET,
        "severity": "medium",
        "run_book": MONITORING,
    }
    yield alarm(
        f"{gateway}-ports",
        count("ErrorPortAllocation"),
        panel="NAT: no port left",
        title="A NAT gateway has no port left",
        comparison=">",
        threshold=0.0,
        setting=None,
        unit="Connections",
        impact="Servers of its zone cannot reach AWS or package sources.",
        first_action="Find in the flow log who opens so many connections; a further address gives more ports.",
        **common,
    )
    yield alarm(
        f"{gateway}-drops",
        count("PacketsDropCount", "dropped"),
        count("PacketsOutToDestination", "outward"),
        count("PacketsOutToSource", "inward"),
        panel="NAT: dropped packets",
        expression="100 * FILL(dropped, 0) / (outward + inward)",
        title="A NAT gateway drops packets",
        comparison=">",
        threshold=thresholds.edge.dropped_percent,
        setting="edge.dropped_percent",
        unit="Percent",
        impact="Connections of its zone to the outside are slow or break.",
        first_action="Look at AWS's health dashboard; then move the zone's route to another gateway.",
        **common,
    )
