"""Rules for what keeps data outside RDS and S3: encrypted under the project's own keys, and there to be restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .resource import Context, Resource, is_true
from .rule import Level, ResourceRule, Rule, Severity

TABLE = "aws:dynamodb/table:Table"
QUEUE = "aws:sqs/queue:Queue"
MACHINE = "aws:sfn/stateMachine:StateMachine"

#: Type -> where it names its key, and what that key encrypts. Without one AWS takes a key that all services share.
_KEYS: Mapping[str, Mapping[tuple[str, ...], str]] = {
    "aws:amp/workspace:Workspace": {("kmsKeyArn",): "metrics"},
    "aws:appconfig/configurationProfile:ConfigurationProfile": {("kmsKeyIdentifier",): "configuration"},
    TABLE: {("serverSideEncryption", "kmsKeyArn"): "items"},
    "aws:grafana/workspace:Workspace": {("kmsKeyId",): "dashboards"},
    "aws:rds/instance:Instance": {
        ("kmsKeyId",): "storage",
        ("masterUserSecretKmsKeyId",): "password",
        ("performanceInsightsKmsKeyId",): "statistics",
    },
}
#: Where the key is only asked for when the thing it encrypts is switched on.
_WHEN: Mapping[str, str] = {
    "masterUserSecretKmsKeyId": "manageMasterUserPassword",
    "performanceInsightsKmsKeyId": "performanceInsightsEnabled",
}


def _shared_keys(resource: Resource, _: Context) -> Iterator[str]:
    for path, what in _KEYS[resource.type].items():
        if (switch := _WHEN.get(path[-1])) and not is_true(resource.section(switch)):
            continue
        if not resource.section(*path):
            yield f"No key of the project encrypts its {what}: {'.'.join(path)} is unset."


def _encrypted(queue: Resource, _: Context) -> Iterator[str]:
    if not queue.section("kmsMasterKeyId") and not is_true(queue.section("sqsManagedSseEnabled")):
        yield "The queue says neither that SQS encrypts it nor under which key."


def _recoverable(table: Resource, context: Context) -> Iterator[str]:
    if not is_true(table.section("pointInTimeRecovery", "enabled")):
        yield "The table cannot be restored to a point in time."
    if not is_true(table.section("serverSideEncryption", "enabled")):
        yield "The table is not encrypted under a key of the account."
    if context.environment == "prod" and not is_true(table.section("deletionProtectionEnabled")):
        yield "The table can be deleted: its deletion protection is off."


def _traced(machine: Resource, _: Context) -> Iterator[str]:
    if machine.section("loggingConfiguration", "level") not in ("ALL", "ERROR", "FATAL"):
        yield "The state machine logs nothing of its runs."
    elif not machine.section("loggingConfiguration", "logDestination"):
        yield "The state machine has no log group to write to."
    if not is_true(machine.section("tracingConfiguration", "enabled")):
        yield "The state machine's runs are not traced."


OWN_KEYS = ResourceRule(
    id="enc-own-keys",
    sentence="003_720b7a256857bf84.txt Backups: Encrypt sensitive backups",
    title="What keeps data encrypts it under a key of the project.",
    why="Nobody can take away, audit or share on purpose a key that AWS keeps for all.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SC-12", "NIST SC-28"),
    remedy="Hand a key of components.Keys to the resource.",
    types=frozenset(_KEYS),
    check=_shared_keys,
)

QUEUES_ENCRYPTED = ResourceRule(
    id="sqs-encrypted",
    sentence="003_720b7a256857bf84.txt Backups: Encrypt sensitive backups",
    title="Queues are encrypted.",
    why="Dead letters hold the whole event that failed.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP SQS.1", "NIST SC-28"),
    remedy="Set sqs_managed_sse_enabled=True, or name a key.",
    types=frozenset({QUEUE}),
    check=_encrypted,
)

TABLES_RECOVERABLE = ResourceRule(
    id="ddb-recoverable",
    sentence="001_62c8c82a6a764433.txt §2: test the backup and recovery process on a regular basis",
    title="Tables are encrypted, can be restored to any second, and cannot be deleted in prod.",
    why="A faulty function writes nonsense for an hour before anybody sees it.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP DynamoDB.2", "FSBP DynamoDB.6", "NIST CP-9", "NIST SC-28"),
    remedy="Set point_in_time_recovery, server_side_encryption and deletion_protection_enabled.",
    types=frozenset({TABLE}),
    check=_recoverable,
)

MACHINES_TRACED = ResourceRule(
    id="sfn-logged-traced",
    sentence="000_b5883a9168e66709.txt §2: View system and application logs in CloudWatch.",
    title="State machines write a log and are traced.",
    why="Whether an escalation reached somebody, and when, is answered by its log alone.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP StepFunctions.1", "NIST AU-12"),
    remedy="Set logging_configuration with a log group, and tracing_configuration.",
    types=frozenset({MACHINE}),
    check=_traced,
)

RULES: tuple[Rule, ...] = (OWN_KEYS, QUEUES_ENCRYPTED, TABLES_RECOVERABLE, MACHINES_TRACED)
