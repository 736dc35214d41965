"""The rules on the terms of backups and of their tests."""

import pytest

from policies.rulebook.backup_terms import BOUNDED, ONE_OWNER, RULES, SCOPED, TAGGED, TIMELY
from policies.rulebook.resource import Context
from tests.policies.bags import ABSENT, UNKNOWN, altered, faults, not_evaluated, resource, stack_faults
from tests.policies.declared import Ref, declared

PROD = Context(environment="prod", regions=("eu-west-1", "eu-central-1"))
DEV = Context(environment="dev", regions=("eu-west-1", "eu-central-1"))
TAGS = {"Backup": "weekly", "Environment": "prod", "Project": "platform"}
CONDITIONS = [{"key": f"aws:ResourceTag/{key}", "value": value} for key, value in TAGS.items()]

SYSTEM = {
    "plan": (
        "aws:backup/plan:Plan",
        {
            "rules": [
                {
                    "ruleName": "weekly",
                    "schedule": "cron(0 2 ? * SUN *)",
                    "startWindow": 60,
                    "completionWindow": 480,
                    "recoveryPointTags": TAGS,
                }
            ]
        },
    ),
    "selection": (
        "aws:backup/selection:Selection",
        {"planId": Ref("plan"), "resources": ["*"], "conditions": [{"stringEquals": CONDITIONS}]},
    ),
    "database": (
        "aws:rds/instance:Instance",
        {
            "tags": {**TAGS, "Owner": "us"},
            "backupWindow": "06:00-07:00",
            "maintenanceWindow": "sun:08:00-sun:09:00",
            "backupRetentionPeriod": 28,
        },
    ),
    "tests": ("aws:backup/restoreTestingPlan:RestoreTestingPlan", {"name": "tests"}),
    "tested": (
        "aws:backup/restoreTestingSelection:RestoreTestingSelection",
        {
            "restoreTestingPlanName": Ref("tests", "name"),
            "protectedResourceType": "RDS",
            "protectedResourceConditions": {"stringEquals": CONDITIONS},
        },
    ),
}
STACK_RULES = {"backup-begins-apart": TIMELY, "backup-one-owner": ONE_OWNER, "backup-selection-scoped": SCOPED}


def said(rule, *changes, **options):
    return stack_faults(rule, *declared(SYSTEM, *changes, **options), context=PROD)


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == [
        "backup-begins-apart",
        "backup-one-owner",
        "backup-selection-scoped",
        "backup-bounds",
        "backup-points-tagged",
    ]


@pytest.mark.parametrize("preview", [False, True], ids=["known", "in a real preview"])
@pytest.mark.parametrize("rule", STACK_RULES.values(), ids=STACK_RULES)
def test_a_whole_system_passes(rule, preview):
    assert said(rule, preview=preview) == []


def meets(begin, end, window):
    return (
        f"The plan's rule weekly may begin between {begin} and {end} UTC, in the {window} window of database or the "
        "hour before, when RDS refuses it."
    )


@pytest.mark.parametrize(
    ("key", "value", "sentences"),
    [
        ("startWindow", 180, []),
        ("startWindow", 181, [meets("Sun 02:00", "Sun 05:01", "backup")]),
        ("startWindow", 30, ["The plan's rule weekly gives its backup 30 minutes to begin; AWS takes 60 at least."]),
        (
            "startWindow",
            ABSENT,
            [meets("Sun 02:00", "Sun 10:00", "backup"), meets("Sun 02:00", "Sun 10:00", "maintenance")],
        ),
        ("completionWindow", 1380, []),
        (
            "completionWindow",
            1381,
            ["Whether the plan's rule weekly has failed is known after 24.02 hours only; within a day is demanded."],
        ),
        (
            "completionWindow",
            ABSENT,
            ["Whether the plan's rule weekly has failed is known after 169 hours only; within a day is demanded."],
        ),
        ("schedule", "cron(0 7 ? * MON *)", []),
        ("schedule", "cron(0 7 ? * * *)", [meets("Sun 07:00", "Sun 08:00", "maintenance")]),
        ("schedule", "cron(30 6 ? * MON *)", [meets("Mon 06:30", "Mon 07:30", "backup")]),
        ("schedule", "rate(1 day)", []),
        ("scheduleExpressionTimezone", "Etc/UTC", []),
        (
            "scheduleExpressionTimezone",
            "Europe/Berlin",
            ["The plan's rule weekly runs by the clock of Europe/Berlin; windows of databases are in UTC."],
        ),
    ],
)
def test_a_backup_begins_apart_from_the_database_s_windows(key, value, sentences):
    path = ("rules", 0) if value is ABSENT else ("rules", 0, key)
    rule = SYSTEM["plan"][1]["rules"][0]
    change = ("plan", path, {name: rule[name] for name in rule if name != key} if value is ABSENT else value)
    assert said(TIMELY, change) == [(sentence, "plan") for sentence in sentences]


