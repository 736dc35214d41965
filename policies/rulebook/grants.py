"""Rules for how far a permission reaches: data by name, and services for this account only.

Whole services and administrators are the business of ``identity``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from . import documents
from .documents import Condition, Statement
from .resource import Context, Resource
from .rule import Level, ResourceRule, Rule, Severity, through
from .topology import ENDPOINT
from .values import listed

ROLE = "aws:iam/role:Role"
_GRANTS = frozenset(
    {
        ROLE,
        "aws:iam/groupPolicy:GroupPolicy",
        "aws:iam/policy:Policy",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/userPolicy:UserPolicy",
    }
)

#: Type -> the property that says who else may come in.
_DOORS: Mapping[str, str] = {
    "aws:backup/vaultPolicy:VaultPolicy": "policy",
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy": "policy",
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": "policyDocument",
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
    "aws:s3/bucket:Bucket": "policy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:s3/bucketV2:BucketV2": "policy",
    "aws:secretsmanager/secret:Secret": "policy",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "policy",
    "aws:sns/topic:Topic": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:sqs/queue:Queue": "policy",
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
}

#: Actions that read, write, send or start something that has an ARN to name (AWS Service Authorization Reference).
DATA_ACTIONS = (
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:PutImage",
    "events:PutEvents",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:Sign",
    "lambda:InvokeFunction",
    "logs:CreateLogStream",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:PutLogEvents",
    "rds-data:BatchExecuteStatement",
    "rds-data:ExecuteStatement",
    "rds-db:connect",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:PutObject",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "sns:Publish",
    "sqs:DeleteMessage",
    "sqs:PurgeQueue",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
    "ssm:GetParameter",
    "ssm:GetParameters",
    "ssm:GetParametersByPath",
    "ssm:PutParameter",
    "ssm:SendCommand",
    "ssm:StartAutomationExecution",
    "ssm:StartSession",
    "states:DescribeExecution",
    "states:GetExecutionHistory",
    "states:StartExecution",
    "states:StartSyncExecution",
    "states:StopExecution",
    "sts:AssumeRole",
)

#: Condition keys that pick out resources as an ARN would.
_PICKING = (
    "aws:resourcetag/",
    "ecr:resourcetag/",
    "kms:encryptioncontext:",
    "kms:resourcealiases",
    "s3:existingobjecttag/",
    "secretsmanager:resourcetag/",
    "ssm:resourcetag/",
)
#: Condition keys that keep strangers, or strangers' resources, off an endpoint.
_OURS = (
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
)
#: Condition keys that say on whose behalf a service comes.
_SOURCES = ("aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceowner")

_EVERY_OBJECT = re.compile(r"[*?]+/[*?]+")
#: Executions of Automation come into being with the call that names their definition, so none has a name before.
_KIND = re.compile(r"(?!automation-execution/)[\w-]+[:/][*?]+")

_DEMANDING = ("arnequals", "arnlike", "stringequals", "stringequalsignorecase", "stringlike")


def _demands(condition: Condition) -> bool:
    """Whether a request without the key is refused, and not every value passes."""
    operator = condition.operator.removeprefix("foranyvalue:")
    return operator in _DEMANDING and bool(condition.values) and all(one.strip("*?") for one in condition.values)


def _data_scoped(resource: Resource, _: Context) -> Iterator[str]:
    paths: list[tuple[str | int, ...]] = [("policy",)]
    if resource.type == ROLE:
        paths = [("inlinePolicies", index, "policy") for index in range(len(resource.items("inlinePolicies")))]

    def judge(path: tuple[str | int, ...]) -> Iterator[str]:
        try:
            statements = documents.read(resource.section(*path))
        except documents.DocumentError as error:
            yield f"The policy cannot be read: {error}."
            return
        for statement in statements:
            actions = [one for one in statement.actions if _is_named(one) and _touches_data(one)]
            if actions and (where := _wide(statement)):
                yield f"The policy allows {listed(actions)} on {where}."

    return through(paths, judge)


def _wide(statement: Statement) -> str | None:
    """Where a statement allows what it does, if that is everything or a whole kind of resources."""
    if not statement.allows or any(one.key.startswith(_PICKING) and _demands(one) for one in statement.conditions):
        return None
    if statement.not_resources or any(documents.is_everything(one) for one in statement.resources):
        return "every resource"
    return next((one for one in statement.resources if _is_whole_kind(one)), None)


def _is_whole_kind(arn: str) -> bool:
    """``…:123456789012:table/*`` and ``arn:aws:s3:::*/*``; a bucket has no account, and its own objects end so."""
    parts = arn.split(":", 5)
    return len(parts) == 6 and bool(_EVERY_OBJECT.fullmatch(parts[5]) or (parts[4] and _KIND.fullmatch(parts[5])))


def _is_named(action: str) -> bool:
    service, _, name = action.partition(":")
    return bool(name.strip("*")) and not set(service) & set("*?")


def _touches_data(action: str) -> bool:
    return any(documents.matches(action, one, ignore_case=True) for one in DATA_ACTIONS)


def _deputy(resource: Resource, _: Context) -> Iterator[str]:
    policy = resource.section(_DOORS[resource.type])
    if policy is None:
        return
    try:
        statements = documents.read(policy)
    except documents.DocumentError as error:
        yield f"The policy cannot be read: {error}."
        return
    for statement in statements:
        if statement.allows and not any(_names_source(one) for one in statement.conditions):
            for service in statement.services():
                yield f"The policy lets {service} in on any account's behalf: no condition on aws:SourceAccount."


def _names_source(condition: Condition) -> bool:
    """Whether the source, or its account, is named. The ARN of a bucket has no account, but one owner."""
    return (
        condition.key in _SOURCES
        and _demands(condition)
        and not any(_is_of_any_account(value) for value in condition.values)
    )


def _is_of_any_account(value: str) -> bool:
    parts = value.split(":", 5)
    return documents.is_everything(value) or (len(parts) == 6 and parts[0] == "arn" and "*" in parts[4])


def _endpoint(resource: Resource, _: Context) -> Iterator[str]:
    if resource.section("vpcEndpointType") == "GatewayLoadBalancer":
        # It takes no policy.
        return
    policy = resource.section("policy")
    if policy is None:
        yield "The endpoint has no policy, so it carries any account's data to any account."
        return
    try:
        statements = documents.read(policy)
    except documents.DocumentError as error:
        yield f"The endpoint's policy cannot be read: {error}."
        return
    if any(_is_open(statement) for statement in statements):
        yield "The endpoint's policy lets anyone's credentials reach anyone's resources."


def _is_open(statement: Statement) -> bool:
    return (
        statement.allows
        and statement.is_for_anyone
        and (bool(statement.not_resources) or any(documents.is_everything(one) for one in statement.resources))
        and not any(one.key in _OURS and _demands(one) for one in statement.conditions)
    )


DATA_SCOPED = ResourceRule(
    id="iam-data-actions-scoped",
    sentence="004_5ca73e3508d74ec8.txt Security Audit: Check IAM policies and roles",
    title="What reads, writes or sends data is allowed on named resources.",
    why="A role for one secret, bucket or queue that may use them all gives them all away with it.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP KMS.1", "FSBP KMS.2", "NIST AC-6"),
    remedy="Name the ARNs, or condition on aws:ResourceTag or the key's encryption context.",
    types=_GRANTS,
    check=_data_scoped,
)

DEPUTY_SCOPED = ResourceRule(
    id="iam-confused-deputy",
    sentence="002_3d1abe7e242e6afd.txt §2: IAM role assignments and rotations",
    title="A service that is let in comes on behalf of this account.",
    why="The same service works for strangers, who may have it write here or read from here.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 7.0 2.21", "NIST AC-4"),
    remedy="Add StringEquals aws:SourceAccount, or ArnEquals aws:SourceArn with the sender's ARN.",
    types=frozenset(_DOORS),
    check=_deputy,
)

ENDPOINT_POLICY = ResourceRule(
    id="net-endpoint-policy",
    sentence="000_b5883a9168e66709.txt §6: restrict access to necessary ports",
    title="VPC endpoints carry this account's requests to this account's resources.",
    why="By default a machine that is broken into can copy its data into a stranger's bucket, past every firewall.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("CIS 7.0 6.8", "NIST AC-4", "NIST SC-7"),
    remedy="Set policy with a condition on aws:PrincipalAccount or aws:ResourceAccount.",
    types=frozenset({ENDPOINT}),
    check=_endpoint,
)

RULES: tuple[Rule, ...] = (DATA_SCOPED, DEPUTY_SCOPED, ENDPOINT_POLICY)
