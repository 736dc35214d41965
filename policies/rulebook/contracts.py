"""What the program's own functions must be told: their environment, and the events that state machines and rules send.

``tests/policies/test_contracts.py`` holds ``ENVIRONMENTS`` and ``CALLS`` against the functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import asl, links
from .bells import EVENT_TARGET
from .coverage import FUNCTION, MACHINE
from .json_text import parsed
from .resource import Context, Resource, Stack, is_list
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .values import listed

#: A shape: text, whole number or switch; a list of one shape, with ... at least one
#: item; an object by its keys, ``*`` for any; a tuple: or null.
TEXT, WHOLE, FLAG = "text", "whole number", "true or false"
Shape = Any

_PERSON = {"email": TEXT, "name": TEXT, "phone": TEXT}
_OVERRIDE = {"backup": TEXT, "ends": TEXT, "primary": TEXT, "starts": TEXT}
_ROTATION = {"days": WHOLE, "first_hand_over": TEXT, "order": [TEXT], "overrides": [_OVERRIDE], "zone": TEXT}

#: Handler -> variable -> shape.
ENVIRONMENTS: Mapping[str, Mapping[str, Shape]] = {
    "functions.acknowledge.handler.handler": {
        "CONTACTS": {"*": _PERSON},
        "DEAD_LETTERS": TEXT,
        "RETENTION_DAYS": WHOLE,
        "TABLE": TEXT,
    },
    "functions.escalate.handler.handler": {
        "ACKNOWLEDGED_HOURS": WHOLE,
        "DEAD_LETTERS": TEXT,
        "MACHINE_ARN": TEXT,
        "NOTIFY": TEXT,
        "OFFICE": {"days": [WHOLE, ...], "holidays": [TEXT], "opens": WHOLE, "zone": TEXT},
        "OFFICE_SEVERITIES": [TEXT],
        "PATIENCE_MINUTES": WHOLE,
        "RESPOND_MINUTES": {"*": (WHOLE,)},
        "RETENTION_DAYS": WHOLE,
        "RUNGS": [{"minutes": WHOLE, "name": TEXT}, ...],
        "TABLE": TEXT,
        "TOPICS": {"*": TEXT},
    },
    "functions.notify.handler.handler": {
        "RETENTION_DAYS": WHOLE,
        "ROSTER": {"contacts": {"*": _PERSON}, "rotation": _ROTATION},
        "SENDER": TEXT,
        "SLACK_CHANNEL": TEXT,
        "SLACK_SECRET": TEXT,
        "SMS_IDENTITY": TEXT,
        "SYSTEM": TEXT,
        "TABLE": TEXT,
        "TAKES_REPLIES": FLAG,
        "VOICE_IDENTITY": TEXT,
    },
    "functions.schedule.handler.handler": {
        "CONFIGURATION": TEXT,
        "DEAD_LETTERS": TEXT,
        "ENVIRONMENT": TEXT,
        "FUNCTION": TEXT,
        "NAMESPACE": TEXT,
        "PROJECT": TEXT,
        "REGIONS": [TEXT, ...],
    },
    "functions.validate_restore.handler.handler": {
        "BUCKET": TEXT,
        "DEAD_LETTERS": TEXT,
        "EVIDENCE": ({"column": TEXT, "schema": TEXT, "table": TEXT},),
        "KEY_ARN": TEXT,
        "PLAN_ARN": TEXT,
        "PLAN_NAME": TEXT,
        "RPO_MINUTES": WHOLE,
        "RTO_MINUTES": WHOLE,
        "SYSTEM": TEXT,
        "TRIALS": [TEXT, ...],
        "TRUST_KEY": TEXT,
        "VAULTS": [{"label": TEXT, "name": TEXT, "region": TEXT}, ...],
    },
}


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of event: it has ``key``, equal to ``value`` unless that is None, and everything in ``needs``."""

    key: str
    value: str | None
    needs: Mapping[str, Shape]


def _calls(key: str, *values: str | None, **needs: Shape) -> tuple[Call, ...]:
    return tuple(Call(key, value, needs) for value in values)


_ALARM = {"alarm": {}, "escalation": TEXT}
_RUNG = {"channel": TEXT, "minutes": WHOLE, "name": TEXT, "next_minutes": WHOLE, "to": [TEXT]}

#: Handler -> the events that state machines and rules of EventBridge make for it.
CALLS: Mapping[str, tuple[Call, ...]] = {
    "functions.escalate.handler.handler": (
        *_calls("step", "open", **_ALARM, open_until=TEXT),
        *_calls("step", "hold", **_ALARM, state=TEXT, token=TEXT),
        *_calls("step", "failed", **_ALARM, rung=TEXT, error=TEXT),
        *_calls("step", "look", **_ALARM),
        *_calls("step", "close", **_ALARM, outcome=TEXT),
    ),
    "functions.notify.handler.handler": (
        *_calls("rung", None, **_ALARM, rung=_RUNG),
        *_calls("notice", None, **_ALARM, notice=TEXT),
    ),
    "functions.validate_restore.handler.handler": _calls("measure", "ages"),
}

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def _environment(function: Resource, _: Context) -> Iterator[str]:
    variables = function.section("environment", "variables")
    given = variables if isinstance(variables, Mapping) else {}
    needed = ENVIRONMENTS.get(str(function.section("handler")), {})
    missing = sorted(set(needed) - set(given))
    if missing:
        yield f"The function does not find its {'variable' if len(missing) == 1 else 'variables'} {listed(missing)}."

    def judge(name: str) -> Iterator[str]:
        value = str(given[name])
        if not _NAME.fullmatch(name):
            yield f"The variable {name} is not written in capitals, digits and underscores."
        elif not value.strip() and needed.get(name) != TEXT:
            yield f"The variable {name} is empty."
        else:
            yield from (f"The function's variable {name} {said}." for said in _unread(value, needed.get(name)))

    yield from through(sorted(given), judge)


