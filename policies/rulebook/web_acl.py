"""Which attacks a web ACL has to know, whether its rules really stop them, and what its log must not hold."""

from __future__ import annotations

from collections.abc import Iterator

from .edge import ACL_RULE, LOGGING, WEB_ACL
from .links import sources
from .resource import Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .values import listed, number, show

#: Group of AWS -> what it stops. SQL is the platform's own: it has a PostgreSQL database (``000_… §3``).
GROUPS = {
    "AWSManagedRulesAmazonIpReputationList": "addresses that Amazon knows for attacks",
    "AWSManagedRulesCommonRuleSet": "the attacks of the OWASP list",
    "AWSManagedRulesKnownBadInputsRuleSet": "requests that are known to exploit a hole",
    "AWSManagedRulesSQLiRuleSet": "SQL in requests",
}

#: The one rule of AWS's groups that may only count: it takes every upload of more than 8 KB for an attack.
_BODY_SIZE = "SizeRestrictions_BODY"

#: Requests a second of one address, on the average of the window: a class behind one address asks for less.
MOST_PER_SECOND = 100

#: What the provider takes as the window of a rate, in seconds.
_WINDOW = 300

#: Headers that let in whoever has them.
SECRET_HEADERS = ("authorization", "cookie")

_Place = tuple[Resource, tuple[str | int, ...]]


def _rules(stack: Stack, acl: Resource) -> list[_Place]:
    """The rules of a web ACL: its own, and those that are resources."""
    return [
        *((acl, ("rules", index)) for index in range(len(acl.items("rules")))),
        *((rule, ()) for rule in sources(stack, acl, "webAclArn", ACL_RULE)),
    ]


def _groups(stack: Stack) -> Iterator[Fault]:
    def judge(acl: Resource) -> Iterator[Fault]:
        holders = [(holder, (*path, "statement")) for holder, path in _rules(stack, acl)]
        have = {_managed(holder, path) for holder, path in holders}
        for name, what in GROUPS.items():
            if name not in have:
                yield Fault(f"The web ACL does not stop {what}: {name} is missing.", acl.urn)
        if not any(holder.section(*path, "rateBasedStatement") is not None for holder, path in holders):
            yield Fault("The web ACL lets one address ask as often as it likes: it limits no rate.", acl.urn)

    return each(stack.of(WEB_ACL), judge)


def _managed(holder: Resource, path: tuple[str | int, ...]) -> str | None:
    """The managed group of AWS that a rule applies to every request; None for any other rule."""
    group = (*path, "managedRuleGroupStatement")
    if holder.section(*group, "vendorName") != "AWS" or holder.section(*group, "scopeDownStatement") is not None:
        return None
    return str(holder.section(*group, "name"))


def _strict(stack: Stack) -> Iterator[Fault]:
    def judge(acl: Resource) -> Iterator[Fault]:
        if not is_true(acl.section("visibilityConfig", "sampledRequestsEnabled")):
            yield Fault("The web ACL keeps no sample of the requests that no rule met.", acl.urn)
        seen: dict[float | None, str] = {}
        for holder, path in _rules(stack, acl):
            name = show(holder.section(*path, "name"))
            yield from (Fault(f"The web ACL's rule {name} {said}.", holder.urn) for said in _weak(holder, path))
            priority = number(holder.section(*path, "priority"))
            if priority in seen:
                yield Fault(f"The web ACL's rules {seen[priority]} and {name} have one priority.", holder.urn)
            seen[priority] = name

    return each(stack.of(WEB_ACL), judge)


def _weak(holder: Resource, path: tuple[str | int, ...]) -> Iterator[str]:
    if holder.section(*path, "action", "allow") is not None:
        yield "lets requests past all rules after it"
    if not is_true(holder.section(*path, "visibilityConfig", "sampledRequestsEnabled")):
        yield "keeps no sample of what it met"
    yield from _overrides(holder, (*path, "statement", "managedRuleGroupStatement", "ruleActionOverrides"))
    yield from _rate(holder, (*path, "statement", "rateBasedStatement"))


