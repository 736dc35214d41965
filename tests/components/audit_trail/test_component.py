"""What the audit trail declares."""

import json
import re

import pytest

from components.audit_trail import Exclusions
from components.audit_trail.filters import CONTROLS
from tests.components.audit_trail.stack import ACCOUNT, captured

TRAIL = "arn:aws:cloudtrail:eu-west-1:210987654321:trail/learning-platform-staging-audit"


@pytest.fixture(scope="module")
def graph():
    return captured()


def statements(resource, key="policy"):
    return {one["Sid"]: one for one in json.loads(resource.inputs[key])["Statement"] if "Sid" in one}


def named(graph, type_, *, but=()):
    return {resource.name for resource in graph.of(type_)} - set(but)


def test_the_trail_records_every_region_validated_encrypted_and_searched(graph):
    trail = graph.one("aws:cloudtrail/trail:Trail")
    group = graph.one("aws:cloudwatch/logGroup:LogGroup")
    wanted = {
        "name": "learning-platform-staging-audit",
        "isMultiRegionTrail": True,
        "includeGlobalServiceEvents": True,
        "enableLogging": True,
        "enableLogFileValidation": True,
        "kmsKeyId": graph.one("aws:kms/key:Key", "audit").outputs["arn"],
        "s3BucketName": graph.one("aws:s3/bucket:Bucket", "audit").outputs["bucket"],
        "cloudWatchLogsGroupArn": group.outputs["arn"] + ":*",
        "cloudWatchLogsRoleArn": graph.one("aws:iam/role:Role", "audit").outputs["arn"],
        "insightSelectors": [{"insightType": "ApiCallRateInsight"}, {"insightType": "ApiErrorRateInsight"}],
        "advancedEventSelectors": [
            {
                "name": "Management events",
                "fieldSelectors": [{"field": "eventCategory", "equals": ["Management"]}],
            }
        ],
    }
    assert {key: trail.inputs[key] for key in wanted} == wanted
    assert "snsTopicName" not in trail.inputs
    assert trail.protect


def test_objects_of_buckets_that_are_named_are_recorded():
    graph = captured(buckets=("arn:aws:s3:::backups", "arn:aws:s3:::evidence"), insights=False)
    trail = graph.one("aws:cloudtrail/trail:Trail")
    assert trail.inputs["advancedEventSelectors"][1]["fieldSelectors"] == [
        {"field": "eventCategory", "equals": ["Data"]},
        {"field": "resources.type", "equals": ["AWS::S3::Object"]},
        {"field": "resources.ARN", "startsWiths": ["arn:aws:s3:::backups/", "arn:aws:s3:::evidence/"]},
    ]
    assert trail.inputs.get("insightSelectors", []) == []


def test_the_trail_is_made_after_it_may_write(graph):
    trail = graph.one("aws:cloudtrail/trail:Trail")
    assert graph.one("aws:iam/rolePolicy:RolePolicy", "audit").urn in trail.dependencies
    assert graph.one("aws:s3/bucketPolicy:BucketPolicy", "audit").urn in trail.property_dependencies["s3BucketName"]


def test_the_key_is_for_this_trail_and_its_log_group_alone(graph):
    found = statements(graph.one("aws:kms/key:Key", "audit"))
    own = {"aws:SourceArn": TRAIL}
    assert {sid: one["Principal"] for sid, one in found.items()} == {
        "AccountAdministers": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "TrailEncrypts": {"Service": "cloudtrail.amazonaws.com"},
        "TrailKnowsKey": {"Service": "cloudtrail.amazonaws.com"},
        "LogGroupUses": {"Service": "logs.eu-west-1.amazonaws.com"},
    }
    assert found["TrailEncrypts"]["Action"] == ["kms:GenerateDataKey*"]
    assert found["TrailEncrypts"]["Condition"] == {
        "StringEquals": own,
        "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": f"arn:aws:cloudtrail:*:{ACCOUNT}:trail/*"},
    }
    assert found["TrailKnowsKey"]["Condition"] == {"StringEquals": own}
    assert found["LogGroupUses"]["Condition"] == {
        "ArnEquals": {
            "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:"
            "/learning-platform/staging/audit/trail"
        }
    }


