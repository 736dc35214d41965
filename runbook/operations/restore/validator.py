"""The stack's function that asks a restored database for its rows: how it is called, and how it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..aws import spoken

#: A function of Lambda runs for 900 seconds at the most.
_SECONDS = 910

#: What the function raises where another try may help, and how often it is tried.
_NOT_YET, _ATTEMPTS = frozenset({"NotReadyError", "UnreachableError"}), 3


def client(region: str, profile: str | None) -> Any:
    """A client of Lambda that waits for the answer as long as a function may run."""
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=10,
        read_timeout=_SECONDS,
        # Gateways forget a connection that is silent for minutes.
        tcp_keepalive=True,
        user_agent_extra="runbook",
    )
    with spoken():
        session: Any = boto3.Session(profile_name=profile, region_name=region)
        return session.client("lambda", config=config)


def ask(lambda_: Any, invocation: Mapping[str, Any]) -> dict[str, Any]:
    """What the function answers, or ``error`` and why it did not. It changes no data, so asking again does no harm."""
    name, said = invocation["FunctionName"], None
    for _ in range(_ATTEMPTS):
        answer = lambda_.invoke(**invocation)
        said = _document(answer["Payload"].read())
        if "FunctionError" not in answer:
            return said if said is not None else {"error": f"{name} gave no answer that can be read"}
        if (said or {}).get("errorType") not in _NOT_YET:
            break
    return {"error": f"{name} failed: {(said or {}).get('errorMessage', 'it does not say why')}"}


def _document(text: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(text)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
