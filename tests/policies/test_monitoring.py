"""What the rules of the trail, the filters, the alarms and the dashboards say."""

import json
from functools import partial

import pytest

from policies.rulebook import cis_events, cis_monitoring, monitoring, threshold_matrix, trail, trail_alarms
from policies.rulebook.filter_pattern import parse
from policies.rulebook.resource import Context
from tests.policies.bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, resource, stack_faults

TRAIL, GROUP, BUCKET = trail.TRAIL, trail.LOG_GROUP, trail.BUCKETS[0]
FILTER, ALARM, TOPIC = cis_monitoring.FILTER, cis_monitoring.ALARM, cis_monitoring.TOPIC

TRAIL_BAG = {
    "isMultiRegionTrail": True,
    "enableLogFileValidation": True,
    "kmsKeyId": "arn:aws:kms:eu-west-1:210987654321:key/1",
    "cloudWatchLogsGroupArn": "arn:aws:logs:eu-west-1:210987654321:log-group:/trail:*",
    "cloudWatchLogsRoleArn": "arn:aws:iam::210987654321:role/trail",
    "s3BucketName": "trail-bucket",
    "advancedEventSelectors": [{"fieldSelectors": [{"field": "eventCategory", "equals": ["Management"]}]}],
}


def test_the_rules_are_these():
    assert [rule.id for rule in monitoring.RULES] == [
        "trail-multi-region",
        "trail-validation",
        "trail-kms",
        "trail-to-cloudwatch",
        "trail-bucket-guarded",
        "trail-kept",
        "trail-data-events",
        *(f"mon-cis-{number:02}" for number in range(1, 16)),
        "mon-credentials",
        "mon-sharing",
        "mon-blinding",
        "mon-trail-silence",
        "mon-seen-in-seconds",
        "mon-alarm-acts",
        "mon-threshold-matrix",
        "mon-dashboard",
        "detect-guardduty-analyzer",
    ]


# The trail


def test_a_stack_without_a_trail_is_told_so():
    assert stack_faults(trail.MULTI_REGION) == [
        ("The stack declares no trail, so nobody can tell afterwards who called what.", None)
    ]


def test_one_whole_trail_is_enough():
    whole, part = resource(TRAIL, "whole", TRAIL_BAG), resource(TRAIL, "part", {})
    assert stack_faults(trail.MULTI_REGION, whole, part) == []


SELECTOR = ("advancedEventSelectors", 0, "fieldSelectors")
NOT_ALL = "The trail does not record every management event."


@pytest.mark.parametrize(
    ("bag", "sentence"),
    [
        (altered(TRAIL_BAG, isMultiRegionTrail=False), "The trail records its own region alone."),
        (altered(TRAIL_BAG, isMultiRegionTrail=ABSENT), "The trail records its own region alone."),
        (
            altered(TRAIL_BAG, includeGlobalServiceEvents=False),
            "The trail leaves out the events of global services, such as IAM.",
        ),
        (altered(TRAIL_BAG, enableLogging=False), "The trail does not record: its logging is switched off."),
        (altered(TRAIL_BAG, *SELECTOR, 0, "equals", to=["Data"]), NOT_ALL),
        (
            altered(
                TRAIL_BAG,
                *SELECTOR,
                to=[{"field": "eventCategory", "equals": ["Management"]}, {"field": "readOnly", "equals": ["true"]}],
            ),
            NOT_ALL,
        ),
        (
            altered(
                TRAIL_BAG,
                *SELECTOR,
                to=[
                    {"field": "eventCategory", "equals": ["Management"]},
                    {"field": "eventSource", "notEquals": ["kms.amazonaws.com"]},
                ],
            ),
            NOT_ALL,
        ),
        (altered(TRAIL_BAG, advancedEventSelectors=ABSENT, eventSelectors=[{"readWriteType": "WriteOnly"}]), NOT_ALL),
        (
            altered(TRAIL_BAG, advancedEventSelectors=ABSENT, eventSelectors=[{"includeManagementEvents": False}]),
            NOT_ALL,
        ),
        (
            altered(
                TRAIL_BAG,
                advancedEventSelectors=ABSENT,
                eventSelectors=[{"excludeManagementEventSources": ["kms.amazonaws.com"]}],
            ),
            NOT_ALL,
        ),
    ],
)
def test_a_trail_with_a_gap(bag, sentence):
    assert stack_faults(trail.MULTI_REGION, resource(TRAIL, "audit", bag)) == [(sentence, "audit")]


@pytest.mark.parametrize(
    "bag",
    [
        TRAIL_BAG,
        altered(TRAIL_BAG, advancedEventSelectors=ABSENT),
        altered(TRAIL_BAG, advancedEventSelectors=ABSENT, eventSelectors=[{"readWriteType": "All"}]),
        altered(TRAIL_BAG, enableLogging=True, includeGlobalServiceEvents=True),
    ],
)
def test_a_trail_without_a_gap(bag):
    assert stack_faults(trail.MULTI_REGION, resource(TRAIL, "audit", bag)) == []


