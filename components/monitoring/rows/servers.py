"""Servers, containers, single machines, and the log of the application that they run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..facts import Container, Facts, Group
from ..spec import AlarmSpec, PromQL, Reference
from .lines import (
    BAND_ONLY,
    FIVE_MINUTES,
    HOUR,
    KEY_METRICS,
    MONITORING,
    QUIET,
    SCALING,
    SILENCE_RINGS,
    Silence,
    alarm,
    series,
)

if TYPE_CHECKING:
    from settings.thresholds import ThresholdSettings

_NO_SERVER: Silence = ("notBreaching", "Without servers there is nothing to measure, and group-in-service rings.")
_NO_AGENT: Silence = ("notBreaching", "Where the agent is silent, group-memory-missing rings.")


def rows(thresholds: ThresholdSettings, facts: Facts) -> Iterator[AlarmSpec]:
    """Servers, containers, single machines, and the log of the application."""
    if facts.group:
        yield from _load(thresholds, facts.group)
        yield from _traffic(thresholds, facts.group)
        yield from _size(facts.group)
    for container in facts.containers:
        yield from _container(thresholds, container)
    for host in facts.hosts:
        yield from _host(thresholds, host)
    if facts.errors:
        yield _errors(thresholds, facts.errors)


def _load(thresholds: ThresholdSettings, group: Group) -> Iterator[AlarmSpec]:
    common: dict[str, Any] = {"kind": "servers", "subject": group.ref, "unit": "Percent", "severity": "high"}
    lasting = thresholds.sustained_minutes
    yield alarm(
        f"{group.ref}-cpu",
        series("AWS/EC2", "CPUUtilization", "Average", {"AutoScalingGroupName": group.ref}),
        panel="CPU",
        title="The servers' CPU is busy",
        comparison=">",
        threshold=thresholds.cpu_percent,
        setting="cpu_percent",
        minutes=lasting,
        silence=_NO_SERVER,
        run_book=KEY_METRICS,
        impact="Answers become slow, and scaling has not helped.",
        first_action="Scale up: raise max_instances or the instance class, once a runaway process is ruled out.",
        prometheus=PromQL(value='avg(cpu_usage_active{cpu="cpu-total"})', minutes=lasting),
        **common,
    )
    yield alarm(
        f"{group.ref}-memory",
        series("CWAgent", "mem_used_percent", "Average", {"AutoScalingGroupName": group.ref}),
        panel="Memory",
        title="The servers' memory is nearly used up",
        comparison=">",
        threshold=thresholds.memory_percent,
        setting="memory_percent",
        minutes=lasting,
        silence=_NO_AGENT,
        run_book=KEY_METRICS,
        impact="The system will end processes of the platform.",
        first_action="Scale up: raise max_instances or the instance class, once a leak is ruled out.",
        prometheus=PromQL(value='avg(mem_used_percent{InstanceId!=""})', minutes=lasting),
        **common,
    )
    yield alarm(
        f"{group.ref}-disk",
        series("CWAgent", "disk_used_percent", "Maximum", {"AutoScalingGroupName": group.ref}),
        panel="Disk",
        title="A server's disk is nearly full",
        comparison=">",
        threshold=100 - thresholds.disk_free_percent,
        setting="disk_free_percent",
        period=FIVE_MINUTES,
        silence=_NO_AGENT,
        run_book=KEY_METRICS,
        impact="When it is full, the server can write neither logs nor sessions.",
        first_action="Scale up storage: enlarge the volume in the launch template, once logs and caches are cleared.",
        prometheus=PromQL(value='max(disk_used_percent{InstanceId!=""})', minutes=5),
        **common,
    )
    yield alarm(
        f"{group.ref}-memory-missing",
        series("CWAgent", "mem_used_percent", "SampleCount", {"AutoScalingGroupName": group.ref}),
        panel="Memory readings",
        kind="servers",
        subject=group.ref,
        title="No server reports its memory",
        comparison="<",
        threshold=1.0,
        setting=None,
        unit="Readings",
        minutes=10,
        silence=SILENCE_RINGS,
        severity="high",
        run_book=SCALING,
        impact="Scaling on memory and the alarms on memory and disk see nothing.",
        first_action="Look at the association of the CloudWatch agent in Systems Manager, and run it again.",
        not_in_prometheus="Prometheus has an alert of its own on servers that send nothing.",
    )


def _traffic(thresholds: ThresholdSettings, group: Group) -> Iterator[AlarmSpec]:
    for purpose, metric, way in (("network-in", "NetworkIn", "arrives at"), ("network-out", "NetworkOut", "leaves")):
        yield alarm(
            f"{group.ref}-{purpose}",
            series("AWS/EC2", metric, "Average", {"AutoScalingGroupName": group.ref}),
            panel="Network traffic",
            kind="servers",
            subject=group.ref,
            title=f"Unusual traffic {way} the servers",
            comparison="outside",
            threshold=None,
            band=thresholds.edge.band_deviations,
            setting="edge.band_deviations",
            unit="Bytes",
            period=FIVE_MINUTES,
            periods=3,
            silence=_NO_SERVER,
            severity="low",
            run_book=MONITORING,
            impact="Perhaps an attack, data that leaks out, or users who no longer get through.",
            first_action="Compare with the load balancer's requests, then ask the flow log who talks to whom.",
            not_in_prometheus=BAND_ONLY,
        )


def _size(group: Group) -> Iterator[AlarmSpec]:
    common: dict[str, Any] = {
        "kind": "servers",
        "subject": group.ref,
        "setting": None,
        "unit": "Servers",
        "run_book": SCALING,
    }
    here = {"AutoScalingGroupName": group.ref}
    yield alarm(
        f"{group.ref}-in-service",
        series("AWS/AutoScaling", "GroupInServiceInstances", "Minimum", here),
        panel="Servers",
        title="Fewer servers run than the group's minimum",
        comparison="<",
        threshold=float(group.least),
        minutes=10,
        silence=SILENCE_RINGS,
        severity="high",
        impact="The site stands on too few servers, or on none.",
        first_action="Look at the group's activity history, which says why a server did not start.",
        **common,
    )
    yield alarm(
        f"{group.ref}-capacity",
        series("AWS/AutoScaling", "GroupDesiredCapacity", "Minimum", here, key="wanted"),
        series("AWS/AutoScaling", "GroupInServiceInstances", "Maximum", here, key="running"),
        panel="Servers wanted and not there",
        expression="wanted - running",
        title="The group does not get the servers that it wants",
        comparison=">",
        threshold=0.0,
        minutes=20,
        silence=("notBreaching", "Without a value, group-in-service rings."),
        severity="medium",
        impact="Scaling does not work, and a server that was lost is not replaced.",
        first_action="Look at the group's activity history, which says why a server did not start.",
        **common,
    )
    if group.most > group.least:
        yield alarm(
            f"{group.ref}-full",
            series("AWS/AutoScaling", "GroupDesiredCapacity", "Minimum", here),
            panel="Servers",
            title="The group has been at its maximum for an hour",
            comparison=">=",
            threshold=float(group.most),
            period=FIVE_MINUTES,
            periods=12,
            silence=("notBreaching", "Without a value, group-in-service rings."),
            severity="low",
            impact="There is no room for more users.",
            first_action="Adjust the scaling policies or max_instances, once the load is known to be real.",
            **common,
        )
    yield alarm(
        f"{group.ref}-status",
        series("AWS/EC2", "StatusCheckFailed", "Maximum", here),
        panel="Failed status checks",
        title="A server fails its status checks",
        comparison=">",
        threshold=0.0,
        minutes=5,
        silence=_NO_SERVER,
        severity="medium",
        impact="The group replaces it; until then there is one server less.",
        first_action="See that the group replaces the server; if it does not, terminate it.",
        **{**common, "run_book": MONITORING, "unit": "Checks"},
    )


def _container(thresholds: ThresholdSettings, container: Container) -> Iterator[AlarmSpec]:
    here = {"ClusterName": container.cluster, "ServiceName": container.ref}
    common: dict[str, Any] = {"kind": "containers", "subject": container.ref, "severity": "high"}
    for purpose, panel, metric, limit, what in (
        ("cpu", "CPU", "CPUUtilization", thresholds.cpu_percent, "CPU is busy"),
        ("memory", "Memory", "MemoryUtilization", thresholds.memory_percent, "memory is nearly used up"),
    ):
        yield alarm(
            f"{container.ref}-{purpose}",
            series("AWS/ECS", metric, "Average", here),
            panel=panel,
            title=f"The tasks' {what}",
            comparison=">",
            threshold=limit,
            setting=f"{purpose}_percent",
            unit="Percent",
            minutes=thresholds.sustained_minutes,
            silence=("notBreaching", f"Without tasks there is no value, and {container.ref}-tasks rings."),
            run_book=KEY_METRICS,
            impact="Answers become slow, and scaling has not helped.",
            first_action="Scale up ECS tasks.",
            **common,
        )
    yield alarm(
        f"{container.ref}-tasks",
        series("ECS/ContainerInsights", "RunningTaskCount", "Minimum", here),
        panel="Tasks",
        title="Fewer tasks run than the service needs",
        comparison="<",
        threshold=float(container.least),
        setting=None,
        unit="Tasks",
        minutes=5,
        silence=SILENCE_RINGS,
        run_book="004_… Morning Health Check",
        impact="The service is degraded, or down.",
        first_action="Check task health and scaling events; the service's events say why a task stopped.",
        **common,
    )


def _host(thresholds: ThresholdSettings, host: Reference) -> Iterator[AlarmSpec]:
    stopped: Silence = ("notBreaching", "A machine may be stopped on purpose.")
    common: dict[str, Any] = {"kind": "bastion", "subject": host, "silence": stopped, "severity": "medium"}
    yield alarm(
        f"{host}-status",
        series("AWS/EC2", "StatusCheckFailed", "Maximum", {"InstanceId": host}),
        panel="Failed status checks",
        title=f"The {host} fails its status checks",
        comparison=">",
        threshold=0.0,
        setting=None,
        unit="Checks",
        minutes=5,
        run_book="000_… §1 Accessing the Infrastructure",
        impact="Administrators do not reach the private network.",
        first_action="Stop and start the instance, so that it moves to another host; else replace it.",
        **common,
    )
    yield alarm(
        f"{host}-cpu",
        series("AWS/EC2", "CPUUtilization", "Average", {"InstanceId": host}),
        panel="CPU",
        title=f"The {host}'s CPU is busy",
        comparison=">",
        threshold=thresholds.cpu_percent,
        setting="cpu_percent",
        unit="Percent",
        minutes=thresholds.sustained_minutes,
        run_book=KEY_METRICS,
        impact="A machine that only passes connections on has no reason to be busy.",
        first_action="Look for what runs on it that should not, and who started it.",
        not_in_prometheus="Its agent does not send to Prometheus.",
        **common,
    )


def _errors(thresholds: ThresholdSettings, namespace: str) -> AlarmSpec:
    return alarm(
        "application-errors",
        series(namespace, "ApplicationErrors", "Sum"),
        panel="Errors in the log",
        kind="servers",
        subject="application-errors",
        title="The application logs many errors",
        comparison=">=",
        threshold=float(thresholds.errors_per_hour),
        setting="errors_per_hour",
        unit="Errors",
        period=HOUR,
        silence=QUIET,
        severity="medium",
        run_book="004_… Morning Health Check",
        impact="Something fails that users may not see yet.",
        first_action="Review recent deployments and application logs.",
    )
