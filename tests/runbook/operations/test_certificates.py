"""Certificates: what ACM, the hosts and the handshake say, and when that is too little."""

import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.console import PLAIN
from runbook.operations import aws
from runbook.operations import certificates as operation
from runbook.operations.certificates import Served, judge, limits

from .fakes.backup_jobs import attach
from .maintenance.certificate import make
from .maintenance.world import site

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ARN = "arn:aws:acm:us-east-1:123456789012:certificate/one"
INVENTORY = {"web": {"certificateArn": ARN}}


class Acm:
    def __init__(self, **changes):
        self.found = {
            "CertificateArn": ARN,
            "DomainName": "app.example.com",
            "Status": "ISSUED",
            "NotAfter": NOW + timedelta(days=100),
            "InUseBy": ["balancer"],
            "RenewalSummary": {"RenewalStatus": "SUCCESS", "DomainValidationOptions": [], "UpdatedAt": NOW},
            **changes,
        }

    def describe_certificate(self, CertificateArn):  # noqa: N803
        assert CertificateArn == ARN
        return {"Certificate": self.found}


class Metrics:
    """``days``: machine -> (hours ago, days left) of its points."""

    def __init__(self, **days):
        self.days = days

    def get_metric_statistics(self, **asked):
        assert asked["Namespace"] == "learning-platform-staging-maintenance"
        dimensions = {one["Name"]: one["Value"] for one in asked["Dimensions"]}
        assert dimensions["Host"] == "prime.example.com"
        points = [
            {"Timestamp": NOW - timedelta(hours=hours), "Minimum": left}
            for hours, left in self.days.get(dimensions["Machine"], ())
        ]
        return {"Datapoints": [one for one in points if one["Timestamp"] >= asked["StartTime"]]}


class Ec2:
    def __init__(self, address="203.0.113.9"):
        self.address = address

    def describe_instances(self, InstanceIds):  # noqa: N803
        instance = {"InstanceId": InstanceIds[0], **({"PublicIpAddress": self.address} if self.address else {})}
        return {"Reservations": [{"Instances": [instance]}]}


def read(where, *, acm=None, metrics=None, ec2=None, served=None):
    clients = aws.clients("us-east-1", None, *operation.CLIENTS)
    for name, service in (("acm", acm or Acm()), ("cloudwatch", metrics or Metrics()), ("ec2", ec2 or Ec2())):
        attach(clients[name], service)
    known = {"app.example.com": Served(NOW + timedelta(days=100)), **(served or {})}
    inventory = INVENTORY | {"maintenance": {"instanceId": "i-1"}}
    asked = []

    def shake(host, address):
        asked.append((host, address))
        return known[address or host]

    return operation.read(where, inventory.__getitem__, clients, shake, NOW), asked


def test_a_stack_of_its_own_has_a_certificate_of_acm_and_what_is_served():
    found, asked = read(site())
    assert [(one.what, one.verdict, one.days, one.least) for one in found] == [
        ("ACM, app.example.com", "ok", 100, 30),
        ("served at app.example.com", "ok", 100, 30),
    ]
    assert found[0].detail == "in use by 1 resource; renewal: SUCCESS"
    assert asked == [("app.example.com", None)]


def test_a_server_outside_the_stack_is_asked_and_so_is_the_machine_that_stands_in_for_it():
    end = Served(NOW + timedelta(days=25))
    found, asked = read(
        site("elastic-ip"),
        metrics=Metrics(server=[(30, 90), (1, 25)], maintenance=[(2, 19)]),
        served={"prime.example.com": end, "203.0.113.9": end},
    )
    assert [(one.what, one.verdict, one.days) for one in found[2:]] == [
        ("counted by the server for prime.example.com", "ok", 24),
        ("counted by the maintenance for prime.example.com", "late", 18),
        ("served at prime.example.com", "ok", 25),
        ("ready on the page's machine i-1", "ok", 25),
    ]
    assert asked[1:] == [("prime.example.com", None), ("prime.example.com", "203.0.113.9")]


def test_a_host_that_tells_nothing_any_more_is_missing():
    end = Served(NOW + timedelta(days=25))
    found, _ = read(
        site("dns"),
        metrics=Metrics(server=[(80, 60)]),
        ec2=Ec2(address=None),
        served={"prime.example.com": end},
    )
    assert [(one.verdict, one.detail) for one in found[2:]] == [
        ("missing", "it has told nothing for 3 days"),
        ("missing", "it has told nothing for 3 days"),
        ("ok", ""),
        ("failed", "the machine has no address"),
    ]


