"""Alert manager's API: what is asked and signed, what is tried again, and how a refusal is told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from runbook.errors import UserError
from runbook.operations.alert_manager import AlertManager, connect
from runbook.operations.aws import spoken

WORKSPACE = "https://aps-workspaces.us-east-1.amazonaws.com/workspaces/ws-1/"
BASE = WORKSPACE + "alertmanager/api/v2"


class Service:
    """Answers in turn; the last one again and again."""

    def __init__(self, *answers):
        self.answers, self.asked, self.pauses = list(answers), [], []

    def send(self, request):
        self.asked.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def client(self):
        return AlertManager(
            WORKSPACE, "us-east-1", Credentials("AKID", "hush", "session"), self.send, self.pauses.append
        )


def test_the_list_is_asked_for_and_signed_for_the_service_and_region():
    service = Service((200, '[{"id": "one"}]'))
    assert service.client().list_silences() == [{"id": "one"}]
    (asked,) = service.asked
    assert (asked.method, asked.url) == ("GET", f"{BASE}/silences")
    assert "/us-east-1/aps/aws4_request" in asked.headers["Authorization"]
    assert asked.headers["X-Amz-Security-Token"] == "session"
    assert "hush" not in str(dict(asked.headers))


def test_a_silence_is_posted_as_it_is_and_deleted_by_its_id():
    service = Service((200, '{"silenceID": "x"}'), (200, ""))
    client = service.client()
    client.put_silence(createdBy="me", matchers=[])
    client.delete_silence("a/b")
    posted, deleted = service.asked
    assert (posted.method, posted.url) == ("POST", f"{BASE}/silences")
    assert json.loads(posted.body) == {"createdBy": "me", "matchers": []}
    assert (deleted.method, deleted.url) == ("DELETE", f"{BASE}/silence/a%2Fb")


def test_a_busy_service_is_asked_again_with_growing_pauses():
    service = Service((429, ""), (503, ""), (200, "[]"))
    assert service.client().list_silences() == []
    assert service.pauses == [1.0, 2.0]


def test_one_that_stays_busy_is_told_as_any_other_service():
    service = Service((429, '{"message": "slow down"}'))
    busy = r"AWS is too busy for aps:ListAlertManagerSilences \(ThrottlingException\)"
    with pytest.raises(UserError, match=busy), spoken("aps:ListAlertManagerSilences"):
        service.client().list_silences()
    assert len(service.asked) == 5


@pytest.mark.parametrize(
    ("status", "text", "code", "message"),
    [
        (403, '{"message": "not you"}', "AccessDeniedException", "not you"),
        (400, '"bad matcher: x"', "400", "bad matcher: x"),
        (404, "", "404", "no reason given"),
        (400, "<html>", "400", "<html>"),
    ],
)
def test_a_refusal_keeps_the_services_words_and_is_not_repeated(status, text, code, message):
    service = Service((status, text))
    with pytest.raises(ClientError) as raised:
        service.client().put_silence(createdBy="me")
    assert raised.value.response["Error"] == {"Code": code, "Message": message}
    assert raised.value.operation_name == "PutAlertManagerSilences"
    assert len(service.asked) == 1


@pytest.fixture
def server():
    """A service on this machine, with the requests that it got."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            got.append((self.path, self.headers["Authorization"]))
            body = b"[]"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    running = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/workspaces/ws-1/", got
    running.shutdown()
    running.server_close()


@pytest.mark.usefixtures("_no_account")
def test_it_goes_over_the_wire_with_the_ambient_credentials(server):
    address, got = server
    assert connect(address, "us-east-1", None).list_silences() == []
    ((path, authorization),) = got
    assert path == "/workspaces/ws-1/alertmanager/api/v2/silences"
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=")


def test_without_credentials_it_says_how_to_get_some(monkeypatch):
    import boto3

    monkeypatch.setattr(boto3.Session, "get_credentials", lambda _self: None)
    with pytest.raises(UserError, match="There are no AWS credentials"):
        connect(WORKSPACE, "us-east-1", None)


def test_an_address_where_nobody_answers_is_told():
    with pytest.raises(UserError, match="AWS cannot be reached"), spoken():
        connect("http://127.0.0.1:9/", "us-east-1", None).list_silences()
