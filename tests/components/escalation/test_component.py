"""What the escalation declares."""

import json

import pytest

from components._keys import Home
from components.escalation import Escalation, EscalationArgs, plan
from functions.acknowledge.env import AcknowledgeEnv
from functions.common.variables import read
from functions.escalate.env import EscalateEnv
from functions.notify.env import NotifyEnv
from policies.rulebook import documents
from runbook.errors import UserError
from runbook.preview.capture import capture
from settings.naming import Labels
from tests.functions.stage import SETTINGS, settings

FUNCTION = "aws:lambda/function:Function"
ACCOUNT = "210987654321"
TOPICS = {
    severity: f"arn:aws:sns:us-east-1:{ACCOUNT}:learning-platform-staging-alerts-{severity}"
    for severity in ("critical", "high", "medium", "low")
}
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"


def escalation(protect=True, **changes):
    args = EscalationArgs(
        home=Home(partition="aws", account_id=ACCOUNT, region="us-east-1"),
        chain=plan.chain(settings(**changes)),
        topic_arns=TOPICS,
        logs_key_arn=KEY,
        protect=protect,
    )
    labels = Labels(project="learning-platform", environment="staging", owner="platform", cost_center="lp")
    return capture(lambda: Escalation("escalation", args, labels=labels) and None)


@pytest.fixture(scope="module")
def graph():
    return escalation()


def statements(resource, key="policy"):
    return documents.read(resource.inputs[key])


def allowed(graph, role):
    """Action -> resources that a role may use."""
    found = {}
    for statement in statements(graph.one("aws:iam/rolePolicy:RolePolicy", f"escalation-{role}")):
        for action in statement.actions:
            found.setdefault(action, set()).update(statement.resources)
    return found


def test_everything_is_known_before_the_deployment(graph):
    assert graph.fidelity.unknown == ()


def test_everything_is_a_child_of_the_component_and_what_can_be_is_tagged(graph):
    component = graph.one("learning-platform:escalation:Escalation")
    own = [r for r in graph.resources if r.custom and not r.type.startswith("pulumi:")]
    assert {r.parent for r in own} == {component.urn}
    untagged = {r.type.rpartition(":")[2] for r in own if "tags" not in r.inputs}
    assert untagged == {
        "Alias",
        "EventTarget",
        "Permission",
        "QueuePolicy",
        "RedriveAllowPolicy",
        "RolePolicy",
        "TopicPolicy",
        "TopicSubscription",
    }


def test_each_topic_hands_its_rings_to_the_inbox_and_failures_to_the_dead_letters(graph):
    inbox = graph.one("aws:sqs/queue:Queue", "escalation-inbox").outputs["arn"]
    dead = graph.one("aws:sqs/queue:Queue", "escalation-dead-letters").outputs["arn"]
    subscriptions = [
        s for s in graph.of("aws:sns/topicSubscription:TopicSubscription") if s.inputs["protocol"] == "sqs"
    ]
    assert {(s.inputs["topic"], s.inputs["endpoint"]) for s in subscriptions} == {(t, inbox) for t in TOPICS.values()}
    everyone = graph.of("aws:sns/topicSubscription:TopicSubscription")
    assert {s.inputs["redrivePolicy"] for s in everyone} == {json.dumps({"deadLetterTargetArn": dead})}


def test_events_that_an_alarm_has_cleared_go_the_same_way(graph):
    inbox = graph.one("aws:sqs/queue:Queue", "escalation-inbox").outputs["arn"]
    dead = graph.one("aws:sqs/queue:Queue", "escalation-dead-letters").outputs["arn"]
    target = graph.one("aws:cloudwatch/eventTarget:EventTarget")
    assert (target.inputs["arn"], target.inputs["deadLetterConfig"]) == (inbox, {"arn": dead})
    assert json.loads(graph.one("aws:cloudwatch/eventRule:EventRule").inputs["eventPattern"]) == {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"state": {"value": ["OK"]}},
    }


