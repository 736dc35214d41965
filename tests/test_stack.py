"""The real program with the real stack files and every rule over it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from policies.rulebook import RULES
from policies.rulebook.context import of_project
from runbook.audit.evaluate import audit
from runbook.preview import digest
from runbook.preview.project import preview

ROOT = Path(__file__).parents[1]
STACKS = ("dev", "prod", "staging")

SYSTEMS = {
    "Alerts",
    "Archive",
    "Backup",
    "AuditTrail",
    "Bastion",
    "ChangeCalendar",
    "CostGuards",
    "Database",
    "Encryption",
    "Escalation",
    "Inventory",
    "LogQueries",
    "Monitoring",
    "Network",
    "Patching",
    "WebTier",
}

#: Systems that a stack has only where its settings ask for them.
OPTIONAL = {
    "dev": {"Mutes", "Schedule"},
    "prod": {"Alerting", "Grafana", "Maintenance", "Prometheus"},
    "staging": {"Alerting", "Maintenance", "Mutes", "Prometheus", "Schedule"},
}


@pytest.fixture(scope="module")
def graphs():
    return {stack: preview(stack, ROOT) for stack in STACKS}


@pytest.mark.parametrize("stack", STACKS)
def test_no_rule_is_broken_and_none_is_left_unjudged(graphs, stack):
    audited = audit(graphs[stack], of_project(ROOT, stack))
    assert [(finding.rule.id, finding.sentence) for finding in audited.findings] == []
    assert [(missed.rule.id, missed.urn) for missed in audited.not_evaluated] == []


#: Rules about what prod does not declare: users and keys of IAM, secrets of its own, containers, distributions, stops.
IDLE = {
    "cf-logs",
    "cf-tls-and-origin",
    "ecr-immutable-scan",
    "ecs-autoscale-70",
    "ecs-insights",
    "ecs-no-secret-env",
    "ecs-service-safe",
    "ecs-task-hardening",
    "glacier-vault-legacy",
    "gov-closed-services",
    "iam-no-users-or-keys",
    "iam-password-policy",
    "sched-dlq-retry",
    "sched-not-prod",
    "sched-paired",
    "secret-cmk-and-recovery",
}


def test_every_rule_meets_something_in_prod(graphs):
    assert set(audit(graphs["prod"], of_project(ROOT, "prod")).idle) == IDLE


@pytest.mark.parametrize("stack", STACKS)
def test_everything_is_known(graphs, stack):
    assert graphs[stack].fidelity.unknown == ()


@pytest.mark.parametrize("stack", STACKS)
def test_a_second_run_changes_nothing(graphs, stack):
    again = preview(stack, ROOT)
    assert [a.urn for a, b in zip(again.resources, graphs[stack].resources, strict=True) if a != b] == []
    first, second = digest.digest(graphs[stack]), digest.digest(again)
    assert [key for key in first.keys() | second.keys() if first.get(key) != second.get(key)] in ([], ["duration"])


@pytest.mark.parametrize("stack", STACKS)
def test_the_systems_are_there(graphs, stack):
    components = {r.type.rpartition(":")[2] for r in graphs[stack].resources if r.type.startswith("learning-platform:")}
    assert components == SYSTEMS | OPTIONAL[stack]


def test_prod_survives_a_zone_and_the_others_cost_less(graphs):
    kinds = {stack: Counter(r.type for r in graph.resources) for stack, graph in graphs.items()}
    assert {s: kinds[s]["aws:ec2/natGateway:NatGateway"] for s in STACKS} == {"dev": 1, "prod": 3, "staging": 1}
    databases = {s: graphs[s].one("aws:rds/instance:Instance") for s in STACKS}
    assert {s: d.inputs["multiAz"] for s, d in databases.items()} == {"dev": False, "prod": True, "staging": True}
    assert {s: d.protect for s, d in databases.items()} == {"dev": False, "prod": True, "staging": True}


def test_the_group_scales_between_one_and_two_everywhere(graphs):
    groups = [graph.one("aws:autoscaling/group:Group").inputs for graph in graphs.values()]
    assert {(group["minSize"], group["maxSize"]) for group in groups} == {(1, 2)}


@pytest.mark.parametrize("stack", STACKS)
def test_every_resource_is_in_a_component_and_declared_in_the_project(graphs, stack):
    own = [r for r in graphs[stack].resources if r.custom and not r.type.startswith("pulumi:")]
    components = {r.urn for r in graphs[stack].resources if r.type.startswith("learning-platform:")}
    assert {r.parent for r in own} <= components
    assert {r.declared_at.file.partition("/")[0] for r in own} == {"components"}


@pytest.mark.parametrize("stack", STACKS)
def test_exports_tell_how_to_get_in(graphs, stack):
    exports = graphs[stack].exports
    ways = {"dev": {"ssm"}, "prod": {"ssm"}, "staging": {"ssh", "ssm"}}[stack]
    assert exports["connect"].keys() == ways | {"databaseTunnel"}
    assert exports["database"]["endpoint"].partition(":")[0] in exports["connect"]["databaseTunnel"]


def test_an_encrypted_address_stays_secret_in_the_state(tmp_path):
    code, printed, complaint = broken(
        tmp_path,
        "Pulumi.prod.yaml",
        "alerts_email: platform-oncall@learning.example",
        "alerts_email: {secure: v1:abc:def}",
        arguments=("--json",),
    )
    assert (code, complaint) == (0, "")
    steps = json.loads(printed)["steps"]
    types = {step["newState"]["urn"]: step["newState"]["inputs"] for step in steps}
    subscriptions = [inputs for urn, inputs in types.items() if "TopicSubscription" in urn]
    endpoints = {inputs["endpoint"] for inputs in subscriptions if inputs["protocol"] == "email"}
    assert endpoints == {"[secret]"}
    assert "v1:abc" not in printed


def test_rule_ids_are_unique():
    assert [name for name, count in Counter(rule.id for rule in RULES).items() if count > 1] == []


def broken(tmp_path, file, old, new, *, arguments=()):
    """Exit code, printed text and complaint of a preview of the project with one line changed."""
    folder = tmp_path / "project"
    ignored = shutil.ignore_patterns(".venv", ".git", ".*_cache", "__pycache__", "tests", "docs", "*.egg-info", "build")
    shutil.copytree(ROOT, folder, ignore=ignored)
    source = folder / file
    text = source.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file} holds {old!r} {text.count(old)} times"
    source.write_text(text.replace(old, new), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "runbook", "preview", "prod", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


#: rule that must be named -> the component's file, what stands there and what replaces it
BREACHES = {
    "net-nacl-no-world-admin": ("network/plan.py", "ANYWHERE, _only(80)\n    if", "ANYWHERE, (22, 80)\n    if"),
    "net-flow-logs": ("network/component.py", '"ALL"', '"REJECT"'),
    "net-subnet-no-auto-public-ip": ("network/component.py", "ip_on_launch=False", "ip_on_launch=True"),
    "rds-encrypted": ("database/component.py", "storage_encrypted = True", "storage_encrypted = False"),
    "rds-not-public": ("database/component.py", "accessible = False", "accessible = True"),
    "rds-deletion-guard": ("database/component.py", "automated_backups = False", "automated_backups = True"),
    "asg-memory-metric-is-fed": ("web/agent.py", "cloudwatch:PutMetricData", "cloudwatch:GetMetricData"),
    "asg-elb-health-check": ("web/fleet.py", '"ELB"', '"EC2"'),
    "ec2-imdsv2": ("web/fleet.py", '"http_tokens": "required"', '"http_tokens": "optional"'),
    "asg-bounds": ("web/fleet.py", "max_size=args.max_instances", "max_size=5"),
    "mon-events-arrive": (
        "audit_trail/bells.py",
        "*iam.publish([topic], self._args.topic_key_arn)",
        'iam.allow(["sns:Subscribe"], [topic])',
    ),
    "mon-topic-read": ("alerts.py", 'protocol="email"', 'protocol="https"'),
    "mon-escalation-chain": (
        "escalation/grants.py",
        'iam.allow(["states:SendTaskSuccess"], [places.machine]',
        'iam.allow(["states:SendTaskFailure"], [places.machine]',
    ),
    "mon-seen-in-seconds": (
        "audit_trail/watches.py",
        "        everywhere=True,\n        reads=reads,",
        "        everywhere=False,\n        reads=reads,",
    ),
    "mon-prometheus-whole": ("prometheus/alerting.py", "        self._create_alert_manager(args)\n", ""),
    "iam-role-able": (
        "audit_trail/store.py",
        '["logs:CreateLogStream", "logs:PutLogEvents"], [streams]',
        '["logs:CreateLogStream"], [streams]',
    ),
    "mon-log-group-declared": (
        "escalation/component.py",
        '                "log_group": self._groups[function].name,\n',
        "",
    ),
    "mon-messages-read": ("escalation/grants.py", '"sqs:ReceiveMessage"]', '"sqs:ListQueues"]'),
    "mon-alarm-watches": ("log_queries.py", "detector.detector_name.apply(str)", '"anomalies"'),
    "trail-kept": ("audit_trail/store.py", "        self._lock(args)\n", ""),
}


@pytest.mark.parametrize(("rule", "change"), BREACHES.items(), ids=BREACHES)
def test_a_weakened_line_is_refused_by_the_rule_that_guards_it(tmp_path, rule, change):
    file, old, new = change
    code, printed, complaint = broken(tmp_path, f"components/{file}", old, new)
    assert (code, complaint) == (1, "")
    assert rule in printed


#: file, what stands there, what replaces it -> what the person must read
MISTAKES = [
    (
        "components/web/fleet.py",
        '"http_tokens": "required"',
        '"http_token": "required"',
        "components/web/fleet.py:",
        "there is no property 'metadataOptions.http_token'; did you mean 'httpTokens'?",
    ),
    ("components/database/component.py", 'engine="postgres",', "engine=3 / 0,", "ZeroDivisionError", "engine=3 / 0,"),
    ("__main__.py", 'pulumi.export("url", web.url)', "web.nonsense", "__main__.py:", "AttributeError"),
    (
        "Pulumi.prod.yaml",
        "learning-platform:protect:",
        "learning-platform:protekt:",
        "Pulumi.prod.yaml:",
        "protekt",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "first", "second"), MISTAKES, ids=[case[3] for case in MISTAKES])
def test_a_mistake_is_told_without_a_traceback(tmp_path, file, old, new, first, second):
    code, printed, complaint = broken(tmp_path, file, old, new)
    assert (code, printed) == (2, "")
    assert first in complaint
    assert second in complaint
    assert "Traceback" not in complaint


def test_the_alarms_are_shown_resource_by_resource_where_asked_for():
    arguments = [sys.executable, "-m", "runbook", "audit", "dev", "--alarms"]
    lines = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "database (rds.Instance)" in lines
    assert any(line.split()[:2] == ["present", "DatabaseConnections"] for line in lines)
    assert lines[-2].endswith("0 waived, 0 missing")


def test_the_document_for_machines_is_the_only_thing_printed():
    done = subprocess.run(
        [sys.executable, "-m", "runbook", "preview", "dev", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(done.stdout)
    assert document["changeSummary"] == {"create": len(document["steps"])}
    assert {step["op"] for step in document["steps"]} == {"create"}
    assert done.stderr == ""
