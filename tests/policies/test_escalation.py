"""Whether the chain of escalation is whole, and its contacts people."""

import json

import pytest

from components.escalation import machine, plan
from policies.rulebook.bells import EVENT_TARGET
from policies.rulebook.escalation import (
    CONTACT_CHANNEL,
    ESCALATION_CHAIN,
    EVENT_RULE,
    FUNCTION,
    MACHINE,
    MAPPING,
    NO_PLACEHOLDER_CONTACTS,
    QUEUE,
    ROLE,
    RULES,
    SLACK,
    SUBSCRIPTION,
    TOPIC,
)
from policies.rulebook.links import ROLE_POLICY
from policies.rulebook.resource import Context, Stack
from tests.policies.bags import ABSENT, UNKNOWN, UnknownValueError, faults, resource, stack_faults
from tests.policies.declared import Ref, declared

NOTIFY = "arn:aws:any:eu-west-1:123456789012:notify"


def document(*actions, on="*"):
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": on}]})


def call(resource="arn:aws:states:::lambda:invoke", **fields):
    return {"Type": "Task", "Resource": resource, **fields}


ALL = ["States.ALL"]
ENDS = [{"ErrorEquals": ["Stopped", "Unanswered"], "Next": "Look"}, {"ErrorEquals": ALL, "Next": "Look"}]


def states(**branches):
    """A machine with the rungs of the run book beside a branch that waits for an answer.

    ``rungs``: channel -> minutes; ``rung``: more in each payload; the others say what is changed there.
    """
    rungs = {"slack": 0, "email": 5, "sms": 10, "phone": 15, **branches.pop("rungs", {})}
    kept = {channel: minutes for channel, minutes in rungs.items() if minutes is not ABSENT}
    following = [*list(kept)[1:], None]
    climb = {}
    for channel, after in zip(kept, following, strict=True):
        more = branches.get("rung", {}).get(channel, {})
        rung = {"channel": channel, "minutes": kept[channel], "name": channel, **more}
        then = f"Send {after}" if after else "Unanswered"
        climb[f"Send {channel}"] = call(
            Parameters={"FunctionName": NOTIFY, "Payload": {"rung": rung}},
            Next=then,
            Catch=[{"ErrorEquals": ALL, "Next": branches.get("lost", {}).get(channel, then)}],
        )
    climb["Unanswered"] = {"Type": "Fail", "Error": "Unanswered"}
    wait = {
        "Wait": call("arn:aws:states:::lambda:invoke.waitForTaskToken", Next="Stopped"),
        "Stopped": {"Type": "Fail", "Error": "Stopped"},
    }
    beside = [
        {"StartAt": "Wait", "States": branches.get("wait", wait)},
        {"StartAt": f"Send {next(iter(kept))}", "States": climb},
    ]
    opening = {
        "Open": call(Next="Is it open?", Catch=[{"ErrorEquals": ALL, "Next": "Escalate"}]),
        "Is it open?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.state", "StringEquals": "open", "Next": "Escalate"}],
            "Default": "Ended",
        },
        "Ended": {"Type": "Succeed"},
        "Look": {"Type": "Succeed"},
        **branches.get("opening", {}),
    }
    escalate = {"Type": "Parallel", "Branches": beside, "Catch": ENDS, "Next": "Look", **branches.get("escalate", {})}
    return json.dumps({"StartAt": "Open", "States": {**opening, "Escalate": escalate}})


SEVERITIES = ("critical", "high", "medium", "low")

CLEARED = {
    "source": ["aws.cloudwatch"],
    "detail-type": ["CloudWatch Alarm State Change"],
    "detail": {"state": {"value": ["OK"]}},
}

#: function -> what its role allows
ROLES = {
    "escalate": ["states:StartExecution", "states:SendTaskSuccess"],
    "acknowledge": ["states:SendTaskSuccess"],
    "notify": ["ses:SendEmail"],
    "machine": ["lambda:InvokeFunction"],
}