def test_a_message_of_the_inbox_is_tried_five_times_one_by_one_and_then_buried(graph):
    inbox = graph.one("aws:sqs/queue:Queue", "escalation-inbox")
    dead = graph.one("aws:sqs/queue:Queue", "escalation-dead-letters").outputs["arn"]
    assert json.loads(inbox.inputs["redrivePolicy"]) == {"deadLetterTargetArn": dead, "maxReceiveCount": 5}
    mapping = graph.one("aws:lambda/eventSourceMapping:EventSourceMapping").inputs
    assert (mapping["batchSize"], mapping["functionResponseTypes"]) == (1, ["ReportBatchItemFailures"])
    function = graph.one(FUNCTION, "escalation-escalate")
    assert inbox.inputs["visibilityTimeoutSeconds"] >= 6 * function.inputs["timeout"]


@pytest.mark.parametrize("queue", ["inbox", "dead-letters"])
def test_only_the_topics_and_the_rule_put_messages_into_a_queue(graph, queue):
    policy = statements(graph.one("aws:sqs/queuePolicy:QueuePolicy", f"escalation-{queue}"))
    senders = {
        statement.services()[0]: {value for condition in statement.conditions for value in condition.values}
        for statement in policy
        if statement.allows
    }
    replies = {graph.one("aws:sns/topic:Topic").outputs["arn"]}
    assert senders == {
        "events.amazonaws.com": {graph.one("aws:cloudwatch/eventRule:EventRule").outputs["arn"]},
        "sns.amazonaws.com": {*TOPICS.values(), *(replies if queue == "dead-letters" else ())},
    }
    assert [statement.conditions[0].key for statement in policy if not statement.allows] == ["aws:securetransport"]


@pytest.mark.parametrize("name", ["acknowledge", "escalate", "notify"])
def test_a_function_is_traced_bounded_encrypted_and_has_dead_letters_and_a_log(graph, name):
    function = graph.one(FUNCTION, f"escalation-{name}").inputs
    dead = graph.one("aws:sqs/queue:Queue", "escalation-dead-letters").outputs["arn"]
    group = graph.one("aws:cloudwatch/logGroup:LogGroup", f"escalation-{name}").inputs
    assert function["runtime"] == "python3.13"
    assert function["architectures"] == ["arm64"]
    assert function["tracingConfig"] == {"mode": "Active"}
    assert function["deadLetterConfig"] == {"targetArn": dead}
    assert function["reservedConcurrentExecutions"] == 10
    assert function["kmsKeyArn"] == graph.one("aws:kms/key:Key").outputs["arn"]
    assert function["loggingConfig"] == {
        "applicationLogLevel": "INFO",
        "logFormat": "JSON",
        "logGroup": group["name"],
    }
    assert (group["retentionInDays"], group["kmsKeyId"]) == (365, KEY)


@pytest.mark.parametrize(
    ("name", "env_type"), [("acknowledge", AcknowledgeEnv), ("escalate", EscalateEnv), ("notify", NotifyEnv)]
)
def test_a_function_reads_from_its_variables_what_the_component_wrote(graph, name, env_type):
    function = graph.one(FUNCTION, f"escalation-{name}")
    env = read(env_type, function.inputs["environment"]["variables"])
    assert env.table == graph.one("aws:dynamodb/table:Table").outputs["name"]
    assert env.variables() == function.inputs["environment"]["variables"]


def test_the_escalate_function_knows_the_severity_of_each_topic_and_the_machine(graph):
    env = read(EscalateEnv, graph.one(FUNCTION, "escalation-escalate").inputs["environment"]["variables"])
    assert env.topics == {arn: severity for severity, arn in TOPICS.items()}
    assert env.machine_arn.endswith(":stateMachine:" + graph.one("aws:sfn/stateMachine:StateMachine").inputs["name"])
    assert [(rung.name, rung.minutes) for rung in env.rungs][:4] == [
        ("slack", 0),
        ("email", 5),
        ("sms", 10),
        ("phone", 15),
    ]


