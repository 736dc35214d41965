"""Whether the chain of escalation is whole, and its contacts people."""

import json

import pytest

from components.escalation import machine, plan
from policies.rulebook.escalation import (
    CONTACT_CHANNEL,
    ESCALATION_CHAIN,
    FUNCTION,
    MACHINE,
    NO_PLACEHOLDER_CONTACTS,
    RULES,
    SLACK,
    SUBSCRIPTION,
    TOPIC,
)
from policies.rulebook.resource import Context, Stack
from tests.policies.bags import ABSENT, UNKNOWN, UnknownValueError, faults, resource, stack_faults
from tests.policies.declared import Ref, declared


def states(**branches):
    """A machine with the rungs of the run book beside a branch that waits for an answer."""
    rungs = {"slack": 0, "email": 5, "sms": 10, "phone": 15, **branches.pop("rungs", {})}
    climb = {
        f"Send {channel}": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"Payload": {"rung": {"channel": channel, "minutes": minutes}}},
        }
        for channel, minutes in rungs.items()
        if minutes is not ABSENT
    }
    wait = {
        "Wait": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"},
        "Stopped": {"Type": "Fail"},
    }
    beside = [{"States": branches.get("wait", wait)}, {"States": climb}]
    return json.dumps({"States": {"Escalate": {"Type": "Parallel", "Branches": beside}}})


SEVERITIES = ("critical", "high", "medium", "low")

CHAIN = {
    **{severity: (TOPIC, {"tags": {"Severity": severity}}) for severity in SEVERITIES},
    **{
        f"{severity}-inbox": (SUBSCRIPTION, {"topic": Ref(severity, "arn"), "protocol": "sqs", "endpoint": "queue"})
        for severity in SEVERITIES
    },
    **{
        f"{severity}-mail": (SUBSCRIPTION, {"topic": Ref(severity, "arn"), "protocol": "email", "endpoint": "a@b.cd"})
        for severity in SEVERITIES
    },
    "machine": (MACHINE, {"definition": states()}),
}


def said(*changes, **options):
    return stack_faults(ESCALATION_CHAIN, *declared(CHAIN, *changes, **options))


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["mon-escalation-chain", "mon-no-placeholder-contacts"]


def test_a_whole_chain_passes():
    assert said() == []


def test_the_declared_machine_passes_at_the_settings_latest_and_earliest_minutes():
    functions = machine.Functions(notify="arn:n", escalate="arn:e")
    for minutes in ({"email": 5, "sms": 10, "phone": 15}, {"email": 2, "sms": 4, "phone": 6}):
        rungs = plan.ladder(**minutes, repeat=15, repeats=1)
        definition = machine.definition(rungs, functions, partition="aws", acknowledged_hours=1)
        assert said(("machine", ("definition",), definition)) == []


@pytest.mark.parametrize(
    ("channel", "sentence"),
    [
        ("slack", "The escalation has no rung by Slack; one is due at once."),
        ("email", "The escalation has no rung by e-mail; one is due 5 minutes after the alarm."),
        ("sms", "The escalation has no rung by text message; one is due 10 minutes after the alarm."),
        ("phone", "The escalation has no rung by telephone; one is due 15 minutes after the alarm."),
    ],
)
def test_a_missing_rung_is_named(channel, sentence):
    assert said(("machine", ("definition",), states(rungs={channel: ABSENT}))) == [(sentence, "machine")]


@pytest.mark.parametrize(
    ("channel", "minutes", "sentence"),
    [
        ("slack", 1, "The escalation's rung by Slack comes after 1 minutes; it is due at once."),
        (
            "email",
            6,
            "The escalation's rung by e-mail comes after 6 minutes; it is due 5 minutes after the alarm.",
        ),
        (
            "phone",
            30,
            "The escalation's rung by telephone comes after 30 minutes; it is due 15 minutes after the alarm.",
        ),
    ],
)
def test_a_late_rung_is_named_with_its_minutes(channel, minutes, sentence):
    assert said(("machine", ("definition",), states(rungs={channel: minutes}))) == [(sentence, "machine")]


def test_a_rung_without_minutes_is_none():
    broken = states(rungs={"email": "soon"})
    assert said(("machine", ("definition",), broken)) == [
        ("The escalation has no rung by e-mail; one is due 5 minutes after the alarm.", "machine")
    ]


def test_amazon_q_in_slack_is_a_rung_too():
    chat = {"chat": (SLACK, {"snsTopicArns": [Ref("critical", "arn")]})}
    assert said(("machine", ("definition",), states(rungs={"slack": ABSENT})), extra=chat) == []


GOES_ON = [("The escalation goes on whatever is answered: nothing waits for an acknowledgement.", "machine")]


@pytest.mark.parametrize(
    "wait",
    [
        {},
        {"Wait": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}, "Stopped": {"Type": "Fail"}},
        {"Wait": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}},
    ],
    ids=["nothing waits", "it waits for no answer", "an answer ends nothing"],
)
def test_an_escalation_that_no_answer_stops_is_a_fault(wait):
    assert said(("machine", ("definition",), states(wait=wait))) == GOES_ON


