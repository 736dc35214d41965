"""State machines in the Amazon States Language, read offline: what Step Functions would refuse or trip over.

Source: states-language.net and AWS Step Functions Developer Guide, "Amazon States Language". Data is followed for
JSONPath, which is what a machine speaks that names no ``QueryLanguage``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .json_text import items, mapping, maps, parsed
from .resource import is_list
from .values import listed, number

_KINDS = frozenset({"Choice", "Fail", "Map", "Parallel", "Pass", "Succeed", "Task", "Wait"})
_GO_ON = frozenset({"Map", "Parallel", "Pass", "Task", "Wait"})
_ENDS = frozenset({"Fail", "Succeed"})

_WAITS = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")
_COMPARED = re.compile(
    r"(String|Numeric|Boolean|Timestamp)(Equals|(Less|Greater)Than(Equals)?)(Path)?|StringMatches|Is[A-Z][a-zA-Z]+"
)

#: What a call answers with (Developer Guide, "Invoke AWS Lambda function").
_LAMBDA = frozenset({"ExecutedVersion", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"})
_ERROR = frozenset({"Cause", "Error"})

_INVOKE = re.compile(r":lambda:invoke(\.waitForTaskToken)?$")
_PATH = re.compile(r"(?<!\$)\$\.([A-Za-z0-9_]+)(?:\.([A-Za-z0-9_]+))?")

ALL = "States.ALL"
TOKEN = ".waitForTaskToken"  # noqa: S105 - a way to call a service


def machine(text: Any) -> Mapping[str, Any]:
    """The definition as data; empty where it is no JSON object."""
    return parsed(text) or {}


def states(of: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All states of a machine or a branch by name, and those inside them."""
    for name, state in _states(of).items():
        yield name, state
        for inner in inside(state):
            yield from states(inner)


