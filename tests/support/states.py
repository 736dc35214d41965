"""Runs a state machine of the Amazon States Language with a clock that only moves when something happens.

It knows what the project's machines use: Task (``lambda:invoke`` with and without a token), Wait until a moment,
Choice on equal texts, Parallel, Succeed and Fail, with Parameters, ResultSelector, ResultPath, Retry and Catch. A field
or a state that it does not know is refused, so that no machine is half understood. Times, errors and the rules of
Retry and Catch are those of the specification (states-language.net).
"""

from __future__ import annotations

import copy
import heapq
import itertools
import json
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

FIELDS = {
    "Task": {
        "Type",
        "Comment",
        "Resource",
        "Parameters",
        "ResultSelector",
        "ResultPath",
        "TimeoutSeconds",
        "TimeoutSecondsPath",
        "Retry",
        "Catch",
        "Next",
        "End",
    },
    "Wait": {"Type", "Comment", "TimestampPath", "Next", "End"},
    "Choice": {"Type", "Comment", "Choices", "Default"},
    "Parallel": {"Type", "Comment", "Branches", "ResultPath", "Retry", "Catch", "Next", "End"},
    "Succeed": {"Type", "Comment"},
    "Fail": {"Type", "Comment", "Error", "Cause"},
}


class StatesError(Exception):
    """An error by its name, as Retry and Catch see it."""

    def __init__(self, name: str, cause: str = "") -> None:
        super().__init__(f"{name}: {cause}")
        self.name, self.cause = name, cause


class Clock:
    """The time, and what happens when. ``spend`` is for functions: time that passes while one runs."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._spent = 0.0
        self._order = itertools.count()
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []

    def now(self) -> datetime:
        return self._now + timedelta(seconds=self._spent)

    def spend(self, seconds: float) -> None:
        self._spent += seconds

    def at(self, moment: datetime, do: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (max(moment, self._now), next(self._order), do))

    def run(self, until: datetime | None = None) -> None:
        """Does what is on the agenda, in order, until it is empty or ``until`` is reached."""
        while self._agenda and (until is None or self._agenda[0][0] <= until):
            self._now, _, do = heapq.heappop(self._agenda)
            do()
            self._spent = 0.0
        if until is not None:
            self._now = max(self._now, until)

    def timed(self, call: Callable[[], Any]) -> tuple[Any, Exception | None, float]:
        """The result or the error of ``call``, and the seconds it spent."""
        before, self._spent = self._spent, 0.0
        try:
            result, error = call(), None
        except Exception as raised:  # noqa: BLE001 - whatever a function raises is its error
            result, error = None, raised
        seconds, self._spent = self._spent, before
        return result, error, seconds


def every_state(machine: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All states with their names, those of branches too."""
    for name, state in machine["States"].items():
        yield name, state
        for branch in state.get("Branches", ()):
            yield from every_state(branch)


def check(machine: Mapping[str, Any]) -> None:
    """Raises AssertionError for an unknown field, a missing or unreachable state, a name twice, a loose end."""
    names = [name for name, _ in every_state(machine)]
    assert len(set(names)) == len(names), "a state's name stands twice"
    assert all(len(name) <= 80 for name in names), "a state's name is too long"
    _check_level(machine)