@pytest.mark.parametrize(
    ("rule", "changes", "sentence"),
    [
        (
            trail.VALIDATION,
            {"enableLogFileValidation": False},
            "The trail's files are not validated, so a change to one would not show.",
        ),
        (
            trail.VALIDATION,
            {"enableLogFileValidation": ABSENT},
            "The trail's files are not validated, so a change to one would not show.",
        ),
        (trail.ENCRYPTED, {"kmsKeyId": ABSENT}, "The trail's files are not encrypted with a customer key."),
        (trail.ENCRYPTED, {"kmsKeyId": ""}, "The trail's files are not encrypted with a customer key."),
        (
            trail.SEARCHED,
            {"cloudWatchLogsGroupArn": ABSENT},
            "The trail goes to no log group, so no filter can count what is in it.",
        ),
        (
            trail.SEARCHED,
            {"cloudWatchLogsRoleArn": ABSENT},
            "The trail has no role to write to its log group with.",
        ),
    ],
)
def test_a_trail_that_lacks_something(rule, changes, sentence):
    assert faults(rule, resource(TRAIL, "audit", TRAIL_BAG)) == []
    assert faults(rule, resource(TRAIL, "audit", altered(TRAIL_BAG, **changes))) == [sentence]


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        (trail.VALIDATION, "enableLogFileValidation"),
        (trail.ENCRYPTED, "kmsKeyId"),
        (trail.SEARCHED, "cloudWatchLogsGroupArn"),
    ],
)
def test_what_is_not_known_of_a_trail_is_not_judged(rule, key):
    with pytest.raises(UnknownValueError):
        faults(rule, resource(TRAIL, "audit", altered(TRAIL_BAG, **{key: UNKNOWN})))


BLOCK = dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True)


def kept(bucket=None, block=BLOCK, logged=True, trail_bag=TRAIL_BAG):
    place = resource(BUCKET, "audit", {"bucket": "trail-bucket", **(bucket or {})})
    found = [resource(TRAIL, "audit", trail_bag, uses={"s3BucketName": place}), place]
    if block is not None:
        found.append(
            resource(trail.PUBLIC_ACCESS_BLOCK, "audit", {"bucket": "trail-bucket", **block}, uses={"bucket": place})
        )
    if logged:
        bag = {"bucket": "trail-bucket", "targetBucket": "logs"}
        found.append(resource(trail.LOGGING[0], "audit", bag, uses={"bucket": place}))
    return found


def test_a_guarded_bucket_passes():
    assert stack_faults(trail.GUARDED_BUCKET, *kept()) == []
    assert stack_faults(trail.GUARDED_BUCKET, *kept({"loggings": [{"targetBucket": "logs"}]}, logged=False)) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"block": None}, "The trail's bucket does not block all public access."),
        ({"block": altered(BLOCK, ignorePublicAcls=False)}, "The trail's bucket does not block all public access."),
        ({"block": altered(BLOCK, blockPublicPolicy=ABSENT)}, "The trail's bucket does not block all public access."),
        ({"logged": False}, "The trail's bucket does not log who reads it."),
        (
            {"bucket": {"forceDestroy": True}},
            "The trail's bucket may be destroyed with everything in it (forceDestroy).",
        ),
    ],
)
def test_a_bucket_that_lacks_a_guard(arguments, sentence):
    assert stack_faults(trail.GUARDED_BUCKET, *kept(**arguments)) == [(sentence, "audit")]


def test_a_bucket_of_others_cannot_be_judged_as_guarded():
    assert stack_faults(trail.GUARDED_BUCKET, resource(TRAIL, "audit", TRAIL_BAG)) == [
        ("The trail's bucket is not declared here; its guards are not known.", "audit")
    ]


def recording(*fields, **basic):
    selectors = [{"fieldSelectors": [{"field": name, **how} for name, how in fields]}]
    if basic:
        return altered(TRAIL_BAG, advancedEventSelectors=ABSENT, eventSelectors=[basic])
    return altered(TRAIL_BAG, advancedEventSelectors=[*TRAIL_BAG["advancedEventSelectors"], *selectors])


DATA = ("eventCategory", {"equals": ["Data"]})
OBJECTS = ("resources.type", {"equals": ["AWS::S3::Object"]})
MISSED = [("No trail records who reads and writes the objects of this backup bucket.", "backups")]


