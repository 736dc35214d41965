"""Rules for the PostgreSQL database: who reaches it, what it keeps, what it tells, when it changes.

A read replica takes engine, credentials and encryption from its source and is asked for nothing it cannot set.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import windows
from .links import targets
from .resource import SECRET, Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .values import is_false, listed, number, show

INSTANCE = "aws:rds/instance:Instance"
PARAMETER_GROUP = "aws:rds/parameterGroup:ParameterGroup"
EVENT_SUBSCRIPTION = "aws:rds/eventSubscription:EventSubscription"

_INSTANCES = frozenset({INSTANCE})

#: Major versions in standard support on RDS (Amazon RDS for PostgreSQL release calendar).
SUPPORTED_MAJORS = (14, 15, 16, 17, 18)

#: Days: what the run book keeps, what any other environment keeps, what RDS can keep.
KEPT_IN_PROD, KEPT_ELSEWHERE, MOST_KEPT = 28, 7, 35

#: Days that Performance Insights keeps at least, and what the advanced mode of Database Insights needs.
INSIGHTS_FLOOR, INSIGHTS_ADVANCED = 7, 465

LOG_EXPORTS = ("postgresql", "upgrade")

#: How much larger than now the storage may at least grow.
HEADROOM = 1.2

#: Names that everybody tries first.
COMMON_NAMES = ("admin", "postgres", "root")
COMMON_PORT = 5432

#: What an operator must hear of: what takes the database away, what brings it back, and what somebody changed.
EVENTS = (
    "availability",
    "configuration change",
    "deletion",
    "failover",
    "failure",
    "low storage",
    "maintenance",
    "notification",
    "recovery",
)

#: Seconds between two reports of the operating system that RDS takes.
_INTERVALS = (1, 5, 10, 15, 30, 60)

_NO_EXTENDED_SUPPORT = "open-source-rds-extended-support-disabled"

#: Parameters that PostgreSQL reads at start only: RDS refuses to apply them at once.
STATIC_PARAMETERS = frozenset(
    {
        "huge_pages",
        "max_connections",
        "max_locks_per_transaction",
        "max_prepared_transactions",
        "max_replication_slots",
        "max_wal_senders",
        "max_worker_processes",
        "pg_stat_statements.max",
        "rds.logical_replication",
        "shared_buffers",
        "shared_preload_libraries",
        "track_activity_query_size",
        "wal_buffers",
    }
)

_NEVER_LOGGED = -1


def _is_replica(resource: Resource) -> bool:
    return bool(resource.section("replicateSourceDb"))


def _has_source(resource: Resource) -> bool:
    """Whether the instance begins as another one's copy, and so has its engine and version."""
    return _is_replica(resource) or any(
        resource.section(prop) for prop in ("snapshotIdentifier", "restoreToPointInTime")
    )


def _not_public(resource: Resource, _: Context) -> Iterator[str]:
    value = resource.section("publiclyAccessible")
    if value is not None and not is_false(value):
        yield "The database has a public address."


def _encrypted(resource: Resource, _: Context) -> Iterator[str]:
    if is_true(resource.section("storageEncrypted")) or (_is_replica(resource) and resource.section("kmsKeyId")):
        return
    yield "The database's storage is not encrypted."


def _engine(resource: Resource, _: Context) -> Iterator[str]:
    engine, version = resource.section("engine"), resource.section("engineVersion")
    if engine != "postgres" and not (engine is None and _has_source(resource)):
        yield f"The database's engine is {show(engine)}; postgres is demanded."
        return
    if version is None:
        if not _has_source(resource):
            yield "The database names no engine version, so AWS picks one."
        return
    text = show(version)
    major = text.partition(".")[0]
    if not major.isdecimal() or int(major) not in SUPPORTED_MAJORS:
        supported = listed(map(str, SUPPORTED_MAJORS))
        yield f"The database runs PostgreSQL {text}, which is not in support; {supported} are."
    support = resource.section("engineLifecycleSupport")
    if support != _NO_EXTENDED_SUPPORT and not _has_source(resource):
        yield f"Extended support is billed by the hour once the version is out of support: it is {show(support)}."


