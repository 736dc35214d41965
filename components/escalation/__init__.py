"""Who is called when an alarm rings: Slack, e-mail, a text, a call, until somebody answers."""

from .component import Escalation, EscalationArgs
from .plan import chain

__all__ = ["Escalation", "EscalationArgs", "chain"]