CHAIN = {
    **{severity: (TOPIC, {"tags": {"Severity": severity}}) for severity in SEVERITIES},
    **{
        f"{severity}-inbox": (
            SUBSCRIPTION,
            {"topic": Ref(severity, "arn"), "protocol": "sqs", "endpoint": Ref("inbox", "arn")},
        )
        for severity in SEVERITIES
    },
    **{
        f"{severity}-mail": (SUBSCRIPTION, {"topic": Ref(severity, "arn"), "protocol": "email", "endpoint": "a@b.cd"})
        for severity in SEVERITIES
    },
    "inbox": (QUEUE, {}),
    "reads": (MAPPING, {"eventSourceArn": Ref("inbox", "arn"), "functionName": Ref("escalate", "arn")}),
    "cleared": (EVENT_RULE, {"eventPattern": json.dumps(CLEARED)}),
    "clears": (EVENT_TARGET, {"rule": Ref("cleared", "name"), "arn": Ref("inbox", "arn")}),
    **{f"{name}-role": (ROLE, {}) for name in ROLES},
    **{
        f"{name}-policy": (ROLE_POLICY, {"role": Ref(f"{name}-role", "name"), "policy": document(*actions)})
        for name, actions in ROLES.items()
    },
    **{name: (FUNCTION, {"role": Ref(f"{name}-role", "arn")}) for name in ROLES if name != "machine"},
    "machine": (MACHINE, {"roleArn": Ref("machine-role", "arn"), "definition": states()}),
}

STARTS_NOTHING = "alarms starts no escalation: no function that does so is at its end."
NOT_STARTED = [(f"The topic of {severity} {STARTS_NOTHING}", severity) for severity in SEVERITIES]
NOT_ENDED = [("No alarm that clears ends its escalation: no EventBridge rule hands it to what starts them.", None)]
UNANSWERED = [("No function takes an answer, so nobody can stop the escalation.", None)]


def said(*changes, **options):
    return stack_faults(ESCALATION_CHAIN, *declared(CHAIN, *changes, **options))


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["mon-escalation-chain", "mon-no-placeholder-contacts"]


def test_a_whole_chain_passes():
    assert said() == []


def test_the_declared_machine_passes_at_the_settings_latest_and_earliest_minutes():
    functions = machine.Functions(notify=NOTIFY, escalate=NOTIFY.replace("notify", "escalate"))
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
        {"Wait": call(), "Stopped": {"Type": "Fail", "Error": "Stopped"}},
        {"Wait": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}},
    ],
    ids=["nothing waits", "it waits for no answer", "an answer ends nothing"],
)
def test_an_escalation_that_no_answer_stops_is_a_fault(wait):
    assert said(("machine", ("definition",), states(wait=wait))) == GOES_ON


def test_rungs_that_wait_for_an_answer_themselves_can_be_stopped():
    waiting = states(wait={}).replace("lambda:invoke", "lambda:invoke.waitForTaskToken")
    assert said(("machine", ("definition",), waiting)) == []


# The way to the rungs

MACHINE_ARN = "arn:aws:any:eu-west-1:123456789012:machine"


def machine_says(**branches):
    return said(("machine", ("definition",), states(**branches)))


def test_a_machine_that_calls_only_where_something_fails_is_named():
    closed = {"Is it open?": {"Type": "Choice", "Choices": [], "Default": "Ended"}}
    assert machine_says(opening=closed) == [
        ("Nobody is called unless something fails first: no way leads from the start to the rungs.", "machine")
    ]


def test_a_failure_before_the_rungs_must_not_keep_them_back():
    lost = {"Open": call(Next="Is it open?", Catch=[{"ErrorEquals": ALL, "Next": "Ended"}])}
    assert machine_says(opening=lost) == [
        ("Where state Open fails, nobody is called: Ended leads to no rung.", "machine")
    ]


def test_a_rung_that_fails_must_not_end_those_after_it():
    assert machine_says(lost={"email": "Unanswered"}) == [
        ("From state Send email by Unanswered the escalation does not come to every rung after it.", "machine")
    ]


