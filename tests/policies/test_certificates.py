"""Whether certificates renew themselves, and whether somebody is told where they do not."""

from __future__ import annotations

import base64
import json

import pytest

from policies.rulebook import certificates
from policies.rulebook.alarms import ALARM
from policies.rulebook.certificates import AUTOMATED, DOCUMENT, FOUND, PROVED, RECORD, VALIDATION
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


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in certificates.RULES] == [
        ("cert-automated", Severity.HIGH, Level.MANDATORY),
        ("cert-proved", Severity.HIGH, Level.MANDATORY),
        ("cert-name-leads", Severity.HIGH, Level.MANDATORY),
    ]


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


# Proof and name

SITE = {
    "certificate": (CERTIFICATE, {"domainName": "It.example", "validationMethod": "DNS"}),
    "proof": (RECORD, {"name": "_1.it.example", "records": [Ref("certificate", "arn", after=".acm-validations.aws.")]}),
    "issued": (
        VALIDATION,
        {"certificateArn": Ref("certificate", "arn"), "validationRecordFqdns": [Ref("proof", "id")]},
    ),
    "balancer": ("aws:lb/loadBalancer:LoadBalancer", {"dnsName": "it-1.elb.amazonaws.com"}),
    "listener": (
        "aws:lb/listener:Listener",
        {"loadBalancerArn": Ref("balancer", "arn"), "certificateArn": Ref("certificate", "arn")},
    ),
    "name": (RECORD, {"name": "it.example.", "aliases": [{"name": Ref("balancer", "dnsName")}]}),
}


def of_site(rule, *changes, **options):
    return stack_faults(rule, *declared(SITE, *changes, **options))


@pytest.mark.parametrize("rule", [PROVED, FOUND], ids=["proved", "found"])
@pytest.mark.parametrize("preview", [False, True])
def test_a_site_with_a_proved_name_passes(rule, preview):
    assert of_site(rule, preview=preview) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("issued", ("certificateArn",), "arn:aws:acm:eu-west-1:123456789012:certificate/other"),
         ("Nothing waits until the certificate is issued: no validation names it.", "certificate")),
        (("issued", ("validationRecordFqdns",), ABSENT),
         ("The certificate is proved by no record of the stack.", "issued")),
        (("issued", ("validationRecordFqdns",), []),
         ("The certificate is proved by no record of the stack.", "issued")),
        (("proof", ("records",), ["others"]), ("The record does not hold what proves the certificate.", "proof")),
        (("proof", ("records",), ABSENT), ("The record does not hold what proves the certificate.", "proof")),
    ],
)  # fmt: skip
def test_a_certificate_is_proved_by_a_record(change, expected):
    assert of_site(PROVED, change) == [expected]


def test_a_certificate_of_one_s_own_authority_needs_no_record():
    assert of_site(PROVED, ("certificate", ("validationMethod",), ABSENT), without=["proof", "issued"]) == []


def test_an_unknown_method_is_not_judged():
    changed = declared(SITE, ("certificate", ("validationMethod",), UNKNOWN))
    assert not_evaluated(PROVED, *changed)[0] == []


LOST = [("No record leads from it.example to the load balancer.", "balancer")]


@pytest.mark.parametrize(
    "change",
    [
        ("name", ("name",), "www.it.example"),
        ("name", ("aliases",), ABSENT),
        ("name", ("aliases",), []),
        ("name", ("aliases", 0, "name"), "other.elb.amazonaws.com"),
    ],
)
def test_the_name_of_a_certificate_leads_to_its_load_balancer(change):
    assert of_site(FOUND, change) == LOST


def test_what_nobody_outside_reaches_needs_no_name():
    assert of_site(FOUND, ("balancer", ("internal",), True), without=["name"]) == []
    assert of_site(FOUND, ("certificate", ("domainName",), "*.it.example"), without=["name"]) == []


def test_an_unknown_name_is_not_judged():
    assert not_evaluated(FOUND, *declared(SITE, ("certificate", ("domainName",), UNKNOWN)))[0] == []
