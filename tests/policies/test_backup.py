"""The rules on backups: a whole system passes, and whatever is taken out of it is named."""

import json

import pytest

from policies.rulebook.backup import RULES
from policies.rulebook.resource import Context
from tests.policies.bags import ABSENT, UNKNOWN, UnknownValueError, not_evaluated, stack_faults
from tests.policies.declared import Ref, declared

PROD = Context(environment="prod", regions=("eu-west-1", "eu-central-1"))
STAGING = Context(environment="staging", regions=("eu-west-1", "eu-central-1"))
DEV = Context(environment="dev", regions=("eu-west-1", "eu-central-1"))

HOME, FAR = {"region": "eu-west-1"}, {"region": "eu-central-1"}

BY_ID = {rule.id: rule for rule in RULES}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service):
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def allow(*actions, **rest):
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **rest}


KEEP = {"Effect": "Deny", "Principal": "*", "Action": ["backup:DeleteRecoveryPoint"], "Resource": "*"}


def role(service):
    return "aws:iam/role:Role", {"assumeRolePolicy": trust(service)}


def attachment(role, policy):
    return "aws:iam/rolePolicyAttachment:RolePolicyAttachment", {
        "role": Ref(role, "name"),
        "policyArn": f"arn:aws:iam::aws:policy/service-role/{policy}",
    }


def bell(kind, field, *ends, **rest):
    pattern = {"source": ["aws.backup"], "detail-type": [f"{kind} Job State Change"], "detail": {field: ends, **rest}}
    return "aws:cloudwatch/eventRule:EventRule", {**HOME, "name": f"{kind}-bell", "eventPattern": json.dumps(pattern)}


def ringing(rule):
    return "aws:cloudwatch/eventTarget:EventTarget", {
        **HOME,
        "rule": Ref(rule, "name"),
        "arn": Ref("topic", "arn"),
        "roleArn": Ref("bells", "arn"),
    }


def vault(region, key):
    return "aws:backup/vault:Vault", {**region, "name": "platform", "kmsKeyArn": Ref(key, "arn")}


def of_vault(kind, vault, region, **props):
    token = f"aws:backup/vault{kind}:Vault{kind}"
    return token, {**region, "backupVaultName": Ref(vault, "name"), **props}


RULE = {
    "ruleName": "weekly",
    "targetVaultName": Ref("vault", "name"),
    "schedule": "cron(0 2 ? * SUN *)",
    "lifecycle": {"deleteAfter": 28},
    "copyActions": [{"destinationVaultArn": Ref("far-vault", "arn"), "lifecycle": {"deleteAfter": 28}}],
}

#: Two vaults of one name, as two regions may have them.
SYSTEM = {
    "key": ("aws:kms/key:Key", HOME),
    "far-key": ("aws:kms/replicaKey:ReplicaKey", FAR),
    "vault": vault(HOME, "key"),
    "far-vault": vault(FAR, "far-key"),
    "lock": of_vault("LockConfiguration", "vault", HOME, minRetentionDays=28, maxRetentionDays=400),
    "far-lock": of_vault("LockConfiguration", "far-vault", FAR, minRetentionDays=28),
    "guard": of_vault("Policy", "vault", HOME, policy=document(KEEP)),
    "far-guard": of_vault("Policy", "far-vault", FAR, policy=document(KEEP)),
    "backing": role("backup.amazonaws.com"),
    "backing-policy": attachment("backing", "AWSBackupServiceRolePolicyForBackup"),
    "restoring": role("backup.amazonaws.com"),
    "restoring-policy": attachment("restoring", "AWSBackupServiceRolePolicyForRestores"),
    "plan": ("aws:backup/plan:Plan", {**HOME, "rules": [RULE]}),
    "selection": (
        "aws:backup/selection:Selection",
        {
            **HOME,
            "planId": Ref("plan"),
            "iamRoleArn": Ref("backing", "arn"),
            "resources": ["*"],
            "conditions": [{"stringEquals": [{"key": "aws:ResourceTag/Backup", "value": "weekly"}]}],
        },
    ),
    "clients": ("aws:ec2/securityGroup:SecurityGroup", {}),
    "apart": ("aws:ec2/securityGroup:SecurityGroup", {}),
    "apart-subnets": ("aws:rds/subnetGroup:SubnetGroup", {}),
    "database": (
        "aws:rds/instance:Instance",
        {
            **HOME,
            "storageEncrypted": True,
            "tags": {"Backup": "weekly", "Environment": "prod"},
            "vpcSecurityGroupIds": [Ref("clients")],
        },
    ),
    "replication": (
        "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",
        {
            **FAR,
            "sourceDbInstanceArn": Ref("database", "arn"),
            "retentionPeriod": 28,
            "kmsKeyId": Ref("far-key", "arn"),
        },
    ),
    "tests": (
        "aws:backup/restoreTestingPlan:RestoreTestingPlan",
        {
            **HOME,
            "name": "tests",
            "scheduleExpression": "cron(0 9 2 * ? *)",
            "recoveryPointSelection": {
                "algorithm": "LATEST_WITHIN_WINDOW",
                "includeVaults": [Ref("vault", "arn")],
                "recoveryPointTypes": ["SNAPSHOT"],
                "selectionWindowDays": 28,
            },
        },
    ),
    "tested": (
        "aws:backup/restoreTestingSelection:RestoreTestingSelection",
        {
            **HOME,
            "restoreTestingPlanName": Ref("tests", "name"),
            "protectedResourceType": "RDS",
            "protectedResourceArns": [Ref("database", "arn")],
            "iamRoleArn": Ref("restoring", "arn"),
            "validationWindowHours": 4,
            "restoreMetadataOverrides": {
                "dbSubnetGroupName": Ref("apart-subnets", "name"),
                "vpcSecurityGroupIds": Ref("apart", before='["', after='"]'),
            },
        },
    ),
    "function-role": role("lambda.amazonaws.com"),
    "function-policy": (
        "aws:iam/rolePolicy:RolePolicy",
        {"role": Ref("function-role", "name"), "policy": document(allow("backup:PutRestoreValidationResult"))},
    ),
    "function": ("aws:lambda/function:Function", {"role": Ref("function-role", "arn")}),
    "restored": bell("Restore", "status", "COMPLETED", resourceType=["RDS"]),
    "restored-target": (
        "aws:cloudwatch/eventTarget:EventTarget",
        {**HOME, "rule": Ref("restored", "name"), "arn": Ref("function", "arn")},
    ),
    "restored-permission": (
        "aws:lambda/permission:Permission",
        {
            "function": Ref("function", "name"),
            "principal": "events.amazonaws.com",
            "action": "lambda:InvokeFunction",
            "sourceArn": Ref("restored", "arn"),
        },
    ),
    "topic": ("aws:sns/topic:Topic", {"kmsMasterKeyId": "arn:aws:kms:eu-west-1:123456789012:key/alerts"}),
    "bells": role("events.amazonaws.com"),
    "bells-policy": (
        "aws:iam/rolePolicy:RolePolicy",
        {
            "role": Ref("bells", "name"),
            "policy": document(allow("sns:Publish"), allow("kms:Decrypt", "kms:GenerateDataKey*")),
        },
    ),
    "backup-bell": bell("Backup", "state", "ABORTED", "EXPIRED", "FAILED", backupVaultName=["platform"]),
    "copy-bell": bell("Copy", "state", "FAILED"),
    "restore-bell": bell("Restore", "status", "ABORTED", "FAILED"),
    "backup-target": ringing("backup-bell"),
    "copy-target": ringing("copy-bell"),
    "restore-target": ringing("restore-bell"),
    "bucket": ("aws:s3/bucket:Bucket", {"tags": {"Purpose": "evidence"}}),
    **{
        f"{kind}-reports": (
            "aws:backup/reportPlan:ReportPlan",
            {
                "reportSetting": {"reportTemplate": f"{kind.upper()}_JOB_REPORT"},
                "reportDeliveryChannel": {"s3BucketName": Ref("bucket"), "s3KeyPrefix": "reports"},
            },
        )
        for kind in ("backup", "copy", "restore")
    },
}


