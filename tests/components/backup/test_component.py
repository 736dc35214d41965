"""What the backups declare."""

import json
from pathlib import Path

import pytest

from components._keys import Home
from components.backup import Backup, BackupArgs, plan
from functions.common.alarm import describe
from functions.common.variables import read
from functions.validate_restore.env import Evidence, ValidateRestoreEnv, Vault
from policies.rulebook import documents
from runbook.preview.capture import capture
from settings.backups import BackupSettings
from settings.naming import Labels

ACCOUNT = "210987654321"
HOME = Home(partition="aws", account_id=ACCOUNT, region="us-east-1")
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
EVIDENCE_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/22222222-2222-3333-4444-555555555555"
TOPIC_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/33333333-2222-3333-4444-555555555555"
DATABASE = f"arn:aws:rds:us-east-1:{ACCOUNT}:db:learning-platform-staging-db"
TOPICS = {
    severity: f"arn:aws:sns:us-east-1:{ACCOUNT}:learning-platform-staging-alerts-{severity}"
    for severity in ("critical", "high", "medium", "low")
}
DEPLOYER, GLASS = f"arn:aws:iam::{ACCOUNT}:role/deploy", f"arn:aws:iam::{ACCOUNT}:role/break-glass"
TAGS = {"Backup": "weekly", "Environment": "staging", "Project": "learning-platform"}

VAULT = "aws:backup/vault:Vault"
LOCK = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
PLAN = "aws:backup/plan:Plan"
RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
FUNCTION = "aws:lambda/function:Function"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
POLICY = "aws:iam/rolePolicy:RolePolicy"


def backup(protect=True, deployers=(DEPLOYER,), **said):
    args = BackupArgs(
        home=HOME,
        recovery_region="us-west-2",
        settings=BackupSettings.model_validate({"replicate_days": 28, **said}),
        vpc_id="vpc-1",
        app_subnet_ids=["subnet-app-a", "subnet-app-b"],
        data_subnet_ids=["subnet-data-a", "subnet-data-b"],
        database_arn=DATABASE,
        database_port=5433,
        evidence_bucket="evidence",
        evidence_bucket_arn="arn:aws:s3:::evidence",
        evidence_key_arn=EVIDENCE_KEY,
        report_bucket="backups",
        report_prefix="reports",
        topic_arns=TOPICS,
        topic_key_arn=TOPIC_KEY,
        logs_key_arn=KEY,
        deployers=deployers,
        protect=protect,
    )
    labels = Labels(project="learning-platform", environment="staging", owner="platform", cost_center="lp")
    return capture(lambda: Backup("backup", args, labels=labels) and None)


@pytest.fixture(scope="module")
def graph():
    return backup(
        break_glass=[GLASS], restore_test={"evidence": {"table": "audit_log", "column": "created_at"}}, daily={}
    )


def statements(resource, key="policy"):
    return documents.read(resource.inputs[key])


def allowed(graph, role):
    """Action -> resources that a role may use."""
    found = {}
    for statement in statements(graph.one(POLICY, f"backup-{role}")):
        for action in statement.actions if statement.allows else ():
            found.setdefault(action, set()).update(statement.resources)
    return found


def present(mapping):
    return {key: value for key, value in mapping.items() if value is not None}


def test_everything_is_known_before_the_deployment(graph):
    assert graph.fidelity.unknown == ()


def test_everything_is_a_child_of_the_component_and_what_can_be_is_tagged(graph):
    component = graph.one("learning-platform:backup:Backup")
    own = [r for r in graph.resources if r.custom and not r.type.startswith("pulumi:")]
    assert {r.parent for r in own} == {component.urn}
    untagged = {r.type.rpartition(":")[2] for r in own if "tags" not in r.inputs}
    assert untagged == {
        "Alias",
        "EventTarget",
        "InstanceAutomatedBackupsReplication",
        "LogMetricFilter",
        "Permission",
        "QueuePolicy",
        "RestoreTestingSelection",
        "RolePolicy",
        "RolePolicyAttachment",
        "Selection",
        "VaultLockConfiguration",
        "VaultPolicy",
    }


# Vaults


