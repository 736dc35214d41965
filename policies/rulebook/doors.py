"""Rules for policies on resources: each Allow names what it allows, to whom and on what, and logs are let in.

Kept out are requests without TLS, uploads under another key, and dead letters of strangers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from . import documents, links
from .documents import Statement
from .resource import Context, Resource, Stack, is_list
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .values import is_true_of_any, show

QUEUE_POLICY = "aws:sqs/queuePolicy:QueuePolicy"
QUEUE = "aws:sqs/queue:Queue"
REDRIVE = "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy"
KEY = "aws:kms/key:Key"
BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
ENCRYPTION = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
)
TRAIL = "aws:cloudtrail/trail:Trail"
FIREWALL_LOG = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
LOG_POLICY = "aws:cloudwatch/logResourcePolicy:LogResourcePolicy"

#: Type -> the property with its document.
_DOORS: Mapping[str, str] = {
    "aws:backup/vaultPolicy:VaultPolicy": "policy",
    LOG_POLICY: "policyDocument",
    KEY: "policy",
    "aws:kms/keyPolicy:KeyPolicy": "policy",
    BUCKET_POLICY: "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    QUEUE_POLICY: "policy",
}


def _statements(resource: Resource) -> tuple[Statement, ...]:
    """The statements of a document; none where there is no policy or it cannot be read, which others say."""
    document = resource.section(_DOORS[resource.type])
    try:
        return documents.read(document) if document else ()
    except documents.DocumentError:
        return ()


def _wide(resource: Resource, _: Context) -> Iterator[str]:
    on_keys = resource.type.startswith("aws:kms/")
    for number, statement in enumerate(_statements(resource), start=1):
        if not statement.allows:
            continue
        if statement.is_for_anyone or any("*" in value for _kind, value in statement.principals):
            yield f"Statement {number} lets in anybody; a condition is its only lock."
        if (statement.not_actions or any(_is_wide(action) for action in statement.actions)) and not (
            on_keys and set(statement.actions) == {"kms:*"} and _is_account_alone(statement)
        ):
            yield f"Statement {number} allows every action; name those that are needed."
        # The policy of a key speaks of that key alone, which it calls *.
        if not on_keys and (statement.not_resources or any(map(documents.is_everything, statement.resources))):
            yield f"Statement {number} is about every resource; name the one that it is attached to."


def _is_wide(action: str) -> bool:
    service, _, name = action.rpartition(":")
    return not name.strip("*?") or "*" in service


def _is_account_alone(statement: Statement) -> bool:
    """Whether a statement hands a key to its account's own policies, as AWS's default does."""
    return bool(statement.principals) and all(
        kind == "AWS" and value.startswith("arn:") and value.endswith(":root") for kind, value in statement.principals
    )


def _plain(resource: Resource, _: Context) -> Iterator[str]:
    if not any(documents.refuses_plain_transport(one, "sqs:SendMessage") for one in _statements(resource)):
        yield "The queue takes requests without TLS: no statement denies them."


# Uploads

_KEY_HEADER = "s3:x-amz-server-side-encryption-aws-kms-key-id"


def _one_key(stack: Stack) -> Iterator[Fault]:
    trails = {bucket.urn for one in stack.of(TRAIL) for bucket in links.targets(stack, one, "s3BucketName", *BUCKETS)}

    def judge(bucket: Resource) -> Iterator[Fault]:
        # CloudTrail names the key itself, and nothing else writes there.
        if bucket.urn in trails or not _keys(stack, bucket):
            return
        holders = [bucket, *links.sources(stack, bucket, "bucket", BUCKET_POLICY)]
        if not is_true_of_any(holders, _refuses_other_keys):
            yield Fault("The bucket takes uploads under any key: no statement denies another than its own.", bucket.urn)

    return each(stack.of(*BUCKETS), judge)


def _keys(stack: Stack, bucket: Resource) -> bool:
    """Whether a key of the stack encrypts the bucket unless an upload says otherwise."""
    return any(links.targets(stack, one, "rules", KEY) for one in links.sources(stack, bucket, "bucket", *ENCRYPTION))


def _refuses_other_keys(holder: Resource) -> bool:
    try:
        statements = documents.read(holder.section("policy") or {"Statement": []})
    except documents.DocumentError:
        return False
    return any(
        not one.allows
        and one.speaks_of("s3:PutObject")
        and ("*", "*") in {(kind if kind == "*" else "*", value) for kind, value in one.principals}
        and [(c.operator.removesuffix("ifexists"), c.key) for c in one.conditions] == [("stringnotequals", _KEY_HEADER)]
        for one in statements
    )


# Dead letters


def _redrive(stack: Stack) -> Iterator[Fault]:
    def judge(resource: Resource) -> Iterator[Fault]:
        if resource.type == REDRIVE:
            return _allowed(stack, resource)
        return _unguarded(stack, resource)

    return each(stack.of(QUEUE, REDRIVE), judge)


def _allowed(stack: Stack, policy: Resource) -> Iterator[Fault]:
    if not links.targets(stack, policy, "queueUrl", QUEUE):
        yield Fault("The policy is for a queue that is not declared here.", policy.urn)
    body = _object(policy.section("redriveAllowPolicy"))
    permission = body.get("redrivePermission")
    if permission not in ("byQueue", "denyAll"):
        yield Fault(f"Any queue may leave its dead letters there: redrivePermission is {show(permission)}.", policy.urn)
    arns: Any = body.get("sourceQueueArns")
    for arn in arns if is_list(arns) else ():
        if not stack.with_id(arn, QUEUE):
            yield Fault(f"Queue {show(arn)} may leave dead letters there and is not declared here.", policy.urn)
    if permission == "byQueue" and not arns:
        yield Fault("No queue may leave its dead letters there: sourceQueueArns is empty.", policy.urn)


def _unguarded(stack: Stack, queue: Resource) -> Iterator[Fault]:
    for letters in links.targets(stack, queue, "redrivePolicy", QUEUE):
        if letters.urn == queue.urn or letters.section("redriveAllowPolicy"):
            continue
        if not links.sources(stack, letters, "queueUrl", REDRIVE):
            yield Fault("Any queue of the account may leave its dead letters there: no policy says which.", letters.urn)


def _object(text: Any) -> Mapping[str, Any]:
    try:
        body = json.loads(str(text))
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


# Logs


def _log_delivery(stack: Stack) -> Iterator[Fault]:
    def judge(delivery: Resource) -> Iterator[Fault]:
        for group in links.targets(stack, delivery, "logDestinationConfigs", LOG_GROUP):
            stream = f"{group.section('arn')}:log-stream:any"
            if not is_true_of_any(stack.of(LOG_POLICY), partial(_delivers, stream=stream)):
                yield Fault(f"No policy lets the firewall's log into log group {group.name}.", delivery.urn)

    return each(stack.of(FIREWALL_LOG), judge)


def _delivers(policy: Resource, stream: str) -> bool:
    return any(
        one.allows
        and "delivery.logs.amazonaws.com" in one.services()
        and one.speaks_of("logs:PutLogEvents")
        and one.reaches(stream)
        for one in _statements(policy)
    )


NARROW = ResourceRule(
    id="iam-resource-policy-narrow",
    sentence="000_b5883a9168e66709.txt §6: restrict access to necessary ports",
    title="Policies on resources name who may do what.",
    why="A condition that is lost, or that some service does not send, then opens the resource to everybody.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP KMS.5", "FSBP SNS.4", "FSBP SQS.3", "NIST AC-6"),
    remedy="List principals, actions and the resource's own ARN in the statement.",
    types=frozenset(_DOORS),
    check=_wide,
)

QUEUE_TLS = ResourceRule(
    id="sqs-tls-only",
    sentence="000_b5883a9168e66709.txt §6: restrict access to necessary ports",
    title="Queues refuse requests without TLS.",
    why="What lies in a queue is what alarms and events say of the platform; plain text can be read on its way.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SC-8",),
    remedy="Add a statement that denies sqs:* to * where aws:SecureTransport is false.",
    types=frozenset({QUEUE_POLICY}),
    check=_plain,
)

ONE_KEY = StackRule(
    id="s3-one-key",
    sentence="003_720b7a256857bf84.txt Backups: encrypt the storage location to prevent unauthorized access.",
    title="A bucket under a key of the project takes no upload under another.",
    why="The default key holds only where an upload names none; what lies under a stranger's key cannot be read back.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP S3.17", "NIST SC-12", "NIST SC-28"),
    remedy="Deny s3:PutObject to * with StringNotEqualsIfExists on s3:x-amz-server-side-encryption-aws-kms-key-id.",
    types=frozenset({*BUCKETS, *ENCRYPTION, BUCKET_POLICY, TRAIL, KEY}),
    check=_one_key,
)

REDRIVE_NAMED = StackRule(
    id="sqs-redrive-named",
    sentence="000_b5883a9168e66709.txt §6: restrict access to necessary ports",
    title="A queue of dead letters says whose it takes.",
    why="Anybody in the account can fill it with letters of their own, and the real ones drown.",
    severity=Severity.LOW,
    level=Level.MANDATORY,
    controls=("NIST AC-4", "NIST AC-6"),
    remedy="Declare aws.sqs.RedriveAllowPolicy with byQueue and the ARNs of the queues.",
    types=frozenset({QUEUE, REDRIVE}),
    check=_redrive,
)

LOG_DELIVERY = StackRule(
    id="waf-log-let-in",
    sentence="000_b5883a9168e66709.txt §2: View system and application logs in CloudWatch.",
    title="The firewall's log group lets the delivery of logs in.",
    why="What was blocked, and from where, is then written nowhere.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP WAF.11", "NIST AU-12"),
    remedy="Declare aws.cloudwatch.LogResourcePolicy that allows delivery.logs.amazonaws.com to write to the group.",
    types=frozenset({FIREWALL_LOG, LOG_POLICY, LOG_GROUP}),
    check=_log_delivery,
)

RULES: tuple[Rule, ...] = (NARROW, QUEUE_TLS, ONE_KEY, REDRIVE_NAMED, LOG_DELIVERY)