def _unread(text: str, shape: Shape) -> Iterator[str]:
    """What is wrong with a variable. One without a shape is judged only where it begins as JSON does."""
    if shape == TEXT or (shape is None and text[:1] not in ("{", "[")):
        return
    try:
        value = json.loads(text)
    except ValueError:
        yield "is no JSON"
        return
    if shape is not None:
        yield from misfits(value, shape)


def misfits(value: Any, shape: Shape, where: str = "") -> Iterator[str]:
    """Where ``value`` has not the ``shape``, as ends of sentences. Keys that nobody asks for do no harm."""
    if isinstance(shape, tuple):
        if value is not None:
            yield from misfits(value, shape[0], where)
    elif isinstance(shape, list):
        if not is_list(value):
            yield f"is no list{where}"
        elif not value and ... in shape:
            yield f"is empty{where}"
        else:
            for index, item in enumerate(value):
                yield from misfits(item, shape[0], f"{where} at item {index + 1}")
    elif isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            yield f"is no object{where}"
        else:
            yield from _inside(value, shape, where)
    elif not _IS[shape](value):
        yield f"is no {shape}{where}"


def _inside(value: Mapping[str, Any], shape: Mapping[str, Shape], where: str) -> Iterator[str]:
    keys = sorted(value) if "*" in shape else sorted(shape)
    for key in keys:
        if key in value:
            yield from misfits(value[key], shape.get(key, shape.get("*")), f"{where} at {key}")
        else:
            yield f"lacks {key}{where}"


_IS = {
    TEXT: lambda value: isinstance(value, str),
    WHOLE: lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value),
    FLAG: lambda value: isinstance(value, bool),
}


def _told(stack: Stack) -> Iterator[Fault]:
    return each(stack.of(MACHINE, EVENT_TARGET), lambda caller: _caller(stack, caller))


def _caller(stack: Stack, caller: Resource) -> Iterator[Fault]:
    if caller.type == MACHINE:
        for name, state in asl.states(asl.machine(caller.section("definition"))):
            if asl.invokes(state):
                for function in stack.with_id(asl.given(state).get("FunctionName"), FUNCTION):
                    for said in _untold(function, asl.given(state).get("Payload")):
                        yield Fault(f"State {name} {said}.", caller.urn)
        return
    # A target without an input of its own hands on the event as it is, which its pattern says, or its schedule.
    scheduled = any(
        rule.section("scheduleExpression")
        for rule in links.targets(stack, caller, "rule", "aws:cloudwatch/eventRule:EventRule")
    )
    if scheduled or caller.section("input"):
        for function in links.targets(stack, caller, "arn", FUNCTION):
            yield from (
                Fault(f"The target {said}.", caller.urn) for said in _untold(function, parsed(caller.section("input")))
            )


def _untold(function: Resource, payload: Any) -> Iterator[str]:
    calls = CALLS.get(str(function.section("handler")))
    if calls is None:
        return
    given = {key.removesuffix(".$"): value for key, value in payload.items()} if isinstance(payload, Mapping) else {}
    paths = {key.removesuffix(".$") for key in (payload or ()) if key.endswith(".$")}
    call = next((one for one in calls if one.key in given and one.value in (None, given[one.key])), None)
    if call is None:
        keys = list(dict.fromkeys(one.key for one in calls))
        yield f"tells function {function.name} nothing that it knows by {listed(keys)}"
        return
    for key, shape in sorted(call.needs.items()):
        if key not in given:
            yield f"does not tell function {function.name} the {key}"
        elif key not in paths:
            yield from (f"tells function {function.name} a {key} that {said}" for said in misfits(given[key], shape))


ENVIRONMENT = ResourceRule(
    id="lambda-environment",
    sentence="003_720b7a256857bf84.txt Automations used on AWS - Schedulers: invoke lambda function",
    title="A function finds every variable that it reads, none is empty, and each has the form that it reads.",
    why="A function that misses a variable fails at every call, and for alarms that is the night it is needed.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST CM-6", "NIST SI-10"),
    remedy="Make the environment with the function's own class (functions/<name>/env.py), which writes all of it.",
    types=frozenset({FUNCTION}),
    check=_environment,
)

TOLD = StackRule(
    id="lambda-told",
    sentence="003_720b7a256857bf84.txt Automations used on AWS - Schedulers: invoke lambda function",
    title="Whoever calls a function tells it what it needs.",
    why="A call without it fails however often it is tried again: a rung that is lost, a measure that is not taken.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SI-10",),
    remedy="Put what is named into the state's Payload or the target's input.",
    types=frozenset({MACHINE, EVENT_TARGET, FUNCTION}),
    check=_told,
)

RULES: tuple[Rule, ...] = (ENVIRONMENT, TOLD)
