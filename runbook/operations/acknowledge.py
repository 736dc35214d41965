"""Takes over an alarm: the people after the one who takes over are left to sleep (``004_… Alert Escalation``)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from botocore.exceptions import ClientError

from ..errors import UserError
from .aws import error_code, spoken
from .site import Site

#: The components whose inventory is read: the function, and the alarms there are.
COMPONENTS = ("escalation", "monitoring")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``stopped``: somebody has taken over, this caller or another before; ``near``: alarms that may have been meant.

    ``alarm``: the full name that was acknowledged; ``known``: it is one of the stack's.
    """

    alarm: str
    stopped: bool
    reason: str
    known: bool
    near: tuple[str, ...] = ()


def who(arn: str) -> str:
    """Whom an ARN stands for: the name of the user or of the role's session."""
    return arn.rpartition("/")[2].rpartition(":")[2]


def full_name(alarm: str, alarms: Mapping[str, str]) -> str:
    """``alarm``, or the name of the alarm that the stack's program calls so. ``alarms``: short name -> full name."""
    return alarms.get(alarm, alarm)


def near(alarm: str, names: Collection[str]) -> tuple[str, ...]:
    """Up to three names that are like ``alarm``, or that hold it."""
    wanted = alarm.casefold()
    folded = {name.casefold(): name for name in sorted(names)}
    holding = [name for name in folded if wanted in name]
    alike = get_close_matches(wanted, folded, n=3, cutoff=0.6)
    return tuple(folded[name] for name in dict.fromkeys([*alike, *holding]))[:3]


def acknowledge(client: Any, function: str, alarm: str, by: str, alarms: Mapping[str, str]) -> Answer:
    """Calls the function. ``client``: of Lambda; ``alarms``: short name -> full name of the stack's alarms.

    Raises UserError where the function cannot be called, or fails.
    """
    alarm = full_name(alarm.strip(), alarms)
    if not alarm:
        raise UserError("The alarm's name is empty.", "It stands in the message: runbook acknowledge ALARM.")
    said = _call(client, function, {"alarm": alarm, "by": by})
    move, reason = said.get("move"), str(said.get("reason", ""))
    if move not in ("acknowledge", "repeat", "refuse"):
        raise UserError(
            f"The function {function} answers what nobody understands: {json.dumps(said)[:200]}",
            "Is it newer than this command? Call the next person yourself.",
        )
    known = alarm in alarms.values()
    return Answer(
        alarm=alarm,
        stopped=move != "refuse",
        reason=reason,
        known=known,
        near=() if known or move != "refuse" else near(alarm, [*alarms, *alarms.values()]),
    )


def _call(client: Any, function: str, event: Mapping[str, str]) -> Mapping[str, Any]:
    with spoken("lambda:InvokeFunction"):
        try:
            answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            raise UserError(
                f"There is no function {function}: the escalation is not deployed, or was taken away.",
                "Nothing stops; call the next person yourself.",
            ) from error
        text = answer["Payload"].read()
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if "FunctionError" in answer or not isinstance(said, dict):
        why = said.get("errorMessage", "") if isinstance(said, dict) else ""
        raise UserError(
            f"The function {function} fails: {why or 'it gives no reason'}",
            "The escalation goes on. Try again, or call the next person yourself.",
        )
    return said


def sentences(answer: Answer, environment: str) -> tuple[str, ...]:
    """What came back, in words."""
    if answer.stopped:
        return (answer.reason, "The escalation has stopped: nobody else is called.")
    if answer.known:
        return (f"Nobody was waiting for {answer.alarm}: {answer.reason}",)
    hint = f"Did you mean {' or '.join(answer.near)}?" if answer.near else "Its name stands in the message."
    return (f"{environment} has no alarm {answer.alarm} in its inventory, and {_lowered(answer.reason)}", hint)


def _lowered(reason: str) -> str:
    return reason[:1].lower() + reason[1:]


def document(answer: Answer) -> str:
    """What came back, for a machine."""
    return json.dumps(asdict(answer), indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def permissions(site: Site) -> list[dict[str, Any]]:
    """The statements of the IAM policy that an acknowledgement needs."""
    function = site.labels.physical("escalation", "acknowledge", limit=64)
    return [
        {
            "Sid": "ReadInventory",
            "Effect": "Allow",
            "Action": ["ssm:GetParameter"],
            "Resource": [site.arn("ssm", f"parameter{site.parameter(component)}") for component in COMPONENTS],
        },
        {
            "Sid": "Acknowledge",
            "Effect": "Allow",
            "Action": ["lambda:InvokeFunction"],
            "Resource": [site.arn("lambda", f"function:{function}")],
        },
    ]
