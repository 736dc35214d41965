"""Waking the state machine. The record says what happened; the token only makes the machine look."""

from __future__ import annotations

import json
import logging
from typing import Any

from .backoff import code

#: The machine has gone on by itself, which is no fault: it reads the record at its next step.
_GONE = frozenset({"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"})


def wake(states: Any, token: str) -> bool:
    """Ends the wait that handed out ``token``; False where nothing waits, or not any more."""
    if not token:
        return False
    try:
        states.send_task_success(taskToken=token, output=json.dumps({"woken": True}))
    except Exception as error:
        if code(error) not in _GONE:
            raise
        logging.getLogger(__name__).info("Nothing waits for this token any more: %s", code(error))
        return False
    return True
