"""The change calendar, asked before a host is changed (``003_… Check the lab calendar``)."""

from __future__ import annotations

from typing import Any

from .procedure import Done, Facts, Failed, Look, Stage

ACTION = "ssm:GetCalendarState"


def ask(ssm: Any, calendar: str, override: str) -> Stage:
    """The stage that ends a procedure while ``calendar`` is closed; ``override``: why it is not heeded, or empty."""

    def look(_facts: Facts) -> Look:
        if override:
            return Done({"override": override})
        state = ssm.get_calendar_state(CalendarNames=[calendar])
        if state["State"] == "OPEN":
            return Done()
        until = f" until {state['NextTransitionTime']}" if state.get("NextTransitionTime") else ""
        return Failed(
            f"the change calendar is closed{until}. Choose another time, or say why it cannot wait: "
            '--override "reason".'
        )

    return Stage(
        name="calendar",
        changes=f"Leaves the change calendar out of account: {override}"
        if override
        else f"Asks the change calendar {calendar} whether anything may be changed now.",
        look=look,
        action=(ACTION,),
    )
