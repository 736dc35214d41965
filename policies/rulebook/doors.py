"""Rules for policies on resources: each Allow names what it allows, to whom and on what; nothing comes without TLS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import documents
from .documents import Statement
from .resource import Context, Resource
from .rule import Level, ResourceRule, Rule, Severity

QUEUE_POLICY = "aws:sqs/queuePolicy:QueuePolicy"
KEY = "aws:kms/key:Key"

#: Type -> the property with its document.
_DOORS: Mapping[str, str] = {
    "aws:backup/vaultPolicy:VaultPolicy": "policy",
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": "policyDocument",
    KEY: "policy",
    "aws:kms/keyPolicy:KeyPolicy": "policy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
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
            on_keys and _is_account_alone(statement)
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

RULES: tuple[Rule, ...] = (NARROW, QUEUE_TLS)
