"""The page, and what nginx makes of it."""

import base64
import hashlib
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.maintenance import plan
from settings.maintenance import PageSettings

_OF_EVERY_ANSWER = ("Connection", "Content-Length", "Date", "ETag", "Last-Modified", "Transfer-Encoding")

CHANNEL = st.integers(0, 255)
COLOURS = st.builds("#{:02x}{:02x}{:02x}".format, CHANNEL, CHANNEL, CHANNEL)
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


class Reader(HTMLParser):
    """Every start tag with its attributes, and the text outside of the style sheet."""

    def __init__(self, document):
        super().__init__()
        self.tags, self.words, self._open = [], [], []
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data):
        if "style" not in self._open and data.strip():
            self.words.append(data.strip())

    def one(self, tag):
        [attributes] = [attributes for found, attributes in self.tags if found == tag]
        return attributes


def read(**said):
    return Reader(plan.page(PageSettings(**said)))


@given(colour=COLOURS)
def test_the_button_can_be_read_whatever_its_colour(colour):
    assert plan.contrast(plan.ink(colour), colour) >= 4.5


@pytest.mark.parametrize(
    ("one", "other", "ratio"), [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#0b5cad", "#0b5cad", 1.0)]
)
def test_contrast_is_that_of_the_guidelines(one, other, ratio):
    assert plan.contrast(one, other) == plan.contrast(other, one) == pytest.approx(ratio, abs=0.01)


def test_the_page_says_what_the_settings_say():
    page = read(
        brand="Kines",
        title="Back soon",
        message="We work <hard> & fast.",
        until_label="Until",
        retry_label="Again",
        contact_label="Ask",
        contact="help@learning.example",
    )
    assert page.words == [
        "Back soon - Kines",
        "Kines",
        "Back soon",
        "We work <hard> & fast.",
        "Until",
        "@SHOWN@",
        "Again",
        "Ask",
        "help@learning.example",
    ]


@given(
    text=st.text(
        st.characters(exclude_characters="{}", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]),
        min_size=1,
        max_size=80,
    )
)
def test_a_text_of_the_settings_adds_no_element(text):
    said = dict.fromkeys(("title", "message"), text)
    assert [tag for tag, _ in read(**said).tags] == [tag for tag, _ in read().tags]
    assert text.strip() in [word.strip() for word in read(**said).words]


def test_the_page_needs_nothing_from_elsewhere_and_no_script():
    page = read(contact="help@learning.example")
    assert {tag for tag, _ in page.tags} & {"script", "img", "iframe", "form", "object", "base"} == set()
    targets = {value for _, attributes in page.tags for key, value in attributes.items() if key in ("src", "href")}
    assert targets == {"data:,", "", "mailto:help@learning.example"}
    document = plan.page(PageSettings())
    assert re.findall(r"url\(|@import|\bstyle=|\bon\w+=", document) == []


def test_without_a_contact_there_is_no_footer():
    tags = [tag for tag, _ in read().tags]
    assert "footer" not in tags
    assert [tag for tag, _ in read(contact="a@b.example").tags if tag not in tags] == ["footer"]


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("de-AT", "ltr"), ("ar", "rtl"), ("he-IL", "rtl")])
def test_the_page_is_written_in_the_direction_of_its_language(language, direction):
    page = read(language=language).one("html")
    assert (page["lang"], page["dir"]) == (language, direction)


def test_a_phone_and_a_dark_screen_are_thought_of():
    document = plan.page(PageSettings())
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in document
    assert "prefers-color-scheme: dark" in document
    assert [tag for tag, _ in Reader(document).tags].count("h1") == 1


def test_every_mark_of_the_templates_is_filled():
    document = plan.page(PageSettings(contact="a@b.example"))
    assert re.findall(r"\{\{|\{%", document + plan.nginx(document)) == []
    assert set(re.findall(r"@[A-Z]+@", document)) == {"@UNTIL@", "@SHOWN@"}


def test_the_style_sheet_is_the_one_that_the_policy_allows():
    document = plan.page(PageSettings(accent="#123456"))
    style = re.search(r"<style>(.*)</style>", document, re.DOTALL)[1]
    expected = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{expected}'" in plan.nginx(document)
    assert plan.style_hash(document) != plan.style_hash(plan.page(PageSettings()))


# nginx itself


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def certificate(folder, host="prime.learning.example", days=30):
    """A certificate and its key for ``host``, good for ``days``."""
    names = f"-subj /CN={host} -addext subjectAltName=DNS:{host}"
    files = f"-keyout {folder}/privkey.pem -out {folder}/fullchain.pem"
    made = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days {days} {names} {files}"
    subprocess.run(
        made.split(),
        check=True,
        capture_output=True,
    )


