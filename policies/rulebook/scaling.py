"""Rules for Auto Scaling groups: how far they scale, on what, and how they start and judge their instances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from .links import sources
from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Severity, StackRule, each, through
from .values import is_false, is_true_of_any, number, show

GROUP = "aws:autoscaling/group:Group"
SCALING_POLICY = "aws:autoscaling/policy:Policy"
LAUNCH_CONFIGURATION = "aws:ec2/launchConfiguration:LaunchConfiguration"

#: Where and what the CloudWatch agent writes, and the dimension that makes it the group's.
NAMESPACE = "CWAgent"
MEMORY_METRIC = "mem_used_percent"
GROUP_DIMENSION = "AutoScalingGroupName"

#: The run book's group: at least one instance, at most two.
LEAST, MOST = 1, 2

#: Percent above which the run book scales up (``004_… Key Metrics to Monitor``); a target may not lie higher.
HIGHEST_TARGET = {"CPU": 80, "memory": 85}

_TRACKING = "targetTrackingConfiguration"
_CUSTOM = (_TRACKING, "customizedMetricSpecification")


def _bounds(resource: Resource, _: Context) -> Iterator[str]:
    least, most = resource.section("minSize"), resource.section("maxSize")
    if (at_least := number(least)) is None:
        yield f"The group's minimum size is {show(least)}; the run book demands {LEAST}."
    elif at_least < LEAST:
        yield f"The group may shrink to {show(at_least)} instances; the run book demands {LEAST}."
    if (at_most := number(most)) is None:
        yield f"The group's maximum size is {show(most)}; the run book allows {MOST}."
    elif at_most > MOST:
        yield f"The group may grow to {show(at_most)} instances; the run book allows {MOST}."


def _launch_template(resource: Resource, _: Context) -> Iterator[str]:
    if resource.type == LAUNCH_CONFIGURATION:
        yield "A launch configuration is declared; AWS adds nothing to them any more."
        return
    if resource.section("launchConfiguration"):
        yield "The group starts its instances from a launch configuration."
    elif not resource.section("launchTemplate") and not resource.section("mixedInstancesPolicy", "launchTemplate"):
        yield "The group has no launch template."


def _elb_health_check(resource: Resource, _: Context) -> Iterator[str]:
    attached = [prop for prop in ("targetGroupArns", "loadBalancers", "trafficSources") if resource.items(prop)]
    kind = resource.section("healthCheckType")
    if attached and kind != "ELB":
        said = "EC2's own status checks" if kind in (None, "EC2") else show(kind)
        yield f"The group is behind a load balancer but replaces instances by {said} only; ELB is demanded."


def _scales_on_both(stack: Stack) -> Iterator[Fault]:
    def judge(group: Resource) -> Iterator[Fault]:
        followed = (
            ("CPU", lambda policy: _tracks_cpu(stack, group, policy)),
            ("memory", lambda policy: _tracks_memory(stack, group, policy)),
        )
        policies = sources(stack, group, "autoscalingGroupName", SCALING_POLICY)
        return through(followed, lambda one: _follows(group, policies, *one))

    return each(stack.of(GROUP), judge)


def _follows(
    group: Resource, policies: tuple[Resource, ...], what: str, follows: Callable[[Resource], bool]
) -> Iterator[Fault]:
    """A fault where no policy follows ``what``, and one for each that aims too high."""
    if not is_true_of_any(policies, follows):
        yield Fault(f"The group does not scale on {what}: no target-tracking policy follows it.", group.urn)
    for policy in policies:
        if not follows(policy):
            continue
        target = policy.section(_TRACKING, "targetValue")
        percent = number(target)
        if percent is None or not 0 < percent <= HIGHEST_TARGET[what]:
            most = HIGHEST_TARGET[what]
            yield Fault(
                f"The {what} policy aims at {show(target)} percent; the run book scales up above {most}.", policy.urn
            )


def is_active(policy: Resource) -> bool:
    """Whether the policy tracks a target and is switched on."""
    return policy.section("policyType") == "TargetTrackingScaling" and not is_false(policy.section("enabled"))


def reads_memory(policy: Resource) -> bool:
    """Whether the policy follows the agent's memory metric, in whatever namespace."""
    return is_active(policy) and policy.section(*_CUSTOM, "metricName") == MEMORY_METRIC