def broken(*changes, context=PROD, **options):
    """id -> (sentence, name) of the rules that the changed system breaks."""
    resources = declared(SYSTEM, *changes, **options)
    said = {id_: stack_faults(rule, *resources, context=context) for id_, rule in BY_ID.items()}
    return {id_: faults for id_, faults in said.items() if faults}


def said(rule, *changes, context=PROD, **options):
    return stack_faults(BY_ID[rule], *declared(SYSTEM, *changes, **options), context=context)


def unjudged(rule, *changes, context=PROD, **options):
    return not_evaluated(BY_ID[rule], *declared(SYSTEM, *changes, **options), context=context)[0]


def rules(**changes):
    """The plan's one rule, changed."""
    return {key: value for key, value in {**RULE, **changes}.items() if value is not ABSENT}


def replanned(*written):
    return ("plan", ("rules",), list(written))


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == [
        "backup-weekly-kept-4-weeks",
        "backup-plan-selects",
        "backup-role-able",
        "rds-in-backup-plan",
        "backup-vault-cmk",
        "backup-vault-lock",
        "backup-vault-policy",
        "backup-cross-region",
        "rds-cross-region-copy",
        "rds-replicated-backups",
        "backup-restore-tested",
        "backup-restore-isolated",
        "backup-restore-validated",
        "backup-notifies",
        "backup-reported",
    ]


@pytest.mark.parametrize("context", [PROD, STAGING, DEV], ids=["prod", "staging", "dev"])
def test_a_whole_system_passes(context):
    assert broken(context=context) == {}


def test_without_anything_every_demand_is_named():
    bare = ("database",)
    gone = [name for name in SYSTEM if name not in bare]
    assert {id_: [sentence for sentence, _ in faults] for id_, faults in broken(without=gone).items()} == {
        "backup-weekly-kept-4-weeks": ["The stack declares no backup plan."],
        "rds-in-backup-plan": ["No backup plan takes the database: no selection matches its ARN or its tags."],
        "rds-cross-region-copy": ["Nothing of the database is copied to another region."],
        "rds-replicated-backups": [
            "The database's automated backups are not replicated to another region: without its region it goes back to "
            "the last copy."
        ],
        "backup-restore-tested": ["The stack tests no restore: it declares no restore testing plan."],
    }


#: What is taken away -> the rules that name it.
PARTS = {
    "plan": {
        "backup-weekly-kept-4-weeks",
        "rds-in-backup-plan",
    },
    "selection": {"backup-plan-selects", "rds-in-backup-plan"},
    "backing-policy": {"backup-role-able"},
    "restoring-policy": {"backup-role-able"},
    "lock": {"backup-vault-lock"},
    "far-lock": {"backup-vault-lock"},
    "guard": {"backup-vault-policy"},
    "far-guard": {"backup-vault-policy"},
    "replication": {"rds-replicated-backups"},
    "tests": {"backup-restore-tested"},
    "tested": {"backup-restore-tested"},
    "apart": {"backup-restore-isolated"},
    "apart-subnets": {"backup-restore-isolated"},
    "function-policy": {"backup-restore-validated"},
    "restored": {"backup-restore-validated"},
    "restored-target": {"backup-restore-validated"},
    "restored-permission": {"backup-restore-validated"},
    "bells-policy": {"backup-notifies"},
    "backup-bell": {"backup-notifies"},
    "copy-bell": {"backup-notifies"},
    "restore-bell": {"backup-notifies"},
    "backup-target": {"backup-notifies"},
    "copy-target": {"backup-notifies"},
    "restore-target": {"backup-notifies"},
    "backup-reports": {"backup-reported"},
    "copy-reports": {"backup-reported"},
    "restore-reports": {"backup-reported"},
}