def _retention(resource: Resource, context: Context) -> Iterator[str]:
    if _is_replica(resource):
        return
    least = KEPT_IN_PROD if context.environment == "prod" else KEPT_ELSEWHERE
    value = resource.section("backupRetentionPeriod")
    days = number(value)
    if value is None:
        yield f"The database says not how long its backups are kept, which is a day or none; {least} days are demanded."
    elif days is None or days < least:
        yield f"The database's backups are kept {show(value)} days; {least} are demanded."
    elif days > MOST_KEPT:
        yield f"The database's backups are to be kept {show(value)} days; RDS keeps at most {MOST_KEPT}."


def _windows_set(resource: Resource, _: Context) -> Iterator[str]:
    backup_text, maintenance_text = resource.section("backupWindow"), resource.section("maintenanceWindow")
    backup = windows.daily(backup_text) if isinstance(backup_text, str) else None
    maintenance = windows.weekly(maintenance_text) if isinstance(maintenance_text, str) else None
    if backup is None:
        yield _window_fault("backup", backup_text, "03:00-04:00")
    elif backup[0].length < windows.SHORTEST:
        yield _short_window_fault("backup", backup[0])
    if maintenance is None:
        yield _window_fault("maintenance", maintenance_text, "sun:05:00-sun:06:00")
    elif maintenance.length < windows.SHORTEST:
        yield _short_window_fault("maintenance", maintenance)
    if backup and maintenance and any(maintenance.meets(one) for one in backup):
        yield f"The backup window {backup_text} and the maintenance window {maintenance_text} overlap."


def _window_fault(kind: str, value: object, example: str) -> str:
    if value is None:
        return f"The database has no {kind} window, so AWS picks one."
    return f"The database's {kind} window {show(value)} is none that RDS reads; one is {example}."


def _short_window_fault(kind: str, window: windows.Window) -> str:
    return f"The database's {kind} window takes {window.length} minutes; RDS wants {windows.SHORTEST} at least."


def _multi_az(resource: Resource, context: Context) -> Iterator[str]:
    if context.environment == "prod" and not is_true(resource.section("multiAz")):
        yield "The database stands in one zone only."


def _deletion_guard(resource: Resource, context: Context) -> Iterator[str]:
    # A development stack is made to be thrown away; what was in it can still be restored.
    if context.environment != "dev" and not is_true(resource.section("deletionProtection")):
        yield "The database can be deleted: deletion protection is off."
    skip = resource.section("skipFinalSnapshot")
    if skip is not None and not is_false(skip):
        yield "The database would be deleted without a final snapshot."
    elif not resource.section("finalSnapshotIdentifier") and not _is_replica(resource):
        yield "The database's final snapshot has no name, so that no destroy can make it."
    if not is_false(resource.section("deleteAutomatedBackups")):
        yield "The database's automated backups would be deleted with it."


def _managed_password(resource: Resource, _: Context) -> Iterator[str]:
    if resource.section("password") is not None:
        yield "The database's password is a plain property, so it is in the state."
    managed = is_true(resource.section("manageMasterUserPassword"))
    if not managed and resource.section("passwordWo") is None and not _is_replica(resource):
        yield "RDS does not manage the database's password."


def _iam_auth(resource: Resource, _: Context) -> Iterator[str]:
    if not is_true(resource.section("iamDatabaseAuthenticationEnabled")):
        yield "The database does not take IAM authentication."


def _minor_upgrades(resource: Resource, _: Context) -> Iterator[str]:
    value = resource.section("autoMinorVersionUpgrade")
    if value is not None and not is_true(value):
        yield "The database does not take minor upgrades by itself."


