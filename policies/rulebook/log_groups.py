"""Rules for where logs go, into groups that the stack declares, and for how long these keep them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import links
from .coverage import DATABASE, FUNCTION, MACHINE, WORKSPACE
from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .values import number, show

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


#: Days that CloudWatch can keep logs for.
_TERMS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180),
    *(365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

_YEAR = 365


def _kept(group: Resource, context: Context) -> Iterator[str]:
    days = number(group.section("retentionInDays"))
    if not days:
        # Logs are then kept for ever, which ``mon-log-retention`` tells.
        return
    if days not in _TERMS:
        yield f"CloudWatch keeps no logs for {show(days)} days; the next time it knows is {_next(days)}."
    if context.environment == "prod" and days < _YEAR:
        yield f"The logs are kept {show(days)} days; prod keeps them {_YEAR} or more."


def _next(days: float) -> int:
    return next((term for term in _TERMS if term > days), _TERMS[-1])


GROUP_DECLARED = StackRule(
    id="mon-log-group-declared",
    sentence="002_3d1abe7e242e6afd.txt §9: Record retention policies",
    title="Functions, state machines, databases, Prometheus, flow logs and firewalls log to groups of the stack.",
    why="AWS makes a group that is missing, without a retention and without a key, or drops the logs.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AU-11", "NIST AU-9"),
    remedy="Declare aws.cloudwatch.LogGroup under the name that is written to, with retention_in_days and kms_key_id.",
    types=frozenset({*_DESTINATIONS, DATABASE, GROUP}),
    check=_declared,
)

KEPT = ResourceRule(
    id="mon-log-kept",
    sentence="002_3d1abe7e242e6afd.txt §9: Record retention policies",
    title="Log groups are kept for a time that CloudWatch knows, those of prod for a year or more.",
    why="What happened is asked months later, of the machines' and the database's logs as well.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP CloudWatch.16", "Checkov CKV_AWS_338", "NIST AU-11"),
    remedy="Set retention_in_days to 365, 400, 545, 731 or one of the longer times.",
    types=frozenset({GROUP}),
    check=_kept,
)

RULES: tuple[Rule, ...] = (GROUP_DECLARED, KEPT)