@pytest.mark.parametrize(
    ("catch", "sentences"),
    [
        (
            [],
            [
                "An error in state Escalate ends the escalation: it does not catch States.ALL.",
                "State Escalate does not catch the end Stopped by its error, so it counts as broken.",
                "State Escalate does not catch the end Unanswered by its error, so it counts as broken.",
            ],
        ),
        (ENDS[:1], ["An error in state Escalate ends the escalation: it does not catch States.ALL."]),
        (
            [{"ErrorEquals": ["Stopped"], "Next": "Look"}, ENDS[1]],
            ["State Escalate does not catch the end Unanswered by its error, so it counts as broken."],
        ),
    ],
)
def test_each_end_of_the_rungs_is_told_apart(catch, sentences):
    assert machine_says(escalate={"Catch": catch}) == [(sentence, "machine") for sentence in sentences]


def told(**rungs):
    """Rungs that name who is reached and when the next one comes, with changes by channel."""
    whole = {
        "slack": {"to": [], "next_minutes": 5},
        "email": {"to": ["primary"], "next_minutes": 5},
        "sms": {"to": ["primary"], "next_minutes": 5},
        "phone": {"to": ["backup"], "next_minutes": 0},
    }
    return {channel: {**given, **rungs.get(channel, {})} for channel, given in whole.items()}


def test_rungs_that_reach_those_on_call_pass():
    assert machine_says(rung=told()) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"email": {"to": []}}, "Rung email leaves out primary."),
        ({"sms": {"to": ["backup"]}}, "Rung sms leaves out primary."),
        ({"phone": {"to": ["primary"]}}, "Rung phone leaves out backup."),
        ({"sms": {"next_minutes": 50}}, "Rung sms says that the next one comes in 50 minutes; it comes in 5."),
    ],
)
def test_a_rung_that_reaches_too_few_or_tells_another_time_is_named(change, sentence):
    assert machine_says(rung=told(**change)) == [(sentence, "machine")]


# What starts it, and what it was told


def environment(**variables):
    given = {
        "MACHINE_ARN": MACHINE_ARN,
        "TABLE": "records",
        "RETENTION_DAYS": "400",
        "ACKNOWLEDGED_HOURS": "24",
        "RUNGS": [
            {"name": name, "minutes": at} for name, at in (("slack", 0), ("email", 5), ("sms", 10), ("phone", 15))
        ],
        "RESPOND_MINUTES": {"critical": 15, "high": 60, "medium": 240, "low": None},
        "TOPICS": {f"arn:aws:any:eu-west-1:123456789012:{severity}": severity for severity in SEVERITIES},
        **variables,
    }
    return {"variables": {name: text if isinstance(text, str) else json.dumps(text) for name, text in given.items()}}


def escalate_says(**variables):
    return [sentence for sentence, name in said(("escalate", ("environment",), environment(**variables)))]


def test_a_function_that_agrees_with_the_machine_passes():
    assert escalate_says() == []


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {
                "RUNGS": [
                    {"name": "slack", "minutes": 0},
                    {"name": "email", "minutes": 5},
                    {"name": "sms", "minutes": 10},
                ]
            },
            "The function gives rung phone no time, so the escalation breaks off there.",
        ),
        (
            {
                "RUNGS": [
                    {"name": "slack", "minutes": 0},
                    {"name": "email", "minutes": 50},
                    {"name": "sms", "minutes": 10},
                    {"name": "phone", "minutes": 15},
                ]
            },
            "The function has rung email wait 50 minutes, and the machine says 5.",
        ),
        (
            {"RESPOND_MINUTES": {"critical": 150, "high": 60, "medium": 240, "low": None}},
            "The function allows 150 minutes to respond to critical alarms; 15 are the most.",
        ),
        (
            {"RESPOND_MINUTES": {"critical": 15, "high": 60, "medium": 240}},
            "The function knows no response time for low alarms.",
        ),
        (
            {"TOPICS": {f"arn:aws:any:eu-west-1:123456789012:{one}": one for one in ("critical", "high", "medium")}},
            "The function does not know the topic low as that of low alarms, and buries them.",
        ),
    ],
)
def test_a_function_that_was_told_otherwise_than_the_machine_is_named(variables, sentence):
    assert escalate_says(**variables) == [sentence]


