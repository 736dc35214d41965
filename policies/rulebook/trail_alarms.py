"""Rules for what no filter can tell: that the trail has fallen silent, and (``bells``) what cannot wait for one."""

from __future__ import annotations

from collections.abc import Iterator

from . import alarms, bells, trail
from .alarms import ALARM
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .values import is_true_of_any


def _silence(stack: Stack) -> Iterator[Fault]:
    def judge(group: Resource) -> Iterator[Fault]:
        if not is_true_of_any(alarms.watching(stack, group), _hears_silence):
            yield Fault("No alarm rings when the trail's log group gets nothing any more.", group.urn)

    return each(trail.groups_of(stack), judge)


def _hears_silence(alarm: Resource) -> bool:
    return (
        any((namespace, metric) == ("AWS/Logs", "IncomingLogEvents") for namespace, metric, _ in alarms.metrics(alarm))
        and alarm.props.get("treatMissingData") == "breaching"
        and alarms.rings(alarm, {"IncomingLogEvents": 0.0}) is True
        and alarms.rings(alarm, {"IncomingLogEvents": 5.0}) is False
        and alarms.acts(alarm)
    )


SILENCE = StackRule(
    id="mon-trail-silence",
    sentence="000_b5883a9168e66709.txt §7: Use CloudTrail to monitor and alert on unauthorized access attempts",
    title="An alarm rings when the trail's log group gets nothing any more.",
    why="Every filter is content with a log that has ended.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AU-5",),
    remedy='Declare aws.cloudwatch.MetricAlarm on IncomingLogEvents of the group with treat_missing_data="breaching".',
    types=frozenset({ALARM, trail.TRAIL, trail.LOG_GROUP}),
    check=_silence,
)

RULES: tuple[Rule, ...] = (SILENCE, *bells.RULES)
