"""Rules for the audit trail itself: what it records and where it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from . import links
from .backup_parts import beside_bucket, buckets_of
from .resource import Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .storage import POLICY, VERSIONING
from .values import is_false

TRAIL = "aws:cloudtrail/trail:Trail"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
PUBLIC_ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
OBJECT_LOCK = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
LIFECYCLES = (
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
)
LOGGING = ("aws:s3/bucketLogging:BucketLogging", "aws:s3/bucketLoggingV2:BucketLoggingV2")

_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")

#: Purposes of buckets whose objects' reads and writes are recorded.
_RECORDED = ("backup", "evidence")


def _multi_region(stack: Stack) -> Iterator[Fault]:
    trails = tuple(stack.of(TRAIL))
    if not trails:
        yield Fault("The stack declares no trail, so nobody can tell afterwards who called what.")
        return
    gaps = {trail.urn: tuple(_gaps(trail)) for trail in trails}
    if all(gaps.values()):
        for urn, sentences in gaps.items():
            yield from (Fault(sentence, urn) for sentence in sentences)


def _gaps(trail: Resource) -> Iterator[str]:
    if not is_true(trail.props.get("isMultiRegionTrail")):
        yield "The trail records its own region alone."
    if is_false(trail.props.get("includeGlobalServiceEvents")):
        yield "The trail leaves out the events of global services, such as IAM."
    if is_false(trail.props.get("enableLogging")):
        yield "The trail does not record: its logging is switched off."
    if not _records_management(trail):
        yield "The trail does not record every management event."


def _records_management(trail: Resource) -> bool:
    """Whether reads and writes of every service are recorded; a trail without any selector records them."""
    advanced = list(_selectors(trail))
    if advanced:
        return any(
            set(fields) == {"eventCategory"} and fields["eventCategory"] == ["Management"] for fields in advanced
        )
    basic = range(len(trail.items("eventSelectors")))
    return not basic or any(
        not is_false(trail.section("eventSelectors", index, "includeManagementEvents"))
        and trail.section("eventSelectors", index, "readWriteType") in (None, "All")
        and not trail.items("eventSelectors", index, "excludeManagementEventSources")
        for index in basic
    )


def _selectors(trail: Resource) -> Iterator[dict[str, list[Any]]]:
    """Each advanced selector: field -> values that it must equal; empty where another operator narrows it."""
    for index in range(len(trail.items("advancedEventSelectors"))):
        fields = range(len(trail.items("advancedEventSelectors", index, "fieldSelectors")))
        yield {
            str(trail.section("advancedEventSelectors", index, "fieldSelectors", field, "field")): list(
                trail.items("advancedEventSelectors", index, "fieldSelectors", field, "equals")
            )
            for field in fields
        }


def _validated(trail: Resource, _: Context) -> Iterator[str]:
    if not is_true(trail.props.get("enableLogFileValidation")):
        yield "The trail's files are not validated, so a change to one would not show."


def _encrypted(trail: Resource, _: Context) -> Iterator[str]:
    if not trail.props.get("kmsKeyId"):
        yield "The trail's files are not encrypted with a customer key."


def _searched(trail: Resource, _: Context) -> Iterator[str]:
    if not trail.props.get("cloudWatchLogsGroupArn"):
        yield "The trail goes to no log group, so no filter can count what is in it."
    elif not trail.props.get("cloudWatchLogsRoleArn"):
        yield "The trail has no role to write to its log group with."


def _guarded_bucket(stack: Stack) -> Iterator[Fault]:
    def judge(trail: Resource) -> Iterator[Fault]:
        buckets = buckets_of(stack, trail, "s3BucketName")
        if not buckets:
            yield Fault("The trail's bucket is not declared here; its guards are not known.", trail.urn)
        for bucket in buckets:
            blocks = links.sources(stack, bucket, "bucket", PUBLIC_ACCESS_BLOCK)
            if not any(all(is_true(block.props.get(flag)) for flag in _BLOCKS) for block in blocks):
                yield Fault("The trail's bucket does not block all public access.", bucket.urn)
            logged = any(links.sources(stack, bucket, "bucket", token) for token in LOGGING)
            if not logged and not bucket.items("loggings"):
                yield Fault("The trail's bucket does not log who reads it.", bucket.urn)
            if is_true(bucket.props.get("forceDestroy")):
                yield Fault("The trail's bucket may be destroyed with everything in it (forceDestroy).", bucket.urn)

    return each(stack.of(TRAIL), judge)


def _kept(stack: Stack) -> Iterator[Fault]:
    def judge(trail: Resource) -> Iterator[Fault]:
        for bucket in buckets_of(stack, trail, "s3BucketName"):
            locks = beside_bucket(stack, bucket, OBJECT_LOCK)
            if not any(_locks(lock) for lock in locks):
                yield Fault("The trail's files can be changed and deleted: the bucket has no default lock.", bucket.urn)
            lifecycles = beside_bucket(stack, bucket, *LIFECYCLES)
            if not any(_ends(one) for one in lifecycles):
                yield Fault("How long the trail's files are kept is not said: no lifecycle ends them.", bucket.urn)

    return each(stack.of(TRAIL), judge)


def _locks(lock: Resource) -> bool:
    """Whether new objects are kept for a time that begins when they are written."""
    retention = ("rule", "defaultRetention")
    days = lock.section(*retention, "days") or lock.section(*retention, "years")
    return bool(lock.section(*retention, "mode") and days)


def _ends(lifecycle: Resource) -> bool:
    return any(
        lifecycle.section("rules", index, "status") == "Enabled"
        and lifecycle.section("rules", index, "expiration", "days")
        for index in range(len(lifecycle.items("rules")))
    )


def _object_events(stack: Stack) -> Iterator[Fault]:
    trails = tuple(stack.of(TRAIL))
    own = {bucket.urn for trail in trails for bucket in buckets_of(stack, trail, "s3BucketName")}

    def judge(bucket: Resource) -> Iterator[Fault]:
        purpose = bucket.tags.get("Purpose")
        # A trail that recorded what is written to its own bucket would record itself for ever.
        if purpose not in _RECORDED or bucket.urn in own:
            return
        if not any(_records_objects(stack, trail, bucket) for trail in trails):
            yield Fault(f"No trail records who reads and writes the objects of this {purpose} bucket.", bucket.urn)

    def endless(trail: Resource) -> Iterator[Fault]:
        for bucket in links.targets(stack, trail, "s3BucketName", *BUCKETS):
            if _records_objects(stack, trail, bucket):
                yield Fault("The trail records what it writes to its own bucket, and that again, for ever.", trail.urn)

    yield from through((each(stack.of(*BUCKETS), judge) if trails else (), each(trails, endless)), iter)


def _records_objects(stack: Stack, trail: Resource, bucket: Resource) -> bool:
    for fields in _selectors(trail):
        if fields.get("eventCategory") == ["Data"] and fields.get("resources.type") == ["AWS::S3::Object"]:
            rest = set(fields) - {"eventCategory", "resources.type"}
            if not rest or (rest == {"resources.ARN"} and _names(stack, trail, "advancedEventSelectors", bucket)):
                return True
    for index in range(len(trail.items("eventSelectors"))):
        for resource in range(len(trail.items("eventSelectors", index, "dataResources"))):
            path = ("eventSelectors", index, "dataResources", resource)
            values = trail.items(*path, "values")
            if (
                trail.section(*path, "type") == "AWS::S3::Object"
                and trail.section("eventSelectors", index, "readWriteType") in (None, "All")
                and (
                    any(str(value) in ("arn:aws:s3", "arn:aws:s3:::") for value in values)
                    or _names(stack, trail, "eventSelectors", bucket)
                )
            ):
                return True
    return False


def _names(stack: Stack, trail: Resource, prop: str, bucket: Resource) -> bool:
    return any(hit.urn == bucket.urn for hit in links.targets(stack, trail, prop, bucket.type))


MULTI_REGION = StackRule(
    id="trail-multi-region",
    sentence="000_b5883a9168e66709.txt §7: Use CloudTrail to monitor and alert on unauthorized access attempts",
    title="One trail records every management event of every region, those of global services too.",
    why="An intruder works where nobody looks.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("CIS 5.0 3.1", "CIS 7.0 4.1", "FSBP CloudTrail.1", "NIST AU-12"),
    remedy="Declare aws.cloudtrail.Trail with is_multi_region_trail=True and a selector of all management events.",
    types=frozenset({TRAIL}),
    check=_multi_region,
)

VALIDATION = ResourceRule(
    id="trail-validation",
    sentence="001_62c8c82a6a764433.txt §4: AWS CloudTrail: For auditing API calls",
    title="The trail's files are validated.",
    why="Without digests nobody can prove that a file of the trail was not changed.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 5.0 3.2", "CIS 7.0 4.2", "FSBP CloudTrail.4", "NIST AU-9"),
    remedy="Set enable_log_file_validation=True.",
    types=frozenset({TRAIL}),
    check=_validated,
)

ENCRYPTED = ResourceRule(
    id="trail-kms",
    sentence="003_720b7a256857bf84.txt Backups: Encrypt sensitive backups",
    title="The trail is encrypted with a customer key.",
    why="Whoever can read the bucket could otherwise read who does what.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 5.0 3.5", "CIS 7.0 4.5", "FSBP CloudTrail.2"),
    remedy="Name a key in kms_key_id whose policy lets this trail alone use it.",
    types=frozenset({TRAIL}),
    check=_encrypted,
)

SEARCHED = ResourceRule(
    id="trail-to-cloudwatch",
    sentence="004_5ca73e3508d74ec8.txt Security Review: Review CloudTrail for unusual activity",
    title="The trail goes to a log group, where filters count and queries search.",
    why="Files in a bucket are read after the damage; a filter rings within minutes.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP CloudTrail.5", "NIST AU-6"),
    remedy="Set cloud_watch_logs_group_arn and cloud_watch_logs_role_arn.",
    types=frozenset({TRAIL}),
    check=_searched,
)

GUARDED_BUCKET = StackRule(
    id="trail-bucket-guarded",
    sentence="000_b5883a9168e66709.txt §7: Investigate any suspicious activity reported by CloudTrail",
    title="The trail's bucket is not public, logs who reads it, and cannot be destroyed with what is in it.",
    why="The first thing an intruder removes is the evidence.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("CIS 5.0 3.4", "CIS 7.0 4.4", "FSBP CloudTrail.6", "FSBP CloudTrail.7"),
    remedy="Declare the bucket with a public access block and server access logging, and without force_destroy.",
    types=frozenset({TRAIL, *BUCKETS, PUBLIC_ACCESS_BLOCK, *LOGGING, POLICY, *VERSIONING}),
    check=_guarded_bucket,
)

KEPT = StackRule(
    id="trail-kept",
    sentence="002_3d1abe7e242e6afd.txt §9: Record retention policies",
    title="The trail's files are locked when they are written, and end when their time is over.",
    why="Evidence that can be rewritten proves nothing, and what is kept for ever is paid for ever.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AU-9", "NIST AU-11"),
    remedy="Declare aws.s3.BucketObjectLockConfiguration with a default retention, and "
    "aws.s3.BucketLifecycleConfiguration with an expiration in days.",
    types=frozenset({TRAIL, *BUCKETS, OBJECT_LOCK, *LIFECYCLES, POLICY, *VERSIONING}),
    check=_kept,
)

OBJECT_EVENTS = StackRule(
    id="trail-data-events",
    sentence="001_62c8c82a6a764433.txt §4: Check the audit logs for suspicious activity",
    title="The trail records who reads and writes the objects of evidence and backup buckets, and not what it writes.",
    why="Management events tell that a bucket was changed, not that a backup was taken out of it.",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    controls=("CIS 5.0 3.8", "CIS 5.0 3.9", "CIS 7.0 4.8", "CIS 7.0 4.9"),
    remedy="Add the bucket's ARN to the trail's selector of S3 data events.",
    types=frozenset({TRAIL, *BUCKETS, POLICY, *VERSIONING}),
    check=_object_events,
)

RULES: tuple[Rule, ...] = (MULTI_REGION, VALIDATION, ENCRYPTED, SEARCHED, GUARDED_BUCKET, KEPT, OBJECT_EVENTS)


def groups_of(stack: Stack) -> tuple[Resource, ...]:
    """The log groups that the stack's trails are written to."""
    found = (group for trail in stack.of(TRAIL) for group in _groups(stack, trail))
    return tuple({group.urn: group for group in found}.values())


def _groups(stack: Stack, trail: Resource) -> Iterable[Resource]:
    return links.targets(stack, trail, "cloudWatchLogsGroupArn", LOG_GROUP)
