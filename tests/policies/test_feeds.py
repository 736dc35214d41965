"""What alarms and escalations live on."""

import json

import pytest
from pulumi_policy.proxy import UnknownValueError

from policies.rulebook import coverage, feeds
from policies.rulebook.feeds import ALARM_FED, ALARM_WATCHES, MESSAGES_READ
from policies.rulebook.links import ATTACHMENT, ROLE, ROLE_POLICY

from .bags import UNKNOWN, not_evaluated, resource, stack_faults
from .declared import Ref, declared

COUNTER = resource(
    feeds.FILTER, "counter", {"metricTransformation": {"namespace": "platform", "name": "Errors", "value": "1"}}
)


def alarm(**props):
    return resource(feeds.ALARM, "alarm", props)


OWN = alarm(namespace="platform", metricName="Errors")
IN_MATH = alarm(metricQueries=[{"id": "m1", "metric": {"namespace": "platform", "metricName": "Errors"}}])


def test_the_rules_are_these():
    assert [rule.id for rule in feeds.RULES] == ["mon-alarm-fed", "mon-alarm-watches", "mon-messages-read"]


@pytest.mark.parametrize("looking", [OWN, IN_MATH], ids=["metric", "metric math"])
def test_an_alarm_on_a_metric_that_a_filter_counts_passes(looking):
    assert stack_faults(ALARM_FED, looking, COUNTER) == []


@pytest.mark.parametrize("looking", [OWN, IN_MATH], ids=["metric", "metric math"])
def test_an_alarm_on_a_metric_that_nothing_counts_is_named(looking):
    sentence = "Nothing counts Errors in platform, so the alarm waits for ever."
    assert stack_faults(ALARM_FED, looking) == [(sentence, "alarm")]


@pytest.mark.parametrize("namespace", ["AWS/RDS", "CWAgent"])
def test_what_aws_counts_needs_no_filter(namespace):
    assert stack_faults(ALARM_FED, alarm(namespace=namespace, metricName="CPUUtilization")) == []


def test_an_alarm_on_an_unknown_metric_is_not_evaluated():
    with pytest.raises(UnknownValueError):
        stack_faults(ALARM_FED, alarm(namespace=UNKNOWN, metricName="Errors"), COUNTER)


# What is watched

BALANCER = resource(coverage.BALANCERS[0], "balancer", {"name": "edge", "arnSuffix": "app/edge/50dc"})
GROUP = resource(coverage.GROUP, "group", {"name": "machines"})


def queried(**dimensions):
    return alarm(metricQueries=[{"id": "m1", "metric": {"dimensions": dimensions}}, {"id": "e", "expression": "m1"}])


@pytest.mark.parametrize(
    "watching",
    [
        alarm(dimensions={"LoadBalancer": "app/edge/50dc"}),
        queried(LoadBalancer="app/edge/50dc", AutoScalingGroupName="machines"),
        alarm(dimensions={"AutoScalingGroupName": "machines", "path": "/"}),
        alarm(dimensions={}),
        alarm(),
    ],
    ids=["metric", "metric math", "with another dimension", "no dimension", "unset"],
)
def test_an_alarm_on_what_is_declared_passes(watching):
    assert stack_faults(ALARM_WATCHES, watching, BALANCER, GROUP) == []


@pytest.mark.parametrize(
    ("watching", "word", "dimension"),
    [
        (alarm(dimensions={"LoadBalancer": "edge"}), "load balancer", "LoadBalancer"),
        (queried(LoadBalancer="app/gone/77ab"), "load balancer", "LoadBalancer"),
        (alarm(dimensions={"QueueName": "machines"}), "queue", "QueueName"),
        (alarm(dimensions={"Workspace": "ws-1"}), "workspace of Prometheus", "Workspace"),
    ],
)
def test_an_alarm_on_what_is_gone_is_named(watching, word, dimension):
    sentence = f"The alarm watches no {word} that is declared here: {dimension} names none."
    assert stack_faults(ALARM_WATCHES, watching, BALANCER, GROUP) == [(sentence, "alarm")]


def test_before_it_is_made_what_an_alarm_watches_is_known_by_the_dependency():
    unmade = resource(coverage.QUEUE, "queue", {"name": UNKNOWN})
    bag = {"dimensions": {"QueueName": UNKNOWN}}
    assert stack_faults(ALARM_WATCHES, resource(feeds.ALARM, "alarm", bag, uses={"dimensions": unmade}), unmade) == []
    with pytest.raises(UnknownValueError):
        stack_faults(ALARM_WATCHES, alarm(**bag), unmade)


