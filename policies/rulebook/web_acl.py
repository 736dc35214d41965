"""Which attacks a web ACL has to know: the managed groups of AWS and a limit of requests."""

from __future__ import annotations

from collections.abc import Iterator

from .edge import ACL_RULE, WEB_ACL
from .links import sources
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each

#: Group of AWS -> what it stops. SQL is the platform's own: it has a PostgreSQL database (``000_… §3``).
GROUPS = {
    "AWSManagedRulesAmazonIpReputationList": "addresses that Amazon knows for attacks",
    "AWSManagedRulesCommonRuleSet": "the attacks of the OWASP list",
    "AWSManagedRulesKnownBadInputsRuleSet": "requests that are known to exploit a hole",
    "AWSManagedRulesSQLiRuleSet": "SQL in requests",
}


def _groups(stack: Stack) -> Iterator[Fault]:
    def judge(acl: Resource) -> Iterator[Fault]:
        holders: list[tuple[Resource, tuple[str | int, ...]]] = [
            *((acl, ("rules", index, "statement")) for index in range(len(acl.items("rules")))),
            *((rule, ("statement",)) for rule in sources(stack, acl, "webAclArn", ACL_RULE)),
        ]
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

RULES: tuple[Rule, ...] = (GROUPS_THERE,)