def test_there_is_a_vault_in_each_region_with_a_key_of_its_own_that_rotates(graph):
    keys = {r.name: r for r in graph.of("aws:kms/key:Key")}
    vaults = {r.name: r.inputs for r in graph.of(VAULT)}
    assert {name: vault.get("region") for name, vault in vaults.items()} == {
        "backup": None,
        "backup-recovery": "us-west-2",
    }
    assert {name: key.inputs.get("region") for name, key in keys.items()} == {
        "backup": None,
        "backup-recovery": "us-west-2",
    }
    assert all(vaults[name]["kmsKeyArn"] == keys[name].outputs["arn"] for name in vaults)
    assert len({key.outputs["arn"] for key in keys.values()}) == 2
    assert all(key.inputs["enableKeyRotation"] for key in keys.values())
    assert {vault["forceDestroy"] for vault in vaults.values()} == {False}


def test_only_who_breaks_the_glass_deletes_a_backup_and_only_who_deploys_changes_the_policy_beside_them(graph):
    for policy in graph.of("aws:backup/vaultPolicy:VaultPolicy"):
        keep, guard = statements(policy)
        assert (keep.allows, keep.actions) == (
            False,
            ("backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle"),
        )
        assert [(c.key, c.values) for c in keep.conditions] == [("aws:principalarn", (GLASS,))]
        assert (guard.allows, "backup:PutBackupVaultAccessPolicy" in guard.actions) == (False, True)
        assert [(c.key, set(c.values)) for c in guard.conditions] == [("aws:principalarn", {GLASS, DEPLOYER})]


def test_without_anybody_who_may_break_the_glass_nobody_deletes_and_the_policy_locks_nobody_out():
    for policy in backup(deployers=()).of("aws:backup/vaultPolicy:VaultPolicy"):
        (keep,) = statements(policy)
        assert (keep.allows, keep.conditions) == (False, ())


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        ({}, {"minRetentionDays": 28, "maxRetentionDays": 3653}),
        (
            {"mode": "compliance", "changeable_days": 5},
            {"changeableForDays": 5, "minRetentionDays": 28, "maxRetentionDays": 3653},
        ),
    ],
)
def test_both_vaults_are_locked_and_only_a_compliance_lock_says_how_long_it_can_change(lock, said):
    locks = {r.name: present(r.inputs) for r in backup(lock=lock).of(LOCK)}
    assert {name: set(found) - {"backupVaultName", "region"} for name, found in locks.items()} == {
        "backup": set(said),
        "backup-recovery": set(said),
    }
    assert all(found[key] == value for found in locks.values() for key, value in said.items())


def test_a_stack_without_copies_replicas_lock_and_test_has_one_plain_vault():
    graph = backup(copy_to_recovery=None, replicate_days=None, lock={"mode": "none"}, restore_test=None)
    assert [r.name for r in graph.of(VAULT, "aws:kms/key:Key")] == ["backup", "backup"]
    assert graph.of(LOCK, FUNCTION, "aws:backup/restoreTestingPlan:RestoreTestingPlan") == ()
    assert [rule.get("copyActions") for rule in graph.one(PLAN).inputs["rules"]] == [[]]
    assert {r.name for r in graph.of(ALARM)} == {"backup-backup-dead-letters"}
    inventory = graph.one("learning-platform:backup:Backup").outputs
    assert {"recoveryVault", "restoreTestingPlan", "validator"} & set(inventory) == set()


def test_what_holds_data_cannot_be_deleted_by_mistake_where_the_stack_is_protected(graph):
    assert {r.type for r in graph.resources if r.protect} == {
        VAULT,
        LOCK,
        PLAN,
        "aws:kms/key:Key",
        "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",
    }
    assert [r.name for r in backup(protect=False).resources if r.protect] == []


# The plan


def test_each_rule_is_kept_and_copied_as_planned_and_its_backups_bear_the_tags(graph):
    recovery = graph.one(VAULT, "backup-recovery").outputs["arn"]
    rules = {rule["ruleName"]: rule for rule in graph.one(PLAN).inputs["rules"]}
    assert {name: rule["schedule"] for name, rule in rules.items()} == {
        "weekly": "cron(0 2 ? * SUN *)",
        "daily": "cron(0 2 * * ? *)",
    }
    for rule in rules.values():
        assert rule["targetVaultName"] == "learning-platform-staging-backup"
        assert (rule["startWindow"], rule["completionWindow"]) == (60, 480)
        assert rule["enableContinuousBackup"] is False
        assert present(rule["lifecycle"]) == {"deleteAfter": 28}
        ((copy,),) = [rule["copyActions"]]
        assert (copy["destinationVaultArn"], present(copy["lifecycle"])) == (recovery, {"deleteAfter": 28})
        assert rule["recoveryPointTags"] == TAGS


