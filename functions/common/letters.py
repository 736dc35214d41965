"""The dead-letter queue: what cannot be understood is kept there with the reason, and an alarm watches it."""

from __future__ import annotations

from typing import Any

#: What SQS takes as the value of an attribute is far more; a reason is a sentence.
_LONGEST_REASON = 1000


def bury(sqs: Any, queue_url: str, body: str, *, reason: str, source: str) -> None:
    """Puts ``body`` unchanged into the dead-letter queue; ``reason`` and ``source`` become attributes."""
    attributes = {"Reason": reason[:_LONGEST_REASON], "Source": source}
    sqs.send_message(
        QueueUrl=queue_url,
        MessageBody=body or "(empty)",
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )
