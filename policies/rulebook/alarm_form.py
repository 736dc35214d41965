"""The rule on the form of alarms: one that CloudWatch takes and that can ring, whatever it looks at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from . import alarms
from .alarms import ALARM
from .resource import Context, Resource, is_true
from .rule import Level, ResourceRule, Rule, Severity
from .values import listed, number, show

_FIXED = (
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanOrEqualToThreshold",
    "LessThanThreshold",
)
_BANDED = ("GreaterThanUpperThreshold", "LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold")

_BAND = re.compile(r"ANOMALY_DETECTION_BAND\(\s*\w+\s*(?:,\s*([\d.]+)\s*)?\)")

#: Standard deviations: with fewer everything is unusual, with more nothing is.
_WIDTHS = (1, 6)

#: Seconds of a period below a minute; AWS's own metrics have none.
_SHORT_PERIODS = (10, 20, 30)

_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86_400, 604_800


def _form(alarm: Resource, context: Context) -> Iterator[str]:
    queries = alarm.items("metricQueries")
    name = alarm.props.get("metricName")
    if bool(name) == bool(queries):
        yield f"The alarm looks at {'a metric and at queries; CloudWatch takes one of them' if name else 'nothing'}."
    if name:
        yield from _single(alarm)
    if queries:
        yield from _queried(alarm)
    yield from _compared(alarm)
    yield from _counted(alarm)
    yield from _silent(alarm, context)


def _single(alarm: Resource) -> Iterator[str]:
    missing = [key for key in ("namespace", "period") if not alarm.props.get(key)]
    if bool(alarm.props.get("statistic")) == bool(alarm.props.get("extendedStatistic")):
        missing.append("one of statistic and extendedStatistic")
    if missing:
        yield f"The metric {show(alarm.props.get('metricName'))} is looked at without {listed(missing)}."
    yield from _period(alarm.props.get("namespace"), alarm.props.get("period"))


def _queried(alarm: Resource) -> Iterator[str]:
    at = range(len(alarm.items("metricQueries")))
    ids = [str(alarm.section("metricQueries", index, "id")) for index in at]
    if len(set(ids)) < len(ids):
        yield f"Two of the queries {listed(ids)} have the same id."
    expressions: dict[str, str] = {}
    periods: set[object] = set()
    for index, key in zip(at, ids, strict=True):
        metric = alarm.section("metricQueries", index, "metric")
        expression = alarm.section("metricQueries", index, "expression")
        if bool(metric) == bool(expression):
            yield f"The query {key} is {'a metric and an expression' if metric else 'neither metric nor expression'}."
        if expression:
            expressions[key] = str(expression)
            period = alarm.section("metricQueries", index, "period")
            if alarms.QUERY.match(str(expression)):
                yield from _period(None, period)
        if metric:
            lacking = [part for part in ("namespace", "metricName", "stat", "period") if not metric.get(part)]
            if lacking:
                yield f"The query {key} asks for a metric without {listed(lacking)}."
            periods.add(metric.get("period"))
            yield from _period(metric.get("namespace"), metric.get("period"))
    if len(periods) > 1:
        shown = listed(sorted(map(show, periods)))
        yield f"The metrics are looked at every {shown} seconds; what is reckoned together has one period."
    yield from _reckoned(ids, expressions)
    yield from _returned(alarm, ids, expressions)


def _reckoned(ids: Sequence[str], expressions: Mapping[str, str]) -> Iterator[str]:
    used: set[str] = set()
    for key, expression in expressions.items():
        if alarms.QUERY.match(expression):
            continue
        try:
            names = alarms.names_in(expression)
        except SyntaxError:
            yield f"The expression {key} cannot be read: {show(expression)}."
            return
        used |= names
        if strange := sorted(names - set(ids)):
            yield f"The expression {key} reckons with {listed(strange)}, which no query is called."
        elif key in names:
            yield f"The expression {key} reckons with itself."
    if idle := [key for key in ids if key not in used and key not in expressions and len(ids) > 1]:
        yield f"No expression reckons with {listed(idle)}, so the alarm does not look at it."


def _returned(alarm: Resource, ids: Sequence[str], expressions: Mapping[str, str]) -> Iterator[str]:
    """Which queries the alarm compares: one, and the band that it is compared with."""
    band = alarm.props.get("thresholdMetricId")
    returned = [key for index, key in enumerate(ids) if is_true(alarm.section("metricQueries", index, "returnData"))]
    compared = [key for key in returned if key != band]
    if len(compared) != 1:
        shown = listed(compared) if compared else "nothing"
        yield f"The alarm compares {shown}: one query with returnData is expected."
    if band is None:
        return
    if band not in returned:
        yield f"The band {show(band)} is not returned, so there is nothing to compare with."
    found = _BAND.match(expressions.get(str(band), ""))
    if found is None:
        yield f"The band {show(band)} is no ANOMALY_DETECTION_BAND."
    elif not _WIDTHS[0] <= (number(found[1]) or 2) <= _WIDTHS[1]:
        yield f"The band is {found[1]} standard deviations wide; {_WIDTHS[0]} to {_WIDTHS[1]} tell usual from unusual."


def _compared(alarm: Resource) -> Iterator[str]:
    how, threshold = alarm.props.get("comparisonOperator"), alarm.props.get("threshold")
    band = alarm.props.get("thresholdMetricId")
    if how not in _FIXED and how not in _BANDED:
        yield f"The alarm compares by {show(how)}, which CloudWatch does not know."
    elif (how in _BANDED) != bool(band):
        yield f"{show(how)} compares with a {'band, and there is none' if how in _BANDED else 'number, not a band'}."
    elif band and threshold is not None:
        yield "The alarm has a threshold and a band; CloudWatch takes one of them."
    elif not band and number(threshold) is None:
        yield f"The alarm's threshold is {show(threshold)}."


def _counted(alarm: Resource) -> Iterator[str]:
    """How many periods must be bad; all of them where ``datapointsToAlarm`` is not set."""
    periods = number(alarm.props.get("evaluationPeriods"))
    if periods is None or periods < 1 or not periods.is_integer():
        yield f"The alarm looks at {show(alarm.props.get('evaluationPeriods'))} periods; one or more are expected."
        return
    bad = number(alarm.props.get("datapointsToAlarm"))
    if bad is not None and not periods / 2 < bad <= periods:
        yield f"The alarm rings when {show(bad)} of {show(periods)} periods are bad; more than half of them must be."
    length = _longest(alarm)
    most = _WEEK if length >= _HOUR else _DAY
    if periods * length > most:
        yield f"The alarm looks back {show(periods * length)} seconds; CloudWatch takes {most} at most."


def _longest(alarm: Resource) -> float:
    at = range(len(alarm.items("metricQueries")))
    found = [alarm.props.get("period")]
    found += [alarm.section("metricQueries", index, "metric", "period") for index in at]
    found += [alarm.section("metricQueries", index, "period") for index in at]
    return max(number(value) or 0 for value in found)


def _period(namespace: object, value: object) -> Iterator[str]:
    seconds = number(value)
    if value is None and namespace is not None:
        return
    if seconds is None or (seconds not in _SHORT_PERIODS and (seconds < _MINUTE or seconds % _MINUTE)):
        yield f"A period of {show(value)} seconds is none of CloudWatch's; it takes multiples of {_MINUTE}."
    elif seconds < _MINUTE and str(namespace).startswith("AWS/"):
        yield f"A period of {show(value)} seconds is empty most times: AWS measures once a minute."


def _silent(alarm: Resource, context: Context) -> Iterator[str]:
    value = alarm.props.get("treatMissingData")
    # What is measured daily has days without data; what is off at night, in other stacks than prod, has nights.
    shortest = _DAY if context.environment == "prod" else _HOUR
    if value in (None, "missing"):
        yield f"treatMissingData is {show(value)}: while nothing is measured, the alarm neither rings nor ends."
    elif value == "ignore" and _longest(alarm) < shortest:
        yield "treatMissingData is ignore: an alarm whose metric ends stays as it is, and never rings a second time."
    elif value not in ("breaching", "notBreaching", "ignore"):
        yield f"treatMissingData is {show(value)}; breaching or notBreaching is expected."


ALARM_FORM = ResourceRule(
    id="mon-alarm-form",
    sentence="001_62c8c82a6a764433.txt §1: The operations team will set up alerts to notify them of any problems.",
    title="An alarm is one that CloudWatch takes: what it looks at, reckons, compares and makes of silence is said.",
    why="An alarm that is refused, or reckons with nothing, is found out on the day it is missed.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SI-4",),
    remedy="Give metric or queries in full, one query that is returned, a period in minutes, no more datapoints than "
    "periods, and treat_missing_data as breaching or notBreaching.",
    types=frozenset({ALARM}),
    check=_form,
)

RULES: tuple[Rule, ...] = (ALARM_FORM,)
