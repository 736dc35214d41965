"""The certificates of a stack: ACM's, those of hosts, and what is really served (``003_… Certificate Renewal``)."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from rich.text import Text

from ..console import Page
from ..words import count
from .aws import spoken
from .site import Site

Verdict = Literal["ok", "late", "failed", "missing"]

#: The clients that it needs.
CLIENTS = ("acm", "cloudwatch", "ec2")

#: Let's Encrypt's are renewed from 30 days on and brought to the page's machine weekly; these days later it is stuck.
HOST_DAYS = 20

#: The metric of hosts comes once a day.
_METRIC_AGE = timedelta(days=3)

_PATIENCE = 10

_STYLES = {"ok": "green", "late": "yellow", "failed": "bold red", "missing": "bold red"}
_ORDER = ("failed", "missing", "late", "ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """``days``: whole days left until the certificate ends, None where that is not known; late below ``least``."""

    what: str
    verdict: Verdict
    days: int | None
    least: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """What a TLS handshake found: when the certificate ends, or why it is none that a browser takes."""

    ends: datetime | None
    why: str = ""


#: Host name, and the address to connect to in place of the one that the name leads to -> what is served.
Handshake = Callable[[str, str | None], Served]


def handshake(host: str, address: str | None = None) -> Served:
    """Shakes hands on port 443 as a browser would. Whatever goes wrong is an answer too."""
    try:
        with (
            socket.create_connection((address or host, 443), _PATIENCE) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secure,
        ):
            found = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return Served(None, error.verify_message)
    except OSError as error:
        return Served(None, str(error) or type(error).__name__)
    return Served(datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC))


def read(
    site: Site,
    inventory: Callable[[str], Mapping[str, Any]],
    clients: Mapping[str, Any],
    shake: Handshake,
    now: datetime,
) -> tuple[Check, ...]:
    """Reads everything, changing nothing."""
    settings = site.settings
    late, host_late = limits(settings.thresholds.edge.certificate_days)
    web, host = inventory("web"), settings.web.domain.host
    checks = [
        _of_acm(clients["acm"], web["certificateArn"], late, now),
        _of_handshake(f"served at {host}", shake(host, None), late, now),
    ]
    maintenance = settings.maintenance
    if maintenance.enabled and (server := maintenance.server) is not None:
        machine = inventory("maintenance")["instanceId"]
        checks += _of_metric(site, clients["cloudwatch"], server.host, host_late, now)
        checks.append(_of_handshake(f"served at {server.host}", shake(server.host, None), host_late, now))
        address = _address(clients["ec2"], machine)
        served = shake(server.host, address) if address else Served(None, "the machine has no address")
        checks.append(_of_handshake(f"ready on the page's machine {machine}", served, host_late, now))
    return tuple(checks)


def limits(certificate_days: int) -> tuple[int, int]:
    """Days left below which a renewal is late: of ACM's certificates, and of hosts'."""
    return certificate_days, min(certificate_days, HOST_DAYS)


def judge(what: str, ends: datetime | None, least: int, now: datetime, *, trouble: str = "", detail: str = "") -> Check:
    """``trouble``: why the certificate is not good; it outweighs the days that it has left."""
    days = None if ends is None else (ends - now) // timedelta(days=1)
    verdict: Verdict = "ok"
    if trouble:
        verdict, detail = "failed", trouble
    elif days is None:
        verdict = "missing"
    elif days < 0:
        verdict, detail = "failed", "it has ended"
    elif days < least:
        verdict = "late"
    return Check(what=what, verdict=verdict, days=days, least=least, detail=detail)


def is_well(checks: tuple[Check, ...]) -> bool:
    """Whether nothing is late, failed or missing."""
    return all(one.verdict == "ok" for one in checks)


def _of_acm(acm: Any, arn: str, least: int, now: datetime) -> Check:
    with spoken("acm:DescribeCertificate"):
        found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    renewal = found.get("RenewalSummary", {})
    renewed = renewal.get("RenewalStatus", "")
    used = len(found.get("InUseBy", ()))
    trouble = ""
    if found["Status"] != "ISSUED":
        why = found.get("FailureReason", "")
        trouble = f"its status is {found['Status']}" + (f" ({why})" if why else "")
    elif renewed == "FAILED":
        trouble = f"its renewal failed ({renewal.get('RenewalStatusReason', 'without a reason')})"
    elif renewed == "PENDING_VALIDATION":
        trouble = "its renewal waits for the DNS record that proves the name"
    elif not used:
        trouble = "nothing uses it, and ACM renews only what is in use"
    detail = f"in use by {count(used, 'resource')}" + (f"; renewal: {renewed}" if renewed else "")
    name = f"ACM, {found.get('DomainName', arn)}"
    return judge(name, found.get("NotAfter"), least, now, trouble=trouble, detail=detail)


def _of_metric(site: Site, cloudwatch: Any, host: str, least: int, now: datetime) -> Iterator[Check]:
    """What the hosts count themselves, the server and the machine with the page."""
    namespace = site.labels.physical("maintenance")
    for machine in ("server", "maintenance"):
        with spoken("cloudwatch:GetMetricStatistics"):
            points = cloudwatch.get_metric_statistics(
                Namespace=namespace,
                MetricName="CertificateDaysLeft",
                Dimensions=[{"Name": "Host", "Value": host}, {"Name": "Machine", "Value": machine}],
                StartTime=now - _METRIC_AGE,
                EndTime=now,
                Period=3600,
                Statistics=["Minimum"],
            )["Datapoints"]
        newest = max(points, key=lambda point: point["Timestamp"], default=None)
        # What was counted then has grown less since.
        ends = newest["Timestamp"] + timedelta(days=newest["Minimum"]) if newest else None
        detail = "" if newest else f"it has told nothing for {_METRIC_AGE.days} days"
        yield judge(f"counted by the {machine} for {host}", ends, least, now, detail=detail)


def _of_handshake(what: str, served: Served, least: int, now: datetime) -> Check:
    return judge(what, served.ends, least, now, trouble=served.why)


def _address(ec2: Any, instance: str) -> str | None:
    with spoken("ec2:DescribeInstances"):
        (found,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    address: str | None = found["Instances"][0].get("PublicIpAddress")
    return address


def permissions(site: Site) -> list[dict[str, Any]]:
    """The IAM policy, known before anything is deployed: reads only."""
    maintenance = site.settings.maintenance
    hosts = maintenance.enabled and maintenance.server is not None
    components = ("maintenance", "web") if hosts else ("web",)
    needed = [
        (
            "ReadInventory",
            ["ssm:GetParameter"],
            [site.arn("ssm", f"parameter{site.parameter(component)}") for component in components],
        ),
        ("ReadCertificate", ["acm:DescribeCertificate"], [site.arn("acm", "certificate/*")]),
        # Neither takes a resource.
        *([("ReadHosts", ["cloudwatch:GetMetricStatistics", "ec2:DescribeInstances"], ["*"])] if hosts else []),
    ]
    return [
        {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources} for sid, actions, resources in needed
    ]


def lines(environment: str, checks: tuple[Check, ...], page: Page) -> Iterator[Text]:
    """What is wrong first, then the rest."""
    yield Text(f"Certificates of {environment}", "bold")
    for check in sorted(checks, key=lambda one: _ORDER.index(one.verdict)):
        head = Text.assemble("  ", (f"{check.verdict:<8}", _STYLES[check.verdict]), " ")
        yield from page.hang(head, Text(_sentence(check)))
    bad = sum(check.verdict != "ok" for check in checks)
    yield Text()
    if bad:
        yield Text(f"{bad} of {count(len(checks), 'check')} want attention.", "bold red")
    else:
        yield Text(f"All {count(len(checks), 'check')} are well.", "green")


def _sentence(check: Check) -> str:
    left = "days left unknown" if check.days is None else f"{count(check.days, 'day')} left"
    detail = f"; {check.detail}" if check.detail else ""
    return f"{check.what}: {left}, late below {check.least}{detail}"


def document(environment: str, checks: tuple[Check, ...]) -> str:
    """The same for a machine."""
    found = [
        {
            "daysLeft": one.days,
            "detail": one.detail,
            "lateBelowDays": one.least,
            "verdict": one.verdict,
            "what": one.what,
        }
        for one in checks
    ]
    data = {"checks": found, "environment": environment, "well": is_well(checks)}
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