@pytest.mark.parametrize(("part", "ids"), PARTS.items(), ids=PARTS)
def test_a_part_that_is_taken_away_is_named(part, ids):
    assert set(broken(without=[part])) == ids


@pytest.mark.parametrize("id_", BY_ID)
def test_nothing_is_refused_before_the_first_deployment(id_):
    """Ids and ARNs are unknown then: what cannot be judged is no finding."""
    try:
        found = said(id_, preview=True)
    except UnknownValueError:
        found = unjudged(id_, preview=True)
    assert found == []


# Plans

WEEKLY = "backup-weekly-kept-4-weeks"


@pytest.mark.parametrize(
    ("changed", "sentences"),
    [
        ({"schedule": "cron(0 2 * * ? *)"}, []),
        ({"schedule": "rate(7 days)"}, []),
        ({"schedule": "cron(0 2 1 * ? *)"}, ["The plan's rule weekly runs every 31 days at worst; 7 are demanded."]),
        (
            {"schedule": "cron(0 2 * * ? 2026)"},
            ["The plan's rule weekly runs every inf days at worst; 7 are demanded."],
        ),
        ({"schedule": ABSENT}, ["The plan's rule weekly says not when it runs."]),
        (
            {"schedule": "weekly"},
            ["The plan's rule weekly has a schedule that AWS refuses: it is neither cron(…) nor rate(…)."],
        ),
        ({"lifecycle": {"deleteAfter": 27}}, ["The plan's rule weekly keeps its backups 27 days; 28 are demanded."]),
        ({"lifecycle": {"deleteAfter": "29"}}, []),
        ({"lifecycle": {}}, ["The plan's rule weekly keeps its backups for ever."]),
        ({"lifecycle": ABSENT}, ["The plan's rule weekly keeps its backups for ever."]),
    ],
)
def test_a_plan_is_weekly_and_keeps_four_weeks(changed, sentences):
    assert said(WEEKLY, replanned(rules(**changed))) == [(sentence, "plan") for sentence in sentences]


def test_one_good_rule_is_enough_but_none_keeps_for_ever():
    daily = rules(ruleName="daily", schedule="cron(0 1 * * ? *)", lifecycle={"deleteAfter": 3})
    yearly = rules(ruleName="yearly", schedule="cron(0 1 1 1 ? *)", lifecycle={})
    assert said(WEEKLY, replanned(daily, RULE)) == []
    assert said(WEEKLY, replanned(RULE, yearly)) == [("The plan's rule yearly keeps its backups for ever.", "plan")]
    assert said(WEEKLY, replanned(daily)) == [
        ("The plan's rule daily keeps its backups 3 days; 28 are demanded.", "plan")
    ]


def test_a_plan_without_rules_never_runs():
    assert said(WEEKLY, replanned()) == [("The plan has no rule, so it never runs.", "plan")]


def test_an_unknown_schedule_is_not_judged_unless_another_rule_is_good():
    unknown = rules(ruleName="other", schedule=UNKNOWN)
    assert unjudged(WEEKLY, replanned(unknown)) == []
    assert said(WEEKLY, replanned(unknown, RULE)) == []


SELECTS = "backup-plan-selects"
IN_PLAN = "rds-in-backup-plan"
MISSED = [("No backup plan takes the database: no selection matches its ARN or its tags.", "database")]


def test_a_plan_that_takes_nothing_is_named():
    assert said(SELECTS, without=["selection"]) == [("The plan backs nothing up: it has no selection.", "plan")]
    assert said(SELECTS, ("database", ("tags", "Backup"), "none")) == [
        ("The plan backs nothing up: its selection takes nothing that the stack declares.", "plan")
    ]
    assert said(SELECTS, ("selection", ("resources",), ABSENT)) == [
        ("The selection names neither ARNs nor tags, which AWS refuses whatever its conditions.", "selection")
    ]


def conditions(operator, value, key="aws:ResourceTag/Backup"):
    return ("selection", ("conditions",), [{operator: [{"key": key, "value": value}]}])


def arns(*patterns):
    return ("selection", ("resources",), list(patterns))


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ([], True),
        ([conditions("stringEquals", "Weekly")], False),
        ([conditions("stringEquals", "weekly", "Backup")], False),
        ([conditions("stringEquals", "weekly", "aws:ResourceTag/backup")], False),
        ([conditions("stringLikes", "week*")], True),
        ([conditions("stringLikes", "*daily*")], False),
        ([conditions("stringNotEquals", "none")], True),
        ([conditions("stringNotEquals", "weekly")], False),
        ([conditions("stringNotLikes", "w*")], False),
        ([conditions("stringNotEquals", "none", "aws:ResourceTag/Nothing")], True),
        ([conditions("stringEquals", "none", "aws:ResourceTag/Nothing")], False),
        ([("selection", ("conditions",), ABSENT)], True),
        ([arns("arn:aws:any:*:*:data*")], True),
        ([arns("arn:aws:rds:*:*:cluster:*")], False),
        ([arns("arn:aws:rds:*:*:cluster:*", Ref("database", "arn"))], True),
        ([("selection", ("notResources",), [Ref("database", "arn")])], False),
        ([("selection", ("notResources",), ["arn:aws:ec2:*"])], True),
        ([("selection", ("region",), "eu-central-1")], False),
        ([("database", ("tags",), ABSENT)], False),
        ([arns(), conditions("stringEquals", "weekly")], False),
        (
            [arns(), ("selection", ("selectionTags",), [{"key": "Backup", "type": "STRINGEQUALS", "value": "weekly"}])],
            True,
        ),
        (
            [arns(), ("selection", ("selectionTags",), [{"key": "Backup", "type": "STRINGEQUALS", "value": "daily"}])],
            False,
        ),
        (
            [
                arns("arn:aws:rds:*:*:cluster:*"),
                ("selection", ("selectionTags",), [{"key": "Backup", "type": "STRINGEQUALS", "value": "weekly"}]),
            ],
            True,
        ),
    ],
)
def test_a_selection_takes_what_aws_would_take(changes, taken):
    assert said(IN_PLAN, *changes) == ([] if taken else MISSED)


