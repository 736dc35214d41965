"""Brings the dashboards and data sources that the stack keeps in AppConfig into the Grafana workspace (``001_… §1``).

Grafana's API wants a token. One is made for the service account that the stack declares, lives for a minute, is held in
memory alone, and is deleted afterwards whatever happened.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any, Literal, NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import HTTPRedirectHandler, Request, build_opener
from uuid import uuid4

from ..errors import UserError
from .aws import spoken
from .journal import Journal
from .site import Site

OPERATION = "dashboards"

#: The component whose inventory says where the workspace and the dashboards are.
COMPONENT = "grafana"

#: How long the token lives, in seconds: a few calls take two, and a slow network twenty.
TOKEN_SECONDS = 60

_PREFIX = "runbook-"

_CALL_SECONDS = 15

#: Answers of a service that is busy for a moment, and the pauses between further attempts, in seconds.
_BUSY, _PAUSES = frozenset({429, 502, 503, 504}), (1.0, 2.0, 4.0)

Kind = Literal["data source", "dashboard"]
Outcome = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """``address``: of the workspace, without ``https://``; ``application`` and ``profile``: ids in AppConfig."""

    id: str
    address: str
    service_account_id: str
    application: str
    profile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something to bring in; ``uid`` is its identity in the workspace, ``body`` what Grafana's API takes."""

    kind: Kind
    uid: str
    title: str
    body: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Where it is read."""
        folder = "datasources" if self.kind == "data source" else "dashboards"
        return f"/api/{folder}/uid/{quote(self.uid, safe='')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What belongs into the workspace: data sources first, because dashboards name them. ``version``: AppConfig's."""

    version: int
    items: tuple[Item, ...]


def workspace(site: Site, entry: Mapping[str, Any]) -> Workspace:
    """From the inventory. Raises UserError where it does not say everything."""
    try:
        return Workspace(
            id=entry["workspaceId"],
            address=entry["address"],
            service_account_id=entry["serviceAccountId"],
            application=entry["dashboardsApplication"],
            profile=entry["dashboardsProfile"],
        )
    except KeyError as error:
        raise UserError(
            f"The inventory of {COMPONENT} ({site.parameter(COMPONENT)}) does not say {error.args[0]}.",
            f"`make up STACK={site.environment}` writes it anew.",
        ) from None


def stored(appconfig: Any, where: Workspace) -> Bundle:
    """The newest version of what the stack keeps. Raises UserError where there is none, or where it is no bundle."""
    of_profile = {"ApplicationId": where.application, "ConfigurationProfileId": where.profile}
    with spoken("appconfig:ListHostedConfigurationVersions"):
        pages = appconfig.get_paginator("list_hosted_configuration_versions").paginate(**of_profile)
        versions = [item["VersionNumber"] for page in pages for item in page.get("Items", ())]
    if not versions:
        raise UserError(
            f"AppConfig holds no dashboards (application {where.application}, profile {where.profile}).",
            "Deploy the stack first.",
        )
    newest = max(versions)
    with spoken("appconfig:GetHostedConfigurationVersion"):
        content = appconfig.get_hosted_configuration_version(**of_profile, VersionNumber=newest)["Content"].read()
    try:
        bundle = json.loads(content)
        return Bundle(
            version=newest,
            items=(
                *(
                    Item(kind="data source", uid=one["uid"], title=one["name"], body=one)
                    for one in bundle["dataSources"]
                ),
                *(Item(kind="dashboard", uid=one["uid"], title=one["title"], body=one) for one in bundle["dashboards"]),
            ),
        )
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"Version {newest} of the dashboards in AppConfig is not what a stack stores there.",
            "Deploy the stack again; it writes a new version.",
        ) from None


class Token:
    """A key that shows itself to Grafana alone: no representation of it has it."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Token:
        """From AWS's answer. Raises UserError for what no header can carry: the error of a header would quote it."""
        key = answer["serviceAccountToken"]["key"]
        if not (key.isascii() and key.isprintable()):
            raise UserError("AWS made a token that no request can carry.", "Run the command again.")
        return cls(key)

    def __repr__(self) -> str:
        return "<token>"

    def authorize(self, request: Request) -> None:
        """Not for whoever an answer might redirect to."""
        request.add_unredirected_header("Authorization", f"Bearer {self._key}")