@pytest.mark.parametrize(
    ("bag", "found"),
    [
        (TRAIL_BAG, MISSED),
        (recording(DATA, OBJECTS), []),
        (recording(DATA, OBJECTS, ("resources.ARN", {"startsWith": ["arn:aws:s3:::the-backups/"]})), []),
        (recording(DATA, OBJECTS, ("resources.ARN", {"startsWith": ["arn:aws:s3:::other/"]})), MISSED),
        (recording(DATA, OBJECTS, ("readOnly", {"equals": ["false"]})), MISSED),
        (recording(DATA, ("resources.type", {"equals": ["AWS::Lambda::Function"]})), MISSED),
        (recording(dataResources=[{"type": "AWS::S3::Object", "values": ["arn:aws:s3"]}]), []),
        (recording(dataResources=[{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::the-backups/"]}]), []),
        (recording(dataResources=[{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::other/"]}]), MISSED),
        (
            recording(readWriteType="WriteOnly", dataResources=[{"type": "AWS::S3::Object", "values": ["arn:aws:s3"]}]),
            MISSED,
        ),
    ],
)
def test_objects_of_backups_and_evidence_are_recorded(bag, found):
    bucket = resource(
        BUCKET,
        "backups",
        {"bucket": "the-backups", "arn": "arn:aws:s3:::the-backups", "tags": {"Purpose": "backup"}},
    )
    uses = {"advancedEventSelectors": bucket, "eventSelectors": bucket}
    assert stack_faults(trail.OBJECT_EVENTS, resource(TRAIL, "audit", bag, uses=uses), bucket) == found


def test_neither_other_buckets_nor_the_trails_own_need_object_events():
    own = kept({"tags": {"Purpose": "evidence"}})
    pages = resource(BUCKET, "pages", {"bucket": "pages", "tags": {"Purpose": "pages"}})
    assert stack_faults(trail.OBJECT_EVENTS, *own, pages) == []
    assert stack_faults(trail.OBJECT_EVENTS, pages) == []


# The filters: trail changes stand for all controls that list calls

NAMES = ("CreateTrail", "UpdateTrail", "DeleteTrail", "StartLogging", "StopLogging")


def any_of(*names, more=""):
    return "{ (" + " || ".join(f"$.eventName = {name}" for name in names) + f"){more} }}"


DEPLOYS = (
    ' && ($.userIdentity.arn NOT EXISTS || $.userIdentity.arn != "arn:aws:sts::210987654321:assumed-role/deploy/*")'
)

ALARM_BAG = {
    "namespace": "audit",
    "statistic": "Sum",
    "period": 300,
    "evaluationPeriods": 1,
    "threshold": 1,
    "comparisonOperator": "GreaterThanOrEqualToThreshold",
}

group = resource(GROUP, "trail", {"name": "/trail", "arn": "arn:aws:logs:eu-west-1:210987654321:log-group:/trail"})
other_group = resource(
    GROUP, "other", {"name": "/other", "arn": "arn:aws:logs:eu-west-1:210987654321:log-group:/other"}
)
audit_trail = resource(TRAIL, "audit", TRAIL_BAG, uses={"cloudWatchLogsGroupArn": group})
low, high = (
    resource(TOPIC, severity, {"arn": f"arn:aws:sns:eu-west-1:210987654321:{severity}", "tags": {"Severity": severity}})
    for severity in ("low", "high")
)


def counter(name, pattern, topic=high, where=group, alarm=None, alarms=1, value="1"):
    """A filter called ``name`` and its alarms; ``alarm``: changes of the alarm's properties."""
    bag = {
        "logGroupName": where.props["name"],
        "pattern": pattern,
        "metricTransformation": {"name": name, "namespace": "audit", "value": value},
    }
    ring = {**ALARM_BAG, "metricName": name, "alarmActions": [topic.props["arn"]]}
    ring = altered(ring, **(alarm or {}))
    return [
        resource(FILTER, name, bag, uses={"logGroupName": where}),
        *(resource(ALARM, f"{name}-alarm", ring, uses={"alarmActions": topic}) for _ in range(alarms)),
    ]


def evidence(pattern=None, **changes):
    return counter("evidence", pattern or any_of(*NAMES), **{"topic": low, **changes})


def pager(pattern=None, **changes):
    return counter("pager", pattern or any_of(*NAMES, more=DEPLOYS), **changes)


def said(*resources, number=5):
    rule = next(rule for rule in cis_monitoring.RULES if rule.id == f"mon-cis-{number:02}")
    return stack_faults(rule, audit_trail, group, other_group, low, high, *resources)


def test_evidence_and_a_pager_pass():
    assert said(*evidence(), *pager()) == []
    assert said(*pager(), *evidence()) == []


def test_evidence_may_page_too():
    assert said(*evidence(topic=high), *pager()) == []
    assert said(*evidence(topic=high), *pager(any_of(*NAMES))) == []


@pytest.mark.parametrize(
    "pattern",
    [
        any_of(*reversed(NAMES)),
        '{ $.eventSource = "cloudtrail.amazonaws.com" && $.readOnly IS FALSE }',
        "{ $.eventName = *Trail || $.eventName = *Logging }",
        "{ $.eventName = %Trail$|Logging$% }",
    ],
)
def test_other_words_for_the_same_pass(pattern):
    assert said(*evidence(pattern), *pager()) == []
    assert said(*evidence(), *pager(pattern)) == []


@pytest.mark.parametrize("missing", NAMES)
def test_one_missing_event_is_named(missing):
    rest = [name for name in NAMES if name != missing]
    assert said(*evidence(any_of(*rest)), *pager()) == [
        (f"The filter does not count {missing}, so there is no evidence of it.", "evidence")
    ]
    assert said(*evidence(), *pager(any_of(*rest, more=DEPLOYS))) == [
        (f"The filter does not count {missing}, so nobody is paged for it.", "pager")
    ]


def test_several_missing_events_are_named_together():
    assert said(*evidence(), *pager(any_of("CreateTrail", "UpdateTrail", "DeleteTrail"))) == [
        ("The filter does not count StartLogging and StopLogging, so nobody is paged for it.", "pager")
    ]


@pytest.mark.parametrize(
    ("more", "by"),
    [
        (' && $.userIdentity.type = "IAMUser"', ("a role", "the root user")),
        (' && $.userIdentity.type != "AssumedRole"', ("a role",)),
        (' && $.awsRegion = "us-east-1"', ("a role", "the root user")),
        (" && $.sourceIPAddress != 192.0.2.*", ("the root user",)),
        (' && $.userIdentity.sessionContext.sessionIssuer.arn != "x"', ("an IAM user", "the root user")),
    ],
)
def test_a_pager_that_knows_some_strangers_alone_is_found_out(more, by):
    ((sentence, name),) = said(*evidence(), *pager(any_of(*NAMES, more=more)))
    *first, last = (f"{event} by {who}" for event in NAMES for who in by)
    assert name == "pager"
    assert sentence == f"The filter does not count {', '.join(first)} and {last}, so nobody is paged for it."


@pytest.mark.parametrize(
    ("more", "excuse"),
    [
        (DEPLOYS, "whose userIdentity.arn is arn:aws:sts::210987654321:assumed-role/deploy/x"),
        (
            ' && ($.userIdentity.invokedBy NOT EXISTS || $.userIdentity.invokedBy != "config.amazonaws.com")',
            "whose userIdentity.invokedBy is config.amazonaws.com",
        ),
        (" && $.userIdentity.invokedBy NOT EXISTS", "that have userIdentity.invokedBy"),
        (" && $.errorCode NOT EXISTS", "that have errorCode"),
        (" && $.sourceIPAddress != 10.0.*", "whose sourceIPAddress is 10.0.x"),
        (" && $.recipientAccountId != 210987654321", "whose recipientAccountId is 210987654321"),
    ],
)
def test_evidence_that_leaves_somebody_out_is_none(more, excuse):
    assert said(*evidence(any_of(*NAMES, more=more)), *pager()) == [
        (f"The filter leaves out events {excuse}, so there is no evidence of them.", "evidence")
    ]


def test_two_filters_are_asked_for():
    assert said(*pager(any_of(*NAMES))) == [
        ("No second filter keeps evidence of changes of trails, so whoever quietens this one loses it.", "pager")
    ]
    assert said(*evidence()) == [("No filter pages for changes of trails.", "evidence")]
    assert said(*pager()) == [
        ("No second filter keeps evidence of changes of trails, so whoever quietens this one loses it.", "pager")
    ]


NONE = "No filter on the trail's log group counts changes of trails."


def test_without_any_filter_the_log_group_is_named():
    assert said() == [(NONE, "trail")]


def test_filters_on_other_logs_or_for_other_things_do_not_count():
    assert said(*evidence(where=other_group), *pager(where=other_group)) == [(NONE, "trail")]
    assert said(*counter("words", "StopLogging"), *counter("others", "{ $.eventName = PutRolePolicy }")) == [
        (NONE, "trail")
    ]


def test_a_pattern_that_cannot_be_read_is_told():
    broken = counter("broken", "{ $.eventName = }")
    told = (
        "The filter pattern is wrong at character 17, before '}': a value is expected. "
        "Put texts with signs other than _ . * + - in double quotes."
    )
    assert said(*broken) == [(NONE, "trail"), (told, "broken")]
    assert said(*broken, *evidence(), *pager()) == []


@pytest.mark.parametrize(
    ("alarm", "why"),
    [
        ({"actionsEnabled": False}, "its actions are switched off"),
        ({"alarmActions": []}, "it has no action"),
        ({"alarmActions": ABSENT}, "it has no action"),
        ({"alarmActions": ["arn:aws:automate:eu-west-1:ec2:stop"]}, "its action reaches no topic"),
        ({"statistic": "Average"}, "its statistic is Average, where Sum counts events"),
        ({"statistic": ABSENT}, "its statistic is unset, where Sum counts events"),
        ({"threshold": 2}, "one event does not make it ring: its threshold is 2"),
        ({"threshold": ABSENT}, "one event does not make it ring: its threshold is unset"),
        ({"comparisonOperator": "GreaterThanThreshold"}, "one event does not make it ring: its threshold is 1"),
        ({"comparisonOperator": "LessThanThreshold"}, "one event does not make it ring: its threshold is 1"),
        ({"evaluationPeriods": 3}, "it waits for 3 periods with events"),
        ({"period": 3600}, "it looks every 3600 seconds; 300 or less are expected"),
    ],
)
def test_an_alarm_that_nobody_hears(alarm, why):
    uses_no_topic = "alarmActions" in alarm
    sentence = f"tells nobody: {why}."
    for make, name in ((evidence, "evidence"), (pager, "pager")):
        other = pager() if make is evidence else evidence()
        broken = make(alarm=alarm)
        if uses_no_topic:
            broken[1] = resource(ALARM, f"{name}-alarm", dict(broken[1].props))
        assert said(*other, *broken) == [(f"Alarm {name}-alarm {sentence}", name)]


@pytest.mark.parametrize(
    "alarm",
    [
        {"comparisonOperator": "GreaterThanThreshold", "threshold": 0},
        {"evaluationPeriods": 3, "datapointsToAlarm": 1},
        {"period": 60},
        {"statistic": "SampleCount"},
        {"actionsEnabled": True},
    ],
)
def test_an_alarm_may_be_made_otherwise(alarm):
    assert said(*evidence(), *pager(alarm=alarm)) == []


def test_a_filter_without_an_alarm_is_named():
    assert said(*evidence(alarms=0), *pager()) == [("No alarm watches the filter's metric.", "evidence")]
    assert said(*evidence(), *pager(alarms=0)) == [("No alarm watches the filter's metric.", "pager")]


def test_a_pager_whose_topic_is_low_pages_nobody():
    assert said(*evidence(), *pager(topic=low)) == [
        ("The filter's alarm goes to a topic of low severity alone, so nobody is paged.", "pager")
    ]


def test_a_topic_of_others_may_page():
    elsewhere = pager()
    elsewhere[1] = resource(
        ALARM, "pager-alarm", altered(elsewhere[1].props, alarmActions=["arn:aws:sns:eu-west-1:999999999999:security"])
    )
    assert said(*evidence(), *elsewhere) == []


def test_a_filter_that_counts_everything_says_nothing():
    assert said(*evidence("{ $.eventName = * }"), *pager()) == [
        ("The filter counts DescribeInstances too, so its alarm says nothing.", "evidence")
    ]


def test_what_is_not_known_of_a_filter_is_neither_pass_nor_fault():
    unknown = resource(FILTER, "unknown", altered(pager()[0].props, pattern=UNKNOWN), uses={"logGroupName": group})
    assert said(*evidence(), *pager(), unknown) == []
    with pytest.raises(UnknownValueError):
        said(*evidence(), unknown)


def test_without_a_trail_the_filters_are_not_asked_for():
    rule = cis_monitoring.RULES[4]
    assert stack_faults(rule, group, *evidence(any_of("CreateTrail"))) == []


# The controls themselves


@pytest.mark.parametrize("control", cis_events.CONTROLS, ids=lambda control: str(control.number))
def test_a_control_is_known_by_its_events(control):
    events = {sample.name for sample in control.paging}
    assert {sample.name for sample in control.evidence} <= events
    assert {sample.by for sample in control.paging} <= {"an IAM user", "a role", "the root user"}
    assert len({json.dumps(sample.event, sort_keys=True) for sample in control.paging}) == len(control.paging)


#: The patterns of CIS 5.0 itself, as far as their words differ from Security Hub's.
BENCHMARK = {
    1: '{ ($.errorCode ="*UnauthorizedOperation") || ($.errorCode ="AccessDenied*") '
    '&& ($.sourceIPAddress!="delivery.logs.amazonaws.com") && ($.eventName!="HeadBucket") }',
    2: '{ ($.eventName = "ConsoleLogin") && ($.additionalEventData.MFAUsed != "Yes") }',
    3: '{ $.userIdentity.type = "Root" && $.userIdentity.invokedBy NOT EXISTS && $.eventType != "AwsServiceEvent" }',
    6: '{ ($.eventName = ConsoleLogin) && ($.errorMessage = "Failed authentication") }',
    7: "{($.eventSource = kms.amazonaws.com) && (($.eventName=DisableKey)||($.eventName=ScheduleKeyDeletion)) }",
}


@pytest.mark.parametrize("number", BENCHMARK)
def test_the_benchmarks_own_words_keep_evidence_and_page(number):
    pattern = BENCHMARK[number]
    assert said(*evidence(pattern), *pager(pattern), number=number) == []
    assert not any(parse(pattern).matches(sample.event) for sample in cis_events.HARMLESS)


@pytest.mark.parametrize(
    ("number", "pattern", "sentence"),
    [
        (
            1,
            '{ $.errorCode = "AccessDenied*" }',
            "The filter does not count a call refused with Client.UnauthorizedOperation, so nobody is paged for it.",
        ),
        (
            1,
            '{ $.errorCode = "AccessDenied" || $.errorCode = "*UnauthorizedOperation" }',
            "The filter does not count a call refused with AccessDeniedException, so nobody is paged for it.",
        ),
        (
            3,
            '{ $.userIdentity.type = "Root" && $.eventType = "AwsApiCall" }',
            "The filter does not count a sign-in, so nobody is paged for it.",
        ),
        (
            3,
            '{ $.userIdentity.type = "Root" && $.readOnly IS FALSE }',
            "The filter does not count a call, so nobody is paged for it.",
        ),
        (
            6,
            '{ $.errorMessage = "Failed authentication" && $.userIdentity.type = "IAMUser" }',
            "The filter does not count a sign-in that failed by the root user, so nobody is paged for it.",
        ),
        (
            10,
            any_of(
                "AuthorizeSecurityGroupIngress",
                "AuthorizeSecurityGroupEgress",
                "RevokeSecurityGroupIngress",
                "RevokeSecurityGroupEgress",
                "CreateSecurityGroup",
                "DeleteSecurityGroup",
            ),
            "The filter does not count ModifySecurityGroupRules, so nobody is paged for it.",
        ),
    ],
)
def test_a_weaker_pager_is_found_out(number, pattern, sentence):
    whole = {1: BENCHMARK[1], 3: BENCHMARK[3], 6: BENCHMARK[6]}.get(number, pattern)
    assert said(*evidence(whole), *pager(pattern), number=number) == [(sentence, "pager")]


def own(name, *resources):
    rule = next(rule for rule in cis_monitoring.RULES if rule.id == f"mon-{name}")
    return stack_faults(rule, audit_trail, group, low, high, *resources)


def test_our_own_controls_need_a_pager_alone():
    calls = any_of("CreateAccessKey", "CreateLoginProfile", "UpdateAssumeRolePolicy")
    assert own("credentials", *pager(calls)) == []
    assert own("credentials", *pager(any_of("CreateAccessKey", "UpdateAssumeRolePolicy"))) == [
        ("The filter does not count CreateLoginProfile, so nobody is paged for it.", "pager")
    ]
    assert own("credentials") == [
        ("No filter on the trail's log group counts new ways to act as somebody else.", "trail")
    ]
    assert own("blinding", *pager(calls)) == [
        ("No filter on the trail's log group counts watching that is switched off.", "trail")
    ]


# Silence

SILENT = {
    "namespace": "AWS/Logs",
    "metricName": "IncomingLogEvents",
    "dimensions": {"LogGroupName": "/trail"},
    "statistic": "Sum",
    "threshold": 1,
    "comparisonOperator": "LessThanThreshold",
    "treatMissingData": "breaching",
    "alarmActions": ["arn:aws:sns:eu-west-1:210987654321:high"],
}


@pytest.mark.parametrize(
    ("changes", "heard"),
    [
        ({}, True),
        ({"treatMissingData": "notBreaching"}, False),
        ({"treatMissingData": ABSENT}, False),
        ({"comparisonOperator": "GreaterThanThreshold"}, False),
        ({"threshold": 1000}, False),
        ({"dimensions": {"LogGroupName": "/other"}}, False),
        ({"metricName": "IncomingBytes"}, False),
        ({"alarmActions": []}, False),
    ],
)
def test_a_silent_trail_rings(changes, heard):
    alarm = resource(ALARM, "silence", altered(SILENT, **changes), uses={"dimensions": group})
    found = stack_faults(trail_alarms.SILENCE, audit_trail, group, alarm)
    assert found == ([] if heard else [("No alarm rings when the trail's log group gets nothing any more.", "trail")])


# Alarms


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({}, []),
        ({"actionsEnabled": True}, []),
        ({"actionsEnabled": False}, ["The alarm's actions are switched off."]),
        ({"alarmActions": []}, ["The alarm has no action, so nobody hears it."]),
        ({"alarmActions": ABSENT}, ["The alarm has no action, so nobody hears it."]),
    ],
)
def test_each_alarm_acts(changes, sentences):
    bag = altered({**ALARM_BAG, "alarmActions": [high.props["arn"]]}, **changes)
    assert faults(monitoring.ALARM_ACTS, resource(ALARM, "alarm", bag)) == sentences


scaling = resource(threshold_matrix.GROUP, "web", {"name": "web-1a2b"})
service = resource(threshold_matrix.SERVICE, "backend", {"name": "backend"})
parameters = resource(
    threshold_matrix.PARAMETERS,
    "database",
    {
        "name": "database",
        "parameters": [{"name": "log_connections", "value": "1"}, {"name": "max_connections", "value": "200"}],
    },
)
database = resource(
    threshold_matrix.DATABASE,
    "database",
    {"id": "db-1", "identifier": "prod-db", "allocatedStorage": 100, "parameterGroupName": "database"},
    uses={"parameterGroupName": parameters},
)
balancer = resource(threshold_matrix.BALANCERS[0], "web", {"loadBalancerType": "application", "arnSuffix": "app/web/1"})

GIB = 1024**3


def metric_alarm(name, subject, dimension, namespace, metric, sign, threshold, **changes):
    signs = {">": "GreaterThanThreshold", ">=": "GreaterThanOrEqualToThreshold", "<": "LessThanThreshold"}
    value = next(subject.props[key] for key in ("identifier", "arnSuffix", "name") if key in set(subject.props))
    bag = {
        "namespace": namespace,
        "metricName": metric,
        "dimensions": {dimension: value},
        "statistic": "Average",
        "period": 60,
        "evaluationPeriods": 5,
        "threshold": threshold,
        "comparisonOperator": signs[sign],
    }
    return resource(ALARM, name, altered(bag, **changes), uses={"dimensions": subject})


by_group = partial(metric_alarm, subject=scaling, dimension="AutoScalingGroupName")
by_service = partial(metric_alarm, subject=service, dimension="ServiceName", namespace="AWS/ECS")
by_database = partial(metric_alarm, subject=database, dimension="DBInstanceIdentifier", namespace="AWS/RDS")
by_balancer = partial(metric_alarm, subject=balancer, dimension="LoadBalancer", namespace="AWS/ApplicationELB")


def error_rate(threshold=5, formula="100 * errors / requests", period=60, **changes):
    def query(key, name):
        metric = {
            "metricName": name,
            "namespace": "AWS/ApplicationELB",
            "period": period,
            "stat": "Sum",
            "dimensions": {"LoadBalancer": "app/web/1"},
        }
        return {"id": key, "metric": metric}

    bag = {
        "metricQueries": [
            query("errors", "HTTPCode_Target_5XX_Count"),
            query("requests", "RequestCount"),
            {"id": "rate", "expression": formula, "returnData": True},
        ],
        "evaluationPeriods": 5,
        "threshold": threshold,
        "comparisonOperator": "GreaterThanThreshold",
    }
    return resource(ALARM, "errors", {**bag, **changes}, uses={"metricQueries": balancer})


ALL = {
    "cpu": partial(by_group, namespace="AWS/EC2", metric="CPUUtilization", sign=">", threshold=80),
    "memory": partial(by_group, namespace="CWAgent", metric="mem_used_percent", sign=">", threshold=85),
    "disk": partial(by_group, namespace="CWAgent", metric="disk_used_percent", sign=">", threshold=80),
    "service-cpu": partial(by_service, metric="CPUUtilization", sign=">", threshold=80),
    "service-memory": partial(by_service, metric="MemoryUtilization", sign=">", threshold=85),
    "database-cpu": partial(by_database, metric="CPUUtilization", sign=">", threshold=80),
    "database-disk": partial(by_database, metric="FreeStorageSpace", sign="<", threshold=20 * GIB),
    "connections": partial(by_database, metric="DatabaseConnections", sign=">", threshold=160),
    "response": partial(by_balancer, metric="TargetResponseTime", sign=">", threshold=2),
}


def matrix(*but, errors=(), more=(), **changes):
    alarms = [make(name, **changes.get(name.replace("-", "_"), {})) for name, make in ALL.items() if name not in but]
    rest = [] if "errors" in but else [errors or error_rate()]
    return stack_faults(
        threshold_matrix.THRESHOLD_MATRIX, scaling, service, parameters, database, balancer, *alarms, *rest, *more
    )


def test_the_run_books_table_is_met():
    assert matrix() == []


CPU = "its CPU is above 80 % for 5 minutes"


@pytest.mark.parametrize(
    ("name", "told", "subject"),
    [
        ("cpu", CPU, "web"),
        ("memory", "its memory is above 85 % for 5 minutes", "web"),
        ("disk", "less than 20 % of its disk is free", "web"),
        ("service-cpu", CPU, "backend"),
        ("service-memory", "its memory is above 85 % for 5 minutes", "backend"),
        ("database-cpu", CPU, "database"),
        ("database-disk", "less than 20 % of its disk is free", "database"),
        ("connections", "more than 80 % of its connections are taken", "database"),
        ("response", "answers take more than 2 seconds on average", "web"),
        ("errors", "more than 5 % of requests fail within 5 minutes", "web"),
    ],
)
def test_a_missing_line_of_the_table_is_named(name, told, subject):
    assert matrix(name) == [(f"No alarm rings when {told}.", subject)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"threshold": 81}, f"Alarm cpu does not ring when {CPU}."),
        ({"comparisonOperator": "LessThanThreshold"}, f"Alarm cpu does not ring when {CPU}."),
        ({"threshold": 5}, "Alarm cpu rings even when all is well."),
        ({"period": 300}, f"Alarm cpu waits 1500 seconds before it tells that {CPU}."),
        ({"evaluationPeriods": ABSENT}, f"Alarm cpu waits unset seconds before it tells that {CPU}."),
        (
            {"statistic": "Minimum"},
            f"Alarm cpu looks at the least value of each period, which hides when {CPU}.",
        ),
        (
            {"threshold": ABSENT},
            "Alarm cpu compares with no number that can be read here, so nobody knows when it rings.",
        ),
        ({"dimensions": {"AutoScalingGroupName": "other"}}, f"No alarm rings when {CPU}."),
        ({"namespace": "AWS/RDS"}, f"No alarm rings when {CPU}."),
    ],
)
def test_an_alarm_that_falls_short_of_the_table(changes, sentence):
    make = {key: changes.pop(key) for key in ("threshold", "namespace") if changes.get(key, ABSENT) is not ABSENT}
    assert matrix(cpu={**make, **changes}) == [(sentence, "web")]


@pytest.mark.parametrize(
    "changes", [{"threshold": 60}, {"period": 60, "evaluationPeriods": 3}, {"statistic": "Maximum"}]
)
def test_an_alarm_may_ring_earlier(changes):
    assert matrix(cpu=changes) == []


def test_one_good_alarm_is_enough():
    assert matrix(cpu={"threshold": 90}, more=[ALL["cpu"]("second")]) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"connections": {"threshold": 161}},
            "Alarm connections does not ring when more than 80 % of its connections are taken.",
        ),
        ({"connections": {"threshold": 0.5}}, "Alarm connections rings even when all is well."),
        (
            {"database_disk": {"threshold": 19 * GIB}},
            "Alarm database-disk does not ring when less than 20 % of its disk is free.",
        ),
    ],
)
def test_thresholds_follow_from_the_database_itself(change, sentence):
    assert matrix(**change) == [(sentence, "database")]


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        (error_rate(threshold=6), "Alarm errors does not ring when more than 5 % of requests fail within 5 minutes."),
        (
            error_rate(formula="errors / requests"),
            "Alarm errors does not ring when more than 5 % of requests fail within 5 minutes.",
        ),
        (
            error_rate(period=300),
            "Alarm errors waits 1500 seconds before it tells that more than 5 % of requests fail within 5 minutes.",
        ),
        (
            error_rate(formula="ANOMALY_DETECTION_BAND(errors, 2)"),
            "Alarm errors compares with no number that can be read here, so nobody knows when it rings.",
        ),
    ],
)
def test_a_rate_is_worked_out_from_its_formula(errors, sentence):
    assert matrix(errors=errors) == [(sentence, "web")]


