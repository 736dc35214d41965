"""Rules for ECS and ECR: what a task may do to its host, how a service is deployed and scaled, which image it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .coverage import SERVICE
from .functions import leaks_in_variable
from .links import sources, targets
from .resource import Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .values import is_true_of_any, number, show

TASK = "aws:ecs/taskDefinition:TaskDefinition"
CLUSTER = "aws:ecs/cluster:Cluster"
REPOSITORY = "aws:ecr/repository:Repository"
SCALING_TARGET = "aws:appautoscaling/target:Target"
SCALING_POLICY = "aws:appautoscaling/policy:Policy"

#: What the run book's policy says (``004_… Update ECS Auto-Scaling``): percent of the CPU, and seconds.
TARGET_PERCENT, COOLDOWN = 70, 300

_TRACKING = "targetTrackingScalingPolicyConfiguration"
_CPU = "ECSServiceAverageCPUUtilization"

#: Strategies that keep the old tasks until the new ones have proved themselves.
_SIDE_BY_SIDE = ("BLUE_GREEN", "CANARY", "LINEAR")

#: The namespaces of a task's host: property of a task definition -> what the tasks would share.
_HOST_MODES = {"networkMode": "network", "pidMode": "processes", "ipcMode": "memory"}


class _UnreadableError(ValueError):
    """The container definitions are no JSON list of objects."""


def _containers(task: Resource) -> list[Mapping[str, Any]]:
    written = task.section("containerDefinitions")
    try:
        found = json.loads(written) if isinstance(written, str) else None
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _UnreadableError
    return found


def _hardening(task: Resource, _: Context) -> Iterator[str]:
    try:
        containers = _containers(task)
    except _UnreadableError:
        yield "The task's container definitions cannot be read: they are no JSON list."
        return
    for container in containers:
        yield from (f"The container {show(container.get('name'))} {said}." for said in _loose(container))
    for prop, what in _HOST_MODES.items():
        if task.section(prop) == "host":
            yield f"The task shares its host's {what}."
    yield from _roles(task)


def _loose(container: Mapping[str, Any]) -> Iterator[str]:
    user = container.get("user")
    if user is None:
        yield "runs as whoever its image says, root by default"
    elif str(user).partition(":")[0] in ("0", "root", ""):
        yield "runs as root"
    if is_true(container.get("privileged")):
        yield "is privileged: it is root on its host"
    if not is_true(container.get("readonlyRootFilesystem")):
        yield "can write to its own root file system"
    log = container.get("logConfiguration")
    driver = log.get("logDriver") if isinstance(log, Mapping) else None
    if driver in (None, "none"):
        yield "writes no log"


def _roles(task: Resource) -> Iterator[str]:
    own = task.section("taskRoleArn")
    compatible = [str(one) for one in task.items("requiresCompatibilities")]
    if not own and compatible != ["FARGATE"]:
        yield "The task has no role, so it takes its host's."
    elif own and own == task.section("executionRoleArn"):
        yield "The task works with the role that starts it, and so may read every secret of its start."


def _no_secret_env(task: Resource, _: Context) -> Iterator[str]:
    try:
        containers = _containers(task)
    except _UnreadableError:
        # The rule on hardening says so.
        return
    for container in containers:
        variables = container.get("environment")
        for variable in variables if isinstance(variables, list) else ():
            for said in leaks_in_variable(str(variable.get("name")), variable.get("value")):
                yield f"The container {show(container.get('name'))}'s variable {said}."


def _service_safe(service: Resource, _: Context) -> Iterator[str]:
    if is_true(service.section("networkConfiguration", "assignPublicIp")):
        yield "The service's tasks get public addresses."
    if service.section("deploymentController", "type") in ("CODE_DEPLOY", "EXTERNAL"):
        # Whoever deploys then rolls back as well.
        return
    breaker = ("deploymentCircuitBreaker",)
    turns_back = all(is_true(service.section(*breaker, key)) for key in ("enable", "rollback"))
    if not turns_back and service.section("deploymentConfiguration", "strategy") not in _SIDE_BY_SIDE:
        yield "A deployment that fails is not rolled back: neither a circuit breaker with rollback nor blue/green."
    alarms = all(is_true(service.section("alarms", key)) for key in ("enable", "rollback"))
    if not alarms or not service.items("alarms", "alarmNames"):
        yield "A deployment that makes alarms ring is not rolled back: no alarms are wired to it."


def _insights(cluster: Resource, _: Context) -> Iterator[str]:
    values = [
        cluster.section("settings", index, "value")
        for index in range(len(cluster.items("settings")))
        if cluster.section("settings", index, "name") == "containerInsights"
    ]
    value = values[0] if values else None
    if value not in ("enabled", "enhanced"):
        yield f"The cluster's Container Insights are {show(value)}."


def _scales(stack: Stack) -> Iterator[Fault]:
    def judge(service: Resource) -> Iterator[Fault]:
        if service.section("schedulingStrategy") == "DAEMON":
            return
        policies = _policies_of(stack, service)
        if not is_true_of_any(policies, _follows_cpu):
            yield Fault("The service does not scale with its CPU: no target tracking policy follows it.", service.urn)
        for policy in policies:
            if _follows_cpu(policy):
                yield from (Fault(said, policy.urn) for said in _odd(policy))

    return each(stack.of(SERVICE), judge)


def _policies_of(stack: Stack, service: Resource) -> tuple[Resource, ...]:
    """The scaling policies of a service, which name it themselves or take its name from its scaling target."""
    scaled = sources(stack, service, "resourceId", SCALING_TARGET)
    found = [*sources(stack, service, "resourceId", SCALING_POLICY)]
    found += [
        policy
        for policy in stack.of(SCALING_POLICY)
        if any(hit in scaled for hit in targets(stack, policy, "resourceId", SCALING_TARGET))
    ]
    return tuple({policy.urn: policy for policy in found}.values())


def _follows_cpu(policy: Resource) -> bool:
    metric = (_TRACKING, "predefinedMetricSpecification", "predefinedMetricType")
    return bool(policy.section("policyType") == "TargetTrackingScaling" and policy.section(*metric) == _CPU)


def _odd(policy: Resource) -> Iterator[str]:
    aim = policy.section(_TRACKING, "targetValue")
    if number(aim) != TARGET_PERCENT:
        yield f"The policy aims at {show(aim)} percent of the CPU; the run book says {TARGET_PERCENT}."
    for key, what in (("scaleOutCooldown", "out"), ("scaleInCooldown", "in")):
        wait = policy.section(_TRACKING, key)
        if number(wait) != COOLDOWN:
            said = "as AWS does" if wait is None else f"{show(wait)} seconds"
            yield f"The policy waits {said} after scaling {what}; the run book says {COOLDOWN} seconds."
    if is_true(policy.section(_TRACKING, "disableScaleIn")):
        yield "The policy never scales in."


def _repository(repository: Resource, _: Context) -> Iterator[str]:
    kind = repository.section("imageTagMutability")
    if kind != "IMMUTABLE":
        yield f"A tag can be moved to another image: the repository's tags are {show(kind or 'MUTABLE')}."
    if not is_true(repository.section("imageScanningConfiguration", "scanOnPush")):
        yield "Images are not scanned when they are pushed."


HARDENING = ResourceRule(
    id="ecs-task-hardening",
    sentence="004_5ca73e3508d74ec8.txt Application Logs: View recent application logs",
    title="Containers run without root, cannot change themselves or see their host, and write a log.",
    why="Whoever breaks into a container that is root on its host has the host, and all that runs there.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP ECS.3", "FSBP ECS.4", "FSBP ECS.5", "FSBP ECS.9", "Checkov CKV_AWS_249", "NIST AC-6"),
    remedy="Set user, readonlyRootFilesystem and logConfiguration of each container; leave privileged and the host's "
    "modes alone; give the task a role that is not its execution role.",
    types=frozenset({TASK}),
    check=_hardening,
)

NO_SECRET_ENV = ResourceRule(
    id="ecs-no-secret-env",
    sentence="002_3d1abe7e242e6afd.txt §2: Secret rotation procedures",
    title="No container has a secret in its environment.",
    why="A task definition is readable by everybody who may look at the cluster, and old revisions stay for ever.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("FSBP ECS.8", "NIST IA-5"),
    remedy="Name the secret's ARN under secrets, so that ECS hands it over at the start.",
    types=frozenset({TASK}),
    check=_no_secret_env,
)

SERVICE_SAFE = ResourceRule(
    id="ecs-service-safe",
    sentence="002_3d1abe7e242e6afd.txt §4.1: Rollback procedures",
    title="Services have no public address, and a deployment that goes wrong is rolled back.",
    why="Without a way back a bad image replaces good tasks one after the other, until none is left.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP ECS.2", "NIST CM-3"),
    remedy='Set deployment_circuit_breaker={"enable": True, "rollback": True} and alarms, or strategy BLUE_GREEN.',
    types=frozenset({SERVICE}),
    check=_service_safe,
)

INSIGHTS = ResourceRule(
    id="ecs-insights",
    sentence="004_5ca73e3508d74ec8.txt Key Metrics to Monitor: Memory Utilization",
    title="Clusters have Container Insights.",
    why="Without them nobody sees which task ran out of memory, nor how many have been restarted.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP ECS.12", "NIST SI-4"),
    remedy='Set settings=[{"name": "containerInsights", "value": "enhanced"}].',
    types=frozenset({CLUSTER}),
    check=_insights,
)

SCALES = StackRule(
    id="ecs-autoscale-70",
    sentence="004_5ca73e3508d74ec8.txt Update ECS Auto-Scaling: Update target capacity",
    title="Services follow their CPU at 70 percent and wait 300 seconds between steps.",
    why="A service that does not scale is too small in the morning and too large at night.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SC-5",),
    remedy="Declare aws.appautoscaling.Policy with ECSServiceAverageCPUUtilization, 70 and both cooldowns 300.",
    types=frozenset({SERVICE, SCALING_POLICY, SCALING_TARGET}),
    check=_scales,
)

IMMUTABLE_SCANNED = ResourceRule(
    id="ecr-immutable-scan",
    sentence="001_62c8c82a6a764433.txt §3: protect against security vulnerabilities",
    title="A tag stays with its image, and every image is scanned.",
    why="What was tested and what is deployed are the same only where a tag cannot be moved.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP ECR.1", "FSBP ECR.2", "NIST RA-5"),
    remedy='Set image_tag_mutability="IMMUTABLE" and image_scanning_configuration={"scan_on_push": True}.',
    types=frozenset({REPOSITORY}),
    check=_repository,
)

RULES: tuple[Rule, ...] = (HARDENING, NO_SECRET_ENV, SERVICE_SAFE, INSIGHTS, SCALES, IMMUTABLE_SCANNED)