@contextmanager
def serving(folder, *, tls="ssl_reject_handshake on;", retry="503 3600;"):
    """nginx with the configuration, in ``folder``; yields the ports of HTTP and HTTPS."""
    plain, secure = free_port(), free_port()
    document = plan.page(PageSettings())
    for part in ("maintenance", "acme/.well-known/acme-challenge", "kept"):
        (folder / part).mkdir(parents=True)
    (folder / "maintenance" / "index.html").write_text(document)
    (folder / "acme/.well-known/acme-challenge/proof").write_text("proof.of.key")
    (folder / "tls.conf").write_text(tls)
    (folder / "retry-after.map").write_text(retry)
    site = plan.nginx(document)
    for there, here in (
        ("/etc/nginx/maintenance/", f"{folder}/"),
        ("/var/www/", f"{folder}/"),
        ("listen 80 ", f"listen 127.0.0.1:{plain} "),
        ("listen 443 ", f"listen 127.0.0.1:{secure} "),
    ):
        assert there in site
        site = site.replace(there, here)
    (folder / "site.conf").write_text(site)
    temporary = [
        f"{kind}_temp_path {folder}/kept/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    ]
    (folder / "nginx.conf").write_text(
        "\n".join(
            [
                "user root;" if os.geteuid() == 0 else "",
                f"daemon off; pid {folder}/nginx.pid; error_log stderr; events {{}}",
                "http { access_log off; types { text/html html; }",
                *temporary,
                f"include {folder}/site.conf; }}",
            ]
        )
    )
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for(plain)
        yield plain, secure
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for(port):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx does not listen")


def ask(port, path, method="GET", context=None, body=None):
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        if context
        else http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    )
    try:
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


if NGINX:

    def test_every_path_and_method_answers_503_with_the_page(tmp_path):
        document = plan.page(PageSettings())
        with serving(tmp_path) as (port, _):
            for path, method, body in (
                ("/", "GET", None),
                ("/courses/1?x=2", "GET", None),
                ("/api/login", "POST", "a=b"),
                ("/upload", "POST", "x" * 5000),
                ("/health", "GET", None),
                ("/index.html", "GET", None),
            ):
                status, headers, text = ask(port, path, method, body=body)
                assert (path, status, text) == (path, 503, document)
                assert headers["Content-Type"] == "text/html; charset=utf-8"
            assert ask(port, "/", "HEAD")[::2] == (503, "")

    def test_the_page_carries_its_headers(tmp_path):
        with serving(tmp_path) as (port, _):
            headers = ask(port, "/")[1]
        policy = headers.pop("Content-Security-Policy")
        assert {key: headers[key] for key in sorted(headers) if key not in _OF_EVERY_ANSWER} == {
            "Cache-Control": "no-store",
            "Content-Type": "text/html; charset=utf-8",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
            "Referrer-Policy": "no-referrer",
            "Retry-After": "3600",
            "Server": "nginx",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
        assert dict(part.split(" ", 1) for part in policy.split("; ")) == {
            "default-src": "'none'",
            "style-src": f"'{plan.style_hash(plan.page(PageSettings()))}'",
            "img-src": "data:",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }

    def test_the_machine_is_well_while_the_page_is_not_200(tmp_path):
        with serving(tmp_path) as (port, _):
            status, headers, text = ask(port, plan.HEALTH_PATH)
        assert (status, text, headers["Cache-Control"]) == (200, "ok\n", "no-store")
        assert "Retry-After" not in headers

    def test_proofs_of_http_01_are_served_and_nothing_else_there(tmp_path):
        with serving(tmp_path) as (port, _):
            found = ask(port, "/.well-known/acme-challenge/proof")
            missing = ask(port, "/.well-known/acme-challenge/other")
            above = ask(port, "/.well-known/acme-challenge/../../../tls.conf")
        assert (found[0], found[2]) == (200, "proof.of.key")
        assert "Retry-After" not in found[1]
        assert missing[0] == 404
        assert above[0] in (400, 503)
        assert "ssl_reject" not in above[2]

    def test_the_end_time_is_told_to_clients(tmp_path):
        with serving(tmp_path, retry='503 "Thu, 05 Nov 2026 18:00:00 GMT";') as (port, _):
            assert ask(port, "/")[1]["Retry-After"] == "Thu, 05 Nov 2026 18:00:00 GMT"

    def test_without_a_certificate_the_handshake_is_refused_and_http_works(tmp_path):
        context = ssl._create_unverified_context()  # noqa: S323 - nothing is trusted, a refusal is expected
        with serving(tmp_path) as (port, secure):
            assert ask(port, "/")[0] == 503
            with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
                ask(secure, "/", context=context)

    def test_with_a_certificate_the_page_is_served_over_tls(tmp_path):
        certificate(tmp_path)
        tls = f"ssl_certificate {tmp_path}/fullchain.pem; ssl_certificate_key {tmp_path}/privkey.pem;"
        context = ssl.create_default_context(cafile=str(tmp_path / "fullchain.pem"))
        context.check_hostname = False
        with serving(tmp_path, tls=tls) as (port, secure):
            status, headers, _ = ask(secure, "/", context=context)
            plain = ask(port, "/")[1]
        assert (status, headers["Strict-Transport-Security"]) == (503, "max-age=31536000")
        assert "Strict-Transport-Security" not in plain