def test_the_bucket_takes_files_of_this_trail_alone(graph):
    bucket = graph.one("aws:s3/bucket:Bucket", "audit")
    found = statements(graph.one("aws:s3/bucketPolicy:BucketPolicy", "audit"))
    assert {(sid, one["Effect"]) for sid, one in found.items()} == {
        ("DenyInsecureTransport", "Deny"),
        ("TrailLooks", "Allow"),
        ("TrailWrites", "Allow"),
    }
    assert (found["TrailLooks"]["Action"], found["TrailLooks"]["Resource"]) == (
        ["s3:GetBucketAcl"],
        [bucket.outputs["arn"]],
    )
    assert found["TrailLooks"]["Condition"] == {"StringEquals": {"aws:SourceArn": TRAIL}}
    assert (found["TrailWrites"]["Action"], found["TrailWrites"]["Resource"]) == (
        ["s3:PutObject"],
        [f"{bucket.outputs['arn']}/AWSLogs/{ACCOUNT}/*"],
    )
    assert found["TrailWrites"]["Condition"] == {
        "StringEquals": {"aws:SourceArn": TRAIL, "s3:x-amz-acl": "bucket-owner-full-control"}
    }


def test_the_bucket_is_locked_and_archived_and_its_use_is_logged(graph):
    lock = graph.one("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")
    assert lock.inputs["rule"] == {"defaultRetention": {"mode": "COMPLIANCE", "days": 400}}
    versioning = graph.one("aws:s3/bucketVersioning:BucketVersioning", "audit")
    assert lock.property_dependencies["bucket"] == (versioning.urn,)
    (rule,) = graph.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "audit").inputs["rules"]
    assert (rule["transitions"], rule["expiration"]) == ([{"days": 90, "storageClass": "GLACIER"}], {"days": 2557})
    logging = graph.one("aws:s3/bucketLogging:BucketLogging")
    target = graph.one("aws:s3/bucket:Bucket", "audit-access-logs")
    assert (logging.inputs["targetBucket"], logging.inputs["targetPrefix"]) == (target.outputs["bucket"], "trail/")
    delivery = statements(graph.one("aws:s3/bucketPolicy:BucketPolicy", "audit-access-logs"))["TrailBucketLogs"]
    assert delivery["Resource"] == [f"{target.outputs['arn']}/trail/*"]
    assert delivery["Condition"] == {
        "ArnEquals": {"aws:SourceArn": graph.one("aws:s3/bucket:Bucket", "audit").outputs["arn"]},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }


