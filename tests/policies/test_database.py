"""The rules for the database: one change of a compliant bag breaks one rule, in one sentence."""

from __future__ import annotations

import pytest

from policies.rulebook import database
from policies.rulebook.resource import SECRET, Context
from policies.rulebook.rule import Level, ResourceRule, Severity

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

INSTANCE = "aws:rds/instance:Instance"

BAG = {
    "engine": "postgres",
    "engineVersion": "17",
    "engineLifecycleSupport": "open-source-rds-extended-support-disabled",
    "storageEncrypted": True,
    "backupRetentionPeriod": 28,
    "backupWindow": "03:00-04:00",
    "maintenanceWindow": "sun:05:00-sun:06:00",
    "multiAz": True,
    "deletionProtection": True,
    "skipFinalSnapshot": False,
    "finalSnapshotIdentifier": "platform-final",
    "deleteAutomatedBackups": False,
    "manageMasterUserPassword": True,
    "iamDatabaseAuthenticationEnabled": True,
    "performanceInsightsEnabled": True,
    "performanceInsightsRetentionPeriod": 7,
    "databaseInsightsMode": "standard",
    "monitoringInterval": 60,
    "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
    "allocatedStorage": 20,
    "maxAllocatedStorage": 100,
    "copyTagsToSnapshot": True,
    "username": "platform_admin",
    "port": 5433,
    "publiclyAccessible": False,
    "autoMinorVersionUpgrade": True,
    "applyImmediately": False,
    "parameterGroupName": "platform",
}

NO_ENCRYPTION = {"rds-encrypted": "The database's storage is not encrypted."}
NO_AUTH = {"rds-iam-auth": "The database does not take IAM authentication."}
NO_INSIGHTS = {"rds-insights": "Performance Insights is off."}
NO_MONITORING = {"rds-enhanced-monitoring": "Enhanced monitoring is off."}
NO_GROWTH = {"rds-storage-headroom": "The database's storage does not grow by itself: maxAllocatedStorage is not set."}
NO_SNAPSHOT = {"rds-deletion-guard": "The database would be deleted without a final snapshot."}
UNNAMED_SNAPSHOT = {"rds-deletion-guard": "The database's final snapshot has no name, so that no destroy can make it."}
NO_BACKUPS = {"rds-deletion-guard": "The database's automated backups would be deleted with it."}
UNPROTECTED = {"rds-deletion-guard": "The database can be deleted: deletion protection is off."}
UNMANAGED = {"rds-managed-password": "RDS does not manage the database's password."}
NO_UPGRADES = {"rds-minor-upgrades": "The database does not take minor upgrades by itself."}
AT_ONCE = {"rds-no-immediate-in-prod": "Changes of the database do not wait for the maintenance window."}
ONE_ZONE = {"rds-multi-az-prod": "The database stands in one zone only."}
NO_TAGS = {"rds-copy-tags": "The database's snapshots do not get its tags."}
PUBLIC = {"rds-not-public": "The database has a public address."}


def retained(sentence):
    return {"rds-backup-retention-28": sentence}


def kept(days):
    return retained(f"The database's backups are kept {days} days; 28 are demanded.")


def versioned(sentence):
    return {"rds-engine-postgres": sentence}


def unsupported(version):
    said = f"The database runs PostgreSQL {version}, which is not in support; 14, 15, 16, 17 and 18 are."
    return versioned(said)


def extended(support):
    said = f"Extended support is billed by the hour once the version is out of support: it is {support}."
    return versioned(said)


def windowed(sentence):
    return {"rds-windows-set": sentence}


def named(sentence):
    return {"rds-admin-name-and-port": sentence}


