"""A stack with one resource of every type that can be watched, and the monitoring of all of them."""

from __future__ import annotations

import json

import pulumi_aws as aws

from components._keys import Home
from components.monitoring import Links, Monitoring, MonitoringArgs, facts
from runbook.preview.capture import capture
from runbook.preview.graph import Graph
from settings.naming import Labels
from settings.thresholds import ThresholdSettings

ACCOUNT, REGION = "210987654321", "us-east-1"
HOME = Home(partition="aws", account_id=ACCOUNT, region=REGION)
LABELS = Labels(project="learning-platform", environment="prod", owner="platform", cost_center="lp")
SEVERITIES = ("critical", "high", "medium", "low")

#: Namespace of what the flow log's filter counts.
REJECTS = "learning-platform-prod-network"

EVERYTHING = facts.Facts(
    region=REGION,
    group=facts.Group(least=1, most=2),
    balancer=facts.Balancer(),
    database=facts.Database(max_connections=901, storage_gib=100, memory_gib=8.0, processors=2, burstable=True),
    hosts=("bastion",),
    gateways=("nat-us-east-1a",),
    certificates=("certificate",),
    firewalls=("firewall",),
    topics=("replies",),
    rejects=REJECTS,
    functions=(facts.Function(ref="notify", timeout_seconds=60),),
    queues=(facts.Queue(ref="inbox"), facts.Queue(ref="dead-letters", dead_letters=True)),
    machines=("escalation",),
    tables=("records",),
    schedules=("nightly",),
    rules=("root-use",),
    vaults=("weekly",),
    distributions=("frontend",),
    containers=(facts.Container(ref="backend", cluster="cluster", least=2),),
)


def _watched() -> dict:
    """Declares the resources; reference -> what CloudWatch knows each by."""
    group = aws.autoscaling.Group("web", min_size=1, max_size=2)
    balancer = aws.lb.LoadBalancer("web", load_balancer_type="application")
    targets = aws.lb.TargetGroup("web", protocol="HTTP", port=8080)
    database = aws.rds.Instance(
        "database",
        identifier="learning-platform-prod-db",
        instance_class="db.t4g.large",
        allocated_storage=100,
        performance_insights_enabled=True,
    )
    bastion = aws.ec2.Instance("bastion", instance_type="t3.micro")
    gateway = aws.ec2.NatGateway("nat-us-east-1a", subnet_id="subnet-1")
    certificate = aws.acm.Certificate("web", domain_name="app.learning.example")
    firewall = aws.wafv2.WebAcl(
        "web",
        scope="REGIONAL",
        default_action={"allow": {}},
        visibility_config={
            "cloudwatch_metrics_enabled": True,
            "metric_name": "WebTier",
            "sampled_requests_enabled": True,
        },
    )
    aws.cloudwatch.LogMetricFilter(
        "rejected",
        log_group_name="flow",
        pattern="REJECT",
        metric_transformation={"name": "RejectedConnections", "namespace": REJECTS, "value": "1"},
    )
    cluster = aws.ecs.Cluster("cluster")
    return {
        "group": group.name,
        "balancer": balancer.arn_suffix,
        "target-group": targets.arn_suffix,
        "database": database.identifier,
        "bastion": bastion.id,
        "nat-us-east-1a": gateway.id,
        "certificate": certificate.arn,
        "firewall": firewall.visibility_config.metric_name,
        "cluster": cluster.name,
        "backend": aws.ecs.Service("backend", cluster=cluster.arn).name,
        "frontend": aws.cloudfront.Distribution(
            "frontend",
            enabled=True,
            origins=[],
            default_cache_behavior={
                "allowed_methods": ["GET"],
                "cached_methods": ["GET"],
                "target_origin_id": "site",
                "viewer_protocol_policy": "redirect-to-https",
            },
            restrictions={"geo_restriction": {"restriction_type": "none"}},
            viewer_certificate={},
        ).id,
        **_runtime(),
    }


def _runtime() -> dict:
    dead_letters = aws.sqs.Queue("dead-letters")
    inbox = aws.sqs.Queue(
        "inbox",
        redrive_policy=dead_letters.arn.apply(
            lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5}, sort_keys=True)
        ),
    )
    rule = aws.cloudwatch.EventRule("root-use", event_pattern="{}")
    aws.cloudwatch.EventTarget("root-use", rule=rule.name, arn="arn:aws:sns:us-east-1:210987654321:alerts")
    return {
        "replies": aws.sns.Topic("replies").name,
        "notify": aws.lambda_.Function("notify", role="arn:aws:iam::210987654321:role/notify", timeout=60).name,
        "inbox": inbox.name,
        "dead-letters": dead_letters.name,
        "escalation": aws.sfn.StateMachine(
            "escalation", role_arn="arn:aws:iam::210987654321:role/escalation", definition="{}"
        ).arn,
        "records": aws.dynamodb.Table("records", attributes=[{"name": "id", "type": "S"}], hash_key="id").name,
        "nightly": aws.scheduler.ScheduleGroup("nightly").name,
        "root-use": rule.name,
        "weekly": aws.backup.Vault("weekly").name,
    }


def estate(*, thresholds: ThresholdSettings | None = None, labels: Labels = LABELS, **changes) -> Graph:
    """The captured stack; ``changes``: of the monitoring's arguments."""

    def program() -> None:
        topics = {
            severity: aws.sns.Topic(f"alerts-{severity}", name=labels.physical("alerts", severity, limit=256)).arn
            for severity in SEVERITIES
        }
        log = aws.cloudwatch.LogGroup("application", name="/learning-platform/prod/web/application")
        given = {
            "home": HOME,
            "thresholds": thresholds or ThresholdSettings(),
            "facts": EVERYTHING,
            "references": _watched(),
            "topic_arns": topics,
            "links": Links(site="https://app.learning.example", run_books="https://wiki.learning.example/run-books"),
            "application_log": log.name,
        }
        Monitoring("monitoring", MonitoringArgs(**(given | changes)), labels=labels)

    config = {"aws:region": REGION, "aws:allowedAccountIds": json.dumps([ACCOUNT])}
    return capture(program, stack="prod", config=config)
