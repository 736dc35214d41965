"""Rules for how far a permission reaches: resources by name, services for this account only, and what nobody may.

Whole services and administrators are the business of ``identity``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from . import documents, senders
from .documents import Condition, Statement
from .resource import Context, Resource
from .rule import Level, ResourceRule, Rule, Severity, through
from .senders import demands
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

#: Service -> actions that know no resource, so that a policy can only say ``*`` (AWS Service Authorization Reference).
_NOWHERE: Mapping[str, tuple[str, ...]] = {
    "access-analyzer": ("ListAnalyzers", "ValidatePolicy"),
    "acm": ("ListCertificates",),
    "autoscaling": ("Describe*", "Get*"),
    "backup": (
        "DescribeBackupJob",
        "DescribeCopyJob",
        "DescribeRestoreJob",
        "ListBackupJobs",
        "ListCopyJobs",
        "ListRestoreJobs",
        "PutRestoreValidationResult",
    ),
    "cloudtrail": ("DescribeTrails", "ListTrails", "LookupEvents"),
    # DescribeAlarms without names is about every alarm.
    "cloudwatch": (
        "DescribeAlarms",
        "DescribeAlarmsForMetric",
        "GetMetricData",
        "GetMetricStatistics",
        "ListMetrics",
        "PutMetricData",
    ),
    # Those on interfaces and addresses Lambda asks for on everything (AWSLambdaVPCAccessExecutionRole).
    "ec2": (
        "AssignPrivateIpAddresses",
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "Describe*",
        "UnassignPrivateIpAddresses",
    ),
    "ec2messages": ("*",),
    "ecr": ("GetAuthorizationToken",),
    "elasticloadbalancing": ("Describe*",),
    "events": ("ListEventBuses", "ListRules"),
    "iam": ("GetAccountPasswordPolicy", "GetAccountSummary", "ListAccountAliases", "ListRoles", "ListUsers"),
    "kms": ("GenerateRandom", "ListAliases", "ListKeys"),
    "lambda": ("GetAccountSettings", "ListEventSourceMappings", "ListFunctions"),
    "logs": (
        "CreateLogDelivery",
        "DeleteLogDelivery",
        "DescribeLogGroups",
        "DescribeQueryDefinitions",
        "DescribeResourcePolicies",
        "GetLogDelivery",
        "ListLogDeliveries",
        "ListLogGroups",
        "PutResourcePolicy",
        "StopQuery",
        "UpdateLogDelivery",
    ),
    "s3": ("GetAccountPublicAccessBlock", "ListAllMyBuckets"),
    "secretsmanager": ("GetRandomPassword", "ListSecrets"),
    "sns": ("ListSubscriptions", "ListTopics"),
    "sqs": ("ListQueues",),
    "ssm": (
        "DescribeAutomationExecutions",
        "DescribeInstanceInformation",
        "DescribeMaintenanceWindows",
        "DescribeParameters",
        "DescribeSessions",
        "GetCommandInvocation",
        "GetInventory",
        "ListAssociations",
        "ListCommandInvocations",
        "ListCommands",
        "ListDocuments",
        "PutInventory",
    ),
    "ssmmessages": ("*",),
    "states": ("ListStateMachines",),
    "sts": ("DecodeAuthorizationMessage", "GetCallerIdentity"),
    "tag": ("Get*",),
    "xray": ("Batch*", "GetSampling*", "Put*"),
}
#: What tells of resources and changes none: on a whole kind it gives little away.
_LOOKS = re.compile(r"[a-z0-9-]+:(Describe|List)", re.IGNORECASE)

#: Condition keys that pick out some resources of a kind, or those that the same request makes.
_PICKING = (
    "aws:requesttag/",
    "aws:resourcetag/",
    "ec2:createaction",
    "ec2:resourcetag/",
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
_EVERY_OBJECT = re.compile(r"[*?]+/[*?]+")
#: Executions of Automation come into being with the call that names their definition, so none has a name before.
_KIND = re.compile(r"(?!automation-execution/)[\w-]+[:/][*?]+")
#: RDS calls the secrets of all its databases alike.
_PASSWORDS = re.compile(r"secret:rds![a-z]*-?[*?]+")

_Judge = Callable[[tuple[Statement, ...]], Iterator[str]]


def _each_policy(resource: Resource, judge: _Judge) -> Iterator[str]:
    """What ``judge`` says of each policy of a resource of ``_GRANTS``."""
    paths: list[tuple[str | int, ...]] = [("policy",)]
    if resource.type == ROLE:
        paths = [("inlinePolicies", index, "policy") for index in range(len(resource.items("inlinePolicies")))]

    def read(path: tuple[str | int, ...]) -> Iterator[str]:
        try:
            statements = documents.read(resource.section(*path))
        except documents.DocumentError as error:
            yield f"The policy cannot be read: {error}."
            return
        yield from judge(statements)

    return through(paths, read)


def _scoped(resource: Resource, _: Context) -> Iterator[str]:
    def judge(statements: tuple[Statement, ...]) -> Iterator[str]:
        for statement in statements:
            actions = [one for one in statement.actions if statement.allows and _is_named(one) and _has_resources(one)]
            if not actions:
                continue
            if statement.not_resources or any(map(documents.is_everything, statement.resources)):
                yield f"The policy allows {listed(actions)} on every resource."
                continue
            if any(one.key.startswith(_PICKING) and demands(one) for one in statement.conditions):
                continue
            for arn in statement.resources:
                wide = [one for one in actions if _is_of_whole_kind(one, arn)]
                if wide:
                    yield f"The policy allows {listed(wide)} on {arn}."
                    break

    return _each_policy(resource, judge)


def _is_of_whole_kind(action: str, arn: str) -> bool:
    """``…:123456789012:table/*`` and ``arn:aws:s3:::*/*``; a bucket has no account, and its own objects end so."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or _LOOKS.match(action):
        return False
    if action.lower().startswith("secretsmanager:get") and _PASSWORDS.fullmatch(parts[5]):
        return True
    return bool(_EVERY_OBJECT.fullmatch(parts[5]) or (parts[2] != "s3" and _KIND.fullmatch(parts[5])))


