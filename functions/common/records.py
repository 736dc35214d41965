"""What is known of an alarm's escalation: one current record per alarm, and an entry for every step.

The table's key is ``alarm`` and ``entry``. The current record has the entry ``current`` and is what keeps an alarm from
being escalated twice; a step has ``<escalation>#<moment>#<what>`` and stays until it expires. Every change of the
current record names the escalation it is meant for, so that one that has ended never touches its successor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from . import moments
from .alarm import Severity
from .backoff import code as error_code

#: open: nobody has answered; unanswered: nobody did until the end; broken: the machine could not go on.
State = Literal["open", "acknowledged", "cleared", "unanswered", "broken"]

STATES: tuple[State, ...] = get_args(State)

CURRENT = "current"
CODE_INDEX = "by-code"

#: A step's text is cut here: an error can be a page long.
_LONGEST_DETAIL = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The current record. ``rang``: when the alarm last went into alarm; ``code``: what a text message must name.

    ``open_until``: after that the escalation cannot be alive. ``token`` wakes the machine, which waits as long as the
    state is ``held``. ``by`` and ``how`` tell who acknowledged, ``settled`` when that was or when the alarm cleared.
    ``sent``: rung and contact (``sms/ana``) of what went out.
    """

    alarm: str
    escalation: str
    state: State
    severity: Severity
    started: datetime
    rang: datetime
    open_until: datetime
    code: str = ""
    token: str = ""
    held: str = ""
    by: str = ""
    how: str = ""
    settled: datetime | None = None
    closed: datetime | None = None
    sent: Mapping[str, str] = field(default_factory=dict)

    @property
    def waking_token(self) -> str:
        """The token of a machine that waits for what has happened already; empty where it does not."""
        return self.token if self.held != self.state else ""

    def is_alive(self, now: datetime) -> bool:
        """Whether the escalation goes on, as far as the record knows."""
        return self.state in ("open", "acknowledged") and self.closed is None and now < self.open_until


