"""One message to Slack: over a real socket of this machine, and with an opener that fails."""

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from functions.notify import slack


class Hook(BaseHTTPRequestHandler):
    """A webhook that answers with the status in its path, and redirects for 3xx."""

    taken: ClassVar[list[dict[str, str]]] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Hook.taken.append({"path": self.path, "type": self.headers["Content-Type"], "text": json.loads(body)["text"]})
        status = int(self.path.rpartition("/")[2])
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/200")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the server's protocol

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def hook():
    Hook.taken = []
    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def refusal(address, opener):
    with pytest.raises(slack.SlackError) as caught:
        slack.post(address, "hello", opener)
    return str(caught.value), caught.value.may_pass


def test_a_message_is_posted_as_json(hook):
    slack.post(f"{hook}/secret-path/200", "🚨 hello", slack.opener())
    assert Hook.taken == [{"path": "/secret-path/200", "type": "application/json", "text": "🚨 hello"}]


@pytest.mark.parametrize(
    ("status", "may_pass"), [(400, False), (403, False), (404, False), (429, True), (500, True), (503, True)]
)
def test_a_refusal_says_the_status_and_whether_another_try_may_help(hook, status, may_pass):
    assert refusal(f"{hook}/{status}", slack.opener()) == (f"Slack answers with {status}.", may_pass)


def test_a_redirection_is_not_followed(hook):
    assert refusal(f"{hook}/302", slack.opener()) == ("Slack answers with 302.", False)
    assert [request["path"] for request in Hook.taken] == ["/302"]


class Failing:
    def __init__(self, error):
        self.error = error

    def open(self, _request, *, timeout):  # noqa: ARG002 - the opener's protocol
        raise self.error


@pytest.mark.parametrize("error", [TimeoutError("slow"), ConnectionResetError("gone"), OSError("no route")])
def test_a_broken_line_may_pass(error):
    assert refusal("https://hooks.slack.com/x", Failing(error)) == (
        f"Slack cannot be reached: {type(error).__name__}.",
        True,
    )


def test_no_error_carries_the_address():
    address = "https://hooks.slack.com/services/T0/B0/opensesame"
    for error in (OSError(address), urllib.error.URLError(address), ValueError(address)):
        with pytest.raises(slack.SlackError) as caught:
            slack.post(address, "hello", Failing(error))
        assert "opensesame" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


class Secrets:
    def __init__(self, text):
        self.text = text

    def get_secret_value(self, **_):
        return {"SecretString": self.text} if self.text is not None else {}


def test_the_secret_s_text_is_the_address():
    assert slack.webhook(Secrets(" https://hooks.slack.com/x \n"), "arn") == "https://hooks.slack.com/x"


@pytest.mark.parametrize(
    "text", ["", None, "http://hooks.slack.com/x", "file:///etc/passwd", "https://a b", "opensesame"]
)
def test_anything_else_is_refused_without_being_shown(text):
    with pytest.raises(slack.SlackError, match=r"^The secret is no address that begins with https://\.$"):
        slack.webhook(Secrets(text), "arn")