@pytest.mark.parametrize(("reserved", "at_a_time"), [(4, 2), (10, 5), (None, 5)])
def test_the_inbox_leaves_runs_to_the_state_machine(reserved, at_a_time):
    graph = escalation(reserved_concurrency=reserved)
    mapping = graph.one("aws:lambda/eventSourceMapping:EventSourceMapping").inputs
    assert mapping["scalingConfig"] == {"maximumConcurrency": at_a_time}
    functions = graph.of(FUNCTION)
    assert {function.inputs.get("reservedConcurrentExecutions") for function in functions} == {reserved}


def test_a_package_is_made_of_sources_by_their_path_in_the_project(graph):
    assets = graph.one(FUNCTION, "escalation-notify").inputs["code"]["assets"]
    assert {name: asset["path"] for name, asset in assets.items()} == {name: name for name in assets}
    assert {"functions/__init__.py", "functions/common/records.py", "functions/notify/handler.py"} <= set(assets)
    assert not [name for name in assets if "__pycache__" in name or name.startswith("functions/escalate")]


def test_the_state_machine_logs_everything_to_an_encrypted_group_and_is_traced(graph):
    machine = graph.one("aws:sfn/stateMachine:StateMachine").inputs
    group = graph.one("aws:cloudwatch/logGroup:LogGroup", "escalation-machine")
    assert group.inputs["name"] == "/aws/vendedlogs/states/learning-platform-staging-escalation"
    assert machine["loggingConfiguration"] == {
        "level": "ALL",
        "includeExecutionData": True,
        "logDestination": f"{group.outputs['arn']}:*",
    }
    assert (machine["type"], machine["tracingConfiguration"]) == ("STANDARD", {"enabled": True})


def test_the_state_machine_calls_the_functions_of_the_stack(graph):
    text = graph.one("aws:sfn/stateMachine:StateMachine").inputs["definition"]
    arns = {graph.one(FUNCTION, f"escalation-{name}").outputs["arn"] for name in ("escalate", "notify")}
    assert all(f'"{arn}"' in text for arn in arns)