class Records:
    """The table. ``table`` is boto3's; ``retention`` says how long entries are kept after they were written."""

    def __init__(self, table: Any, retention: timedelta) -> None:
        self._table = table
        self._retention = retention

    def current(self, alarm: str) -> Record | None:
        """The alarm's current record."""
        item = self._table.get_item(Key={"alarm": alarm, "entry": CURRENT}, ConsistentRead=True).get("Item")
        return _record(item) if item else None

    def by_code(self, code: str) -> Record | None:
        """The record of the escalation that gave out ``code``; codes are forgotten when it ends."""
        found = self._table.query(
            IndexName=CODE_INDEX,
            KeyConditionExpression="#code = :code",
            ExpressionAttributeNames={"#code": "code"},
            ExpressionAttributeValues={":code": code},
        )
        records = [self.current(str(item["alarm"])) for item in found["Items"]]
        # The index lags behind the table.
        fitting = [record for record in records if record and record.code == code]
        return max(fitting, key=lambda record: record.started, default=None)

    def begin(self, record: Record, seen: Record | None) -> bool:
        """Makes ``record`` the current one. False where the one there is no longer what was ``seen``."""
        names = {"#alarm": "alarm"}
        values: dict[str, str] = {}
        condition = "attribute_not_exists(#alarm)"
        if seen is not None:
            condition = "#escalation = :escalation AND #state = :state"
            names = {"#escalation": "escalation", "#state": "state"}
            values = {":escalation": seen.escalation, ":state": seen.state}
        arguments = {"ExpressionAttributeValues": values} if values else {}
        return (
            self._tried(
                self._table.put_item,
                Item=self._item(record),
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                **arguments,
            )
            is not None
        )

    def hold(self, record: Record, token: str) -> bool:
        """Notes the token that wakes the machine. False where the record has meanwhile another state."""
        return self._change(record, {"token": token, "held": record.state}, state=record.state) is not None

    def settle(self, record: Record, state: State, *, by: str, how: str, now: datetime) -> Record | None:
        """The record with a new state, and the token it has by now. None where its state is no longer ``record``'s."""
        return self._change(
            record, {"state": state, "by": by, "how": how, "settled": moments.text(now)}, state=record.state
        )

    def ring(self, record: Record, at: datetime) -> None:
        """Notes that the alarm went into alarm again."""
        self._change(record, {"rang": moments.text(max(at, record.rang))})

    def note_sent(self, record: Record, key: str, now: datetime) -> None:
        """Notes that what ``key`` (``sms/ana``) stands for went out."""
        self._tried(
            self._table.update_item,
            Key={"alarm": record.alarm, "entry": CURRENT},
            UpdateExpression="SET #sent.#key = :now",
            ConditionExpression="#escalation = :escalation",
            ExpressionAttributeNames={"#sent": "sent", "#key": key, "#escalation": "escalation"},
            ExpressionAttributeValues={":now": moments.text(now), ":escalation": record.escalation},
        )

    def close(self, record: Record, now: datetime, state: State | None = None) -> None:
        """Ends the escalation; its code and token are forgotten."""
        values = {"closed": moments.text(now), **({"state": state} if state else {})}
        self._change(record, values, remove=("code", "held", "token"))

    def step(self, alarm: str, escalation: str, what: str, now: datetime, detail: str = "") -> None:
        """Adds an entry: what happened, when, and ``detail`` in words."""
        self._table.put_item(
            Item={
                "alarm": alarm,
                "entry": f"{escalation}#{moments.text(now)}#{what}",
                "what": what,
                "at": moments.text(now),
                "detail": detail[:_LONGEST_DETAIL],
                "expires": self._expiry(now),
            }
        )

    def steps(self, alarm: str, escalation: str) -> tuple[Mapping[str, Any], ...]:
        """The entries of one escalation in their order."""
        found = self._table.query(
            KeyConditionExpression="alarm = :alarm AND begins_with(entry, :escalation)",
            ExpressionAttributeValues={":alarm": alarm, ":escalation": f"{escalation}#"},
            ConsistentRead=True,
        )
        return tuple(found["Items"])

    def _item(self, record: Record) -> dict[str, Any]:
        texts = {name: getattr(record, name) for name in ("by", "code", "held", "how", "token")}
        return {
            "alarm": record.alarm,
            "entry": CURRENT,
            "escalation": record.escalation,
            "state": record.state,
            "severity": record.severity,
            "started": moments.text(record.started),
            "rang": moments.text(record.rang),
            "open_until": moments.text(record.open_until),
            "sent": dict(record.sent),
            "expires": self._expiry(record.open_until),
            # An index takes no empty text.
            **{name: text for name, text in texts.items() if text},
        }

    def _expiry(self, moment: datetime) -> int:
        return int((moment + self._retention).timestamp())

    def _change(
        self, record: Record, values: Mapping[str, str], *, state: State | None = None, remove: tuple[str, ...] = ()
    ) -> Record | None:
        names = {f"#{name}": name for name in (*values, *remove, "escalation")}
        placed = {f":{name}": value for name, value in values.items()} | {":own": record.escalation}
        condition = "#escalation = :own"
        if state is not None:
            condition += " AND #state = :was AND attribute_not_exists(#closed)"
            names |= {"#state": "state", "#closed": "closed"}
            placed[":was"] = state
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        if remove:
            update += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        answer = self._tried(
            self._table.update_item,
            Key={"alarm": record.alarm, "entry": CURRENT},
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=placed,
            ReturnValues="ALL_NEW",
        )
        return _record(answer["Attributes"]) if answer is not None else None

    @staticmethod
    def _tried(call: Any, **arguments: Any) -> dict[str, Any] | None:
        """The answer, or None where the condition does not hold."""
        try:
            answer: dict[str, Any] = call(**arguments)
        except Exception as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return None
            raise
        return answer


def _record(item: Mapping[str, Any]) -> Record:
    def moment(name: str) -> datetime | None:
        return moments.parse(str(item[name])) if name in item else None

    return Record(
        alarm=str(item["alarm"]),
        escalation=str(item["escalation"]),
        state=item["state"],
        severity=item["severity"],
        started=moments.parse(str(item["started"])),
        rang=moments.parse(str(item["rang"])),
        open_until=moments.parse(str(item["open_until"])),
        code=str(item.get("code", "")),
        token=str(item.get("token", "")),
        held=str(item.get("held", "")),
        by=str(item.get("by", "")),
        how=str(item.get("how", "")),
        settled=moment("settled"),
        closed=moment("closed"),
        sent=dict(item.get("sent", {})),
    )
