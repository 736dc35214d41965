"""What the schedule declares."""

import json
from datetime import date

import pytest

from components._keys import Home
from components.schedule import Mutes, MutesArgs, Schedule, ScheduleArgs
from functions.common.calendar import Period
from functions.common.variables import read
from functions.schedule.env import ScheduleEnv
from policies.rulebook import documents
from runbook.preview.capture import capture
from settings.naming import Labels

ACCOUNT = "210987654321"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:learning-platform-staging-alerts-medium"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
LABELS = Labels(project="learning-platform", environment="staging", owner="platform", cost_center="lp")
PERIODS = {
    "office": Period(zone="America/Detroit", days=(0, 1, 2, 3, 4), start=450, stop=1140, holidays=(date(2026, 1, 7),))
}
SCHEDULE = "aws:scheduler/schedule:Schedule"
MUTE = "aws:cloudwatch/alarmMuteRule:AlarmMuteRule"


def declare(alarms):
    Schedule(
        "schedule",
        ScheduleArgs(
            home=Home(partition="aws", account_id=ACCOUNT, region="us-east-1"),
            regions=("us-east-1", "us-west-2"),
            periods=PERIODS,
            alarm_topic_arn=TOPIC,
            logs_key_arn=KEY,
            log_retention_days=90,
            reserved_concurrency=2,
        ),
        labels=LABELS,
    )
    Mutes(
        "mutes",
        MutesArgs(
            periods=PERIODS,
            follows={"database": "office", "web": "office"},
            alarms=alarms,
            alarms_of=[],
            ready_minutes=20,
        ),
        labels=LABELS,
    )


@pytest.fixture(scope="module")
def graph():
    return capture(lambda: declare({"database": ["db-cpu", "db-full"], "web": ["web-5xx"], "nat": ["nat-full"]}))


def statements(graph, role):
    return documents.read(graph.one("aws:iam/rolePolicy:RolePolicy", role).inputs["policy"])


def test_everything_is_known_before_the_deployment(graph):
    assert graph.fidelity.unknown == ()


def test_everything_is_a_child_and_what_can_be_is_tagged(graph):
    components = {
        graph.one("learning-platform:schedule:Schedule").urn,
        graph.one("learning-platform:schedule:Mutes").urn,
    }
    own = [r for r in graph.resources if r.custom and not r.type.startswith("pulumi:")]
    assert {r.parent for r in own} == components
    untagged = {r.type.rpartition(":")[2] for r in own if "tags" not in r.inputs}
    assert untagged == {
        "EventTarget",
        "FunctionEventInvokeConfig",
        "LogMetricFilter",
        "Permission",
        "QueuePolicy",
        "RolePolicy",
        "Schedule",
    }


def test_every_schedule_has_a_zone_a_retry_policy_and_dead_letters_and_calls_the_one_function(graph):
    made = {r.name: r.inputs for r in graph.resources if r.type == SCHEDULE}
    assert set(made) == {"schedule-office-start", "schedule-office-stop", "schedule-sweep"}
    function = graph.one("aws:lambda/function:Function").outputs["arn"]
    queue = graph.one("aws:sqs/queue:Queue").outputs["arn"]
    assert {inputs["scheduleExpressionTimezone"] for inputs in made.values()} == {"America/Detroit", "UTC"}
    for inputs in made.values():
        target = inputs["target"]
        assert (target["arn"], target["deadLetterConfig"]["arn"]) == (function, queue)
        assert target["retryPolicy"] == {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 10}
    assert made["schedule-sweep"]["flexibleTimeWindow"] == {"mode": "FLEXIBLE", "maximumWindowInMinutes": 5}
    assert made["schedule-office-stop"]["flexibleTimeWindow"] == {"mode": "OFF"}


def test_the_scheduler_takes_its_role_for_this_account_s_group_and_invokes_that_function_only(graph):
    role = graph.one("aws:iam/role:Role", "schedule-scheduler")
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    group = f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/learning-platform-staging-schedule"
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {
        "ArnLike": {"aws:SourceArn": group},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }
    assert [(list(s.actions), list(s.resources)) for s in statements(graph, "schedule-scheduler")] == [
        (["lambda:InvokeFunction"], [graph.one("aws:lambda/function:Function").outputs["arn"]]),
        (["sqs:SendMessage"], [graph.one("aws:sqs/queue:Queue").outputs["arn"]]),
    ]


