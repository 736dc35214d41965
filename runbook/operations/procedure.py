"""A procedure that survives its operator: every stage looks before it acts.

What has been done is read from AWS and never remembered, so a run that was killed between two stages, or by somebody
else's machine, goes on where it stopped, and nothing is done twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError
from .aws import spoken
from .journal import Journal


class Facts(dict[str, Any]):
    """What the stages found out, by name. One that is not known yet reads as ``<name>``, which a plan shows."""

    def __missing__(self, name: str) -> str:
        return f"<{name}>"


@dataclass(frozen=True, slots=True)
class Todo:
    """The stage's call is due."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """AWS is at it; ``why`` in words: "the snapshot is 40 % done"."""

    why: str


@dataclass(frozen=True, slots=True)
class Done:
    """The stage has been done; ``facts`` are what later stages need of it."""

    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot be done, and why. Stages that follow are left out, but for those that always run."""

    why: str


Look = Todo | Waiting | Done | Failed


def nothing(_facts: Facts) -> Mapping[str, Any]:
    """The arguments of a stage that makes no call."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A step of a procedure.

    ``name``: short, unique ("restore"); ``changes``: what it does, as a sentence; ``look``: reads how far it is,
    changing nothing; ``call``: boto3's client and method (``rds.create_db_snapshot``), or ``check`` for a stage that
    only looks; ``action``: the IAM actions that ``call`` and ``look`` need; ``arguments``: of the call, from the facts
    of earlier stages; ``act``: in place of a single call; ``always``: clean-up, which runs after a failure too;
    ``patience``: seconds to wait for the stage at the most, asking every ``pause`` seconds.
    """

    name: str
    changes: str
    look: Callable[[Facts], Look]
    action: tuple[str, ...]
    call: str = "check"
    arguments: Callable[[Facts], Mapping[str, Any]] = nothing
    act: Callable[[Facts], None] | None = None
    always: bool = False
    patience: float = 3600
    pause: float = 15


@dataclass(frozen=True, slots=True)
class Planned:
    """A stage as a plan shows it: ``state`` is what its look said, None where an earlier stage has to come first."""

    stage: Stage
    state: Look | None
    arguments: Mapping[str, Any]


def survey(stages: Sequence[Stage]) -> tuple[Planned, ...]:
    """How far the procedure is, changing nothing. Stages after the first that is not done are not looked at."""
    facts = Facts()
    planned: list[Planned] = []
    reached = True
    for stage in stages:
        state = _look(stage, facts) if reached else None
        if isinstance(state, Done):
            facts.update(state.facts)
        else:
            reached = False
        planned.append(Planned(stage, state, stage.arguments(facts)))
    return tuple(planned)


def run(
    stages: Sequence[Stage],
    clients: Mapping[str, Any],
    journal: Journal,
    *,
    told: Callable[[Stage, Look], None] = lambda _stage, _look: None,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Facts:
    """Takes every stage in turn until it is done; returns what they found out.

    A stage that fails, is refused by AWS or outlasts its patience ends the run with a UserError, after the stages that
    always run. ``told`` hears how each stage stands whenever that changes.
    """
    facts = Facts()
    journal.write("begin", steps=[stage.name for stage in stages])
    trouble: UserError | None = None
    for stage in stages:
        if trouble is not None and not stage.always:
            continue
        try:
            _take(stage, facts, clients, journal, told, pause, clock)
        except UserError as error:
            journal.write("failed", stage=stage.name, error=str(error))
            # The first trouble is the cause; that of a clean-up is told beside it.
            trouble = UserError(*trouble.lines, *error.lines) if trouble else error
        except BaseException as error:
            journal.write("interrupted", stage=stage.name, error=type(error).__name__)
            raise
    if trouble is not None:
        raise trouble
    journal.write("end")
    return facts


def _take(
    stage: Stage,
    facts: Facts,
    clients: Mapping[str, Any],
    journal: Journal,
    told: Callable[[Stage, Look], None],
    pause: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    began = clock()
    heard: Look | None = None
    acted = False
    while True:
        state = _look(stage, facts)
        if state != heard:
            told(stage, state)
            heard = state
        match state:
            case Done(found):
                facts.update(found)
                journal.write("done", stage=stage.name, facts=dict(found))
                return
            case Failed(why):
                raise UserError(f"{stage.name}: {why}")
            case Todo() if not acted:
                _act(stage, facts, clients, journal)
                acted = True
                continue
        # Waiting; or asked for and not to be seen yet.
        if clock() - began >= stage.patience:
            why = state.why if isinstance(state, Waiting) else "AWS does not show it yet"
            raise UserError(
                f"{stage.name}: not done after {stage.patience / 60:.0f} minutes: {why}.",
                "The same command goes on from here.",
            )
        pause(stage.pause)


def _look(stage: Stage, facts: Facts) -> Look:
    with spoken(stage.action[0] if stage.action else None):
        return stage.look(facts)


def _act(stage: Stage, facts: Facts, clients: Mapping[str, Any], journal: Journal) -> None:
    arguments = stage.arguments(facts)
    journal.write("call", stage=stage.name, call=stage.call, arguments=arguments, changes=stage.changes)
    with spoken(stage.action[-1] if stage.action else None):
        if stage.act is not None:
            stage.act(facts)
            return
        client, _, method = stage.call.partition(".")
        getattr(clients[client], method)(**arguments)


def actions(stages: Sequence[Stage]) -> Iterator[str]:
    """The IAM actions of all stages, each once, in alphabetical order."""
    yield from sorted({action for stage in stages for action in stage.action})
