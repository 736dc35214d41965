"""What the internet gets to see: one request, without redirects, retries or a cache."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlsplit

#: Seconds for the connection and for each part of the answer.
_PATIENCE = 10

#: A page is far smaller; what is larger is not read.
_MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``status`` is 0 where nobody answered, and ``why`` says why. ``headers``: names in small letters."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    why: str = ""

    @property
    def is_page(self) -> bool:
        """Whether the maintenance page answered: a server that merely fails does not say when to come back."""
        return self.status == 503 and "retry-after" in self.headers

    @property
    def is_well(self) -> bool:
        return 200 <= self.status < 400

    def tells(self, until: str) -> bool:
        """Whether the page announces this end (``2026-11-22T11:00:00Z``), or with "" that none is known."""
        return f'datetime="{until}"' in self.body if until else "<time" not in self.body

    def __str__(self) -> str:
        return f"answers {self.status}" if self.status else f"does not answer ({self.why})"


#: URL, and the address to connect to in place of the one that the name leads to -> the answer.
Fetch = Callable[[str, str | None], Answer]


class _Pinned(HTTPSConnection):
    """Speaks to a certain machine as if the name led there; its certificate has to bear the name all the same."""

    def __init__(self, host: str, port: int, address: str) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(host, port, timeout=_PATIENCE, context=self._tls)
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), _PATIENCE)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def fetch(url: str, address: str | None = None) -> Answer:
    """Asks for ``url`` (https) once. Whatever goes wrong is an answer too."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = _Pinned(host, parts.port or 443, address or host)
    try:
        connection.request("GET", parts.path or "/", headers={"Cache-Control": "no-cache", "User-Agent": "runbook"})
        answer = connection.getresponse()
        body = answer.read(_MOST_BYTES).decode("utf-8", errors="replace")
    except (OSError, HTTPException) as error:
        return Answer(status=0, why=str(error) or type(error).__name__)
    finally:
        connection.close()
    return Answer(status=answer.status, headers={name.lower(): value for name, value in answer.getheaders()}, body=body)
