"""Rules for what policies name: resources that are there, and accounts that are ours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from . import documents
from .policy_text import DOCUMENTS, paths
from .references import known
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each, through

ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"

#: Services of whose resources a policy here names none that others made, and how an ARN of theirs begins.
_MADE_HERE = re.compile(
    r"arn:[a-z-]+:(?:"
    r"(?:sns|sqs):[^:]*:\d{12}:"
    r"|autoscaling:[^:]*:\d{12}:autoScalingGroup:[^:]*:autoScalingGroupName/"
    r"|dynamodb:[^:]*:\d{12}:"
    r"|(?:amp|aps):[^:]*:\d{12}:"
    r"|elasticloadbalancing:[^:]*:\d{12}:listener(?:-rule)?/"
    r"|iam:[^:]*:\d{12}:(?!root$|policy/|(?:oidc|saml)-provider/|role/aws-(?:service-role|reserved)/)"
    r"|kms:[^:]*:\d{12}:key/"
    r"|lambda:[^:]*:\d{12}:function:"
    r"|logs:[^:]*:\d{12}:log-group:"
    r"|s3:::"
    r"|ssm:[^:]*:\d{12}:(?:automation-definition|document|parameter)/"
    r"|states:[^:]*:\d{12}:(?:stateMachine|execution):"
    r")[^*?$]"
)
#: ARNs of parts -> how the ARN of the whole begins.
_PARTS = (
    (":automation-definition/", ":document/"),
    (":execution:", ":stateMachine:"),
    (":listener-rule/", ":listener/"),
)

#: The word for the kind of resource that an ARN's last part begins with.
_KIND = re.compile(
    r"^(?:autoScalingGroup:[^:]*:autoScalingGroupName/|document/|function:|log-group:|parameter(?=/)|role/|stateMachine:"
    r"|table/)"
)

_ACCOUNT = re.compile(r"(?<![0-9A-Za-z-])\d{12}(?![0-9A-Za-z-])")


def _declared(stack: Stack) -> Iterator[Fault]:
    arns, names = stack.shared(known), stack.shared(_names)

    def judge(resource: Resource) -> Iterator[Fault]:
        for text in _texts(resource):
            if _MADE_HERE.match(text) and not _is_known(text, arns, names):
                yield Fault(f"The policy names {text}, which is not declared in this stack.", resource.urn)

    # Endpoints carry what AWS keeps in buckets of its own.
    return each(stack.of(*(token for token in DOCUMENTS if token != ENDPOINT)), judge)


def _texts(resource: Resource) -> Iterator[str]:
    """The resources, principals and values of conditions in the policies of a resource, each once."""

    def read(path: tuple[str | int, ...]) -> Iterator[str]:
        value = resource.section(*path)
        try:
            statements = documents.read(value) if value else ()
        except documents.DocumentError:
            return
        for statement in statements:
            yield from (*statement.resources, *statement.not_resources)
            yield from (principal for _, principal in statement.principals)
            yield from (value for condition in statement.conditions for value in condition.values)

    seen: set[str] = set()
    for text in through(paths(resource), read):
        if text not in seen:
            seen.add(text)
            yield text


def _names(stack: Stack) -> frozenset[str]:
    """The names that the stack gives: an ARN may be written with one before the resource is made."""
    found: set[str] = set()
    for resource in stack.resources:
        for key in ("name", "bucket"):
            try:
                value = resource.props.get(key)
            except UnknownValueError:
                continue
            if isinstance(value, str):
                found.add(value)
    return frozenset(found)


def _is_known(text: str, arns: frozenset[str], names: frozenset[str]) -> bool:
    """Whether ``text`` is the ARN of something declared, or of a part of it, or a pattern for its parts."""
    for part, whole in _PARTS:
        text = text.replace(part, whole)
    start = len(text) - len(_KIND.sub("", text.split(":", 5)[5]))
    end = len(text)
    while end > start:
        if text[:end] in arns or text[start:end] in names:
            return True
        end = max(text.rfind(":", start, end), text.rfind("/", start, end))
    return False


def _own(stack: Stack) -> Iterator[Fault]:
    own = stack.shared(_account)

    def judge(resource: Resource) -> Iterator[Fault]:
        accounts = (account for text in _texts(resource) for account in _ACCOUNT.findall(text))
        for account in dict.fromkeys(accounts):
            if own is not None and account != own:
                yield Fault(f"The policy names account {account}, which is not this stack's.", resource.urn)

    return each(stack.of(*DOCUMENTS), judge)


def _account(stack: Stack) -> str | None:
    """The account of most ARNs of the stack; None where none is known yet."""
    parts = (arn.split(":", 5) for arn in stack.shared(known) if arn.startswith("arn:"))
    seen = Counter(part[4] for part in parts if len(part) == 6 and _ACCOUNT.fullmatch(part[4]))
    return max(seen, key=lambda account: (seen[account], account)) if seen else None


NAMED = StackRule(
    id="iam-policy-names-declared",
    sentence="002_3d1abe7e242e6afd.txt §1: Key components and dependencies",
    title="What a policy names is declared in its stack.",
    why="A right on yesterday's queue is none on today's, so what is sent is lost; and whoever makes yesterday's again "
    "has it.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AC-6", "NIST CM-8"),
    remedy="Hand the Output of the resource over to the policy instead of a copied ARN.",
    types=frozenset(),
    check=_declared,
)

OWN_ACCOUNT = StackRule(
    id="iam-own-account",
    sentence="004_5ca73e3508d74ec8.txt Security Audit: Check IAM policies and roles",
    title="No policy names another account.",
    why="One digit makes a stranger's account the one that may take a role, read a bucket or send to a queue.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("CIS 7.0 2.21", "NIST AC-3"),
    remedy="Build ARNs and conditions from the account of the stack; waive the rule for a partner's account.",
    types=frozenset(DOCUMENTS),
    check=_own,
)

RULES: tuple[Rule, ...] = (NAMED, OWN_ACCOUNT)