def _is_named(action: str) -> bool:
    service, _, name = action.partition(":")
    return bool(name.strip("*")) and not set(service) & set("*?")


def _has_resources(action: str) -> bool:
    service, _, name = action.partition(":")
    return not any(documents.matches(one, name, ignore_case=True) for one in _NOWHERE.get(service.lower(), ()))


@dataclass(frozen=True, slots=True)
class _Bound:
    """Actions that a condition has to bind, as no ARN can. ``without``: what they allow otherwise."""

    actions: tuple[str, ...]
    keys: tuple[str, ...]
    without: str


_BOUND = (
    _Bound(("cloudwatch:PutMetricData",), ("cloudwatch:namespace",), "in any namespace"),
    _Bound(("ec2:CreateTags",), ("ec2:createaction", "aws:resourcetag/"), "on what is there already"),
    _Bound(("kms:CreateGrant",), ("kms:grantisforawsresource",), "to anybody, not only to services of AWS"),
    _Bound(("ses:SendEmail", "ses:SendRawEmail"), ("ses:fromaddress",), "in any sender's name"),
)
#: The tags that say whose a resource is. Each alone takes in others': another environment's, or another project's.
_OWNERS = ("aws:resourcetag/project", "aws:resourcetag/environment")


def _bound(resource: Resource, _: Context) -> Iterator[str]:
    def judge(statements: tuple[Statement, ...]) -> Iterator[str]:
        for statement in statements:
            if statement.allows:
                yield from _unbound(statement)
        lent = [one for one in statements if one.allows and one.speaks_of(_LENT)]
        kept = [one for one in statements if not one.allows and one.speaks_of(_LENT)]
        if lent and not any(one.key == "lambda:sourcefunctionarn" for deny in kept for one in deny.conditions):
            yield (
                f"The policy allows {_LENT} to the function's own code as well: no statement denies it by "
                "lambda:SourceFunctionArn."
            )

    return _each_policy(resource, judge)


#: What Lambda needs to bring a function into a network, and the function's code does not.
_LENT = "ec2:CreateNetworkInterface"


