"""Rules for queues and topics: what is not taken is given again, then kept, and who reads can tell a forgery."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import links
from .coverage import FUNCTION, QUEUE, TOPIC
from .feeds import MAPPING
from .json_text import parsed
from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .values import number, show

_REDRIVE = "aws:sqs/redrivePolicy:RedrivePolicy"

#: What SQS gives where nothing is said, and the longest it keeps messages, in seconds.
_VISIBLE, _RETENTION, _LONGEST = 30, 4 * 86_400, 14 * 86_400

#: Lambda Developer Guide, "Using Lambda with Amazon SQS": the queue hides a message six times as long as the function
#: may take, and gives it at least five times, so that a throttled function loses none.
_TIMES, _GIVEN = 6, 5

#: Minutes after which a message that nobody can take has to be among the dead letters, where it rings.
_BURIED = 30


def _kept(queue: Resource, _: Context) -> Iterator[str]:
    seconds = number(queue.section("messageRetentionSeconds"))
    days = (_RETENTION if seconds is None else seconds) / 86_400
    if days * 86_400 < _LONGEST:
        yield (
            f"The queue drops what nobody has taken after {show(round(days, 1))} days; SQS keeps it for "
            f"{_LONGEST // 86_400}."
        )


def _given_again(stack: Stack) -> Iterator[Fault]:
    def judge(mapping: Resource) -> Iterator[Fault]:
        queues = links.targets(stack, mapping, "eventSourceArn", QUEUE)
        if queues and "ReportBatchItemFailures" not in mapping.items("functionResponseTypes"):
            yield Fault(
                "Messages that fail are taken for done: functionResponseTypes has no ReportBatchItemFailures.",
                mapping.urn,
            )
        for queue in queues:
            for function in links.targets(stack, mapping, "functionName", FUNCTION):
                yield from (Fault(said, queue.urn) for said in _read_by(stack, queue, function))

    return each(stack.of(MAPPING), judge)


def _read_by(stack: Stack, queue: Resource, function: Resource) -> Iterator[str]:
    takes = number(function.section("timeout")) or 3
    hidden = number(queue.section("visibilityTimeoutSeconds"))
    hidden = _VISIBLE if hidden is None else hidden
    if hidden < _TIMES * takes:
        yield (
            f"Messages come again after {show(hidden)} seconds, while function {function.name} may still work on them; "
            f"{_TIMES} times its {show(takes)} seconds are needed."
        )
    holder = next(iter(links.sources(stack, queue, "queueUrl", _REDRIVE)), queue)
    redrive = _redrive(holder)
    if not redrive.get("deadLetterTargetArn"):
        yield "A message that no function can take comes again until it is dropped: the queue has no dead letters."
        return
    given = number(redrive.get("maxReceiveCount"))
    if given is None or given < _GIVEN:
        yield f"A message is given up after {show(given)} attempts; {_GIVEN} are needed, for a throttled function too."
    elif given * hidden > _BURIED * 60:
        yield (
            f"A message that no function can take is hidden for {show(given * hidden / 60)} minutes before it is among "
            f"the dead letters; {_BURIED} are the most."
        )
    if not [one for one in links.targets(stack, holder, "redrivePolicy", QUEUE) if one.urn != queue.urn]:
        yield "Its dead letters go to a queue that is not declared here."


def _redrive(holder: Resource) -> Mapping[str, Any]:
    return parsed(holder.section("redrivePolicy")) or {}


def _signed(topic: Resource, _: Context) -> Iterator[str]:
    version = number(topic.section("signatureVersion"))
    if version != 2:
        yield f"The topic signs its messages with SHA-1: its signature version is {show(version)}, and 2 is SHA-256."


KEPT = ResourceRule(
    id="sqs-kept",
    sentence="000_b5883a9168e66709.txt §7: Investigate and troubleshoot any application or system-related issues",
    title="A queue keeps what nobody has taken for the 14 days that SQS allows.",
    why="What failed on the first day of somebody's leave is gone before anybody has looked.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SI-2", "NIST AU-11"),
    remedy=f"Set message_retention_seconds={_LONGEST}.",
    types=frozenset({QUEUE}),
    check=_kept,
)

GIVEN_AGAIN = StackRule(
    id="sqs-given-again",
    sentence="004_5ca73e3508d74ec8.txt Alert Escalation: Level 1: Slack notification to #alerts channel",
    title="A message that a function fails on is given to it again, and in the end is among the dead letters.",
    why="An alarm whose function was throttled is dropped, or taken twice, or comes again for ever.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SI-2", "NIST IR-6"),
    remedy=f"Set visibility_timeout_seconds to {_TIMES} times the function's timeout, redrive_policy with "
    f"maxReceiveCount {_GIVEN} and a queue of the stack, and function_response_types=['ReportBatchItemFailures'].",
    types=frozenset({QUEUE, MAPPING, FUNCTION, _REDRIVE}),
    check=_given_again,
)

SIGNED = ResourceRule(
    id="sns-signed",
    sentence="004_5ca73e3508d74ec8.txt Alert Escalation: Level 1: Slack notification to #alerts channel",
    title="A topic signs its messages with SHA-256.",
    why="SHA-1, which SNS takes by default, no longer tells a forged alarm from a real one.",
    severity=Severity.LOW,
    level=Level.MANDATORY,
    controls=("NIST SC-8", "NIST SC-13"),
    remedy="Set signature_version=2.",
    types=frozenset({TOPIC}),
    check=_signed,
)

RULES: tuple[Rule, ...] = (KEPT, GIVEN_AGAIN, SIGNED)
