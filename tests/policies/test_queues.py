"""Whether queues keep and give again, and topics sign."""

from __future__ import annotations

import json

import pytest

from policies.rulebook.coverage import FUNCTION, QUEUE, TOPIC
from policies.rulebook.feeds import MAPPING
from policies.rulebook.queues import GIVEN_AGAIN, KEPT, RULES, SIGNED

from .bags import ABSENT, UNKNOWN, UnknownValueError, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

REDRIVE = Ref("dead", "arn", '{"maxReceiveCount": 5, "deadLetterTargetArn": "', '"}')
STACK = {
    "dead": (QUEUE, {}),
    "inbox": (QUEUE, {"visibilityTimeoutSeconds": 60, "redrivePolicy": REDRIVE}),
    "it": (FUNCTION, {"timeout": 10}),
    "reads": (
        MAPPING,
        {
            "eventSourceArn": Ref("inbox", "arn"),
            "functionName": Ref("it", "arn"),
            "functionResponseTypes": ["ReportBatchItemFailures"],
        },
    ),
}
DEAD = "arn:aws:any:eu-west-1:123456789012:dead"


HIDDEN = (
    "A message that no function can take is hidden for 50 minutes before it is among the dead letters; 30 are the most."
)


def again(*changes, **options):
    return stack_faults(GIVEN_AGAIN, *declared(STACK, *changes, **options))


def redrive(**given):
    return ("inbox", ("redrivePolicy",), json.dumps({"maxReceiveCount": 5, "deadLetterTargetArn": DEAD, **given}))


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["sqs-kept", "sqs-given-again", "sns-signed"]


def test_a_queue_that_gives_again_passes():
    assert again() == []


def test_in_a_real_preview_a_redrive_policy_is_not_known_yet():
    assert not_evaluated(GIVEN_AGAIN, *declared(STACK, preview=True))[0] == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            ("inbox", ("visibilityTimeoutSeconds",), ABSENT),
            "Messages come again after 30 seconds, while function it may still work on them; 6 times its 10 seconds "
            "are needed.",
        ),
        (
            ("inbox", ("redrivePolicy",), ABSENT),
            "A message that no function can take comes again until it is dropped: the queue has no dead letters.",
        ),
        (
            redrive(maxReceiveCount=2),
            "A message is given up after 2 attempts; 5 are needed, for a throttled function too.",
        ),
        (
            redrive(maxReceiveCount=None),
            "A message is given up after unset attempts; 5 are needed, for a throttled function too.",
        ),
        (
            redrive(maxReceiveCount=50),
            HIDDEN,
        ),
        (
            ("inbox", ("visibilityTimeoutSeconds",), 600),
            HIDDEN,
        ),
        (
            redrive(deadLetterTargetArn=DEAD.replace("dead", "other")),
            "Its dead letters go to a queue that is not declared here.",
        ),
    ],
)
def test_a_queue_that_loses_or_hides_messages_is_named(change, sentence):
    assert again(change) == [(sentence, "inbox")]


@pytest.mark.parametrize("types", [ABSENT, []])
def test_a_reader_that_takes_failures_for_done_is_named(types):
    assert again(("reads", ("functionResponseTypes",), types)) == [
        ("Messages that fail are taken for done: functionResponseTypes has no ReportBatchItemFailures.", "reads")
    ]


def test_a_redrive_policy_of_its_own_counts():
    apart = {"apart": ("aws:sqs/redrivePolicy:RedrivePolicy", {"queueUrl": Ref("inbox"), "redrivePolicy": REDRIVE})}
    assert again(("inbox", ("redrivePolicy",), ABSENT), extra=apart) == []


def test_unknown_seconds_are_no_pass():
    assert not_evaluated(GIVEN_AGAIN, *declared(STACK, ("inbox", ("visibilityTimeoutSeconds",), UNKNOWN)))[0] == []


@pytest.mark.parametrize(
    ("props", "days"), [({}, "4"), ({"messageRetentionSeconds": 604_800}, "7"), ({"messageRetentionSeconds": 60}, "0")]
)
def test_a_queue_that_drops_letters_early_is_named(props, days):
    assert faults(KEPT, resource(QUEUE, "it", props)) == [
        f"The queue drops what nobody has taken after {days} days; SQS keeps it for 14."
    ]


def test_a_queue_that_keeps_letters_passes():
    assert faults(KEPT, resource(QUEUE, "it", {"messageRetentionSeconds": 1_209_600})) == []
    with pytest.raises(UnknownValueError):
        faults(KEPT, resource(QUEUE, "it", {"messageRetentionSeconds": UNKNOWN}))


@pytest.mark.parametrize(("props", "version"), [({}, "unset"), ({"signatureVersion": 1}, "1")])
def test_a_topic_that_signs_with_sha_1_is_named(props, version):
    assert faults(SIGNED, resource(TOPIC, "it", props)) == [
        f"The topic signs its messages with SHA-1: its signature version is {version}, and 2 is SHA-256."
    ]


def test_a_topic_that_signs_with_sha_256_passes():
    assert faults(SIGNED, resource(TOPIC, "it", {"signatureVersion": 2})) == []
    with pytest.raises(UnknownValueError):
        faults(SIGNED, resource(TOPIC, "it", {"signatureVersion": UNKNOWN}))
