"""What the notify function is told by the stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from functions.common.roster import Contact, Override, Roster, Rotation
from functions.common.variables import write

__all__ = ["Channel", "Contact", "Duty", "NotifyEnv", "Override", "Roster", "Rotation", "Rung"]

Channel = Literal["slack", "email", "sms", "phone"]
Duty = Literal["primary", "backup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """``to``: those on call whom it reaches; nobody for Slack, which has its channel.

    ``minutes``: after the alarm; ``next_minutes``: until the next rung, 0 after the last one.
    """

    name: str
    channel: Channel
    to: tuple[Duty, ...]
    minutes: int
    next_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyEnv:
    """``system``: project and environment, as messages name them. ``slack_secret``: ARN of the webhook's secret.

    ``sender``: the address that e-mail comes from; ``sms_identity`` and ``voice_identity``: ARN of the number that
    texts and calls come from; ``takes_replies``: whether a text message back acknowledges.
    """

    table: str
    retention_days: int
    system: str
    roster: Roster
    slack_secret: str
    slack_channel: str
    sender: str
    sms_identity: str
    voice_identity: str
    takes_replies: bool

    def variables(self) -> dict[str, str]:
        """The environment variables of the function."""
        return write(self)
