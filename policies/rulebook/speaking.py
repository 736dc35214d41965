"""Whether an event that rings for people speaks in words that the escalation reads: those of a CloudWatch alarm."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import links
from .bells import EVENT_TARGET
from .coverage import TOPIC
from .deliveries import severity_of
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each

#: What an alarm's notification says that nobody can be called without (CloudWatch User Guide, "Notify users on alarm
#: changes"), and what it has to say where only one thing will do.
_SAID: Mapping[str, str | None] = {"AlarmName": None, "NewStateValue": "ALARM", "StateChangeTime": None}

#: The severities whose events call people; what others tell may be news.
_CALLING = ("critical", "high", "medium")

_PLACE = re.compile(r"<[\w.-]+>")


def _speaks(stack: Stack) -> Iterator[Fault]:
    def judge(target: Resource) -> Iterator[Fault]:
        for topic in links.targets(stack, target, "arn", TOPIC):
            if severity_of(topic) in _CALLING and (lack := _lack(target)):
                yield Fault(f"Topic {topic.name} gets a text that calls nobody: {lack}.", target.urn)

    return each(stack.of(EVENT_TARGET), judge)


def _lack(target: Resource) -> str:
    """What keeps a target's text from being an alarm's, in words; nothing where it is one."""
    text = target.section("inputTransformer", "inputTemplate") or target.props.get("input")
    if not text:
        return "the event is handed on as it came, and has no AlarmName"
    found = _read(text)
    if not isinstance(found, Mapping):
        return "it is no JSON object"
    for key, wanted in _SAID.items():
        value = found.get(key)
        if not isinstance(value, str) or not value.strip():
            return f"it has no {key}"
        if wanted is not None and value != wanted:
            return f"its {key} is {value}, and not {wanted}"
    return ""


def _read(text: str) -> Any:
    """A template as EventBridge fills it in: what stands for a value outside of quotes is one with its own."""
    for template in (text, _PLACE.sub('"\\g<0>"', text)):
        try:
            return json.loads(template)
        except ValueError:
            continue
    return None


EVENTS_SPEAK = StackRule(
    id="esc-event-speaks",
    sentence="004_5ca73e3508d74ec8.txt Alert Escalation: Phone call to backup engineer (15 minutes)",
    title="An event that is to call people is told in the keys of a CloudWatch alarm.",
    why="The escalation calls people for alarms. Any other text reaches a mailbox and the channel, and nobody's phone.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST IR-6", "NIST SI-4"),
    remedy="Give aws.cloudwatch.EventTarget an input_transformer whose template has AlarmName, NewStateValue ALARM and "
    "StateChangeTime; components/_told.py makes one.",
    types=frozenset({EVENT_TARGET}),
    check=_speaks,
)

RULES: tuple[Rule, ...] = (EVENTS_SPEAK,)
