"""What the stack keeps for Grafana gets into the workspace, once, by a token that nobody sees."""

import io
import itertools
import json
import threading
import traceback
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.prometheus.grafana import bundle as render
from runbook.errors import UserError
from runbook.operations import aws
from runbook.operations import dashboards as operation
from runbook.operations.dashboards import Workspace, covers, publish, stored
from runbook.operations.journal import Journal

from .backups import site
from .fakes.backup_jobs import Trouble, attach, error, page

SECRET = "glsa_nobody-shall-ever-see-this"
WHERE = Workspace(
    id="g-0123456789",
    address="g-1.grafana-workspace.us-east-1.amazonaws.com",
    service_account_id="2",
    application="app0001",
    profile="pro0001",
)
CONTENT = render(
    environment="staging", version="12.4", region="us-east-1", endpoint="https://aps.example/", panels=(), names={}
)
UIDS = ["prometheus", "cloudwatch", "platform-staging"]


class AppConfig:
    """Three versions, of which the last is the newest."""

    def __init__(self, content=CONTENT):
        self.versions = {1: "{}", 12: content, 3: "{}"}

    def list_hosted_configuration_versions(self, ApplicationId, ConfigurationProfileId, NextToken=None):  # noqa: N803
        assert (ApplicationId, ConfigurationProfileId) == ("app0001", "pro0001")
        shown, more = page([{"VersionNumber": number} for number in self.versions], NextToken)
        return {"Items": shown, **more}

    def get_hosted_configuration_version(self, VersionNumber, **_asked):  # noqa: N803
        return {"Content": io.BytesIO(self.versions[VersionNumber].encode())}


class Grafana:
    """Amazon Managed Grafana: tokens, made and deleted."""

    def __init__(self):
        self.tokens, self.made = [], []

    def create_workspace_service_account_token(self, name, secondsToLive, serviceAccountId, workspaceId):  # noqa: N803
        assert (serviceAccountId, workspaceId) == ("2", WHERE.id)
        token = {
            "id": str(len(self.made)),
            "name": name,
            "createdAt": datetime.now(UTC),
            "expiresAt": datetime.now(UTC) + timedelta(seconds=secondsToLive),
        }
        self.tokens.append(token)
        self.made.append(secondsToLive)
        return {"serviceAccountToken": {"id": token["id"], "name": name, "key": SECRET}}

    def list_workspace_service_account_tokens(self, nextToken=None, **_asked):  # noqa: N803
        shown, more = page(self.tokens, nextToken)
        return {"serviceAccountTokens": shown, **({"nextToken": more["NextToken"]} if more else {})}

    def delete_workspace_service_account_token(self, tokenId, **_asked):  # noqa: N803
        self.tokens = [one for one in self.tokens if one["id"] != tokenId]
        return {"tokenId": tokenId}