def publish(
    bundle: Bundle,
    where: Workspace,
    grafana: Any,
    journal: Journal,
    *,
    address: str | None = None,
    told: Callable[[Item, Outcome], None] = lambda _item, _outcome: None,
    pause: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Brings in what is missing or different, and leaves alone what is as it should be.

    ``grafana``: boto3's client; ``address``: in place of the workspace's own, with its scheme. Raises UserError where
    AWS or Grafana refuses; what was brought in until then stays, and another run goes on from there.
    """
    journal.write("begin", workspace=where.id, version=bundle.version, items=[item.uid for item in bundle.items])
    try:
        with _token(grafana, where, journal, now) as token:
            api = Api(address or f"https://{where.address}", token, pause)
            for item in bundle.items:
                journal.write("publish", kind=item.kind, uid=item.uid)
                outcome = api.bring_in(item)
                journal.write("done", kind=item.kind, uid=item.uid, outcome=outcome)
                told(item, outcome)
    except BaseException as error:
        # Whatever is no sentence of ours could quote a header.
        journal.write("failed", error=str(error) if isinstance(error, UserError) else type(error).__name__)
        raise
    journal.write("end")


@contextmanager
def _token(grafana: Any, where: Workspace, journal: Journal, now: Callable[[], datetime]) -> Iterator[Token]:
    name = f"{_PREFIX}{uuid4().hex}"
    account = {"workspaceId": where.id, "serviceAccountId": where.service_account_id}
    journal.write("token", name=name, seconds=TOKEN_SECONDS)
    trouble: tuple[str, ...] = ()
    try:
        with spoken("grafana:CreateWorkspaceServiceAccountToken"):
            token = Token.of(
                grafana.create_workspace_service_account_token(**account, name=name, secondsToLive=TOKEN_SECONDS)
            )
        yield token
    except UserError as error:
        trouble = error.lines
        raise
    finally:
        try:
            # By its name: the answer that told its id may never have arrived.
            _delete(grafana, account, lambda token: token["name"] == name or _is_left_over(token, now()))
        except UserError as error:
            left = f"The token {name} could not be deleted; {TOKEN_SECONDS} seconds after it was made it opens nothing."
            raise UserError(*trouble, left, *error.lines) from None
        journal.write("token deleted", name=name)


def _is_left_over(token: Mapping[str, Any], now: datetime) -> bool:
    """From a run that was killed; it opens nothing any more."""
    return bool(token["name"].startswith(_PREFIX) and token["expiresAt"] <= now)


def _delete(grafana: Any, account: Mapping[str, str], wanted: Callable[[Mapping[str, Any]], bool]) -> None:
    with spoken("grafana:ListWorkspaceServiceAccountTokens"):
        pages = grafana.get_paginator("list_workspace_service_account_tokens").paginate(**account)
        tokens = [token for page in pages for token in page["serviceAccountTokens"] if wanted(token)]
    for token in tokens:
        with spoken("grafana:DeleteWorkspaceServiceAccountToken"):
            grafana.delete_workspace_service_account_token(**account, tokenId=token["id"])


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        return None


class Api:
    """Grafana's HTTP API, as far as it is needed here. ``address``: with its scheme, without a path."""

    def __init__(self, address: str, token: Token, pause: Callable[[float], None]) -> None:
        self._address = address
        self._token = token
        self._pause = pause
        self._opener = build_opener(_NoRedirect)

    def bring_in(self, item: Item) -> Outcome:
        """Reads it first: each save would be a version of its own in the workspace."""
        found = self._call("GET", item.path, missing=True)
        if item.kind == "dashboard":
            if found is not None and covers(found.get("dashboard"), item.body):
                return "unchanged"
            body = {"dashboard": {**item.body, "id": None}, "overwrite": True, "message": "runbook"}
            self._call("POST", "/api/dashboards/db", body)
        elif found is None:
            self._call("POST", "/api/datasources", item.body)
        elif covers(found, item.body):
            return "unchanged"
        else:
            self._call("PUT", item.path, item.body)
        return "created" if found is None else "updated"

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, missing: bool = False) -> Any:
        """The answer; None for 404 where ``missing`` says that nothing need be there."""
        for seconds in (*_PAUSES, None):
            try:
                return self._once(method, path, body)
            except HTTPError as error:
                with error:
                    if error.code == 404 and missing:
                        return None
                    if error.code not in _BUSY or seconds is None:
                        _refuse(method, path, error.code, _said(error))
            except (URLError, HTTPException, OSError) as error:
                if seconds is None:
                    raise UserError(
                        f"Grafana at {self._address} cannot be reached: {getattr(error, 'reason', error)}",
                        "Check the network and the proxy, then run the command again.",
                    ) from None
            self._pause(seconds)
        raise AssertionError

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        request = Request(  # noqa: S310 - the address is https://, or a test's own
            self._address + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Accept": "application/json", "Content-Type": "application/json"},
            method=method,
        )
        self._token.authorize(request)
        with self._opener.open(request, timeout=_CALL_SECONDS) as answer:
            text = answer.read()
        try:
            return json.loads(text)
        except ValueError:
            raise UserError(
                f"{self._address} does not answer {method} {path} as Grafana does.", "Is that a Grafana workspace?"
            ) from None


