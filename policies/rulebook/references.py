"""Whether what a resource names is there: an id or ARN of something that no resource of the stack is leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from .resource import Resource, Stack, is_list
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .values import show

#: What is only ever made by a stack of this project: networks, keys, and what passes messages on.
_MADE_HERE = re.compile(
    r"(acl|eipalloc|igw|lt|nat|rtb|sg|subnet|vpc)-[0-9a-z]+$"
    r"|arn:[a-z-]+:(kms:[a-z0-9-]+:\d{12}:key/|(sns|sqs):[a-z0-9-]+:\d{12}:)[^*?:]+$"
)

#: Where a program writes such ids. Others, as ``mainRouteTableId``, are AWS's answers and name what AWS made.
_WRITTEN = frozenset(
    {
        "alarmActions",
        "allocationId",
        "deadLetterConfig",
        "endpoint",
        "eventSourceArn",
        "gatewayId",
        "insufficientDataActions",
        "kmsKeyArn",
        "kmsKeyId",
        "kmsKeyIdentifier",
        "kmsMasterKeyId",
        "launchTemplate",
        "masterUserSecretKmsKeyId",
        "natGatewayId",
        "networkInterfaces",
        "notifications",
        "okActions",
        "performanceInsightsKmsKeyId",
        "referencedSecurityGroupId",
        "routeTableId",
        "routeTableIds",
        "securityGroupId",
        "securityGroupIds",
        "securityGroups",
        "serverSideEncryption",
        "snsTopic",
        "snsTopicArn",
        "subnetId",
        "subnetIds",
        "subnets",
        "subscribers",
        "target",
        "topic",
        "vpcConfig",
        "vpcId",
        "vpcSecurityGroupIds",
        "vpcZoneIdentifiers",
    }
)


def known(stack: Stack) -> frozenset[str]:
    """Every id and ARN that a resource of the stack has, or that comes with it (``defaultSecurityGroupId``)."""
    return frozenset(value for resource in stack.resources for value in _identities(resource))


def _identities(resource: Resource) -> Iterator[str]:
    for key in resource.props:
        if key in ("id", "arn") or key.startswith("default"):
            try:
                value = resource.props[key]
            except UnknownValueError:
                continue
            if isinstance(value, str):
                yield value


def _dangling(stack: Stack) -> Iterator[Fault]:
    there = stack.shared(known)

    def judge(resource: Resource) -> Iterator[Fault]:
        for prop in sorted(_WRITTEN.intersection(resource.props)):
            for text in sorted(set(_texts(resource, prop))):
                if _MADE_HERE.match(text) and text not in there:
                    yield Fault(f"{prop} names {show(text)}, which is not declared in this stack.", resource.urn)

    return each((one for one in stack.resources if one.type.startswith("aws:")), judge)


def _texts(resource: Resource, prop: str) -> Iterator[str]:
    """The known texts in a property. An unknown one is still to be made, and so by this stack."""
    steps: list[tuple[Any, Any]] = [(resource.props, prop)]
    while steps:
        holder, key = steps.pop()
        try:
            value = holder[key]
        except UnknownValueError:
            continue
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            steps.extend((value, inner) for inner in value)
        elif is_list(value):
            steps.extend((value, index) for index in range(len(value)))


DECLARED = StackRule(
    id="gov-references-declared",
    sentence="002_3d1abe7e242e6afd.txt §1: Key components and dependencies",
    title="Networks, keys, topics and queues that a resource names are declared in its stack.",
    why="An alarm to a topic of yesterday, or data under a key of elsewhere, fails on the day it is needed.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST CM-8", "NIST SC-12"),
    remedy="Hand over the Output of the resource in __main__.py instead of a copied id.",
    types=frozenset(),
    check=_dangling,
)

RULES: tuple[Rule, ...] = (DECLARED,)
