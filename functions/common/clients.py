"""Clients with short time-outs: whoever waits for a page must not wait for a line that is down."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

#: Seconds to connect, and to wait for an answer. Attempts are the caller's: see ``backoff``.
_CONNECT, _READ = 2, 4

#: The same for the table, which answers in milliseconds or is down; people are called without it then.
_TABLE_CONNECT, _TABLE_READ, _TABLE_ATTEMPTS = 1, 2, 2


@cache
def client(service: str) -> Any:
    """The client of ``service``, made at first use and kept while the function is warm."""
    import boto3
    from botocore.config import Config

    # Below that it logs what it is answered, and one answer is the webhook's address.
    logging.getLogger("botocore").setLevel(logging.INFO)
    session: Any = boto3.Session()
    config = Config(connect_timeout=_CONNECT, read_timeout=_READ, retries={"total_max_attempts": 1, "mode": "standard"})
    return session.client(service, config=config)


@cache
def table(name: str) -> Any:
    """The DynamoDB table ``name``."""
    import boto3
    from botocore.config import Config

    session: Any = boto3.Session()
    config = Config(
        connect_timeout=_TABLE_CONNECT,
        read_timeout=_TABLE_READ,
        retries={"total_max_attempts": _TABLE_ATTEMPTS, "mode": "standard"},
    )
    return session.resource("dynamodb", config=config).Table(name)
