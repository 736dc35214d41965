"""Rules for who is called when an alarm rings: the chain is whole, and its contacts are people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from .bells import EVENT_RULE, is_off, takes, targets_of
from .coverage import FUNCTION, MACHINE, QUEUE, TOPIC
from .deliveries import CHAT as SLACK
from .deliveries import SEVERITIES, SUBSCRIPTION, may_on, severity_of
from .feeds import MAPPING
from .links import ROLE, sources, targets
from .resource import Context, Resource, Stack, is_list
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .values import is_true_of_any, listed, number, show

CONTACT_CHANNEL = "aws:ssmcontacts/contactChannel:ContactChannel"

#: Channel -> what it is in words, and the minutes after the alarm by which it has to be used.
RUNGS: Mapping[str, tuple[str, int]] = {
    "slack": ("Slack", 0),
    "email": ("e-mail", 5),
    "sms": ("text message", 10),
    "phone": ("telephone", 15),
}

_START = "states:StartExecution"

_ANSWER = "states:SendTaskSuccess"

#: An alarm that has cleared, as it stands on the bus (CloudWatch User Guide, "Alarm events and EventBridge").
_CLEARED = {
    "source": "aws.cloudwatch",
    "detail-type": "CloudWatch Alarm State Change",
    "detail": {
        "alarmName": "cpu",
        "state": {"value": "OK", "reason": "Threshold Crossed"},
        "previousState": {"value": "ALARM"},
    },
}

_TOKEN = ".waitForTaskToken"  # noqa: S105 - a way to call a service


@dataclass(frozen=True, slots=True)
class _Rung:
    channel: str
    minutes: float | None


def _chain(stack: Stack) -> Iterator[Fault]:
    checks: tuple[Callable[[Stack], Iterator[Fault]], ...] = (_topics, _feeding, _ending, _answering, _machines)
    yield from through(checks, lambda check: check(stack))


def _topics(stack: Stack) -> Iterator[Fault]:
    """Each severity has a topic, else its alarms reach nobody."""
    tagged = {severity_of(topic) for topic in stack.of(TOPIC)}
    missing = [severity for severity in SEVERITIES if severity not in tagged]
    if missing:
        yield Fault(f"No topic is tagged with the severity {listed(missing)}.")


def _feeding(stack: Stack) -> Iterator[Fault]:
    """Each topic of a severity starts the escalation, instead of filling mailboxes only."""

    def judge(topic: Resource) -> Iterator[Fault]:
        severity = severity_of(topic)
        if severity and not is_true_of_any(
            sources(stack, topic, "topic", SUBSCRIPTION), lambda one: _starts(stack, one, "endpoint")
        ):
            yield Fault(
                f"The topic of {severity} alarms starts no escalation: no function that does so is at its end.",
                topic.urn,
            )

    yield from each(stack.of(TOPIC), judge)


def _starts(stack: Stack, sender: Resource, prop: str) -> bool:
    """Whether what ``sender`` sends comes to a function, perhaps through a queue, that may start an escalation."""
    queues = targets(stack, sender, prop, QUEUE)
    readers = (reader for queue in queues for reader in stack.referring(queue, "eventSourceArn", MAPPING))
    functions = (
        *targets(stack, sender, prop, FUNCTION),
        *(function for reader in readers for function in targets(stack, reader, "functionName", FUNCTION)),
    )
    return is_true_of_any(functions, lambda function: _may_on_a_machine(stack, function, _START))


def _may_on_a_machine(stack: Stack, function: Resource, action: str) -> bool:
    """Whether a function may do ``action`` on a machine that calls people."""
    machines = [machine for machine in stack.of(MACHINE) if _rungs(_definition(machine))]
    return any(
        may_on(stack, role, action, machine) for role in targets(stack, function, "role", ROLE) for machine in machines
    )


def _ending(stack: Stack) -> Iterator[Fault]:
    """An alarm that clears ends its escalation."""

    def hands_on(rule: Resource) -> bool:
        return (
            not is_off(rule)
            and takes(rule, _CLEARED)
            and is_true_of_any(targets_of(stack, rule), lambda target: _starts(stack, target, "arn"))
        )

    if _has_machine(stack) and not is_true_of_any(stack.of(EVENT_RULE), hands_on):
        yield Fault("No alarm that clears ends its escalation: no EventBridge rule hands it to what starts them.")


def _answering(stack: Stack) -> Iterator[Fault]:
    """Somebody's answer gets to the machine: by a function that alarms do not start."""

    def takes_answers(function: Resource) -> bool:
        return _may_on_a_machine(stack, function, _ANSWER) and not _may_on_a_machine(stack, function, _START)

    if _has_machine(stack) and not is_true_of_any(stack.of(FUNCTION), takes_answers):
        yield Fault("No function takes an answer, so nobody can stop the escalation.")