#: property, value, what it says
CHANGES = [
    ("publiclyAccessible", ABSENT, {}),
    ("publiclyAccessible", "false", {}),
    ("publiclyAccessible", True, PUBLIC),
    ("publiclyAccessible", "true", PUBLIC),
    ("publiclyAccessible", "odd", PUBLIC),
    ("storageEncrypted", "true", {}),
    ("storageEncrypted", ABSENT, NO_ENCRYPTION),
    ("storageEncrypted", False, NO_ENCRYPTION),
    ("storageEncrypted", "false", NO_ENCRYPTION),
    ("storageEncrypted", 1, NO_ENCRYPTION),
    ("allocatedStorage", ABSENT, {}),
    ("engineVersion", "17.4", {}),
    ("engineVersion", 16, {}),
    ("engineVersion", "12.9", unsupported("12.9")),
    ("engineVersion", "latest", unsupported("latest")),
    ("engineVersion", ABSENT, versioned("The database names no engine version, so AWS picks one.")),
    ("engineLifecycleSupport", ABSENT, extended("unset")),
    ("engineLifecycleSupport", "open-source-rds-extended-support", extended("open-source-rds-extended-support")),
    ("engine", "mysql", versioned("The database's engine is mysql; postgres is demanded.")),
    ("engine", ABSENT, versioned("The database's engine is unset; postgres is demanded.")),
    ("backupRetentionPeriod", 35, {}),
    ("backupRetentionPeriod", "28", {}),
    ("backupRetentionPeriod", 27, kept(27)),
    ("backupRetentionPeriod", 0, kept(0)),
    ("backupRetentionPeriod", "odd", kept("odd")),
    ("backupRetentionPeriod", True, kept("true")),
    ("backupRetentionPeriod", "nan", kept("nan")),
    (
        "backupRetentionPeriod",
        36,
        retained("The database's backups are to be kept 36 days; RDS keeps at most 35."),
    ),
    (
        "backupRetentionPeriod",
        ABSENT,
        retained("The database says not how long its backups are kept, which is a day or none; 28 days are demanded."),
    ),
    ("backupWindow", ABSENT, windowed("The database has no backup window, so AWS picks one.")),
    ("maintenanceWindow", ABSENT, windowed("The database has no maintenance window, so AWS picks one.")),
    (
        "backupWindow",
        "3:00-4:00",
        windowed("The database's backup window 3:00-4:00 is none that RDS reads; one is 03:00-04:00."),
    ),
    (
        "maintenanceWindow",
        "sunday:05:00-sunday:06:00",
        windowed(
            "The database's maintenance window sunday:05:00-sunday:06:00 is none that RDS reads; one is "
            "sun:05:00-sun:06:00."
        ),
    ),
    (
        "backupWindow",
        "03:00-03:29",
        windowed("The database's backup window takes 29 minutes; RDS wants 30 at least."),
    ),
    (
        "maintenanceWindow",
        "sun:05:00-sun:05:15",
        windowed("The database's maintenance window takes 15 minutes; RDS wants 30 at least."),
    ),
    ("backupWindow", "03:00-03:30", {}),
    ("maintenanceWindow", "sun:05:00-sun:05:30", {}),
    ("maintenanceWindow", "Sun:04:00-Sun:05:00", {}),
    (
        "maintenanceWindow",
        "sun:03:59-sun:05:00",
        windowed("The backup window 03:00-04:00 and the maintenance window sun:03:59-sun:05:00 overlap."),
    ),
    (
        "maintenanceWindow",
        "sun:23:00-mon:03:01",
        windowed("The backup window 03:00-04:00 and the maintenance window sun:23:00-mon:03:01 overlap."),
    ),
    ("multiAz", ABSENT, ONE_ZONE),
    ("multiAz", False, ONE_ZONE),
    ("deletionProtection", ABSENT, UNPROTECTED),
    ("deletionProtection", False, UNPROTECTED),
    ("skipFinalSnapshot", ABSENT, {}),
    ("finalSnapshotIdentifier", ABSENT, UNNAMED_SNAPSHOT),
    ("finalSnapshotIdentifier", "", UNNAMED_SNAPSHOT),
    ("skipFinalSnapshot", True, NO_SNAPSHOT),
    ("skipFinalSnapshot", "odd", NO_SNAPSHOT),
    ("deleteAutomatedBackups", ABSENT, NO_BACKUPS),
    ("deleteAutomatedBackups", True, NO_BACKUPS),
    ("manageMasterUserPassword", ABSENT, UNMANAGED),
    ("manageMasterUserPassword", False, UNMANAGED),
    (
        "password",
        SECRET,
        {"rds-managed-password": "The database's password is a plain property, so it is in the state."},
    ),
    ("iamDatabaseAuthenticationEnabled", ABSENT, NO_AUTH),
    ("iamDatabaseAuthenticationEnabled", False, NO_AUTH),
    ("autoMinorVersionUpgrade", ABSENT, {}),
    ("autoMinorVersionUpgrade", False, NO_UPGRADES),
    ("autoMinorVersionUpgrade", "odd", NO_UPGRADES),
    ("performanceInsightsEnabled", ABSENT, NO_INSIGHTS),
    ("performanceInsightsEnabled", False, NO_INSIGHTS),
    ("performanceInsightsRetentionPeriod", ABSENT, {}),
    (
        "performanceInsightsRetentionPeriod",
        1,
        {"rds-insights": "Performance Insights keeps 1 days; 7 are demanded."},
    ),
    (
        "databaseInsightsMode",
        "advanced",
        {"rds-insights": "Performance Insights keeps 7 days; 465 are demanded."},
    ),
    (
        "databaseInsightsMode",
        "deep",
        {"rds-insights": "The mode of Database Insights is deep; standard and advanced are known."},
    ),
    ("databaseInsightsMode", ABSENT, {}),
    ("monitoringInterval", ABSENT, NO_MONITORING),
    ("monitoringInterval", 0, NO_MONITORING),
    ("monitoringInterval", "odd", NO_MONITORING),
    ("monitoringInterval", 15, {}),
    (
        "monitoringInterval",
        150,
        {
            "rds-enhanced-monitoring": (
                "Enhanced monitoring reports every 150 seconds; RDS takes 1, 5, 10, 15, 30 and 60."
            )
        },
    ),
    (
        "enabledCloudwatchLogsExports",
        ABSENT,
        {"rds-log-exports": "The database does not export its logs to CloudWatch: postgresql and upgrade."},
    ),
    (
        "enabledCloudwatchLogsExports",
        [],
        {"rds-log-exports": "The database does not export its logs to CloudWatch: postgresql and upgrade."},
    ),
    (
        "enabledCloudwatchLogsExports",
        ["postgresql"],
        {"rds-log-exports": "The database does not export its logs to CloudWatch: upgrade."},
    ),
    ("maxAllocatedStorage", 24, {}),
    ("maxAllocatedStorage", ABSENT, NO_GROWTH),
    ("maxAllocatedStorage", 0, NO_GROWTH),
    (
        "maxAllocatedStorage",
        23,
        {"rds-storage-headroom": "The database's storage may grow from 20 to 23 GiB; 1.2 times is demanded."},
    ),
    ("applyImmediately", ABSENT, {}),
    ("applyImmediately", True, AT_ONCE),
    ("applyImmediately", "odd", AT_ONCE),
    ("copyTagsToSnapshot", ABSENT, NO_TAGS),
    ("copyTagsToSnapshot", False, NO_TAGS),
    ("username", SECRET, {}),
    ("username", "Postgres", named("The database's administrator is called Postgres, the name that is tried first.")),
    ("username", ABSENT, named("The database names no administrator.")),
    ("port", 5432, named("The database listens on port 5432, the port that is tried first.")),
    ("port", ABSENT, named("The database listens on port 5432, the port that is tried first.")),
]

