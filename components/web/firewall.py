"""The web application firewall in front of the load balancer, and its log."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from .. import iam
from .._base import Component
from .._keys import log_group
from . import plan
from .args import WebTierArgs

#: What CloudWatch knows the web ACL by.
METRIC = "WebTier"


class Firewall:
    """A web ACL with AWS's managed groups and a rate limit. Its resources are children of ``owner``."""

    def __init__(self, owner: Component, args: WebTierArgs, load_balancer_arn: pulumi.Input[str]) -> None:
        self._owner, self._name = owner, f"{owner.name}-firewall"
        self.web_acl = self._create_web_acl(args)
        aws.wafv2.WebAclAssociation(
            self._name, resource_arn=load_balancer_arn, web_acl_arn=self.web_acl.arn, opts=owner.child()
        )
        self.log_group = self._create_log(args)

    def _create_web_acl(self, args: WebTierArgs) -> aws.wafv2.WebAcl:
        return aws.wafv2.WebAcl(
            self._name,
            description="Guards the web tier",
            scope="REGIONAL",
            default_action={"allow": {}},
            rules=[_rate_limit(args.requests_per_5_minutes), *map(_managed, plan.MANAGED_GROUPS)],
            visibility_config=_visibility(METRIC),
            tags=self._owner.tags(self._name),
            opts=self._owner.child(),
        )

    def _create_log(self, args: WebTierArgs) -> aws.cloudwatch.LogGroup:
        home = args.home
        group = log_group(
            self._owner,
            self._name,
            # The service takes no other prefix.
            f"aws-waf-logs-{self._owner.labels.physical(self._owner.name)}",
            retention_days=args.log_retention_days,
            key_arn=args.logs_key_arn,
        )
        # Without a policy of its own the service widens one that all web ACLs of the account share, until it is full.
        policy = aws.cloudwatch.LogResourcePolicy(
            self._name,
            policy_name=self._owner.labels.physical(self._name),
            policy_document=iam.document(
                iam.allow_service(
                    "delivery.logs.amazonaws.com",
                    ["logs:CreateLogStream", "logs:PutLogEvents"],
                    [pulumi.Output.concat(group.arn, ":*")],
                    sid="FirewallWrites",
                    condition={
                        "ArnLike": {"aws:SourceArn": home.arn("logs", "*")},
                        "StringEquals": {"aws:SourceAccount": home.account_id},
                    },
                )
            ),
            opts=self._owner.child(),
        )
        aws.wafv2.WebAclLoggingConfiguration(
            self._name,
            resource_arn=self.web_acl.arn,
            log_destination_configs=[group.arn],
            redacted_fields=[{"single_header": {"name": header}} for header in plan.REDACTED_HEADERS],
            opts=self._owner.child(depends_on=[policy]),
        )
        return group


def _rate_limit(requests_per_5_minutes: int) -> aws.wafv2.WebAclRuleArgsDict:
    return {
        "name": "RateLimit",
        "priority": 0,
        "action": {"block": {"custom_response": {"response_code": 429}}},
        "statement": {
            "rate_based_statement": {
                "aggregate_key_type": "IP",
                "evaluation_window_sec": 300,
                "limit": requests_per_5_minutes,
            }
        },
        "visibility_config": _visibility("RateLimit"),
    }


def _managed(group: plan.ManagedGroup) -> aws.wafv2.WebAclRuleArgsDict:
    return {
        "name": group.name,
        "priority": group.priority,
        "override_action": {"none": {}},
        "statement": {
            "managed_rule_group_statement": {
                "name": group.name,
                "vendor_name": "AWS",
                "rule_action_overrides": [{"name": rule, "action_to_use": {"count": {}}} for rule in group.counted],
            }
        },
        "visibility_config": _visibility(group.name),
    }


def _visibility(metric: str) -> aws.wafv2.WebAclVisibilityConfigArgsDict:
    return {"cloudwatch_metrics_enabled": True, "metric_name": metric, "sampled_requests_enabled": True}