def test_the_wait_for_the_end_is_as_long_as_the_function_counts_on():
    held = call("arn:aws:states:::lambda:invoke.waitForTaskToken", TimeoutSeconds=3600, Next="Ended")
    changes = [
        ("machine", ("definition",), states(opening={"Look": held})),
        ("escalate", ("environment",), environment()),
    ]
    assert said(*changes) == [("State Look waits 3600 seconds, and the function counts on 24 hours.", "escalate")]


def roster(**rotation):
    people = {name: {"name": name} for name in ("ana", "ben")}
    return {
        "variables": {"ROSTER": json.dumps({"contacts": people, "rotation": {"order": ["ana", "ben"], **rotation}})}
    }


@pytest.mark.parametrize(
    ("order", "sentences"),
    [
        (["ana", "ben"], []),
        (["ana"], ["Too few are on call: a primary and a backup take turns."]),
        (["ana", "chi"], ["The function has no contact of chi, who is on call."]),
    ],
)
def test_two_take_turns_and_both_can_be_reached(order, sentences):
    found = said(("notify", ("environment",), roster(order=order)))
    assert found == [(sentence, "notify") for sentence in sentences]


def test_functions_of_one_table_are_told_the_same():
    changes = [
        ("escalate", ("environment",), environment()),
        ("acknowledge", ("environment",), {"variables": {"TABLE": "records", "RETENTION_DAYS": "4"}}),
        ("notify", ("environment",), {"variables": {"TABLE": "other", "RETENTION_DAYS": "5"}}),
    ]
    assert said(*changes) == [
        ("RETENTION_DAYS is 4 here and 400 in function escalate, which shares its table.", "acknowledge")
    ]


def test_whoever_may_be_on_call_can_answer():
    people = roster()["variables"]["ROSTER"]
    changes = [("notify", ("environment",), {"variables": {"TABLE": "records", "ROSTER": people}})]
    for known, sentences in (
        ({"ana": {}, "ben": {}}, []),
        ({"ana": {}}, ["The function does not take the answer of ben, who may be on call."]),
    ):
        taking = {"variables": {"TABLE": "records", "CONTACTS": json.dumps(known)}}
        found = said(*changes, ("acknowledge", ("environment",), taking))
        assert found == [(sentence, "acknowledge") for sentence in sentences]


def test_unknown_variables_are_no_pass():
    with pytest.raises(UnknownValueError):
        said(("escalate", ("environment",), {"variables": {"MACHINE_ARN": UNKNOWN}}))


# What brings rings and answers in


@pytest.mark.parametrize("gone", ["inbox", "reads", "escalate", "escalate-role", "escalate-policy"])
def test_without_what_starts_it_no_alarm_starts_or_ends_an_escalation(gone):
    found = said(without=[gone])
    uncalled = [one for one in found if one[1] == "machine"]
    assert [one for one in found if one not in uncalled] == NOT_STARTED + NOT_ENDED


def test_a_function_that_reads_a_topic_itself_starts_it_too():
    straight = [(f"{severity}-inbox", ("protocol",), "lambda") for severity in SEVERITIES]
    aimed = [(f"{severity}-inbox", ("endpoint",), Ref("escalate", "arn")) for severity in SEVERITIES]
    assert said(*straight, *aimed, ("clears", ("arn",), Ref("escalate", "arn"))) == []


@pytest.mark.parametrize(
    "resource_arn", ["arn:aws:any:eu-west-1:123456789012:machine", "arn:aws:states:::stateMachine:machine-name"]
)
def test_a_role_may_name_the_machine_by_its_arn_or_its_name(resource_arn):
    assert said(("escalate-policy", ("policy",), document(*ROLES["escalate"], on=resource_arn))) == []


def test_a_role_for_another_machine_starts_nothing():
    other = document(*ROLES["escalate"], on="arn:aws:states:eu-west-1:123456789012:stateMachine:other")
    assert said(("escalate-policy", ("policy",), other)) == NOT_STARTED + NOT_ENDED


@pytest.mark.parametrize("gone", ["cleared", "clears"])
def test_an_alarm_that_clears_has_to_be_handed_on(gone):
    assert said(without=[gone]) == NOT_ENDED


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("state",), "DISABLED"),
        (("isEnabled",), False),
        (("eventPattern",), json.dumps({**CLEARED, "detail": {"state": {"value": ["ALARM"]}}})),
        (("eventPattern",), "no json"),
    ],
)
def test_a_rule_that_does_not_see_alarms_clear_ends_nothing(path, value):
    assert said(("cleared", path, value)) == NOT_ENDED


