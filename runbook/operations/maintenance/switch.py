"""Where requests are led, and what leads them to the page: one class per mode, all of one shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from ..aws import spoken
from .entry import Entry

Position = Literal["site", "page", "neither"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where requests are led; ``why`` it is neither, or what stands in the way of a switch to the page."""

    position: Position
    why: str = ""
    is_blocked: bool = False


class Switch(Protocol):
    """``call`` with ``arguments`` leads requests to the page; ``actions``: what that and ``look`` need.

    ``patience``: seconds until everybody outside sees the change.
    """

    call: ClassVar[str]
    actions: ClassVar[tuple[str, ...]]
    patience: ClassVar[int]

    def look(self) -> Standing: ...

    def arguments(self) -> Mapping[str, Any]: ...

    def readiness(self) -> str: ...


def switch(entry: Entry, clients: Mapping[str, Any]) -> Switch:
    """The switch of the entry's mode."""
    match entry.mode:
        case "listener-rule":
            return ByRule(entry, clients)
        case "elastic-ip":
            return ByAddress(entry, clients)
        case "dns":
            return ByName(entry, clients)


class ByRule(Switch):
    """A rule of the load balancer's listener, before all others."""

    call = "elbv2.create_rule"
    actions = (
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:CreateRule",
    )
    patience = 120

    def __init__(self, entry: Entry, clients: Mapping[str, Any]) -> None:
        self._entry, self._balancer = entry, clients["elbv2"]
        self._listener, self._page = entry.places["listenerArn"], entry.places["targetGroupArn"]

    def look(self) -> Standing:
        with spoken("elasticloadbalancing:DescribeRules"):
            pages = self._balancer.get_paginator("describe_rules").paginate(ListenerArn=self._listener)
            first = [rule for page in pages for rule in page["Rules"] if rule["Priority"] == str(self._entry.priority)]
        if not first:
            return Standing("site")
        if any(action.get("TargetGroupArn") == self._page for action in first[0]["Actions"]):
            return Standing("page")
        return Standing(
            "site", f"priority {self._entry.priority} is taken by the rule {first[0]['RuleArn']}", is_blocked=True
        )

    def arguments(self) -> dict[str, Any]:
        return {
            "ListenerArn": self._listener,
            "Priority": self._entry.priority,
            "Conditions": [{"Field": "path-pattern", "Values": ["/*"]}],
            "Actions": [{"Type": "forward", "TargetGroupArn": self._page}],
        }

    def readiness(self) -> str:
        """Why the load balancer would not lead there; empty where it would."""
        with spoken("elasticloadbalancing:DescribeTargetHealth"):
            found = self._balancer.describe_target_health(TargetGroupArn=self._page)["TargetHealthDescriptions"]
        states = [one["TargetHealth"]["State"] for one in found]
        return "" if "healthy" in states else f"the load balancer finds it {', '.join(states) or 'not registered'}"


class ByAddress(Switch):
    """The server's Elastic IP address, on the machine with the page."""

    call = "ec2.associate_address"
    actions = ("ec2:DescribeAddresses", "ec2:AssociateAddress")
    patience = 300

    def __init__(self, entry: Entry, clients: Mapping[str, Any]) -> None:
        self._entry, self._ec2 = entry, clients["ec2"]

    def look(self) -> Standing:
        with spoken("ec2:DescribeAddresses"):
            allocation = self._entry.places["allocationId"]
            (address,) = self._ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
        holder = address.get("InstanceId")
        if holder == self._entry.instance_id:
            return Standing("page")
        if holder == self._entry.places["serverInstanceId"]:
            return Standing("site")
        if not holder:
            return Standing("neither", f"the address {allocation} is nobody's")
        return Standing("neither", f"the address {allocation} is on {holder}, a stranger", is_blocked=True)

    def arguments(self) -> dict[str, Any]:
        return {
            "AllocationId": self._entry.places["allocationId"],
            "InstanceId": self._entry.instance_id,
            "AllowReassociation": True,
        }

    def readiness(self) -> str:
        return ""


class ByName(Switch):
    """The health check of the server's name, held as failed."""

    call = "route53.update_health_check"
    actions = ("route53:GetHealthCheck", "route53:UpdateHealthCheck")
    patience = 900

    def __init__(self, entry: Entry, clients: Mapping[str, Any]) -> None:
        self._check, self._dns = entry.places["healthCheckId"], clients["route53"]

    def look(self) -> Standing:
        with spoken("route53:GetHealthCheck"):
            config = self._dns.get_health_check(HealthCheckId=self._check)["HealthCheck"]["HealthCheckConfig"]
        held = {bool(config.get("Disabled")), bool(config.get("Inverted"))}
        if len(held) > 1:
            return Standing("neither", f"the health check {self._check} is held by one of its two properties only")
        return Standing("page" if held == {True} else "site")

    def arguments(self) -> dict[str, Any]:
        return {"HealthCheckId": self._check, "Disabled": True, "Inverted": True}

    def readiness(self) -> str:
        return ""