def test_the_function_stops_and_starts_what_is_tagged_and_nothing_else(graph):
    policy = json.loads(graph.one("aws:iam/rolePolicy:RolePolicy", "schedule-function").inputs["policy"])
    power = ("Start", "Stop", "Update")
    changing = [s for s in policy["Statement"] if any(a.partition(":")[2].startswith(power) for a in s["Action"])]
    assert sorted(action for s in changing for action in s["Action"]) == [
        "autoscaling:UpdateAutoScalingGroup",
        "ec2:StartInstances",
        "ec2:StopInstances",
        "rds:StartDBInstance",
        "rds:StopDBInstance",
    ]
    for statement in changing:
        assert statement["Condition"] == {
            "StringEquals": {
                "aws:ResourceTag/Environment": "staging",
                "aws:ResourceTag/Project": "learning-platform",
                "aws:ResourceTag/Schedule": ["office"],
            }
        }
        regions = {resource.split(":")[3] for resource in statement["Resource"]}
        assert regions == {"us-east-1", "us-west-2"}
    everywhere = {a for s in policy["Statement"] if s["Resource"] == ["*"] for a in s["Action"]}
    assert everywhere == {
        "autoscaling:DescribeAutoScalingGroups",
        "ec2:DescribeInstances",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }


def test_the_function_reads_the_hours_and_holidays_that_the_settings_say(graph):
    said = json.loads(graph.one("aws:ssm/parameter:Parameter").inputs["insecureValue"])
    office = said["periods"]["office"]
    assert (office["zone"], office["days"], office["start"], office["stop"]) == (
        "America/Detroit",
        [0, 1, 2, 3, 4],
        450,
        1140,
    )
    assert office["holidays"] == ["2026-01-07"]


def test_the_function_reads_the_environment_that_the_component_writes(graph):
    function = graph.one("aws:lambda/function:Function")
    env = read(ScheduleEnv, function.inputs["environment"]["variables"])
    assert env.configuration == "/learning-platform/staging/schedule/configuration"
    assert env.regions == ("us-east-1", "us-west-2")
    assert env.function == function.inputs["name"]
    assert env.dead_letters == graph.one("aws:sqs/queue:Queue").outputs["url"]
    assert (function.inputs["timeout"], function.inputs["reservedConcurrentExecutions"]) == (900, 2)


def test_databases_that_come_up_reach_the_function(graph):
    rule = graph.one("aws:cloudwatch/eventRule:EventRule")
    assert json.loads(rule.inputs["eventPattern"]) == {
        "detail": {"EventID": ["RDS-EVENT-0088", "RDS-EVENT-0154"]},
        "detail-type": ["RDS DB Instance Event"],
        "source": ["aws.rds"],
    }
    permission = graph.one("aws:lambda/permission:Permission").inputs
    assert (permission["principal"], permission["sourceArn"]) == ("events.amazonaws.com", rule.outputs["arn"])


def test_each_resource_s_alarms_are_muted_by_rules_of_their_own(graph):
    muted = {}
    for rule in graph.resources:
        if rule.type == MUTE:
            muted.setdefault(rule.name.split("-")[1], []).append(rule.inputs)
    assert {resource: len(rules) for resource, rules in muted.items()} == {"database": 4, "web": 4}
    assert {tuple(rule["muteTargets"]["alarmNames"]) for rule in muted["database"]} == {("db-cpu", "db-full")}
    assert {tuple(rule["muteTargets"]["alarmNames"]) for rule in muted["web"]} == {("web-5xx",)}
    once = [rule for rule in muted["web"] if rule["rule"]["schedule"]["expression"].startswith("at(")]
    assert [(rule["rule"]["schedule"], rule.get("startDate"), rule.get("expireDate")) for rule in once] == [
        ({"duration": "P1DT12H50M", "expression": "at(2026-01-07T00:00)", "timezone": "UTC"}, None, None)
    ]


@pytest.mark.parametrize(
    ("alarms", "count"), [({"database": ["x"]}, 0), ({"database": ["x"], "web": [f"a{n}" for n in range(101)]}, 101)]
)
def test_a_resource_without_alarms_or_with_too_many_is_refused(alarms, count):
    with pytest.raises(Exception, match=f"web has {count} alarms; a mute rule names 1 to 100"):
        capture(lambda: declare(alarms))