def test_a_target_elsewhere_ends_nothing():
    assert said(("clears", ("arn",), "arn:aws:sqs:eu-west-1:123456789012:other")) == NOT_ENDED


@pytest.mark.parametrize("gone", ["acknowledge", "acknowledge-role", "acknowledge-policy"])
def test_somebody_s_answer_has_to_come_in(gone):
    assert said(without=[gone]) == UNANSWERED


def test_what_alarms_start_is_nobody_s_answer():
    both = document("states:SendTaskSuccess", "states:StartExecution")
    assert said(("acknowledge-policy", ("policy",), both)) == UNANSWERED


def test_a_function_that_is_called_has_to_be_there():
    assert said(without=["notify"]) == [
        ("The escalation calls a function notify, which is not declared here.", "machine")
    ]


def test_a_version_or_an_alias_of_a_function_is_the_function():
    assert said(("machine", ("definition",), states().replace(NOTIFY, f"{NOTIFY}:live"))) == []


BY_INPUT = states().replace(f'"FunctionName": "{NOTIFY}"', '"FunctionName.$": "$.function"')


def test_a_function_that_the_input_names_is_not_judged():
    assert said(("machine", ("definition",), BY_INPUT)) == []


def test_a_function_whose_arn_is_unknown_may_be_the_one_that_is_called():
    with pytest.raises(UnknownValueError):
        said(preview=True)


@pytest.mark.parametrize("gone", ["machine-role", "machine-policy"])
def test_the_machine_has_to_be_allowed_to_call(gone):
    assert said(without=[gone]) == [
        ("The escalation may not call function notify: its role does not allow it.", "machine")
    ]


def test_a_role_s_policy_that_is_unknown_is_no_pass():
    with pytest.raises(UnknownValueError):
        said(("acknowledge-policy", ("policy",), UNKNOWN))


NOBODY = [("No state machine calls people when an alarm rings.", None)]


@pytest.mark.parametrize("definition", ["{}", "no json", "[]", ABSENT, '{"States": {"a": {"Type": "Pass"}}}'])
def test_a_machine_that_calls_nobody_is_no_escalation(definition):
    assert said(("machine", ("definition",), definition)) == NOT_STARTED + NOBODY


def test_without_a_machine_nobody_is_called():
    assert said(without=["machine"]) == NOT_STARTED + NOBODY


def test_another_machine_is_no_fault():
    assert said(extra={"other": (MACHINE, {"definition": '{"States": {"a": {"Type": "Pass"}}}'})}) == []


def test_a_topic_that_only_fills_mailboxes_is_named():
    assert said(without=["high-inbox"]) == [
        ("The topic of high alarms starts no escalation: no function that does so is at its end.", "high")
    ]


def test_a_severity_without_a_topic_is_named():
    assert said(without=["medium", "medium-inbox", "medium-mail"]) == [
        ("No topic is tagged with the severity medium.", None)
    ]
    assert said(("low", ("tags",), {}), ("high", ("tags",), ABSENT)) == [
        ("No topic is tagged with the severity high and low.", None)
    ]


def test_all_is_judged_in_a_real_preview_where_ids_are_unknown():
    made = ("machine", ("definition",), BY_INPUT)
    assert said(made, preview=True) == []
    assert said(made, without=["high-inbox"], preview=True) == [
        ("The topic of high alarms starts no escalation: no function that does so is at its end.", "high")
    ]


def test_a_definition_that_is_unknown_is_no_pass():
    with pytest.raises(UnknownValueError):
        said(("machine", ("definition",), UNKNOWN))


def test_what_is_wrong_elsewhere_is_told_beside_an_unknown_definition():
    resources = declared(CHAIN, ("machine", ("definition",), UNKNOWN), without=["high-inbox"])
    found = ESCALATION_CHAIN.check(Stack(resources=resources, context=Context()))
    assert (
        next(found).sentence == "The topic of high alarms starts no escalation: no function that does so is at its end."
    )
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
