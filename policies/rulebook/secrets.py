"""Rules for secrets and customer keys: rotated, encrypted, kept apart from the program, open to nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import documents, senders
from .leaks import is_secret_name, unmistakable
from .links import sources
from .resource import Context, Resource, Stack, is_list, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .values import is_false, number, show

DATABASE = "aws:rds/instance:Instance"
SECRET_STORE = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type
ROTATION = "aws:secretsmanager/secretRotation:SecretRotation"
PARAMETER = "aws:ssm/parameter:Parameter"
KEY = "aws:kms/key:Key"

KEY_POLICY_TYPE = "aws:kms/keyPolicy:KeyPolicy"

#: Whatever has a key policy.
_KEY_POLICIES = frozenset({KEY, KEY_POLICY_TYPE, "aws:kms/externalKey:ExternalKey", "aws:kms/replicaKey:ReplicaKey"})

#: Days between two rotations at most.
DATABASE_DAYS, OTHER_DAYS = 30, 90

#: Days in which a deletion can be taken back.
LEAST_DELETION_DAYS = 14

_DATABASE_WORDS = re.compile(r"(?<![a-z])(?:db|database|rds|postgres|postgresql|aurora)(?![a-z])", re.IGNORECASE)
_RATE = re.compile(r"rate\((\d+) (hours?|days?)\)")
_CRON = re.compile(r"cron\(\S+ \S+ \S+ (?P<month>\S+) \S+(?: \S+)?\)")
_MONTHS = re.compile(r"(?:\*|1)/(\d+)")

#: Properties that hold scripts; they have a rule of their own, which reads them more closely.
_SCRIPTS = ("userData", "userDataBase64")


def _rotated(stack: Stack) -> Iterator[Fault]:
    def judge(holder: Resource) -> Iterator[Fault]:
        if holder.type == SECRET_STORE:
            yield from _rotation_faults(stack, holder, "secret")
        elif is_true(holder.section("manageMasterUserPassword")):
            yield from _rotation_faults(stack, holder, "database's password")

    return each(stack.of(DATABASE, SECRET_STORE), judge)


def _rotation_faults(stack: Stack, holder: Resource, noun: str) -> Iterator[Fault]:
    rotations = sources(stack, holder, "secretId", ROTATION)
    if not rotations:
        yield Fault(f"Nothing rotates the {noun}: no rotation is declared for it.", holder.urn)
    yield from each(
        rotations, lambda rotation: (Fault(said, rotation.urn) for said in _schedule_faults(holder, rotation, noun))
    )


def _schedule_faults(holder: Resource, rotation: Resource, noun: str) -> Iterator[str]:
    if is_false(rotation.section("rotationEnabled")):
        yield f"The rotation of the {noun} is switched off."
        return
    days, written = _interval(rotation)
    # What is often enough for a database is so for anything; only what is rarer has to say what it is.
    if days is not None and days <= DATABASE_DAYS:
        return
    most = DATABASE_DAYS if _is_of_database(holder) else OTHER_DAYS
    if days is None:
        yield f"The {noun} is rotated on the schedule {written}; every {most} days is demanded."
    elif days > most:
        yield f"The {noun} is rotated every {show(days)} days; {most} are demanded."


def _interval(rotation: Resource) -> tuple[float | None, str]:
    """Days between two rotations, None where that cannot be told, and how the schedule is written."""
    days = rotation.section("rotationRules", "automaticallyAfterDays")
    schedule = rotation.section("rotationRules", "scheduleExpression")
    if days is not None or not isinstance(schedule, str):
        return number(days), show(days)
    if rate := _RATE.fullmatch(schedule):
        return int(rate[1]) / (24 if rate[2].startswith("hour") else 1), schedule
    if cron := _CRON.fullmatch(schedule):
        # Once a month is what the run book asks for, however long the month.
        step = 1 if cron["month"] == "*" else int(found[1]) if (found := _MONTHS.fullmatch(cron["month"])) else None
        return None if step is None else float(DATABASE_DAYS * step), schedule
    return None, schedule


def _is_of_database(holder: Resource) -> bool:
    if holder.type == DATABASE or _DATABASE_WORDS.search(holder.name):
        return True
    return bool(_DATABASE_WORDS.search(show(holder.section("name"))))


def _cmk_and_recovery(resource: Resource, context: Context) -> Iterator[str]:
    key = resource.section("kmsKeyId")
    if not key or "alias/aws/" in str(key):
        yield "The secret is encrypted with AWS's key, not with a customer key."
    days = resource.section("recoveryWindowInDays")
    if context.environment == "prod" and days is not None and (number(days) or 0) <= 0:
        yield f"The secret would be deleted at once: its recovery window is {show(days)} days."


def _secure_string(resource: Resource, _: Context) -> Iterator[str]:
    name = resource.section("name")
    called = name if isinstance(name, str) else resource.name
    if not is_secret_name(called):
        return
    kind, key = resource.section("type"), resource.section("keyId")
    if kind != "SecureString":
        yield f"The parameter {show(called)} is called a secret; its type is {show(kind)}, SecureString is demanded."
    elif not key or "alias/aws/" in str(key):
        yield f"The parameter {show(called)} is encrypted with AWS's key, not with a customer key."


def _key_rotation(resource: Resource, _: Context) -> Iterator[str]:
    rotates = resource.section("customerMasterKeySpec") in (None, "SYMMETRIC_DEFAULT") and resource.section(
        "keyUsage"
    ) in (None, "ENCRYPT_DECRYPT")
    # KMS rotates symmetric encryption keys only.
    if rotates and not is_true(resource.section("enableKeyRotation")):
        yield "The key is never rotated."
    days = resource.section("deletionWindowInDays")
    if days is not None and (number(days) or 0) < LEAST_DELETION_DAYS:
        yield f"The deletion of the key can be taken back for {show(days)} days; {LEAST_DELETION_DAYS} are demanded."


def _key_not_public(resource: Resource, _: Context) -> Iterator[str]:
    policy = resource.section("policy")
    if policy is None:
        # KMS then writes one that admits the account alone; that it is written out is a rule of its own.
        return
    try:
        statements = documents.read(policy)
    except documents.DocumentError as error:
        yield f"The key policy cannot be read: {error}."
        return
    for statement in statements:
        if not statement.allows:
            continue
        if statement.is_for_anyone and not statement.is_scoped:
            yield "The key policy lets anyone use the key."
        for service in statement.services():
            yield from _unbound(statement, service)


def _unbound(statement: documents.Statement, service: str) -> Iterator[str]:
    """What keeps a service's use of a key from being for one thing of this account."""
    if not statement.conditions:
        yield f"The key policy lets {service} use the key on any account's behalf: it has no condition."
        return
    contexts = {one.key for one in statement.conditions if one.key.startswith(_CONTEXT) and senders.demands(one)}
    wanted = senders.ADMITTED.get(service, ())
    if service == _TRAIL:
        if statement.speaks_of("kms:GenerateDataKey") and f"{_CONTEXT}aws:cloudtrail:arn" not in contexts:
            yield f"The key policy lets {service} encrypt for any trail: no condition on the trail's context."
    elif contexts:
        return
    if not wanted and not any(senders.names(one, key) for one in statement.conditions for key in senders.BOTH):
        wanted = (senders.ACCOUNT,)
    if key := senders.missing(statement, wanted):
        yield f"The key policy lets {service} use the key for anybody: no condition on {key} or on a context."


