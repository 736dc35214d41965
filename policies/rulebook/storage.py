"""Rules for buckets. What protects one is declared beside it, in resources of their own.

What a bucket says of itself in older, inline properties is not read: AWS answers all of them, so that an answer cannot
be told from a wish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from . import documents
from .documents import Statement
from .links import sources, targets
from .resource import Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .values import either, is_false, is_true_of_any, listed, show


def _tokens(name: str) -> tuple[str, ...]:
    """A type of S3 under its name and under the one it had before pulumi-aws 7."""
    return tuple(f"aws:s3/{name[0].lower()}{name[1:]}{suffix}:{name}{suffix}" for suffix in ("", "V2"))


BUCKETS = _tokens("Bucket")
ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ENCRYPTION = _tokens("BucketServerSideEncryptionConfiguration")
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
VERSIONING = _tokens("BucketVersioning")
LOGGING = _tokens("BucketLogging")
OWNERSHIP = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
ACLS = _tokens("BucketAcl")
BALANCERS = ("aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer")

#: Who delivers logs that cannot be encrypted with a customer key: load balancers and S3 itself.
_DELIVERIES = ("logdelivery.elasticloadbalancing.amazonaws.com", "logging.s3.amazonaws.com")

_FLAGS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def _for_each_bucket(judge: Callable[[Stack, Resource], Iterator[Fault]]) -> Callable[[Stack], Iterator[Fault]]:
    return lambda stack: each(stack.of(*BUCKETS), lambda bucket: judge(stack, bucket))


def _block_public(stack: Stack, bucket: Resource) -> Iterator[Fault]:
    blocks = sources(stack, bucket, "bucket", ACCESS_BLOCK)
    if not blocks:
        yield Fault("Nothing blocks public access to the bucket.", bucket.urn)
    for block in blocks:
        if off := [flag for flag in _FLAGS if not is_true(block.section(flag))]:
            yield Fault(f"Public access to the bucket is not blocked by {listed(off)}.", block.urn)


def _encrypted(stack: Stack, bucket: Resource) -> Iterator[Fault]:
    configurations = sources(stack, bucket, "bucket", *ENCRYPTION)
    rules = [(one, index) for one in configurations for index in range(len(one.items("rules")))]
    faults = [Fault(said, one.urn) for one, index in rules for said in _encryption_faults(one, index)]
    if not rules:
        faults.append(Fault("The bucket is encrypted with S3's own key; a KMS key is demanded.", bucket.urn))
    # Only what is not encrypted with a customer key has to have a reason for it.
    if faults and not (_is_s3_s_own(rules) and _cannot_use_a_key(stack, bucket)):
        yield from faults
    elif not rules:
        yield Fault("Nothing says how the bucket is encrypted; what is delivered to it stops with any key.", bucket.urn)


def _encryption_faults(configuration: Resource, index: int) -> Iterator[str]:
    default = ("rules", index, "applyServerSideEncryptionByDefault")
    algorithm = configuration.section(*default, "sseAlgorithm")
    if algorithm not in ("aws:kms", "aws:kms:dsse"):
        yield f"The bucket is encrypted with {show(algorithm)}; aws:kms is demanded."
        return
    if not configuration.section(*default, "kmsMasterKeyId"):
        yield "The bucket is encrypted with AWS's key, not with a customer key."
    # Encryption in two layers takes no bucket key.
    if algorithm == "aws:kms" and not is_true(configuration.section("rules", index, "bucketKeyEnabled")):
        yield "The bucket has no bucket key, so each object costs a request to KMS."


def _is_s3_s_own(rules: Sequence[tuple[Resource, int]]) -> bool:
    """Whether S3 encrypts with a key of its own, which it also does where nothing is said."""
    algorithm = ("applyServerSideEncryptionByDefault", "sseAlgorithm")
    return all(one.section("rules", index, *algorithm) == "AES256" for one, index in rules)


def _cannot_use_a_key(stack: Stack, bucket: Resource) -> bool:
    """Whether logs are delivered to the bucket by a service that cannot use a customer key."""
    return either(
        lambda: bucket.urn in stack.shared(_delivered_to),
        lambda: is_true_of_any(sources(stack, bucket, "bucket", POLICY), _admits_delivery),
    )


def _admits_delivery(policy: Resource) -> bool:
    try:
        statements = documents.read(policy.section("policy"))
    except documents.DocumentError:
        return False
    return any(one.allows and not {*one.services()}.isdisjoint(_DELIVERIES) for one in statements)


def _tls_only(stack: Stack, bucket: Resource) -> Iterator[Fault]:
    refused = False
    for policy in sources(stack, bucket, "bucket", POLICY):
        try:
            statements = documents.read(policy.section("policy"))
        except documents.DocumentError as error:
            yield Fault(f"The bucket policy cannot be read: {error}.", policy.urn)
            continue
        refused = refused or any(_refuses_plain(statement, bucket) for statement in statements)
    if not refused:
        yield Fault("Nothing refuses requests to the bucket that come without TLS.", bucket.urn)


def _refuses_plain(statement: Statement, bucket: Resource) -> bool:
    if not documents.refuses_plain_transport(statement, "s3:*"):
        return False
    arn = bucket.section("arn")
    return isinstance(arn, str) and statement.reaches(arn) and statement.reaches(f"{arn}/an/object")


def _versioned(stack: Stack, bucket: Resource) -> Iterator[Fault]:
    settings = sources(stack, bucket, "bucket", *VERSIONING)
    if not settings:
        yield Fault("The bucket keeps no versions.", bucket.urn)
    for setting in settings:
        status = setting.section("versioningConfiguration", "status")
        if status != "Enabled":
            yield Fault(f"The bucket's versioning is {show(status)}; Enabled is demanded.", setting.urn)


def _access_logged(stack: Stack, bucket: Resource) -> Iterator[Fault]:
    if bucket.urn in stack.shared(_delivered_to) or bucket.tags.get("Purpose") == "logs":
        return
    if not sources(stack, bucket, "bucket", *LOGGING):
        yield Fault("Nobody can tell who read the bucket: it has no access log.", bucket.urn)


def _delivered_to(stack: Stack) -> frozenset[str]:
    """URNs of the buckets that load balancers and S3 deliver their access logs to."""
    links = [(logging, "targetBucket") for logging in stack.of(*LOGGING)]
    links += [(balancer, prop) for balancer in stack.of(*BALANCERS) for prop in ("accessLogs", "connectionLogs")]
    found: set[str] = set()
    for resource, prop in links:
        found.update(bucket.urn for bucket in targets(stack, resource, prop, *BUCKETS))
        # The bucket may be named through its policy, which has to be there first.
        for policy in targets(stack, resource, prop, POLICY):
            found.update(bucket.urn for bucket in targets(stack, policy, "bucket", *BUCKETS))
    return frozenset(found)


def _no_acls(stack: Stack) -> Iterator[Fault]:
    def judge(resource: Resource) -> Iterator[Fault]:
        if resource.type in ACLS:
            yield Fault("An ACL is declared for a bucket; its policy says who may use it.", resource.urn)
            return
        controls = sources(stack, resource, "bucket", OWNERSHIP)
        if not controls:
            yield Fault("The bucket does not say that it takes no ACLs.", resource.urn)
        for control in controls:
            ownership = control.section("rule", "objectOwnership")
            if ownership != "BucketOwnerEnforced":
                yield Fault(
                    f"The bucket takes ACLs: its ownership is {show(ownership)}; BucketOwnerEnforced is demanded.",
                    control.urn,
                )

    return each(stack.of(*BUCKETS, *ACLS), judge)


def _no_force_destroy(resource: Resource, context: Context) -> Iterator[str]:
    value = resource.section("forceDestroy")
    if context.environment == "prod" and value is not None and not is_false(value):
        yield "The bucket would be deleted with everything in it."


BLOCK_PUBLIC = StackRule(
    id="s3-block-public",
    sentence="003_720b7a256857bf84.txt Backups: AWS S3 bucket with strict permissions",
    title="Every bucket blocks public access in all four ways.",
    why="One policy or ACL too wide puts what is in it on the internet; the block overrules both.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("CIS 5.0 2.1.4", "CIS 7.0 3.1.4", "FSBP S3.1", "FSBP S3.8"),
    remedy="Declare aws.s3.BucketPublicAccessBlock for the bucket with all four flags True.",
    types=frozenset({*BUCKETS, ACCESS_BLOCK}),
    check=_for_each_bucket(_block_public),
)

ENCRYPTED_KMS = StackRule(
    id="s3-encrypted-kms",
    sentence="003_720b7a256857bf84.txt Backups: encrypt the storage location to prevent unauthorized access.",
    title="Every bucket is encrypted with a KMS key, except where logs are delivered that cannot be.",
    why="With S3's own key whoever may read the bucket reads its content; a KMS key is a second door.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP S3.17", "NIST SC-28"),
    remedy="Declare aws.s3.BucketServerSideEncryptionConfiguration with aws:kms, a key and bucket_key_enabled=True; "
    "with AES256 where load balancers or S3 deliver logs.",
    types=frozenset({*BUCKETS, *ENCRYPTION, POLICY}),
    check=_for_each_bucket(_encrypted),
)

TLS_ONLY = StackRule(
    id="s3-tls-only",
    sentence="003_720b7a256857bf84.txt Backups: AWS S3 bucket with strict permissions",
    title="Every bucket refuses requests without TLS.",
    why="S3 answers plain HTTP too; what travels there can be read and changed on the way.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 5.0 2.1.1", "CIS 7.0 3.1.1", "FSBP S3.5", "NIST SC-8"),
    remedy="Deny s3:* to everybody on the bucket and its objects where aws:SecureTransport is false, and nothing else.",
    types=frozenset({*BUCKETS, POLICY}),
    check=_for_each_bucket(_tls_only),
)

VERSIONED = StackRule(
    id="s3-versioned",
    sentence="001_62c8c82a6a764433.txt §2: For storing backups.",
    title="Every bucket keeps versions.",
    why="Without versions an overwritten or deleted object is gone.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP S3.14", "NIST CP-9"),
    remedy="Declare aws.s3.BucketVersioning with the status Enabled.",
    types=frozenset({*BUCKETS, *VERSIONING}),
    check=_for_each_bucket(_versioned),
)

ACCESS_LOGGED = StackRule(
    id="s3-access-logged",
    sentence="001_62c8c82a6a764433.txt §4: Check the audit logs for suspicious activity.",
    title="Every bucket but those of logs has an access log.",
    why="After a leak it is the only answer to the question who read what.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP S3.9", "CIS 5.0 3.4", "CIS 7.0 4.4"),
    remedy="Declare aws.s3.BucketLogging; a bucket of logs is tagged Purpose=logs.",
    types=frozenset({*BUCKETS, *LOGGING}),
    check=_for_each_bucket(_access_logged),
)

NO_ACLS = StackRule(
    id="s3-no-acls",
    sentence="003_720b7a256857bf84.txt Backups: AWS S3 bucket with strict permissions",
    title="No bucket takes ACLs.",
    why="ACLs are a second way to open a bucket, object by object, and nobody looks there.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP S3.12",),
    remedy="Declare aws.s3.BucketOwnershipControls with BucketOwnerEnforced and no aws.s3.BucketAcl.",
    types=frozenset({*BUCKETS, OWNERSHIP, *ACLS}),
    check=_no_acls,
)

NO_FORCE_DESTROY = ResourceRule(
    id="s3-no-force-destroy",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Backup schedule and retention policies",
    title="A bucket of prod is not deleted while something is in it.",
    why="One wrong destroy would take every object and every version.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST CP-9",),
    remedy="Leave force_destroy unset.",
    types=frozenset(BUCKETS),
    check=_no_force_destroy,
)

RULES: tuple[Rule, ...] = (
    BLOCK_PUBLIC,
    ENCRYPTED_KMS,
    TLS_ONLY,
    VERSIONED,
    ACCESS_LOGGED,
    NO_ACLS,
    NO_FORCE_DESTROY,
)
