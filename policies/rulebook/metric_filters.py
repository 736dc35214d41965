"""Rules on what makes metrics of logs: filters that count, and detectors that look for what is new."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import links, trail
from .coverage import FILTER, LOG_DETECTOR
from .filter_pattern import FilterPatternError, parse
from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .values import is_false, is_true_of_any, number, show

LOG_GROUP = trail.LOG_GROUP

#: How often a detector looks: often enough that an alarm of five minutes hears of it within the hour.
_OFTEN = ("ONE_MIN", "FIVE_MIN", "TEN_MIN", "FIFTEEN_MIN", "THIRTY_MIN")

#: Days that CloudWatch takes; after them a detector takes for normal what it has found.
_VISIBLE = (7, 90)


def _counts(one: Resource, _: Context) -> Iterator[str]:
    for key in ("name", "namespace"):
        if not one.section("metricTransformation", key):
            yield f"The filter's metric has no {key}, so no alarm can look at it."
    value = one.section("metricTransformation", "value")
    selector = isinstance(value, str) and value.startswith("$")
    if not selector and number(value) != 1:
        yield f"The filter adds {show(value)} for each event; 1 counts them."
    yield from _default(one, counting=not selector)
    yield from _readable(one)


def _default(one: Resource, *, counting: bool) -> Iterator[str]:
    """What the metric is while logs come and none is counted. CloudWatch takes none beside dimensions."""
    default = one.section("metricTransformation", "defaultValue")
    dimensions: Any = one.section("metricTransformation", "dimensions")
    if dimensions and default is not None:
        yield "The filter has a default and dimensions; CloudWatch takes one of them."
    elif counting and not dimensions and number(default) != 0:
        yield f"The filter's default is {show(default)}; with 0 the metric is there while nothing happens, and quiet."


def _readable(one: Resource) -> Iterator[str]:
    try:
        parse(str(one.props.get("pattern") or ""))
    except FilterPatternError as error:
        yield f"CloudWatch does not take the filter's pattern: {error}"


def _reads(stack: Stack) -> Iterator[Fault]:
    def judge(one: Resource) -> Iterator[Fault]:
        if not links.targets(stack, one, "logGroupName", LOG_GROUP):
            group = show(one.props.get("logGroupName"))
            yield Fault(f"The filter reads the log group {group}, which the stack does not have.", one.urn)

    return each(stack.of(FILTER), judge)


def _looks(stack: Stack) -> Iterator[Fault]:
    def judge(detector: Resource) -> Iterator[Fault]:
        yield from (Fault(sentence, detector.urn) for sentence in _detector_faults(stack, detector))

    def without(group: Resource) -> Iterator[Fault]:
        if not is_true_of_any(stack.of(LOG_DETECTOR), lambda one: _is_on(one) and group in _groups(stack, one)):
            yield Fault("No anomaly detector looks into the trail's log group.", group.urn)

    yield from each(stack.of(LOG_DETECTOR), judge)
    if stack.context.environment == "prod":
        yield from each(trail.groups_of(stack), without)


def _is_on(detector: Resource) -> bool:
    return not is_false(detector.section("enabled"))


def _groups(stack: Stack, detector: Resource) -> tuple[Resource, ...]:
    return links.targets(stack, detector, "logGroupArnLists", LOG_GROUP)


def _detector_faults(stack: Stack, detector: Resource) -> Iterator[str]:
    if not _is_on(detector):
        yield "The anomaly detector is switched off."
    if not _groups(stack, detector):
        yield "The anomaly detector looks into no log group that is declared here."
    often = detector.section("evaluationFrequency")
    if often not in _OFTEN:
        yield f"The anomaly detector's evaluationFrequency is {show(often)}; half an hour or less is expected."
    days = detector.section("anomalyVisibilityTime")
    least, most = _VISIBLE
    if days is not None and not least <= (number(days) or 0) <= most:
        yield f"The anomaly detector shows what it finds for {show(days)} days; CloudWatch takes {least} to {most}."


COUNTS = ResourceRule(
    id="mon-filter-counts",
    sentence="000_b5883a9168e66709.txt §7: Analyze CloudWatch logs for errors or issues.",
    title="A metric filter counts one for each event and nothing while none comes, or takes the number from the event.",
    why="What counts nothing, or something all the time, tells an alarm nothing.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AU-6",),
    remedy='Set value to "1" and default_value to "0"; leave default_value out where there are dimensions.',
    types=frozenset({FILTER}),
    check=_counts,
)

READS = StackRule(
    id="mon-filter-reads",
    sentence="000_b5883a9168e66709.txt §7: Analyze CloudWatch logs for errors or issues.",
    title="A metric filter reads a log group of the stack.",
    why="A filter on another group counts what others do, or nothing.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AU-6",),
    remedy="Take log_group_name from the aws.cloudwatch.LogGroup that is written to.",
    types=frozenset({FILTER, LOG_GROUP}),
    check=_reads,
)

LOOKS = StackRule(
    id="mon-log-detector",
    sentence="001_62c8c82a6a764433.txt §4: Check the audit logs for suspicious activity",
    title="Anomaly detectors are on and look into declared log groups; in prod one looks into the trail's.",
    why="Filters find what somebody thought of; a detector finds what is new.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AU-6", "NIST SI-4"),
    remedy="Declare aws.cloudwatch.LogAnomalyDetector for the group, enabled, with evaluation_frequency FIFTEEN_MIN.",
    types=frozenset({LOG_DETECTOR, LOG_GROUP, trail.TRAIL}),
    check=_looks,
)

RULES: tuple[Rule, ...] = (COUNTS, READS, LOOKS)