class Workspaces(ThreadingHTTPServer):
    """Grafana's HTTP API. ``saves``: what was changed, in order; ``answers``: statuses of the next calls."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.sources, self.dashboards, self.saves, self.seen, self.answers = {}, {}, [], [], []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass

    def _answer(self, status, body, headers=None):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def _take(self):
        grafana = self.server
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(text) if text else None
        grafana.seen.append((self.command, self.path, self.headers.get("Authorization")))
        if grafana.answers and (answer := grafana.answers.pop(0)) is not None:
            return self._answer(*answer) if isinstance(answer, tuple) else self._answer(answer, {"message": "no"})
        if self.headers.get("Authorization") != f"Bearer {SECRET}":
            return self._answer(401, {"message": "Unauthorized"})
        kind, _, uid = self.path.removeprefix("/api/").partition("/uid/")
        kept = grafana.sources if kind == "datasources" else grafana.dashboards
        if self.command == "GET":
            if uid not in kept:
                return self._answer(404, {"message": "not found"})
            return self._answer(200, kept[uid] if kind == "datasources" else {"dashboard": kept[uid], "meta": {}})
        return self._save(kind, kept, body)

    def _save(self, kind, kept, body):
        grafana = self.server
        if kind == "dashboards/db":
            assert body["overwrite"] is True
            dashboard = body["dashboard"]
            version = kept.get(dashboard["uid"], {}).get("version", 0) + 1
            kept[dashboard["uid"]] = dashboard | {"id": 7, "version": version}
            grafana.saves.append(dashboard["uid"])
            return self._answer(200, {"status": "success", "uid": dashboard["uid"], "version": version})
        if self.command == "POST" and any(one["name"] == body["name"] for one in kept.values()):
            return self._answer(409, {"message": "data source with the same name already exists"})
        kept[body["uid"]] = body | {"id": len(kept) + 1, "readOnly": False}
        grafana.saves.append(body["uid"])
        return self._answer(200, {"datasource": kept[body["uid"]], "id": 1})

    do_GET = do_POST = do_PUT = _take  # noqa: N815


@pytest.fixture
def workspace():
    server = Workspaces()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def clients():
    reached = aws.clients("us-east-1", None, "appconfig", "grafana")
    reached["services"] = {"appconfig": AppConfig(), "grafana": Grafana()}
    for name, service in reached["services"].items():
        attach(reached[name], service)
    return reached


@pytest.fixture
def put(workspace, clients, tmp_path):
    """Publishes, and returns what became of each item."""

    def publish_now(address=None):
        outcomes = {}
        journal = Journal(tmp_path, "dashboards", environment="staging", account="123456789012", who="arn:me")
        publish(
            stored(clients["appconfig"], WHERE),
            WHERE,
            clients["grafana"],
            journal,
            address=address or workspace.address,
            told=lambda item, outcome: outcomes.update({item.uid: outcome}),
            pause=lambda _seconds: None,
        )
        return outcomes

    return publish_now


def refused(put, *arguments):
    with pytest.raises(UserError) as raised:
        put(*arguments)
    return raised.value.lines


def test_the_newest_version_is_what_is_published(clients):
    bundle = stored(clients["appconfig"], WHERE)
    assert (bundle.version, [item.uid for item in bundle.items]) == (12, UIDS)


def test_data_sources_come_before_the_dashboards_that_name_them(put, workspace):
    assert put() == dict.fromkeys(UIDS, "created")
    assert workspace.saves == UIDS
    assert workspace.sources["prometheus"]["url"] == "https://aps.example"
    assert workspace.dashboards["platform-staging"]["title"] == "Platform, staging"


def test_a_second_time_nothing_is_saved(put, workspace):
    put()
    assert put() == dict.fromkeys(UIDS, "unchanged")
    assert workspace.dashboards["platform-staging"]["version"] == 1


def test_what_somebody_changed_in_the_workspace_is_put_back(put, workspace):
    put()
    workspace.sources["cloudwatch"]["jsonData"]["defaultRegion"] = "eu-central-1"
    workspace.dashboards["platform-staging"]["title"] = "Mine"
    assert put() == {"prometheus": "unchanged", "cloudwatch": "updated", "platform-staging": "updated"}
    assert workspace.dashboards["platform-staging"]["title"] == "Platform, staging"


def test_the_token_lives_for_a_minute_and_is_gone_afterwards(put, clients):
    put()
    assert (clients["services"]["grafana"].made, clients["services"]["grafana"].tokens) == ([60], [])


@pytest.mark.parametrize("answer", [400, 401, 403, 409, 412, 500, (200, b"<html>")])
def test_the_token_is_gone_after_a_refusal_too(put, workspace, clients, answer):
    workspace.answers = [answer]
    assert refused(put)[0]
    assert clients["services"]["grafana"].tokens == []


def test_a_token_that_a_killed_run_left_behind_goes_with_the_next(put, clients):
    tokens = clients["services"]["grafana"].tokens
    now = datetime.now(UTC)
    for number, (name, left) in enumerate([("runbook-old", -1), ("runbook-busy", 30), ("of-others", -1)]):
        tokens.append({"id": f"x{number}", "name": name, "createdAt": now, "expiresAt": now + timedelta(seconds=left)})
    put()
    assert [one["name"] for one in clients["services"]["grafana"].tokens] == ["runbook-busy", "of-others"]


def test_a_token_that_cannot_be_deleted_is_told_beside_what_went_wrong_before(put, workspace, clients):
    def no(**_asked):
        raise error("AccessDeniedException")

    clients["services"]["grafana"].delete_workspace_service_account_token = no
    workspace.answers = [403]
    first, _, left, *rest = refused(put)
    assert first == "Grafana refuses GET /api/datasources/uid/prometheus (403: no)."
    assert left.endswith("could not be deleted; 60 seconds after it was made it opens nothing.")
    assert rest[0].startswith("AWS refuses grafana:DeleteWorkspaceServiceAccountToken")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_workspace_that_is_busy_is_asked_again(put, workspace, status):
    workspace.answers = [status, status, status]
    assert put() == dict.fromkeys(UIDS, "created")


def test_a_workspace_that_stays_busy_is_told(put, workspace):
    workspace.answers = [503] * 4
    assert refused(put)[0] == (
        "Grafana is too busy for GET /api/datasources/uid/prometheus (503: no), also after 4 attempts."
    )


def test_a_data_source_of_the_same_name_is_told(put, workspace):
    workspace.sources["mine"] = {"uid": "mine", "name": "Prometheus"}
    assert refused(put) == (
        "Grafana has something else of that name (POST /api/datasources: data source with the same name already "
        "exists).",
        "Rename or delete what was made by hand, then run the command again.",
    )


def test_nobody_is_followed_elsewhere(put, workspace):
    workspace.answers = [(302, b"", {"Location": f"{workspace.address}/api/datasources/uid/elsewhere"})]
    refused(put)
    assert len(workspace.seen) == 1


def test_a_workspace_that_does_not_answer_is_told(put):
    lines = refused(put, "http://127.0.0.1:9")
    assert lines[0].startswith("Grafana at http://127.0.0.1:9 cannot be reached: ")


class TestSecrecy:
    def written(self, tmp_path):
        return (tmp_path / "dashboards.jsonl").read_text()

    def test_the_token_is_in_no_journal(self, put, workspace, tmp_path):
        put()
        assert workspace.seen[0][2] == f"Bearer {SECRET}"
        assert SECRET not in self.written(tmp_path)
        events = [json.loads(line)["event"] for line in self.written(tmp_path).splitlines()]
        assert events == ["begin", "token", *["publish", "done"] * 3, "token deleted", "end"]

    @pytest.mark.parametrize("answers", [[401], [500], [(200, b"x")], [503] * 4])
    def test_the_token_is_in_no_error(self, put, workspace, tmp_path, answers):
        workspace.answers = answers
        with pytest.raises(UserError) as raised:
            put()
        shown = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
        assert SECRET not in shown
        assert SECRET not in self.written(tmp_path)

    def test_a_key_that_is_no_header_is_not_shown(self, put, clients, tmp_path):
        made = clients["services"]["grafana"].create_workspace_service_account_token

        def odd(**asked):
            answer = made(**asked)
            answer["serviceAccountToken"]["key"] = f"{SECRET}\n"
            return answer

        clients["services"]["grafana"].create_workspace_service_account_token = odd
        lines = refused(put)
        assert SECRET not in "".join(lines)
        assert SECRET not in self.written(tmp_path)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_any_call_and_started_again_each_thing_is_there_once(put, workspace, clients, before):
    trouble = Trouble(None, before=before)
    for name in ("appconfig", "grafana"):
        trouble.watch(clients[name])
    for index in itertools.count(1):
        workspace.sources.clear()
        workspace.dashboards.clear()
        workspace.saves.clear()
        trouble.at, trouble.count = index, 0
        try:
            put()
        except KeyboardInterrupt:
            put()
        missed, trouble.at = trouble.at is not None, None
        assert sorted(workspace.saves) == sorted(UIDS), f"killed at call {index}"
        now = datetime.now(UTC)
        for token in clients["services"]["grafana"].tokens:
            token["expiresAt"] = now
        if missed:
            break
    put()
    assert clients["services"]["grafana"].tokens == []
    assert index > 5


@pytest.mark.parametrize("call", range(1, 7))
def test_ended_at_any_call_of_grafana_and_started_again_each_thing_is_there_once(put, workspace, call):
    workspace.answers = [*[None] * (call - 1), 500]
    refused(put)
    put()
    assert sorted(workspace.saves) == sorted(UIDS)


class TestStored:
    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"dataSources": [{}], "dashboards": []}'])
    def test_what_is_no_bundle_is_told(self, content):
        client = attach(aws.clients("us-east-1", None, "appconfig")["appconfig"], AppConfig(content))
        with pytest.raises(UserError, match="Version 12 of the dashboards in AppConfig is not what a stack stores"):
            stored(client, WHERE)

    def test_none_is_told(self):
        service = AppConfig()
        service.versions = {}
        client = attach(aws.clients("us-east-1", None, "appconfig")["appconfig"], service)
        with pytest.raises(UserError, match="AppConfig holds no dashboards"):
            stored(client, WHERE)

    def test_an_inventory_that_lacks_something_is_told(self):
        with pytest.raises(UserError, match="does not say workspaceId"):
            operation.workspace(site(), {})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON)
def test_everything_covers_itself(value):
    assert covers(value, value)


@given(st.dictionaries(st.text(max_size=3), _JSON), st.text(min_size=4), _JSON)
def test_what_grafana_adds_is_no_difference(value, key, more):
    assert covers({**value, key: more}, value)
    assert not covers(value, {**value, key: more})


def test_the_policy_lets_nobody_do_more_than_read_and_hold_a_token():
    actions = [action for one in operation.permissions(site()) for action in one["Action"]]
    assert actions == [
        "ssm:GetParameter",
        "appconfig:GetHostedConfigurationVersion",
        "appconfig:ListHostedConfigurationVersions",
        "kms:Decrypt",
        "grafana:CreateWorkspaceServiceAccountToken",
        "grafana:DeleteWorkspaceServiceAccountToken",
        "grafana:ListWorkspaceServiceAccountTokens",
    ]
