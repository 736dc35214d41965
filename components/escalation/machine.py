"""The state machine, in the Amazon States Language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from functions.notify.env import Rung

from . import plan

#: Seconds an execution may take: two weeks of waiting for a business day, and all that follows.
LONGEST_EXECUTION = 30 * 86_400

_STOPPED = "Stopped"
_UNANSWERED = "Unanswered"


@dataclass(frozen=True, kw_only=True, slots=True)
class Functions:
    """ARNs of the functions that the state machine calls."""

    notify: str
    escalate: str


def definition(rungs: Sequence[Rung], functions: Functions, *, partition: str, acknowledged_hours: int) -> str:
    """The state machine as JSON with sorted keys.

    It opens the record and then does two things at once: it waits for an acknowledgement with one token for the whole
    escalation, and it goes up the rungs, each at its moment, however long the one before it took. A rung that fails is
    noted, and the next one comes at its own time: so nobody is called sooner than the run book says, and nobody later.
    Whatever ends the wait ends the rungs. The record says why; an acknowledged alarm is followed until it clears.
    """
    build = _Builder(functions, partition)
    machine = {
        "Comment": "Escalates one alarm until somebody answers (004_… Alert Escalation)",
        "StartAt": "Open",
        "TimeoutSeconds": LONGEST_EXECUTION,
        "States": {
            **_opening(build),
            "Escalate": {
                "Type": "Parallel",
                "Branches": [_acknowledgement(build), _climb(build, rungs)],
                "Catch": [
                    {"ErrorEquals": [_STOPPED, _UNANSWERED], "ResultPath": "$.end", "Next": "Look"},
                    {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Close as broken"},
                ],
                "ResultPath": None,
                "Next": "Look",
            },
            **_outcome(build),
            **_aftermath(build, acknowledged_hours),
            **_endings(build),
        },
    }
    return json.dumps(machine, sort_keys=True)


@dataclass(frozen=True, slots=True)
class _Builder:
    """Makes the states that call a function."""

    functions: Functions
    partition: str

    def step(
        self,
        step: str,
        payload: Mapping[str, str] | None = None,
        *,
        then: str,
        catch: str,
        retries: int = plan.STEP_RETRIES,
    ) -> dict[str, Any]:
        """A step of the escalate function; any failure goes to ``catch``."""
        state = self._task(self.functions.escalate, {"step": step, **_COMMON, **(payload or {})})
        return {
            **state,
            "TimeoutSeconds": plan.STEP_SECONDS + plan.PATIENCE_SECONDS,
            **({"Retry": [_retry("States.ALL", 1, retries, 2.0)]} if retries else {}),
            "Catch": [_catch(catch)],
            "Next": then,
        }

    def wait(self, state: str, *, then: str, catches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """A wait for the record to leave ``state``; the token that ends it is kept in the record."""
        payload = {"step": "hold", "state": state, "token.$": "$$.Task.Token", **_COMMON}
        task = self._task(self.functions.escalate, payload)
        return {
            **task,
            "Resource": f"{task['Resource']}.waitForTaskToken",
            # Not the time-out: that is the end of the wait.
            "Retry": [_retry("States.TaskFailed", 1, plan.STEP_RETRIES, 2.0)],
            "Catch": list(catches),
            "Next": then,
        }

    def send(self, rung: Rung, *, then: str, catch: str) -> dict[str, Any]:
        """A rung."""
        spec = {
            "name": rung.name,
            "channel": rung.channel,
            "to": list(rung.to),
            "minutes": rung.minutes,
            "next_minutes": rung.next_minutes,
        }
        return {
            **self._task(self.functions.notify, {"rung": spec, **_COMMON}),
            "TimeoutSeconds": plan.SEND_SECONDS + plan.PATIENCE_SECONDS,
            "Retry": [_retry("States.ALL", plan.SEND_PAUSE, plan.SEND_RETRIES, 1.0)],
            "Catch": [_catch(catch)],
            "Next": then,
        }

    def tell(self, notice: str, *, then: str) -> dict[str, Any]:
        """A notice to the channel; where it fails, the machine goes on."""
        return {
            **self._task(self.functions.notify, {"notice": notice, **_COMMON}),
            "TimeoutSeconds": plan.SEND_SECONDS + plan.PATIENCE_SECONDS,
            "Retry": [_retry("States.ALL", plan.SEND_PAUSE, plan.SEND_RETRIES, 1.0)],
            "Catch": [_catch(then)],
            "Next": then,
        }

    def _task(self, function: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "Type": "Task",
            "Resource": f"arn:{self.partition}:states:::lambda:invoke",
            "Parameters": {"FunctionName": function, "Payload": dict(payload)},
            "ResultPath": None,
        }


_COMMON = {"alarm.$": "$.alarm", "escalation.$": "$.escalation"}


def _retry(errors: str, seconds: int, attempts: int, rate: float) -> dict[str, Any]:
    return {"ErrorEquals": [errors], "IntervalSeconds": seconds, "MaxAttempts": attempts, "BackoffRate": rate}


def _catch(then: str, *errors: str) -> dict[str, Any]:
    return {"ErrorEquals": list(errors or ("States.ALL",)), "ResultPath": "$.failure", "Next": then}


def _opening(build: _Builder) -> dict[str, Any]:
    """Opens the record. Where that fails people are called without one: a page too many is better than none."""
    return {
        "Open": {
            **build.step("open", {"open_until.$": "$.open_until"}, then="Is it open?", catch="Escalate"),
            "ResultSelector": {"state.$": "$.Payload.state"},
            "ResultPath": "$.opened",
        },
        "Is it open?": _choice("$.opened.state", {"open": "Escalate", "cleared": "Close"}, "Open already"),
        "Open already": {"Type": "Succeed", "Comment": "Another escalation of this alarm is under way"},
    }


def _acknowledgement(build: _Builder) -> dict[str, Any]:
    """Waits for the record to change; its failure is what stops the rungs, its success would not."""
    return {
        "StartAt": "Wait for an answer",
        "States": {
            "Wait for an answer": {
                **build.wait("open", then=_STOPPED, catches=[_catch("Nobody can answer")]),
                "TimeoutSecondsPath": "$.life_seconds",
            },
            _STOPPED: {"Type": "Fail", "Error": _STOPPED, "Cause": "Acknowledged or cleared"},
            "Nobody can answer": {"Type": "Succeed", "Comment": "The rungs go on without an acknowledgement"},
        },
    }


def _climb(build: _Builder, rungs: Sequence[Rung]) -> dict[str, Any]:
    """Every rung at its moment; then the failure that says that nobody answered."""
    states: dict[str, Any] = {}
    followers = [*(f"Until {rung.name}" for rung in rungs[1:]), _UNANSWERED]
    for rung, after in zip(rungs, followers, strict=True):
        noting = f"Note that {rung.name} failed"
        states[f"Until {rung.name}"] = {
            "Type": "Wait",
            "TimestampPath": f"$.at.{rung.name}",
            "Next": f"Send {rung.name}",
        }
        states[f"Send {rung.name}"] = build.send(rung, then=after, catch=noting)
        states[noting] = build.step(
            "failed", {"rung": rung.name, "error.$": "$.failure.Cause"}, then=after, catch=after, retries=0
        )
    states[_UNANSWERED] = {"Type": "Fail", "Error": _UNANSWERED, "Cause": "Nobody answered any rung"}
    return {"StartAt": f"Until {rungs[0].name}", "States": states}


def _outcome(build: _Builder) -> dict[str, Any]:
    """Asks the record why the escalation ended: an answer can come in the moment in which the last rung fails."""
    return {
        "Look": {
            **build.step("look", then="How did it end?", catch="Close as broken"),
            "ResultSelector": {"state.$": "$.Payload.state"},
            "ResultPath": "$.outcome",
        },
        "How did it end?": _choice(
            "$.outcome.state",
            {"acknowledged": "Tell who answered", "cleared": "Tell the end", "unknown": "Close as broken"},
            "Close as unanswered",
        ),
    }


def _aftermath(build: _Builder, acknowledged_hours: int) -> dict[str, Any]:
    """After an acknowledgement: nobody is called, and the record stays open until the alarm clears."""
    return {
        "Tell who answered": build.tell("acknowledged", then="Wait for the end"),
        "Wait for the end": {
            **build.wait(
                "acknowledged",
                then="Tell the end",
                catches=[_catch("Tell that it goes on", "States.Timeout"), _catch("Close")],
            ),
            "TimeoutSeconds": acknowledged_hours * 3600,
        },
        "Tell that it goes on": build.tell("ringing", then="Close"),
        "Tell the end": build.tell("resolved", then="Close"),
    }


def _endings(build: _Builder) -> dict[str, Any]:
    """The record is closed on every way; an end without an answer fails the execution, and an alarm watches that."""
    return {
        "Close": build.step("close", {"outcome": "ended"}, then="Ended", catch="Broken"),
        "Ended": {"Type": "Succeed"},
        "Close as unanswered": build.step("close", {"outcome": "unanswered"}, then="Nobody answered", catch="Broken"),
        "Nobody answered": {"Type": "Fail", "Error": _UNANSWERED, "Cause": "Nobody answered any rung"},
        "Close as broken": build.step("close", {"outcome": "broken"}, then="Broken", catch="Broken"),
        "Broken": {"Type": "Fail", "Error": "Broken", "Cause": "The escalation could not go on"},
    }


def _choice(variable: str, cases: Mapping[str, str], default: str) -> dict[str, Any]:
    return {
        "Type": "Choice",
        "Choices": [{"Variable": variable, "StringEquals": value, "Next": then} for value, then in cases.items()],
        "Default": default,
    }
