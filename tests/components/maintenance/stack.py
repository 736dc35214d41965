"""A stack with the maintenance component alone."""

import json
from ipaddress import IPv4Network

from components._keys import Home
from components.maintenance import Balancer, Maintenance, MaintenanceArgs
from runbook.preview.capture import capture
from settings.maintenance import MaintenanceSettings
from settings.naming import Labels

ACCOUNT = "210987654321"
LABELS = Labels(project="learning-platform", environment="staging", owner="platform", cost_center="lp")
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:learning-platform-staging-alerts"
TOPIC_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
LISTENER = f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:listener/app/web/0123456789abcdef/fedcba9876543210"
LIVE = f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:targetgroup/web/0123456789abcdef"

SERVER = {
    "instance_id": "i-0a1b2c3d4e5f60718",
    "host": "prime.learning.example",
    "allocation_id": "eipalloc-0a1b2c3d4e5f60718",
    "address": "198.51.100.7",
    "zone_id": "Z04178273JX5QN8VKM2TD",
}


def maintenance(*, admin_cidrs=("203.0.113.0/28",), protect=True, backup_document=None, statements=(), **said):
    """The graph of the component with the settings that ``said`` holds."""
    args = MaintenanceArgs(
        home=Home(partition="aws", account_id=ACCOUNT, region="us-east-1"),
        settings=MaintenanceSettings.model_validate({"enabled": True, **said}),
        host="app.learning.example",
        vpc_id="vpc-1",
        subnet_id="subnet-public",
        admin_cidrs=tuple(map(IPv4Network, admin_cidrs)),
        balancer=Balancer(
            arn_suffix="app/web/0123456789abcdef",
            listener_arn=LISTENER,
            target_group_arn=LIVE,
            security_group_id="sg-balancer",
        ),
        topic_arns={severity: f"{TOPIC}-{severity}" for severity in ("critical", "high", "medium", "low")},
        topic_key_arn=TOPIC_KEY,
        backup_document=backup_document,
        instance_statements=statements,
        log_retention_days=365,
        protect=protect,
    )
    config = {"aws:region": "us-east-1", "aws:allowedAccountIds": json.dumps([ACCOUNT])}

    def program():
        import pulumi

        pulumi.export("entry", Maintenance("maintenance", args, labels=LABELS).entry)

    return capture(program, config=config)
