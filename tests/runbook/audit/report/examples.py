"""A report in which every status occurs, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from policies.rulebook.rule import Level, ResourceRule, Rule, Severity, StackRule
from policies.rulebook.runbook import Demand, Lines
from policies.rulebook.waivers import Waiver
from runbook.audit.evaluate import Audit, Finding, Judged, NotEvaluated
from runbook.audit.report.changes import Change, Changes
from runbook.audit.report.header import Hashes, Header, Source
from runbook.audit.report.model import Report, StackAudit
from runbook.audit.traces import Declaration, Trace
from runbook.preview.graph import STACK_TYPE, Fidelity, Graph, Resource, SourcePosition
from tests.runbook import graphs

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SUBNET = "aws:ec2/subnet:Subnet"
DATABASE = "aws:rds/instance:Instance"
HOSTILE = "<script>alert('x')</script>|`*_[a](b)_*`"

#: A value that a report must never show.
VALUE = "hunter2-the-value-of-a-property"

OPEN = graphs.rule("net-open", Severity.CRITICAL)
TAGS = replace(
    graphs.rule("gov-tags", Severity.LOW, Level.ADVISORY),
    sentence="002_3d1abe7e242e6afd.txt §7.1: Resource naming conventions",
    controls=("NIST CM-8", "Checkov CKV_AWS_1"),
)
ZONES = replace(
    graphs.rule("rds-zones", Severity.HIGH, Level.MANDATORY_IN_PROD),
    sentence="002_3d1abe7e242e6afd.txt §10: Implementation windows; 000_b5883a9168e66709.txt 6: restrict access",
    controls=("CIS 5.0 2.2.4", "FSBP RDS.5", "NIST CP-10"),
    types=frozenset({DATABASE}),
)
SEEN = StackRule(
    id="mon-seen",
    sentence="004_5ca73e3508d74ec8.txt Security Review: look at the logs",
    title="Somebody looks at the logs.",
    why="Otherwise nobody does.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SI-4", "NIST AC-6(2)"),
    remedy="Look at them.",
    types=frozenset({SUBNET}),
    check=lambda _stack: (),
)
IDLE = replace(
    graphs.rule("ecs-idle", Severity.MEDIUM),
    controls=("FSBP ECS.1",),
    types=frozenset({f"aws:ecs/{name}:{name.capitalize()}" for name in ("service", "cluster", "tag", "task")}),
)
RULES: tuple[Rule, ...] = (OPEN, TAGS, ZONES, SEEN, IDLE)


def waiver(rule: Rule, expires: date) -> Waiver:
    return Waiver(
        rule=rule.id,
        resource="stack",
        environment="staging",
        reason="The migration <b>comes</b> first.",
        owner="platform-team",
        ticket="OPS-123",
        expires=expires,
        line=12,
    )


def named(stack: str, type_: str, name: str, parent: str | None = None, **fields: Any) -> Resource:
    made = graphs.resource(type_, name, parent, **fields)
    return replace(
        made,
        urn=made.urn.replace(":staging:", f":{stack}:"),
        inputs={"password": VALUE},
        outputs={"password": VALUE, "more": VALUE},
    )


def graph(stack: str) -> Graph:
    root = named(stack, STACK_TYPE, f"shop-{stack}")
    network = named(stack, "shop:network:Network", "network", root.urn)
    at = SourcePosition("components/net work.py", 42)
    return graphs.graph(
        root,
        network,
        *(named(stack, SUBNET, name, network.urn, source=at) for name in ("a", "b", HOSTILE)),
        named(stack, DATABASE, "database", root.urn, source=SourcePosition("/elsewhere/db.py", 7)),
        stack=stack,
        config={"shop:secret": VALUE},
        exports={"secret": VALUE},
        fidelity=Fidelity(9, 10, ("u#p",)),
    )


def audit(stack: str, findings: Sequence[Finding] = (), missed: Sequence[NotEvaluated] = ()) -> Audit:
    """An audit of ``graph(stack)`` by ``RULES``, with everything met that can be met."""
    resources = graph(stack).resources
    judged = tuple(
        Judged(
            rule,
            tuple(each.urn for each in resources if each.type in rule.types)
            if isinstance(rule, ResourceRule)
            else (None,),
        )
        for rule in RULES
    )
    return graphs.audit(
        findings,
        missed,
        stack=stack,
        environment=stack,
        rules=len(RULES),
        judgements=sum(len(each.urns) for each in judged),
        idle=("ecs-idle",),
        judged=judged,
    )


def broken() -> StackAudit:
    """``staging``: a fault of each kind, and one that nobody could judge."""
    captured = graph("staging")
    a, b, hostile = captured.of(SUBNET)
    (database,) = captured.of(DATABASE)
    findings = [
        Finding(OPEN, "Port 22 is open.", a, True),
        Finding(OPEN, "Port 3389 is open.", a, True),
        Finding(OPEN, "It is open & <i>wide</i>.", hostile, True, None, waiver(OPEN, date(2026, 11, 1))),
        Finding(TAGS, "There are no tags.", b, False),
        Finding(ZONES, "There is one zone.", database, False, waiver(ZONES, date(2027, 1, 31))),
    ]
    missed = [NotEvaluated(OPEN, b.urn, "cidrBlock can't be\n known"), NotEvaluated(SEEN, None, "it is unknown")]
    return StackAudit(captured, audit("staging", findings, missed))


def clean(stack: str = "prod") -> StackAudit:
    return StackAudit(graph(stack), audit(stack))


def header(*stacks: str, **fields: Any) -> Header:
    told: dict[str, Any] = {
        "project": "shop",
        "at": NOW,
        "source": Source(commit="c0ffee" * 6 + "c0ff", dirty=True, prefix="infra/"),
        "hashes": {stack: Hashes(settings="5" * 64, graph="6" * 64) for stack in stacks},
        "tools": {"python": "3.11.7", "runbook": "0.1.0"},
    }
    return Header(**{**told, **fields})


CHANGES = Changes(
    since="2026-11-20T12:00:00Z at commit 0ddba11",
    new=(Change(stack="staging", rule="net-open", urn=graphs.urn(SUBNET, HOSTILE), sentence="It is <i>open</i>."),),
    still=(Change(stack="staging", rule="gov-tags", urn=None, sentence="There are no tags."),),
    waived=(),
    fixed=(Change(stack="staging", rule="net-open", urn="gone::x", sentence="Open.", how="the resource is gone"),),
    lost=(),
    first=("prod",),
    missing=("dev",),
)


def trace(rules: Sequence[str] = (), declared: Sequence[str] = (), done: Sequence[str] = (), **fields: Any) -> Trace:
    """A trace of a demand of run book 009; ``declared`` in staging alone."""
    told: dict[str, Any] = {
        "file": "009_abc.txt",
        "section": "§1",
        "lines": Lines(3, 3),
        "quote": f"Water it {HOSTILE}",
    }
    demand = Demand(**{**told, **fields})
    return Trace(
        demand=demand,
        rules=tuple(rules),
        declared=tuple(Declaration(name, ("staging",)) for name in declared),
        done=tuple(done),
        gaps=(demand.missing,) if demand.missing else (),
    )


def report(*stacks: StackAudit, **fields: Any) -> Report:
    shown = stacks or (broken(), clean())
    return Report(header=header(*(stack.name for stack in shown)), stacks=shown, **fields)
