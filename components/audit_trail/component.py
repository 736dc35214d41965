"""The audit trail: declares what ``filters`` and ``watches`` say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from settings.naming import Labels
from settings.severity import Severity

from .._base import Component
from .._keys import Home
from .._told import advice
from . import filters
from .bells import Bells
from .detection import Detection
from .store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditTrailArgs:
    """``topic_arns``: severity -> topic; ``topic_key_arn``: the key that encrypts them.

    ``other_regions``: beside the home region, where calls are watched too (the recovery region).
    ``detection_regions``: where GuardDuty and the like are declared; none where the organisation does it.
    ``exclusions``: who is expected to do what the paging filters look for.
    ``data_bucket_arns``: buckets whose objects' reads and writes are recorded (evidence, backups).
    ``log_retention_days``: of the log group and of the bucket's own access log; ``archive_days`` and ``expire_days``:
    when the bucket's objects move to Glacier and when they go; ``lock_days``: how long nobody can delete them, in
    ``lock_mode`` governance save with a permission of its own, in compliance without exception.
    """

    home: Home
    other_regions: tuple[str, ...]
    detection_regions: tuple[str, ...]
    topic_arns: Mapping[Severity, pulumi.Input[str]]
    topic_key_arn: pulumi.Input[str]
    exclusions: filters.Exclusions
    data_bucket_arns: Sequence[pulumi.Input[str]]
    log_retention_days: int
    archive_days: int
    expire_days: int
    lock_mode: Literal["governance", "compliance"]
    lock_days: int
    insights: bool
    protect: bool


class AuditTrail(Component):
    """A trail of every region, kept where nobody can change it, and what is told of it (``000_… §7``, ``001_… §4``).

    A metric filter counts an event some minutes after the call, and feeds an alarm: fifteen controls of CIS in two
    tiers, and three of our own. What cannot wait goes through EventBridge in seconds.
    """

    TYPE = "learning-platform:audit-trail:AuditTrail"
    SERVICE = "audit-trail"
    RUNBOOK = "000_b5883a9168e66709.txt 7"

    trail_arn: pulumi.Output[str]
    log_group_name: pulumi.Output[str]
    log_group_arn: pulumi.Output[str]
    bucket_name: pulumi.Output[str]
    key_arn: pulumi.Output[str]
    #: Where the filters' metrics are.
    metric_namespace: str
    #: filter (``root-use-tuned``) -> name of its alarm
    alarm_names: Mapping[str, pulumi.Output[str]]

    def __init__(
        self, name: str, args: AuditTrailArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        group_name = labels.path("audit", "trail")
        trail_name = labels.physical("audit", limit=128)
        self.metric_namespace = labels.physical("audit", limit=255)
        self._store = Store(self, args, trail_name=trail_name, log_group_name=group_name)
        self._trail = self._create_trail(args, trail_name)
        self.alarm_names = self._create_filters(args)
        self._watch_silence(args)
        Detection(self, args.detection_regions)
        Bells(self, args, log_group_name=group_name, bucket_name=self._store.bucket.bucket.bucket)
        self.trail_arn = self._trail.arn
        self.log_group_name = self._store.group.name
        self.log_group_arn = self._store.group.arn
        self.bucket_name = self._store.bucket.bucket.bucket
        self.key_arn = self._store.key.arn
        self.register_outputs(
            {
                "trailArn": self.trail_arn,
                "logGroupName": self.log_group_name,
                "bucketName": self.bucket_name,
                "keyArn": self.key_arn,
                "metricNamespace": self.metric_namespace,
                "alarmNames": self.alarm_names,
            }
        )

    def _create_trail(self, args: AuditTrailArgs, trail_name: str) -> aws.cloudtrail.Trail:
        insights = ("ApiCallRateInsight", "ApiErrorRateInsight") if args.insights else ()
        return aws.cloudtrail.Trail(
            self.name,
            name=trail_name,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_logging=True,
            enable_log_file_validation=True,
            kms_key_id=self._store.key.arn,
            # CloudTrail tries whether it may write, so the policies have to be there before.
            s3_bucket_name=self._store.bucket.policy.bucket,
            cloud_watch_logs_group_arn=pulumi.Output.concat(self._store.group.arn, ":*"),
            cloud_watch_logs_role_arn=self._store.role.arn,
            advanced_event_selectors=_selectors(args.data_bucket_arns),
            insight_selectors=[{"insight_type": insight} for insight in insights],
            tags=self.tags(self.name),
            opts=self.child(protect=args.protect, depends_on=[self._store.may_write]),
        )

    def _create_filters(self, args: AuditTrailArgs) -> dict[str, pulumi.Output[str]]:
        return {
            f"{planned.key}-{planned.tier}": self._create_filter(planned, args)
            for planned in filters.plan_filters(args.exclusions)
        }

    def _create_filter(self, planned: filters.Filter, args: AuditTrailArgs) -> pulumi.Output[str]:
        name = f"{self.name}-{planned.key}-{planned.tier}"
        physical = self.labels.physical(planned.key, planned.tier, limit=255)
        counter = aws.cloudwatch.LogMetricFilter(
            name,
            name=physical,
            log_group_name=self._store.group.name,
            pattern=planned.pattern,
            metric_transformation={
                "name": planned.metric,
                "namespace": self.metric_namespace,
                "value": "1",
                "default_value": "0",
                "unit": "Count",
            },
            opts=self.child(),
        )
        transformation = counter.metric_transformation
        return aws.cloudwatch.MetricAlarm(
            name,
            name=physical,
            alarm_description=planned.description,
            namespace=transformation.namespace,
            metric_name=transformation.name,
            statistic="Sum",
            period=300,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            # No events is the rule here, not a fault.
            treat_missing_data="notBreaching",
            alarm_actions=[args.topic_arns[planned.severity]],
            tags=self.tags(name, Severity=planned.severity),
            opts=self.child(),
        ).name

    def _watch_silence(self, args: AuditTrailArgs) -> None:
        """An account is never without calls for two hours: a log that gets none has lost its trail."""
        name = f"{self.name}-silence"
        aws.cloudwatch.MetricAlarm(
            name,
            name=self.labels.physical("trail-silence", limit=255),
            alarm_description=advice(
                "high",
                "The trail has written no event for two hours",
                "No filter counts, and what happens may leave no trace.",
                run_book="000_… §7 CloudTrail",
                first="Ask aws cloudtrail get-trail-status what it could not write to, and why.",
            ),
            namespace="AWS/Logs",
            metric_name="IncomingLogEvents",
            dimensions={"LogGroupName": self._store.group.name},
            statistic="Sum",
            period=3600,
            evaluation_periods=2,
            threshold=1,
            comparison_operator="LessThanThreshold",
            treat_missing_data="breaching",
            alarm_actions=[args.topic_arns["high"]],
            ok_actions=[args.topic_arns["high"]],
            tags=self.tags(name, Severity="high"),
            opts=self.child(),
        )


def _selectors(
    data_bucket_arns: Sequence[pulumi.Input[str]],
) -> list[aws.cloudtrail.TrailAdvancedEventSelectorArgsDict]:
    """Every management event, those of KMS too, and reads and writes of the objects in ``data_bucket_arns``."""
    selectors: list[aws.cloudtrail.TrailAdvancedEventSelectorArgsDict] = [
        {"name": "Management events", "field_selectors": [{"field": "eventCategory", "equals": ["Management"]}]}
    ]
    if data_bucket_arns:
        objects = [pulumi.Output.concat(arn, "/") for arn in data_bucket_arns]
        selectors.append(
            {
                "name": "Objects of evidence and backups",
                "field_selectors": [
                    {"field": "eventCategory", "equals": ["Data"]},
                    {"field": "resources.type", "equals": ["AWS::S3::Object"]},
                    {"field": "resources.ARN", "starts_withs": objects},
                ],
            }
        )
    return selectors