def covers(found: Any, wanted: Any) -> bool:
    """Whether ``found`` says everything that ``wanted`` does. Grafana adds ids, versions and defaults of its own."""
    match wanted:
        case Mapping():
            return isinstance(found, Mapping) and all(
                key in found and covers(found[key], value) for key, value in wanted.items()
            )
        case list() | tuple():
            return (
                isinstance(found, list)
                and len(found) == len(wanted)
                and all(covers(one, other) for one, other in zip(found, wanted, strict=True))
            )
        case _:
            return bool(found == wanted)


def _said(error: HTTPError) -> str:
    try:
        return str(json.loads(error.read())["message"])
    except (HTTPException, KeyError, OSError, TypeError, ValueError):
        return str(error.reason)


def _refuse(method: str, path: str, status: int, said: str) -> NoReturn:
    if status in (401, 403):
        raise UserError(
            f"Grafana refuses {method} {path} ({status}: {said}).",
            "The service account needs the role ADMIN, and its token lives for a minute. Run the command again.",
        )
    if status == 409:
        raise UserError(
            f"Grafana has something else of that name ({method} {path}: {said}).",
            "Rename or delete what was made by hand, then run the command again.",
        )
    if status in _BUSY:
        raise UserError(
            f"Grafana is too busy for {method} {path} ({status}: {said}), also after {len(_PAUSES) + 1} attempts.",
            "Run the command again in a few minutes; it goes on where it stopped.",
        )
    raise UserError(f"Grafana refuses {method} {path} ({status}: {said}).", "What was brought in before stays.")


def title(site: Site, where: Workspace, bundle: Bundle) -> str:
    """What the plan is about."""
    return f"Grafana of {site.environment} (https://{where.address}): version {bundle.version} of the dashboards"


def document(bundle: Bundle, outcomes: Sequence[tuple[Item, Outcome]], *, applied: bool) -> str:
    """The items for a machine, and what became of them."""
    became = {(item.kind, item.uid): outcome for item, outcome in outcomes}
    items = [
        {"kind": item.kind, "outcome": became.get((item.kind, item.uid)), "title": item.title, "uid": item.uid}
        for item in bundle.items
    ]
    data = {"applied": applied, "items": items, "version": bundle.version}
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def permissions(site: Site) -> list[dict[str, Any]]:
    """The statements of the IAM policy that publishing needs."""

    def allow(sid: str, actions: list[str], resources: list[str]) -> dict[str, Any]:
        return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}

    return [
        allow("ReadInventory", ["ssm:GetParameter"], [site.arn("ssm", f"parameter{site.parameter(COMPONENT)}")]),
        allow(
            "ReadDashboards",
            ["appconfig:GetHostedConfigurationVersion", "appconfig:ListHostedConfigurationVersions"],
            [
                site.arn("appconfig", "application/*"),
                site.arn("appconfig", "application/*/configurationprofile/*"),
                site.arn("appconfig", "application/*/configurationprofile/*/hostedconfigurationversion/*"),
            ],
        ),
        # AppConfig takes the key on behalf of whoever reads.
        allow("UseKey", ["kms:Decrypt"], [site.arn("kms", "key/*")])
        | {"Condition": {"StringEquals": {"kms:ViaService": f"appconfig.{site.region}.amazonaws.com"}}},
        allow(
            "UseTokens",
            [
                "grafana:CreateWorkspaceServiceAccountToken",
                "grafana:DeleteWorkspaceServiceAccountToken",
                "grafana:ListWorkspaceServiceAccountTokens",
            ],
            [site.arn("grafana", "/workspaces/*")],
        ),
    ]
