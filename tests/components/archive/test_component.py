"""What the archive declares."""

from __future__ import annotations

import json

import pulumi
import pytest

from components import iam
from components._keys import Home
from components.archive import Archive, ArchiveArgs, plan
from policies.rulebook import documents
from runbook.preview.capture import capture
from settings.naming import REQUIRED_TAGS, Labels
from settings.records import RecordsSettings

ACCOUNT = "210987654321"
HOME = Home(partition="aws", account_id=ACCOUNT, region="us-east-1")
TOPICS = {
    severity: f"arn:aws:sns:us-east-1:{ACCOUNT}:alerts-{severity}" for severity in ("critical", "high", "medium", "low")
}
LABELS = Labels(project="learning-platform", environment="staging", owner="platform", cost_center="lp")
REPORTER = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/reports.backup.amazonaws.com/AWSServiceRoleForBackupReports"
HOSTS = f"hosts/arn:aws:ec2:us-east-1:{ACCOUNT}:instance/"
STORES = ("backup", "evidence", "archive")

BUCKET, KEY, DOCUMENT = "aws:s3/bucket:Bucket", "aws:kms/key:Key", "aws:ssm/document:Document"
POLICY, LIFECYCLE = (
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
)
LOCK = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
ALARM, ASSOCIATION = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:ssm/association:Association"
ROLE, VAULT = "aws:iam/serviceLinkedRole:ServiceLinkedRole", "aws:glacier/vault:Vault"
EXPORTED = "aws:iam/policy:Policy"


def archive(records=None, **changes):
    given = {
        "home": HOME,
        "records": RecordsSettings.model_validate(records or {}),
        "server_tags": {"Service": "web", "Environment": "staging"},
        "topic_arns": TOPICS,
        "protect": True,
        **changes,
    }

    def program():
        import pulumi_aws as aws

        made = Archive("archive", ArchiveArgs(**given), labels=LABELS)
        # What a server's role is allowed, where a test can read it.
        aws.iam.Policy("server", policy=iam.document(*made.instance_statements))
        pulumi.export("prefix", made.prefix)

    return capture(program)


@pytest.fixture(scope="module")
def graph():
    return archive()


def statements(resource, key="policy"):
    return {one["Sid"]: one for one in json.loads(resource.inputs[key])["Statement"]}


def test_everything_is_known_before_the_deployment(graph):
    assert graph.fidelity.unknown == ()


def test_everything_is_a_child_of_the_component_and_what_can_be_is_tagged(graph):
    component = graph.one("learning-platform:archive:Archive")
    own = [r for r in graph.resources if r.custom and not r.type.startswith("pulumi:") and r.name != "server"]
    assert {r.parent for r in own} == {component.urn}
    for resource in own:
        if "tags" in resource.inputs:
            assert set(REQUIRED_TAGS) <= set(resource.inputs["tags"])
    untagged = {r.type.rpartition(":")[2] for r in own if "tags" not in r.inputs}
    assert untagged == {
        "Alias",
        "BucketLifecycleConfiguration",
        "BucketLogging",
        "BucketObjectLockConfiguration",
        "BucketOwnershipControls",
        "BucketPolicy",
        "BucketPublicAccessBlock",
        "BucketServerSideEncryptionConfiguration",
        "BucketVersioning",
    }


def test_there_are_three_buckets_and_one_for_their_access_logs(graph):
    purposes = {r.name: r.inputs["tags"]["Purpose"] for r in graph.of(BUCKET)}
    assert purposes == {
        "archive-backup": "backup",
        "archive-evidence": "evidence",
        "archive-archive": "archive",
        "archive-access-logs": "logs",
    }


def test_the_three_have_one_key_of_their_own(graph):
    key = graph.one(KEY).outputs["arn"]
    encryption = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    keys = {
        r.name: r.inputs["rules"][0]["applyServerSideEncryptionByDefault"].get("kmsMasterKeyId")
        for r in graph.of(encryption)
    }
    assert keys == {**{f"archive-{store}": key for store in STORES}, "archive-access-logs": None}