READS = [
    ("rds-not-public", "publiclyAccessible"),
    ("rds-encrypted", "storageEncrypted"),
    ("rds-engine-postgres", "engine"),
    ("rds-engine-postgres", "engineVersion"),
    ("rds-backup-retention-28", "backupRetentionPeriod"),
    ("rds-windows-set", "backupWindow"),
    ("rds-windows-set", "maintenanceWindow"),
    ("rds-multi-az-prod", "multiAz"),
    ("rds-deletion-guard", "deletionProtection"),
    ("rds-deletion-guard", "skipFinalSnapshot"),
    ("rds-deletion-guard", "deleteAutomatedBackups"),
    ("rds-managed-password", "manageMasterUserPassword"),
    ("rds-managed-password", "password"),
    ("rds-iam-auth", "iamDatabaseAuthenticationEnabled"),
    ("rds-minor-upgrades", "autoMinorVersionUpgrade"),
    ("rds-insights", "performanceInsightsEnabled"),
    ("rds-insights", "databaseInsightsMode"),
    ("rds-insights", "performanceInsightsRetentionPeriod"),
    ("rds-enhanced-monitoring", "monitoringInterval"),
    ("rds-engine-postgres", "engineLifecycleSupport"),
    ("rds-deletion-guard", "finalSnapshotIdentifier"),
    ("rds-log-exports", "enabledCloudwatchLogsExports"),
    ("rds-storage-headroom", "maxAllocatedStorage"),
    ("rds-storage-headroom", "allocatedStorage"),
    ("rds-no-immediate-in-prod", "applyImmediately"),
    ("rds-copy-tags", "copyTagsToSnapshot"),
    ("rds-admin-name-and-port", "username"),
    ("rds-admin-name-and-port", "port"),
]