def test_several_conditions_must_all_hold():
    both = {
        "stringEquals": [
            {"key": "aws:ResourceTag/Backup", "value": "weekly"},
            {"key": "aws:ResourceTag/Environment", "value": "prod"},
        ]
    }
    assert said(IN_PLAN, ("selection", ("conditions",), [both])) == []
    both["stringEquals"][1]["value"] = "staging"
    assert said(IN_PLAN, ("selection", ("conditions",), [both])) == MISSED


def test_a_selection_of_no_plan_takes_nothing():
    assert said(IN_PLAN, ("selection", ("planId",), "a-plan-of-another-stack")) == MISSED


def test_an_unknown_tag_is_neither_taken_nor_missed():
    assert unjudged(IN_PLAN, ("database", ("tags", "Backup"), UNKNOWN)) == []
    assert unjudged(IN_PLAN, conditions("stringEquals", UNKNOWN)) == []


def test_an_unknown_arn_matters_only_where_nothing_else_tells():
    unknown = ("database", ("arn",), UNKNOWN)
    assert said(IN_PLAN, unknown) == []
    assert unjudged(IN_PLAN, unknown, arns("arn:aws:rds:*:*:db:*")) == []


ABLE = "backup-role-able"


@pytest.mark.parametrize(
    ("holder", "role", "policy", "verb", "actions"),
    [
        (
            "selection",
            "backing",
            "AWSBackupServiceRolePolicyForBackup",
            "back up",
            (
                "rds:CreateDBSnapshot",
                "rds:DescribeDBSnapshots",
                "rds:AddTagsToResource",
                "rds:CopyDBSnapshot",
                "backup:CopyIntoBackupVault",
            ),
        ),
        (
            "tested",
            "restoring",
            "AWSBackupServiceRolePolicyForRestores",
            "restore",
            ("rds:RestoreDBInstanceFromDBSnapshot", "rds:DescribeDBInstances", "rds:DeleteDBInstance"),
        ),
    ],
)
def test_a_role_has_aws_s_policy_or_all_its_actions(holder, role, policy, verb, actions):
    def own(*granted):
        statements = document(allow(*granted))
        return {"own": ("aws:iam/rolePolicy:RolePolicy", {"role": Ref(role, "name"), "policy": statements})}

    gone = [f"{role}-policy"]
    lacking = [(f"The role {role} may not {verb} a database: it lacks {policy}.", holder)]
    assert said(ABLE, without=gone) == lacking
    assert said(ABLE, without=gone, extra=own(*actions)) == []
    for action in actions:
        assert said(ABLE, without=gone, extra=own(*(set(actions) - {action}))) == lacking


def test_a_plan_without_copies_needs_no_right_to_copy():
    own = document(allow("rds:CreateDBSnapshot", "rds:DescribeDBSnapshots", "rds:AddTagsToResource"))
    extra = {"own": ("aws:iam/rolePolicy:RolePolicy", {"role": Ref("backing", "name"), "policy": own})}
    assert said(ABLE, replanned(rules(copyActions=ABSENT)), without=["backing-policy"], extra=extra) == []


def test_a_role_must_trust_aws_backup_and_be_declared():
    assert said(ABLE, ("backing", ("assumeRolePolicy",), trust("ec2.amazonaws.com"))) == [
        ("AWS Backup cannot take the role backing: it does not trust backup.amazonaws.com.", "selection")
    ]
    assert said(ABLE, ("tested", ("iamRoleArn",), "arn:aws:iam::123456789012:role/default")) == [
        ("The selection's role is not declared here; what it may do is not known.", "tested")
    ]
    assert unjudged(ABLE, ("backing", ("assumeRolePolicy",), UNKNOWN)) == []


# Vaults

CMK = "backup-vault-cmk"


@pytest.mark.parametrize("value", [ABSENT, "", "arn:aws:kms:eu-west-1:123456789012:alias/aws/backup"])
def test_a_vault_has_a_customer_key(value):
    assert said(CMK, ("vault", ("kmsKeyArn",), value)) == [
        ("The vault is encrypted with AWS's key, not with a customer key.", "vault")
    ]


def test_a_vault_s_key_is_of_its_own_region():
    assert said(CMK, ("far-key", ("region",), "eu-west-1")) == [
        (
            "The vault stands in eu-central-1 and its key in eu-west-1; a vault takes a key of its own region.",
            "far-vault",
        )
    ]
    other = "arn:aws:kms:us-east-1:123456789012:key/1"
    assert said(CMK, ("vault", ("kmsKeyArn",), other)) == [
        ("The vault stands in eu-west-1 and its key in us-east-1; a vault takes a key of its own region.", "vault")
    ]
    assert said(CMK, ("vault", ("kmsKeyArn",), other.replace("us-east-1", "eu-west-1"))) == []


def test_a_key_that_is_not_known_yet_is_known_by_what_it_is_made_from():
    assert said(CMK, preview=True) == []
    assert unjudged(CMK, ("vault", ("kmsKeyArn",), UNKNOWN), without=["key"]) == []


def test_a_plan_writes_into_vaults_of_the_stack():
    twice = [rules(targetVaultName="Default"), rules(ruleName="daily", targetVaultName="Default")]
    assert said(CMK, replanned(*twice)) == [
        ("The plan writes to the vault Default, which the stack does not declare.", "plan")
    ]


