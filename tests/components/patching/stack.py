"""A stack with the patching component alone."""

import json

from components._keys import Home
from components.patching import Patching, PatchingArgs
from runbook.preview.capture import capture
from settings.naming import Labels
from settings.patching import PatchingSettings

ACCOUNT = "210987654321"
HOME = Home(partition="aws", account_id=ACCOUNT, region="us-east-1")
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:learning-platform-alerts"
TOPIC_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
LOGS_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/99999999-2222-3333-4444-555555555555"
CALENDAR = "learning-platform-staging-changes"
TARGETS = f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:targetgroup/web/0123456789abcdef"


def labels(environment="staging"):
    return Labels(project="learning-platform", environment=environment, owner="platform", cost_center="lp")


def patching(*, environment="staging", image_pinned=False, **said):
    """The graph of the component with the settings that ``said`` holds; it exports the inventory's entry."""
    args = PatchingArgs(
        home=HOME,
        settings=PatchingSettings.model_validate(said),
        calendar_name=CALENDAR,
        calendar_arn=HOME.arn("ssm", f"document/{CALENDAR}"),
        scaling_group="web-1234567",
        target_group_arn=TARGETS,
        image_pinned=image_pinned,
        topic_arns={severity: f"{TOPIC}-{severity}" for severity in ("critical", "high", "medium", "low")},
        topic_key_arn=TOPIC_KEY,
        logs_key_arn=LOGS_KEY,
    )
    config = {"aws:region": "us-east-1", "aws:allowedAccountIds": json.dumps([ACCOUNT])}

    def program():
        import pulumi

        pulumi.export("entry", Patching("patching", args, labels=labels(environment)).entry)

    return capture(program, config=config)