def _insights(resource: Resource, _: Context) -> Iterator[str]:
    if not is_true(resource.section("performanceInsightsEnabled")):
        yield "Performance Insights is off."
        return
    mode, kept = resource.section("databaseInsightsMode"), resource.section("performanceInsightsRetentionPeriod")
    if mode not in (None, "standard", "advanced"):
        yield f"The mode of Database Insights is {show(mode)}; standard and advanced are known."
    least = INSIGHTS_ADVANCED if mode == "advanced" else INSIGHTS_FLOOR
    days = INSIGHTS_FLOOR if kept is None else number(kept)
    if days is None or days < least:
        known = show(kept) if kept is not None else f"{INSIGHTS_FLOOR} (unset)"
        yield f"Performance Insights keeps {known} days; {least} are demanded."
    elif mode is None and days >= INSIGHTS_ADVANCED:
        yield f"Performance Insights keeps {show(kept)} days, and the mode of Database Insights is standard (unset)."


def _enhanced_monitoring(resource: Resource, _: Context) -> Iterator[str]:
    seconds = number(resource.section("monitoringInterval"))
    if seconds is None or seconds <= 0:
        yield "Enhanced monitoring is off."
    elif seconds not in _INTERVALS:
        yield f"Enhanced monitoring reports every {show(seconds)} seconds; RDS takes {listed(map(str, _INTERVALS))}."


def _log_exports(resource: Resource, _: Context) -> Iterator[str]:
    exports = [resource.section("enabledCloudwatchLogsExports", index) for index in range(_exports(resource))]
    if missing := [log for log in LOG_EXPORTS if log not in exports]:
        yield f"The database does not export its logs to CloudWatch: {listed(missing)}."


def _exports(resource: Resource) -> int:
    return len(resource.items("enabledCloudwatchLogsExports"))


def _force_ssl(stack: Stack) -> Iterator[Fault]:
    def judge(instance: Resource) -> Iterator[Fault]:
        groups = targets(stack, instance, "parameterGroupName", PARAMETER_GROUP)
        if not groups:
            name = instance.section("parameterGroupName")
            known = "the default parameter group" if name is None else f"the parameter group {show(name)}"
            yield Fault(f"The database uses {known}, which the stack does not declare.", instance.urn)
        for group in groups:
            yield from (Fault(sentence, group.urn) for sentence in _parameter_faults(group))

    return each(stack.of(INSTANCE), judge)


def _parameter_faults(group: Resource) -> Iterator[str]:
    """A parameter that is there twice must be right both times."""
    values: dict[str, list[object]] = {}
    for index in range(len(group.items("parameters"))):
        name = group.section("parameters", index, "name")
        values.setdefault(name, []).append(group.section("parameters", index, "value"))
        applied = group.section("parameters", index, "applyMethod")
        if name in STATIC_PARAMETERS and applied != "pending-reboot":
            yield f"The parameter {name} is read at start only; RDS refuses to apply it {show(applied or 'immediate')}."
    forced = values.get("rds.force_ssl", [None])
    if any(number(value) != 1 for value in forced):
        yield f"The parameter group takes connections without TLS: rds.force_ssl is {_worst(forced)}."
    logged = values.get("log_min_duration_statement", [None])
    if any((least := number(value)) is None or least <= _NEVER_LOGGED for value in logged):
        yield f"The parameter group logs no slow query: log_min_duration_statement is {_worst(logged)}."


def _worst(values: list[object]) -> str:
    return listed(show(value) for value in values)


def _storage_headroom(resource: Resource, _: Context) -> Iterator[str]:
    allocated, most = resource.section("allocatedStorage"), resource.section("maxAllocatedStorage")
    now, limit = number(allocated), number(most)
    if limit is None or limit <= 0:
        yield "The database's storage does not grow by itself: maxAllocatedStorage is not set."
    elif now is not None and limit < HEADROOM * now:
        yield f"The database's storage may grow from {show(now)} to {show(limit)} GiB; {HEADROOM} times is demanded."


def _no_immediate(resource: Resource, context: Context) -> Iterator[str]:
    value = resource.section("applyImmediately")
    if context.environment == "prod" and value is not None and not is_false(value):
        yield "Changes of the database do not wait for the maintenance window."


def _copy_tags(resource: Resource, _: Context) -> Iterator[str]:
    if not is_true(resource.section("copyTagsToSnapshot")):
        yield "The database's snapshots do not get its tags."


