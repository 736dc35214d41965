"""Rules for CloudFront: TLS on both sides, buckets that only the distribution reads, and a log."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .edge import DISTRIBUTION
from .firewall import is_set
from .links import sources
from .resource import Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .values import is_true_of_any, listed, show

DELIVERY_SOURCE = "aws:cloudwatch/logDeliverySource:LogDeliverySource"
DELIVERY = "aws:cloudwatch/logDelivery:LogDelivery"

_MODERN = re.compile(r"TLSv1\.(?:2_202[1-9]|[3-9]_\d+)")

#: What a distribution has that names no policy, and one that answers under CloudFront's own name.
_UNNAMED_POLICY = "TLSv1"

_TO_VIEWERS = ("https-only", "redirect-to-https")
#: ``match-viewer`` is as good, because viewers have HTTPS only.
_TO_ORIGIN = ("https-only", "match-viewer")
_OLD = ("SSLv3", "TLSv1", "TLSv1.1")


def _tls(distribution: Resource, _: Context) -> Iterator[str]:
    behaviours: list[tuple[str | int, ...]] = [
        ("defaultCacheBehavior",),
        *(("orderedCacheBehaviors", index) for index in range(len(distribution.items("orderedCacheBehaviors")))),
    ]
    for path in behaviours:
        policy = distribution.section(*path, "viewerProtocolPolicy")
        if policy not in _TO_VIEWERS:
            where = distribution.section(*path, "pathPattern") or "every other path"
            yield f"The distribution answers plain HTTP on {show(where)}: its policy is {show(policy)}."
    certificate = ("viewerCertificate",)
    version = distribution.section(*certificate, "minimumProtocolVersion")
    if is_true(distribution.section(*certificate, "cloudfrontDefaultCertificate")):
        version = None
    if not _MODERN.fullmatch(str(version)):
        yield f"The distribution takes TLS older than 1.2: its policy is {show(version or _UNNAMED_POLICY)}."
    for index in range(len(distribution.items("origins"))):
        yield from _origin(distribution, ("origins", index))


def _origin(distribution: Resource, path: tuple[str | int, ...]) -> Iterator[str]:
    name = show(distribution.section(*path, "originId"))
    if distribution.section(*path, "vpcOriginConfig") is not None:
        # A resource of its own says how that is reached.
        return
    if distribution.section(*path, "customOriginConfig") is None:
        if not is_set(distribution.section(*path), "originAccessControlId"):
            yield f"The bucket {name} is read without an origin access control, so it is open to others too."
        return
    custom = (*path, "customOriginConfig")
    policy = distribution.section(*custom, "originProtocolPolicy")
    if policy not in _TO_ORIGIN:
        yield f"The distribution speaks plain HTTP with {name}: its policy is {show(policy)}."
    old = [one for one in distribution.items(*custom, "originSslProtocols") if one in _OLD]
    if old:
        yield f"The distribution speaks {listed(old)} with {name}."


def _logged(stack: Stack) -> Iterator[Fault]:
    def judge(distribution: Resource) -> Iterator[Fault]:
        if is_set(distribution.section("loggingConfig") or {}, "bucket"):
            return
        found = sources(stack, distribution, "resourceArn", DELIVERY_SOURCE)
        if not is_true_of_any(found, lambda one: bool(sources(stack, one, "deliverySourceName", DELIVERY))):
            yield Fault("The distribution writes no access log.", distribution.urn)

    return each(stack.of(DISTRIBUTION), judge)


TLS_AND_ORIGIN = ResourceRule(
    id="cf-tls-and-origin",
    sentence="004_5ca73e3508d74ec8.txt Manual Certificate Update: Update CloudFront distribution with new certificate",
    title="Distributions speak TLS 1.2 or newer with viewers and origins, and are the only way to their buckets.",
    why="What is encrypted on half of its way is not encrypted; a bucket that is open has no web ACL before it.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP CloudFront.3", "FSBP CloudFront.9", "FSBP CloudFront.10", "FSBP CloudFront.13", "NIST SC-8"),
    remedy="Set viewer_protocol_policy, minimum_protocol_version TLSv1.2_2021 with a certificate of your own, "
    "origin_protocol_policy https-only and origin_access_control_id.",
    types=frozenset({DISTRIBUTION}),
    check=_tls,
)

LOGGED = StackRule(
    id="cf-logs",
    sentence="004_5ca73e3508d74ec8.txt Infrastructure Logs: Check ALB access logs",
    title="Distributions write an access log.",
    why="What CloudFront answers from its cache never reaches another log.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP CloudFront.5", "CIS 7.0 4.10"),
    remedy="Set logging_config, or declare aws.cloudwatch.LogDeliverySource and LogDelivery for the distribution.",
    types=frozenset({DISTRIBUTION, DELIVERY_SOURCE, DELIVERY}),
    check=_logged,
)

RULES: tuple[Rule, ...] = (TLS_AND_ORIGIN, LOGGED)
