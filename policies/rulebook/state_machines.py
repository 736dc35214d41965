"""Rules for state machines: Step Functions takes the definition, and a call that fails or hangs does not end it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import asl
from .coverage import FUNCTION, MACHINE
from .json_text import items, maps
from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .values import number, show

#: Attempts in all, as AWS's own SDKs make; what Lambda gives a function that names no timeout, in seconds.
_ATTEMPTS, _DEFAULT_TIMEOUT = 3, 3

#: A call with all its retries may take so many times what its function may.
_TIMES = 5

#: Any of these covers what Lambda itself fails with.
_SERVICE_ERRORS = frozenset({asl.ALL, "States.TaskFailed", "Lambda.ServiceException"})


def _sound(resource: Resource, _: Context) -> Iterator[str]:
    yield from asl.mistakes(resource.section("definition"))


def _patient(stack: Stack) -> Iterator[Fault]:
    def judge(machine: Resource) -> Iterator[Fault]:
        definition = asl.machine(machine.section("definition"))
        if definition and "TimeoutSeconds" not in definition:
            yield Fault("An execution that hangs goes on for a year: the machine has no TimeoutSeconds.", machine.urn)
        for name, state in asl.states(definition):
            if asl.invokes(state):
                handles = _leads_only_from_failures(definition, name)
                for said in (*_unhandled(state, handles_failure=handles), *_times(stack, state)):
                    yield Fault(f"State {name} {said}.", machine.urn)

    return each(stack.of(MACHINE), judge)


def _leads_only_from_failures(definition: Mapping[str, Any], name: str) -> bool:
    """Whether a state comes after failures alone. It has its one try, as what failed before it had several."""
    return all(name not in asl.after(state, failing=False) for _, state in asl.states(definition)) and any(
        name in asl.after(state) for _, state in asl.states(definition)
    )


def _unhandled(state: Mapping[str, Any], *, handles_failure: bool) -> Iterator[str]:
    waits = str(state.get("Resource")).endswith(asl.TOKEN)
    if waits and "$$.Task.Token" not in str(asl.given(state)) and "Task.Token" not in str(asl.given(state)):
        yield "waits for a token that it hands to nobody"
    if not {"TimeoutSeconds", "TimeoutSecondsPath"} & {*state}:
        yield "waits for an answer as long as the machine lives: it has no TimeoutSeconds"
    if not any(_names(catch) & {asl.ALL} for catch in maps(state, "Catch")):
        yield f"ends the machine where its call fails: it does not catch {asl.ALL}"
    if handles_failure:
        return
    attempts = [1 + _attempts(retry) for retry in maps(state, "Retry") if _names(retry) & _SERVICE_ERRORS]
    if max(attempts, default=1) < _ATTEMPTS:
        yield f"gives up too soon: it makes {int(max(attempts, default=1))} of {_ATTEMPTS} attempts where Lambda fails"


def _times(stack: Stack, state: Mapping[str, Any]) -> Iterator[str]:
    """A call is not given up while its function works, nor does it hold up the machine for long."""
    seconds = number(state.get("TimeoutSeconds"))
    name = str(asl.given(state).get("FunctionName"))
    for function in stack.with_id(name, FUNCTION):
        most = number(function.section("timeout")) or _DEFAULT_TIMEOUT
        if seconds is not None and seconds < most:
            yield f"gives up after {show(seconds)} seconds, while function {function.name} may take {show(most)}"
        elif seconds is not None and not str(state.get("Resource")).endswith(asl.TOKEN):
            longest = _longest(state, seconds)
            if longest > _TIMES * most:
                yield (
                    f"holds up the machine for {show(round(longest))} seconds where its calls hang; {_TIMES} times the "
                    f"{show(most)} seconds of function {function.name} are enough"
                )


def _longest(state: Mapping[str, Any], seconds: float) -> float:
    """Seconds until every attempt has run into its timeout, pauses included."""
    most = seconds
    for retry in maps(state, "Retry"):
        pause, rate = number(retry.get("IntervalSeconds")) or 1, number(retry.get("BackoffRate")) or 2
        # States.ALL and States.Timeout are what a hung call ends with. Beyond a hundred attempts nothing changes.
        if _names(retry) & {asl.ALL, "States.Timeout"}:
            most += sum(seconds + pause * min(rate, 1e3) ** again for again in range(min(int(_attempts(retry)), 100)))
    return most


def _attempts(retry: Mapping[str, Any]) -> float:
    found = number(retry.get("MaxAttempts"))
    return 3 if found is None else found


def _names(handler: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(map(str, items(handler, "ErrorEquals")))


SOUND = ResourceRule(
    id="mon-machine-sound",
    sentence="004_5ca73e3508d74ec8.txt Alert Escalation: Level 1: Slack notification to #alerts channel",
    title="A state machine can be followed from its start to an end, and every state finds the data that it reads.",
    why="Step Functions refuses the definition at the deployment, or an execution dies half-way, in the night.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST IR-4", "NIST SI-10"),
    remedy="Correct the state that is named; the Amazon States Language says what each type needs.",
    types=frozenset({MACHINE}),
    check=_sound,
)

PATIENT = StackRule(
    id="mon-machine-patient",
    sentence="004_5ca73e3508d74ec8.txt Alert Escalation: Level 1: Slack notification to #alerts channel",
    title="A state machine's call of a function is tried three times, ends in time, and its failure is caught.",
    why="One throttled call ends the escalation, or a hung one keeps the next rung from its time.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST IR-4", "NIST SI-17"),
    remedy=f"Give each call TimeoutSeconds a little above the function's timeout, a Retry of {_ATTEMPTS - 1} or more "
    "and a Catch of States.ALL; give the machine TimeoutSeconds.",
    types=frozenset({MACHINE, FUNCTION}),
    check=_patient,
)

RULES: tuple[Rule, ...] = (SOUND, PATIENT)
