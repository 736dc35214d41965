"""What the patching component declares."""

import json

import pytest

from components.patching import instance_statements
from policies.rulebook import documents
from settings.naming import REQUIRED_TAGS
from tests.components.patching.stack import ACCOUNT, CALENDAR, HOME, LOGS_KEY, TOPIC, TOPIC_KEY, labels, patching

ASSOCIATION = "aws:ssm/association:Association"
BASELINE = "aws:ssm/patchBaseline:PatchBaseline"
DOCUMENT = "aws:ssm/document:Document"
GROUP = "aws:ssm/patchGroup:PatchGroup"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
POLICY = "aws:iam/rolePolicy:RolePolicy"
ROLE = "aws:iam/role:Role"
RULE = "aws:cloudwatch/eventRule:EventRule"
TARGET = "aws:cloudwatch/eventTarget:EventTarget"
WINDOW = "aws:ssm/maintenanceWindow:MaintenanceWindow"
TASK = "aws:ssm/maintenanceWindowTask:MaintenanceWindowTask"

PROD = {"environment": "prod", "image_pinned": True, "approve_until": "2026-11-10"}


@pytest.fixture(scope="module")
def staging():
    return patching(install_window="wed:14:00-wed:17:00", scan_time="12:30")


@pytest.fixture(scope="module")
def prod():
    return patching(**PROD)


def custom(graph):
    return [r for r in graph.resources if r.custom and not r.type.startswith("pulumi:")]


def statements(graph, name):
    return {one["Sid"]: one for one in json.loads(graph.one(POLICY, name).inputs["policy"])["Statement"]}


def content(graph, name):
    return json.loads(graph.one(DOCUMENT, name).inputs["content"])


def test_everything_that_is_declared_is_counted(staging):
    assert sorted((r.type.partition("/")[2].partition(":")[0], r.name) for r in custom(staging)) == sorted(
        [
            ("association", "patching-scan"),
            ("document", "patching"),
            ("document", "patching-check"),
            ("document", "patching-restart"),
            ("eventRule", "patching-failed"),
            ("eventTarget", "patching-failed"),
            ("logGroup", "patching"),
            ("maintenanceWindow", "patching"),
            ("maintenanceWindowTask", "patching"),
            ("patchBaseline", "patching"),
            ("patchGroup", "patching-hosts"),
            ("patchGroup", "patching-servers"),
            ("queue", "patching-dead-letters"),
            ("queuePolicy", "patching-dead-letters"),
            *((kind, f"patching-{role}") for kind in ("role", "rolePolicy") for role in ("failed", "run", "window")),
        ]
    )


def test_staging_approves_what_is_out_and_prod_up_to_a_day(staging, prod):
    for graph, approval in ((staging, {"approveAfterDays": 0}), (prod, {"approveUntilDate": "2026-11-10"})):
        baseline = graph.one(BASELINE).inputs
        assert baseline["operatingSystem"] == "AMAZON_LINUX_2023"
        rules = baseline["approvalRules"]
        assert len(rules) == 3
        for rule in rules:
            assert {key: rule[key] for key in rule if key.startswith("approve")} == approval
            assert {one["key"] for one in rule["patchFilters"]} == {"PRODUCT", "CLASSIFICATION", "SEVERITY"}


def test_both_groups_of_the_environment_use_the_baseline(prod):
    baseline = prod.one(BASELINE)
    assert {(g.inputs["patchGroup"], g.inputs["baselineId"]) for g in prod.of(GROUP)} == {
        ("learning-platform-prod-hosts", baseline.id),
        ("learning-platform-prod-servers", baseline.id),
    }


def test_the_window_is_the_settings_and_lets_a_run_that_began_end(staging):
    window, task = staging.one(WINDOW).inputs, staging.one(TASK).inputs
    assert {key: window[key] for key in ("schedule", "scheduleTimezone", "duration", "cutoff")} == {
        "schedule": "cron(0 14 ? * WED *)",
        "scheduleTimezone": "UTC",
        "duration": 3,
        "cutoff": 1,
    }
    assert (task["taskType"], task["taskArn"], task["cutoffBehavior"]) == (
        "AUTOMATION",
        "learning-platform-staging-patching",
        "CONTINUE_TASK",
    )
    # Systems Manager refuses them of a task without targets.
    assert not {"targets", "maxConcurrency", "maxErrors"} & set(task)


def test_every_machine_is_looked_at_every_day_and_when_it_appears(staging):
    scan = staging.one(ASSOCIATION).inputs
    assert (scan["name"], scan["parameters"]) == ("AWS-RunPatchBaseline", {"Operation": "Scan"})
    assert scan["scheduleExpression"] == "cron(30 12 ? * * *)"
    assert scan["targets"] == [
        {"key": "tag:PatchGroup", "values": ["learning-platform-staging-hosts", "learning-platform-staging-servers"]}
    ]
    assert not scan.get("applyOnlyAtCronInterval")


def test_servers_are_replaced_unless_their_image_is_pinned(staging, prod):
    for graph, replaces in ((staging, True), (prod, False)):
        names = {step["name"] for step in content(graph, "patching")["mainSteps"]}
        assert ({"replace", "replaced"} <= names) is replaces
        assert ("ReplaceServers" in statements(graph, "patching-run")) is replaces