def test_whatever_bears_the_tags_of_this_stack_is_backed_up(graph):
    selection = graph.one("aws:backup/selection:Selection").inputs
    ((condition,),) = [selection["conditions"]]
    assert {pair["key"]: pair["value"] for pair in condition["stringEquals"]} == {
        f"aws:ResourceTag/{key}": value for key, value in TAGS.items()
    }
    assert (selection["resources"], selection["planId"]) == (["*"], graph.one(PLAN).id)


@pytest.mark.parametrize(
    ("purpose", "policies"),
    [
        ("plan", {"service-role/AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForS3Backup"}),
        ("restore", {"service-role/AWSBackupServiceRolePolicyForRestores", "AWSBackupServiceRolePolicyForS3Restore"}),
    ],
)
def test_a_role_is_taken_by_aws_backup_of_this_account_alone(graph, purpose, policies):
    (trust,) = statements(graph.one("aws:iam/role:Role", f"backup-{purpose}"), "assumeRolePolicy")
    assert trust.services() == ("backup.amazonaws.com",)
    assert [(c.key, c.values) for c in trust.conditions] == [("aws:sourceaccount", (ACCOUNT,))]
    role = graph.one("aws:iam/role:Role", f"backup-{purpose}").outputs["name"]
    attached = graph.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    assert {one.inputs["policyArn"] for one in attached if one.inputs["role"] == role} == {
        f"arn:aws:iam::aws:policy/{policy}" for policy in policies
    }


def test_a_restore_never_touches_the_living_database(graph):
    (deny,) = statements(graph.one(POLICY, "backup-restore"))
    assert (deny.allows, deny.resources) == (False, (DATABASE,))
    assert {"rds:DeleteDBInstance", "rds:ModifyDBInstance"} <= set(deny.actions)


def test_the_database_s_logs_are_replicated_under_the_key_of_the_other_region(graph):
    replica = graph.one("aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication").inputs
    assert replica == {
        "sourceDbInstanceArn": DATABASE,
        "kmsKeyId": graph.one("aws:kms/key:Key", "backup-recovery").outputs["arn"],
        "retentionPeriod": 28,
        "region": "us-west-2",
    }


# The restore test


def test_the_newest_backup_of_the_home_vault_is_restored_each_month(graph):
    testing = graph.one("aws:backup/restoreTestingPlan:RestoreTestingPlan").inputs
    assert testing["name"] == "learning_platform_staging_restore_test"
    assert (testing["scheduleExpression"], testing["startWindowHours"]) == ("cron(0 9 2 * ? *)", 1)
    assert testing["recoveryPointSelection"] == {
        "algorithm": "LATEST_WITHIN_WINDOW",
        "includeVaults": [graph.one(VAULT, "backup").outputs["arn"]],
        "recoveryPointTypes": ["SNAPSHOT"],
        "selectionWindowDays": 28,
    }
    random = backup(restore_test={"pick": "random", "weekday": "tue"})
    other = random.one("aws:backup/restoreTestingPlan:RestoreTestingPlan").inputs
    assert other["recoveryPointSelection"]["algorithm"] == "RANDOM_WITHIN_WINDOW"
    assert other["scheduleExpression"] == "cron(0 9 ? * TUE *)"


def test_every_database_of_the_plan_is_restored_small_private_and_apart(graph):
    selection = graph.one("aws:backup/restoreTestingSelection:RestoreTestingSelection").inputs
    assert selection["protectedResourceType"] == "RDS"
    assert "protectedResourceArns" not in selection
    assert {pair["key"]: pair["value"] for pair in selection["protectedResourceConditions"]["stringEquals"]} == {
        f"aws:ResourceTag/{key}": value for key, value in TAGS.items()
    }
    group = graph.one("aws:ec2/securityGroup:SecurityGroup", "backup-restored")
    assert selection["restoreMetadataOverrides"] == {
        "dbInstanceClass": "db.t3.micro",
        "dbSubnetGroupName": "learning-platform-staging-restored",
        "multiAz": "false",
        "publiclyAccessible": "false",
        "vpcSecurityGroupIds": json.dumps([group.id]),
    }
    assert graph.one("aws:rds/subnetGroup:SubnetGroup").inputs["subnetIds"] == ["subnet-data-a", "subnet-data-b"]
    assert selection["validationWindowHours"] == 4


