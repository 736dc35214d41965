"""The audit trail with topics, as a program for the tests."""

from components._keys import Home
from components.alerts import Alerts, AlertsArgs
from components.audit_trail import AuditTrail, AuditTrailArgs, Exclusions
from runbook.preview.capture import capture
from settings.naming import Labels
from settings.severity import SEVERITIES

ACCOUNT = "210987654321"
LABELS = Labels(project="learning-platform", environment="staging", owner="platform", cost_center="lp")


def captured(region="eu-west-1", recovery="eu-central-1", buckets=(), **changes):
    """The graph of a stack with topics and an audit trail."""
    home = Home(partition="aws", account_id=ACCOUNT, region=region)

    def program():
        alerts = Alerts("alerts", AlertsArgs(home=home, email="on-call@learning.example", protect=True), labels=LABELS)
        arguments = {
            "home": home,
            "other_regions": (recovery,),
            "detection_regions": (region, recovery),
            "topic_arns": {severity: alerts.topic_arns[severity] for severity in SEVERITIES},
            "topic_key_arn": "arn:aws:kms:eu-west-1:210987654321:key/00000000-1111-2222-3333-444444444444",
            "exclusions": Exclusions(deployment=(f"arn:aws:iam::{ACCOUNT}:role/deploy",)),
            "data_bucket_arns": buckets,
            "log_retention_days": 365,
            "archive_days": 90,
            "expire_days": 2557,
            "lock_mode": "compliance",
            "lock_days": 400,
            "insights": True,
            "protect": True,
        }
        AuditTrail("audit", AuditTrailArgs(**{**arguments, **changes}), labels=LABELS)

    return capture(program, config={"aws:region": region})
