"""Rules for what commands and agents find in parameters: it is whole, and what it names is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from . import coverage
from .deliveries import SEVERITIES
from .json_text import mapping, parsed, texts
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .values import listed, number, show

PARAMETER = "aws:ssm/parameter:Parameter"

_INVENTORY = re.compile(r"/[^/]+/[^/]+/inventory/([a-z-]+)")

#: Component -> what commands may rely on; ``a.b`` is b within a.
NEEDED: Mapping[str, frozenset[str]] = {
    "alerts": frozenset({f"topicArns.{severity}" for severity in SEVERITIES}),
    "archive": frozenset(
        {
            "archiveBucket",
            "backupBucket",
            "backupDocument",
            "evidenceBucket",
            "keyArn",
            "prefix",
            "restoreDocument",
        }
    ),
    "audit": frozenset({"bucket", "logGroup", "trailArn"}),
    "backup": frozenset(
        {
            "keyArn",
            "planId",
            "recoveryRegion",
            "recoveryVault",
            "restoreRoleArn",
            "restoreTestingPlan",
            "retentionDays",
            "roleArn",
            "rpoMinutes",
            "rtoMinutes",
            "securityGroupId",
            "subnetGroup",
            "validator",
            "vault",
        }
    ),
    "bastion": frozenset({"instanceId", "mode"}),
    "changes": frozenset({"calendar"}),
    "database": frozenset({"address", "identifier", "logGroups", "maxConnections", "port", "resourceId", "secretArn"}),
    "escalation": frozenset(
        {
            "acknowledgeFunction",
            "deadLetterQueueUrl",
            "escalateFunction",
            "machineArn",
            "notifyFunction",
            "repliesTopicArn",
            "table",
        }
    ),
    "grafana": frozenset({"address", "dashboardsApplication", "dashboardsProfile", "serviceAccountId", "workspaceId"}),
    "maintenance": frozenset(
        {
            "calendar",
            "deadLetterArn",
            "healthPath",
            "host",
            "instanceId",
            "listenerArn",
            "liveTargetGroupArn",
            "mode",
            "muteRule",
            "offDocument",
            "priority",
            "scheduleGroup",
            "scheduleRoleArn",
            "targetGroupArn",
            "untilDocument",
            "url",
        }
    ),
    "monitoring": frozenset({"alarmPrefix", "dashboard"}),
    "network": frozenset({"flowLogGroup", "vpcId"}),
    "patching": frozenset(
        {"associationId", "baselines", "document", "groups", "lastStep", "logGroup", "scalingGroup", "windowId"}
    ),
    "prometheus": frozenset({"endpoint", "workspaceId"}),
    "web": frozenset(
        {
            "autoScalingGroup",
            "certificateArn",
            "loadBalancerArn",
            "loadBalancerDimension",
            "logGroup",
            "targetGroupArn",
            "targetGroupDimension",
            "url",
        }
    ),
}

#: How a key or a variable ends -> what it names. The longest ending counts.
_KINDS: Mapping[str, str] = {
    "bucket": "aws:s3/bucket:Bucket",
    "calendar": "aws:ssm/document:Document",
    "deadletters": coverage.QUEUE,
    "document": "aws:ssm/document:Document",
    "function": coverage.FUNCTION,
    "loggroupname": "aws:cloudwatch/logGroup:LogGroup",
    "instanceid": "aws:ec2/instance:Instance",
    "loggroup": "aws:cloudwatch/logGroup:LogGroup",
    "machinearn": coverage.MACHINE,
    "queueurl": coverage.QUEUE,
    "scalinggroup": coverage.GROUP,
    "table": coverage.TABLE,
    "validator": coverage.FUNCTION,
    "vault": "aws:backup/vault:Vault",
    "vpcid": "aws:ec2/vpc:Vpc",
}

#: ARNs and ids of what only a stack of this project makes. Others may be somebody else's, as a number that texts.
MADE_HERE = re.compile(
    r"arn:[a-z-]+:(dynamodb|elasticloadbalancing|kms|lambda|rds|sns|sqs|states|cloudtrail|acm|backup)"
    r":[a-z0-9-]+:[0-9]{12}:[^*\s'\"]+"
    r"|arn:[a-z-]+:iam::[0-9]{12}:role/[^*\s'\"]+"
    r"|(i|sg|subnet|vpc)-[0-9a-f]{8,17}"
)


def _whole(stack: Stack) -> Iterator[Fault]:
    def judge(parameter: Resource) -> Iterator[Fault]:
        match = _INVENTORY.fullmatch(str(parameter.section("name")))
        value = parameter.section("insecureValue")
        text = parameter.section("value") if value is None else value
        body = parsed(text)
        if match is None and (not isinstance(text, str) or text[:1] not in ("{", "[")):
            return
        if body is None:
            yield Fault("The parameter holds no JSON object.", parameter.urn)
            return
        component = match[1] if match else ""
        missing = sorted(key for key in NEEDED.get(component, ()) if not _holds(body, key))
        if missing:
            yield Fault(f"Commands do not find {listed(missing)} of {component} in the inventory.", parameter.urn)
        for said in (*_named(stack, body), *_differing(stack, component, body)):
            yield Fault(said, parameter.urn)

    return each(stack.of(PARAMETER), judge)


def _holds(body: Mapping[str, Any], key: str) -> bool:
    first, dot, rest = key.partition(".")
    return first in body and (not dot or rest in mapping(body, first))


def strangers(stack: Stack, key: str, value: Any) -> Iterator[str]:
    """What a text names that the stack has not, by the form of its ARN or id, or by what its key says that it names."""
    text = str(value)
    if "{" in text:
        # Whoever reads it fills it in.
        return
    if MADE_HERE.fullmatch(text):
        if not stack.with_id(text):
            yield f"{key} names {show(text)}, which is not declared here."
        return
    plain = re.sub(r"[^a-z\[]", "", key.lower())
    kind = next((_KINDS[end] for end in sorted(_KINDS, key=len, reverse=True) if plain.endswith(end)), None)
    if kind and text and not stack.with_id(text, kind) and text not in stack.shared(_addresses):
        yield f"{key} names {show(text)}, and there is no such {kind.split(':')[2]} here."


def _by_service(stack: Stack) -> Mapping[str, list[Resource]]:
    """Functions by the component that they are tagged with."""
    found: dict[str, list[Resource]] = {}
    for function in stack.of(coverage.FUNCTION):
        try:
            found.setdefault(str(function.tags.get("Service")), []).append(function)
        except UnknownValueError:
            continue
    return found


def _addresses(stack: Stack) -> frozenset[str]:
    """The known addresses of queues, which are their ids, too."""
    found = []
    for queue in stack.of(coverage.QUEUE):
        try:
            found.append(str(queue.section("url")))
        except UnknownValueError:
            continue
    return frozenset(found)


def _named(stack: Stack, body: Mapping[str, Any]) -> Iterator[str]:
    return (said for key, text in texts(body) for said in strangers(stack, key, text))


def _differing(stack: Stack, component: str, body: Mapping[str, Any]) -> Iterator[str]:
    """A number stands in the inventory as in the component's functions and in what it names."""
    for function in stack.shared(_by_service).get(component, ()):
        variables = function.section("environment", "variables")
        if not isinstance(variables, Mapping):
            continue
        for key in sorted(body):
            name = re.sub(r"([A-Z])", r"_\1", key).upper()
            here, there = number(body[key]), number(variables.get(name))
            if here is not None and there is not None and here != there:
                yield f"{key} is {show(here)} and {show(there)} in function {function.name}."
    for database in stack.of(coverage.DATABASE) if "identifier" in body else ():
        if database.section("identifier") == body["identifier"] and number(body.get("port")) != number(
            database.section("port")
        ):
            told, port = show(body.get("port")), show(database.section("port"))
            yield f"port is {told}, and database {database.name} listens on {port}."


