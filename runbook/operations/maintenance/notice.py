"""What people are told of a maintenance, by the topic that calls nobody (``004_… Alert Escalation``)."""

from __future__ import annotations

import json
from typing import Any

from .entry import Entry
from .record import Record
from .until import shown


def begun(entry: Entry, record: Record) -> tuple[str, str]:
    """Subject and text when the page is on, or its end has moved."""
    end = shown(record.ends, entry.time_zone)
    moved = bool(record.told)
    what = (
        f"The maintenance of {entry.url} ends at another time than announced."
        if moved
        else f"{entry.url} is under maintenance. Visitors see a page that says so; nothing else answers."
    )
    lines = [
        what,
        "",
        f"Until: {end}",
        f"By: {record.by}",
        *([f"In spite of the change calendar: {record.override}"] if record.override else []),
        f"Next update: {end}, when the page goes off by itself, or as soon as that changes.",
    ]
    return f"[{entry.site.environment}] Maintenance {'moved, now ' if moved else ''}until {end}", "\n".join(lines)


def ended(entry: Entry, record: Record, who: str) -> tuple[str, str]:
    """Subject and text when the site is back."""
    lines = [
        f"Resolved: {entry.url} is back after maintenance.",
        "",
        f"Announced until: {shown(record.ends, entry.time_zone)}",
        f"By: {who}",
        "Next update: none.",
    ]
    return f"[{entry.site.environment}] Maintenance is over", "\n".join(lines)


def arguments(entry: Entry, notice: tuple[str, str]) -> dict[str, Any]:
    """Of ``sns.publish``. E-mail gets the text; the escalation's queue an event that is no alarm's, which it skips."""
    subject, text = notice
    event = json.dumps({"Event Source": "runbook", "Event Message": text}, sort_keys=True)
    return {
        "TopicArn": entry.topic_arn,
        # What SNS takes as a subject.
        "Subject": subject[:100],
        "MessageStructure": "json",
        "Message": json.dumps({"default": text, "sqs": event}, sort_keys=True),
    }
