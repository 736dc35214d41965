"""One message to Slack. The webhook's address is its password, so no error and no log line carries it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Protocol

#: Seconds until Slack must have answered.
TIMEOUT = 4.0


class Opener(Protocol):
    """What opens a request: urllib's, or a test's."""

    def open(self, request: urllib.request.Request, *, timeout: float) -> Any: ...


class SlackError(RuntimeError):
    """Slack did not take the message. ``may_pass``: it may take it a moment later."""

    def __init__(self, why: str, *, may_pass: bool) -> None:
        super().__init__(why)
        self.may_pass = may_pass


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A webhook answers itself; whatever sends us elsewhere gets no message."""

    def redirect_request(self, *_: Any) -> None:
        return None


def opener() -> Opener:
    """urllib's opener, which follows no redirection."""
    made: Opener = urllib.request.build_opener(_NoRedirect)
    return made


def webhook(secrets: Any, secret: str) -> str:
    """The webhook's address, which is the whole text of the secret. Raises SlackError for anything else."""
    address = str(secrets.get_secret_value(SecretId=secret).get("SecretString") or "").strip()
    if not address.startswith("https://") or any(sign.isspace() for sign in address):
        raise SlackError("The secret is no address that begins with https://.", may_pass=False)
    return address


def post(address: str, text: str, opener: Opener) -> None:
    """Posts ``text`` to ``address``, which ``webhook`` has looked at. Raises SlackError."""
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(  # noqa: S310 - the caller has looked at the scheme
        address, data=body, headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            status = int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        status = error.code
    except (OSError, ValueError) as error:
        # Not even the cause is kept: it may quote the address.
        raise SlackError(f"Slack cannot be reached: {type(error).__name__}.", may_pass=True) from None
    if status != 200:
        raise SlackError(f"Slack answers with {status}.", may_pass=status == 429 or status >= 500)
