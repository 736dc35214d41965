"""Whether certificates renew themselves, and whether somebody is told where they do not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import alarms, links, userdata
from .alarms import ALARM
from .compute import INSTANCE
from .coverage import CERTIFICATE
from .edge import BALANCERS, DISTRIBUTION, LISTENERS
from .resource import Resource, Stack, is_true
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .values import is_true_of_any, show

DOCUMENT = "aws:ssm/document:Document"
RECORD = "aws:route53/record:Record"
VALIDATION = "aws:acm/certificateValidation:CertificateValidation"

#: The one region that CloudFront takes certificates from.
CLOUDFRONT_REGION = "us-east-1"

#: Days before its end at which an alarm must ring, and at which it must not: no authority issues for longer than 90
#: days what a machine renews, and ACM renews 60 days before the end.
_LATE, _EARLY = 2.0, 80.0

_CERTBOT = re.compile(r"\binstall\b[^\n]*\bcertbot\b|\bcertbot\b[^\n]*\bcertonly\b")
_TIMER = re.compile(r"\bsystemctl\b[^\n]*\benable\b[^\n]*\.timer\b|OnCalendar=")
_DAYS_LEFT = re.compile(r"cert\w*days|days\w*(?:cert|expir)", re.IGNORECASE)


def _automated(stack: Stack) -> Iterator[Fault]:
    fronted = {
        hit.urn
        for distribution in stack.of(DISTRIBUTION)
        for hit in links.targets(stack, distribution, "viewerCertificate", CERTIFICATE)
    }

    def judge(resource: Resource) -> Iterator[Fault]:
        if resource.type != CERTIFICATE:
            return _hosts(stack)
        return (Fault(said, resource.urn) for said in _faults(stack, resource, resource.urn in fronted))

    # The hosts are judged once, with the first of what may set certbot up.
    setters = list(stack.of(DOCUMENT, links.TEMPLATE, INSTANCE))[:1]
    return each([*stack.of(CERTIFICATE), *setters], judge)


def _faults(stack: Stack, certificate: Resource, fronted: bool) -> Iterator[str]:
    if certificate.section("privateKey") is not None or certificate.section("certificateBody") is not None:
        yield "The certificate is imported, so ACM does not renew it."
    elif certificate.section("certificateAuthorityArn") is None and certificate.section("validationMethod") != "DNS":
        method = show(certificate.section("validationMethod"))
        yield f"The certificate is not renewed by itself: it is validated by {method}, DNS is demanded."
    region = certificate.section("region") or next(iter(stack.context.regions), None)
    if fronted and region is not None and region != CLOUDFRONT_REGION:
        yield f"CloudFront takes no certificate of {region}; it takes those of {CLOUDFRONT_REGION}."
    if not is_true_of_any(alarms.watching(stack, certificate), _counts_days):
        yield "No alarm rings before the certificate ends."


def _counts_days(alarm: Resource) -> bool:
    counted = any(
        (space, name) == ("AWS/CertificateManager", "DaysToExpiry") for space, name, _ in alarms.metrics(alarm)
    )
    return counted and _rings_in_time(alarm, "DaysToExpiry")


def _rings_in_time(alarm: Resource, metric: str) -> bool:
    return (
        alarms.rings(alarm, {metric: _LATE}) is True
        and alarms.rings(alarm, {metric: _EARLY}) is False
        and alarms.acts(alarm)
    )


def _hosts(stack: Stack) -> Iterator[Fault]:
    """Machines that certbot is put on by a document or by their first boot."""
    found = [(one, text) for one in stack.of(DOCUMENT, links.TEMPLATE, INSTANCE) for text in _scripts(one)]
    users = [(one, text) for one, text in found if _CERTBOT.search(text)]
    if not users:
        return
    first = users[0][0]
    if not any(_TIMER.search(text) for _, text in users):
        yield Fault("Certbot is put on a machine without a timer that renews.", first.urn)
    if not is_true_of_any(stack.of(ALARM), _counts_days_left):
        yield Fault("No alarm rings before a certificate of certbot's ends.", first.urn)


def _counts_days_left(alarm: Resource) -> bool:
    names = [str(name) for _, name, _ in alarms.metrics(alarm) if name != "DaysToExpiry"]
    return any(_DAYS_LEFT.search(name) and _rings_in_time(alarm, name) for name in names)


def _scripts(resource: Resource) -> Iterator[str]:
    if resource.type == DOCUMENT:
        # Commands are lists of lines.
        yield str(resource.section("content")).replace('", "', "\n").replace('","', "\n")
        return
    for prop in ("userData", "userDataBase64"):
        written = resource.section(prop)
        if isinstance(written, str):
            yield userdata.script(written)


def _proved(stack: Stack) -> Iterator[Fault]:
    def judge(certificate: Resource) -> Iterator[Fault]:
        if certificate.section("validationMethod") != "DNS":
            return
        validations = links.sources(stack, certificate, "certificateArn", VALIDATION)
        if not validations:
            yield Fault("Nothing waits until the certificate is issued: no validation names it.", certificate.urn)
        for validation in validations:
            records = links.targets(stack, validation, "validationRecordFqdns", RECORD)
            if not records:
                yield Fault("The certificate is proved by no record of the stack.", validation.urn)
            for record in records:
                if not links.targets(stack, record, "records", CERTIFICATE):
                    yield Fault("The record does not hold what proves the certificate.", record.urn)

    return each(stack.of(CERTIFICATE), judge)


def _found(stack: Stack) -> Iterator[Fault]:
    """A name that a listener shows a certificate for has to lead to its load balancer."""

    def judge(listener: Resource) -> Iterator[Fault]:
        shown = links.targets(stack, listener, "certificateArn", CERTIFICATE, VALIDATION)
        certificates = {
            hit.urn: hit
            for one in shown
            for hit in ((one,) if one.type == CERTIFICATE else links.targets(stack, one, "certificateArn", CERTIFICATE))
        }
        for balancer in links.targets(stack, listener, "loadBalancerArn", *BALANCERS):
            if is_true(balancer.section("internal")):
                continue
            leading = {
                _name(record.section("name"))
                for prop in ("aliases", "records")
                for record in links.sources(stack, balancer, prop, RECORD)
            }
            for certificate in certificates.values():
                name = _name(certificate.section("domainName"))
                if not name.startswith("*.") and name not in leading:
                    yield Fault(f"No record leads from {show(name)} to the load balancer.", balancer.urn)

    return each(stack.of(*LISTENERS), judge)


def _name(text: object) -> str:
    return str(text).lower().removesuffix(".")


AUTOMATED = StackRule(
    id="cert-automated",
    sentence="003_720b7a256857bf84.txt Certificate & Domain Renewal: The renew should happen regularly",
    title="Certificates renew themselves, and an alarm rings where one does not.",
    why="A certificate that ends takes the whole site down, on a day that was known for months.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP ACM.1", "NIST SC-12"),
    remedy='Set validation_method="DNS"; declare an alarm on DaysToExpiry; give hosts with certbot a systemd timer and '
    "an alarm on the days that are left.",
    types=frozenset({CERTIFICATE, ALARM, DISTRIBUTION, DOCUMENT, links.TEMPLATE, INSTANCE}),
    check=_automated,
)

PROVED = StackRule(
    id="cert-proved",
    sentence="004_5ca73e3508d74ec8.txt SSL Certificate Renewal: AWS Certificate Manager automatically renews "
    "certificates, but verify",
    title="Certificates are proved by records of the stack, and used once they are issued.",
    why="ACM renews a certificate for as long as its record stays; without it the next renewal fails.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP ACM.1", "NIST SC-12"),
    remedy="Declare aws.route53.Record of domain_validation_options, and aws.acm.CertificateValidation of its fqdn.",
    types=frozenset({CERTIFICATE, VALIDATION, RECORD}),
    check=_proved,
)

FOUND = StackRule(
    id="cert-name-leads",
    sentence="004_5ca73e3508d74ec8.txt Manual Certificate Update: Update ALB listener with new certificate",
    title="The name of a certificate leads to the load balancer that shows it.",
    why="Visitors know the name and not the load balancer; without a record the site is down for all of them.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SC-20",),
    remedy="Declare aws.route53.Record of the name with an alias to the load balancer.",
    types=frozenset({*LISTENERS, *BALANCERS, CERTIFICATE, VALIDATION, RECORD}),
    check=_found,
)

RULES: tuple[Rule, ...] = (AUTOMATED, PROVED, FOUND)
