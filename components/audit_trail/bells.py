"""How the watches ring: EventBridge rules, the topic they reach, and where they end when it cannot be reached."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from .. import iam
from .._base import Component
from .._dead_letters import dead_letters, let_rules_in
from .._keys import Home
from .._told import advice
from . import watches

if TYPE_CHECKING:
    from .component import AuditTrailArgs

_EVENTS = "events.amazonaws.com"


class Bells:
    """A rule per watch in the home region, and one in each other region that hands its events to the home region.

    Its resources are children of ``owner``.
    """

    def __init__(
        self, owner: Component, args: AuditTrailArgs, *, log_group_name: str, bucket_name: pulumi.Output[str]
    ) -> None:
        self._owner, self._args, self._home = owner, args, args.home
        self._bucket_name = bucket_name
        planned = watches.plan_watches(log_group_name, detection=bool(args.detection_regions))
        self._ring(planned)
        far = [watch for watch in planned if watch.everywhere]
        for region in watches.regions_to_listen_in(args.home.region, args.home.partition, args.other_regions):
            self._bring_home(region, far)

    def _ring(self, planned: Sequence[watches.Watch]) -> None:
        """The home region's rules publish with a role: a topic could not tell them from another account's."""
        name = f"{self._owner.name}-bells"
        topic = self._args.topic_arns["critical"]
        role = self._create_role(
            name,
            "Publishes what must be seen at once",
            self._home,
            *iam.publish([topic], self._args.topic_key_arn),
        )
        queue = dead_letters(self._owner, name)
        rules = []
        for watch in planned:
            rule = self._create_rule(f"{self._owner.name}-{watch.key}", watch)
            rules.append(rule)
            aws.cloudwatch.EventTarget(
                f"{self._owner.name}-{watch.key}",
                rule=rule.name,
                target_id="critical",
                arn=topic,
                role_arn=role.arn,
                input_transformer={
                    "input_paths": dict(watch.paths),
                    "input_template": watches.message(watch, self._physical(watch)),
                },
                dead_letter_config={"arn": queue.arn},
                retry_policy={"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 24},
                opts=self._owner.child(),
            )
        let_rules_in(self._owner, name, queue, rules)
        self._watch_queue(name, queue)

    def _bring_home(self, region: str, planned: Sequence[watches.Watch]) -> None:
        name = f"{self._owner.name}-{region}"
        bus = self._home.arn("events", "event-bus/default")
        there = Home(partition=self._home.partition, account_id=self._home.account_id, region=region)
        role = self._create_role(
            name, f"Hands events of {region} to {self._home.region}", there, iam.allow(["events:PutEvents"], [bus])
        )
        queue = dead_letters(self._owner, name, region=region)
        rules = []
        for watch in planned:
            rule = self._create_rule(f"{name}-{watch.key}", watch, region)
            rules.append(rule)
            aws.cloudwatch.EventTarget(
                f"{name}-{watch.key}",
                rule=rule.name,
                target_id="home",
                arn=bus,
                role_arn=role.arn,
                dead_letter_config={"arn": queue.arn},
                retry_policy={"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 24},
                region=region,
                opts=self._owner.child(),
            )
        let_rules_in(self._owner, name, queue, rules, region=region)

    def _physical(self, watch: watches.Watch) -> str:
        return self._owner.labels.physical(watch.key, limit=64)

    def _create_rule(self, name: str, watch: watches.Watch, region: str | None = None) -> aws.cloudwatch.EventRule:
        pattern = self._bucket_name.apply(partial(watches.render, watch)) if watch.of_bucket else watches.render(watch)
        return aws.cloudwatch.EventRule(
            name,
            name=self._physical(watch),
            description=f"{watch.title} ({watch.runbook})",
            event_pattern=pattern,
            state="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" if watch.reads else "ENABLED",
            region=region,
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )

    def _create_role(self, name: str, description: str, at: Home, *statements: iam.Statement) -> aws.iam.Role:
        """A role for this stack's rules in the region of ``at``; its statements are all that it may do."""
        own_rules = at.arn("events", f"rule/{self._owner.labels.project}-{self._owner.labels.environment}-*")
        role = aws.iam.Role(
            name,
            description=description,
            assume_role_policy=iam.trust(_EVENTS, account_id=at.account_id, source_arn=own_rules),
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )
        aws.iam.RolePolicy(name, role=role.name, policy=iam.document(*statements), opts=self._owner.child())
        return role

    def _watch_queue(self, name: str, queue: aws.sqs.Queue) -> None:
        """An alarm cannot look into another region, so only the home region's queue has one."""
        aws.cloudwatch.MetricAlarm(
            name,
            name=self._owner.labels.physical("undelivered-alerts", limit=255),
            alarm_description=advice(
                "high",
                "A critical alert could not be delivered",
                "Nobody knows of what it tells.",
                run_book="004_… Alert Escalation",
                first="Read the message in the queue and act on it, then repair the way to the topic.",
            ),
            namespace="AWS/SQS",
            metric_name="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": queue.name},
            statistic="Maximum",
            period=60,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[self._args.topic_arns["high"]],
            ok_actions=[self._args.topic_arns["high"]],
            tags=self._owner.tags(name, Severity="high"),
            opts=self._owner.child(),
        )
