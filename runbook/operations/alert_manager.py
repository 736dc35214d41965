"""The silences of a Prometheus workspace's alert manager, by its HTTP API.

boto3 has no calls for it. A refusal is a ``ClientError`` as of any other client, so that it is told like one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from .aws import spoken

#: Answers of a service that is busy for a moment, and the pauses between further attempts, in seconds.
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0)

_PATIENCE_SECONDS: Final = 15

#: A request (with ``method``, ``url``, ``headers`` and ``body``), signed -> status and text of the answer.
Send = Callable[[Any], tuple[int, str]]


class AlertManager:
    """``address``: of the workspace, as AWS tells it: ``https://aps-workspaces.<region>…/workspaces/<id>/``.

    Methods raise ``ClientError`` where the service refuses, and ``BotoCoreError`` where it does not answer.
    """

    def __init__(
        self, address: str, region: str, credentials: Any, send: Send, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._base = f"{address.rstrip('/')}/alertmanager/api/v2"
        self._region = region
        self._credentials = credentials
        self._send = send
        self._pause = pause

    def list_silences(self) -> Sequence[Mapping[str, Any]]:
        """All of them, past ones included."""
        silences: Sequence[Mapping[str, Any]] = self._call("ListAlertManagerSilences", "GET", "/silences")
        return silences

    def put_silence(self, **silence: Any) -> None:
        """Makes one; with ``id``, changes that."""
        self._call("PutAlertManagerSilences", "POST", "/silences", silence)

    def delete_silence(self, identifier: str) -> None:
        """Ends one; it stays in the list for some days as past."""
        self._call("DeleteAlertManagerSilence", "DELETE", f"/silence/{quote(identifier, safe='')}")

    def _call(self, operation: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        from botocore.exceptions import ClientError

        for seconds in (*_PAUSES, None):
            status, text = self._send(self._signed(method, self._base + path, body))
            if 200 <= status < 300:
                return json.loads(text) if text.strip() else None
            if status not in _BUSY or seconds is None:
                break
            self._pause(seconds)
        code = {403: "AccessDeniedException", 429: "ThrottlingException"}.get(status, str(status))
        raise ClientError({"Error": {"Code": code, "Message": _said(text)}}, operation)

    def _signed(self, method: str, url: str, body: Mapping[str, Any] | None) -> Any:
        """Anew for each attempt: a signature holds for some minutes."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        data = b"" if body is None else json.dumps(body, sort_keys=True).encode()
        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "runbook"}
        request = AWSRequest(method=method, url=url, data=data, headers=headers)
        SigV4Auth(self._credentials, "aps", self._region).add_auth(request)
        return request.prepare()


def connect(address: str, region: str, profile: str | None) -> AlertManager:
    """By ``profile`` or the ambient credentials. Raises UserError where there are none."""
    import boto3
    from botocore.exceptions import NoCredentialsError
    from botocore.httpsession import URLLib3Session

    with spoken():
        credentials = boto3.Session(profile_name=profile, region_name=region).get_credentials()
        if credentials is None:
            raise NoCredentialsError
    session = URLLib3Session(timeout=_PATIENCE_SECONDS)

    def send(request: Any) -> tuple[int, str]:
        answer = session.send(request)
        return answer.status_code, answer.text

    return AlertManager(address, region, credentials, send)


def _said(text: str) -> str:
    """The service's own words: of AWS an object with a message, of alert manager a bare text."""
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    if isinstance(found, Mapping):
        found = found.get("message") or found.get("Message") or text
    return str(found).strip()[:300] or "no reason given"