def test_a_share_of_one_is_as_good_as_a_percentage():
    assert matrix(errors=error_rate(threshold=0.05, formula="IF(requests > 0, errors / requests, 0)")) == []


def test_a_network_load_balancer_answers_no_requests():
    network = resource(threshold_matrix.BALANCERS[0], "tcp", {"loadBalancerType": "network"})
    assert stack_faults(threshold_matrix.THRESHOLD_MATRIX, network) == []


def test_without_a_parameter_group_an_alarm_on_connections_is_asked_for_all_the_same():
    bare = resource(threshold_matrix.DATABASE, "bare", {"identifier": "bare", "allocatedStorage": 100})
    found = stack_faults(threshold_matrix.THRESHOLD_MATRIX, bare)
    assert ("No alarm rings when more than 80 % of its connections are taken.", "bare") in found
    alarm = metric_alarm("any", bare, "DBInstanceIdentifier", "AWS/RDS", "DatabaseConnections", ">", 500)
    assert len(stack_faults(threshold_matrix.THRESHOLD_MATRIX, bare, alarm)) == len(found) - 1


# Dashboards and detection


def dashboard(name, *namespaces):
    metrics = [[namespace, "Any"] for namespace in namespaces]
    return resource(
        monitoring.DASHBOARD, name, {"dashboardBody": json.dumps({"widgets": [{"properties": {"metrics": metrics}}]})}
    )


