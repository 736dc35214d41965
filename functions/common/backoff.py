"""Trying again what may pass: a busy service, a broken line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from botocore import exceptions

T = TypeVar("T")

#: Seconds before the second, the third and the fourth attempt.
WAITS = (0.5, 1.0, 2.0)

_BUSY = frozenset(
    {
        "InternalServerError",
        "InternalServerException",
        "InternalFailure",
        "KmsThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


def code(error: BaseException) -> str:
    """The code of an AWS error, such as ``ThrottlingException``; empty for anything else."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, exceptions.ClientError) else ""


def may_pass(error: Exception) -> bool:
    """Whether the same call may succeed a moment later."""
    return code(error) in _BUSY or isinstance(error, (exceptions.ConnectionError, exceptions.HTTPClientError))


def persist(
    call: Callable[[], T],
    *,
    sleep: Callable[[float], None],
    again: Callable[[Exception], bool] = may_pass,
    waits: Sequence[float] = WAITS,
) -> T:
    """The result of ``call``, which is tried again after each of ``waits`` seconds while ``again`` says so."""
    for wait in waits:
        try:
            return call()
        except Exception as error:
            if not again(error):
                raise
            sleep(wait)
    return call()
