"""Rules for who is called when an alarm rings: the chain is whole, and its contacts are people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from . import asl
from .bells import EVENT_RULE, EVENT_TARGET, is_off, takes, targets_of
from .coverage import FUNCTION, MACHINE, QUEUE, TOPIC
from .deliveries import CHAT as SLACK
from .deliveries import SEVERITIES, SUBSCRIPTION, may_on, severity_of
from .feeds import MAPPING
from .json_text import items, mapping, maps
from .links import ROLE, ROLE_POLICY, sources, targets
from .resource import Context, Resource, Stack
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

#: Severity -> minutes until somebody responds; None: the next business day.
RESPOND: Mapping[str, int | None] = {"critical": 15, "high": 60, "medium": 240, "low": None}

#: Those on call.
DUTIES = ("primary", "backup")

#: Channel -> who has to be reached by its first rung. Those after it leave out nobody who was told before.
_WANTED: Mapping[str, frozenset[str]] = {
    "slack": frozenset(),
    "email": frozenset({"primary"}),
    "sms": frozenset({"primary"}),
    "phone": frozenset({"backup"}),
}


@dataclass(frozen=True, slots=True)
class _Rung:
    """``to``: those on call whom it reaches; ``next_minutes``: what it says until the next one."""

    channel: str
    minutes: float | None
    name: str
    next_minutes: float | None
    to: frozenset[str]


def _chain(stack: Stack) -> Iterator[Fault]:
    checks: tuple[Callable[[Stack], Iterator[Fault]], ...] = (
        _topics,
        _feeding,
        _ending,
        _answering,
        _machines,
        _agreeing,
    )
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
    machines = [machine for machine in stack.of(MACHINE) if _rungs_of(machine)]
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
    return is_true_of_any(stack.of(MACHINE), lambda machine: bool(_rungs_of(machine)))


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
            for said in (*_climbed(definition), *_answered(definition), *_reaching(rungs)):
                yield Fault(said, machine.urn)
            if not _can_be_stopped(definition):
                yield Fault(
                    "The escalation goes on whatever is answered: nothing waits for an acknowledgement.", machine.urn
                )

    yield from each(stack.of(MACHINE), judge)


def _uncalled(stack: Stack, machine: Resource, definition: Mapping[str, Any]) -> Iterator[str]:
    """The functions a machine calls that are not there, or that it may not call."""
    called = {str(name) for _, state in asl.states(definition) if (name := _called(state))}
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
    return asl.given(state).get("FunctionName") if asl.invokes(state) else None


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
    """The states as data. Raises where it is unknown."""
    return _read(str(machine.props.get("definition") or ""))


def _rungs_of(machine: Resource) -> list[_Rung]:
    """The rungs of a machine; none of one that calls nobody. Raises where it is unknown."""
    return _rungs_in(str(machine.props.get("definition") or ""))


# Every topic and function asks for the machines, and a definition is long.
_read = lru_cache(maxsize=64)(asl.machine)


@lru_cache(maxsize=64)
def _rungs_in(text: str) -> list[_Rung]:
    return _rungs(_read(text))


def _rungs(definition: Mapping[str, Any]) -> list[_Rung]:
    """The calls whose payload says through which channel and how many minutes after the alarm they come."""
    return [rung for _, state in asl.states(definition) for rung in _rung(state)]


def _rung(state: Mapping[str, Any]) -> Iterator[_Rung]:
    payload = asl.given(state).get("Payload")
    if not isinstance(payload, Mapping):
        return
    for holder in [payload, *payload.values()]:
        if isinstance(holder, Mapping) and holder.get("channel") in RUNGS:
            yield _Rung(
                str(holder["channel"]),
                number(holder.get("minutes")),
                str(holder.get("name")),
                number(holder.get("next_minutes")),
                frozenset(map(str, items(holder, "to"))),
            )


def _can_be_stopped(definition: Mapping[str, Any]) -> bool:
    """Whether an answer ends the rungs.

    Either every rung itself waits for it, or the rungs run beside a branch that waits and then fails, which ends both.
    """
    calls = [state for _, state in asl.states(definition) if any(True for _ in _rung(state))]
    if all(str(call.get("Resource")).endswith(asl.TOKEN) for call in calls):
        return True
    return any(_stops_beside(state) for _, state in asl.states(definition) if state.get("Type") == "Parallel")


def _stops_beside(parallel: Mapping[str, Any]) -> bool:
    branches = list(asl.inside(parallel))
    climbing = [branch for branch in branches if _rungs(branch)]
    waiting = [
        branch
        for branch in branches
        if any(str(state.get("Resource")).endswith(asl.TOKEN) for _, state in asl.states(branch))
        and any(state.get("Type") == "Fail" for _, state in asl.states(branch))
    ]
    return any(branch is not other for branch in climbing for other in waiting)


def _climbed(level: Mapping[str, Any]) -> Iterator[str]:
    """The way to the rungs, and from each to those after it, whatever fails."""
    known = {name: one for name, one in mapping(level, "States").items() if isinstance(one, Mapping)}
    climbing = {name: rungs for name, state in known.items() if (rungs := _rungs({"States": {name: state}}))}
    if not climbing:
        return
    start = str(level.get("StartAt"))
    if start in known and not climbing.keys() & asl.reached(level, start, failing=False):
        yield "Nobody is called unless something fails first: no way leads from the start to the rungs."
    for name in sorted(known.keys() - climbing.keys()):
        yield from _lost_before(level, name, known[name], frozenset(climbing))
    for name, own in sorted(climbing.items()):
        latest = max(rung.minutes or 0 for rung in own)
        later = {one for one, rungs in climbing.items() if min(rung.minutes or 0 for rung in rungs) > latest}
        for after in dict.fromkeys(asl.after(known[name])):
            if later - asl.reached(level, after):
                yield f"From state {name} by {after} the escalation does not come to every rung after it."
    for name in climbing:
        for inner in asl.inside(known[name]):
            yield from _climbed(inner)


def _lost_before(
    level: Mapping[str, Any], name: str, state: Mapping[str, Any], climbing: frozenset[str]
) -> Iterator[str]:
    """Where a state fails that comes before the rungs, people are called all the same."""
    ways = list(asl.after(state, failing=False))
    if climbing & asl.reached(level, *ways):
        for after in asl.after(state):
            if after not in ways and not climbing & asl.reached(level, after):
                yield f"Where state {name} fails, nobody is called: {after} leads to no rung."


def _answered(definition: Mapping[str, Any]) -> Iterator[str]:
    """What a branch beside the rungs ends with is told apart where the machine goes on."""
    for name, parallel in asl.states(definition):
        branches = list(asl.inside(parallel))
        if not any(_rungs(branch) for branch in branches):
            continue
        caught = {str(error) for catch in maps(parallel, "Catch") for error in items(catch, "ErrorEquals")}
        if asl.ALL not in caught:
            yield f"An error in state {name} ends the escalation: it does not catch {asl.ALL}."
        for end, state in (found for branch in branches for found in asl.states(branch)):
            if state.get("Type") == "Fail" and str(state.get("Error")) not in caught:
                yield f"State {name} does not catch the end {end} by its error, so it counts as broken."


def _reaching(rungs: list[_Rung]) -> Iterator[str]:
    """Each rung reaches somebody and says when the next one comes."""
    told: set[str] = set()
    ordered = sorted((rung for rung in rungs if rung.minutes is not None), key=lambda rung: rung.minutes or 0)
    channels: set[str] = set()
    for rung, after in zip(ordered, [*ordered[1:], None], strict=True):
        pause = (after.minutes or 0) - (rung.minutes or 0) if after else 0
        if rung.next_minutes is not None and rung.next_minutes != pause:
            yield (
                f"Rung {rung.name} says that the next one comes in {show(rung.next_minutes)} minutes; it comes in "
                f"{show(pause)}."
            )
        wanted = told if rung.channel in channels else _WANTED[rung.channel] & _known_duties(rungs)
        missing = sorted(wanted - rung.to)
        if missing:
            yield f"Rung {rung.name} leaves out {listed(missing)}."
        told |= rung.to
        channels.add(rung.channel)


def _known_duties(rungs: list[_Rung]) -> frozenset[str]:
    """Those on call, as the machine names them; none where its rungs name nobody."""
    return frozenset(DUTIES) if any(rung.to for rung in rungs) else frozenset()


def _agreeing(stack: Stack) -> Iterator[Fault]:
    """What starts the machine has its times, and those of the run book, in its environment."""
    machines = [machine for machine in stack.of(MACHINE) if _rungs_of(machine)]

    def judge(function: Resource) -> Iterator[Fault]:
        started = function.section("environment", "variables", "MACHINE_ARN")
        for machine in machines if started else ():
            if started == machine.section("arn"):
                definition = _definition(machine)
                for said in (
                    *_moments(function, definition),
                    *_followed(function, definition),
                    *_respond(function),
                    *_topics_known(stack, function),
                ):
                    yield Fault(said, function.urn)

    yield from each(stack.of(FUNCTION), judge)
    yield from each(stack.of(FUNCTION), _on_call)
    yield from _one_table(stack)
    yield from _answers_counted(stack)


def _variable(function: Resource, name: str) -> Any:
    """A variable that holds JSON; None where there is none."""
    try:
        return json.loads(str(function.section("environment", "variables", name)))
    except ValueError:
        return None


def _moments(function: Resource, definition: Mapping[str, Any]) -> Iterator[str]:
    known = {str(one.get("name")): number(one.get("minutes")) for one in maps({"": _variable(function, "RUNGS")}, "")}
    for rung in _rungs(definition) if known else ():
        if rung.name not in known:
            yield f"The function gives rung {rung.name} no time, so the escalation breaks off there."
        elif known[rung.name] != rung.minutes:
            yield (
                f"The function has rung {rung.name} wait {show(known[rung.name])} minutes, and the machine says "
                f"{show(rung.minutes)}."
            )


def _followed(function: Resource, definition: Mapping[str, Any]) -> Iterator[str]:
    hours = number(function.section("environment", "variables", "ACKNOWLEDGED_HOURS"))
    for name, state in asl.states(definition):
        seconds = number(state.get("TimeoutSeconds"))
        waits = str(state.get("Resource")).endswith(asl.TOKEN)
        if waits and hours is not None and seconds not in (None, hours * 3600):
            yield f"State {name} waits {show(seconds)} seconds, and the function counts on {show(hours)} hours."


def _respond(function: Resource) -> Iterator[str]:
    given = _variable(function, "RESPOND_MINUTES")
    if not isinstance(given, Mapping):
        return
    for severity, most in RESPOND.items():
        minutes = number(given.get(severity))
        if severity not in given:
            yield f"The function knows no response time for {severity} alarms."
        elif most is not None and (minutes is None or minutes > most):
            yield f"The function allows {show(minutes)} minutes to respond to {severity} alarms; {most} are the most."


def _topics_known(stack: Stack, function: Resource) -> Iterator[str]:
    given = _variable(function, "TOPICS")
    if not isinstance(given, Mapping):
        return
    for topic in stack.of(TOPIC):
        severity = severity_of(topic)
        if severity and given.get(topic.section("arn")) != severity:
            yield f"The function does not know the topic {topic.name} as that of {severity} alarms, and buries them."


def _on_call(function: Resource) -> Iterator[Fault]:
    roster = _variable(function, "ROSTER")
    order = {str(one) for one in items(mapping(roster, "rotation"), "order")}
    strangers = sorted(order - set(mapping(roster, "contacts")))
    if strangers:
        yield Fault(f"The function has no contact of {listed(strangers)}, who is on call.", function.urn)
    if mapping(roster, "rotation") and len(order) < len(DUTIES):
        yield Fault("Too few are on call: a primary and a backup take turns.", function.urn)


def _one_table(stack: Stack) -> Iterator[Fault]:
    """Functions of one table have one value of each variable that they share."""
    shared: dict[tuple[str, str], tuple[Resource, Any]] = {}

    def judge(function: Resource) -> Iterator[Fault]:
        variables = function.section("environment", "variables")
        table = variables.get("TABLE") if isinstance(variables, Mapping) else None
        for name in sorted(variables) if table else ():
            first, value = shared.setdefault((str(table), name), (function, variables[name]))
            if variables[name] != value:
                yield Fault(
                    f"{name} is {show(variables[name])} here and {show(value)} in function {first.name}, which shares "
                    "its table.",
                    function.urn,
                )

    yield from each(stack.of(FUNCTION), judge)


def _answers_counted(stack: Stack) -> Iterator[Fault]:
    """Whoever may be on call can answer: what takes answers knows the people of the roster beside it."""
    on_call: dict[str, set[str]] = {}

    def note(function: Resource) -> Iterator[Fault]:
        people = mapping(_variable(function, "ROSTER"), "contacts")
        if people:
            on_call.setdefault(str(function.section("environment", "variables", "TABLE")), set()).update(people)
        return iter(())

    def judge(function: Resource) -> Iterator[Fault]:
        known = _variable(function, "CONTACTS")
        table = str(function.section("environment", "variables", "TABLE"))
        missing = sorted(on_call.get(table, set()) - set(known if isinstance(known, Mapping) else ()))
        if known is not None and missing:
            yield Fault(
                f"The function does not take the answer of {listed(missing)}, who may be on call.", function.urn
            )

    yield from each(stack.of(FUNCTION), note)
    yield from each(stack.of(FUNCTION), judge)


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
    types=frozenset(
        {TOPIC, SUBSCRIPTION, MACHINE, SLACK, EVENT_RULE, EVENT_TARGET, FUNCTION, MAPPING, QUEUE, ROLE, ROLE_POLICY}
    ),
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