def test_each_of_the_three_is_locked_and_moves_what_is_old_to_glacier(graph):
    locks = {r.name: r.inputs["rule"]["defaultRetention"] for r in graph.of(LOCK)}
    assert locks == {
        "archive-backup": {"mode": "GOVERNANCE", "days": 28},
        "archive-evidence": {"mode": "GOVERNANCE", "days": 365},
        "archive-archive": {"mode": "GOVERNANCE", "days": 365},
    }
    rules = {
        (r.name, rule["filter"]["prefix"]): (
            [(move["storageClass"], move["days"]) for move in rule["transitions"]],
            rule["expiration"]["days"],
        )
        for r in graph.of(LIFECYCLE)
        for rule in r.inputs["rules"]
    }
    copies = ([("GLACIER", 90)], 365)
    records = ([("GLACIER", 90), ("DEEP_ARCHIVE", 365)], 2557)
    assert rules == {
        ("archive-backup", "hosts/"): copies,
        ("archive-backup", "repository/"): copies,
        ("archive-backup", "state/"): copies,
        ("archive-backup", "reports/"): records,
        ("archive-evidence", "restores/"): records,
        ("archive-evidence", "restore-tests/"): records,
        ("archive-evidence", "drills/"): records,
        ("archive-evidence", "progress/"): records,
        ("archive-evidence", "audits/"): records,
        ("archive-archive", "logs/"): records,
        **{(f"archive-{store}", ""): ([("GLACIER", 90)], 2557) for store in STORES},
        ("archive-access-logs", ""): ([], 365),
    }


def test_a_bucket_without_a_lock_has_none():
    graph = archive({"locks": {"backup": {"mode": "none"}}})
    assert {r.name for r in graph.of(LOCK)} == {"archive-evidence", "archive-archive"}


def test_who_reads_the_three_is_logged(graph):
    target = graph.one(BUCKET, "archive-access-logs").outputs["bucket"]
    logging = graph.of("aws:s3/bucketLogging:BucketLogging")
    assert {(r.name, r.inputs["targetBucket"], r.inputs["targetPrefix"]) for r in logging} == {
        (f"archive-{store}", target, f"{store}/") for store in STORES
    }
    delivery = statements(graph.one(POLICY, "archive-access-logs"))["AccessLogs"]
    arns = [graph.one(BUCKET, f"archive-{store}").outputs["arn"] for store in STORES]
    assert delivery["Condition"] == {
        "ArnEquals": {"aws:SourceArn": arns},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }


