"""Rules for load balancers and web ACLs: what the internet meets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .links import sources, targets
from .resource import Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .values import show

BALANCERS = ("aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer")
LISTENERS = ("aws:lb/listener:Listener", "aws:alb/listener:Listener")
LISTENER_RULES = ("aws:lb/listenerRule:ListenerRule", "aws:alb/listenerRule:ListenerRule")
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"
WEB_ACL = "aws:wafv2/webAcl:WebAcl"
ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"
ACL_RULE = "aws:wafv2/webAclRule:WebAclRule"
GROUP_ASSOCIATION = "aws:wafv2/webAclRuleGroupAssociation:WebAclRuleGroupAssociation"
LOGGING = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"

#: What the bucket of an access log is named by: itself, or the policy that lets it be written.
_LOG_PLACES = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2", "aws:s3/bucketPolicy:BucketPolicy")

#: Security policies of AWS that take nothing older than TLS 1.2.
_MODERN = re.compile(r"ELBSecurityPolicy-(?:TLS13-1-[23]|TLS-1-2|FS-1-2)-.+")

#: What an HTTPS or TLS listener gets that names no policy.
_UNNAMED_POLICY = "ELBSecurityPolicy-2016-08"


def _https(stack: Stack) -> Iterator[Fault]:
    def judge(listener: Resource) -> Iterator[Fault]:
        protocol = listener.section("protocol")
        if protocol in ("HTTPS", "TLS"):
            policy = show(listener.section("sslPolicy") or _UNNAMED_POLICY)
            if not _MODERN.fullmatch(policy):
                yield Fault(f"The listener takes TLS older than 1.2: its policy is {policy}.", listener.urn)
        elif protocol in (None, "HTTP"):
            yield from _redirects(listener, "defaultActions", "listener")
            for rule in sources(stack, listener, "listenerArn", *LISTENER_RULES):
                yield from _redirects(rule, "actions", "listener's rule")

    return each(stack.of(*LISTENERS), judge)


def _redirects(resource: Resource, prop: str, noun: str) -> Iterator[Fault]:
    kinds = []
    for index in range(len(resource.items(prop))):
        kind = resource.section(prop, index, "type")
        kinds.append(kind)
        to = resource.section(prop, index, "redirect", "protocol")
        if kind == "redirect" and to != "HTTPS":
            yield Fault(f"The {noun} redirects plain HTTP to {show(to)}; HTTPS is demanded.", resource.urn)
    for kind in kinds or [None]:
        if kind != "redirect":
            yield Fault(f"The {noun} answers plain HTTP itself ({show(kind)}); it may only redirect.", resource.urn)


def is_application(balancer: Resource) -> bool:
    """Whether it speaks HTTP; the provider makes one that says nothing so."""
    return balancer.section("loadBalancerType") in (None, "application")


def _hardening(resource: Resource, context: Context) -> Iterator[str]:
    if is_application(resource):
        if not is_true(resource.section("dropInvalidHeaderFields")):
            yield "The load balancer passes invalid headers on."
        mode = resource.section("desyncMitigationMode")
        if mode not in (None, "defensive", "strictest"):
            yield f"The load balancer's desync mitigation is {show(mode)}; defensive is demanded."
    if context.environment == "prod" and not is_true(resource.section("enableDeletionProtection")):
        yield "The load balancer can be deleted: deletion protection is off."


def _access_logs(stack: Stack) -> Iterator[Fault]:
    def judge(balancer: Resource) -> Iterator[Fault]:
        if balancer.section("loadBalancerType") == "gateway":
            # A gateway load balancer writes none.
            return
        if not is_true(balancer.section("accessLogs", "enabled")) or not balancer.section("accessLogs", "bucket"):
            yield Fault("The load balancer writes no access log.", balancer.urn)
        elif not stack.referenced(balancer, "accessLogs", *_LOG_PLACES):
            yield Fault("The load balancer writes its access log to a bucket that is not declared here.", balancer.urn)

    return each(stack.of(*BALANCERS), judge)


def _waf(stack: Stack) -> Iterator[Fault]:
    guards: dict[str, Resource] = {}

    def judge(resource: Resource) -> Iterator[Fault]:
        if resource.type != DISTRIBUTION and (not is_application(resource) or is_true(resource.section("internal"))):
            return
        acls = _acls_of(stack, resource)
        guards.update((acl.urn, acl) for acl in acls)
        if not acls:
            noun = "distribution" if resource.type == DISTRIBUTION else "load balancer"
            yield Fault(f"The {noun} is open to the internet without a web ACL of the stack.", resource.urn)

    passes: tuple[Callable[[], Iterator[Fault]], ...] = (
        lambda: each(stack.of(*BALANCERS, DISTRIBUTION), judge),
        lambda: each(guards.values(), lambda acl: _acl_faults(stack, acl)),
    )
    return through(passes, lambda judged: judged())


def _acls_of(stack: Stack, resource: Resource) -> tuple[Resource, ...]:
    if resource.type == DISTRIBUTION:
        return targets(stack, resource, "webAclId", WEB_ACL)
    links = sources(stack, resource, "resourceArn", ASSOCIATION)
    return tuple(acl for link in links for acl in targets(stack, link, "webAclArn", WEB_ACL))


def _acl_faults(stack: Stack, acl: Resource) -> Iterator[Fault]:
    if acl.section("defaultAction", "allow") is None and acl.section("defaultAction", "block") is None:
        yield Fault("The web ACL says not what becomes of a request that no rule meets.", acl.urn)
    rules: list[tuple[Resource, tuple[str | int, ...]]] = [
        *((acl, ("rules", index)) for index in range(len(acl.items("rules")))),
        *((rule, ()) for rule in sources(stack, acl, "webAclArn", ACL_RULE)),
    ]
    if not rules and not sources(stack, acl, "webAclArn", GROUP_ASSOCIATION):
        yield Fault("The web ACL has no rule.", acl.urn)
    for holder, path in rules:
        yield from _acl_rule_faults(holder, path)
    if not is_true(acl.section("visibilityConfig", "cloudwatchMetricsEnabled")):
        yield Fault("The web ACL has no metric.", acl.urn)
    if not any(logging.items("logDestinationConfigs") for logging in sources(stack, acl, "resourceArn", LOGGING)):
        yield Fault("The web ACL has no log.", acl.urn)


def _acl_rule_faults(holder: Resource, path: tuple[str | int, ...]) -> Iterator[Fault]:
    name = show(holder.section(*path, "name"))
    if any(holder.section(*path, key, "count") is not None for key in ("action", "overrideAction")):
        yield Fault(f"The web ACL's rule {name} only counts; it stops nothing.", holder.urn)
    if not is_true(holder.section(*path, "visibilityConfig", "cloudwatchMetricsEnabled")):
        yield Fault(f"The web ACL's rule {name} has no metric.", holder.urn)


HTTPS = StackRule(
    id="alb-https",
    sentence="003_720b7a256857bf84.txt Certificate & Domain Renewal: to enable HTTPS",
    title="Plain HTTP is only redirected, and HTTPS is TLS 1.2 or newer.",
    why="Sessions and passwords travel in the clear otherwise, or in a TLS that can be broken.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP ELB.1", "NIST SC-8"),
    remedy="Redirect HTTP to HTTPS; set ssl_policy to ELBSecurityPolicy-TLS13-1-2-2021-06 or newer.",
    types=frozenset({*LISTENERS, *LISTENER_RULES}),
    check=_https,
)

HARDENING = ResourceRule(
    id="alb-hardening",
    sentence="002_3d1abe7e242e6afd.txt §7.3: Load balancer configurations",
    title="Load balancers drop invalid headers, defend against desync and, in prod, cannot be deleted.",
    why="Requests that two servers read differently carry one user's answer to another.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP ELB.4", "FSBP ELB.6", "FSBP ELB.12"),
    remedy="Set drop_invalid_header_fields and enable_deletion_protection; leave desync_mitigation_mode defensive.",
    types=frozenset(BALANCERS),
    check=_hardening,
)

ACCESS_LOGS = StackRule(
    id="alb-access-logs",
    sentence="004_5ca73e3508d74ec8.txt Log Analysis Procedures: Check ALB access logs",
    title="Load balancers write an access log.",
    why="Without it nobody can say what was asked, by whom, and what was answered.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP ELB.5", "CIS 7.0 4.10", "NIST AU-12"),
    remedy='Set access_logs={"bucket": …, "enabled": True}.',
    types=frozenset({*BALANCERS, *_LOG_PLACES}),
    check=_access_logs,
)

WAF = StackRule(
    id="edge-waf",
    sentence="002_3d1abe7e242e6afd.txt §7.3: WAF rule sets",
    title="What is public has a web ACL whose rules stop requests, count and log them.",
    why="Scanners find a new address within minutes and try every known hole.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP ELB.16", "FSBP CloudFront.6", "FSBP WAF.10", "FSBP WAF.11", "FSBP WAF.12"),
    remedy="Associate an aws.wafv2.WebAcl with rules that do not only count, metrics and a logging configuration.",
    types=frozenset({*BALANCERS, DISTRIBUTION, WEB_ACL, ACL_RULE, ASSOCIATION, LOGGING}),
    check=_waf,
)

RULES: tuple[Rule, ...] = (HTTPS, HARDENING, ACCESS_LOGS, WAF)