RULES = {rule.id: rule for rule in database.RULES}
STAGING, DEV = Context(environment="staging"), Context(environment="dev")


def broken(bag, context=None):
    """id -> sentences of every resource rule of the section that a database of ``bag`` breaks."""
    judged = resource(INSTANCE, "it", bag)
    applying = [rule for rule in database.RULES if isinstance(rule, ResourceRule)]
    return {rule.id: said for rule in applying if (said := faults(rule, judged, context))}


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in database.RULES] == [
        ("rds-not-public", Severity.CRITICAL, Level.MANDATORY),
        ("rds-encrypted", Severity.CRITICAL, Level.MANDATORY),
        ("rds-engine-postgres", Severity.MEDIUM, Level.MANDATORY),
        ("rds-backup-retention-28", Severity.HIGH, Level.MANDATORY),
        ("rds-windows-set", Severity.MEDIUM, Level.MANDATORY),
        ("rds-multi-az-prod", Severity.HIGH, Level.MANDATORY_IN_PROD),
        ("rds-deletion-guard", Severity.HIGH, Level.MANDATORY_IN_PROD),
        ("rds-managed-password", Severity.CRITICAL, Level.MANDATORY),
        ("rds-iam-auth", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
        ("rds-minor-upgrades", Severity.MEDIUM, Level.MANDATORY),
        ("rds-insights", Severity.MEDIUM, Level.MANDATORY),
        ("rds-enhanced-monitoring", Severity.LOW, Level.MANDATORY_IN_PROD),
        ("rds-log-exports", Severity.MEDIUM, Level.MANDATORY),
        ("rds-force-ssl", Severity.HIGH, Level.MANDATORY),
        ("rds-storage-headroom", Severity.MEDIUM, Level.MANDATORY),
        ("rds-no-immediate-in-prod", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
        ("rds-copy-tags", Severity.LOW, Level.ADVISORY),
        ("rds-admin-name-and-port", Severity.LOW, Level.ADVISORY),
        ("rds-event-subscription", Severity.LOW, Level.MANDATORY_IN_PROD),
    ]


def test_a_compliant_database_breaks_no_rule():
    assert broken(BAG) == {}


@pytest.mark.parametrize(("prop", "value", "said"), CHANGES)
def test_one_change_breaks_one_rule(prop, value, said):
    changed = dict(BAG) if value is ABSENT and prop not in BAG else altered(BAG, prop, to=value)
    assert broken(changed) == {rule: [sentence] for rule, sentence in said.items()}


@pytest.mark.parametrize(("rule", "prop"), READS)
def test_an_unknown_value_is_not_judged(rule, prop):
    with pytest.raises(UnknownValueError):
        faults(RULES[rule], resource(INSTANCE, "it", altered(BAG, prop, to=UNKNOWN)))


@pytest.mark.parametrize("context", [STAGING, DEV])
def test_other_environments_keep_seven_days_in_one_zone_and_change_at_once(context):
    relaxed = altered(BAG, backupRetentionPeriod=7, multiAz=False, applyImmediately=True)
    assert broken(relaxed, context) == {}


def test_six_days_are_too_few_anywhere():
    said = ["The database's backups are kept 6 days; 7 are demanded."]
    assert broken(altered(BAG, backupRetentionPeriod=6), STAGING) == {"rds-backup-retention-28": said}


def test_only_a_development_stack_may_be_thrown_away():
    assert broken(altered(BAG, deletionProtection=False), DEV) == {}
    assert set(broken(altered(BAG, deletionProtection=False), STAGING)) == {"rds-deletion-guard"}
    gone = altered(BAG, deletionProtection=False, skipFinalSnapshot=True)
    assert broken(gone, DEV) == {rule: [said] for rule, said in NO_SNAPSHOT.items()}


def test_advanced_insights_keep_fifteen_months():
    kept_ = {"databaseInsightsMode": "advanced", "performanceInsightsRetentionPeriod": 465}
    assert broken(altered(BAG, **kept_)) == {}
    unset = altered(BAG, databaseInsightsMode="advanced", performanceInsightsRetentionPeriod=ABSENT)
    said = ["Performance Insights keeps 7 (unset) days; 465 are demanded."]
    assert broken(unset) == {"rds-insights": said}


def test_a_write_only_password_does_as_well():
    assert broken(altered(BAG, manageMasterUserPassword=ABSENT, passwordWo=SECRET)) == {}


def test_a_managed_password_beside_a_plain_one_is_still_a_fault():
    assert set(broken(altered(BAG, password="x"))) == {"rds-managed-password"}


FROM_SOURCE = ("engine", "engineVersion", "username", "manageMasterUserPassword", "backupRetentionPeriod")


def test_a_replica_has_engine_credentials_and_encryption_from_its_source():
    replica = {key: value for key, value in BAG.items() if key not in (*FROM_SOURCE, "storageEncrypted")}
    assert broken({**replica, "replicateSourceDb": "primary", "kmsKeyId": "arn:aws:kms:…"}) == {}
    assert broken({**replica, "replicateSourceDb": "primary"}) == {
        "rds-encrypted": ["The database's storage is not encrypted."]
    }


def test_a_key_alone_encrypts_no_database_that_is_not_a_replica():
    changed = altered(BAG, storageEncrypted=ABSENT, kmsKeyId="arn:aws:kms:…")
    assert broken(changed) == {"rds-encrypted": ["The database's storage is not encrypted."]}


@pytest.mark.parametrize(
    "source", [{"snapshotIdentifier": "rds:platform"}, {"restoreToPointInTime": {"useLatestRestorableTime": True}}]
)
def test_a_restored_database_has_its_engine_from_what_it_was(source):
    restored = {key: value for key, value in BAG.items() if key not in ("engine", "engineVersion", "username")}
    assert broken({**restored, **source}) == {}
    assert broken({**restored, **source, "engine": "mysql"}) == {
        "rds-engine-postgres": ["The database's engine is mysql; postgres is demanded."]
    }


GROUP_BAG = {
    "parameters": [
        {"name": "rds.force_ssl", "value": "1", "applyMethod": "pending-reboot"},
        {"name": "log_min_duration_statement", "value": "1000", "applyMethod": "immediate"},
        {"name": "shared_preload_libraries", "value": "pg_stat_statements", "applyMethod": "pending-reboot"},
    ]
}
STACK = {
    "parameters": ("aws:rds/parameterGroup:ParameterGroup", GROUP_BAG),
    "database": (
        INSTANCE,
        {**BAG, "identifier": "platform-prod-db", "parameterGroupName": Ref("parameters", "name")},
    ),
    "events": (
        "aws:rds/eventSubscription:EventSubscription",
        {
            "snsTopic": "arn:aws:sns:…",
            "sourceType": "db-instance",
            "sourceIds": [Ref("database", "identifier")],
            "eventCategories": list(database.EVENTS),
        },
    ),
}

STACK_RULES = ("rds-force-ssl", "rds-event-subscription")


def said_of(*changes, **options):
    resources = declared(STACK, *changes, **options)
    return {rule: said for rule in STACK_RULES if (said := stack_faults(RULES[rule], *resources))}


def group_fault(*sentences):
    return {"rds-force-ssl": [(sentence, "parameters") for sentence in sentences]}


def silent(events):
    return {"rds-event-subscription": [(f"No event subscription tells of this database's {events}.", "database")]}


ALL_SILENT = silent(
    "availability, configuration change, deletion, failover, failure, low storage, maintenance, notification and "
    "recovery"
)


@pytest.mark.parametrize("preview", [False, True])
def test_a_whole_stack_breaks_no_rule(preview):
    assert said_of(preview=preview) == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("parameters", ("parameters", 0, "value"), "0"),
            group_fault("The parameter group takes connections without TLS: rds.force_ssl is 0."),
        ),
        (("parameters", ("parameters", 0, "value"), 1), {}),
        (
            ("parameters", ("parameters", 0, "name"), "ssl"),
            group_fault("The parameter group takes connections without TLS: rds.force_ssl is unset."),
        ),
        (
            ("parameters", ("parameters", 1, "value"), "-1"),
            group_fault("The parameter group logs no slow query: log_min_duration_statement is -1."),
        ),
        (("parameters", ("parameters", 1, "value"), "0"), {}),
        (
            ("parameters", ("parameters", 2, "applyMethod"), "immediate"),
            group_fault(
                "The parameter shared_preload_libraries is read at start only; RDS refuses to apply it immediate."
            ),
        ),
        (
            ("parameters", ("parameters", 2, "applyMethod"), ABSENT),
            group_fault(
                "The parameter shared_preload_libraries is read at start only; RDS refuses to apply it immediate."
            ),
        ),
        (
            ("parameters", ("parameters",), ABSENT),
            group_fault(
                "The parameter group takes connections without TLS: rds.force_ssl is unset.",
                "The parameter group logs no slow query: log_min_duration_statement is unset.",
            ),
        ),
        (
            (
                "parameters",
                ("parameters",),
                [*GROUP_BAG["parameters"], {"name": "rds.force_ssl", "value": "0", "applyMethod": "immediate"}],
            ),
            group_fault("The parameter group takes connections without TLS: rds.force_ssl is 1 and 0."),
        ),
        (
            ("database", ("parameterGroupName",), "default.postgres17"),
            {
                "rds-force-ssl": [
                    (
                        "The database uses the parameter group default.postgres17, which the stack does not declare.",
                        "database",
                    )
                ]
            },
        ),
        (
            ("database", ("parameterGroupName",), ABSENT),
            {
                "rds-force-ssl": [
                    ("The database uses the default parameter group, which the stack does not declare.", "database")
                ]
            },
        ),
        (("events", ("enabled",), True), {}),
        (("events", ("enabled",), False), ALL_SILENT),
        (("events", ("sourceType",), "db-cluster"), ALL_SILENT),
        (("events", ("sourceType",), ABSENT), {}),
        (("events", ("sourceIds",), ["another"]), ALL_SILENT),
        (("events", ("sourceIds",), ABSENT), {}),
        (("events", ("sourceIds",), ["another", "platform-prod-db"]), {}),
        (("events", ("eventCategories",), ABSENT), {}),
        (
            ("events", ("eventCategories",), [one for one in database.EVENTS if one not in ("deletion", "failover")]),
            silent("deletion and failover"),
        ),
        (("events", ("eventCategories",), []), {}),
    ],
)
def test_one_change_breaks_one_rule_of_the_stack(change, said):
    assert said_of(change) == said