def test_only_the_function_reaches_a_restored_database_and_it_reaches_no_other(graph):
    restored = graph.one("aws:ec2/securityGroup:SecurityGroup", "backup-restored")
    validator = graph.one("aws:ec2/securityGroup:SecurityGroup", "backup-validator")
    (ingress,) = graph.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert (ingress.inputs["securityGroupId"], ingress.inputs["referencedSecurityGroupId"]) == (
        restored.id,
        validator.id,
    )
    assert (ingress.inputs["fromPort"], ingress.inputs["toPort"]) == (5433, 5433)
    ways = {
        (r.inputs.get("referencedSecurityGroupId", r.inputs.get("cidrIpv4")), r.inputs["fromPort"])
        for r in graph.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
        if r.inputs["securityGroupId"] == validator.id
    }
    assert ways == {(restored.id, 5433), ("0.0.0.0/0", 443)}
    assert len(graph.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")) == 2


def test_the_function_is_bounded_traced_in_the_network_and_has_dead_letters_and_an_encrypted_log(graph):
    function = graph.one(FUNCTION).inputs
    group = graph.one("aws:cloudwatch/logGroup:LogGroup").inputs
    assert (function["runtime"], function["architectures"], function["timeout"]) == ("python3.13", ["arm64"], 900)
    assert function["handler"] == "functions.validate_restore.handler.handler"
    assert function["reservedConcurrentExecutions"] == 2
    assert function["vpcConfig"]["subnetIds"] == ["subnet-app-a", "subnet-app-b"]
    assert function["deadLetterConfig"] == {"targetArn": graph.one("aws:sqs/queue:Queue").outputs["arn"]}
    assert function["tracingConfig"] == {"mode": "Active"}
    assert function["loggingConfig"]["logGroup"] == group["name"]
    assert (group["retentionInDays"], group["kmsKeyId"]) == (365, KEY)
    assert graph.one(POLICY, "backup-validator").urn in graph.one(FUNCTION).dependencies


def test_the_package_is_made_of_files_that_are_there_by_relative_path(graph):
    assets = graph.one(FUNCTION).inputs["code"]["assets"]
    assert {"functions/validate_restore/handler.py", "pg8000/native.py"} <= set(assets)
    assert [asset["path"] for asset in assets.values() if Path(asset["path"]).is_absolute()] == []


def test_the_function_reads_from_its_variables_what_the_component_wrote(graph):
    variables = graph.one(FUNCTION).inputs["environment"]["variables"]
    env = read(ValidateRestoreEnv, variables)
    assert env.variables() == variables
    assert env.trials == ("learning-platform-staging-restore-", "learning-platform-staging-drill-")
    plan = graph.one("aws:backup/restoreTestingPlan:RestoreTestingPlan")
    assert (env.plan_arn, env.plan_name) == (plan.outputs["arn"], plan.inputs["name"])
    name = "learning-platform-staging-backup"
    assert env.vaults == (
        Vault(label="home", name=name, region="us-east-1"),
        Vault(label="recovery", name=name, region="us-west-2"),
    )
    assert env.evidence == Evidence(schema="public", table="audit_log", column="created_at")
    assert (env.bucket, env.rpo_minutes, env.rto_minutes) == ("evidence", 1440, 240)


def test_the_function_s_environment_is_under_the_vault_s_key_which_its_role_may_use(graph):
    key = graph.one("aws:backup/vault:Vault", "backup").inputs["kmsKeyArn"]
    assert graph.one(FUNCTION).inputs["kmsKeyArn"] == key
    assert ("kms:Decrypt", key) in {
        (action, arn)
        for statement in json.loads(graph.one(POLICY, "backup-validator").inputs["policy"])["Statement"]
        for action in statement["Action"]
        for arn in statement["Resource"]
        if "Condition" not in statement
    }


#: What restore tests bring back, and what operators restore on trial.
RESTORED = [
    f"arn:aws:rds:us-east-1:{ACCOUNT}:db:{name}"
    for name in (
        "awsbackup-restore-test-*",
        "learning-platform-staging-restore-*",
        "learning-platform-staging-drill-*",
    )
]


def test_the_function_may_do_what_it_does_and_no_more(graph):
    queue = graph.one("aws:sqs/queue:Queue").outputs["arn"]
    key = graph.one("aws:kms/key:Key", "backup").outputs["arn"]
    log = graph.one("aws:cloudwatch/logGroup:LogGroup").outputs["arn"]
    plan = graph.one("aws:backup/restoreTestingPlan:RestoreTestingPlan").outputs["arn"]
    vaults = {vault.outputs["arn"] for vault in graph.of(VAULT)}
    restored = set(RESTORED)
    secrets = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:rds!db-*"
    tests = "arn:aws:s3:::evidence/restore-tests/*"
    interfaces = (
        "AssignPrivateIpAddresses",
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "DescribeNetworkInterfaces",
        "DescribeSubnets",
        "UnassignPrivateIpAddresses",
    )
    assert allowed(graph, "validator") == {
        "backup:DescribeBackupVault": vaults,
        "backup:DescribeRestoreJob": {"*"},
        "backup:GetRestoreTestingPlan": {plan},
        "backup:ListRecoveryPointsByBackupVault": vaults,
        "backup:ListRestoreJobs": {"*"},
        "backup:PutRestoreValidationResult": {"*"},
        **{f"ec2:{action}": {"*"} for action in interfaces},
        "kms:CreateGrant": {key},
        "kms:Decrypt": {key, EVIDENCE_KEY},
        "kms:DescribeKey": {key},
        "kms:GenerateDataKey": {key, EVIDENCE_KEY},
        "logs:CreateLogStream": {f"{log}:*"},
        "logs:PutLogEvents": {f"{log}:*"},
        "rds:DescribeDBInstances": restored,
        "rds:ModifyDBInstance": restored,
        "s3:GetObject": {tests, "arn:aws:s3:::evidence/trust/rds-bundle.pem"},
        "s3:PutObject": {tests},
        "secretsmanager:CreateSecret": {secrets},
        "secretsmanager:GetSecretValue": {secrets},
        "secretsmanager:TagResource": {secrets},
        "sqs:SendMessage": {queue},
        "xray:PutTelemetryRecords": {"*"},
        "xray:PutTraceSegments": {"*"},
    }


def test_the_function_reads_the_password_of_a_restored_database_only(graph):
    policy = statements(graph.one(POLICY, "backup-validator"))
    (reads,) = [s for s in policy if "secretsmanager:GetSecretValue" in s.actions]
    ((key, values),) = [(c.key, c.values) for c in reads.conditions]
    assert key == "aws:resourcetag/aws:rds:primarydbinstancearn"
    assert set(values) == set(RESTORED)
    (denied,) = [s for s in policy if not s.allows]
    assert {action.partition(":")[0] for action in denied.actions} == {"ec2"}
    assert denied.conditions[0].values == (
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:learning-platform-staging-validate-restore",
    )


def test_the_function_is_called_by_two_rules_and_what_does_not_arrive_is_kept(graph):
    function = graph.one(FUNCTION)
    queue = graph.one("aws:sqs/queue:Queue").outputs["arn"]
    targets = {t.name: t.inputs for t in graph.of(TARGET) if t.inputs["arn"] == function.outputs["arn"]}
    assert set(targets) == {"backup-restored", "backup-ages"}
    assert {target["deadLetterConfig"]["arn"] for target in targets.values()} == {queue}
    assert json.loads(targets["backup-ages"]["input"]) == {"measure": "ages"}
    assert graph.one(RULE, "backup-ages").inputs["scheduleExpression"] == "rate(1 hour)"
    pattern = json.loads(graph.one(RULE, "backup-restored").inputs["eventPattern"])
    plan = graph.one("aws:backup/restoreTestingPlan:RestoreTestingPlan").outputs["arn"]
    assert pattern["detail"]["restoreTestingPlanArn"] == [plan]
    permissions = {p.inputs["sourceArn"] for p in graph.of("aws:lambda/permission:Permission")}
    assert permissions == {graph.one(RULE, name).outputs["arn"] for name in targets}


# What rings


def test_failures_of_this_stack_s_jobs_reach_the_topic_by_a_role(graph):
    role = graph.one("aws:iam/role:Role", "backup-bells")
    targets = [t.inputs for t in graph.of(TARGET) if t.inputs.get("roleArn") == role.outputs["arn"]]
    assert {(t["arn"], t["targetId"]) for t in targets} == {(TOPICS["high"], "high")}
    assert len(targets) == 3
    vault = graph.one(VAULT, "backup").outputs["arn"]
    details = [json.loads(graph.one(RULE, f"backup-{b.key}").inputs["eventPattern"])["detail"] for b in plan.BELLS]
    assert [detail[bell.own] for detail, bell in zip(details, plan.BELLS, strict=True)] == [
        [vault],
        [vault],
        [graph.one("aws:iam/role:Role", "backup-restore").outputs["arn"]],
    ]
    assert allowed(graph, "bells") == {
        "sns:Publish": {TOPICS["high"]},
        "kms:Decrypt": {TOPIC_KEY},
        "kms:GenerateDataKey*": {TOPIC_KEY},
    }
    (trust,) = statements(role, "assumeRolePolicy")
    assert {c.key for c in trust.conditions} == {"aws:sourceaccount", "aws:sourcearn"}


def test_only_the_rules_put_events_into_the_dead_letters(graph):
    policy = statements(graph.one("aws:sqs/queuePolicy:QueuePolicy"))
    (send,) = [s for s in policy if s.allows]
    assert send.services() == ("events.amazonaws.com",)
    assert set(send.conditions[0].values) == {rule.outputs["arn"] for rule in graph.of(RULE)}


def test_what_never_happens_and_what_could_not_be_worked_on_ring(graph):
    alarms = {r.name: r.inputs for r in graph.of(ALARM)}
    assert {name: (a["metricName"], a["threshold"], a["treatMissingData"]) for name, a in alarms.items()} == {
        "backup-backup-dead-letters": ("ApproximateNumberOfMessagesVisible", 1, "notBreaching"),
        "backup-backup-age-home": ("RecoveryPointAgeHours", 48, "breaching"),
        "backup-backup-age-recovery": ("RecoveryPointAgeHours", 48, "breaching"),
        "backup-restore-test-age": ("RestoreTestAgeHours", 773, "breaching"),
        "backup-restore-test-failed": ("RestoreTestFailed", 1, "notBreaching"),
    }
    assert alarms["backup-backup-age-recovery"]["dimensions"] == {"Vault": "recovery"}
    critical = {name for name, a in alarms.items() if a["alarmActions"] == [TOPICS["critical"]]}
    assert critical == {"backup-restore-test-failed"}
    assert {a["alarmActions"][0] for name, a in alarms.items() if name not in critical} == {TOPICS["high"]}
    assert all(describe(a["alarmDescription"]).first_action for a in alarms.values())
    # An alarm looks back a week at most.
    assert max(a["period"] * a["evaluationPeriods"] for a in alarms.values()) <= 7 * 86_400


def test_every_number_that_the_function_logs_becomes_a_metric_where_the_alarms_look(graph):
    group = graph.one("aws:cloudwatch/logGroup:LogGroup").inputs["name"]
    filters = [r.inputs for r in graph.of("aws:cloudwatch/logMetricFilter:LogMetricFilter")]
    assert {f["logGroupName"] for f in filters} == {group}
    counted = {f["metricTransformation"]["name"]: f for f in filters}
    assert set(counted) == {"RecoveryPointAgeHours", "RestoreTestAgeHours", "RestoreTestFailed"}
    for name, one in counted.items():
        assert one["pattern"] == f'{{ $.metric = "{name}" }}'
        assert one["metricTransformation"]["value"] == "$.value"
    for alarm in graph.of(ALARM):
        if alarm.inputs["metricName"] in counted:
            metric = counted[alarm.inputs["metricName"]]["metricTransformation"]
            assert alarm.inputs["namespace"] == metric["namespace"]
            assert set(alarm.inputs.get("dimensions", {})) == set(metric.get("dimensions", {}))


# What is shown


def test_each_kind_of_job_is_reported_into_the_bucket(graph):
    plans = {r.inputs["name"]: r.inputs for r in graph.of("aws:backup/reportPlan:ReportPlan")}
    assert {name: p["reportSetting"]["reportTemplate"] for name, p in plans.items()} == {
        "learning_platform_staging_backup_jobs": "BACKUP_JOB_REPORT",
        "learning_platform_staging_copy_jobs": "COPY_JOB_REPORT",
        "learning_platform_staging_restore_jobs": "RESTORE_JOB_REPORT",
    }
    for report in plans.values():
        assert report["reportDeliveryChannel"] == {
            "s3BucketName": "backups",
            "s3KeyPrefix": "reports",
            "formats": ["CSV", "JSON"],
        }


def test_commands_find_what_they_need(graph):
    outputs = graph.one("learning-platform:backup:Backup").outputs
    assert set(outputs) == {
        "keyArn",
        "planId",
        "recoveryRegion",
        "recoveryVault",
        "restoreRoleArn",
        "restoreTestingPlan",
        "retentionDays",
        "roleArn",
        "rpoMinutes",
        "rtoMinutes",
        "securityGroupId",
        "subnetGroup",
        "validator",
        "vault",
    }
    assert (outputs["retentionDays"], outputs["rpoMinutes"], outputs["rtoMinutes"]) == (28, 1440, 240)