def test_a_database_that_no_plan_takes_may_have_any_window():
    late = ("plan", ("rules", 0, "startWindow"), 600)
    assert said(TIMELY, late, ("database", ("tags", "Backup"), "none")) == []
    assert said(TIMELY, late, without=["database"]) == []


@pytest.mark.parametrize(
    "change",
    [
        ("plan", ("rules", 0, "startWindow"), UNKNOWN),
        ("plan", ("rules", 0, "schedule"), UNKNOWN),
        ("database", ("backupWindow",), UNKNOWN),
    ],
)
def test_an_unknown_time_is_not_judged(change):
    assert not_evaluated(TIMELY, *declared(SYSTEM, change), context=PROD)[0] == []


CONTINUOUS = ("plan", ("rules", 0, "enableContinuousBackup"))
TWO_OWNERS = (
    "The plan's rule weekly is continuous, so AWS Backup sets how database is backed up; backupRetentionPeriod and "
    "backupWindow of the database say otherwise."
)


def test_a_database_s_logs_have_one_owner():
    assert said(ONE_OWNER, (*CONTINUOUS, False)) == []
    assert said(ONE_OWNER, (*CONTINUOUS, True)) == [(TWO_OWNERS, "plan")]
    assert said(ONE_OWNER, (*CONTINUOUS, True), ("database", ("tags", "Backup"), "none")) == []
    unset = [("database", (prop,), ABSENT) for prop in ("backupWindow", "backupRetentionPeriod")]
    assert said(ONE_OWNER, (*CONTINUOUS, True), *unset) == []
    assert not_evaluated(ONE_OWNER, *declared(SYSTEM, (*CONTINUOUS, UNKNOWN)), context=PROD)[0] == []


def test_the_log_of_a_continuous_backup_is_not_copied():
    copy = ("plan", ("rules", 0, "copyActions"), [{"destinationVaultArn": "arn:aws:backup:…"}])
    assert said(ONE_OWNER, (*CONTINUOUS, True), copy, without=["database"]) == [
        ("The plan's rule weekly is continuous; what it copies is a snapshot, not its log.", "plan")
    ]


def strangers(*keys, name="selection"):
    return [(f"The selection takes what is tagged with another {key} too, or with none.", name) for key in keys]


@pytest.mark.parametrize("at", range(3))
def test_a_selection_takes_nothing_of_others(at):
    kept = [one for index, one in enumerate(CONDITIONS) if index != at]
    key = list(TAGS)[at]
    assert said(SCOPED, ("selection", ("conditions", 0, "stringEquals"), kept)) == strangers(key)
    assert said(SCOPED, ("tested", ("protectedResourceConditions", "stringEquals"), kept)) == strangers(
        key, name="tested"
    )


def test_a_selection_without_conditions_takes_everything():
    assert said(SCOPED, ("selection", ("conditions",), ABSENT)) == strangers(*TAGS)
    assert said(SCOPED, ("tested", ("protectedResourceConditions", "stringEquals"), [])) == strangers(
        *TAGS, name="tested"
    )
    one_tag = [{"key": "Backup", "value": "weekly", "type": "STRINGEQUALS"}]
    by_tag = (("selection", ("resources",), []), ("selection", ("selectionTags",), one_tag))
    assert said(SCOPED, *by_tag, ("selection", ("conditions",), ABSENT)) == strangers("Environment", "Project")


def test_a_selection_of_arns_takes_nothing_else():
    own = [Ref("database", "arn")]
    named = (("selection", ("resources",), own), ("selection", ("conditions",), ABSENT))
    assert said(SCOPED, *named) == []
    assert said(SCOPED, ("selection", ("resources",), ["arn:aws:rds:*:*:db:*"]), named[1]) == strangers(*TAGS)


def test_without_a_database_the_plan_s_own_tags_say_what_a_stranger_is():
    tagged = ("plan", ("tags",), TAGS)
    kept = ("selection", ("conditions", 0, "stringEquals"), CONDITIONS[:2])
    assert said(SCOPED, tagged, kept, without=["database"]) == strangers("Project")


def test_an_unknown_condition_is_not_judged():
    change = ("selection", ("conditions", 0, "stringEquals", 2, "value"), UNKNOWN)
    assert not_evaluated(SCOPED, *declared(SYSTEM, change), context=PROD)[0] == []


def bounded(token, bag, context=PROD):
    return faults(BOUNDED, resource(token, "it", bag), context)