BACKUPS = resource(monitoring.BACKUP_PLAN, "weekly")
SUBJECTS = (scaling, database, balancer, service, BACKUPS)
SPACES = ("AWS/EC2", "AWS/RDS", "AWS/ApplicationELB", "AWS/ECS", "AWS/Backup")


@pytest.mark.parametrize(
    ("dashboards", "found"),
    [
        ([dashboard("all", *SPACES)], []),
        ([dashboard("some", "AWS/EC2"), dashboard("all", *SPACES)], []),
        ([dashboard("most", *SPACES[:4])], [("The dashboard does not show the backups.", "most")]),
        (
            [dashboard("few", "AWS/EC2", "AWS/ECS"), dashboard("fewer")],
            [("The dashboard does not show the load balancer, the database and the backups.", "few")],
        ),
        (
            [],
            [
                (
                    "The stack has no dashboard; one that shows the servers, the containers, the load balancer, the "
                    "database and the backups is expected.",
                    None,
                )
            ],
        ),
    ],
)
def test_one_dashboard_shows_all_that_there_is(dashboards, found):
    assert stack_faults(monitoring.SHOWN, *SUBJECTS, *dashboards) == found


def test_a_dashboard_shows_what_is_there_and_may_search_for_it():
    search = {
        "widgets": [{"properties": {"metrics": [[{"expression": "SEARCH('{AWS/RDS,DBInstanceIdentifier} CPU')"}]]}}]
    }
    body = resource(monitoring.DASHBOARD, "search", {"dashboardBody": json.dumps(search)})
    assert stack_faults(monitoring.SHOWN, database, body) == []
    assert stack_faults(monitoring.SHOWN, group) == []
    broken = resource(monitoring.DASHBOARD, "broken", {"dashboardBody": "{"})
    assert stack_faults(monitoring.SHOWN, database, broken) == [("The dashboard does not show the database.", "broken")]


