"""What alarms and escalations live on."""

import pytest
from pulumi_policy.proxy import UnknownValueError

from policies.rulebook import feeds
from policies.rulebook.feeds import ALARM_FED, MESSAGES_READ

from .bags import UNKNOWN, resource, stack_faults

COUNTER = resource(
    feeds.FILTER, "counter", {"metricTransformation": {"namespace": "platform", "name": "Errors", "value": "1"}}
)
QUEUE = resource(feeds.QUEUE, "inbox", {"arn": "arn:aws:sqs:us-east-1:210987654321:inbox"})
TOPIC = resource(feeds.SUBSCRIPTION, "told", {"protocol": "sqs", "endpoint": QUEUE.props["arn"]})
FUNCTION = resource(feeds.FUNCTION, "escalate", {"arn": "arn:aws:lambda:us-east-1:210987654321:function:escalate"})
READER = resource(feeds.MAPPING, "reads", {"eventSourceArn": QUEUE.props["arn"], "functionName": FUNCTION.props["arn"]})


def alarm(**props):
    return resource(feeds.ALARM, "alarm", props)


OWN = alarm(namespace="platform", metricName="Errors")
IN_MATH = alarm(metricQueries=[{"id": "m1", "metric": {"namespace": "platform", "metricName": "Errors"}}])


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


def test_a_queue_that_a_function_reads_passes():
    assert stack_faults(MESSAGES_READ, TOPIC, QUEUE, READER, FUNCTION) == []


@pytest.mark.parametrize("there", [[], [READER], [FUNCTION]], ids=["nothing", "no function", "no mapping"])
def test_a_queue_that_no_function_reads_is_named(there):
    sentence = "No function reads queue inbox, where the topic's messages go."
    assert stack_faults(MESSAGES_READ, TOPIC, QUEUE, *there) == [(sentence, "told")]


def test_a_subscription_by_e_mail_needs_no_reader():
    told = resource(feeds.SUBSCRIPTION, "told", {"protocol": "email", "endpoint": "a@learning.example"})
    assert stack_faults(MESSAGES_READ, told) == []
