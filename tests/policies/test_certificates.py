"""Whether certificates renew themselves, and whether somebody is told where they do not."""

from __future__ import annotations

import base64
import json

import pytest

from policies.rulebook import certificates
from policies.rulebook.alarms import ALARM
from policies.rulebook.certificates import AUTOMATED, DOCUMENT
from policies.rulebook.compute import INSTANCE
from policies.rulebook.coverage import CERTIFICATE
from policies.rulebook.edge import DISTRIBUTION
from policies.rulebook.links import TEMPLATE
from policies.rulebook.resource import Context
from policies.rulebook.rule import Level, Severity

from .bags import ABSENT, UNKNOWN, not_evaluated, stack_faults
from .declared import Ref, declared


def alarm(namespace, metric, **dimensions):
    return ALARM, {
        "namespace": namespace,
        "metricName": metric,
        "dimensions": dimensions,
        "comparisonOperator": "LessThanThreshold",
        "threshold": 30,
        "alarmActions": ["topic"],
    }


STACK = {
    "certificate": (CERTIFICATE, {"domainName": "it.example", "validationMethod": "DNS"}),
    "ending": alarm("AWS/CertificateManager", "DaysToExpiry", CertificateArn=Ref("certificate", "arn")),
}
FRANKFURT = Context(regions=("eu-central-1",))
SILENT = ("No alarm rings before the certificate ends.", "certificate")


def said(*changes, stack=STACK, context=None, **options):
    return stack_faults(AUTOMATED, *declared(stack, *changes, **options), context=context)


def test_the_section_holds_this_rule():
    (rule,) = certificates.RULES
    assert (rule.id, rule.severity, rule.level) == ("cert-automated", Severity.HIGH, Level.MANDATORY)


@pytest.mark.parametrize("preview", [False, True])
def test_a_certificate_that_renews_itself_and_is_watched_passes(preview):
    assert said(preview=preview) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("certificate", ("validationMethod",), ABSENT),
         [("The certificate is not renewed by itself: it is validated by unset, DNS is demanded.", "certificate")]),
        (("certificate", ("validationMethod",), "EMAIL"),
         [("The certificate is not renewed by itself: it is validated by EMAIL, DNS is demanded.", "certificate")]),
        (("certificate", ("privateKey",), "[secret]"),
         [("The certificate is imported, so ACM does not renew it.", "certificate")]),
        (("ending", ("alarmActions",), ABSENT), [SILENT]),
        (("ending", ("actionsEnabled",), False), [SILENT]),
        (("ending", ("metricName",), "Other"), [SILENT]),
        (("ending", ("threshold",), 1), [SILENT]),
        (("ending", ("threshold",), 90), [SILENT]),
        (("ending", ("comparisonOperator",), "GreaterThanThreshold"), [SILENT]),
        (("ending", ("dimensions",), {"CertificateArn": "arn:of:another"}), [SILENT]),
    ],
)  # fmt: skip
def test_a_certificate_that_may_end_unseen_is_named(change, expected):
    assert said(change) == expected


def test_a_certificate_without_an_alarm_is_named():
    assert said(without=["ending"]) == [SILENT]


def test_cloudfront_takes_certificates_of_one_region():
    front = {"front": (DISTRIBUTION, {"viewerCertificate": {"acmCertificateArn": Ref("certificate", "arn")}})}
    sentence = "CloudFront takes no certificate of eu-central-1; it takes those of us-east-1."
    assert said(extra=front, context=FRANKFURT) == [(sentence, "certificate")]
    assert said(("certificate", ("region",), "us-east-1"), extra=front, context=FRANKFURT) == []
    assert said(context=FRANKFURT) == []


@pytest.mark.parametrize("change", [("certificate", "validationMethod"), ("ending", "threshold")])
def test_an_unknown_value_is_no_pass(change):
    name, prop = change
    assert not_evaluated(AUTOMATED, *declared(STACK, (name, (prop,), UNKNOWN)))[0] == []


# Certbot

INSTALL = "dnf install -y certbot"
TIMER = "systemctl enable --now certbot-renew.timer"
NO_TIMER = "Certbot is put on a machine without a timer that renews."
UNSEEN = "No alarm rings before a certificate of certbot's ends."


def document(*lines):
    steps = [{"action": "aws:runShellScript", "inputs": {"runCommand": list(lines)}}]
    return DOCUMENT, {"content": json.dumps({"schemaVersion": "2.2", "mainSteps": steps})}


LEFT = alarm("platform", "CertificateDaysLeft", Host="it.example")


@pytest.mark.parametrize(
    ("lines", "alarms", "expected"),
    [
        ((INSTALL, TIMER), {"left": LEFT}, []),
        ((INSTALL,), {"left": LEFT}, [NO_TIMER]),
        ((INSTALL, "systemctl disable --now certbot.timer"), {"left": LEFT}, [NO_TIMER]),
        ((INSTALL, TIMER), {}, [UNSEEN]),
        ((INSTALL,), {}, [NO_TIMER, UNSEEN]),
        (("pip install 'certbot>=4.1'", TIMER), {}, [UNSEEN]),
        (("certbot certonly --webroot", TIMER), {}, [UNSEEN]),
        (("tar --exclude=.certbot.lock", "dnf install -y nginx"), {}, []),
        (("dnf install -y nginx", "ls /opt/certbot"), {}, []),
    ],
)
def test_a_host_with_certbot_needs_a_timer_and_an_alarm(lines, alarms, expected):
    found = said(stack={"setup": document(*lines), **alarms})
    assert found == [(sentence, "setup") for sentence in expected]


@pytest.mark.parametrize(("token", "prop"), [(TEMPLATE, "userData"), (INSTANCE, "userData")])
def test_a_first_boot_is_read_too(token, prop):
    script = base64.b64encode(f"#!/bin/bash\n{INSTALL}\n".encode()).decode()
    assert said(stack={"it": (token, {prop: script})}) == [(NO_TIMER, "it"), (UNSEEN, "it")]


def test_an_alarm_that_rings_too_late_is_none():
    assert said(("left", ("threshold",), 2), stack={"setup": document(INSTALL, TIMER), "left": LEFT}) == [
        (UNSEEN, "setup")
    ]


def test_an_unknown_document_is_no_pass():
    judged = declared({"setup": document(INSTALL)}, ("setup", ("content",), UNKNOWN))
    assert not_evaluated(AUTOMATED, *judged)[0] == []