def _name_and_port(resource: Resource, _: Context) -> Iterator[str]:
    username, port = resource.section("username"), resource.section("port")
    if username is None:
        if not _has_source(resource):
            yield "The database names no administrator."
    elif username != SECRET and str(username).lower() in COMMON_NAMES:
        yield f"The database's administrator is called {show(username)}, the name that is tried first."
    if port is None or number(port) in (None, COMMON_PORT):
        at = COMMON_PORT if port is None else show(port)
        yield f"The database listens on port {at}, the port that is tried first."


def _event_subscription(stack: Stack) -> Iterator[Fault]:
    def judge(instance: Resource) -> Iterator[Fault]:
        told: set[str] = set()
        for subscription in stack.of(EVENT_SUBSCRIPTION):
            if _hears(stack, subscription, instance):
                told.update(_categories(subscription))
        if missing := [event for event in EVENTS if event not in told]:
            yield Fault(f"No event subscription tells of this database's {listed(missing)}.", instance.urn)

    return each(stack.of(INSTANCE), judge)


def _hears(stack: Stack, subscription: Resource, instance: Resource) -> bool:
    """Unset means: no limit to a type of source, to some sources, or to some categories."""
    enabled = subscription.section("enabled")
    if (enabled is not None and not is_true(enabled)) or subscription.section("sourceType") not in (
        None,
        "db-instance",
    ):
        return False
    if not subscription.items("sourceIds"):
        return True
    return _names(stack, subscription, instance)


def _names(stack: Stack, subscription: Resource, instance: Resource) -> bool:
    if any(hit.urn == instance.urn for hit in targets(stack, subscription, "sourceIds", INSTANCE)):
        return True
    own = instance.section("identifier")
    count = len(subscription.items("sourceIds"))
    return own is not None and any(subscription.section("sourceIds", index) == own for index in range(count))


def _categories(subscription: Resource) -> tuple[str, ...]:
    count = len(subscription.items("eventCategories"))
    return tuple(subscription.section("eventCategories", index) for index in range(count)) or EVENTS


NOT_PUBLIC = ResourceRule(
    id="rds-not-public",
    sentence="000_b5883a9168e66709.txt §3: Avoid direct access to the RDS instance from outside the VPC.",
    title="The database has no public address.",
    why="With one, a single wrong route or group puts the data on the internet.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("CIS 5.0 2.2.3", "CIS 7.0 3.2.3", "FSBP RDS.2", "NIST SC-7"),
    remedy="Set publicly_accessible=False and connect through the bastion.",
    types=_INSTANCES,
    check=_not_public,
)

ENCRYPTED = ResourceRule(
    id="rds-encrypted",
    sentence="003_720b7a256857bf84.txt Backups: Encrypt sensitive backups",
    title="Database storage is encrypted at rest.",
    why="Snapshots inherit it: one that leaves the account is readable without a key. It cannot be switched on later.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("CIS 5.0 2.2.1", "CIS 7.0 3.2.1", "FSBP RDS.3", "NIST SC-28"),
    remedy="Set storage_encrypted=True and name a KMS key.",
    types=_INSTANCES,
    check=_encrypted,
)

ENGINE = ResourceRule(
    id="rds-engine-postgres",
    sentence="000_b5883a9168e66709.txt §3: RDS (PostgreSQL)",
    title="The database is PostgreSQL in a major version that is in support, and nobody pays for one that is not.",
    why="A version out of support gets no security fixes, or costs extra for them.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SI-2",),
    remedy='Set engine="postgres", an engine_version in support (database.engine_version) and engine_lifecycle_support='
    f'"{_NO_EXTENDED_SUPPORT}".',
    types=_INSTANCES,
    check=_engine,
)

RETENTION = ResourceRule(
    id="rds-backup-retention-28",
    sentence="000_b5883a9168e66709.txt §4: Backups are retained for 4 weeks.",
    title="Automated backups are kept 28 days in prod and 7 elsewhere.",
    why="A fault that is noticed after the last backup is gone cannot be undone.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP RDS.11", "NIST CP-9"),
    remedy="Set backup_retention_period (database.backup_retention_days) to 28, or up to 35.",
    types=_INSTANCES,
    check=_retention,
)