def memory_namespace(policy: Resource) -> Any:
    return policy.section(*_CUSTOM, "namespace")


def _tracks_cpu(stack: Stack, group: Resource, policy: Resource) -> bool:
    if not is_active(policy):
        return False
    if policy.section(_TRACKING, "predefinedMetricSpecification", "predefinedMetricType") == "ASGAverageCPUUtilization":
        return True
    return (
        policy.section(*_CUSTOM, "metricName") == "CPUUtilization"
        and policy.section(*_CUSTOM, "namespace") == "AWS/EC2"
        and _reads_group(stack, group, policy)
    )


def _tracks_memory(stack: Stack, group: Resource, policy: Resource) -> bool:
    return (
        reads_memory(policy)
        and memory_namespace(policy) == NAMESPACE
        and policy.section(*_CUSTOM, "statistic") in ("Average", "Maximum")
        and _reads_group(stack, group, policy)
    )


def _reads_group(stack: Stack, group: Resource, policy: Resource) -> bool:
    """Whether the policy's metric is the group's: its one dimension is the group's name."""
    path = (*_CUSTOM, "metricDimensions")
    if len(policy.items(*path)) != 1 or policy.section(*path, 0, "name") != GROUP_DIMENSION:
        return False
    return names_group(stack, group, policy, *path, 0, "value")


def names_group(stack: Stack, group: Resource, holder: Resource, prop: str, *path: str | int) -> bool:
    """Whether the text at ``path`` in ``prop`` is the group's name; an unknown one is if it was made from the group."""
    try:
        value = holder.section(prop, *path)
    except UnknownValueError:
        return any(hit.urn == group.urn for hit in stack.referenced(holder, prop, GROUP))
    return any(hit.urn == group.urn for hit in stack.with_id(value, GROUP))


BOUNDS = ResourceRule(
    id="asg-bounds",
    sentence="000_b5883a9168e66709.txt §5: Minimum of 1 instance and scales up to 2 instances.",
    title="A group has at least one instance and at most two.",
    why="With none nothing serves; a third is a cost and a load on the database that nobody planned.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST CP-10",),
    remedy="Set web.min_instances to 1 or more and web.max_instances to 2 or less.",
    types=frozenset({GROUP}),
    check=_bounds,
)

SCALES_ON_BOTH = StackRule(
    id="asg-scales-on-cpu-and-memory",
    sentence="000_b5883a9168e66709.txt §5: Autoscaling is configured based on CPU and memory usage.",
    title="Each group follows a CPU target and a memory target.",
    why="A group that follows one of them stands still while the other runs out.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SC-5",),
    remedy=(
        "Declare two target-tracking policies: ASGAverageCPUUtilization, and mem_used_percent of CWAgent with the "
        "dimension AutoScalingGroupName."
    ),
    types=frozenset({GROUP, SCALING_POLICY}),
    check=_scales_on_both,
)

LAUNCH_TEMPLATE = ResourceRule(
    id="asg-launch-template",
    sentence="002_3d1abe7e242e6afd.txt §3.3: EC2 ASG management",
    title="Groups start their instances from a launch template.",
    why="Launch configurations know no IMDSv2 default, no newer instance classes and no versions to go back to.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP AutoScaling.9", "Checkov CKV_AWS_315"),
    remedy="Declare an aws.ec2.LaunchTemplate and name it in the group.",
    types=frozenset({GROUP, LAUNCH_CONFIGURATION}),
    check=_launch_template,
)

ELB_HEALTH_CHECK = ResourceRule(
    id="asg-elb-health-check",
    sentence="002_3d1abe7e242e6afd.txt §3.3: EC2 ASG management",
    title="A group behind a load balancer replaces what the load balancer finds unhealthy.",
    why="EC2's own checks see a running machine where the application has long stopped answering.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP AutoScaling.1", "NIST SI-4"),
    remedy='Set health_check_type="ELB".',
    types=frozenset({GROUP}),
    check=_elb_health_check,
)