LOCK = "backup-vault-lock"
REFUSED = "The lock refuses what the plan's rule weekly writes"


@pytest.mark.parametrize(("days", "shown"), [(27, "27"), (ABSENT, "unset")])
def test_a_lock_holds_four_weeks_but_for_development(days, shown):
    short = ("lock", ("minRetentionDays",), days)
    assert said(LOCK, short) == [(f"The lock's minRetentionDays is {shown}; 28 are demanded.", "lock")]
    assert said(LOCK, short, context=STAGING) == said(LOCK, short)
    assert said(LOCK, short, context=DEV) == []


def test_a_vault_is_locked_but_for_development():
    open_ = [("The vault is not locked, so its backups can be deleted before their time.", "far-vault")]
    assert said(LOCK, without=["far-lock"]) == open_
    assert said(LOCK, without=["far-lock"], context=STAGING) == open_
    assert said(LOCK, without=["far-lock"], context=DEV) == []


def test_a_lock_that_refuses_what_is_written_is_named():
    assert said(LOCK, replanned(rules(lifecycle={"deleteAfter": 400}))) == []
    tight = ("lock", ("minRetentionDays",), 35)
    assert said(LOCK, tight) == [
        (
            f"{REFUSED}: it is kept 28 days, and the lock takes 35 to 400 days.",
            "lock",
        )
    ]
    long = rules(lifecycle={"deleteAfter": 500})
    assert said(LOCK, replanned(long), context=STAGING) == [
        (
            f"{REFUSED}: it is kept 500 days, and the lock takes 28 to 400 days.",
            "lock",
        )
    ]
    assert said(LOCK, replanned(rules(lifecycle={}))) == [
        (
            f"{REFUSED}: it is kept for ever, and the lock takes 28 to 400 days.",
            "lock",
        )
    ]
    short = [{**RULE["copyActions"][0], "lifecycle": {"deleteAfter": 7}}]
    assert said(LOCK, replanned(rules(copyActions=short))) == [
        (
            "The lock refuses the copy of the plan's rule weekly: it is kept 7 days, and the lock takes 28 to any "
            "number of days.",
            "far-lock",
        )
    ]


def test_an_unknown_minimum_is_not_judged():
    assert unjudged(LOCK, ("lock", ("minRetentionDays",), UNKNOWN)) == []


POLICY = "backup-vault-policy"


@pytest.mark.parametrize(
    ("policy", "sentences"),
    [
        (document(KEEP), []),
        (document({**KEEP, "Principal": {"AWS": "*"}, "Action": "backup:*"}), []),
        (document({**KEEP, "Condition": {"ArnNotEquals": {"aws:PrincipalArn": ["arn:aws:iam::1:role/glass"]}}}), []),
        (
            document({**KEEP, "Action": "backup:DeleteBackupVault"}),
            ["The vault's policy does not refuse backup:DeleteRecoveryPoint."],
        ),
        (
            document({**KEEP, "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}),
            ["The vault's policy does not refuse backup:DeleteRecoveryPoint."],
        ),
        (
            document(KEEP, allow("backup:CopyIntoBackupVault", Principal="*")),
            ["The vault's policy lets anyone use the vault."],
        ),
        ("{", ["The vault's policy cannot be read: it is no JSON."]),
    ],
)
def test_a_vault_s_policy_refuses_to_delete(policy, sentences):
    assert said(POLICY, ("guard", ("policy",), policy)) == [(sentence, "guard") for sentence in sentences]


def test_a_vault_without_a_policy_is_named_and_an_unknown_one_is_not_judged():
    assert said(POLICY, without=["guard"]) == [
        ("Nothing keeps anybody from deleting the vault's backups: it has no policy.", "vault")
    ]
    assert unjudged(POLICY, ("guard", ("policy",), UNKNOWN)) == []


# Copies

CROSS = "backup-cross-region"
NOT_COPIED = [("What the plan's rule weekly writes is not copied to another region.", "plan")]


def copied_to(destination, **lifecycle):
    return replanned(rules(copyActions=[{"destinationVaultArn": destination, "lifecycle": lifecycle}]))


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (copied_to("arn:aws:backup:us-east-1:123456789012:backup-vault:other", deleteAfter=28), []),
        (copied_to("arn:aws:backup:eu-west-1:123456789012:backup-vault:other", deleteAfter=28), NOT_COPIED),
        (copied_to(Ref("vault", "arn"), deleteAfter=28), NOT_COPIED),
        (copied_to("no ARN", deleteAfter=28), NOT_COPIED),
        (replanned(rules(copyActions=ABSENT)), NOT_COPIED),
        (replanned(rules(copyActions=[])), NOT_COPIED),
        (("far-vault", ("region",), "eu-west-1"), NOT_COPIED),
        (
            copied_to(Ref("far-vault", "arn"), deleteAfter=27),
            [("The copy of the plan's rule weekly is kept 27 days, and the backup itself 28.", "plan")],
        ),
        (
            copied_to(Ref("far-vault", "arn")),
            [("The copy of the plan's rule weekly is kept for ever: it has no deleteAfter.", "plan")],
        ),
        (replanned(RULE, rules(ruleName="logs", enableContinuousBackup=True, copyActions=ABSENT)), []),
        (
            replanned(RULE, rules(ruleName="daily", copyActions=ABSENT)),
            [("What the plan's rule daily writes is not copied to another region.", "plan")],
        ),
    ],
)
def test_every_rule_of_prod_copies_to_another_region(change, faults):
    assert said(CROSS, change) == faults
    assert said(CROSS, change, context=STAGING) == []


def test_the_region_of_an_unknown_destination_is_that_of_what_it_is_made_from():
    assert said(CROSS, preview=True) == []
    assert said(CROSS, ("far-vault", ("region",), "eu-west-1"), preview=True) == NOT_COPIED
    assert unjudged(CROSS, copied_to(UNKNOWN, deleteAfter=28), without=["far-vault"]) == []