def test_a_stack_without_a_subscription_is_told_so():
    assert said_of(without=["events"]) == ALL_SILENT


def test_a_database_that_aws_names_is_known_by_the_dependency():
    unnamed = {**STACK, "database": (INSTANCE, {**BAG, "parameterGroupName": Ref("parameters", "name")})}
    resources = declared(unnamed, ("database", ("identifier",), UNKNOWN), preview=True)
    assert stack_faults(RULES["rds-event-subscription"], *resources) == []


def test_two_subscriptions_together_may_tell_everything():
    token, props = STACK["events"]
    more = {"more": (token, {**props, "eventCategories": list(database.EVENTS[:4])})}
    assert said_of(("events", ("eventCategories",), list(database.EVENTS[4:])), extra=more) == {}


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("rds-force-ssl", ("parameters", ("parameters", 0, "value"), UNKNOWN)),
        ("rds-force-ssl", ("parameters", ("parameters",), UNKNOWN)),
        ("rds-event-subscription", ("events", ("eventCategories",), UNKNOWN)),
        ("rds-event-subscription", ("events", ("enabled",), UNKNOWN)),
    ],
)
def test_an_unknown_value_of_the_stack_is_not_judged(rule, change):
    said, _ = not_evaluated(RULES[rule], *declared(STACK, change))
    assert said == []


def test_an_unknown_parameter_hides_no_other_database():
    other = {"second": (INSTANCE, {"parameterGroupName": "default.postgres17"})}
    resources = declared(STACK, ("parameters", ("parameters", 0, "value"), UNKNOWN), extra=other)
    said, _ = not_evaluated(RULES["rds-force-ssl"], *resources)
    assert [name for _, name in said] == ["second"]