def _has_machine(stack: Stack) -> bool:
    """Without a machine that calls people there is one fault to tell, and no more."""
    return is_true_of_any(stack.of(MACHINE), lambda machine: bool(_rungs(_definition(machine))))


def _machines(stack: Stack) -> Iterator[Fault]:
    """A state machine climbs the four rungs in time and can be stopped."""
    if not _has_machine(stack):
        yield Fault("No state machine calls people when an alarm rings.")
        return
    told_at_once = any(bool(one.items("snsTopicArns")) for one in stack.of(SLACK))

    def judge(machine: Resource) -> Iterator[Fault]:
        definition = _definition(machine)
        rungs = _rungs(definition)
        if rungs:
            yield from (Fault(sentence, machine.urn) for sentence in _missing(rungs, told_at_once))
            yield from (Fault(sentence, machine.urn) for sentence in _uncalled(stack, machine, definition))
            if not _can_be_stopped(definition):
                yield Fault(
                    "The escalation goes on whatever is answered: nothing waits for an acknowledgement.", machine.urn
                )

    yield from each(stack.of(MACHINE), judge)


def _uncalled(stack: Stack, machine: Resource, definition: Mapping[str, Any]) -> Iterator[str]:
    """The functions a machine calls that are not there, or that it may not call."""
    called = {str(name) for state in _states(definition) if (name := _called(state))}
    for name in sorted(called):
        # An ARN may end in a version or an alias.
        names = (name, name.rpartition(":")[0])
        functions = [one for each_name in names for one in stack.with_id(each_name, FUNCTION)]
        if not functions and not is_true_of_any(stack.of(FUNCTION), partial(_is_one_of, names)):
            yield f"The escalation calls a function {name.rpartition(':')[2]}, which is not declared here."
        for function in functions:
            roles = targets(stack, machine, "roleArn", ROLE)
            if not any(may_on(stack, role, "lambda:InvokeFunction", function) for role in roles):
                yield f"The escalation may not call function {function.name}: its role does not allow it."


def _is_one_of(arns: tuple[str, ...], function: Resource) -> bool:
    return function.section("arn") in arns


def _called(state: Mapping[str, Any]) -> Any:
    """The function that a state calls; None where it calls none or one that its input names."""
    if not re.search(r":lambda:invoke\b", str(state.get("Resource"))):
        return None
    call = state.get("Parameters") or state.get("Arguments")
    return call.get("FunctionName") if isinstance(call, Mapping) else None


def _missing(rungs: list[_Rung], told_at_once: bool) -> Iterator[str]:
    for channel, (word, latest) in RUNGS.items():
        minutes = [rung.minutes for rung in rungs if rung.channel == channel and rung.minutes is not None]
        if channel == "slack" and told_at_once:
            minutes.append(0)
        when = "at once" if latest == 0 else f"{latest} minutes after the alarm"
        if not minutes:
            yield f"The escalation has no rung by {word}; one is due {when}."
        elif min(minutes) > latest:
            yield f"The escalation's rung by {word} comes after {show(min(minutes))} minutes; it is due {when}."


def _definition(machine: Resource) -> Mapping[str, Any]:
    """The states as data; empty where the definition is no JSON object. Raises where it is unknown."""
    try:
        value = json.loads(machine.props.get("definition") or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, Mapping) else {}


def _rungs(definition: Mapping[str, Any]) -> list[_Rung]:
    """The calls whose payload says through which channel and how many minutes after the alarm they come."""
    return [rung for state in _states(definition) for rung in _rung(state)]


