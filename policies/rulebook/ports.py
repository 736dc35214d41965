"""Whether a rule of a security group speaks of one service: whoever it admits, one port of one protocol is enough."""

from __future__ import annotations

from collections.abc import Iterator

from .firewall import DEFAULT_GROUP, EGRESS_RULE, GROUP, INGRESS_RULE, LEGACY_RULE, Declared, declared
from .resource import Context, Resource
from .rule import Level, ResourceRule, Rule, Severity, through


def _wide(resource: Resource, _: Context) -> Iterator[str]:
    return through(declared(resource), _judge)


def _judge(written: Declared) -> Iterator[str]:
    rule = written.read()
    if rule.protocol == "all":
        yield f"Rule {written.label} ({rule.direction}) lets every protocol through; name the one that is needed."
    elif rule.protocol in ("tcp", "udp") and rule.ports.first != rule.ports.last:
        yield f"Rule {written.label} ({rule.direction}) lets {rule} through; name each port that is needed."


ONE_PORT = ResourceRule(
    id="net-sg-one-port",
    sentence="000_b5883a9168e66709.txt §6: restrict access to necessary ports",
    title="Each rule of a security group, in or out, names one protocol and one port.",
    why="A range, or a way out for everything, lets a stolen machine reach what nobody meant it to.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AC-6", "NIST SC-7"),
    remedy="Write one rule for each port, from_port and to_port alike, with ip_protocol tcp or udp.",
    types=frozenset({GROUP, DEFAULT_GROUP, LEGACY_RULE, INGRESS_RULE, EGRESS_RULE}),
    check=_wide,
)

RULES: tuple[Rule, ...] = (ONE_PORT,)
