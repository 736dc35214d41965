"""The rules for CloudFront: one change to a sound distribution breaks one rule, in one sentence."""

from __future__ import annotations

import pytest

from policies.rulebook import distributions
from policies.rulebook.distributions import DELIVERY, DELIVERY_SOURCE
from policies.rulebook.edge import DISTRIBUTION
from policies.rulebook.rule import Level, Severity

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

RULES = {rule.id: rule for rule in distributions.RULES}
TLS, LOGS = RULES["cf-tls-and-origin"], RULES["cf-logs"]
BAG = {
    "defaultCacheBehavior": {"viewerProtocolPolicy": "redirect-to-https"},
    "orderedCacheBehaviors": [{"pathPattern": "/api/*", "viewerProtocolPolicy": "https-only"}],
    "viewerCertificate": {"acmCertificateArn": "arn", "minimumProtocolVersion": "TLSv1.2_2021"},
    "origins": [
        {"originId": "pages", "domainName": "it.s3.amazonaws.com", "originAccessControlId": "E1"},
        {
            "originId": "api",
            "domainName": "api.example",
            "customOriginConfig": {"originProtocolPolicy": "https-only", "originSslProtocols": ["TLSv1.2"]},
        },
        {"originId": "inside", "domainName": "alb.example", "vpcOriginConfig": {"vpcOriginId": "vo-1"}},
    ],
    "loggingConfig": {"bucket": "logs.s3.amazonaws.com"},
}


def distribution(*path, to):
    return resource(DISTRIBUTION, "it", altered(BAG, *path, to=to))


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in distributions.RULES] == [
        ("cf-tls-and-origin", Severity.HIGH, Level.MANDATORY),
        ("cf-logs", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
    ]


OLD = "The distribution takes TLS older than 1.2: its policy is {}."


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("loggingConfig",), ABSENT, []),
        (("viewerCertificate", "minimumProtocolVersion"), "TLSv1.3_2025", []),
        (("viewerCertificate", "minimumProtocolVersion"), "TLSv1.2_2025", []),
        (("viewerCertificate", "minimumProtocolVersion"), "TLSv1.2_2019", [OLD.format("TLSv1.2_2019")]),
        (("viewerCertificate", "minimumProtocolVersion"), ABSENT, [OLD.format("TLSv1")]),
        (("viewerCertificate", "cloudfrontDefaultCertificate"), True, [OLD.format("TLSv1")]),
        (("viewerCertificate",), ABSENT, [OLD.format("TLSv1")]),
        (("defaultCacheBehavior", "viewerProtocolPolicy"), "allow-all",
         ["The distribution answers plain HTTP on every other path: its policy is allow-all."]),
        (("orderedCacheBehaviors", 0, "viewerProtocolPolicy"), "allow-all",
         ["The distribution answers plain HTTP on /api/*: its policy is allow-all."]),
        (("defaultCacheBehavior",), ABSENT,
         ["The distribution answers plain HTTP on every other path: its policy is unset."]),
        (("origins", 0, "originAccessControlId"), ABSENT,
         ["The bucket pages is read without an origin access control, so it is open to others too."]),
        (("origins", 1, "customOriginConfig", "originProtocolPolicy"), "match-viewer", []),
        (("origins", 1, "customOriginConfig", "originProtocolPolicy"), "http-only",
         ["The distribution speaks plain HTTP with api: its policy is http-only."]),
        (("origins", 1, "customOriginConfig", "originSslProtocols"), ["TLSv1", "TLSv1.1", "TLSv1.2"],
         ["The distribution speaks TLSv1 and TLSv1.1 with api."]),
    ],
)  # fmt: skip
def test_tls_holds_on_both_sides(path, value, expected):
    assert faults(TLS, distribution(*path, to=value)) == expected


def test_an_access_control_that_is_still_to_be_made_is_one():
    assert faults(TLS, distribution("origins", 0, "originAccessControlId", to=UNKNOWN)) == []


@pytest.mark.parametrize(
    "path",
    [
        ("defaultCacheBehavior", "viewerProtocolPolicy"),
        ("viewerCertificate", "minimumProtocolVersion"),
        ("origins", 1, "customOriginConfig", "originProtocolPolicy"),
    ],
)
def test_an_unknown_policy_is_no_pass(path):
    with pytest.raises(UnknownValueError):
        faults(TLS, distribution(*path, to=UNKNOWN))


# Logs

NO_LOG = [("The distribution writes no access log.", "it")]
DELIVERED = {
    "it": (DISTRIBUTION, {}),
    "source": (DELIVERY_SOURCE, {"name": "cdn", "resourceArn": Ref("it", "arn")}),
    "delivery": (DELIVERY, {"deliverySourceName": Ref("source", "name")}),
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(BAG["loggingConfig"], []), ({"bucket": UNKNOWN}, []), ({"includeCookies": True}, NO_LOG), (ABSENT, NO_LOG)],
)
def test_a_distribution_without_a_log_is_named(value, expected):
    assert stack_faults(LOGS, distribution("loggingConfig", to=value)) == expected


@pytest.mark.parametrize("preview", [False, True])
def test_a_delivery_is_a_log(preview):
    assert stack_faults(LOGS, *declared(DELIVERED, preview=preview)) == []
    assert stack_faults(LOGS, *declared(DELIVERED, without=["delivery"], preview=preview)) == NO_LOG
    assert stack_faults(LOGS, *declared(DELIVERED, without=["source"], preview=preview)) == NO_LOG


def test_an_unknown_log_is_no_pass():
    assert not_evaluated(LOGS, distribution("loggingConfig", to=UNKNOWN))[0] == []