@pytest.mark.parametrize(
    ("changes", "verdict", "detail"),
    [
        ({"Status": "EXPIRED"}, "failed", "its status is EXPIRED"),
        ({"Status": "FAILED", "FailureReason": "CAA_ERROR"}, "failed", "its status is FAILED (CAA_ERROR)"),
        (
            {"RenewalSummary": {"RenewalStatus": "FAILED", "RenewalStatusReason": "CAA_ERROR"}},
            "failed",
            "its renewal failed (CAA_ERROR)",
        ),
        (
            {"RenewalSummary": {"RenewalStatus": "PENDING_VALIDATION"}},
            "failed",
            "its renewal waits for the DNS record that proves the name",
        ),
        ({"InUseBy": []}, "failed", "nothing uses it, and ACM renews only what is in use"),
        ({"RenewalSummary": {}, "InUseBy": ["a", "b"]}, "ok", "in use by 2 resources"),
        (
            {"NotAfter": NOW + timedelta(days=29, hours=23), "RenewalSummary": {}},
            "late",
            "in use by 1 resource",
        ),
    ],
)
def test_what_acm_says_is_judged(changes, verdict, detail):
    found, _ = read(site(), acm=Acm(**changes))
    assert (found[0].verdict, found[0].detail) == (verdict, detail)


@given(hours=st.integers(-1000, 5000), least=st.integers(1, 60))
def test_days_are_rounded_down_and_late_below_the_limit(hours, least):
    found = judge("x", NOW + timedelta(hours=hours), least, NOW)
    assert found.days == hours // 24
    assert found.verdict == ("failed" if hours < 0 else "late" if hours < least * 24 else "ok")


@given(st.integers(7, 60))
def test_hosts_are_never_late_before_let_s_encrypt_would_have_renewed(days):
    late, host_late = limits(days)
    assert (late, host_late <= late, host_late <= 20) == (days, True, True)


def test_a_person_reads_what_is_wrong_first():
    checks = (
        judge("good", NOW + timedelta(days=100), 30, NOW, detail="in use"),
        judge("old", NOW + timedelta(days=1), 30, NOW),
        judge("none", None, 30, NOW),
        judge("gone", NOW - timedelta(days=1), 30, NOW),
    )
    assert [line.plain for line in operation.lines("staging", checks, PLAIN)] == [
        "Certificates of staging",
        "  failed   gone: -1 days left, late below 30; it has ended",
        "  missing  none: days left unknown, late below 30",
        "  late     old: 1 day left, late below 30",
        "  ok       good: 100 days left, late below 30; in use",
        "",
        "3 of 4 checks want attention.",
    ]
    assert [line.plain for line in operation.lines("staging", checks[:1], PLAIN)][-1] == "All 1 check are well."


@contextmanager
def server(folder, host, days):
    key, certificate = make(folder, host, days=days)
    listening = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    # A client that does not trust it hangs up; that is no news.
    listening.handle_error = lambda *_: None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listening.socket = context.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield listening.server_port, certificate
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


class TestHandshake:
    @pytest.fixture
    def shake(self, monkeypatch):
        """Shakes hands with a server at 127.0.0.1 on its own port."""
        trusted, connect = ssl.create_default_context, operation.socket.create_connection

        def go(port, certificate, host):
            monkeypatch.setattr(operation.ssl, "create_default_context", lambda: trusted(cafile=str(certificate)))
            monkeypatch.setattr(
                operation.socket, "create_connection", lambda to, timeout: connect((to[0], port), timeout)
            )
            return operation.handshake(host, "127.0.0.1")

        return go

    def test_the_end_is_that_of_the_certificate_that_is_served(self, shake, tmp_path):
        with server(tmp_path, "app.example.com", 40) as (port, certificate):
            found = shake(port, certificate, "app.example.com")
        assert (found.ends - datetime.now(UTC)) // timedelta(days=1) == 40

    def test_a_certificate_that_has_ended_is_told(self, shake, tmp_path):
        with server(tmp_path, "app.example.com", -1) as (port, certificate):
            assert shake(port, certificate, "app.example.com") == Served(None, "certificate has expired")

    def test_a_certificate_of_another_name_is_told(self, shake, tmp_path):
        with server(tmp_path, "app.example.com", 40) as (port, certificate):
            assert "Hostname mismatch" in shake(port, certificate, "other.example.com").why

    def test_a_port_that_nobody_listens_on_is_told(self, monkeypatch):
        def refuse(*_):
            raise ConnectionRefusedError("Connection refused")

        monkeypatch.setattr(operation.socket, "create_connection", refuse)
        assert operation.handshake("app.example.com") == Served(None, "Connection refused")
