"""Plan first, then apply: the calls of an operation as data, and the one place that makes them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .aws import error_code, spoken
from .journal import Journal

#: What AWS says for a while of a thing that was made a moment ago.
_SETTLING = frozenset({"NotFoundException", "NoSuchBucket", "OperationAborted"})

#: Seconds between the attempts at such a call; together longer than a new name takes to be known everywhere.
_PAUSES = (1, 2, 4, 8, 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call that changes something.

    ``call``: boto3's client and method (``kms.create_key``); ``action``: the IAM action it needs; ``changes``: what
    it does, as a sentence; ``yields``: placeholder -> path in the answer (``KeyMetadata.Arn``). A later step's
    ``arguments`` may hold the placeholder anywhere inside a text.
    """

    call: str
    action: str
    arguments: Mapping[str, Any]
    changes: str
    yields: Mapping[str, str] = field(default_factory=dict)


def apply(
    steps: Sequence[Step],
    clients: Mapping[str, Any],
    journal: Journal,
    *,
    done: Callable[[int, Step], None] = lambda _number, _step: None,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Makes the calls in order; every one is in the journal before it is made and again when it was answered.

    ``clients``: name in ``Step.call`` -> boto3 client; ``done`` is told of every finished step, counted from 1.
    Raises UserError where AWS refuses; what was done until then stays, and a new plan starts from there.
    """
    made: dict[str, str] = {}
    journal.write("begin", steps=[step.call for step in steps])
    for number, step in enumerate(steps, 1):
        arguments = filled(step.arguments, made)
        journal.write("call", step=number, call=step.call, arguments=arguments, changes=step.changes)
        try:
            answer = _call(step, clients, arguments, pause)
        except BaseException as error:
            journal.write("failed", step=number, call=step.call, error=f"{type(error).__name__}: {error}")
            raise
        new = {placeholder: _at(answer, path) for placeholder, path in step.yields.items()}
        made |= new
        journal.write("answered", step=number, call=step.call, made=new, request=_request_id(answer))
        done(number, step)
    journal.write("end")


def filled(value: Any, made: Mapping[str, str]) -> Any:
    """``value`` with every placeholder in it replaced by what was made."""
    match value:
        case str():
            for placeholder, real in made.items():
                value = value.replace(placeholder, real)
            return value
        case Mapping():
            return {key: filled(item, made) for key, item in value.items()}
        case list() | tuple():
            return [filled(item, made) for item in value]
        case _:
            return value


def shown(step: Step) -> list[tuple[str, str]]:
    """The arguments of the call, each as JSON; one that is a JSON text already stays as it is."""
    return [
        (name, value if isinstance(value, str) and value.startswith("{") else json.dumps(value, ensure_ascii=False))
        for name, value in step.arguments.items()
    ]


def document(steps: Sequence[Step], *, applied: bool) -> str:
    """The plan for a machine: the steps in order, and whether they were taken."""
    data = {
        "applied": applied,
        "steps": [
            {"action": step.action, "arguments": step.arguments, "call": step.call, "changes": step.changes}
            for step in steps
        ],
    }
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def _call(step: Step, clients: Mapping[str, Any], arguments: Any, pause: Callable[[float], None]) -> Any:
    from botocore.exceptions import ClientError

    client, _, method = step.call.partition(".")
    call = getattr(clients[client], method)
    with spoken(step.action):
        for seconds in _PAUSES:
            try:
                return call(**arguments)
            except ClientError as error:
                if error_code(error) not in _SETTLING:
                    raise
            pause(seconds)
        return call(**arguments)


def _at(answer: Any, path: str) -> str:
    for key in path.split("."):
        answer = answer[key]
    return str(answer)


def _request_id(answer: Any) -> str | None:
    return answer.get("ResponseMetadata", {}).get("RequestId") if isinstance(answer, Mapping) else None