def _unbound(statement: Statement) -> Iterator[str]:
    for rule in _BOUND:
        for action in rule.actions:
            if _names_action(statement, action) and not any(_binds(one, rule.keys) for one in statement.conditions):
                yield f"The policy allows {action} {rule.without}: no condition on {_spelled(rule.keys[0])}."
    tags = {one.key for one in statement.conditions if one.key in _OWNERS and demands(one)}
    if len(tags) == 1:
        (lacking,) = set(_OWNERS) - tags
        yield f"The policy picks resources by one tag of their owner: no condition on {_spelled(lacking)}."


def _names_action(statement: Statement, action: str) -> bool:
    """Whether a statement is about ``action`` by more than a wildcard for all, which is the business of others."""
    return any(_is_named(one) and documents.matches(one, action, ignore_case=True) for one in statement.actions)


def _binds(condition: Condition, keys: tuple[str, ...]) -> bool:
    switched_on = condition.operator == "bool" and condition.values == ("true",)
    return condition.key.startswith(keys) and (demands(condition) or switched_on)


#: Condition keys as AWS writes them.
_SPELLED = {
    "aws:resourcetag/environment": "aws:ResourceTag/Environment",
    "aws:resourcetag/project": "aws:ResourceTag/Project",
    "ec2:createaction": "ec2:CreateAction",
    "kms:grantisforawsresource": "kms:GrantIsForAWSResource",
    "ses:fromaddress": "ses:FromAddress",
}


def _spelled(key: str) -> str:
    return _SPELLED.get(key, key)


#: What ends data, backups, keys or the watch over them, and what makes its holder an administrator.
_ENDING = (
    "backup:DeleteBackupPlan",
    "backup:DeleteBackupVault",
    "backup:DeleteBackupVaultAccessPolicy",
    "backup:DeleteRecoveryPoint",
    "cloudtrail:DeleteTrail",
    "cloudtrail:StopLogging",
    "cloudwatch:DeleteAlarms",
    "dynamodb:DeleteTable",
    "ec2:DeleteFlowLogs",
    "guardduty:DeleteDetector",
    "kms:DisableKey",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "logs:DeleteLogGroup",
    "logs:DeleteLogStream",
    "rds:DeleteDBCluster",
    "rds:DeleteDBInstance",
    "rds:DeleteDBInstanceAutomatedBackup",
    "rds:DeleteDBSnapshot",
    "s3:BypassGovernanceRetention",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:DeleteObjectVersion",
    "s3:PutBucketPolicy",
    "secretsmanager:DeleteSecret",
    "securityhub:DisableSecurityHub",
)
_RISING = (
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreatePolicyVersion",
    "iam:PutGroupPolicy",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
)


@lru_cache(maxsize=4096)
def _meant(pattern: str, actions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one for one in actions if _is_named(pattern) and documents.matches(pattern, one, ignore_case=True))


def _harmless(resource: Resource, _: Context) -> Iterator[str]:
    def judge(statements: tuple[Statement, ...]) -> Iterator[str]:
        for statement in statements:
            if not statement.allows:
                continue
            for actions, end in (
                (_ENDING, "ends what keeps data or watches over it"),
                (_RISING, "makes its holder an administrator"),
            ):
                found = {one for pattern in statement.actions for one in _meant(pattern, actions)}
                if found:
                    yield f"The policy allows {listed(sorted(found))}, which {end}."

    return _each_policy(resource, judge)


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
        if not statement.allows:
            continue
        for service in statement.services():
            wanted = senders.admitted(service, to_bucket=resource.type in _BUCKETS)
            if not wanted and not any(senders.names(one, key) for one in statement.conditions for key in senders.BOTH):
                wanted = (senders.ACCOUNT,)
            if key := senders.missing(statement, wanted):
                yield f"The policy lets {service} in on any {_BEHALF[key]} behalf: no condition on {key}."