def test_the_run_has_the_places_of_this_stack(staging):
    document = content(staging, "patching")
    assert document["assumeRole"] == staging.one(ROLE, "patching-run").outputs["arn"]
    steps = {step["name"]: step["inputs"] for step in document["mainSteps"]}
    assert steps["calendar"]["CalendarNames"] == [CALENDAR]
    assert steps["keep"]["InputPayload"]["group"] == "learning-platform-staging-hosts"
    group = {"Service": "autoscaling", "AutoScalingGroupName": "web-1234567"}
    assert steps["replace"] == {
        **group,
        "Api": "StartInstanceRefresh",
        "Strategy": "Rolling",
        "Preferences": {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200, "SkipMatching": False},
    }
    assert steps["replaced"] == {
        **group,
        "Api": "DescribeInstanceRefreshes",
        "InstanceRefreshIds": ["{{ replace.Id }}"],
        "PropertySelector": "$.InstanceRefreshes[0].Status",
        "DesiredValues": ["Successful"],
    }
    assert steps["hosts"]["CloudWatchOutputConfig"] == {
        "CloudWatchLogGroupName": "/learning-platform/staging/patching",
        "CloudWatchOutputEnabled": True,
    }


def test_the_run_may_do_exactly_its_work(staging):
    granted = statements(staging, "patching-run")
    star = {action for one in granted.values() if one["Resource"] == ["*"] for action in one["Action"]}
    assert star == {
        "autoscaling:DescribeInstanceRefreshes",
        "ec2:DescribeInstances",
        "ec2:DescribeSnapshots",
        "elasticloadbalancing:DescribeTargetHealth",
        "ssm:DescribeInstanceInformation",
        "ssm:ListCommandInvocations",
        "ssm:ListCommands",
    }
    changing = {(action, sid) for sid, one in granted.items() for action in one["Action"] if one["Resource"] != ["*"]}
    assert changing == {
        ("autoscaling:StartInstanceRefresh", "ReplaceServers"),
        ("ec2:CreateSnapshots", "MakeSnapshots"),
        ("ec2:CreateSnapshots", "SnapshotOurs"),
        ("ec2:CreateTags", "TagNewSnapshots"),
        ("ec2:DeleteSnapshot", "DeleteOldSnapshots"),
        ("ssm:GetCalendarState", "AskCalendar"),
        ("ssm:SendCommand", "PatchMachines"),
        ("ssm:SendCommand", "UseDocument"),
    }
    assert granted["UseDocument"]["Resource"] == ["arn:aws:ssm:us-east-1::document/AWS-RunPatchBaselineWithHooks"]
    assert granted["PatchMachines"]["Condition"] == {
        "StringEquals": {
            "ssm:resourceTag/PatchGroup": ["learning-platform-staging-hosts", "learning-platform-staging-servers"]
        }
    }
    assert granted["ReplaceServers"]["Resource"] == [
        f"arn:aws:autoscaling:us-east-1:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/web-1234567"
    ]
    assert granted["DeleteOldSnapshots"]["Condition"] == {
        "StringEquals": {"aws:ResourceTag/Patching": "learning-platform-staging-hosts"}
    }


def test_the_window_starts_the_run_and_nothing_else(staging):
    said = documents.read(staging.one(POLICY, "patching-window").inputs["policy"])
    assert {action for one in said for action in one.actions} == {
        "iam:PassRole",
        "ssm:GetAutomationExecution",
        "ssm:StartAutomationExecution",
    }
    passing = statements(staging, "patching-window")["PassRunRole"]
    assert passing["Resource"] == [staging.one(ROLE, "patching-run").outputs["arn"]]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}}


def test_roles_are_taken_on_for_this_account_alone(staging):
    for role in staging.of(ROLE):
        [statement] = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}


def test_a_run_that_fails_is_told_of(staging):
    rule, target = staging.one(RULE), staging.one(TARGET).inputs
    assert json.loads(rule.inputs["eventPattern"])["detail"] == {
        "Definition": ["learning-platform-staging-patching"],
        "Status": ["Cancelled", "Failed", "TimedOut"],
    }
    assert (target["arn"], target["roleArn"]) == (f"{TOPIC}-high", staging.one(ROLE, "patching-failed").outputs["arn"])
    granted = statements(staging, "patching-failed")
    assert granted["Publish"]["Resource"] == [f"{TOPIC}-high"]
    assert granted["EncryptOnTheWay"]["Resource"] == [TOPIC_KEY]


def test_the_log_is_encrypted_and_kept(prod):
    group = prod.one(LOG_GROUP).inputs
    assert (group["name"], group["kmsKeyId"], group["retentionInDays"]) == (
        "/learning-platform/prod/patching",
        LOGS_KEY,
        365,
    )


def test_machines_may_write_to_the_log_of_runs_alone():
    write = instance_statements(HOME, labels())[-1]
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/learning-platform/staging/patching"
    assert write["Resource"] == [arn, f"{arn}:*"]
    assert write["Action"] == ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]


def test_operations_find_everything_in_the_inventory(staging):
    entry = staging.exports["entry"]
    assert set(entry) == {
        "associationId",
        "baselines",
        "document",
        "groups",
        "lastStep",
        "logGroup",
        "scalingGroup",
        "windowId",
    }
    assert content(staging, "patching")["mainSteps"][-1]["name"] == entry["lastStep"]
    assert entry["groups"] == {
        "hosts": "learning-platform-staging-hosts",
        "servers": "learning-platform-staging-servers",
    }
    assert entry["baselines"] == {"AMAZON_LINUX_2023": staging.one(BASELINE).id}


def test_what_can_be_tagged_is(staging):
    untagged = {"eventTarget", "maintenanceWindowTask", "patchGroup", "queuePolicy", "rolePolicy"}
    for resource in custom(staging):
        if resource.type.partition("/")[2].partition(":")[0] not in untagged:
            assert set(REQUIRED_TAGS) <= set(resource.inputs["tags"]), resource.name


def test_a_second_preview_changes_nothing(prod):
    again = patching(**PROD)
    assert [(r.urn, r.inputs) for r in again.resources] == [(r.urn, r.inputs) for r in prod.resources]
