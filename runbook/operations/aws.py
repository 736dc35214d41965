"""AWS errors in words: what was refused, why, and what a person can do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import UserError

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

#: So often is a call tried where AWS is busy; with its growing pauses that is about a minute.
_ATTEMPTS = 8

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_INVALID = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_DENIED = frozenset({"403", "AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_BUSY = frozenset(
    {
        "503",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)

_NAMED_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z*]+)")


def clients(region: str, profile: str | None, *names: str) -> dict[str, Any]:
    """Clients by name, of ``profile`` or of the ambient credentials. Raises UserError for an unknown profile."""
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=10,
        read_timeout=30,
        user_agent_extra="runbook",
    )
    with spoken():
        session: Any = boto3.Session(profile_name=profile, region_name=region)
        return {name: session.client(name, config=config) for name in names}


@contextmanager
def spoken(action: str | None = None) -> Iterator[None]:
    """Raises UserError in place of what botocore raises; ``action`` is the IAM action that is being used."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise UserError(*_refusal(error, action)) from error
    except BotoCoreError as error:
        raise UserError(*_no_answer(error)) from error


def error_code(error: ClientError) -> str:
    """The code that AWS gave, such as ``NoSuchBucket``; the HTTP status where a ``HEAD`` has no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _refusal(error: ClientError, action: str | None) -> tuple[str, ...]:
    code = error_code(error)
    message = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    called = f"{action or error.operation_name}"
    if code in _EXPIRED:
        return (
            "The AWS credentials have expired.",
            "Sign in again (for example `aws sso login`) and repeat the command.",
        )
    if code in _INVALID:
        return f"AWS does not accept the credentials ({code}: {message}).", "Check the profile or the environment."
    if code in _DENIED:
        named = _NAMED_ACTION.search(message)
        return (
            f"AWS refuses {named[1] if named else called}: {message or code}.",
            "Ask for that permission; --permissions prints the whole IAM policy that the operation needs.",
        )
    if code in _BUSY:
        return (
            f"AWS is too busy for {called} ({code}), also after {_ATTEMPTS} attempts.",
            "Run the command again in a few minutes; it goes on where it stopped.",
        )
    return f"AWS refuses {called} ({code}: {message}).", "Nothing further was changed."


def _no_answer(error: BotoCoreError) -> tuple[str, ...]:
    from botocore import exceptions

    if isinstance(error, exceptions.ProfileNotFound):
        return f"{error}.", "Name a profile of your AWS configuration with --profile."
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return "There are no AWS credentials.", "Sign in (for example `aws sso login`), or name a --profile."
    if isinstance(
        error,
        exceptions.SSOError | exceptions.TokenRetrievalError | exceptions.CredentialRetrievalError,
    ):
        return f"The AWS credentials cannot be had: {error}", "Sign in again (for example `aws sso login`)."
    if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
        return f"AWS cannot be reached: {error}", "Check the network, the proxy and the region, then try again."
    return (f"The AWS SDK failed: {error}",)