def inside(state: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The machines inside a Parallel or a Map."""
    yield from maps(state, "Branches")
    yield from (found for key in ("Iterator", "ItemProcessor") if (found := mapping(state, key)))


def invokes(state: Mapping[str, Any]) -> bool:
    """Whether a state calls a Lambda function by the service integration."""
    return bool(_INVOKE.search(str(state.get("Resource"))))


def given(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a Task hands over: ``Parameters``, or ``Arguments`` in JSONata."""
    call = state.get("Parameters") or state.get("Arguments")
    return call if isinstance(call, Mapping) else {}


def after(state: Mapping[str, Any], *, failing: bool = True) -> Iterator[str]:
    """The names of the states that may come next; without ``failing`` those after a success alone."""
    for holder in (state, *maps(state, "Choices"), *(maps(state, "Catch") if failing else ())):
        yield from (str(holder[key]) for key in ("Next", "Default") if holder.get(key))


def reached(of: Mapping[str, Any], *starts: str, failing: bool = True) -> frozenset[str]:
    """The states of one level that are come to from ``starts``, which are among them."""
    known, found, left = _states(of), set[str](), list(starts)
    while left:
        name = left.pop()
        if name in known and name not in found:
            found.add(name)
            left.extend(after(known[name], failing=failing))
    return frozenset(found)


def mistakes(text: Any) -> Iterator[str]:
    """What is wrong with a definition, one sentence each."""
    definition = machine(text)
    if not definition:
        yield "The definition is no JSON object."
        return
    yield from _level(definition, "The machine")
    if "JSONata" not in str(text):
        yield from _Flow(definition).gaps()


def _level(of: Mapping[str, Any], where: str) -> Iterator[str]:
    known = _states(of)
    if not known:
        yield f"{where} has no states."
        return
    start = str(of.get("StartAt"))
    if start not in known:
        yield f"{where} starts at no state of its own: StartAt is {of.get('StartAt') or 'unset'}."
    for name, state in known.items():
        yield from (f"State {name} {said}." for said in _state(state, known))
        for inner in inside(state):
            yield from _level(inner, f"A branch of state {name}")
    if start in known:
        lost = sorted(set(known) - reached(of, start))
        if lost:
            yield f"Nothing leads to {'state' if len(lost) == 1 else 'the states'} {listed(lost)}."
        for name in sorted(reached(of, start)):
            if not any(_is_end(known, one) for one in reached(of, name)):
                yield f"State {name} never comes to an end."


def _is_end(known: Mapping[str, Mapping[str, Any]], name: str) -> bool:
    state = known[name]
    # One that leads nowhere, or to what is not there, is told of as such.
    return state.get("Type") in _ENDS or bool(state.get("End")) or not known.keys() & {*after(state)}


def _state(state: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    kind = state.get("Type")
    if kind not in _KINDS:
        yield f"is of no type of the language: Type is {kind or 'unset'}"
        return
    yield from (f"goes on to {name}, which is not there" for name in sorted({*after(state)} - {*known}))
    if kind in _GO_ON and bool(state.get("Next")) == bool(state.get("End")):
        yield "names both Next and End" if state.get("Next") else "names neither Next nor End"
    yield from _own_part(str(kind), state)
    for key in ("TimeoutSeconds", "HeartbeatSeconds"):
        if key in state and not _is_whole(state[key], 1):
            yield f"has a {key} that is no positive number"
    for retry in maps(state, "Retry"):
        yield from _retry(retry)
    for key in ("Retry", "Catch"):
        yield from _errors(state, key)


def _own_part(kind: str, state: Mapping[str, Any]) -> Iterator[str]:
    """What a state of that type cannot be without."""
    if kind == "Task" and not state.get("Resource"):
        yield "names no Resource that it calls"
    elif kind == "Task" and invokes(state) and not {"FunctionName", "FunctionName.$"} & {*given(state)}:
        yield "names no function that it calls"
    elif kind == "Parallel" and not maps(state, "Branches"):
        yield "has no branches"
    elif kind == "Map" and not any(True for _ in inside(state)):
        yield "names nothing to do with each item"
    elif kind == "Wait" and sum(key in state for key in _WAITS) != 1:
        yield f"waits for none or several of {listed(_WAITS)}"
    elif kind == "Choice":
        yield from _choices(state)


def _choices(state: Mapping[str, Any]) -> Iterator[str]:
    choices = maps(state, "Choices")
    if not choices:
        yield "chooses among nothing"
    for choice in choices:
        if not choice.get("Next"):
            yield "has a choice that leads nowhere"
        if not _compares(choice):
            yield "has a choice that compares nothing"


def _compares(choice: Mapping[str, Any]) -> bool:
    nested = [*maps(choice, "And"), *maps(choice, "Or"), *([choice["Not"]] if "Not" in choice else [])]
    if nested:
        return all(isinstance(one, Mapping) and _compares(one) for one in nested)
    return "Condition" in choice or (
        bool(choice.get("Variable")) and sum(bool(_COMPARED.fullmatch(key)) for key in choice) == 1
    )


def _retry(retry: Mapping[str, Any]) -> Iterator[str]:
    for key, least in (("IntervalSeconds", 1), ("MaxAttempts", 0)):
        if key in retry and not _is_whole(retry[key], least):
            yield f"retries with a {key} below {least}"
    if "BackoffRate" in retry and (number(retry["BackoffRate"]) or 0) < 1:
        yield "retries with a BackoffRate below 1"


def _errors(state: Mapping[str, Any], key: str) -> Iterator[str]:
    word = {"Retry": "retries", "Catch": "catches"}[key]
    handlers = maps(state, key)
    for index, handler in enumerate(handlers):
        names = items(handler, "ErrorEquals")
        if not names:
            yield f"{word} no error by name"
        elif ALL in names and (len(names) > 1 or index < len(handlers) - 1):
            yield f"{word} {ALL} not alone and last"
        if key == "Catch" and not handler.get("Next"):
            yield "catches an error and leads nowhere"


def _is_whole(value: Any, least: int) -> bool:
    found = number(value)
    return found is not None and found == int(found) and found >= least


def _states(of: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    return {name: one for name, one in mapping(of, "States").items() if isinstance(one, Mapping)}


# Data

#: The keys of what a state hands on -> the keys inside, None where any may be.
_Keys = Mapping[str, "frozenset[str] | None"]


@dataclass(frozen=True, slots=True)
class _Data:
    """What a state is given. ``is_open``: other keys may come from the execution's input."""

    keys: _Keys = field(default_factory=dict)
    is_open: bool = False

    def joined(self, other: _Data) -> _Data:
        """What there is whichever way was taken."""
        keys = {
            key: None if inner is None or other.keys[key] is None else inner & (other.keys[key] or frozenset())
            for key, inner in self.keys.items()
            if key in other.keys
        }
        return _Data(keys, is_open=self.is_open and other.is_open)


def _plain(keys: Iterable[str]) -> _Data:
    return _Data(dict.fromkeys(keys))


class _Flow:
    """Follows the data from the start and finds what a state reads that nothing before it has written.

    A key that some state writes is taken to be the machine's own, and any other to be in the execution's input.
    """

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self._definition = definition
        self._own = frozenset(
            match[1]
            for _, state in states(definition)
            for holder in (state, *maps(state, "Catch"))
            if (match := _PATH.match(str(holder.get("ResultPath"))))
        )

    def gaps(self) -> Iterator[str]:
        yield from self._level(self._definition, _Data(is_open=True))

    def _level(self, of: Mapping[str, Any], first: _Data | None) -> Iterator[str]:
        known = _states(of)
        at: dict[str, _Data | None] = {}
        left: list[tuple[str, _Data | None]] = [(str(of.get("StartAt")), first)]
        while left:
            name, data = left.pop()
            if name not in known:
                continue
            joined = _join(at[name], data) if name in at else data
            if name in at and joined == at[name]:
                continue
            at[name] = joined
            left.extend(_handed_on(known[name], joined))
        for name in sorted(at):
            for path in sorted({*_reads(known[name])}):
                if not self._is_there(at[name], path):
                    yield f"State {name} reads {path}, which is not there by then."
            for inner in inside(known[name]):
                # What a branch is given by Parameters, and each item of a Map, is not followed.
                is_same = known[name].get("Type") == "Parallel" and "Parameters" not in known[name]
                yield from self._level(inner, at[name] if is_same else None)

    def _is_there(self, data: _Data | None, path: str) -> bool:
        match = _PATH.match(path)
        if data is None or match is None:
            return True
        key, inner = match.groups()
        if key not in data.keys:
            return data.is_open and key not in self._own
        known = data.keys[key]
        return inner is None or known is None or inner in known


def _join(one: _Data | None, other: _Data | None) -> _Data | None:
    return None if one is None or other is None else one.joined(other)


def _handed_on(state: Mapping[str, Any], data: _Data | None) -> Iterator[tuple[str, _Data | None]]:
    result = _result(state, data)
    whole = None if "OutputPath" in state else _placed(state, data, result)
    yield from ((name, whole) for name in after(state, failing=False))
    for catch in maps(state, "Catch"):
        yield str(catch.get("Next")), _placed(catch, data, _plain(_ERROR))


def _result(state: Mapping[str, Any], data: _Data | None) -> _Data | None:
    """What a state answers; None where that is not known."""
    kind, selected = state.get("Type"), state.get("ResultSelector")
    if isinstance(selected, Mapping):
        return _plain(key.removesuffix(".$") for key in selected)
    if kind == "Task":
        calls = invokes(state) and not str(state.get("Resource")).endswith(TOKEN)
        return _plain(_LAMBDA) if calls else None
    if kind in ("Parallel", "Map"):
        return _plain(())
    if kind == "Pass":
        shown = state.get("Result", state.get("Parameters"))
        return _plain(key.removesuffix(".$") for key in shown) if isinstance(shown, Mapping) else data
    return data


def _placed(holder: Mapping[str, Any], data: _Data | None, result: _Data | None) -> _Data | None:
    if holder.get("Type") in ("Choice", "Wait"):
        return data
    where = holder.get("ResultPath", "$")
    if where == "$":
        return result
    match = _PATH.match(str(where))
    if where is None or data is None or match is None:
        return data
    inner = None if match[2] or result is None or result.is_open else frozenset(result.keys)
    return _Data({**data.keys, match[1]: inner}, is_open=data.is_open)


def _reads(state: Mapping[str, Any]) -> Iterator[str]:
    """The paths of its input that a state reads."""
    for key, value in state.items():
        if key in ("Parameters", "ItemSelector", "Choices") or (
            key.endswith("Path") and key not in ("ResultPath", "OutputPath")
        ):
            yield from _paths(value)


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (match[0] for match in _PATH.finditer(value) if value.startswith(("$", "States.")))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _paths(inner)
    elif is_list(value):
        for inner in value:
            yield from _paths(inner)