def test_only_step_functions_of_this_account_takes_on_the_machine_s_role(graph):
    (trust,) = statements(graph.one("aws:iam/role:Role", "escalation-machine"), "assumeRolePolicy")
    assert trust.services() == ("states.amazonaws.com",)
    assert {(c.key, c.values) for c in trust.conditions} == {
        ("aws:sourceaccount", (ACCOUNT,)),
        ("aws:sourcearn", (f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:*",)),
    }


def test_the_machine_may_call_two_functions_and_write_its_logs_and_traces(graph):
    rights = allowed(graph, "machine")
    called = {graph.one(FUNCTION, f"escalation-{name}").outputs["arn"] for name in ("escalate", "notify")}
    assert rights.pop("lambda:InvokeFunction") == called
    assert {action.partition(":")[0] for action in rights} == {"logs", "xray"}
    assert not [action for action in rights if action.endswith("*")]


def test_a_function_may_do_what_it_does_and_no_more(graph):
    table = graph.one("aws:dynamodb/table:Table").outputs["arn"]
    dead = graph.one("aws:sqs/queue:Queue", "escalation-dead-letters").outputs["arn"]
    inbox = graph.one("aws:sqs/queue:Queue", "escalation-inbox").outputs["arn"]
    key = graph.one("aws:kms/key:Key").outputs["arn"]
    machine = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:learning-platform-staging-escalation"
    channels = SETTINGS["channels"]

    def shared(name):
        group = graph.one("aws:cloudwatch/logGroup:LogGroup", f"escalation-{name}").outputs["arn"]
        return {
            "dynamodb:GetItem": {table},
            "dynamodb:PutItem": {table},
            "dynamodb:UpdateItem": {table},
            "kms:Decrypt": {key},
            "kms:DescribeKey": {key},
            "kms:GenerateDataKey": {key},
            "logs:CreateLogStream": {f"{group}:*"},
            "logs:PutLogEvents": {f"{group}:*"},
            "sqs:SendMessage": {dead},
            "xray:PutTelemetryRecords": {"*"},
            "xray:PutTraceSegments": {"*"},
        }

    assert allowed(graph, "acknowledge") == shared("acknowledge") | {
        "dynamodb:Query": {f"{table}/index/by-code"},
        "states:SendTaskSuccess": {machine},
    }
    assert allowed(graph, "escalate") == shared("escalate") | {
        "cloudwatch:DescribeAlarms": {"*"},
        "lambda:InvokeFunction": {
            f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:learning-platform-staging-escalation-notify"
        },
        "sqs:DeleteMessage": {inbox},
        "sqs:GetQueueAttributes": {inbox},
        "sqs:ReceiveMessage": {inbox},
        "states:DescribeExecution": {machine.replace("stateMachine", "execution") + ":*"},
        "states:SendTaskSuccess": {machine},
        "states:StartExecution": {machine},
    }
    assert allowed(graph, "notify") == shared("notify") | {
        "secretsmanager:GetSecretValue": {channels["slack_webhook_secret"]},
        "ses:SendEmail": {channels["email_identity"]},
        "sms-voice:SendTextMessage": {channels["sms_number"]},
        "sms-voice:SendVoiceMessage": {channels["voice_number"]},
    }


def test_e_mail_comes_from_the_sender_of_the_settings_alone(graph):
    policy = statements(graph.one("aws:iam/rolePolicy:RolePolicy", "escalation-notify"))
    (mail,) = [statement for statement in policy if "ses:SendEmail" in statement.actions]
    assert [(c.key, c.values) for c in mail.conditions] == [("ses:fromaddress", ("oncall@learning.example",))]


def test_a_webhook_with_a_key_of_its_own_can_be_read():
    channels = {**SETTINGS["channels"], "slack_webhook_key": KEY}
    assert KEY in allowed(escalation(channels=channels), "notify")["kms:Decrypt"]


def test_the_record_is_recoverable_encrypted_expires_and_cannot_be_deleted_by_mistake(graph):
    table = graph.one("aws:dynamodb/table:Table")
    assert table.inputs["billingMode"] == "PAY_PER_REQUEST"
    assert table.inputs["pointInTimeRecovery"] == {"enabled": True}
    assert table.inputs["serverSideEncryption"] == {
        "enabled": True,
        "kmsKeyArn": graph.one("aws:kms/key:Key").outputs["arn"],
    }
    assert table.inputs["ttl"] == {"enabled": True, "attributeName": "expires"}
    assert (table.inputs["deletionProtectionEnabled"], table.protect) == (True, True)
    loose = escalation(protect=False).one("aws:dynamodb/table:Table")
    assert (loose.inputs["deletionProtectionEnabled"], loose.protect) == (False, False)


def test_the_key_serves_what_is_sent_to_these_queues_and_from_numbers_of_the_account(graph):
    key = graph.one("aws:kms/key:Key")
    queues = {
        graph.one("aws:sqs/queue:Queue", f"escalation-{queue}").inputs["name"] for queue in ("inbox", "dead-letters")
    }
    services = {s.services()[0]: s for s in statements(key) if s.services()}
    assert set(services) == {"events.amazonaws.com", "sns.amazonaws.com", "sms-voice.amazonaws.com"}
    for service in ("events.amazonaws.com", "sns.amazonaws.com"):
        (condition,) = services[service].conditions
        assert condition.key == "kms:encryptioncontext:aws:sqs:arn"
        assert {value.rpartition(":")[2] for value in condition.values} == queues
    assert {c.key for c in services["sms-voice.amazonaws.com"].conditions} == {"aws:sourceaccount", "aws:sourcearn"}


def test_its_alarms_go_to_the_critical_topic_when_they_ring_and_when_they_clear(graph):
    alarms = graph.of("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert len(alarms) == 12
    assert {tuple(a.inputs["alarmActions"]) for a in alarms} == {(TOPICS["critical"],)}
    assert {tuple(a.inputs["okActions"]) for a in alarms} == {(TOPICS["critical"],)}
    assert {a.inputs["treatMissingData"] for a in alarms} == {"notBreaching"}
    failed = graph.one("aws:cloudwatch/metricAlarm:MetricAlarm", "escalation-failed").inputs
    assert failed["dimensions"] == {"StateMachineArn": graph.one("aws:sfn/stateMachine:StateMachine").outputs["arn"]}
    dead = graph.one("aws:cloudwatch/metricAlarm:MetricAlarm", "escalation-dead-letters").inputs
    assert dead["dimensions"] == {"QueueName": "learning-platform-staging-escalation-dead-letters"}


def test_replies_come_from_a_number_of_the_account_to_the_acknowledge_function(graph):
    topic = graph.one("aws:sns/topic:Topic")
    policy = statements(graph.one("aws:sns/topicPolicy:TopicPolicy"))
    (publisher,) = [statement for statement in policy if statement.allows]
    assert publisher.services() == ("sms-voice.amazonaws.com",)
    assert {c.key: c.values for c in publisher.conditions} == {
        "aws:sourceaccount": (ACCOUNT,),
        "aws:sourcearn": (f"arn:aws:sms-voice:us-east-1:{ACCOUNT}:*",),
    }
    permission = graph.one("aws:lambda/permission:Permission").inputs
    assert (permission["principal"], permission["sourceArn"]) == ("sns.amazonaws.com", topic.outputs["arn"])


def test_without_replies_there_is_no_way_in_for_them():
    graph = escalation(channels={**SETTINGS["channels"], "replies": False})
    assert graph.of("aws:sns/topic:Topic", "aws:lambda/permission:Permission", "aws:sns/topicPolicy:TopicPolicy") == ()
    assert "repliesTopicArn" not in graph.one("learning-platform:escalation:Escalation").outputs
    services = {service for s in statements(graph.one("aws:kms/key:Key")) for service in s.services()}
    assert services == {"events.amazonaws.com", "sns.amazonaws.com"}
    assert (
        read(NotifyEnv, graph.one(FUNCTION, "escalation-notify").inputs["environment"]["variables"]).takes_replies
        is False
    )


def test_nothing_is_delivered_before_the_queues_take_it(graph):
    policies = {p.urn for p in graph.of("aws:sqs/queuePolicy:QueuePolicy")}
    for resource in graph.of("aws:sns/topicSubscription:TopicSubscription", "aws:cloudwatch/eventTarget:EventTarget"):
        assert policies <= set(resource.dependencies)


def test_whatever_takes_on_a_role_comes_after_what_the_role_may_do(graph):
    for resource in graph.of(FUNCTION, "aws:sfn/stateMachine:StateMachine"):
        policy = graph.one("aws:iam/rolePolicy:RolePolicy", resource.name)
        assert policy.urn in resource.dependencies


def test_no_value_of_a_secret_is_anywhere(graph):
    assert "hooks.slack.com" not in json.dumps([dict(r.inputs) for r in graph.resources])


def test_a_directory_that_is_too_long_for_a_function_stops_the_preview_with_the_way_out():
    contacts = {
        f"person{n}": {"name": "N" * 40, "email": f"{'e' * 230}{n}@learning.example", "phone": "+15125550142"}
        for n in range(10, 22)
    }
    rotation = {"first_hand_over": "2025-01-06T09:00", "order": ["person10", "person11"]}
    with pytest.raises(UserError, match="Name fewer contacts"):
        escalation(contacts=contacts, rotation=rotation)