_BUCKETS = frozenset({"aws:s3/bucket:Bucket", "aws:s3/bucketPolicy:BucketPolicy", "aws:s3/bucketV2:BucketV2"})
#: What a lost condition opens the resource to.
_BEHALF = {senders.ACCOUNT: "account's", senders.ARN: "resource's"}


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
    strangers = [one for one in statements if _is_for_strangers(one)]
    if any(_reaches_all(one) for one in strangers):
        yield "The endpoint's policy lets anyone's credentials reach anyone's resources."
    elif any(not _READS.match(action) for one in strangers for action in (*one.actions, *one.not_actions)):
        yield "The endpoint's policy lets anyone's credentials do more than read what it names."
    elif any(one.allows and (one.not_actions or "*" in one.actions) for one in statements):
        yield "The endpoint's policy allows all actions, and not those of its service alone."


_READS = re.compile(r"[a-z0-9-]+:(Get|List|Describe|Head)", re.IGNORECASE)


def _is_for_strangers(statement: Statement) -> bool:
    return (
        statement.allows
        and statement.is_for_anyone
        and not any(one.key in _OURS and demands(one) for one in statement.conditions)
    )


def _reaches_all(statement: Statement) -> bool:
    return bool(statement.not_resources) or any(documents.is_everything(one) for one in statement.resources)


DATA_SCOPED = ResourceRule(
    id="iam-data-actions-scoped",
    sentence="004_5ca73e3508d74ec8.txt Security Audit: Check IAM policies and roles",
    title="Whatever knows resources is allowed on named ones; a condition may pick among a kind, not among everything.",
    why="A role for one secret, bucket or queue that may use them all gives them all away with it.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP KMS.1", "FSBP KMS.2", "NIST AC-6"),
    remedy="Name the ARNs; where they are a kind (…:instance/*), condition on aws:ResourceTag.",
    types=_GRANTS,
    check=_scoped,
)

BOUND = ResourceRule(
    id="iam-actions-bound",
    sentence="004_5ca73e3508d74ec8.txt Security Audit: Check IAM policies and roles",
    title="What no ARN can bind, a condition does: namespaces, senders, grants, tags, and what Lambda borrows.",
    why="False metrics silence alarms, a tag opens what is allowed by tag, a grant lends a key to a stranger.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AC-6",),
    remedy="Add the condition that the sentence names; for interfaces, a Deny on lambda:SourceFunctionArn.",
    types=_GRANTS,
    check=_bound,
)

NO_ENDING = ResourceRule(
    id="iam-no-destruction",
    sentence="004_5ca73e3508d74ec8.txt Security Audit: Check IAM policies and roles",
    title="No role deletes data, backups, keys or watches, and none makes itself an administrator.",
    why="Whoever gets into a machine or a function has what its role has; such rights belong to people, for an hour.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("Checkov CKV_AWS_286", "NIST AC-5", "NIST AC-6"),
    remedy="Take the action out; a person with a role of their own does that, through `pulumi up` or `runbook`.",
    types=_GRANTS,
    check=_harmless,
)

DEPUTY_SCOPED = ResourceRule(
    id="iam-confused-deputy",
    sentence="002_3d1abe7e242e6afd.txt §2: IAM role assignments and rotations",
    title="A service that is let in comes on behalf of this account, and says for what.",
    why="The same service works for strangers, who may have it write here or read from here.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 7.0 2.21", "NIST AC-4"),
    remedy="Add what the sentence names: StringEquals aws:SourceAccount, or ArnEquals aws:SourceArn with the sender's.",
    types=frozenset(_DOORS),
    check=_deputy,
)

ENDPOINT_POLICY = ResourceRule(
    id="net-endpoint-policy",
    sentence="000_b5883a9168e66709.txt §6: restrict access to necessary ports",
    title="VPC endpoints carry this account's requests to this account's resources, and read others' by name.",
    why="By default a machine that is broken into can copy its data into a stranger's bucket, past every firewall.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("CIS 7.0 6.8", "NIST AC-4", "NIST SC-7"),
    remedy="Set policy with a condition on aws:PrincipalAccount or aws:ResourceAccount.",
    types=frozenset({ENDPOINT}),
    check=_endpoint,
)

RULES: tuple[Rule, ...] = (DATA_SCOPED, BOUND, NO_ENDING, DEPUTY_SCOPED, ENDPOINT_POLICY)