def test_rungs_that_wait_for_an_answer_themselves_can_be_stopped():
    waiting = states(wait={}).replace("lambda:invoke", "lambda:invoke.waitForTaskToken")
    assert said(("machine", ("definition",), waiting)) == []


NOBODY = [("No state machine calls people when an alarm rings.", None)]


@pytest.mark.parametrize("definition", ["{}", "no json", "[]", ABSENT, '{"States": {"a": {"Type": "Pass"}}}'])
def test_a_machine_that_calls_nobody_is_no_escalation(definition):
    assert said(("machine", ("definition",), definition)) == NOBODY


def test_without_a_machine_nobody_is_called():
    assert said(without=["machine"]) == NOBODY


def test_another_machine_is_no_fault():
    assert said(extra={"other": (MACHINE, {"definition": '{"States": {"a": {"Type": "Pass"}}}'})}) == []


def test_a_topic_that_only_fills_mailboxes_is_named():
    assert said(without=["high-inbox"]) == [
        ("The topic of high alarms starts no escalation: no queue or function reads it.", "high")
    ]


def test_a_severity_without_a_topic_is_named():
    assert said(without=["medium", "medium-inbox", "medium-mail"]) == [
        ("No topic is tagged with the severity medium.", None)
    ]
    assert said(("low", ("tags",), {}), ("high", ("tags",), ABSENT)) == [
        ("No topic is tagged with the severity high and low.", None)
    ]


def test_all_is_judged_in_a_real_preview_where_ids_are_unknown():
    assert said(preview=True) == []
    assert said(without=["high-inbox"], preview=True) == [
        ("The topic of high alarms starts no escalation: no queue or function reads it.", "high")
    ]


def test_a_definition_that_is_unknown_is_no_pass():
    with pytest.raises(UnknownValueError):
        said(("machine", ("definition",), UNKNOWN))


def test_what_is_wrong_elsewhere_is_told_beside_an_unknown_definition():
    resources = declared(CHAIN, ("machine", ("definition",), UNKNOWN), without=["high-inbox"])
    found = ESCALATION_CHAIN.check(Stack(resources=resources, context=Context()))
    assert next(found).sentence == "The topic of high alarms starts no escalation: no queue or function reads it."
    with pytest.raises(UnknownValueError):
        next(found)


# Contacts


def subscription(endpoint):
    return resource(SUBSCRIPTION, "s", {"topic": "t", "protocol": "email", "endpoint": endpoint})


ADDRESS = " has an address at example.com, .net or .org, which nobody reads."
NUMBER = " has a number 555-01xx, which belongs to nobody."


@pytest.mark.parametrize(
    "endpoint", ["on-call@example.com", "a@mail.example.org", "A@EXAMPLE.NET", "mailto:a@example.com?x=1"]
)
def test_an_address_of_an_example_domain_is_a_fault(endpoint):
    assert faults(NO_PLACEHOLDER_CONTACTS, subscription(endpoint)) == [f"The subscription{ADDRESS}"]


@pytest.mark.parametrize("endpoint", ["+15125550123", "+1-555-0101", "+1 (512) 555-0199", "+15550123"])
def test_a_number_that_belongs_to_nobody_is_a_fault(endpoint):
    assert faults(NO_PLACEHOLDER_CONTACTS, subscription(endpoint)) == [f"The subscription{NUMBER}"]


@pytest.mark.parametrize(
    "endpoint",
    [
        "ops@learning.example",
        "ops@example.com.mx",
        "ops@notexample.com",
        "+15125550200",
        "+155501234567",
        "+4915550123",
        "arn:aws:sqs:us-east-1:155550123000:queue",
        "",
    ],
)
def test_anything_else_passes(endpoint):
    assert faults(NO_PLACEHOLDER_CONTACTS, subscription(endpoint)) == []


def test_contact_channels_and_a_function_s_variables_are_read_as_well():
    channel = resource(CONTACT_CHANNEL, "c", {"deliveryAddress": {"simpleAddress": "+15125550123"}, "type": "SMS"})
    assert faults(NO_PLACEHOLDER_CONTACTS, channel) == [f"The contact channel{NUMBER}"]
    roster = '{"ana":{"email":"ana@example.com","phone":"+15125550142"}}'
    function = resource(FUNCTION, "f", {"environment": {"variables": {"ROSTER": roster, "TABLE": "t"}}})
    assert faults(NO_PLACEHOLDER_CONTACTS, function) == [
        f"The function's variable ROSTER{ADDRESS}",
        f"The function's variable ROSTER{NUMBER}",
    ]


@pytest.mark.parametrize("props", [{}, {"environment": {}}, {"environment": {"variables": {}}}])
def test_a_function_without_variables_passes(props):
    assert faults(NO_PLACEHOLDER_CONTACTS, resource(FUNCTION, "f", props)) == []


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_outside_of_prod_placeholders_are_at_home(environment):
    judged = subscription("on-call@example.com")
    assert faults(NO_PLACEHOLDER_CONTACTS, judged, Context(environment=environment)) == []


def test_an_unknown_endpoint_is_no_pass():
    with pytest.raises(UnknownValueError):
        faults(NO_PLACEHOLDER_CONTACTS, subscription(UNKNOWN))