RDS_COPY = "rds-cross-region-copy"


def test_a_database_of_prod_has_a_copy_abroad_in_one_way_or_the_other():
    no_copies = replanned(rules(copyActions=ABSENT))
    assert said(RDS_COPY, no_copies) == []
    assert said(RDS_COPY, without=["replication"]) == []
    nothing = [("Nothing of the database is copied to another region.", "database")]
    assert said(RDS_COPY, no_copies, without=["replication"]) == nothing
    assert said(RDS_COPY, ("database", ("tags",), ABSENT), without=["replication"]) == nothing
    assert said(RDS_COPY, no_copies, ("replication", ("region",), "eu-west-1")) == nothing
    assert said(RDS_COPY, no_copies, without=["replication"], context=STAGING) == []
    assert unjudged(RDS_COPY, ("database", ("tags", "Backup"), UNKNOWN), without=["replication"]) == []


REPLICATED = "rds-replicated-backups"


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("retentionPeriod", 27, "The replicated backups are kept 27 days; 28 are demanded."),
        ("retentionPeriod", ABSENT, "The replicated backups are kept 7 (unset) days; 28 are demanded."),
        (
            "kmsKeyId",
            ABSENT,
            "The replication names no key; RDS needs one of the other region for an encrypted database.",
        ),
    ],
)
def test_replicated_backups_are_kept_and_encrypted(path, value, sentence):
    change = ("replication", (path,), value)
    assert said(REPLICATED, change) == [(sentence, "replication")]
    assert said(REPLICATED, change, context=STAGING) == []


def test_a_database_is_replicated_abroad_and_a_replica_is_not():
    not_abroad = [
        (
            "The database's automated backups are not replicated to another region: without its region it goes back to "
            "the last copy.",
            "database",
        )
    ]
    assert said(REPLICATED, ("replication", ("region",), ABSENT)) == not_abroad
    assert said(REPLICATED, ("database", ("replicateSourceDb",), "primary"), without=["replication"]) == []
    key = ("replication", ("kmsKeyId",), "arn:aws:kms:eu-central-1:123456789012:key/of-another-stack")
    assert said(REPLICATED, key) == []
    assert said(REPLICATED, ("replication", ("kmsKeyId",), ABSENT), ("database", ("storageEncrypted",), False)) == []
    assert unjudged(REPLICATED, ("replication", ("retentionPeriod",), UNKNOWN)) == []


# Restore tests

TESTED = "backup-restore-tested"


@pytest.mark.parametrize(
    ("change", "sentence", "about"),
    [
        (
            ("tests", ("scheduleExpression",), "cron(0 9 1 */2 ? *)"),
            "The restore testing plan runs every 62 days at worst; 31 are demanded.",
            "tests",
        ),
        (
            ("tests", ("scheduleExpression",), ABSENT),
            "The restore testing plan has a schedule that AWS refuses: it is neither cron(…) nor rate(…).",
            "tests",
        ),
        (
            ("tests", ("recoveryPointSelection", "selectionWindowDays"), 6),
            "The restore test looks back 6 days, too few for a weekly backup.",
            "tests",
        ),
        (
            ("tests", ("recoveryPointSelection", "includeVaults"), []),
            "The restore testing plan looks into no vault of the stack.",
            "tests",
        ),
        (
            ("tests", ("recoveryPointSelection", "includeVaults"), ["arn:aws:backup:*:*:backup-vault:other"]),
            "The restore testing plan looks into no vault of the stack.",
            "tests",
        ),
        (("tested", ("protectedResourceType",), "EBS"), "No restore test takes the database.", "database"),
        (("tested", ("protectedResourceArns",), ["arn:another"]), "No restore test takes the database.", "database"),
        (("tested", ("protectedResourceArns",), ABSENT), "No restore test takes the database.", "database"),
        (
            (
                "tested",
                ("protectedResourceConditions",),
                {"stringEquals": [{"key": "aws:ResourceTag/Backup", "value": "x"}]},
            ),
            "No restore test takes the database.",
            "database",
        ),
    ],
)
def test_a_weak_restore_test_is_named(change, sentence, about):
    assert said(TESTED, change) == [(sentence, about)]
    assert said(TESTED, change, context=STAGING) == [(sentence, about)]
    assert said(TESTED, change, context=DEV) == []


@pytest.mark.parametrize(
    "change",
    [
        ("tests", ("recoveryPointSelection", "includeVaults"), ["*"]),
        ("tests", ("recoveryPointSelection", "includeVaults"), ["arn:aws:*:vault"]),
        ("tests", ("recoveryPointSelection", "selectionWindowDays"), ABSENT),
        ("tests", ("recoveryPointSelection", "selectionWindowDays"), 7),
        ("tests", ("scheduleExpression",), "rate(31 days)"),
        ("tested", ("protectedResourceArns",), ["*"]),
    ],
)
def test_other_ways_to_take_the_database_are_as_good(change):
    assert said(TESTED, change) == []


def test_a_restore_test_by_tags_alone_takes_the_database():
    by_tag = {"stringEquals": [{"key": "aws:ResourceTag/Backup", "value": "weekly"}]}
    changes = [("tested", ("protectedResourceArns",), ABSENT), ("tested", ("protectedResourceConditions",), by_tag)]
    assert said(TESTED, *changes) == []


def test_a_testing_plan_without_a_selection_restores_nothing():
    assert said(TESTED, without=["tested"]) == [
        ("The restore testing plan restores nothing: it has no selection.", "tests"),
        ("No restore test takes the database.", "database"),
    ]