_CONTEXT = "kms:encryptioncontext:"
_TRAIL = "cloudtrail.amazonaws.com"


def _written_out(stack: Stack) -> Iterator[Fault]:
    def judge(key: Resource) -> Iterator[Fault]:
        if not key.section("policy") and not sources(stack, key, "keyId", KEY_POLICY_TYPE):
            yield Fault("The key has no policy of its own, so none says who may use it.", key.urn)

    return each(stack.of(KEY), judge)


def _no_plaintext(resource: Resource, _: Context) -> Iterator[str]:
    return through(
        [prop for prop in resource.props if prop not in _SCRIPTS], lambda prop: _leaks_in(resource.props, prop)
    )


def _leaks_in(holder: Any, key: Any, path: str = "") -> Iterator[str]:
    """A sentence for each text below ``holder[key]`` that gives a secret away; what is unknown is told at the end."""
    value = holder[key]
    place = f"{path}[{key}]" if is_list(holder) else f"{path}.{key}" if path else str(key)
    if isinstance(value, str):
        yield from (f"The property {place} holds {leak.kind}." for leak in unmistakable(value))
    elif is_list(value):
        yield from through(range(len(value)), lambda index: _leaks_in(value, index, place))
    elif isinstance(value, Mapping):
        yield from through(list(value), lambda inner: _leaks_in(value, inner, place))


