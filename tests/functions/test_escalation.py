"""The chain from the ring to the answer: the machine and the functions that are deployed, executed together."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from components.escalation import plan
from functions.acknowledge import handler as acknowledge
from functions.notify import handler as notifying
from functions.notify import slack
from tests.functions import stage as stages
from tests.functions.stage import START, denied, notification, state_change, throttled

LADDER = [
    (0, "slack", "channel"),
    (5, "email", "ana@learning.example"),
    (10, "sms", "+15125550142"),
    (15, "phone", "+15125550143"),
]
RUNGS = ("slack", "email", "sms", "phone")


def execution(stage):
    (only,) = stage.states.executions.values()
    return only


def current(stage, alarm="web-5xx"):
    return stage.records.current(alarm)


# Deadlines


def test_without_an_answer_the_rungs_go_out_at_0_5_10_and_15_minutes(stage):
    stage.ring()
    stage.run(29)
    assert stage.rungs == LADDER
    assert [round(sent.minutes, 3) for sent in stage.sent] == [0, 5, 10, 15]


def test_then_both_engineers_are_called_every_15_minutes_until_the_escalation_fails_loudly(stage):
    stage.ring()
    stage.run(120)
    assert stage.rungs == [
        *LADDER,
        (30, "phone", "+15125550143"),
        (30, "phone", "+15125550142"),
        (45, "phone", "+15125550143"),
        (45, "phone", "+15125550142"),
    ]
    assert stage.statuses == ["FAILED"]
    assert execution(stage).error.name == "Unanswered"
    assert (current(stage).state, current(stage).closed is not None) == ("unanswered", True)


@pytest.mark.parametrize("channel", RUNGS)
def test_a_slow_channel_shifts_no_other_rung(stage, channel):
    stage.faults.is_slow(channel, 20)
    stage.ring()
    stage.run(29)
    assert stage.rungs == LADDER


@pytest.mark.parametrize("error", [throttled(), denied(), RuntimeError("boom")], ids=["throttled", "denied", "broken"])
@pytest.mark.parametrize("channel", RUNGS)
def test_a_failing_channel_is_noted_and_the_others_come_at_their_times(stage, channel, error):
    if channel == "slack" and not isinstance(error, RuntimeError):
        error = slack.SlackError("Slack answers with 500.", may_pass=True)
    stage.faults.fails(channel, error)
    stage.ring()
    stage.run(29)
    assert stage.rungs == [rung for rung in LADDER if rung[1] != channel]
    assert [step for step in stage.steps() if step.startswith("failed")] == [f"failed {channel}"]


@pytest.mark.parametrize("channel", RUNGS)
def test_a_channel_that_hangs_is_given_up_in_time_for_the_next_rung(stage, channel):
    stage.faults.is_slow(channel, 300)
    stage.ring()
    stage.run(29)
    started = [execution(stage).entered(f"Send {rung}")[0] - START for rung in RUNGS]
    assert started == [timedelta(minutes=minutes) for minutes in (0, 5, 10, 15)]


def test_with_every_channel_dead_the_execution_fails_so_that_its_alarm_tells(stage):
    for channel in RUNGS:
        stage.faults.fails(channel, denied())
    stage.ring()
    stage.run(120)
    assert (stage.rungs, stage.statuses) == ([], ["FAILED"])
    assert [step for step in stage.steps() if step.startswith("failed")] == [
        f"failed {rung}" for rung in (*RUNGS, "phone_2", "phone_3")
    ]


trouble = st.fixed_dictionaries(
    {rung: st.tuples(st.floats(0, 400), st.sampled_from([None, "throttled", "denied"])) for rung in RUNGS}
)


@given(trouble=trouble)
@with_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_wrong_with_the_channels_every_rung_is_tried_at_its_minute(trouble):
    errors = {"throttled": throttled(), "denied": denied()}
    with stages.stage() as stage:
        for rung, (seconds, error) in trouble.items():
            if error:
                stage.faults.fails(rung, errors[error], seconds=seconds)
            else:
                stage.faults.is_slow(rung, seconds)
        stage.ring()
        stage.run(29)
        started = [execution(stage).entered(f"Send {rung}")[0] - START for rung in RUNGS]
    assert started == [timedelta(minutes=minutes) for minutes in (0, 5, 10, 15)]


def test_a_ring_heard_of_late_keeps_its_times_and_what_is_overdue_goes_out_at_once(stage):
    stage.run(7)
    stage.ring(minutes=0)
    stage.run(29)
    assert stage.rungs == [(7, "slack", "channel"), (7, "email", "ana@learning.example"), *LADDER[2:]]


def test_a_ring_heard_of_when_all_rungs_are_past_gets_them_one_by_one_from_now(stage):
    stage.run(60)
    stage.ring(minutes=0)
    stage.run(89)
    assert stage.rungs == [(minutes + 60, channel, to) for minutes, channel, to in LADDER]


def test_other_minutes_in_the_settings_are_other_minutes_of_the_rungs():
    rungs = {"email_minutes": 2, "sms_minutes": 4, "phone_minutes": 6, "repeats": 0}
    with stages.stage(rungs=rungs) as stage:
        stage.ring()
        stage.run(60)
        assert [(minutes, channel) for minutes, channel, _ in stage.rungs] == [
            (0, "slack"),
            (2, "email"),
            (4, "sms"),
            (6, "phone"),
        ]


# Answers


@pytest.mark.parametrize("minutes", [0.5, 4.99, 6, 11, 16, 31])
def test_an_answer_stops_the_rungs_that_are_still_to_come(stage, minutes):
    before = [
        rung for rung in [*LADDER, (30, "phone", "+15125550143"), (30, "phone", "+15125550142")] if rung[0] < minutes
    ]
    stage.ring()
    stage.at(minutes, stage.acknowledge)
    stage.run(120)
    assert stage.rungs == before
    assert stage.notices == [(int(minutes), "ACKNOWLEDGED")]
    assert (current(stage).by, current(stage).how) == ("Ana Diaz", "command")


def test_an_answered_alarm_is_followed_until_it_clears(stage):
    stage.ring()
    stage.at(6, stage.acknowledge)
    stage.at(45, stage.clear)
    stage.run(60)
    assert stage.notices == [(6, "ACKNOWLEDGED"), (45, "RESOLVED")]
    assert stage.statuses == ["SUCCEEDED"]
    assert stage.steps() == [
        "opened",
        "sent slack/channel",
        "sent email/ana",
        "acknowledged",
        "cleared",
        "closed",
    ]


def test_a_second_answer_neither_replaces_the_first_nor_ends_the_wait_for_the_alarm(stage):
    stage.ring()
    stage.at(6, stage.acknowledge)
    stage.run(20)
    assert stage.acknowledge(by="Ben Ito") == {
        "move": "repeat",
        "reason": "Ana Diaz acknowledged web-5xx at 2025-01-06 15:36 UTC.",
    }
    stage.run(60)
    assert (stage.statuses, current(stage).by) == (["RUNNING"], "Ana Diaz")
    assert stage.notices == [(6, "ACKNOWLEDGED")]


def test_an_alarm_that_goes_on_for_a_day_after_the_answer_is_called_to_mind(stage):
    stage.ring()
    stage.at(6, stage.acknowledge)
    stage.run(24 * 60 + 10)
    assert stage.notices == [(6, "ACKNOWLEDGED"), (24 * 60 + 6, "STILL IN ALARM")]
    assert stage.statuses == ["SUCCEEDED"]
    stage.ring()
    stage.run(24 * 60 + 11)
    assert stage.statuses == ["SUCCEEDED", "RUNNING"]


@pytest.mark.parametrize("text", ["ACK 482713", "ack482713", " Ack: 482713.", "acknowledge 482713"])
def test_a_text_back_from_a_contact_with_the_code_stops_the_rungs(stage, text):
    stage.ring()
    stage.run(10)
    assert "ACK 482713" in stage.sent[-1].text
    assert stage.reply(text) == {"replies": 1}
    stage.run(60)
    assert stage.rungs == LADDER[:3]
    assert (current(stage).by, current(stage).how) == ("Ana Diaz", "text message")


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("ACK 482713", "+15125559999"),
        ("ACK 000000", "+15125550142"),
        ("what?", "+15125550142"),
        ("482713", "+15125550142"),
    ],
    ids=["a stranger", "a wrong code", "no answer", "a bare number"],
)
def test_any_other_text_stops_nothing(stage, text, sender):
    stage.ring()
    stage.run(10)
    assert stage.reply(text, sender) == {"replies": 0}
    stage.run(29)
    assert stage.rungs == LADDER


def test_a_code_is_worth_nothing_once_its_escalation_has_ended(stage):
    stage.ring()
    stage.at(2, stage.clear)
    stage.run(5)
    assert stage.reply("ACK 482713") == {"replies": 0}
    assert current(stage).state == "cleared"


def test_an_answer_where_nothing_is_open_is_refused_in_words(stage):
    assert stage.acknowledge() == {"move": "refuse", "reason": "No escalation is open."}
    stage.ring()
    stage.at(2, stage.clear)
    stage.run(5)
    assert stage.acknowledge() == {"move": "refuse", "reason": "The escalation of web-5xx has ended: cleared."}


def test_an_answer_before_the_machine_waits_for_it_is_not_lost(stage):
    stage.faults.fails("dynamodb.update_item", throttled(), times=1)
    stage.ring()
    stage.at(0.01, stage.acknowledge)
    stage.run(29)
    assert stage.rungs == LADDER[:1]
    assert stage.notices == [(0, "ACKNOWLEDGED")]


def test_an_answer_that_cannot_wake_the_machine_still_keeps_the_next_rungs_back(stage):
    stage.ring()
    stage.run(6)
    stage.faults.fails("states.send_task_success", throttled())
    with pytest.raises(Exception, match="Rate exceeded"):
        stage.acknowledge()
    stage.run(29)
    assert stage.rungs == LADDER[:2]
    stage.faults.of.clear()
    assert stage.acknowledge()["move"] == "repeat"
    stage.run(30)
    assert stage.notices == [(29, "ACKNOWLEDGED")]


def test_a_throttled_wake_up_is_tried_again(stage):
    stage.ring()
    stage.run(6)
    stage.faults.fails("states.send_task_success", throttled(), times=2)
    assert stage.acknowledge()["move"] == "acknowledge"
    stage.run(29)
    assert stage.rungs == LADDER[:2]


# Alarms that clear


@pytest.mark.parametrize("minutes", [0.5, 6, 11, 16, 31])
def test_a_cleared_alarm_stops_the_rungs_that_are_still_to_come(stage, minutes):
    before = [
        rung for rung in [*LADDER, (30, "phone", "+15125550143"), (30, "phone", "+15125550142")] if rung[0] < minutes
    ]
    stage.ring()
    stage.at(minutes, stage.clear)
    stage.run(120)
    assert stage.rungs == before
    assert stage.notices == [(int(minutes), "RESOLVED")]
    assert (stage.statuses, current(stage).state) == (["SUCCEEDED"], "cleared")


def test_the_topic_s_own_ok_message_clears_as_well(stage):
    stage.ring()
    stage.run(6)
    stage.deliver(notification("web-5xx", "critical", stage.clock.now(), state="OK"))
    stage.run(29)
    assert stage.rungs == LADDER[:2]


def test_missing_data_clears_nothing(stage):
    stage.ring()
    stage.run(6)
    stage.deliver(state_change("web-5xx", "INSUFFICIENT_DATA", stage.clock.now()))
    stage.run(29)
    assert stage.rungs == LADDER


def test_an_alarm_that_cleared_before_its_record_was_made_calls_nobody(stage):
    stage.cloudwatch.put_metric_alarm(
        AlarmName="web-5xx",
        MetricName="m",
        Namespace="n",
        Period=60,
        EvaluationPeriods=1,
        Statistic="Sum",
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    stage.cloudwatch.set_alarm_state(AlarmName="web-5xx", StateValue="OK", StateReason="well again")
    stage.clear(minutes=0.1)
    stage.ring(minutes=0)
    stage.run(29)
    assert (stage.sent, stage.statuses, current(stage).state) == ([], ["SUCCEEDED"], "cleared")


def test_where_the_alarm_s_state_cannot_be_asked_people_are_called(stage):
    stage.faults.fails("cloudwatch", denied())
    stage.ring()
    stage.run(29)
    assert stage.rungs == LADDER


# Messages that come twice, or in another order


def test_a_ring_that_is_delivered_twice_is_escalated_once(stage):
    message = notification("web-5xx", "critical", START)
    assert stage.deliver(message, message) == []
    stage.run(3)
    assert stage.deliver(message) == []
    stage.run(29)
    assert stage.rungs == LADDER
    assert len(stage.states.executions) == 1


def test_an_alarm_that_rings_again_while_it_is_open_starts_nothing(stage):
    stage.ring()
    stage.at(3, stage.ring)
    stage.at(7, lambda: stage.ring(severity="high"))
    stage.run(29)
    assert stage.rungs == LADDER
    assert len(stage.states.executions) == 1


def test_two_rings_that_start_side_by_side_leave_one_escalation(stage):
    """Both are judged before either has a record: the record itself has to tell them apart."""
    first, second = (
        json.dumps(
            {
                "alarm": {
                    "name": "web-5xx",
                    "severity": "critical",
                    "started": f"2025-01-06T15:30:0{second}.000Z",
                    "reason": "",
                    "description": "",
                    "respond_minutes": 15,
                    "deferred_until": None,
                },
                "at": {rung.name: f"2025-01-06T15:3{rung.minutes % 10}:00.000Z" for rung in stage.chain.rungs},
                "escalation": f"web-5xx-{second}",
                "life_seconds": 3600,
                "open_until": "2025-01-07T15:30:00.000Z",
            }
        )
        for second in (0, 1)
    )
    stage.states.start_execution(stateMachineArn=stages.MACHINE, name="web-5xx-0", input=first)
    stage.states.start_execution(stateMachineArn=stages.MACHINE, name="web-5xx-1", input=second)
    stage.run(1)
    assert stage.statuses == ["RUNNING", "SUCCEEDED"]
    assert len(stage.rungs) == 1
    assert current(stage).escalation == "web-5xx-0"


def test_different_alarms_have_escalations_of_their_own(stage):
    stage.ring("web-5xx")
    stage.ring("database-connections", "high")
    stage.at(6, lambda: stage.acknowledge("web-5xx"))
    stage.run(16)
    assert [rung for rung in stage.rungs if rung[1] == "phone"] == [(15, "phone", "+15125550143")]
    assert {current(stage, name).state for name in ("web-5xx", "database-connections")} == {"acknowledged", "open"}


def test_an_alarm_that_comes_back_after_it_cleared_is_escalated_anew(stage):
    stage.ring()
    stage.at(2, stage.clear)
    stage.at(3, stage.ring)
    stage.run(9)
    assert stage.statuses == ["SUCCEEDED", "RUNNING"]
    assert stage.rungs == [(0, "slack", "channel"), (3, "slack", "channel"), (8, "email", "ana@learning.example")]


def test_an_end_that_is_older_than_the_last_ring_ends_nothing(stage):
    stage.ring(minutes=0)
    stage.run(4)
    stage.ring(minutes=3)
    stage.clear(minutes=2)
    stage.run(29)
    assert stage.rungs == LADDER


def test_an_end_that_is_delivered_twice_is_told_once(stage):
    stage.ring()
    stage.run(2)
    message = state_change("web-5xx", "OK", stage.clock.now())
    assert stage.deliver(message, message) == []
    stage.run(29)
    assert stage.notices == [(2, "RESOLVED")]


def test_an_end_of_an_alarm_that_nobody_escalated_does_nothing(stage):
    assert stage.clear("another-alarm") == []
    assert current(stage, "another-alarm") is None


def test_after_an_unanswered_escalation_the_next_ring_starts_another(stage):
    stage.ring()
    stage.run(120)
    stage.ring()
    stage.run(121)
    assert stage.statuses == ["FAILED", "RUNNING"]


def test_an_escalation_that_somebody_stopped_does_not_block_the_alarm(stage):
    stage.ring()
    stage.run(3)
    stage.states.stop_execution(execution(stage).name)
    stage.run(4)
    stage.ring()
    stage.run(5)
    assert stage.statuses == ["ABORTED", "RUNNING"]
    assert "broken" in stage.steps()


def test_a_record_that_nobody_closed_blocks_the_alarm_no_longer_than_an_escalation_lives(stage):
    stage.ring()
    stage.run(3)
    stage.states.stop_execution(execution(stage).name)
    stage.faults.fails("states.describe_execution", denied())
    stage.run(26 * 60)
    assert stage.ring() == []
    assert stage.statuses == ["ABORTED", "RUNNING"]


# Trouble with AWS


def test_a_throttled_channel_gets_its_message_through_within_its_rung(stage):
    stage.faults.fails("sms", throttled(), times=2)
    stage.slack.statuses = [429, 503, 200]
    stage.ring()
    stage.run(29)
    assert stage.rungs == LADDER


def test_without_the_table_people_are_called_all_the_same(stage):
    stage.faults.fails("dynamodb", denied())
    execution_input = json.dumps(
        {
            "alarm": {
                "name": "web-5xx",
                "severity": "critical",
                "started": "2025-01-06T15:30:00.000Z",
                "reason": "",
                "description": "",
                "respond_minutes": 15,
                "deferred_until": None,
            },
            "at": {
                rung.name: (START + timedelta(minutes=rung.minutes)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
                for rung in stage.chain.rungs
            },
            "escalation": "web-5xx-0",
            "life_seconds": 3600,
            "open_until": "2025-01-07T15:30:00.000Z",
        }
    )
    stage.states.start_execution(stateMachineArn=stages.MACHINE, name="web-5xx-0", input=execution_input)
    stage.run(120)
    assert [rung[:2] for rung in stage.rungs[:4]] == [rung[:2] for rung in LADDER]
    assert (stage.statuses, execution(stage).error.name) == (["FAILED"], "Broken")


def test_a_page_is_not_repeated_because_it_could_not_be_noted(stage):
    stage.ring()
    stage.run(1)
    stage.faults.fails("dynamodb.update_item", denied())
    stage.run(29)
    assert stage.rungs == LADDER


def test_a_ring_that_cannot_be_worked_on_stays_in_the_inbox(stage):
    stage.faults.fails("dynamodb", denied())
    assert stage.ring() == ["0"]
    stage.faults.of.clear()
    assert stage.ring(minutes=0) == []
    stage.run(29)
    assert stage.rungs == LADDER


def test_a_throttled_start_is_tried_again(stage):
    stage.faults.fails("states.start_execution", throttled(), times=2)
    assert stage.ring() == []
    stage.run(1)
    assert stage.statuses == ["RUNNING"]


def test_one_bad_message_takes_no_other_along(stage):
    failed = stage.deliver("no json", notification("web-5xx", "critical", START))
    stage.run(1)
    assert (failed, stage.statuses) == ([], ["RUNNING"])


MALFORMED = [
    ("no json", "The message is no JSON."),
    ("[]", "The message is no JSON object."),
    ('{"hello": 1}', "The message comes neither from SNS nor from CloudWatch's alarms."),
    (
        '{"TopicArn": "arn:aws:sns:us-east-1:1:x", "Message": "{}"}',
        "The topic arn:aws:sns:us-east-1:1:x has no severity.",
    ),
    (json.dumps({"TopicArn": next(iter(stages.TOPICS))}), "Message is missing."),
    (notification("", "critical", START), "AlarmName is missing."),
    (notification("a", "critical", START, state="PANIC"), "An alarm has no state 'PANIC'."),
    (notification("a", "critical", START, StateChangeTime="soon"), "StateChangeTime is no moment."),
    (notification("a", "critical", START, StateChangeTime=None), "StateChangeTime is missing."),
    ('{"detail-type": "CloudWatch Alarm State Change"}', "The state change has no state."),
]


@pytest.mark.parametrize(("body", "reason"), MALFORMED, ids=[reason for _, reason in MALFORMED])
def test_a_message_that_nobody_understands_is_buried_with_the_reason(stage, body, reason):
    assert stage.deliver(body) == []
    assert stage.buried() == [(body, reason)]


def test_where_it_cannot_be_buried_it_stays_in_the_inbox(stage):
    stage.faults.fails("sqs", denied())
    assert stage.deliver("no json") == ["0"]


def test_an_event_of_the_database_is_left_to_the_topic_s_e_mail(stage):
    message = json.dumps({"Event Source": "db-instance", "Source ID": "db", "Event Message": "Failover completed"})
    assert stage.deliver(json.dumps({"TopicArn": next(iter(stages.TOPICS)), "Message": message})) == []
    assert (stage.buried(), stage.states.executions) == ([], {})


BUDGET = "AWS Budget Notification November 21, 2026\n\nBudget Name: platform-prod-monthly\nACTUAL Amount: $900.00"


@pytest.mark.parametrize(
    ("message", "posted"),
    [
        (BUDGET, f"AWS Budgets: over 80 %\n{BUDGET}"),
        (
            json.dumps({"Event Source": "runbook", "Event Message": "Back after maintenance."}),
            "AWS Budgets: over 80 %\nBack after maintenance.",
        ),
        (
            json.dumps({"anomalyId": "a-1", "impact": {"totalImpact": 120}}),
            'AWS Budgets: over 80 %\n{\n "anomalyId": "a-1",\n "impact": {\n  "totalImpact": 120\n }\n}',
        ),
    ],
    ids=["words of AWS Budgets", "a command's", "a cost anomaly"],
)
def test_what_is_no_alarm_s_is_posted_to_the_channel_and_calls_nobody(stage, message, posted):
    event = {"TopicArn": next(iter(stages.TOPICS)), "Subject": "AWS Budgets: over 80 %", "Message": message}
    assert stage.deliver(json.dumps(event)) == []
    assert [(one.channel, one.text) for one in stage.sent] == [("slack", posted)]
    assert (stage.buried(), stage.states.executions) == ([], {})


def test_a_long_announcement_is_cut_to_what_the_channel_shows(stage):
    stage.deliver(json.dumps({"TopicArn": next(iter(stages.TOPICS)), "Message": "x" * 10_000}))
    assert [len(one.text) for one in stage.sent] == [3000]


def test_an_announcement_that_cannot_be_asked_for_stays_in_the_inbox(stage):
    stage.faults.fails("lambda", throttled())
    body = json.dumps({"TopicArn": next(iter(stages.TOPICS)), "Message": "hi"})
    assert stage.deliver(body) == ["0"]
    stage.faults.fails("lambda", throttled(), times=1)
    assert stage.deliver(body) == []
    assert [one.text for one in stage.sent] == ["hi"]


def test_a_channel_that_is_down_fails_the_announcement_so_that_lambda_tries_it_again(stage):
    stage.faults.fails("slack", TimeoutError())
    with pytest.raises(slack.SlackError):
        notifying.act({"announcement": "hi"}, stage.notify_env, stage.notify_world)


def test_a_reply_that_is_no_text_message_is_buried(stage):
    event = {"Records": [{"Sns": {"Message": "garbage"}}]}
    assert acknowledge.act(event, stage.acknowledge_env, stage.acknowledge_world) == {"replies": 0}
    assert stage.buried() == [("garbage", "The reply is no text message of End User Messaging.")]


# Business days


def test_a_low_alarm_waits_for_the_next_business_day(stage):
    stage.ring(severity="low")
    tuesday_at_nine = (datetime(2025, 1, 7, 14, 0, tzinfo=UTC) - START).total_seconds() / 60
    stage.run(tuesday_at_nine + 29)
    assert stage.rungs == [(int(tuesday_at_nine) + minutes, channel, to) for minutes, channel, to in LADDER]


def test_a_low_alarm_that_clears_while_it_waits_is_never_told_of(stage):
    stage.ring(severity="low")
    stage.at(60, stage.clear)
    stage.run(3 * 24 * 60)
    assert (stage.sent, stage.statuses) == ([], ["SUCCEEDED"])


def test_a_low_alarm_can_be_answered_while_it_waits(stage):
    stage.ring(severity="low")
    stage.at(60, stage.acknowledge)
    stage.at(90, stage.clear)
    stage.run(3 * 24 * 60)
    assert (stage.rungs, stage.statuses) == ([], ["SUCCEEDED"])


@pytest.mark.parametrize("severity", ["critical", "high", "medium"])
def test_every_other_severity_rings_at_any_hour(severity):
    sunday_at_three = datetime(2025, 1, 12, 8, 0, tzinfo=UTC)
    with stages.stage(sunday_at_three) as stage:
        stage.ring(severity=severity)
        stage.run(29)
        assert [rung[:2] for rung in stage.rungs] == [rung[:2] for rung in LADDER]


def test_who_is_on_call_is_decided_when_a_rung_goes_out_and_not_when_the_alarm_rings():
    eight_minutes_before_hand_over = datetime(2025, 1, 13, 13, 52, tzinfo=UTC)
    with stages.stage(eight_minutes_before_hand_over) as stage:
        stage.ring()
        stage.run(29)
        assert stage.rungs == [
            (0, "slack", "channel"),
            (5, "email", "ana@learning.example"),
            (10, "sms", "+15125550143"),
            (15, "phone", "+15125550144"),
        ]


# The proof that tries fit between rungs


def test_all_tries_of_a_rung_fit_into_the_least_gap_that_the_settings_allow():
    from settings.escalation import LEAST_GAP

    assert plan.LONGEST_RUNG < LEAST_GAP * 60