def test_what_is_unknown_of_a_test_hides_nothing_else():
    change = ("tests", ("scheduleExpression",), UNKNOWN)
    assert unjudged(TESTED, change, without=["tested"]) == [
        ("The restore testing plan restores nothing: it has no selection.", "tests"),
        ("No restore test takes the database.", "database"),
    ]


ISOLATED = "backup-restore-isolated"


@pytest.mark.parametrize(
    ("change", "sentences"),
    [
        (
            ("tested", ("restoreMetadataOverrides",), ABSENT),
            [
                "The restored copy gets the default subnet group: the selection names no dbSubnetGroupName.",
                "The restored copy gets the default security group: the selection names no vpcSecurityGroupIds.",
            ],
        ),
        (
            ("tested", ("restoreMetadataOverrides", "dbSubnetGroupName"), ABSENT),
            ["The restored copy gets the default subnet group: the selection names no dbSubnetGroupName."],
        ),
        (
            ("database", ("vpcSecurityGroupIds",), [Ref("apart")]),
            ["The restored copy gets the database's own security group apart, so clients reach it."],
        ),
        (
            (
                "tested",
                ("restoreMetadataOverrides",),
                {"dbSubnetGroupName": "other", "vpcSecurityGroupIds": '["sg-1"]'},
            ),
            [
                "The restored copy gets a subnet group that the stack does not declare.",
                "The restored copy gets a security group that the stack does not declare.",
            ],
        ),
        (("tested", ("protectedResourceType",), "EBS"), []),
    ],
)
def test_a_restored_copy_stands_apart(change, sentences):
    assert said(ISOLATED, change) == [(sentence, "tested") for sentence in sentences]


def test_keys_of_overrides_are_read_in_any_case_and_unknown_ones_not_judged():
    written = {"DBSubnetGroupName": Ref("apart-subnets", "name"), "VPCSecurityGroupIds": Ref("apart")}
    assert said(ISOLATED, ("tested", ("restoreMetadataOverrides",), written)) == []
    assert unjudged(ISOLATED, ("tested", ("restoreMetadataOverrides",), UNKNOWN)) == []


VALIDATED = "backup-restore-validated"
UNSEEN = [("No function is called when a test restore is complete, so nobody looks at what it brought.", "tests")]


def pattern(**detail):
    body = {"source": ["aws.backup"], "detail-type": ["Restore Job State Change"], "detail": detail}
    return ("restored", ("eventPattern",), json.dumps(body))


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (pattern(status=["COMPLETED"]), []),
        (pattern(status=["COMPLETED"], restoreTestingPlanArn=[{"exists": True}]), []),
        (pattern(status=["COMPLETED"], restoreTestingPlanArn=["arn:aws:any:eu-west-1:123456789012:tests"]), []),
        (pattern(status=["COMPLETED"], restoreTestingPlanArn=["arn:another"]), UNSEEN),
        (("tested", ("validationWindowHours",), 1), []),
        (pattern(state=["COMPLETED"]), UNSEEN),
        (pattern(status=["FAILED"]), UNSEEN),
        (("restored", ("eventPattern",), "[]"), UNSEEN),
        (("restored", ("state",), "DISABLED"), UNSEEN),
        (("restored", ("isEnabled",), False), UNSEEN),
        (("restored", ("region",), "eu-central-1"), UNSEEN),
        (("restored-target", ("arn",), Ref("topic", "arn")), UNSEEN),
        (("restored-target", ("region",), "eu-central-1"), UNSEEN),
        (
            ("restored-permission", ("principal",), "s3.amazonaws.com"),
            [("EventBridge may not call function: no permission names the rule.", "restored-target")],
        ),
        (
            ("restored-permission", ("sourceArn",), Ref("copy-bell", "arn")),
            [("EventBridge may not call function: no permission names the rule.", "restored-target")],
        ),
        (("restored-permission", ("sourceArn",), ABSENT), []),
        (
            ("function-policy", ("policy",), document(allow("backup:DescribeRestoreJob"))),
            [
                (
                    "The function may not report what it found: its role lacks backup:PutRestoreValidationResult.",
                    "function",
                )
            ],
        ),
        (
            ("tested", ("validationWindowHours",), ABSENT),
            [("The restored copy is deleted before anybody looks: it has no validation window.", "tested")],
        ),
        (
            ("tested", ("validationWindowHours",), 0),
            [("The restored copy is deleted before anybody looks: it has no validation window.", "tested")],
        ),
    ],
)
def test_somebody_looks_at_what_was_restored(change, faults):
    assert said(VALIDATED, change) == faults


def test_an_unknown_pattern_of_the_validator_is_not_judged():
    assert unjudged(VALIDATED, ("restored", ("eventPattern",), UNKNOWN)) == []


# Notices

NOTIFIES = "backup-notifies"


def deaf(kind, *ends):
    return [(f"No topic hears of {kind} jobs that end as {' and '.join(ends)}.", "plan")]


def ends(name, field, *values, kind):
    body = {"source": ["aws.backup"], "detail-type": [f"{kind} Job State Change"], "detail": {field: list(values)}}
    return (name, ("eventPattern",), json.dumps(body))


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (ends("backup-bell", "state", "FAILED", kind="Backup"), deaf("backup", "ABORTED", "EXPIRED")),
        (
            ends("backup-bell", "status", "FAILED", "ABORTED", "EXPIRED", kind="Backup"),
            deaf("backup", "ABORTED, EXPIRED", "FAILED"),
        ),
        (ends("copy-bell", "state", "COMPLETED", kind="Copy"), deaf("copy", "FAILED")),
        (ends("restore-bell", "state", "FAILED", "ABORTED", kind="Restore"), deaf("restore", "ABORTED", "FAILED")),
        (("copy-bell", ("state",), "DISABLED"), deaf("copy", "FAILED")),
        (("copy-bell", ("region",), "eu-central-1"), deaf("copy", "FAILED")),
        (("copy-target", ("arn",), Ref("function", "arn")), deaf("copy", "FAILED")),
        (
            ("copy-target", ("roleArn",), ABSENT),
            [("EventBridge cannot publish to topic: the target has no role of the stack.", "copy-target")],
        ),
    ],
)
def test_each_failure_reaches_a_topic(change, faults):
    assert said(NOTIFIES, change) == faults