def _env(stack: Stack) -> Iterator[Fault]:
    def judge(function: Resource) -> Iterator[Fault]:
        variables = function.section("environment", "variables")
        for name in sorted(variables) if isinstance(variables, Mapping) else ():
            text = str(variables[name])
            # What stands inside of JSON is named as in the function; ARNs and ids are known by their form.
            inside = text[:1] in ("{", "[")
            named = sorted({match[0] for match in MADE_HERE.finditer(text)}) if inside else [text]
            for said in (said for one in named for said in strangers(stack, f"{name}[]" if inside else name, one)):
                yield Fault(f"The function's variable {said}", function.urn)

    return each(stack.of(coverage.FUNCTION), judge)


INVENTORY = StackRule(
    id="gov-inventory-whole",
    sentence="002_3d1abe7e242e6afd.txt §1: Key components and dependencies",
    title="A parameter that commands and agents read is whole, and what it names is declared.",
    why="A command of the night stops at what it does not find, or works on something of yesterday.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CM-8",),
    remedy="Hand over the component's outputs in __main__.py instead of copied names.",
    types=frozenset({PARAMETER, coverage.FUNCTION, coverage.DATABASE, coverage.TOPIC, *_KINDS.values()}),
    check=_whole,
)

NAMES = StackRule(
    id="lambda-names-declared",
    sentence="002_3d1abe7e242e6afd.txt §1: Key components and dependencies",
    title="What a function's environment names is declared in its stack.",
    why="A function that writes to a table of yesterday keeps no record, and reads none.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST CM-8",),
    remedy="Hand over the Output of the resource instead of a copied name.",
    types=frozenset({coverage.FUNCTION, coverage.TOPIC, *_KINDS.values()}),
    check=_env,
)

RULES: tuple[Rule, ...] = (INVENTORY, NAMES)