def _check_level(machine: Mapping[str, Any]) -> None:
    states = machine["States"]
    reached, waiting = set(), [machine["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        assert name in states, f"there is no state {name!r}"
        reached.add(name)
        waiting += _followers(name, states[name])
    assert reached == set(states), f"unreachable: {set(states) - reached}"
    for state in states.values():
        for branch in state.get("Branches", ()):
            _check_level(branch)


def _followers(name: str, state: Mapping[str, Any]) -> list[str]:
    kind = state["Type"]
    assert set(state) <= FIELDS[kind], f"{name}: {set(state) - FIELDS[kind]}"
    followers = [catcher["Next"] for catcher in state.get("Catch", ())]
    if kind == "Choice":
        return [*followers, *(choice["Next"] for choice in state["Choices"]), state["Default"]]
    if kind in ("Succeed", "Fail"):
        return followers
    assert ("Next" in state) != bool(state.get("End")), f"{name} goes nowhere"
    for list_of in ("Retry", "Catch"):
        for position, one in enumerate(state.get(list_of, ())):
            is_all = "States.ALL" in one["ErrorEquals"]
            assert not is_all or (len(one["ErrorEquals"]) == 1 and position == len(state[list_of]) - 1), name
    return [*followers, *([state["Next"]] if "Next" in state else [])]


class Process:
    """A branch that runs. It yields what it waits for; ``ended`` is called with its result or its error."""

    def __init__(
        self, work: Generator[Any, Any, Any], clock: Clock, ended: Callable[[Any, StatesError | None], None]
    ) -> None:
        self._work, self._clock, self._ended = work, clock, ended
        self._children: list[Process] = []
        self._turn = 0
        self.is_over = False

    def resume(self, value: Any = None, error: StatesError | None = None) -> None:
        if self.is_over:
            return
        self._turn += 1
        try:
            wanted = self._work.throw(error) if error else self._work.send(value)
        except StopIteration as stop:
            self._end(stop.value, None)
        except StatesError as raised:
            self._end(None, raised)
        else:
            wanted(self)

    def later(self, moment: datetime, value: Any = None, error: StatesError | None = None) -> None:
        """Resumes at ``moment``, unless something else has resumed it before."""
        turn = self._turn

        def wake() -> None:
            if self._turn == turn:
                self.resume(value, error)

        self._clock.at(moment, wake)

    def fork(self, works: list[Generator[Any, Any, Any]]) -> None:
        """Runs ``works`` side by side; the first error ends them all."""
        results: list[Any] = [None] * len(works)
        waiting = set(range(len(works)))

        def ended(position: int) -> Callable[[Any, StatesError | None], None]:
            def end(result: Any, error: StatesError | None) -> None:
                if error is not None:
                    self._stop_children()
                    self.later(self._clock.now(), error=error)
                    return
                results[position] = result
                waiting.discard(position)
                if not waiting:
                    self.later(self._clock.now(), value=results)

            return end

        self._children = [Process(work, self._clock, ended(position)) for position, work in enumerate(works)]
        for child in list(self._children):
            child.resume()

    def stop(self) -> None:
        self.is_over = True
        self._stop_children()
        self._work.close()

    def _stop_children(self) -> None:
        for child in self._children:
            if not child.is_over:
                child.stop()

    def _end(self, result: Any, error: StatesError | None) -> None:
        self.is_over = True
        self._ended(result, error)


class Execution:
    """A run of the machine. ``trail``: when which state was entered."""

    def __init__(self, arn: str, name: str, raw: str, started: datetime) -> None:
        self.arn, self.name, self.raw, self.started = arn, name, raw, started
        self.status = "RUNNING"
        self.error: StatesError | None = None
        self.output: Any = None
        self.trail: list[tuple[datetime, str]] = []
        self.process: Process | None = None

    def entered(self, state: str) -> list[datetime]:
        return [moment for moment, name in self.trail if name == state]


class StepFunctions:
    """A state machine behind the calls of boto3's client that the functions use."""

    def __init__(self, arn: str, definition: str, functions: Mapping[str, Callable[[Any], Any]], clock: Clock) -> None:
        self.machine: dict[str, Any] = json.loads(definition)
        check(self.machine)
        self.arn, self._functions, self.clock = arn, functions, clock
        self.executions: dict[str, Execution] = {}
        self._tokens: dict[str, tuple[Process, int]] = {}
        self._numbers = itertools.count(1)

    # The calls

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002, N803
        assert stateMachineArn == self.arn
        assert len(name) <= 80
        there = self.executions.get(name)
        if there is not None:
            if there.status == "RUNNING" and there.raw == input:
                return {"executionArn": there.arn, "startDate": there.started}
            raise _refusal("ExecutionAlreadyExists", "StartExecution")
        arn = f"{self.arn.replace(':stateMachine:', ':execution:')}:{name}"
        execution = self.executions[name] = Execution(arn, name, input, self.clock.now())

        def ended(result: Any, error: StatesError | None) -> None:
            execution.output, execution.error = result, error
            execution.status = "SUCCEEDED" if error is None else "FAILED"

        execution.process = Process(self._run(self.machine, json.loads(input), execution), self.clock, ended)
        self.clock.at(self.clock.now(), execution.process.resume)
        self.clock.at(
            self.clock.now() + timedelta(seconds=self.machine["TimeoutSeconds"]), lambda: self._end(name, "TIMED_OUT")
        )
        return {"executionArn": arn, "startDate": execution.started}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        for execution in self.executions.values():
            if execution.arn == executionArn:
                return {"executionArn": executionArn, "status": execution.status}
        raise _refusal("ExecutionDoesNotExist", "DescribeExecution")

    def send_task_success(self, *, taskToken: str, output: str) -> dict[str, Any]:  # noqa: N803
        if taskToken not in self._tokens:
            raise _refusal("InvalidToken", "SendTaskSuccess")
        process, turn = self._tokens[taskToken]
        if process.is_over or process._turn != turn:
            raise _refusal("TaskTimedOut", "SendTaskSuccess")
        process.later(self.clock.now(), value=json.loads(output))
        return {}

    def stop_execution(self, name: str) -> None:
        self._end(name, "ABORTED")

    def _end(self, name: str, status: str) -> None:
        execution = self.executions[name]
        if execution.status == "RUNNING" and execution.process is not None:
            execution.status = status
            execution.process.stop()

    # The machine

    def _run(self, machine: Mapping[str, Any], data: Any, execution: Execution) -> Generator[Any, Any, Any]:
        name = machine["StartAt"]
        while True:
            state = machine["States"][name]
            execution.trail.append((self.clock.now(), name))
            kind = state["Type"]
            if kind == "Succeed":
                return data
            if kind == "Fail":
                raise StatesError(state["Error"], state.get("Cause", ""))
            if kind == "Choice":
                name = _chosen(state, data)
                continue
            if kind == "Wait":
                moment = datetime.fromisoformat(_at(state["TimestampPath"], data, {}))
                yield lambda process, moment=moment: process.later(moment)
                name = state["Next"]
                continue
            name, data = yield from self._tried(state, data, execution)

    def _tried(self, state: Mapping[str, Any], data: Any, execution: Execution) -> Generator[Any, Any, tuple[str, Any]]:
        """One Task or Parallel with its Retry and Catch: the next state and its input."""
        attempts = [0] * len(state.get("Retry", ()))
        while True:
            try:
                if state["Type"] == "Parallel":
                    result = yield from self._side_by_side(state, data, execution)
                else:
                    result = yield from self._task(state, data)
            except StatesError as error:
                position = _first(state.get("Retry", ()), error.name)
                if position is not None and attempts[position] < state["Retry"][position]["MaxAttempts"]:
                    retrier = state["Retry"][position]
                    pause = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** attempts[position]
                    attempts[position] += 1
                    moment = self.clock.now() + timedelta(seconds=pause)
                    yield lambda process, moment=moment: process.later(moment)
                    continue
                position = _first(state.get("Catch", ()), error.name)
                if position is None:
                    raise
                catcher = state["Catch"][position]
                told = {"Error": error.name, "Cause": error.cause}
                return catcher["Next"], _placed(catcher.get("ResultPath", "$"), data, told)
            if "ResultSelector" in state:
                result = _filled(state["ResultSelector"], result, {})
            return state["Next"], _placed(state.get("ResultPath", "$"), data, result)

    def _side_by_side(self, state: Mapping[str, Any], data: Any, execution: Execution) -> Generator[Any, Any, Any]:
        works = [self._run(branch, copy.deepcopy(data), execution) for branch in state["Branches"]]
        results = yield lambda process: process.fork(works)
        return results

    def _task(self, state: Mapping[str, Any], data: Any) -> Generator[Any, Any, Any]:
        service, _, pattern = state["Resource"].partition(":::")[2].partition(".")
        assert service == "lambda:invoke"
        assert pattern in ("", "waitForTaskToken")
        entered = self.clock.now()
        token = f"token-{next(self._numbers)}"
        parameters = _filled(state["Parameters"], data, {"Task": {"Token": token}} if pattern else {})
        limit = state.get("TimeoutSeconds")
        if "TimeoutSecondsPath" in state:
            limit = _at(state["TimeoutSecondsPath"], data, {})
            assert isinstance(limit, int)
            assert limit > 0
        deadline = entered + timedelta(seconds=limit)
        function = self._functions[parameters["FunctionName"]]
        if pattern:

            def register(process: Process) -> None:
                process.later(deadline, error=StatesError("States.Timeout"))
                self._tokens[token] = (process, process._turn)
                _, error, seconds = self.clock.timed(lambda: function(copy.deepcopy(parameters["Payload"])))
                if error is not None:
                    process.later(self.clock.now() + timedelta(seconds=seconds), error=_lambda_error(error))

            return (yield register)
        result, error, seconds = self.clock.timed(lambda: function(copy.deepcopy(parameters["Payload"])))
        ends = entered + timedelta(seconds=seconds)
        if ends > deadline:
            yield lambda process: process.later(deadline, error=StatesError("States.Timeout"))
        yield lambda process: process.later(ends)
        if error is not None:
            raise _lambda_error(error)
        return {"StatusCode": 200, "Payload": json.loads(json.dumps(result))}


def _chosen(state: Mapping[str, Any], data: Any) -> str:
    for choice in state["Choices"]:
        assert set(choice) == {"Variable", "StringEquals", "Next"}
        if _at(choice["Variable"], data, {}) == choice["StringEquals"]:
            return str(choice["Next"])
    return str(state["Default"])


def _first(rules: Any, name: str) -> int | None:
    """The position of the first retrier or catcher that is about the error ``name``."""
    for position, rule in enumerate(rules):
        for wanted in rule["ErrorEquals"]:
            if wanted in (name, "States.ALL") or (wanted == "States.TaskFailed" and name != "States.Timeout"):
                return position
    return None


def _at(path: str, data: Any, context: Mapping[str, Any]) -> Any:
    root, here = ("$$", context) if path.startswith("$$") else ("$", data)
    for step in path.removeprefix(root).split(".")[1:]:
        assert step.isidentifier(), f"{path} is no path that the language knows without quotes"
        if step not in here:
            raise StatesError("States.ParameterPathFailure", path)
        here = here[step]
    return here


def _filled(template: Any, data: Any, context: Mapping[str, Any]) -> Any:
    if isinstance(template, dict):
        return {
            key.removesuffix(".$"): _at(value, data, context) if key.endswith(".$") else _filled(value, data, context)
            for key, value in template.items()
        }
    if isinstance(template, list):
        return [_filled(item, data, context) for item in template]
    return template


def _placed(path: str | None, data: Any, result: Any) -> Any:
    if path is None:
        return data
    if path == "$":
        return result
    changed = copy.deepcopy(data)
    *above, last = path.split(".")[1:]
    here = changed
    for step in above:
        here = here.setdefault(step, {})
    here[last] = result
    return changed


def _lambda_error(error: Exception) -> StatesError:
    cause = json.dumps({"errorMessage": str(error), "errorType": type(error).__name__})
    return error if isinstance(error, StatesError) else StatesError(type(error).__name__, cause)


def _refusal(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)