def test_the_log_group_is_kept_a_year_and_written_by_this_trail_alone(graph):
    group = graph.one("aws:cloudwatch/logGroup:LogGroup")
    assert (group.inputs["name"], group.inputs["retentionInDays"]) == ("/learning-platform/staging/audit/trail", 365)
    assert group.inputs["kmsKeyId"] == graph.one("aws:kms/key:Key", "audit").outputs["arn"]
    role = graph.one("aws:iam/role:Role", "audit")
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    assert trust["Condition"] == {
        "ArnLike": {"aws:SourceArn": TRAIL},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }
    (write,) = json.loads(graph.one("aws:iam/rolePolicy:RolePolicy", "audit").inputs["policy"])["Statement"]
    assert write["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert write["Resource"] == [f"{group.outputs['arn']}:log-stream:{ACCOUNT}_CloudTrail_eu-west-1*"]


def test_each_filter_counts_once_and_its_alarm_goes_to_the_topic_of_its_severity(graph):
    topics = {topic.outputs["arn"]: topic.name for topic in graph.of("aws:sns/topic:Topic")}
    counters = {r.name: r for r in graph.of("aws:cloudwatch/logMetricFilter:LogMetricFilter")}
    alarms = {r.name: r for r in graph.of("aws:cloudwatch/metricAlarm:MetricAlarm")}
    severity = {
        **{f"audit-{control.key}-literal": "low" for control in CONTROLS if control.number},
        **{f"audit-{control.key}-tuned": control.severity for control in CONTROLS},
    }
    assert set(counters) == set(severity)
    assert set(alarms) == {*severity, "audit-silence", "audit-bells"}
    for name, counter in counters.items():
        change = counter.inputs["metricTransformation"]
        alarm = alarms[name].inputs
        assert counter.inputs["logGroupName"] == "/learning-platform/staging/audit/trail"
        assert (change["value"], change["namespace"]) == ("1", "learning-platform-staging-audit")
        assert (alarm["namespace"], alarm["metricName"]) == (change["namespace"], change["name"])
        assert [topics[arn] for arn in alarm["alarmActions"]] == [f"alerts-{severity[name]}"]
        assert alarm["tags"]["Severity"] == severity[name]
        assert {key: alarm[key] for key in ("statistic", "period", "evaluationPeriods", "threshold")} == {
            "statistic": "Sum",
            "period": 300,
            "evaluationPeriods": 1,
            "threshold": 1,
        }
        assert alarm["comparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert alarm["treatMissingData"] == "notBreaching"


def test_a_silent_trail_rings(graph):
    alarm = graph.one("aws:cloudwatch/metricAlarm:MetricAlarm", "audit-silence").inputs
    assert (alarm["metricName"], alarm["dimensions"]) == (
        "IncomingLogEvents",
        {"LogGroupName": "/learning-platform/staging/audit/trail"},
    )
    assert (alarm["comparisonOperator"], alarm["threshold"], alarm["treatMissingData"]) == (
        "LessThanThreshold",
        1,
        "breaching",
    )


AT_HOME = {
    "root-use",
    "sign-in-without-mfa",
    "trail-changes",
    "key-removal",
    "intrusion",
    "trail-log-changes",
    "trail-bucket-changes",
}
EVERYWHERE = AT_HOME - {"trail-log-changes", "trail-bucket-changes"}


def rules(graph, region=None):
    return {
        rule.name: rule
        for rule in graph.of("aws:cloudwatch/eventRule:EventRule")
        if rule.inputs.get("region") == region
    }


def test_watches_ring_at_home_and_other_regions_hand_their_events_on(graph):
    assert set(rules(graph)) == {f"audit-{key}" for key in AT_HOME}
    for region in ("eu-central-1", "us-east-1"):
        assert set(rules(graph, region)) == {f"audit-{region}-{key}" for key in EVERYWHERE}
    states = {name: rule.inputs["state"] for name, rule in {**rules(graph), **rules(graph, "us-east-1")}.items()}
    assert {name for name, state in states.items() if state != "ENABLED"} == {
        "audit-root-use",
        "audit-us-east-1-root-use",
    }
    assert set(states.values()) == {"ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}


def test_where_global_events_arrive_at_home_no_other_region_is_needed():
    graph = captured(region="us-east-1", recovery="us-west-2", detection_regions=())
    assert set(rules(graph)) == {f"audit-{key}" for key in AT_HOME - {"intrusion"}}
    assert set(rules(graph, "us-west-2")) == {f"audit-us-west-2-{key}" for key in EVERYWHERE - {"intrusion"}}
    assert named(graph, "aws:guardduty/detector:Detector") == set()


def test_each_target_has_a_role_a_dead_letter_queue_and_retries_in_its_own_region(graph):
    queues = {queue.outputs["arn"]: queue for queue in graph.of("aws:sqs/queue:Queue")}
    roles = {role.outputs["arn"]: role.name for role in graph.of("aws:iam/role:Role")}
    critical = graph.one("aws:sns/topic:Topic", "alerts-critical").outputs["arn"]
    for target in graph.of("aws:cloudwatch/eventTarget:EventTarget"):
        region = target.inputs.get("region")
        place = region or "bells"
        assert queues[target.inputs["deadLetterConfig"]["arn"]].name == f"audit-{place}"
        assert queues[target.inputs["deadLetterConfig"]["arn"]].inputs.get("region") == region
        assert roles[target.inputs["roleArn"]] == f"audit-{place}"
        assert target.inputs["retryPolicy"] == {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 24}
        bus = f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/default"
        assert target.inputs["arn"] == (bus if region else critical)
        assert ("inputTransformer" in target.inputs) is (region is None)


def test_the_bells_may_publish_to_one_topic_and_the_other_regions_hand_on_to_one_bus(graph):
    critical = graph.one("aws:sns/topic:Topic", "alerts-critical").outputs["arn"]
    bells = json.loads(graph.one("aws:iam/rolePolicy:RolePolicy", "audit-bells").inputs["policy"])["Statement"]
    assert [(one["Action"], one["Resource"]) for one in bells] == [
        (["sns:Publish"], [critical]),
        (
            ["kms:Decrypt", "kms:GenerateDataKey*"],
            ["arn:aws:kms:eu-west-1:210987654321:key/00000000-1111-2222-3333-444444444444"],
        ),
    ]
    assert bells[1]["Condition"] == {"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": [critical]}}
    (hand_on,) = json.loads(graph.one("aws:iam/rolePolicy:RolePolicy", "audit-us-east-1").inputs["policy"])["Statement"]
    assert (hand_on["Action"], hand_on["Resource"]) == (
        ["events:PutEvents"],
        [f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/default"],
    )
    for place, region in (("bells", "eu-west-1"), ("us-east-1", "us-east-1"), ("eu-central-1", "eu-central-1")):
        (trust,) = json.loads(graph.one("aws:iam/role:Role", f"audit-{place}").inputs["assumeRolePolicy"])["Statement"]
        assert trust["Principal"] == {"Service": "events.amazonaws.com"}
        assert trust["Condition"] == {
            "ArnLike": {"aws:SourceArn": f"arn:aws:events:{region}:{ACCOUNT}:rule/learning-platform-staging-*"},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        }


def test_a_queue_takes_messages_of_its_regions_rules_alone(graph):
    for place, region in (("bells", None), ("us-east-1", "us-east-1"), ("eu-central-1", "eu-central-1")):
        queue = graph.one("aws:sqs/queue:Queue", f"audit-{place}")
        assert (queue.inputs["sqsManagedSseEnabled"], queue.inputs["messageRetentionSeconds"]) == (True, 1209600)
        found = statements(graph.one("aws:sqs/queuePolicy:QueuePolicy", f"audit-{place}"))
        (operator,) = found["RulesSend"]["Condition"].items()
        assert (operator[0], set(operator[1]["aws:SourceArn"])) == (
            "ArnEquals",
            {rule.outputs["arn"] for rule in rules(graph, region).values()},
        )
        assert (found["DenyInsecureTransport"]["Effect"], found["RulesSend"]["Action"]) == ("Deny", ["sqs:SendMessage"])


def test_an_alert_that_cannot_be_delivered_rings(graph):
    alarm = graph.one("aws:cloudwatch/metricAlarm:MetricAlarm", "audit-bells").inputs
    queue = graph.one("aws:sqs/queue:Queue", "audit-bells")
    assert (alarm["metricName"], alarm["dimensions"]) == (
        "ApproximateNumberOfMessagesVisible",
        {"QueueName": queue.outputs["name"]},
    )
    assert alarm["alarmActions"] == [graph.one("aws:sns/topic:Topic", "alerts-high").outputs["arn"]]


def test_detection_looks_into_every_region_that_is_used(graph):
    for type_ in (
        "aws:guardduty/detector:Detector",
        "aws:accessanalyzer/analyzer:Analyzer",
        "aws:securityhub/account:Account",
    ):
        assert {resource.inputs["region"] for resource in graph.of(type_)} == {"eu-west-1", "eu-central-1"}


def test_everything_is_a_child_of_the_component_and_what_holds_evidence_is_protected(graph):
    component = graph.one("learning-platform:audit-trail:AuditTrail")
    own = [r for r in graph.resources if r.custom and r.name.startswith("audit")]
    assert {r.parent for r in own} == {component.urn}
    assert {(r.type.rpartition(":")[2], r.name) for r in own if r.protect} == {
        ("Trail", "audit"),
        ("Key", "audit"),
        ("Bucket", "audit"),
        ("Bucket", "audit-access-logs"),
    }
    tagged = [r for r in own if "tags" in r.inputs]
    assert {r.inputs["tags"]["RunbookRef"] for r in tagged} == {"000_b5883a9168e66709.txt 7"}


def test_the_outputs_say_where_everything_is(graph):
    outputs = graph.one("learning-platform:audit-trail:AuditTrail").outputs
    assert set(outputs) == {"trailArn", "logGroupName", "bucketName", "keyArn", "metricNamespace", "alarmNames"}
    assert outputs["metricNamespace"] == "learning-platform-staging-audit"
    assert outputs["logGroupName"] == "/learning-platform/staging/audit/trail"
    assert outputs["alarmNames"]["root-use-tuned"] == "learning-platform-staging-root-use-tuned"


def test_a_new_exclusion_changes_patterns_and_renames_nothing(graph):
    other = captured(exclusions=Exclusions(services=("config.amazonaws.com",)))
    assert {r.urn for r in other.resources} == {r.urn for r in graph.resources}
    changed = {r.name for r in graph.resources if other.by_urn[r.urn].inputs != r.inputs}
    assert changed == {f"audit-{control.key}-tuned" for control in CONTROLS if control.excuses}


def test_rules_have_names_that_the_roles_know(graph):
    names = {rule.inputs["name"] for rule in graph.of("aws:cloudwatch/eventRule:EventRule")}
    assert all(re.fullmatch(r"learning-platform-staging-[a-z-]{1,38}", name) for name in names)