def watchmen(*regions, **changes):
    return [
        resource(token, f"{token}-{region}", {"region": region, **changes.get(key, {})})
        for region in regions
        for key, token in (
            ("detector", monitoring.DETECTOR),
            ("analyzer", monitoring.ANALYZER),
            ("hub", monitoring.HUB),
        )
    ]


TWO = Context(regions=("eu-west-1", "eu-central-1"))


@pytest.mark.parametrize(
    ("resources", "context", "found"),
    [
        (watchmen("eu-west-1", "eu-central-1"), TWO, []),
        (watchmen("eu-west-1"), Context(), []),
        ([resource(one.type, one.name) for one in watchmen("x")], Context(regions=("eu-west-1",)), []),
        (
            watchmen("eu-west-1"),
            TWO,
            [
                "There is no GuardDuty detector in eu-central-1.",
                "There is no access analyzer in eu-central-1.",
                "There is no Security Hub in eu-central-1.",
            ],
        ),
        (
            watchmen("eu-west-1", detector={"enable": False}, analyzer={"type": "ACCOUNT_UNUSED_ACCESS"}),
            Context(regions=("eu-west-1",)),
            ["There is no GuardDuty detector in eu-west-1.", "There is no access analyzer in eu-west-1."],
        ),
        (
            [],
            Context(),
            ["There is no GuardDuty detector.", "There is no access analyzer.", "There is no Security Hub."],
        ),
    ],
)
def test_detection_looks_into_every_region_that_is_used(resources, context, found):
    said_of = stack_faults(monitoring.DETECTION, *resources, context=context)
    assert said_of == [(sentence, None) for sentence in found]