WINDOWS_SET = ResourceRule(
    id="rds-windows-set",
    sentence="002_3d1abe7e242e6afd.txt §7.4: Maintenance window schedule",
    title="Backup and maintenance windows are set and do not overlap.",
    why="AWS picks a random time otherwise, and a maintenance that meets the backup delays or breaks it.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CM-3",),
    remedy="Set backup_window and maintenance_window (UTC), each 30 minutes or more, apart from each other.",
    types=_INSTANCES,
    check=_windows_set,
)

MULTI_AZ = ResourceRule(
    id="rds-multi-az-prod",
    sentence="004_5ca73e3508d74ec8.txt Monthly Checklist: Review and test disaster recovery procedures",
    title="The database of prod survives the loss of a zone.",
    why="Without a standby the loss of a zone, or of a host, takes the platform down until a restore is done.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("CIS 5.0 2.2.4", "CIS 7.0 3.2.4", "FSBP RDS.5", "NIST CP-10"),
    remedy="Set multi_az=True (database.multi_az).",
    types=_INSTANCES,
    check=_multi_az,
)

DELETION_GUARD = ResourceRule(
    id="rds-deletion-guard",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Data restoration procedures",
    title="The database is not deleted by accident, and what is deleted can be restored.",
    why="One wrong destroy would take the data and every automated backup of it.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP RDS.8", "NIST CP-9"),
    remedy="Set deletion_protection=True, skip_final_snapshot=False, final_snapshot_identifier and "
    "delete_automated_backups=False.",
    types=_INSTANCES,
    check=_deletion_guard,
)

MANAGED_PASSWORD = ResourceRule(
    id="rds-managed-password",
    sentence="004_5ca73e3508d74ec8.txt Monthly Operations: Rotate database credentials and API keys",
    title="RDS manages the database's password; none is a property.",
    why="A password in a property is in the state, in every plan and in everybody's shell history, and stays the same.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("NIST IA-5",),
    remedy="Set manage_master_user_password=True (or the write-only password_wo) and remove password.",
    types=_INSTANCES,
    check=_managed_password,
)

IAM_AUTH = ResourceRule(
    id="rds-iam-auth",
    sentence="002_3d1abe7e242e6afd.txt §2: IAM role assignments and rotations",
    title="The database takes IAM authentication.",
    why="Tokens of 15 minutes replace passwords that people share.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP RDS.10",),
    remedy="Set iam_database_authentication_enabled=True.",
    types=_INSTANCES,
    check=_iam_auth,
)

MINOR_UPGRADES = ResourceRule(
    id="rds-minor-upgrades",
    sentence="001_62c8c82a6a764433.txt §3: Database server",
    title="The database takes minor upgrades by itself.",
    why="Minor versions are PostgreSQL's security fixes.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("CIS 5.0 2.2.2", "CIS 7.0 3.2.2", "FSBP RDS.13", "NIST SI-2"),
    remedy="Leave auto_minor_version_upgrade unset or True.",
    types=_INSTANCES,
    check=_minor_upgrades,
)

INSIGHTS = ResourceRule(
    id="rds-insights",
    sentence="000_b5883a9168e66709.txt §2: Monitor RDS performance insights for database performance.",
    title="Performance Insights is on and keeps what its mode needs.",
    why="Without it nobody can say which statement made the database slow.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AU-6",),
    remedy="Set performance_insights_enabled=True; with database_insights_mode advanced keep 465 days.",
    types=_INSTANCES,
    check=_insights,
)

ENHANCED_MONITORING = ResourceRule(
    id="rds-enhanced-monitoring",
    sentence="000_b5883a9168e66709.txt §7: Check RDS performance insights for database performance issues.",
    title="Enhanced monitoring reports the database's operating system.",
    why="CloudWatch alone does not show which process takes the memory or waits for the disk.",
    severity=Severity.LOW,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP RDS.6",),
    remedy="Set monitoring_interval to 60 or less, with a monitoring role.",
    types=_INSTANCES,
    check=_enhanced_monitoring,
)

