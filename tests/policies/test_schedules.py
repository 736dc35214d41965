"""The rules for schedules: one change to a sound stack breaks one rule, in one sentence."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import schedules
from policies.rulebook.alarms import ALARM
from policies.rulebook.backup_parts import PLAN, SELECTION
from policies.rulebook.coverage import COMPOSITE, DATABASE, FUNCTION, GROUP, HOST, QUEUE
from policies.rulebook.links import ATTACHMENT, POLICY, ROLE, ROLE_POLICY
from policies.rulebook.resource import Context
from policies.rulebook.rule import Level, ResourceRule, Severity
from policies.rulebook.schedules import MUTE, PATCH_WINDOW, SCHEDULE, SCHEDULE_GROUP

from .bags import ABSENT, UNKNOWN, UnknownValueError, faults, not_evaluated, stack_faults
from .declared import Ref, declared

RULES = {rule.id: rule for rule in schedules.RULES}
STAGING = Context(environment="staging")


def trust(account="123456789012", service="scheduler.amazonaws.com"):
    condition = {"StringEquals": {"aws:SourceAccount": account}} if account else {}
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Statement": [statement | ({"Condition": condition} if condition else {})]})


def allow(*pairs):
    statements = [{"Effect": "Allow", "Action": action, "Resource": arn} for action, arn in pairs]
    return json.dumps({"Statement": statements})


CALL_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:hours"
DEAD_ARN = "arn:aws:sqs:eu-west-1:123456789012:dead"
CALLS = (("lambda:InvokeFunction", CALL_ARN), ("sqs:SendMessage", DEAD_ARN))


def schedule(does, hour):
    return (
        SCHEDULE,
        {
            "name": f"office-{does}",
            "groupName": Ref("together", "name"),
            "scheduleExpression": f"cron(0 {hour} ? * MON-FRI *)",
            "scheduleExpressionTimezone": "America/Detroit",
            "target": {
                "arn": Ref("function", "arn"),
                "roleArn": Ref("role", "arn"),
                "input": json.dumps({"do": does, "period": "office"}),
                "deadLetterConfig": {"arn": Ref("dead", "arn")},
                "retryPolicy": {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 10},
            },
        },
    )


def sweep():
    token, props = schedule("sweep", 0)
    window = {"mode": "FLEXIBLE", "maximumWindowInMinutes": 5}
    target = {**props["target"], "input": json.dumps({"do": "sweep"})}
    return token, props | {"scheduleExpression": "rate(15 minutes)", "flexibleTimeWindow": window, "target": target}


def mute(expression, duration, *alarms):
    clock = {"expression": expression, "duration": duration, "timezone": "America/Detroit"}
    return MUTE, {"rule": {"schedule": clock}, "muteTargets": {"alarmNames": list(alarms)}}


BAG = {
    "function": (FUNCTION, {"arn": CALL_ARN}),
    "dead": (QUEUE, {"arn": DEAD_ARN}),
    "role": (ROLE, {"assumeRolePolicy": trust()}),
    "may": (ROLE_POLICY, {"role": Ref("role", "name"), "policy": allow(*CALLS)}),
    "stop": schedule("stop", 20),
    "start": schedule("start", 7),
    "database": (
        DATABASE,
        {
            "identifier": "data",
            "backupWindow": "18:00-18:30",
            "maintenanceWindow": "wed:15:00-wed:16:00",
            "tags": {"Schedule": "office", "Backup": "weekly"},
        },
    ),
    "group": (GROUP, {"tags": [{"key": "Schedule", "value": "office"}]}),
    "host": (HOST, {"tags": {"Role": "bastion"}}),
    "plan": (PLAN, {"rules": [{"ruleName": "weekly", "schedule": "cron(0 17 ? * TUE *)", "startWindow": 60}]}),
    "selection": (
        SELECTION,
        {"planId": Ref("plan"), "selectionTags": [{"type": "STRINGEQUALS", "key": "Backup", "value": "weekly"}]},
    ),
    "patches": (PATCH_WINDOW, {"schedule": "cron(0 16 ? * WED *)", "duration": 3, "scheduleTimezone": "UTC"}),
    "cpu": (ALARM, {"name": "data-cpu", "dimensions": {"Db": Ref("database")}, "alarmActions": ["topic"]}),
    "down": (COMPOSITE, {"alarmName": "data-down", "alarmRule": 'ALARM("data-cpu")', "alarmActions": ["topic"]}),
    "quiet": (ALARM, {"name": "quiet", "dimensions": {"Db": Ref("database")}}),
    "evenings": mute("cron(0 20 * * MON-THU)", "PT10H20M", "data-cpu", "data-down"),
    "weekends": mute("cron(0 20 * * FRI)", "P2DT10H20M", "data-cpu", "data-down"),
    "mornings": mute("cron(20 4 * * MON-FRI)", "PT3H", "data-cpu", "data-down"),
    "holiday": mute("at(2027-01-01T00:00)", "P2D", "data-cpu"),
    "together": (SCHEDULE_GROUP, {"name": "office"}),
    "sweep": sweep(),
}


def said(rule, *changes, context=STAGING, **options):
    return stack_faults(RULES[rule], *declared(BAG, *changes, **options), context=context)


def broken(*changes, context=STAGING, **options):
    resources = declared(BAG, *changes, **options)
    found = {}
    for rule in schedules.RULES:
        if isinstance(rule, ResourceRule):
            lines = [(line, one.name) for one in resources if one.type in rule.types for line in faults(rule, one)]
        else:
            lines = stack_faults(rule, *resources, context=context)
        if lines:
            found[rule.id] = lines
    return found


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in schedules.RULES] == [
        ("sched-role-least", Severity.HIGH, Level.MANDATORY),
        ("sched-paired", Severity.HIGH, Level.MANDATORY),
        ("sched-dlq-retry", Severity.MEDIUM, Level.MANDATORY),
        ("sched-not-prod", Severity.HIGH, Level.MANDATORY),
        ("sched-windows-clear", Severity.MEDIUM, Level.MANDATORY),
        ("sched-mutes-alarms", Severity.MEDIUM, Level.ADVISORY),
        ("sched-sound", Severity.MEDIUM, Level.MANDATORY),
        ("sched-looked-after", Severity.MEDIUM, Level.MANDATORY),
    ]


def test_a_sound_stack_breaks_no_rule():
    assert broken() == {}


# Roles

ALL = ("stop", "start", "sweep")


def of_all(*sentences):
    return [(sentence, name) for name in ALL for sentence in sentences]


OF_A_GROUP = (
    trust()
    .replace("aws:SourceAccount", "aws:SourceArn")
    .replace('"123456789012"', '"arn:aws:scheduler:eu-west-1:123456789012:schedule-group/it"')
)


@pytest.mark.parametrize(
    ("name", "prop", "value", "sentence"),
    [
        ("role", "assumeRolePolicy", trust(None), "Its role role is trusted without a condition on aws:SourceAccount."),
        ("role", "assumeRolePolicy", OF_A_GROUP,
         "Its role role is trusted without a condition on aws:SourceAccount."),
        ("role", "assumeRolePolicy", trust("*"), "Its role role is trusted without a condition on aws:SourceAccount."),
        ("role", "assumeRolePolicy", trust(service="events.amazonaws.com"),
         "Its role role does not let EventBridge Scheduler take it on."),
        ("may", "policy", allow(CALLS[1]), "Its role role lacks lambda:InvokeFunction on function."),
        ("may", "policy", allow(CALLS[0]), "Its role role lacks sqs:SendMessage on dead."),
        ("may", "policy", allow(("lambda:InvokeFunction", "*"), CALLS[1]),
         "Its role role may do more than the call needs: lambda:InvokeFunction on *."),
        ("may", "policy", allow(*CALLS, ("lambda:InvokeFunction", f"{CALL_ARN}-other")),
         f"Its role role may do more than the call needs: lambda:InvokeFunction on {CALL_ARN}-other."),
        ("may", "policy", allow(*CALLS, ("s3:GetObject", "arn:aws:s3:::it/*")),
         "Its role role may do more than the call needs: s3:GetObject on arn:aws:s3:::it/*."),
        ("may", "policy", allow(*CALLS, ("sqs:SendMessage", CALL_ARN)),
         f"Its role role may do more than the call needs: sqs:SendMessage on {CALL_ARN}."),
        ("may", "policy", allow(*CALLS, ("kms:Decrypt", "*")),
         "Its role role may do more than the call needs: kms:Decrypt on *."),
    ],
)  # fmt: skip
def test_a_role_that_may_too_much_or_too_little_is_named(name, prop, value, sentence):
    assert said("sched-role-least", (name, (prop,), value)) == of_all(sentence)


def test_versions_of_the_function_and_a_queue_s_key_are_part_of_the_call():
    key = "arn:aws:kms:eu-west-1:123456789012:key/1"
    more = allow(*CALLS, ("lambda:InvokeFunction", f"{CALL_ARN}:live"), ("kms:GenerateDataKey", key))
    assert said("sched-role-least", ("may", ("policy",), more)) == []


def test_a_role_without_a_policy_lacks_all():
    assert said("sched-role-least", without=["may"]) == of_all(
        "Its role role lacks lambda:InvokeFunction on function.", "Its role role lacks sqs:SendMessage on dead."
    )


def test_a_managed_policy_is_more_than_a_call_needs():
    attached = {"more": (ATTACHMENT, {"role": Ref("role", "name"), "policyArn": "arn:aws:iam::aws:policy/ReadOnly"})}
    sentence = "Its role role carries a managed policy beyond what a call needs."
    assert said("sched-role-least", extra=attached) == of_all(sentence)


def test_a_policy_of_the_stack_is_read_where_it_is_attached():
    bag = {
        "policy": (POLICY, {"policy": allow(*CALLS)}),
        "more": (ATTACHMENT, {"role": Ref("role", "name"), "policyArn": Ref("policy", "arn")}),
    }
    assert said("sched-role-least", without=["may"], extra=bag) == []


def test_a_role_of_others_is_not_trusted_blindly():
    sentence = "The schedule's role is not declared here; what it may do is not known."
    assert said("sched-role-least", without=["role"]) == of_all(sentence)


def test_an_unknown_policy_is_no_pass():
    judged = declared(BAG, ("may", ("policy",), UNKNOWN))
    assert not_evaluated(RULES["sched-role-least"], *judged)[1].urns == (judged[4].urn, judged[5].urn, judged[-1].urn)


# Pairs

OFF = "What the schedule stops stays so: the start of office is switched off."
NEVER = "What the schedule stops is never started again: no schedule starts office."
NO_ZONE = "The schedule names no time zone; in UTC its hours move with every summer."


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("start", ("state",), "DISABLED"), [(OFF, "stop")]),
        (("start", ("state",), "ENABLED"), []),
        (("stop", ("state",), "DISABLED"), []),
        (("start", ("target", "input"), '{"do": "start", "period": "other"}'), [(NEVER, "stop")]),
        (("start", ("target", "input"), "no json"), [(NEVER, "stop")]),
        (("stop", ("scheduleExpressionTimezone",), ABSENT), [(NO_ZONE, "stop")]),
        (("start", ("scheduleExpressionTimezone",), ABSENT), [(NO_ZONE, "start")]),
        (("start", ("scheduleExpressionTimezone",), "UTC"),
         [("It starts by the clock of UTC what is stopped by that of America/Detroit.", "start")]),
    ],
)  # fmt: skip
def test_what_is_stopped_has_to_be_started_by_the_same_clock(change, expected):
    assert said("sched-paired", change) == expected


def test_a_stop_without_a_start_is_named():
    assert said("sched-paired", without=["start"]) == [(NEVER, "stop")]


def test_calls_of_an_api_are_paired_too():
    target = {"roleArn": "any", "input": '{"InstanceIds": ["i-1"]}'}
    calls = {
        f"{verb}-it": (
            SCHEDULE,
            {
                "scheduleExpressionTimezone": "UTC",
                "target": {**target, "arn": f"arn:aws:scheduler:::aws-sdk:ec2:{verb}Instances"},
            },
        )
        for verb in ("stop", "start")
    }
    assert said("sched-paired", extra=calls) == []
    alone = {"stop-it": calls["stop-it"]}
    sentence = "What the schedule stops is never started again: no schedule starts its targets."
    assert said("sched-paired", extra=alone) == [(sentence, "stop-it")]


def test_a_schedule_that_does_something_else_is_not_judged():
    assert said("sched-paired", ("stop", ("target", "input"), '{"do": "sweep"}')) == []


def test_an_unknown_payload_is_no_pass():
    assert not_evaluated(RULES["sched-paired"], *declared(BAG, ("stop", ("target", "input"), UNKNOWN)))[0] == []


def test_pairs_are_told_in_a_real_preview_too():
    assert said("sched-paired", preview=True) == []
    assert said("sched-paired", preview=True, without=["start"]) == [(NEVER, "stop")]


# Dead letters


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("target", "deadLetterConfig"), ABSENT, "A call that fails is lost: the schedule has no dead-letter queue."),
        (("target", "deadLetterConfig", "arn"), ABSENT,
         "A call that fails is lost: the schedule has no dead-letter queue."),
        (("target", "retryPolicy"), ABSENT,
         "How long a call may be tried again is not said, so AWS's day holds: it may come a day late."),
        (("target", "retryPolicy", "maximumEventAgeInSeconds"), 36_000,
         "A call may come 36000 seconds late; 3600 are the most."),
        (("target", "retryPolicy", "maximumRetryAttempts"), 0, "A call that fails once is not tried again."),
    ],
)  # fmt: skip
def test_a_call_that_may_get_lost_is_named(path, value, sentence):
    assert broken(("stop", path, value))["sched-dlq-retry"] == [(sentence, "stop")]


def test_a_queue_that_is_still_to_be_made_is_one():
    stop = declared(BAG, ("stop", ("target", "deadLetterConfig", "arn"), UNKNOWN))[4]
    assert faults(RULES["sched-dlq-retry"], stop) == []


def test_unknown_retries_are_no_pass():
    stop = declared(BAG, ("stop", ("target", "retryPolicy", "maximumRetryAttempts"), UNKNOWN))[4]
    with pytest.raises(UnknownValueError):
        faults(RULES["sched-dlq-retry"], stop)


# Prod


def test_nothing_is_stopped_in_prod():
    assert said("sched-not-prod", context=Context()) == [("The schedule stops office in prod.", "stop")]
    assert said("sched-not-prod", ("stop", ("state",), "DISABLED"), context=Context()) == []
    assert said("sched-not-prod", without=["stop"], context=Context()) == []


def test_prod_is_not_stopped_from_elsewhere():
    prod = '{"do": "stop", "environment": "prod"}'
    assert said("sched-not-prod", ("stop", ("target", "input"), prod)) == [
        ("The schedule stops what is called prod.", "stop")
    ]


# Windows


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("database", ("backupWindow",), "03:00-03:30"),
         [("database is stopped (office) in its backup window 03:00-03:30.", "database")]),
        # In winter it would be done by seven in the evening, in summer it would begin after eight.
        (("database", ("backupWindow",), "23:30-01:00"),
         [("database is stopped (office) in its backup window 23:30-01:00.", "database")]),
        (("database", ("maintenanceWindow",), "sat:15:00-sat:16:00"),
         [("database is stopped (office) in its maintenance window sat:15:00-sat:16:00.", "database")]),
        (("database", ("backupWindow",), ABSENT), []),
        (("database", ("tags", "Schedule"), ABSENT), []),
        (("plan", ("rules", 0, "schedule"), "cron(0 2 ? * SUN *)"),
         [("database is stopped (office) during backup weekly.", "plan")]),
        (("plan", ("rules", 0, "schedule"), "cron(0 17 1 * ? *)"), []),
        (("plan", ("rules", 0, "schedule"), "cron(0 17 * * ? *)"), []),
        (("plan", ("rules", 0, "schedule"), "rate(1 day)"),
         [("Whether database runs during backup weekly cannot be told: it is no cron(…) of every year.", "plan")]),
        (("plan", ("rules", 0, "scheduleExpressionTimezone"), "Asia/Tokyo"),
         [("database is stopped (office) during backup weekly.", "plan")]),
        (("database", ("tags", "Backup"), "none"), []),
        (("patches", ("schedule",), "cron(0 22 ? * WED *)"),
         [("group is stopped (office) during patch window patches.", "patches")]),
        (("patches", ("duration",), 12), [("group is stopped (office) during patch window patches.", "patches")]),
        (("stop", ("scheduleExpression",), "rate(1 day)"),
         [("When office runs cannot be told: it is no cron(…) of every year.", "stop")]),
        (("start", ("scheduleExpression",), "cron(0 20 ? * MON-FRI *)"),
         [("When office runs cannot be told: it stops and starts at the same time.", "stop")]),
    ],
)  # fmt: skip
def test_a_window_in_stopped_hours_is_named(change, expected):
    assert said("sched-windows-clear", change) == expected


def test_what_is_never_started_is_the_business_of_another_rule():
    night = ("database", ("backupWindow",), "03:00-03:30")
    assert said("sched-windows-clear", night, without=["start"]) == []
    assert said("sched-windows-clear", night, ("start", ("state",), "DISABLED")) == []


@pytest.mark.parametrize("path", [("backupWindow",), ("maintenanceWindow",)])
def test_an_unknown_window_is_no_pass(path):
    assert not_evaluated(RULES["sched-windows-clear"], *declared(BAG, ("database", path, UNKNOWN)))[0] == []


# Alarms


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("evenings", ("rule", "schedule", "duration"), "PT8H"),
         [(f"{name} is not mute from Tue 04:00 on while database is stopped (office).", alarm)
          for name, alarm in (("data-cpu", "cpu"), ("data-down", "down"))]),
        (("evenings", ("rule", "schedule", "duration"), "PT13H"),
         [("The rule mutes alarms of database from Mon 20:00 until Tue 09:00, more than 60 minutes beyond the time in "
           "which it is stopped.", "evenings")]),
        (("evenings", ("rule", "schedule", "duration"), "PT11H20M"), []),
        (("evenings", ("rule", "schedule", "expression"), "cron(0 19 * * MON-THU)"),
         [("The rule mutes alarms of database from Mon 19:00 until Tue 05:20, more than 60 minutes beyond the time in "
           "which it is stopped.", "evenings")]),
        (("evenings", ("rule", "schedule", "timezone"), ABSENT),
         [("The rule goes by the clock of UTC, the schedule by America/Detroit.", "evenings")]),
        (("evenings", ("muteTargets", "alarmNames"), ["data-cpu"]),
         [("data-down is not mute from Mon 20:00 on while database is stopped (office).", "down")]),
        (("cpu", ("alarmActions",), []), []),
        (("quiet", ("alarmActions",), ["topic"]),
         [("quiet is not mute from Mon 20:00 on while database is stopped (office).", "quiet")]),
        (("mornings", ("muteTargets", "alarmNames"), ["data-cpu", "data-down", "another"]), []),
    ],
)  # fmt: skip
def test_alarms_are_mute_while_it_is_stopped_and_not_longer(change, expected):
    assert said("sched-mutes-alarms", change) == expected


def test_a_mute_rule_that_is_gone_is_missed():
    assert said("sched-mutes-alarms", without=["weekends"]) == [
        ("data-cpu is not mute from Fri 20:00 on while database is stopped (office).", "cpu"),
        ("data-down is not mute from Fri 20:00 on while database is stopped (office).", "down"),
    ]


def test_a_mute_rule_that_is_left_over_is_named():
    sentence = "The rule mutes alarms again and again of what is never stopped."
    assert said("sched-mutes-alarms", without=["stop"]) == [
        (sentence, name) for name in ("evenings", "weekends", "mornings")
    ]


@pytest.mark.parametrize("path", [("muteTargets", "alarmNames"), ("rule", "schedule", "duration")])
def test_an_unknown_mute_rule_is_no_pass(path):
    assert not_evaluated(RULES["sched-mutes-alarms"], *declared(BAG, ("evenings", path, UNKNOWN)))[0] == []


# Every schedule


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("state",), "DISABLED", "The schedule is switched off, so nothing calls its target."),
        (("scheduleExpressionTimezone",), ABSENT, "The schedule names no time zone."),
        (("groupName",), ABSENT, "The schedule is in no group of the stack: its group is unset."),
        (("groupName",), "others", "The schedule is in no group of the stack: its group is others."),
        (("target", "input"), ABSENT,
         "The schedule does not tell its function what to do: its input is no JSON object."),
        (("target", "input"), "{}",
         "The schedule does not tell its function what to do: its input is no JSON object."),
        (("scheduleExpression",), "rate(5 years)",
         "AWS refuses the schedule: a rate is a number of minutes, hours or days."),
        (("flexibleTimeWindow", "maximumWindowInMinutes"), 15,
         "A call may come 15 minutes late, but the next is due after 15."),
        (("flexibleTimeWindow", "maximumWindowInMinutes"), ABSENT,
         "A call may come an unsaid number of minutes late, but the next is due after 15."),
    ],
)  # fmt: skip
def test_an_unsound_schedule_is_named(path, value, sentence):
    assert said("sched-sound", ("sweep", path, value)) == [(sentence, "sweep")]


def test_a_schedule_of_an_unknown_state_is_not_judged_and_others_are():
    changes = [("sweep", ("state",), UNKNOWN), ("stop", ("groupName",), ABSENT)]
    expected = [("The schedule is in no group of the stack: its group is unset.", "stop")]
    assert not_evaluated(RULES["sched-sound"], *declared(BAG, *changes), context=STAGING)[0] == expected


UNSEEN = [("Nothing looks every hour whether office is as it should be.", "stop")]


@pytest.mark.parametrize(
    "change",
    [
        (("state",), "DISABLED"),
        (("scheduleExpression",), "rate(2 hours)"),
        (("scheduleExpression",), "never"),
        (("target", "input"), ABSENT),
        (("target", "input"), json.dumps({"do": "stop", "period": "nights"})),
    ],
)
def test_what_is_stopped_is_looked_after(change):
    expected = [sentence.replace("office", "nights") for sentence, _ in UNSEEN] if "nights" in str(change) else []
    found = said("sched-looked-after", ("sweep", *change))
    assert found == [*UNSEEN, *((sentence, "sweep") for sentence in expected)]


def test_without_the_look_the_stop_is_named():
    assert said("sched-looked-after", without=["sweep"]) == UNSEEN
    assert said("sched-looked-after", without=["sweep", "stop"]) == []


def test_an_unknown_look_is_not_judged():
    resources = declared(BAG, ("sweep", ("scheduleExpression",), UNKNOWN))
    assert not_evaluated(RULES["sched-looked-after"], *resources, context=STAGING)[0] == []
