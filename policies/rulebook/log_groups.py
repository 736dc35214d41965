"""Rule for where logs go: into groups that the stack declares, with their retention and their key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import links
from .coverage import DATABASE, FUNCTION, MACHINE, WORKSPACE
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .values import show

GROUP = "aws:cloudwatch/logGroup:LogGroup"
FLOW_LOG = "aws:ec2/flowLog:FlowLog"
FIREWALL_LOGS = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"

#: Type -> the property that names the group; a flow log's and a firewall's may name a bucket or a stream instead.
_DESTINATIONS: Mapping[str, str] = {
    FUNCTION: "loggingConfig",
    MACHINE: "loggingConfiguration",
    WORKSPACE: "loggingConfiguration",
    FLOW_LOG: "logDestination",
    FIREWALL_LOGS: "logDestinationConfigs",
}


def _declared(stack: Stack) -> Iterator[Fault]:
    def judge(writer: Resource) -> Iterator[Fault]:
        for group in _elsewhere(stack, writer):
            yield Fault(
                f"It logs to {group}, which is not declared here: neither kept nor encrypted as asked.", writer.urn
            )

    yield from each(stack.of(*_DESTINATIONS, DATABASE), judge)


def _elsewhere(stack: Stack, writer: Resource) -> Iterator[str]:
    """The groups that a resource writes to and the stack does not declare."""
    made_by_aws: list[str] = []
    if writer.type == DATABASE:
        where = f"/aws/rds/instance/{writer.section('identifier')}"
        made_by_aws = [f"{where}/{export}" for export in writer.items("enabledCloudwatchLogsExports")]
    elif writer.type == FUNCTION and not writer.section("loggingConfig", "logGroup"):
        made_by_aws = [f"/aws/lambda/{writer.section('name')}"]
    elif _names_a_group(writer) and not links.targets(stack, writer, _DESTINATIONS[writer.type], GROUP):
        yield "a log group"
    for name in made_by_aws:
        if not stack.with_id(name, GROUP):
            yield show(name)


def _names_a_group(writer: Resource) -> bool:
    match writer.type:
        case "aws:lambda/function:Function":
            return True
        case "aws:sfn/stateMachine:StateMachine":
            return bool(writer.section("loggingConfiguration", "logDestination"))
        case "aws:amp/workspace:Workspace":
            return bool(writer.section("loggingConfiguration", "logGroupArn"))
        case _:
            return any(":log-group:" in str(arn) for arn in writer.items(_DESTINATIONS[writer.type]))


GROUP_DECLARED = StackRule(
    id="mon-log-group-declared",
    sentence="002_3d1abe7e242e6afd.txt §9: Record retention policies",
    title="Functions, state machines, databases, Prometheus, flow logs and firewalls log to groups of the stack.",
    why="AWS makes a group that is missing, without a retention and without a key, or drops the logs.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AU-11", "NIST AU-9"),
    remedy="Declare aws.cloudwatch.LogGroup under the name that is written to, with retention_in_days and kms_key_id.",
    types=frozenset({*_DESTINATIONS, DATABASE}),
    check=_declared,
)

RULES: tuple[Rule, ...] = (GROUP_DECLARED,)