@pytest.mark.parametrize(
    ("kind", "field", "values", "own"),
    [
        ("Backup", "state", ("ABORTED", "EXPIRED", "FAILED"), {"iamRoleArn": "backing", "backupVaultArn": "vault"}),
        ("Copy", "state", ("FAILED",), {"iamRoleArn": "backing", "sourceBackupVaultArn": "vault"}),
        ("Copy", "state", ("FAILED",), {"destinationBackupVaultArn": "far-vault"}),
        ("Restore", "status", ("ABORTED", "FAILED"), {"iamRoleArn": "restoring"}),
    ],
)
def test_a_rule_may_keep_to_the_jobs_of_this_stack(kind, field, values, own):
    def written(names):
        arns = {key: [f"arn:aws:any:eu-west-1:123456789012:{name}"] for key, name in names.items()}
        _, props = bell(kind, field, *values, **arns)
        return (f"{kind.lower()}-bell", ("eventPattern",), props["eventPattern"])

    assert said(NOTIFIES, written(own)) == []
    assert said(NOTIFIES, written(dict.fromkeys(own, "another"))) == deaf(kind.lower(), *_ends(values))


def _ends(values):
    *head, last = values
    return [", ".join(head), last] if head else [last]


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (("bells", ("assumeRolePolicy",), trust("lambda.amazonaws.com")), "does not trust events.amazonaws.com"),
        (
            ("bells-policy", ("policy",), document(allow("sns:Publish"))),
            "lacks kms:Decrypt and lacks kms:GenerateDataKey",
        ),
        (("bells-policy", ("policy",), document(allow("kms:*"))), "lacks sns:Publish"),
        (
            ("bells-policy", ("policy",), document(allow("sns:Publish", Resource="arn:another"), allow("kms:*"))),
            "lacks sns:Publish",
        ),
    ],
)
def test_a_target_that_cannot_publish_is_named(change, missing):
    targets = ("backup-target", "copy-target", "restore-target")
    assert said(NOTIFIES, change) == [
        (f"EventBridge cannot publish to topic: its role bells {missing}.", target) for target in targets
    ]


def test_a_plain_topic_needs_no_key_and_a_policy_may_stand_in_for_the_role():
    plain = ("topic", ("kmsMasterKeyId",), ABSENT)
    assert said(NOTIFIES, plain, ("bells-policy", ("policy",), document(allow("sns:Publish")))) == []
    admits = document(allow("sns:Publish", Principal={"Service": "events.amazonaws.com"}))
    policy = {"open": ("aws:sns/topicPolicy:TopicPolicy", {"arn": Ref("topic", "arn"), "policy": admits})}
    assert said(NOTIFIES, ("copy-target", ("roleArn",), ABSENT), extra=policy) == []


def test_a_vault_s_own_notifications_will_do_where_they_are_still_sent():
    admits = document(allow("sns:Publish", Principal={"Service": "backup.amazonaws.com"}))

    def extra(*events):
        told = {"backupVaultEvents": list(events), "snsTopicArn": Ref("topic", "arn")}
        return {
            "told": of_vault("Notifications", "vault", HOME, **told),
            "open": ("aws:sns/topicPolicy:TopicPolicy", {"arn": Ref("topic", "arn"), "policy": admits}),
        }

    bells = ["backup-bell", "copy-bell", "restore-bell"]
    sent = ("BACKUP_JOB_COMPLETED", "COPY_JOB_FAILED", "RESTORE_JOB_COMPLETED")
    assert said(NOTIFIES, without=bells, extra=extra(*sent)) == []
    assert said(
        NOTIFIES, without=["copy-bell", "backup-bell"], extra=extra("BACKUP_JOB_FAILED", "COPY_JOB_FAILED")
    ) == deaf("backup", "ABORTED, EXPIRED", "FAILED")
    shut = {"told": extra(*sent)["told"]}
    assert len(said(NOTIFIES, without=bells, extra=shut)) == 3


def test_an_unknown_pattern_is_no_way_to_a_topic():
    assert unjudged(NOTIFIES, ("copy-bell", ("eventPattern",), UNKNOWN)) == []


REPORTED = "backup-reported"


def test_every_kind_of_job_is_written_down():
    assert said(REPORTED, without=["backup-reports", "restore-reports"]) == [
        ("No report plan writes down BACKUP_JOB_REPORT and RESTORE_JOB_REPORT.", None)
    ]
    assert said(REPORTED, ("copy-reports", ("reportSetting",), ABSENT)) == [
        ("No report plan writes down COPY_JOB_REPORT.", None)
    ]
    assert said(REPORTED, without=["copy-reports"], context=DEV) == []
    assert unjudged(REPORTED, ("copy-reports", ("reportSetting", "reportTemplate"), UNKNOWN)) == []


def test_reports_go_to_a_bucket_of_the_stack():
    assert said(REPORTED, ("copy-reports", ("reportDeliveryChannel", "s3BucketName"), "elsewhere")) == [
        ("The reports go to the bucket elsewhere, which the stack does not declare.", "copy-reports")
    ]


def test_reports_lie_under_a_prefix_of_their_own():
    assert said(REPORTED, ("copy-reports", ("reportDeliveryChannel", "s3KeyPrefix"), ABSENT)) == [
        ("The reports have no prefix of their own, which the bucket's policy goes by.", "copy-reports")
    ]
    assert unjudged(REPORTED, ("copy-reports", ("reportDeliveryChannel", "s3KeyPrefix"), UNKNOWN)) == []