def _states(machine: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All states of a machine or a branch, and those inside them."""
    states = machine.get("States")
    for state in states.values() if isinstance(states, Mapping) else ():
        if not isinstance(state, Mapping):
            continue
        yield state
        for inner in _inner(state):
            yield from _states(inner)


def _inner(state: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    branches: Any = state.get("Branches")
    candidates = [*(branches if is_list(branches) else ()), state.get("Iterator"), state.get("ItemProcessor")]
    yield from (candidate for candidate in candidates if isinstance(candidate, Mapping))


def _rung(state: Mapping[str, Any]) -> Iterator[_Rung]:
    call = state.get("Parameters") or state.get("Arguments")
    payload = call.get("Payload") if isinstance(call, Mapping) else None
    if not isinstance(payload, Mapping):
        return
    for holder in [payload, *payload.values()]:
        if isinstance(holder, Mapping) and holder.get("channel") in RUNGS:
            yield _Rung(str(holder["channel"]), number(holder.get("minutes")))


def _can_be_stopped(definition: Mapping[str, Any]) -> bool:
    """Whether an answer ends the rungs.

    Either every rung itself waits for it, or the rungs run beside a branch that waits and then fails, which ends both.
    """
    calls = [state for state in _states(definition) if any(True for _ in _rung(state))]
    if all(str(call.get("Resource")).endswith(_TOKEN) for call in calls):
        return True
    return any(_stops_beside(state) for state in _states(definition) if state.get("Type") == "Parallel")


def _stops_beside(parallel: Mapping[str, Any]) -> bool:
    branches = list(_inner(parallel))
    climbing = [branch for branch in branches if _rungs(branch)]
    waiting = [
        branch
        for branch in branches
        if any(str(state.get("Resource")).endswith(_TOKEN) for state in _states(branch))
        and any(state.get("Type") == "Fail" for state in _states(branch))
    ]
    return any(branch is not other for branch in climbing for other in waiting)


# Contacts

_ADDRESS = re.compile(r"@(?:[a-z0-9-]+\.)*example\.(?:com|net|org)(?![a-z0-9.-]*[a-z0-9])", re.IGNORECASE)

#: 555-0100 to 555-0199, with or without an area code.
_NUMBER = re.compile(r"\+1[-. ]?(?:\(?[0-9]{3}\)?[-. ]?)?555[-. ]?01[0-9]{2}(?![0-9])")


def _no_placeholders(resource: Resource, context: Context) -> Iterator[str]:
    if context.environment != "prod":
        return
    for where, text in _contacts(resource):
        if _ADDRESS.search(text):
            yield f"{where} has an address at example.com, .net or .org, which nobody reads."
        if _NUMBER.search(text):
            yield f"{where} has a number 555-01xx, which belongs to nobody."


def _contacts(resource: Resource) -> Iterator[tuple[str, str]]:
    """Where contacts stand, in words, and the text there."""
    if resource.type == SUBSCRIPTION:
        yield "The subscription", str(resource.section("endpoint") or "")
    elif resource.type == CONTACT_CHANNEL:
        yield "The contact channel", str(resource.section("deliveryAddress", "simpleAddress") or "")
    else:
        variables = resource.section("environment", "variables")
        for name in variables if isinstance(variables, Mapping) else ():
            yield f"The function's variable {name}", str(variables[name])


ESCALATION_CHAIN = StackRule(
    id="mon-escalation-chain",
    sentence="004_5ca73e3508d74ec8.txt Alert Escalation: Phone call to backup engineer (15 minutes)",
    title="An alarm goes to Slack at once, by e-mail after 5, as a text after 10 and by telephone after 15 minutes.",
    why="An alarm that one sleeping person can miss is an outage that customers report.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST IR-4", "NIST IR-6"),
    remedy="Declare the escalation with all its rungs, and hand it the topic of each severity.",
    types=frozenset({TOPIC, SUBSCRIPTION, MACHINE, SLACK}),
    check=_chain,
)

NO_PLACEHOLDER_CONTACTS = ResourceRule(
    id="mon-no-placeholder-contacts",
    sentence="004_5ca73e3508d74ec8.txt Emergency Contacts: on-call@example.com",
    title="Alarms of prod reach people: no address of an example domain, no number that belongs to nobody.",
    why="A placeholder is noticed when the first real alarm has reached nobody.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST IR-6",),
    remedy="Write the people's addresses and numbers into the settings.",
    types=frozenset({SUBSCRIPTION, CONTACT_CHANNEL, FUNCTION}),
    check=_no_placeholders,
)

RULES: tuple[Rule, ...] = (ESCALATION_CHAIN, NO_PLACEHOLDER_CONTACTS)
