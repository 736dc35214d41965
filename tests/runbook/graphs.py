"""Small graphs and audits by hand, for tests of what is printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policies.rulebook.rule import Level, ResourceRule, Severity
from runbook.audit.evaluate import Audit, Finding, NotEvaluated
from runbook.preview.graph import STACK_TYPE, Diagnostic, Fidelity, Graph, Resource, SourcePosition

PREFIX = "urn:pulumi:staging::shop::"
STACK = f"{PREFIX}{STACK_TYPE}::shop-staging"
PROVIDER = f"{PREFIX}pulumi:providers:aws::default_7_51_1"


def urn(type_: str, name: str) -> str:
    return f"{PREFIX}{type_}::{name}"


def resource(type_: str, name: str, parent: str | None = STACK, **fields: Any) -> Resource:
    """A resource without inputs; ``fields`` are any others of ``Resource``."""
    told: dict[str, Any] = {
        "urn": urn(type_, name),
        "type": type_,
        "name": name,
        "custom": type_.startswith(("aws:", "pulumi:providers:")),
        "id": None,
        "parent": parent,
        "provider": None,
        "protect": False,
        "dependencies": (),
        "property_dependencies": {},
        "inputs": {},
        "outputs": {},
        "source": None,
    }
    return Resource(**{**told, **fields})


def stack() -> Resource:
    return resource(STACK_TYPE, "shop-staging", None)


def default_provider() -> Resource:
    return resource("pulumi:providers:aws", "default_7_51_1", None)


def graph(*resources: Resource, **fields: Any) -> Graph:
    """A graph of the stack ``staging``, all of it known; ``fields`` are any others of ``Graph``."""
    told: dict[str, Any] = {
        "project": "shop",
        "stack": "staging",
        "config": {},
        "resources": resources,
        "exports": {},
        "diagnostics": (),
        "fidelity": Fidelity(known=10, total=10, unknown=()),
        "seconds": 0.25,
    }
    return Graph(**{**told, **fields})


def small() -> Graph:
    """A stack, two components, one in the other, and a handful of resources."""
    network = resource("shop:network:Network", "network")
    tier = resource("shop:network:Tier", "data", network.urn)
    return graph(
        default_provider(),
        stack(),
        network,
        tier,
        resource("aws:ec2/subnet:Subnet", "network-b", network.urn),
        resource("aws:ec2/subnet:Subnet", "network-a", network.urn, source=SourcePosition("components/net.py", 42)),
        resource("aws:ec2/vpc:Vpc", "network", network.urn, protect=True),
        resource("aws:rds/subnetGroup:SubnetGroup", "data", tier.urn),
        resource("aws:kms/key:Key", "logs", protect=True),
        diagnostics=(
            Diagnostic(severity="warning", message="The name is long.\n", urn=urn("aws:kms/key:Key", "logs")),
        ),
        fidelity=Fidelity(known=1, total=3, unknown=(f"{network.urn}#vpcId", "gone#x")),
    )


def rule(id_: str, severity: Severity = Severity.HIGH, level: Level = Level.MANDATORY) -> ResourceRule:
    return ResourceRule(
        id=id_,
        sentence="000_b5883a9168e66709.txt 6: restrict access to necessary ports",
        title=f"The title of {id_}.",
        why="Otherwise it is open.",
        severity=severity,
        level=level,
        controls=("CIS 5.3", "NIST SC-7"),
        remedy="Close it.",
        types=frozenset({"aws:ec2/subnet:Subnet"}),
        check=lambda _resource, _context: (),
    )


def audit(findings: Sequence[Finding] = (), not_evaluated: Sequence[NotEvaluated] = (), **fields: Any) -> Audit:
    told: dict[str, Any] = {
        "stack": "staging",
        "environment": "staging",
        "findings": tuple(findings),
        "not_evaluated": tuple(not_evaluated),
        "rules": 42,
        "judgements": 1204,
        "idle": (),
    }
    return Audit(**{**told, **fields})


def printed(lines: Any) -> list[str]:
    """The lines as they reach a page, without styles."""
    return [line.plain.rstrip() for line in lines]
