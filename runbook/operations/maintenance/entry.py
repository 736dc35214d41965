"""What a changeover works on, as the stack's inventory and settings tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from ...errors import UserError
from ..site import Site

Mode = Literal["listener-rule", "elastic-ip", "dns"]

#: The inventories that every mode needs, and those of a stack whose own web tier the page stands in for.
COMPONENTS, OF_WEB = ("alerts", "maintenance"), ("monitoring", "web")

#: The inventory that a stack with Prometheus has besides.
OF_PROMETHEUS = "prometheus"

#: The severity whose topic hears of maintenance: it is news, and calls nobody.
NOTICE_TOPIC = "low"

#: How long after the end alarms stay mute: what they measured of the page has left their periods by then.
SETTLING = timedelta(minutes=15)

#: Where the page answers, whether it is in front of the site or not.
PAGE_PATH = ".maintenance"

_PLACES: Mapping[Mode, tuple[str, ...]] = {
    "listener-rule": ("listenerArn", "targetGroupArn"),
    "elastic-ip": ("allocationId", "serverInstanceId"),
    "dns": ("healthCheckId", "serverInstanceId"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The machine with the page, what leads requests to it, and whom its alarms belong to.

    ``url``: of the site, with a slash at its end; ``health_path``: where the page's machine says that it is well;
    ``site_path``: where the site does. ``places``: what the mode's switch works on. ``watched``: dimensions (name,
    value) of the alarms that ring while the page is on; ``spared``: those of alarms that watch the page itself;
    ``alarm_prefix``: what the names of these alarms begin with. ``alert_manager``: the address of the Prometheus
    workspace whose alerts say the same as the alarms; "" where there is none.
    """

    site: Site
    mode: Mode
    host: str
    url: str
    health_path: str
    site_path: str
    instance_id: str
    priority: int
    places: Mapping[str, str]
    calendar: str
    until_document: str
    off_document: str
    schedule_group: str
    schedule_role_arn: str
    dead_letter_arn: str
    mute_rule: str
    topic_arn: str
    watched: frozenset[tuple[str, str]]
    spared: frozenset[tuple[str, str]]
    alarm_prefix: str
    alert_manager: str

    @property
    def time_zone(self) -> str:
        """The zone of times that people type and read."""
        zone: str = self.site.settings.changes.time_zone
        return zone

    @property
    def record(self) -> str:
        """The name of the SSM parameter that tells who put the page on, and until when."""
        return record_parameter(self.site)


def record_parameter(site: Site) -> str:
    return site.labels.path("maintenance", "record")


def entry(site: Site, inventory: Callable[[str], Mapping[str, Any]]) -> Entry:
    """Reads the inventory. Raises UserError where the stack has no maintenance page, or noted too little of it."""
    entries = {component: inventory(component) for component in COMPONENTS}

    def said(component: str, name: str) -> Any:
        value = entries[component].get(name)
        if value is None:
            raise UserError(
                f"The inventory of {component} ({site.parameter(component)}) does not say {name}.",
                f"`make up STACK={site.environment}` writes it anew.",
            )
        return value

    mode: Mode = said("maintenance", "mode")
    places = {name: said("maintenance", name) for name in _PLACES[mode]}
    if mode == "listener-rule":
        entries |= {component: inventory(component) for component in OF_WEB}
        watched = {
            ("AutoScalingGroupName", said("web", "autoScalingGroup")),
            ("LoadBalancer", said("web", "loadBalancerDimension")),
            ("TargetGroup", said("web", "targetGroupDimension")),
        }
        # The dimension is the tail of the ARN.
        spared = {("TargetGroup", places["targetGroupArn"].rpartition(":")[2])}
        prefix = said("monitoring", "alarmPrefix")
    else:
        watched, spared, prefix = {("InstanceId", places["serverInstanceId"])}, set(), ""
    settings = site.settings
    if settings.prometheus.enabled:
        entries[OF_PROMETHEUS] = inventory(OF_PROMETHEUS)
    server = settings.maintenance.server
    return Entry(
        site=site,
        mode=mode,
        host=said("maintenance", "host"),
        url=said("maintenance", "url"),
        health_path=said("maintenance", "healthPath"),
        site_path=settings.web.health_path if mode == "listener-rule" or server is None else server.health_path,
        instance_id=said("maintenance", "instanceId"),
        priority=said("maintenance", "priority"),
        places=places,
        calendar=said("maintenance", "calendar"),
        until_document=said("maintenance", "untilDocument"),
        off_document=said("maintenance", "offDocument"),
        schedule_group=said("maintenance", "scheduleGroup"),
        schedule_role_arn=said("maintenance", "scheduleRoleArn"),
        dead_letter_arn=said("maintenance", "deadLetterArn"),
        mute_rule=said("maintenance", "muteRule"),
        topic_arn=said("alerts", "topicArns")[NOTICE_TOPIC],
        watched=frozenset(watched),
        spared=frozenset(spared),
        alarm_prefix=prefix,
        alert_manager=said(OF_PROMETHEUS, "endpoint") if settings.prometheus.enabled else "",
    )
