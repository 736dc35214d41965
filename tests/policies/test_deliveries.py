"""Whether what is sent arrives."""

import json

import pytest
from pulumi_policy.proxy import UnknownValueError

from policies.rulebook.deliveries import (
    CHAT,
    EVENT_RULE,
    EVENT_TARGET,
    EVENTS_ARRIVE,
    FUNCTION,
    MACHINE,
    PERMISSION,
    QUEUE,
    QUEUE_POLICY,
    RULES,
    SUBSCRIPTION,
    TOPIC,
    TOPIC_POLICY,
    TOPICS_READ,
)
from policies.rulebook.links import ROLE, ROLE_POLICY
from policies.rulebook.resource import SECRET
from tests.policies.bags import ABSENT, UNKNOWN, not_evaluated, stack_faults
from tests.policies.declared import Ref, declared

HERE = "arn:aws:any:eu-west-1:123456789012:"


def lets_in(service, action, *senders):
    """A policy that lets a service in for what comes from ``senders``."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": "*"}
    return json.dumps(
        {"Statement": [{**statement, "Condition": {"ArnEquals": {"aws:SourceArn": [HERE + one for one in senders]}}}]}
    )


def allows(*actions, on="*"):
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": on}]})


TRUST = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
)


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["mon-events-arrive", "mon-topic-read"]


# Events

EVENTS = {
    "bell": (EVENT_RULE, {"name": "bell", "state": "ENABLED"}),
    "rings": (
        EVENT_TARGET,
        {
            "rule": "bell",
            "arn": Ref("topic", "arn"),
            "roleArn": Ref("role", "arn"),
            "deadLetterConfig": {"arn": Ref("dead", "arn")},
        },
    ),
    "clears": (EVENT_RULE, {}),
    "cleared": (EVENT_TARGET, {"rule": Ref("clears", "name"), "arn": Ref("inbox", "arn")}),
    "topic": (TOPIC, {}),
    "role": (ROLE, {"assumeRolePolicy": TRUST}),
    "may": (ROLE_POLICY, {"role": Ref("role", "name"), "policy": allows("sns:Publish", on=f"{HERE}topic")}),
    "dead": (QUEUE, {}),
    "bury": (
        QUEUE_POLICY,
        {"queueUrl": Ref("dead"), "policy": lets_in("events.amazonaws.com", "sqs:SendMessage", "bell")},
    ),
    "inbox": (QUEUE, {}),
    "let": (
        QUEUE_POLICY,
        {"queueUrl": Ref("inbox"), "policy": lets_in("events.amazonaws.com", "sqs:SendMessage", "clears")},
    ),
}


def events(*changes, **options):
    return stack_faults(EVENTS_ARRIVE, *declared(EVENTS, *changes, **options))


def test_events_that_arrive_pass():
    assert events() == []


@pytest.mark.parametrize(("path", "value"), [(("state",), "DISABLED"), (("isEnabled",), False)])
def test_a_rule_that_is_off_is_named(path, value):
    assert events(("bell", path, value)) == [
        ("The rule is switched off, so nobody hears of what it waits for.", "bell")
    ]


def test_a_rule_without_a_target_is_named():
    sentence = "The rule has no target in its region, so what it catches goes nowhere."
    assert events(without=["rings"]) == [(sentence, "bell")]
    assert events(("bell", ("region",), "eu-north-1")) == [
        (sentence, "bell"),
        ("The target is of no rule that is declared here, so nothing comes to it.", "rings"),
    ]


def test_a_target_without_its_rule_is_named():
    assert events(without=["bell"]) == [
        ("The target is of no rule that is declared here, so nothing comes to it.", "rings")
    ]


def test_a_rule_of_the_same_name_in_another_region_has_a_target_of_its_own():
    far = {"name": "bell", "region": "eu-north-1"}
    aim = {**EVENTS["rings"][1], "region": "eu-north-1"}
    elsewhere = {"far": (EVENT_RULE, {**far, "arn": f"{HERE}bell"}), "far-rings": (EVENT_TARGET, aim)}
    assert events(extra=elsewhere) == []
    assert [name for _, name in events(extra=elsewhere, without=["far-rings"])] == ["far"]


@pytest.mark.parametrize(
    ("gone", "name", "sentence"),
    [
        ("topic", "rings", "What the rule catches goes to a topic that is not declared here."),
        ("inbox", "cleared", "What the rule catches goes to a queue that is not declared here."),
    ],
)
def test_a_receiver_that_is_gone_is_named(gone, name, sentence):
    literal = {"rings": "arn:aws:sns:eu-west-1:1:x", "cleared": "arn:aws:sqs:eu-west-1:1:x"}[name]
    assert events((name, ("arn",), literal), without=[gone]) == [(sentence, name)]


ROLE_LACKS = "The target's role role lacks sns:Publish there, so the events are dropped."


@pytest.mark.parametrize(
    ("changes", "gone", "sentence"),
    [
        ([], ["may"], ROLE_LACKS),
        ([("may", ("policy",), allows("sns:Subscribe"))], [], ROLE_LACKS),
        ([("may", ("policy",), allows("sns:Publish", on=f"{HERE}other"))], [], ROLE_LACKS),
        ([], ["role"], "The target's role is not declared here; what it may do is not known."),
        (
            [("role", ("assumeRolePolicy",), TRUST.replace("events", "lambda"))],
            [],
            "The target's role role does not let EventBridge take it on.",
        ),
        ([("rings", ("roleArn",), ABSENT)], [], "The topic topic does not let the rule in."),
        (
            [("bury", ("policy",), lets_in("events.amazonaws.com", "sqs:SendMessage", "clears"))],
            [],
            "Its dead letters are lost: queue dead does not let them in.",
        ),
        ([("bury", ("policy",), "no json")], [], "Its dead letters are lost: queue dead does not let them in."),
        ([], ["bury"], "Its dead letters are lost: queue dead does not let them in."),
        (
            [("rings", ("deadLetterConfig",), {"arn": "arn:aws:sqs:eu-west-1:1:x"})],
            [],
            "Its dead letters go to a queue that is not declared here.",
        ),
    ],
)
def test_what_keeps_an_event_from_its_target_is_named(changes, gone, sentence):
    assert events(*changes, without=gone) == [(sentence, "rings")]


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ([], ["let"]),
        ([("let", ("policy",), lets_in("sns.amazonaws.com", "sqs:SendMessage", "clears"))], []),
        ([("let", ("policy",), lets_in("events.amazonaws.com", "sqs:ReceiveMessage", "clears"))], []),
        ([("let", ("policy",), lets_in("events.amazonaws.com", "sqs:SendMessage", "bell"))], []),
    ],
)
def test_a_queue_that_does_not_let_the_rule_in_is_named(changes, gone):
    assert events(*changes, without=gone) == [("The queue inbox does not let the rule in.", "cleared")]


def test_a_topic_may_let_rules_in_itself():
    policy = {"arn": Ref("topic", "arn"), "policy": lets_in("events.amazonaws.com", "sns:Publish", "bell")}
    assert events(("rings", ("roleArn",), ABSENT), extra={"open": (TOPIC_POLICY, policy)}) == []


def aimed_at(token, **target):
    aim = {"rule": Ref("clears", "name"), "arn": Ref("end", "arn"), **target}
    return {"end": (token, {}), "cleared": (EVENT_TARGET, aim)}


def test_a_function_lets_the_rule_in_by_a_permission():
    permit = {"function": Ref("end", "name"), "principal": "events.amazonaws.com", "sourceArn": Ref("clears", "arn")}
    whole = {**aimed_at(FUNCTION), "permit": (PERMISSION, permit)}
    assert events(extra=whole) == []
    refused = [("The function end does not let the rule in.", "cleared")]
    assert events(extra=aimed_at(FUNCTION)) == refused
    assert events(("permit", ("principal",), "sns.amazonaws.com"), extra=whole) == refused
    assert events(("permit", ("sourceArn",), Ref("bell", "arn")), extra=whole) == refused


def test_a_state_machine_is_started_by_a_role():
    assert events(extra=aimed_at(MACHINE)) == [("EventBridge has no role to start the state machine with.", "cleared")]
    starting = {**aimed_at(MACHINE, roleArn=Ref("role", "arn"))}
    assert events(("may", ("policy",), allows("sns:Publish", "states:StartExecution")), extra=starting) == []
    assert events(extra=starting) == [
        ("The target's role role lacks states:StartExecution there, so the events are dropped.", "cleared")
    ]


def test_another_bus_takes_events_by_a_role():
    bus = "arn:aws:events:eu-north-1:123456789012:event-bus/default"
    assert events(("cleared", ("arn",), bus)) == [
        ("Events are handed to another bus without a role, so it does not take them.", "cleared")
    ]
    handing = aimed_at(QUEUE, roleArn=Ref("role", "arn"))
    may = ("may", ("policy",), allows("sns:Publish", "events:PutEvents"))
    assert events(may, ("cleared", ("arn",), bus), extra=handing) == []
    assert events(("cleared", ("arn",), bus), extra=handing) == [
        ("The target's role role lacks events:PutEvents there, so the events are dropped.", "cleared")
    ]


def test_a_target_of_another_kind_is_not_judged():
    document = "arn:aws:ssm:eu-west-1:123456789012:automation-definition/x"
    assert events(("cleared", ("arn",), document)) == []


def test_an_unknown_policy_is_no_pass_and_hides_nothing():
    resources = declared(EVENTS, ("let", ("policy",), UNKNOWN), ("bell", ("state",), "DISABLED"))
    found, unknown = not_evaluated(EVENTS_ARRIVE, *resources)
    assert found == [("The rule is switched off, so nobody hears of what it waits for.", "bell")]
    assert isinstance(unknown, UnknownValueError)


# Topics

TOPICS = {
    "high": (TOPIC, {"tags": {"Severity": "high"}}),
    "mail": (SUBSCRIPTION, {"topic": Ref("high", "arn"), "protocol": "email", "endpoint": "a@learning.example"}),
    "queued": (
        SUBSCRIPTION,
        {
            "topic": Ref("high", "arn"),
            "protocol": "sqs",
            "endpoint": Ref("inbox", "arn"),
            "redrivePolicy": Ref("dead", "arn", '{"deadLetterTargetArn":"', '"}'),
        },
    ),
    "inbox": (QUEUE, {}),
    "let": (QUEUE_POLICY, {"queueUrl": Ref("inbox"), "policy": lets_in("sns.amazonaws.com", "sqs:*", "high")}),
    "dead": (QUEUE, {}),
    "bury": (
        QUEUE_POLICY,
        {"queueUrl": Ref("dead"), "policy": lets_in("sns.amazonaws.com", "sqs:*", "high", "replies")},
    ),
    "replies": (TOPIC, {}),
    "answer": (
        SUBSCRIPTION,
        {
            "topic": Ref("replies", "arn"),
            "protocol": "lambda",
            "endpoint": Ref("acknowledge", "arn"),
            "redrivePolicy": Ref("dead", "arn", '{"deadLetterTargetArn":"', '"}'),
        },
    ),
    "acknowledge": (FUNCTION, {}),
    "permit": (
        PERMISSION,
        {
            "function": Ref("acknowledge", "name"),
            "principal": "sns.amazonaws.com",
            "sourceArn": Ref("replies", "arn"),
        },
    ),
}


def topics(*changes, **options):
    return stack_faults(TOPICS_READ, *declared(TOPICS, *changes, **options))


def test_topics_that_are_read_pass():
    assert topics() == []
    assert topics(("mail", ("endpoint",), SECRET)) == []


@pytest.mark.parametrize(
    ("gone", "name", "sentence"),
    [
        (["answer"], "replies", "Nobody reads the topic: it has no subscription."),
        (["mail"], "high", "No mailbox reads the topic of high alarms, so they hang on the escalation alone."),
        (["replies"], "answer", "The subscription is to a topic that is not declared here, so nothing comes."),
        (["let"], "queued", "The queue inbox does not let the topic in."),
        (["inbox"], "queued", "The topic's messages go to a queue that is not declared here."),
        (["acknowledge"], "answer", "The topic's messages go to a function that is not declared here."),
        (["permit"], "answer", "The function acknowledge does not let the topic in."),
    ],
)
def test_what_is_taken_away_is_named(gone, name, sentence):
    assert topics(without=gone) == [(sentence, name)]


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("bury", "Its dead letters are lost: queue dead does not let them in."),
        ("dead", "Its dead letters go to a queue that is not declared here."),
    ],
)
def test_dead_letters_that_are_lost_are_named_for_each_reader(gone, sentence):
    assert topics(without=[gone]) == [(sentence, "queued"), (sentence, "answer")]


@pytest.mark.parametrize(("name", "word"), [("queued", "queue"), ("answer", "function")])
def test_a_reader_without_dead_letters_is_named(name, word):
    assert topics((name, ("redrivePolicy",), ABSENT)) == [
        (f"What the topic cannot hand to the {word} is lost: the subscription has no dead letters.", name)
    ]


@pytest.mark.parametrize("name", ["mail", "answer"])
def test_a_filter_is_named(name):
    assert topics((name, ("filterPolicy",), '{"kind":["x"]}')) == [
        ("The subscription leaves messages out: it has a filter.", name)
    ]


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("email", "https://learning.example"),
        ("email-json", "a"),
        ("https", "http://learning.example"),
        ("sms", "a@learning.example"),
        ("firehose", "arn:aws:sqs:eu-west-1:1:x"),
        ("http", ""),
    ],
)
def test_an_endpoint_that_does_not_fit_its_protocol_is_named(protocol, endpoint):
    other = {"other": (SUBSCRIPTION, {"topic": Ref("high", "arn"), "protocol": protocol, "endpoint": endpoint})}
    assert topics(extra=other) == [(f"The subscription's endpoint is none for the protocol {protocol}.", "other")]


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("https", "https://learning.example/a"),
        ("sms", "+15125550142"),
        ("firehose", "arn:aws-cn:firehose:cn-north-1:1:x"),
        ("application", "arn:aws:sns:x"),
    ],
)
def test_an_endpoint_that_fits_passes(protocol, endpoint):
    other = {"other": (SUBSCRIPTION, {"topic": Ref("high", "arn"), "protocol": protocol, "endpoint": endpoint})}
    assert topics(extra=other) == []


def test_a_chat_reads_a_topic_too():
    assert topics(without=["answer"], extra={"chat": (CHAT, {"snsTopicArns": [Ref("replies", "arn")]})}) == []


def test_an_unknown_protocol_is_no_pass():
    with pytest.raises(UnknownValueError):
        topics(("answer", ("protocol",), UNKNOWN))