def test_a_literal_beside_an_unknown_name_is_no_pass():
    with pytest.raises(UnknownValueError):
        stack_faults(
            ALARM_WATCHES, alarm(dimensions={"QueueName": "q"}), resource(coverage.QUEUE, "q", {"name": UNKNOWN})
        )


# What is read

READING = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def document(*actions):
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]})


INBOX = {
    "inbox": (feeds.QUEUE, {}),
    "told": (feeds.SUBSCRIPTION, {"protocol": "sqs", "endpoint": Ref("inbox", "arn")}),
    "role": (ROLE, {}),
    "may": (ROLE_POLICY, {"role": Ref("role", "name"), "policy": document(*READING)}),
    "escalate": (feeds.FUNCTION, {"role": Ref("role", "arn")}),
    "reads": (feeds.MAPPING, {"eventSourceArn": Ref("inbox", "arn"), "functionName": Ref("escalate", "arn")}),
}
UNREAD = [("No function reads queue inbox, where the topic's messages go.", "told")]


def read(*changes, **options):
    return stack_faults(MESSAGES_READ, *declared(INBOX, *changes, **options))


def test_a_queue_that_a_function_reads_passes():
    assert read() == []
    assert read(("reads", ("enabled",), True)) == []


@pytest.mark.parametrize("gone", [["reads"], ["escalate"], ["role"], ["may"]], ids=str)
def test_a_queue_that_no_function_reads_is_named(gone):
    assert read(without=gone) == UNREAD


def test_a_mapping_that_is_off_reads_nothing():
    assert read(("reads", ("enabled",), False)) == UNREAD


@pytest.mark.parametrize("action", READING)
def test_a_function_that_may_not_read_reads_nothing(action):
    assert read(("may", ("policy",), document(*(one for one in READING if one != action)))) == UNREAD


def test_aws_s_policy_for_queues_lets_read():
    policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
    attached = {"attached": (ATTACHMENT, {"role": Ref("role", "name"), "policyArn": policy})}
    assert read(without=["may"], extra=attached) == []


def test_a_policy_that_is_unknown_is_no_pass():
    with pytest.raises(UnknownValueError):
        read(("may", ("policy",), UNKNOWN))


def test_a_subscription_by_e_mail_needs_no_reader():
    told = resource(feeds.SUBSCRIPTION, "told", {"protocol": "email", "endpoint": "a@learning.example"})
    assert stack_faults(MESSAGES_READ, told) == []


# What agents collect

AGENT = {
    "metrics": {
        "metrics_collected": {
            "disk": {"measurement": ["used_percent"]},
            "mem": {"measurement": [{"name": "mem_used_percent"}]},
        }
    }
}


def collected(text, metric):
    full = resource(feeds.ALARM, "full", {"namespace": "CWAgent", "metricName": metric})
    agent = resource("aws:ssm/parameter:Parameter", "agent", {"insecureValue": text})
    return full, agent


@pytest.mark.parametrize("metric", ["disk_used_percent", "mem_used_percent"])
def test_what_an_agent_collects_feeds_an_alarm(metric):
    assert stack_faults(ALARM_FED, *collected(json.dumps(AGENT), metric)) == []


def test_what_no_agent_collects_is_named():
    assert stack_faults(ALARM_FED, *collected(json.dumps(AGENT), "swap_used_percent")) == [
        ("No agent collects swap_used_percent in CWAgent, so the alarm waits for ever.", "full")
    ]


def test_an_unknown_configuration_may_be_the_one_that_collects_it():
    other = resource("aws:ssm/parameter:Parameter", "other", {"insecureValue": UNKNOWN})
    said, _ = not_evaluated(ALARM_FED, *collected(json.dumps(AGENT), "swap_used_percent"), other)
    assert said == []
    assert stack_faults(ALARM_FED, *collected(json.dumps(AGENT), "disk_used_percent"), other) == []


def test_where_no_agent_is_configured_by_a_parameter_its_metrics_are_not_judged():
    assert stack_faults(ALARM_FED, *collected("no json", "swap_used_percent")) == []