@pytest.mark.parametrize("store", STORES)
def test_nobody_stores_behind_another_key(graph, store):
    deny = statements(graph.one(POLICY, f"archive-{store}"))["DenyOtherKeys"]
    arn = graph.one(BUCKET, f"archive-{store}").outputs["arn"]
    assert deny == {
        "Sid": "DenyOtherKeys",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": [f"{arn}/*"],
        "Condition": {
            "StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption-aws-kms-key-id": graph.one(KEY).outputs["arn"]}
        },
    }


def test_aws_backup_writes_its_reports_and_nothing_else(graph):
    role = graph.one(ROLE)
    assert role.inputs["awsServiceName"] == "reports.backup.amazonaws.com"
    arn = graph.one(BUCKET, "archive-backup").outputs["arn"]
    policy = graph.one(POLICY, "archive-backup")
    assert statements(policy)["BackupReports"] == {
        "Sid": "BackupReports",
        "Effect": "Allow",
        "Principal": {"AWS": role.outputs["arn"]},
        "Action": ["s3:PutObject"],
        "Resource": [f"{arn}/reports/*"],
        "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}},
    }
    # S3 and KMS refuse a policy that names a role which is not there yet.
    assert role.urn in policy.dependencies
    assert role.urn in graph.one(KEY).dependencies
    assert statements(graph.one(KEY))["BackupReports"]["Principal"] == {"AWS": role.outputs["arn"]}


def test_a_role_that_the_account_has_is_not_declared_again():
    graph = archive({"reports_role": False})
    assert graph.of(ROLE) == ()
    assert statements(graph.one(POLICY, "archive-backup"))["BackupReports"]["Principal"] == {"AWS": REPORTER}


def test_cloudwatch_exports_logs_of_this_account_alone(graph):
    arn = graph.one(BUCKET, "archive-archive").outputs["arn"]
    found = statements(graph.one(POLICY, "archive-archive"))
    groups = {"ArnLike": {"aws:SourceArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:*"}}
    expected = {
        "LogsLook": (["s3:GetBucketAcl"], [arn], {"aws:SourceAccount": ACCOUNT}),
        "LogsExport": (
            ["s3:PutObject"],
            [f"{arn}/logs/*"],
            {"aws:SourceAccount": ACCOUNT, "s3:x-amz-acl": "bucket-owner-full-control"},
        ),
    }
    for sid, (actions, resources, equals) in expected.items():
        one = found[sid]
        assert one["Principal"] == {"Service": "logs.us-east-1.amazonaws.com"}
        assert (one["Action"], one["Resource"]) == (actions, resources)
        assert one["Condition"] == {"StringEquals": equals, **groups}
    assert set(found) == {"DenyInsecureTransport", "DenyOtherKeys", *expected}


def test_nobody_is_let_into_the_evidence_by_its_policy(graph):
    assert set(statements(graph.one(POLICY, "archive-evidence"))) == {"DenyInsecureTransport", "DenyOtherKeys"}


def test_the_key_is_used_by_administrators_exports_and_reports(graph):
    assert set(statements(graph.one(KEY))) == {"AccountAdministers", "LogsExport", "BackupReports"}
    assert statements(graph.one(KEY))["LogsExport"]["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_a_server_writes_below_its_own_arn_and_reads_what_servers_saved(graph):
    bucket, key = graph.one(BUCKET, "archive-backup").outputs["arn"], graph.one(KEY).outputs["arn"]
    found = statements(graph.one(EXPORTED))
    assert {sid: (one["Action"], one["Resource"]) for sid, one in found.items()} == {
        "SaveConfiguration": (
            ["s3:AbortMultipartUpload", "s3:PutObject"],
            [f"{bucket}/hosts/${{ec2:SourceInstanceARN}}/*"],
        ),
        "RestoreConfiguration": (["s3:GetObject"], [f"{bucket}/{HOSTS}*"]),
        "EncryptConfiguration": (["kms:Decrypt", "kms:GenerateDataKey"], [key]),
        "TellBackups": (["cloudwatch:PutMetricData"], ["*"]),
    }
    assert found["EncryptConfiguration"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"},
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, f"{bucket}/hosts/*"]},
    }
    assert found["TellBackups"]["Condition"] == {
        "StringEquals": {"cloudwatch:namespace": "learning-platform-staging-archive"}
    }


def test_servers_save_every_week_by_a_document_that_knows_bucket_and_key(graph):
    document = graph.one(DOCUMENT, "archive-backup")
    association = graph.one(ASSOCIATION).inputs
    assert association["name"] == document.outputs["name"]
    assert association["scheduleExpression"] == "cron(0 2 ? * SUN *)"
    assert association["targets"] == [
        {"key": "tag:Environment", "values": ["staging"]},
        {"key": "tag:Service", "values": ["web"]},
    ]
    assert association["complianceSeverity"] == "HIGH"
    place = plan.Place(
        bucket=graph.one(BUCKET, "archive-backup").outputs["bucket"],
        key_arn=graph.one(KEY).outputs["arn"],
        region="us-east-1",
        hosts=HOSTS,
        namespace="learning-platform-staging-archive",
        paths=plan.paths(RecordsSettings()),
    )
    expected = {
        "archive-backup": plan.backup_document(place, watch_minutes=5),
        "archive-restore": plan.restore_document(place),
    }
    for name, content in expected.items():
        inputs = graph.one(DOCUMENT, name).inputs
        assert inputs["content"] == json.dumps(content, sort_keys=True)
        assert (inputs["documentType"], inputs["documentFormat"]) == ("Command", "JSON")


def test_a_missing_backup_and_one_that_fails_ring(graph):
    alarms = {r.name: r.inputs for r in graph.of(ALARM)}
    assert {
        name: (
            one["namespace"],
            one["metricName"],
            one["statistic"],
            one["threshold"],
            one["period"],
            one["evaluationPeriods"],
            one["treatMissingData"],
        )
        for name, one in alarms.items()
    } == {
        "archive-stale": (
            "learning-platform-staging-archive",
            "ConfigurationBackupAge",
            "Maximum",
            8 * 86400,
            3600,
            3,
            "breaching",
        ),
        "archive-failed": (
            "learning-platform-staging-archive",
            "ConfigurationBackupFailures",
            "Sum",
            0,
            300,
            3,
            "notBreaching",
        ),
    }
    assert {one["comparisonOperator"] for one in alarms.values()} == {"GreaterThanThreshold"}
    assert {tuple(one["alarmActions"]) for one in alarms.values()} == {(TOPICS["medium"],)}


@pytest.mark.parametrize("minutes", [5, 60])
def test_cloudwatch_takes_what_the_alarms_look_back_on(minutes):
    for alarm in archive({"hosts": {"watch_minutes": minutes}}).of(ALARM):
        assert alarm.inputs["period"] % 60 == 0
        assert alarm.inputs["period"] * alarm.inputs["evaluationPeriods"] <= 86400


def test_the_silence_of_servers_that_sleep_is_no_alarm():
    assert archive(servers_sleep=True).one(ALARM, "archive-stale").inputs["treatMissingData"] == "ignore"


@pytest.mark.parametrize(("given", "expected"), [({}, "none"), ({"backup_class": "weekly"}, "weekly")])
def test_aws_backup_copies_backups_and_evidence_where_it_is_asked_to(given, expected):
    classes = {r.name: r.inputs["tags"]["Backup"] for r in archive(**given).of(BUCKET)}
    assert classes == {
        "archive-backup": expected,
        "archive-evidence": expected,
        "archive-archive": "none",
        "archive-access-logs": "none",
    }


def test_the_old_glacier_service_is_left_alone_unless_a_stack_asks_for_it(graph):
    assert [r for r in graph.resources if r.type.startswith("aws:glacier")] == []


def test_a_vault_of_the_old_service_is_locked_for_good():
    graph = archive({"glacier_vault": True, "locks": {"archive": {"days": 400}}})
    vault, lock = graph.one(VAULT), graph.one("aws:glacier/vaultLock:VaultLock")
    arn = f"arn:aws:glacier:us-east-1:{ACCOUNT}:vaults/learning-platform-staging-archive"
    assert (vault.inputs["name"], lock.inputs["vaultName"]) == (
        "learning-platform-staging-archive",
        vault.outputs["name"],
    )
    assert (lock.inputs["completeLock"], lock.inputs["ignoreDeletionError"]) == (True, True)
    (early,), (plain,) = documents.read(lock.inputs["policy"]), documents.read(vault.inputs["accessPolicy"])
    assert not early.allows
    assert not plain.allows
    assert statements(lock)["DenyEarlyDeletion"] == {
        "Sid": "DenyEarlyDeletion",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "glacier:DeleteArchive",
        "Resource": [arn],
        "Condition": {"NumericLessThan": {"glacier:ArchiveAgeInDays": "400"}},
    }


@pytest.mark.parametrize("protect", [True, False])
def test_what_holds_data_is_protected(protect):
    graph = archive({"glacier_vault": True}, protect=protect)
    protected = {(r.type.rpartition(":")[2], r.name) for r in graph.resources if r.protect}
    buckets = {("Bucket", f"archive-{name}") for name in (*STORES, "access-logs")}
    assert protected == ({*buckets, ("Key", "archive"), ("Vault", "archive")} if protect else set())
