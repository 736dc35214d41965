"""The monitoring component: declares the alarms of the matrix and the dashboard that shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from settings.naming import Labels
from settings.severity import Severity

from .._base import Component
from .._keys import Home
from . import dashboard
from .facts import Facts, alert_topic
from .matrix import (
    RESPONSE_MINUTES,
    AlarmSpec,
    CompositeSpec,
    Matrix,
    Metric,
    Reference,
    description,
    plan_matrix,
)

if TYPE_CHECKING:
    from settings.thresholds import ThresholdSettings

_COMPARISONS: Mapping[str, str] = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
}
_BAND_COMPARISONS: Mapping[str, str] = {
    ">": "GreaterThanUpperThreshold",
    "<": "LessThanLowerThreshold",
    "outside": "LessThanLowerOrGreaterThanUpperThreshold",
}

#: The band's name in metric math.
_BAND = "usual"

#: Seconds that a composite waits for the alarm it stands behind: that one takes two minutes longer to ring.
_WAIT = 120

#: The pattern of the run book's own search for errors (``004_… Morning Health Check``).
_ERRORS = "ERROR"


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitoringArgs:
    """``facts``: what there is; the component adds the topics and the application's log to it.

    ``references``: each reference in ``facts`` -> what CloudWatch knows the resource by. ``topic_arns``: severity ->
    topic. ``application_log``: log group in which errors are counted, None without one. ``response_minutes``: severity
    -> minutes until somebody answers, None for the next business day.
    """

    home: Home
    thresholds: ThresholdSettings
    facts: Facts
    references: Mapping[Reference, pulumi.Input[str]]
    topic_arns: Mapping[Severity, pulumi.Input[str]]
    links: dashboard.Links
    application_log: pulumi.Input[str] | None = None
    response_minutes: Mapping[Severity, int | None] | None = None


class Monitoring(Component):
    """An alarm for each line of the matrix, composite alarms for outages, and the environment's dashboard."""

    TYPE = "learning-platform:monitoring:Monitoring"
    SERVICE = "monitoring"
    RUNBOOK = "004_5ca73e3508d74ec8.txt Key Metrics to Monitor"

    #: Every alarm as data, for whoever says the same in another language.
    matrix: Matrix
    #: severity -> minutes until somebody answers, None for the next business day
    response_minutes: Mapping[Severity, int | None]
    #: reference -> what CloudWatch knows the resource by
    references: Mapping[Reference, pulumi.Input[str]]
    #: key -> the alarm's name, composites included; names are known before anything is made
    alarm_names: Mapping[str, str]
    alarm_arns: Mapping[str, pulumi.Output[str]]
    dashboard_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: MonitoringArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._args = args
        self.response_minutes = {**RESPONSE_MINUTES, **(args.response_minutes or {})}
        self._count_errors()
        self.matrix = plan_matrix(args.thresholds, self._facts())
        self.references = self._resolve()
        self.alarm_names = {spec.key: self._physical(spec.key) for spec in self._specs()}
        self._alarms = {spec.key: self._create_alarm(spec) for spec in self.matrix.alarms}
        self._composites = self._create_composites()
        self.alarm_arns = {
            **{key: self._arn(composite.alarm_name) for key, composite in self._composites.items()},
            **{key: self._arn(alarm.name) for key, alarm in self._alarms.items()},
        }
        self.dashboard_name = self._create_dashboard().dashboard_name
        self.register_outputs({"alarmArns": self.alarm_arns, "dashboardName": self.dashboard_name})

    def _physical(self, key: str) -> str:
        return self.labels.physical(key, limit=255)

    def _arn(self, name: pulumi.Output[str]) -> pulumi.Output[str]:
        """The ARN of an alarm, made from its name: it is known in a preview already, and so is the dashboard."""
        return name.apply(lambda known: self._args.home.arn("cloudwatch", f"alarm:{known}"))

    def _specs(self) -> Sequence[AlarmSpec | CompositeSpec]:
        return (*self.matrix.composites, *self.matrix.alarms)

    def _facts(self) -> Facts:
        """What there is, with what the component itself knows: its topics and the errors that it counts."""
        return replace(
            self._args.facts,
            topics=(*map(alert_topic, self._args.topic_arns), *self._args.facts.topics),
            errors=self._error_namespace if self._args.application_log is not None else None,
        )

    def _resolve(self) -> dict[Reference, pulumi.Input[str]]:
        """Every reference of the matrix. Raises ValueError for one that nothing resolves."""
        known: dict[Reference, pulumi.Input[str]] = {
            **self._args.references,
            **{alert_topic(severity): _topic_name(arn) for severity, arn in self._args.topic_arns.items()},
        }
        needed = {
            dimension.value
            for alarm in self.matrix.alarms
            for metric in alarm.metrics
            for dimension in metric.dimensions
            if not dimension.literal
        }
        unknown = sorted(needed - set(known))
        if unknown:
            raise ValueError(
                f"Nothing says what CloudWatch calls {', '.join(unknown)}. Add each to references, or leave it out of "
                "facts."
            )
        return {reference: known[reference] for reference in sorted(needed)}

    @property
    def _error_namespace(self) -> str:
        return self.labels.physical("application")

    def _count_errors(self) -> None:
        if self._args.application_log is None:
            return
        name = f"{self.name}-errors"
        aws.cloudwatch.LogMetricFilter(
            name,
            name=self.labels.physical("application-errors", limit=512),
            log_group_name=self._args.application_log,
            pattern=_ERRORS,
            metric_transformation={
                "name": "ApplicationErrors",
                "namespace": self._error_namespace,
                "value": "1",
                "default_value": "0",
                "unit": "Count",
            },
            opts=self.child(),
        )

    def _create_alarm(self, spec: AlarmSpec) -> aws.cloudwatch.MetricAlarm:
        name = f"{self.name}-{spec.key}"
        inputs = aws.cloudwatch.MetricAlarmArgs(
            name=self.alarm_names[spec.key],
            alarm_description=description(spec, self.response_minutes),
            evaluation_periods=spec.evaluation_periods,
            datapoints_to_alarm=spec.datapoints,
            treat_missing_data=spec.missing,
            alarm_actions=[self._args.topic_arns[spec.severity]],
            ok_actions=self._all_clear(spec.severity),
            tags=self.tags(name, Severity=spec.severity),
        )
        self._compare(inputs, spec)
        if spec.expression is None and spec.band is None:
            self._look_at(inputs, spec, spec.metrics[0])
        else:
            inputs.metric_queries = self._queries(spec)
        return aws.cloudwatch.MetricAlarm(name, inputs, opts=self.child())

    def _all_clear(self, severity: Severity) -> list[pulumi.Input[str]] | None:
        """Whoever was called within the hour is also told when it is over; the rest is seen on the dashboard."""
        return [self._args.topic_arns[severity]] if severity in ("critical", "high") else None

    def _compare(self, inputs: aws.cloudwatch.MetricAlarmArgs, spec: AlarmSpec) -> None:
        if spec.band is None:
            inputs.comparison_operator, inputs.threshold = _COMPARISONS[spec.comparison], spec.threshold
        else:
            inputs.comparison_operator, inputs.threshold_metric_id = _BAND_COMPARISONS[spec.comparison], _BAND

    def _look_at(self, inputs: aws.cloudwatch.MetricAlarmArgs, spec: AlarmSpec, metric: Metric) -> None:
        inputs.namespace, inputs.metric_name = metric.namespace, metric.name
        inputs.statistic, inputs.period = metric.statistic, spec.period
        inputs.dimensions = self._dimensions(metric) or None

    def _queries(self, spec: AlarmSpec) -> list[aws.cloudwatch.MetricAlarmMetricQueryArgs]:
        banded = spec.band is not None
        inputs = [
            aws.cloudwatch.MetricAlarmMetricQueryArgs(
                id=metric.id,
                metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
                    namespace=metric.namespace,
                    metric_name=metric.name,
                    dimensions=self._dimensions(metric) or None,
                    stat=metric.statistic,
                    period=spec.period,
                ),
                # A band is drawn around the metric, so CloudWatch asks for both.
                return_data=banded,
            )
            for metric in spec.metrics
        ]
        result = aws.cloudwatch.MetricAlarmMetricQueryArgs(
            id=_BAND if banded else "result",
            expression=f"ANOMALY_DETECTION_BAND({spec.metrics[0].id}, {spec.band:g})" if banded else spec.expression,
            label="What is usual" if banded else spec.title,
            return_data=True,
        )
        return [*inputs, result]

    def _dimensions(self, metric: Metric) -> dict[str, pulumi.Input[str]]:
        return {
            dimension.name: dimension.value if dimension.literal else self.references[dimension.value]
            for dimension in metric.dimensions
        }

    def _create_composites(self) -> dict[str, aws.cloudwatch.CompositeAlarm]:
        made: dict[str, aws.cloudwatch.CompositeAlarm] = {}
        for spec in self.matrix.composites:
            made[spec.key] = self._create_composite(spec, made.get(spec.behind or ""))
        return made

    def _create_composite(
        self, spec: CompositeSpec, cause: aws.cloudwatch.CompositeAlarm | None
    ) -> aws.cloudwatch.CompositeAlarm:
        name = f"{self.name}-{spec.key}"
        return aws.cloudwatch.CompositeAlarm(
            name,
            alarm_name=self.alarm_names[spec.key],
            alarm_description=description(spec, self.response_minutes),
            alarm_rule=pulumi.Output.all(*(self._alarms[key].name for key in spec.alarms)).apply(_any_of),
            actions_suppressor=(
                {"alarm": cause.alarm_name, "wait_period": _WAIT, "extension_period": _WAIT} if cause else None
            ),
            alarm_actions=[self._args.topic_arns[spec.severity]],
            ok_actions=self._all_clear(spec.severity),
            tags=self.tags(name, Severity=spec.severity),
            opts=self.child(),
        )

    def _create_dashboard(self) -> aws.cloudwatch.Dashboard:
        return aws.cloudwatch.Dashboard(
            self.name,
            dashboard_name=self.labels.physical(),
            dashboard_body=pulumi.Output.all(names=self.references, arns=list(self.alarm_arns.values())).apply(
                lambda made: dashboard.render(self.matrix, self._view(made["names"], made["arns"]))
            ),
            opts=self.child(),
        )

    def _view(self, names: Mapping[str, str], arns: Sequence[str]) -> dashboard.View:
        return dashboard.View(
            environment=f"{self.labels.project} {self.labels.environment}",
            region=self._args.home.region,
            names=names,
            arns=arns,
            links=self._args.links,
            responses=self.response_minutes,
            bill=self._args.home.partition == "aws",
        )


def _topic_name(arn: pulumi.Input[str]) -> pulumi.Output[str]:
    return pulumi.Output.from_input(arn).apply(lambda text: text.rpartition(":")[2])


def _any_of(names: Sequence[str]) -> str:
    """The rule of a composite: any of the alarms rings."""
    return " OR ".join(f'ALARM("{name}")' for name in names)