VAULT, LOCK = "aws:backup/vault:Vault", "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
TESTS, TESTED = SYSTEM["tests"][0], SYSTEM["tested"][0]
ENDLESS = "The lock sets no longest retention: what somebody puts in for ever can never be deleted."


def test_a_vault_is_not_deleted_with_what_is_in_it():
    gone = ["The vault would be deleted with every backup in it."]
    assert bounded(VAULT, {}) == bounded(VAULT, {"forceDestroy": False}) == []
    assert bounded(VAULT, {"forceDestroy": True}) == bounded(VAULT, {"forceDestroy": "odd"}) == gone
    assert bounded(VAULT, {"forceDestroy": True}, DEV) == []


def test_a_lock_has_a_longest_retention_that_aws_takes():
    assert bounded(LOCK, {"maxRetentionDays": 3653}) == []
    assert bounded(LOCK, {}) == [ENDLESS]
    assert bounded(LOCK, {"maxRetentionDays": 36530}) == [
        "The lock's maxRetentionDays is 36530; AWS takes 36500 at most."
    ]


RECENT = {"recoveryPointSelection": {"selectionWindowDays": 28, "recoveryPointTypes": ["SNAPSHOT"]}}
OLD = "The restore test looks back 32 days, so it passes when this month's backups are missing."
NOTHING = "The restore test takes neither snapshots nor continuous backups."


@pytest.mark.parametrize(
    ("key", "value", "sentences"),
    [
        ("selectionWindowDays", 31, []),
        ("selectionWindowDays", ABSENT, []),
        ("selectionWindowDays", 32, [OLD]),
        ("recoveryPointTypes", ["CONTINUOUS"], []),
        ("recoveryPointTypes", [], [NOTHING]),
        ("recoveryPointTypes", ABSENT, [NOTHING]),
    ],
)
def test_a_restore_test_takes_a_backup_of_this_month(key, value, sentences):
    assert bounded(TESTS, altered(RECENT, "recoveryPointSelection", key, to=value)) == sentences


APART = {
    "protectedResourceType": "RDS",
    "validationWindowHours": 4,
    "restoreMetadataOverrides": {"publiclyAccessible": "false"},
}


@pytest.mark.parametrize(
    ("path", "value", "sentences"),
    [
        (("validationWindowHours",), 24, []),
        (("validationWindowHours",), ABSENT, []),
        (("validationWindowHours",), 25, ["The restored copy stays for 25 hours; it is to be gone within 24."]),
        (("restoreMetadataOverrides",), {"PubliclyAccessible": "false"}, []),
        (
            ("restoreMetadataOverrides",),
            {},
            ["The restored copy may get a public address: publiclyAccessible is unset."],
        ),
        (
            ("restoreMetadataOverrides",),
            ABSENT,
            ["The restored copy may get a public address: publiclyAccessible is unset."],
        ),
        (
            ("restoreMetadataOverrides", "publiclyAccessible"),
            "true",
            ["The restored copy may get a public address: publiclyAccessible is true."],
        ),
        (("protectedResourceType",), "S3", []),
    ],
)
def test_a_restored_copy_is_private_and_soon_gone(path, value, sentences):
    bag = altered(APART, *path, to=value)
    if value == "S3":
        del bag["restoreMetadataOverrides"]
    assert bounded(TESTED, bag) == sentences


@pytest.mark.parametrize(
    ("token", "bag"),
    [
        (VAULT, {"forceDestroy": UNKNOWN}),
        (LOCK, {"maxRetentionDays": UNKNOWN}),
        (TESTS, {"recoveryPointSelection": UNKNOWN}),
        (TESTED, {**APART, "restoreMetadataOverrides": UNKNOWN}),
    ],
)
def test_an_unknown_bound_is_not_judged(token, bag):
    assert not_evaluated(BOUNDED, resource(token, "it", bag), context=PROD)[0] == []


@pytest.mark.parametrize(
    ("tags", "missing"),
    [
        (TAGS, None),
        ({**TAGS, "Project": ""}, "Project"),
        ({"Backup": "weekly"}, "Environment and Project"),
        (ABSENT, "Backup, Environment and Project"),
    ],
)
def test_recovery_points_are_found_by_their_tags(tags, missing):
    bag = altered(SYSTEM["plan"][1], "rules", 0, "recoveryPointTags", to=tags)
    sentence = f"What the plan's rule weekly writes lacks {missing}."
    assert faults(TAGGED, resource("aws:backup/plan:Plan", "plan", bag)) == ([sentence] if missing else [])


def test_unknown_tags_of_recovery_points_are_not_judged():
    bag = altered(SYSTEM["plan"][1], "rules", 0, "recoveryPointTags", to=UNKNOWN)
    assert not_evaluated(TAGGED, resource("aws:backup/plan:Plan", "plan", bag))[0] == []
