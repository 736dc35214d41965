"""Leads requests back from the maintenance page to the site, and looks whether they are.

A step of an SSM Automation document, which holds this file as text: it has to stand alone. It may run twice. Where the
site is not well, the page stays and the step fails, which somebody is told of: a page is better than an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config

#: The step has no retries of its own.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 8})

Event = Mapping[str, Any]


def off(event: Event, _context: object) -> dict[str, str]:
    """What was done, as ``{"result": sentence}``.

    ``event``: the step's input: ``mode``, ``force`` ("true": also where the site is not well) and what the mode needs:
    ``listener``, ``page``, ``site`` (ARNs of the listener and of both target groups) and ``priority``; ``allocation``
    and ``server``; or ``check`` (id of the health check). ``announce`` ("true": tell ``topic``, an ARN, that ``url`` is
    back). Raises RuntimeError when the page stays, or when requests are not led back although they should be.
    """
    modes: dict[str, Callable[[Event], str]] = {"listener-rule": _rule, "elastic-ip": _address, "dns": _name}
    result = modes[event["mode"]](event)
    if str(event.get("announce", "false")).lower() == "true":
        _announce(event)
    return {"result": result}


def _announce(event: Event) -> None:
    """E-mail gets the text, and the escalation's queue an event that is no alarm's: it posts that to the channel."""
    text = f"Resolved: {event['url']} is back after maintenance; the page went off by itself at its end."
    told = json.dumps({"Event Source": "runbook", "Event Message": text}, sort_keys=True)
    boto3.client("sns", config=_CONFIG).publish(
        TopicArn=event["topic"],
        Subject="Maintenance is over",
        MessageStructure="json",
        Message=json.dumps({"default": text, "sqs": told}, sort_keys=True),
    )


def _forced(event: Event) -> bool:
    return str(event.get("force", "false")).lower() == "true"


def _stays(why: str) -> RuntimeError:
    return RuntimeError(f"The page stays: {why}. Repair the site, or run this again with Force=true.")


def _rule(event: Event) -> str:
    balancer = boto3.client("elbv2", config=_CONFIG)
    rules = _switches(balancer, event)
    if not rules:
        return "The listener has no rule that leads to the page."
    if not _forced(event):
        health = balancer.describe_target_health(TargetGroupArn=event["site"])["TargetHealthDescriptions"]
        if not any(target["TargetHealth"]["State"] == "healthy" for target in health):
            raise _stays(f"none of the site's {len(health)} servers is healthy")
    for rule in rules:
        try:
            balancer.delete_rule(RuleArn=rule)
        except balancer.exceptions.RuleNotFoundException:
            continue
    if _switches(balancer, event):
        raise RuntimeError("The rule that leads to the page is still there; delete it by hand.")
    return "The rule that led to the page is gone."


def _switches(balancer: Any, event: Event) -> list[str]:
    """ARNs of the rules of the switch's priority that lead to the page; others have that priority by mistake."""
    pages = balancer.get_paginator("describe_rules").paginate(ListenerArn=event["listener"])
    return [
        rule["RuleArn"]
        for page in pages
        for rule in page["Rules"]
        if rule["Priority"] == str(event["priority"])
        and any(action.get("TargetGroupArn") == event["page"] for action in rule["Actions"])
    ]


def _address(event: Event) -> str:
    ec2 = boto3.client("ec2", config=_CONFIG)
    allocation, server = event["allocation"], event["server"]
    if _holder(ec2, allocation) == server:
        return "The address is the server's already."
    if not _forced(event):
        status = ec2.describe_instance_status(InstanceIds=[server])["InstanceStatuses"]
        well = [(one["InstanceStatus"]["Status"], one["SystemStatus"]["Status"]) for one in status]
        if well != [("ok", "ok")]:
            raise _stays(f"the server {server} is not running with all checks passed")
    ec2.associate_address(AllocationId=allocation, InstanceId=server, AllowReassociation=True)
    if (holder := _holder(ec2, allocation)) != server:
        raise RuntimeError(f"The address is {holder or 'nobody'}'s, not the server's; associate it by hand.")
    return "The address is the server's again."


def _holder(ec2: Any, allocation: str) -> str | None:
    address = ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0]
    return address.get("InstanceId") or None


def _name(event: Event) -> str:
    """Lets the health check decide again, so that the page stays by itself while the server is not well."""
    dns = boto3.client("route53", config=_CONFIG)
    dns.update_health_check(HealthCheckId=event["check"], Disabled=False, Inverted=False)
    state = dns.get_health_check(HealthCheckId=event["check"])["HealthCheck"]["HealthCheckConfig"]
    if state.get("Disabled") or state.get("Inverted"):
        raise RuntimeError("The health check is still held; set Disabled and Inverted to false by hand.")
    return "The health check decides again where the name leads."
