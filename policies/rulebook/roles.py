"""Rules for roles at work: whoever takes one on can, and may then do what its work needs; and no role is left over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import documents, links
from .coverage import DATABASE, FUNCTION, MACHINE
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .values import number

FLOW_LOG = "aws:ec2/flowLog:FlowLog"
TRAIL = "aws:cloudtrail/trail:Trail"
GRAFANA = "aws:grafana/workspace:Workspace"

_LOGGING = ("logs:CreateLogStream", "logs:PutLogEvents")


@dataclass(frozen=True, slots=True)
class _Work:
    """What a resource needs a role for. ``managed``: AWS's policies that allow all of ``actions``."""

    prop: str
    service: str
    actions: tuple[str, ...]
    managed: tuple[str, ...] = ()


#: Type -> the role it takes on. Targets of EventBridge, backups and schedules have rules of their own.
_WORKS: Mapping[str, _Work] = {
    FUNCTION: _Work(
        "role",
        "lambda.amazonaws.com",
        _LOGGING,
        (
            "AWSLambdaBasicExecutionRole",
            "AWSLambdaDynamoDBExecutionRole",
            "AWSLambdaKinesisExecutionRole",
            "AWSLambdaSQSQueueExecutionRole",
            "AWSLambdaVPCAccessExecutionRole",
        ),
    ),
    MACHINE: _Work("roleArn", "states.amazonaws.com", ()),
    FLOW_LOG: _Work("iamRoleArn", "vpc-flow-logs.amazonaws.com", _LOGGING),
    TRAIL: _Work("cloudWatchLogsRoleArn", "cloudtrail.amazonaws.com", _LOGGING),
    DATABASE: _Work(
        "monitoringRoleArn", "monitoring.rds.amazonaws.com", _LOGGING, ("AmazonRDSEnhancedMonitoringRole",)
    ),
    links.PROFILE: _Work("role", "ec2.amazonaws.com", ()),
    GRAFANA: _Work("roleArn", "grafana.amazonaws.com", ()),
}

#: What Grafana asks for itself, for each kind of source and destination.
_GRAFANA = {
    "CLOUDWATCH": ("cloudwatch:GetMetricData",),
    "PROMETHEUS": ("aps:QueryMetrics",),
    "SNS": ("sns:Publish",),
}


def _able(stack: Stack) -> Iterator[Fault]:
    def judge(holder: Resource) -> Iterator[Fault]:
        work = _WORKS[holder.type]
        if holder.type in (FUNCTION, MACHINE, links.PROFILE) or holder.items(work.prop) or _needs(holder):
            yield from (Fault(said, holder.urn) for said in _unable(stack, holder, work))

    yield from each(stack.of(*_WORKS), judge)


def _needs(holder: Resource) -> bool:
    """Whether it asks for a role by what else it says: AWS refuses it without one."""
    if holder.type == FLOW_LOG:
        to_logs = holder.section("logDestinationType") in (None, "cloud-watch-logs")
        return to_logs and bool(holder.section("logDestination"))
    return holder.type == DATABASE and bool(number(holder.section("monitoringInterval")))


def _unable(stack: Stack, holder: Resource, work: _Work) -> Iterator[str]:
    roles = links.targets(stack, holder, work.prop, links.ROLE)
    if not roles:
        yield "It takes on a role that is not declared here; what it may do is not known."
    actions = work.actions
    if holder.type == GRAFANA:
        asked = (*holder.items("dataSources"), *holder.items("notificationDestinations"))
        actions = tuple(action for kind in asked for action in _GRAFANA.get(str(kind), ()))
    for role in roles:
        if not trusts(role, work.service):
            yield f"Its role {role.name} does not let {work.service} take it on."
        if not links.attachments_of(stack, role) and not any(links.statements_of(stack, role)):
            yield f"Its role {role.name} allows nothing: it has no policy."
            continue
        missing = [action for action in actions if not links.can(stack, role, work.managed, action)]
        if missing:
            yield f"Its role {role.name} lacks {', '.join(missing)}."


def trusts(role: Resource, service: str) -> bool:
    """Whether a service may take a role on."""
    return any(statement.allows and service in statement.services() for statement in _trust(role))


def _trust(role: Resource) -> tuple[documents.Statement, ...]:
    try:
        return documents.read(role.section("assumeRolePolicy"))
    except documents.DocumentError:
        return ()


#: What belongs to a role; it does not use it.
_PARTS = {
    (links.ROLE_POLICY, "role"),
    (links.ATTACHMENT, "role"),
    (links.SHARED_ATTACHMENT, "roles"),
}


def _used(stack: Stack) -> Iterator[Fault]:
    users = {
        urn
        for resource in stack.resources
        for prop, urns in resource.property_dependencies.items()
        if (resource.type, prop) not in _PARTS
        for urn in urns
    }

    def judge(role: Resource) -> Iterator[Fault]:
        principals = [kind for statement in _trust(role) for kind, _ in statement.principals]
        # People and other accounts take roles on that nothing here points to.
        if role.urn not in users and principals and set(principals) == {"Service"}:
            yield Fault("No resource takes the role on: what needed it is gone.", role.urn)

    yield from each(stack.of(links.ROLE), judge)


ROLE_ABLE = StackRule(
    id="iam-role-able",
    sentence="002_3d1abe7e242e6afd.txt §2: IAM role assignments and rotations",
    title="Whatever takes a role on is trusted by it, and may do what its work needs.",
    why="A log, a function or a dashboard without its rights stays empty, and nothing else tells.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AC-6", "NIST SI-4"),
    remedy="Declare aws.iam.Role that trusts the service, and aws.iam.RolePolicy with the actions that are named.",
    types=frozenset({*_WORKS, links.ROLE, links.ROLE_POLICY, links.POLICY, links.ATTACHMENT, links.SHARED_ATTACHMENT}),
    check=_able,
)

ROLE_USED = StackRule(
    id="iam-role-used",
    sentence="004_5ca73e3508d74ec8.txt Security Audit: Check IAM policies and roles",
    title="Every role for a service is taken on by something that is declared.",
    why="A role that is left over keeps rights that nobody watches; or what needed it was taken away by mistake.",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    controls=("NIST AC-6",),
    remedy="Delete the role with what needed it, or declare again what takes it on.",
    # Whatever names a role uses it.
    types=frozenset(),
    check=_used,
)

RULES: tuple[Rule, ...] = (ROLE_ABLE, ROLE_USED)