ROTATED = StackRule(
    id="secret-rotation",
    sentence="004_5ca73e3508d74ec8.txt Monthly Operations: Rotate database credentials and API keys",
    title="Database credentials are rotated every 30 days at least, other secrets every 90.",
    why="A password that somebody noted down once works for ever.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP SecretsManager.1", "FSBP SecretsManager.4", "Checkov CKV_AWS_304", "NIST IA-5"),
    remedy="Declare aws.secretsmanager.SecretRotation for the secret with automatically_after_days of 30 or less.",
    types=frozenset({SECRET_STORE, ROTATION, DATABASE}),
    check=_rotated,
)

CMK_AND_RECOVERY = ResourceRule(
    id="secret-cmk-and-recovery",
    sentence="002_3d1abe7e242e6afd.txt §2: Secret rotation procedures",
    title="Secrets are encrypted with a customer key and can be recovered after a deletion.",
    why="AWS's key can be withheld from nobody in the account; a secret that is gone at once takes its users down.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("Checkov CKV_AWS_149", "NIST SC-12"),
    remedy="Set kms_key_id, and leave recovery_window_in_days unset or at 7 or more.",
    types=frozenset({SECRET_STORE}),
    check=_cmk_and_recovery,
)

SECURE_STRING = ResourceRule(
    id="ssm-secure-string",
    sentence="003_720b7a256857bf84.txt Backups: Any other files containing critical secrets or configuration",
    title="Parameters that are called secrets are encrypted with a customer key.",
    why="A plain parameter is readable in every console, log and state.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("Checkov CKV_AWS_337",),
    remedy='Set type="SecureString" and key_id, or better, use Secrets Manager.',
    types=frozenset({PARAMETER}),
    check=_secure_string,
)

KEY_ROTATION = ResourceRule(
    id="kms-rotation",
    sentence="002_3d1abe7e242e6afd.txt §2: Secret rotation procedures",
    title="Keys are rotated every year and cannot be deleted within 14 days.",
    why="What is encrypted with a key that is gone is gone as well.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 5.0 3.6", "CIS 7.0 4.6", "FSBP KMS.3", "FSBP KMS.4", "NIST SC-12"),
    remedy="Set enable_key_rotation=True and deletion_window_in_days to 14 or more.",
    types=frozenset({KEY}),
    check=_key_rotation,
)

KEY_NOT_PUBLIC = ResourceRule(
    id="kms-not-public",
    sentence="003_720b7a256857bf84.txt Backups: encrypt the storage location to prevent unauthorized access.",
    title="No key policy admits everybody, nor a service without a condition.",
    why="An encryption whose key anyone may use protects nothing.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("FSBP KMS.5", "NIST AC-3"),
    remedy="Name the account or the service, and condition services on aws:SourceAccount or an encryption context.",
    types=_KEY_POLICIES,
    check=_key_not_public,
)

KEY_POLICY = StackRule(
    id="kms-policy-written",
    sentence="003_720b7a256857bf84.txt Backups: encrypt the storage location to prevent unauthorized access.",
    title="Every key has a policy that is written out.",
    why="With AWS's own policy no service may use the key, so topics, logs and trails under it fall silent.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("Checkov CKV2_AWS_64", "NIST AC-3"),
    remedy="Make keys with components.Keys, and give it the statements of the services that use the key.",
    types=frozenset({KEY, KEY_POLICY_TYPE}),
    check=_written_out,
)

#: The CLI hands marked secrets over in the clear, so it finds them too: a secret is referred to by its ARN.
NO_PLAINTEXT = ResourceRule(
    id="no-plaintext-secret",
    sentence="003_720b7a256857bf84.txt Backups: Never commit `.env` or other sensitive config files",
    title="No property holds a key, a token or a private key.",
    why="What is in a property is in the state, in every preview and, mostly, in the repository.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("NIST IA-5",),
    remedy="Put the secret into Secrets Manager, refer to it by its ARN, and rotate the one that stood here.",
    types=frozenset(),
    check=_no_plaintext,
)

RULES: tuple[Rule, ...] = (
    ROTATED,
    CMK_AND_RECOVERY,
    SECURE_STRING,
    KEY_ROTATION,
    KEY_NOT_PUBLIC,
    KEY_POLICY,
    NO_PLAINTEXT,
)