LOG_EXPORTED = ResourceRule(
    id="rds-log-exports",
    sentence="004_5ca73e3508d74ec8.txt Database Maintenance: Review slow query logs",
    title="The database's logs go to CloudWatch.",
    why="RDS keeps its own log files for a few days and loses them with the instance.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP RDS.9", "FSBP RDS.36", "NIST AU-12"),
    remedy='Set enabled_cloudwatch_logs_exports=["postgresql", "upgrade"].',
    types=_INSTANCES,
    check=_log_exports,
)

FORCE_SSL = StackRule(
    id="rds-force-ssl",
    sentence="004_5ca73e3508d74ec8.txt Database Maintenance: Review slow query logs",
    title="The parameter group demands TLS and logs slow queries.",
    why="The default group cannot be changed, takes connections in the clear on older versions and logs no query.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP RDS.38", "NIST SC-8"),
    remedy="Give the instance a parameter group with rds.force_ssl=1 and log_min_duration_statement in milliseconds.",
    types=frozenset({INSTANCE, PARAMETER_GROUP}),
    check=_force_ssl,
)

STORAGE_HEADROOM = ResourceRule(
    id="rds-storage-headroom",
    sentence="004_5ca73e3508d74ec8.txt Key Metrics to Monitor: Scale up storage",
    title="The database's storage grows by itself, to 1.2 times its size at least.",
    why="A database with a full disk stops.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CP-2",),
    remedy="Set max_allocated_storage (database.max_storage_gib) well above allocated_storage.",
    types=_INSTANCES,
    check=_storage_headroom,
)

NO_IMMEDIATE = ResourceRule(
    id="rds-no-immediate-in-prod",
    sentence="002_3d1abe7e242e6afd.txt §10: Implementation windows",
    title="Changes of prod's database wait for the maintenance window.",
    why="A change of the class or of a static parameter restarts the database at once.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST CM-3",),
    remedy="Leave apply_immediately unset in prod.",
    types=_INSTANCES,
    check=_no_immediate,
)

COPY_TAGS = ResourceRule(
    id="rds-copy-tags",
    sentence="002_3d1abe7e242e6afd.txt §3.2: Backup schedule and retention policies",
    title="Snapshots of the database carry its tags.",
    why="A snapshot without an owner or a backup class is neither found nor ever deleted.",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    controls=("FSBP RDS.17",),
    remedy="Set copy_tags_to_snapshot=True.",
    types=_INSTANCES,
    check=_copy_tags,
)

NAME_AND_PORT = ResourceRule(
    id="rds-admin-name-and-port",
    sentence="002_3d1abe7e242e6afd.txt §7.4: Connection information",
    title="The database's administrator and port are not the ones that are tried first.",
    why="Both are half of what an attacker has to guess.",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    controls=("FSBP RDS.25", "FSBP RDS.23"),
    remedy="Set a username of the platform's own and a port other than 5432 (database.username, database.port).",
    types=_INSTANCES,
    check=_name_and_port,
)

EVENTS_TOLD = StackRule(
    id="rds-event-subscription",
    sentence="001_62c8c82a6a764433.txt §1: The operations team will set up alerts to notify them of any problems.",
    title="Somebody hears of the database's failures and recoveries, of maintenance, low storage and changes.",
    why="RDS reports these as events only; no metric shows them.",
    severity=Severity.LOW,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP RDS.20",),
    remedy=f"Declare aws.rds.EventSubscription for the instance with {', '.join(EVENTS)}.",
    types=frozenset({INSTANCE, EVENT_SUBSCRIPTION}),
    check=_event_subscription,
)

RULES: tuple[Rule, ...] = (
    NOT_PUBLIC,
    ENCRYPTED,
    ENGINE,
    RETENTION,
    WINDOWS_SET,
    MULTI_AZ,
    DELETION_GUARD,
    MANAGED_PASSWORD,
    IAM_AUTH,
    MINOR_UPGRADES,
    INSIGHTS,
    ENHANCED_MONITORING,
    LOG_EXPORTED,
    FORCE_SSL,
    STORAGE_HEADROOM,
    NO_IMMEDIATE,
    COPY_TAGS,
    NAME_AND_PORT,
    EVENTS_TOLD,
)