def _overrides(holder: Resource, path: tuple[str | int, ...]) -> Iterator[str]:
    soft = []
    for index in range(len(holder.items(*path))):
        name = show(holder.section(*path, index, "name"))
        does = [key for key in ("allow", "count") if holder.section(*path, index, "actionToUse", key) is not None]
        if does and (name, does) != (_BODY_SIZE, ["count"]):
            soft.append(name)
    if soft:
        yield f"stops nothing by {listed(soft)}, which an override lets pass"


def _rate(holder: Resource, path: tuple[str | int, ...]) -> Iterator[str]:
    if holder.section(*path) is None:
        return
    key = holder.section(*path, "aggregateKeyType")
    if key not in (None, "IP", "FORWARDED_IP"):
        yield f"counts by {show(key)}; a limit for each address is demanded"
    window = holder.section(*path, "evaluationWindowSec")
    seconds = _WINDOW if window is None else number(window)
    if seconds not in (60, 120, 300, 600):
        yield f"counts over {show(window)} seconds; AWS takes 60, 120, 300 or 600"
        return
    limit = number(holder.section(*path, "limit"))
    if limit is None or limit > MOST_PER_SECOND * seconds:
        most = show(MOST_PER_SECOND * seconds)
        yield f"lets one address ask {show(limit)} times in {show(seconds)} seconds; {most} are the most"


def _redacted(logging: Resource, _: Context) -> Iterator[str]:
    fields = range(len(logging.items("redactedFields")))
    hidden = {str(logging.section("redactedFields", index, "singleHeader", "name")).lower() for index in fields}
    if shown := [header for header in SECRET_HEADERS if header not in hidden]:
        yield f"The web ACL's log holds the {'header' if len(shown) == 1 else 'headers'} {listed(shown)} in the clear."


GROUPS_THERE = StackRule(
    id="edge-waf-groups",
    sentence="002_3d1abe7e242e6afd.txt §7.3: WAF rule sets",
    title="Web ACLs stop known attacks, bad addresses, SQL in requests and floods from one address.",
    why="Each group knows attacks that the others do not; what is missing is seen only when it is used.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP WAF.10", "NIST SC-5", "NIST SI-3"),
    remedy="Add a managed_rule_group_statement for each group without a scope-down, and a rate_based_statement.",
    types=frozenset({WEB_ACL, ACL_RULE}),
    check=_groups,
)

STRICT = StackRule(
    id="edge-waf-strict",
    sentence="002_3d1abe7e242e6afd.txt §7.3: WAF rule sets",
    title="Rules of web ACLs stop what they say: none lets requests past, and the limit is one that a flood meets.",
    why="A web ACL with all its rules and a hole in one of them looks as good as one without.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP WAF.10", "FSBP WAF.12", "NIST SC-5", "NIST SI-3"),
    remedy="Let rules block; override only SizeRestrictions_BODY; set a limit by IP of at most "
    f"{MOST_PER_SECOND} requests a second; keep sampled_requests_enabled; give each rule a priority of its own.",
    types=frozenset({WEB_ACL, ACL_RULE}),
    check=_strict,
)

LOG_REDACTED = ResourceRule(
    id="edge-waf-log-redacted",
    sentence="002_3d1abe7e242e6afd.txt §2: Secret rotation procedures",
    title="The log of a web ACL holds no session and no token.",
    why="Whoever reads the log could go on with the session of whoever made the request.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AU-9", "NIST IA-5"),
    remedy='Add {"single_header": {"name": …}} for authorization and cookie to redacted_fields.',
    types=frozenset({LOGGING}),
    check=_redacted,
)

RULES: tuple[Rule, ...] = (GROUPS_THERE, STRICT, LOG_REDACTED)
