"""What an alarm does, found out by letting it see values: does it ring, and how soon?"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import links
from .resource import Resource, Stack
from .values import is_false, number

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"

_RINGS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}

#: A query of CloudWatch Metrics Insights: metric and namespace (and, by name, the function that sums it up).
QUERY = re.compile(
    r"""\s*SELECT\s+(?P<function>\w+)\(\s*"?(?P<metric>[^")\s]+)"?\s*\)"""
    r"""\s+FROM\s+(?:SCHEMA\(\s*)?"?(?P<namespace>[^",)\s]+)""",
    re.IGNORECASE,
)

#: Metric -> value, as CloudWatch has them under the statistic that an alarm asks for.
Values = Mapping[str, float]


def acts(alarm: Resource) -> bool:
    """Whether somebody is told when it rings."""
    return not is_false(alarm.props.get("actionsEnabled")) and bool(alarm.items("alarmActions"))


def watching(stack: Stack, subject: Resource) -> tuple[Resource, ...]:
    """The alarms of which a dimension, or one of a metric, is ``subject``."""
    found = {
        alarm.urn: alarm
        for prop in ("dimensions", "metricQueries")
        for alarm in links.sources(stack, subject, prop, ALARM)
    }
    return tuple(found.values())


def metrics(alarm: Resource) -> Iterator[tuple[Any, Any, Any]]:
    """Namespace, metric and statistic of all that it looks at."""
    statistic = alarm.props.get("statistic") or alarm.props.get("extendedStatistic")
    if alarm.props.get("metricName"):
        yield alarm.props.get("namespace"), alarm.props.get("metricName"), statistic
    for index in range(len(alarm.items("metricQueries"))):
        path = ("metricQueries", index, "metric")
        if alarm.section(*path, "metricName"):
            yield alarm.section(*path, "namespace"), alarm.section(*path, "metricName"), alarm.section(*path, "stat")


def seconds(alarm: Resource) -> float | None:
    """How long what it looks at must last before it rings; None where that is not set."""
    periods = number(alarm.props.get("datapointsToAlarm")) or number(alarm.props.get("evaluationPeriods"))
    period = number(alarm.props.get("period"))
    for index in range(len(alarm.items("metricQueries"))):
        own = number(alarm.section("metricQueries", index, "metric", "period"))
        period = own if period is None else max(period, own or 0)
    return periods * period if periods and period else None


def rings(alarm: Resource, values: Values) -> bool | None:
    """Whether it rings at ``values``; None where it compares with no fixed number or its formula cannot be read."""
    compare = _RINGS.get(str(alarm.props.get("comparisonOperator")))
    threshold = number(alarm.props.get("threshold"))
    value = _value(alarm, values)
    return None if compare is None or threshold is None or value is None else compare(value, threshold)


def names_in(expression: str) -> frozenset[str]:
    """The ids that metric math reads; raises SyntaxError for a text that is none."""
    tree = ast.parse(expression.strip(), mode="eval")
    functions = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node not in functions)
    # CloudWatch's own words are in capitals, ids begin in lower case.
    return frozenset(name for name in names if name[:1].islower())


def _value(alarm: Resource, values: Values) -> float | None:
    if alarm.props.get("metricName"):
        return values.get(str(alarm.props.get("metricName")))
    names: dict[str, float] = {}
    formulas: dict[str, str] = {}
    result = None
    queries = range(len(alarm.items("metricQueries")))
    for index in queries:
        key = str(alarm.section("metricQueries", index, "id"))
        metric = alarm.section("metricQueries", index, "metric", "metricName")
        if metric and str(metric) in values:
            names[key] = values[str(metric)]
        elif expression := alarm.section("metricQueries", index, "expression"):
            query = QUERY.match(str(expression))
            if query and query["metric"] in values:
                names[key] = values[query["metric"]]
            else:
                formulas[key] = str(expression)
        if len(queries) == 1 or alarm.section("metricQueries", index, "returnData") in (True, "true"):
            result = key
    return _Formula(names, formulas).value(result) if result else None


class _Formula:
    """Metric math, as far as alarms on one resource need it: numbers, names, + - * /, comparisons and a few functions.

    Source: CloudWatch User Guide, "Metric math".
    """

    _ARITHMETIC: Mapping[type[ast.AST], Callable[[float, float], float]] = {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
    }
    _COMPARISONS: Mapping[type[ast.AST], Callable[[float, float], bool]] = {
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
    }
    _FUNCTIONS: Mapping[str, Callable[..., float]] = {
        "ABS": abs,
        "AVG": lambda values: sum(values) / len(values),
        "FILL": lambda value, _filling: value,
        "IF": lambda condition, one, other=0.0: one if condition else other,
        "MAX": max,
        "MIN": min,
        "SUM": sum,
    }

    def __init__(self, names: Mapping[str, float], formulas: Mapping[str, str]) -> None:
        self._names = names
        self._formulas = formulas
        self._open: set[str] = set()

    def value(self, key: str) -> float | None:
        """The value of the query called ``key``; None where it depends on what is not known or not understood."""
        try:
            return float(self._named(key))
        except (ArithmeticError, LookupError, SyntaxError, TypeError, ValueError, RecursionError):
            return None

    def _named(self, key: str) -> Any:
        if key in self._names:
            return self._names[key]
        if key in self._open:
            raise LookupError(key)
        self._open.add(key)
        value = self._of(ast.parse(self._formulas[key], mode="eval").body)
        self._open.remove(key)
        return value

    def _of(self, node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=int() | float() as value):
                return value
            case ast.Name(id=name):
                # REPEAT and the like are words of FILL.
                return 0.0 if name in ("REPEAT", "LINEAR") else self._named(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._of(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return self._ARITHMETIC[type(op)](self._of(left), self._of(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._COMPARISONS[type(op)](self._of(left), self._of(right))
            case ast.List(elts=elements):
                return [self._of(element) for element in elements]
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._FUNCTIONS[name](*map(self._of, arguments))
            case _:
                raise ValueError(type(node).__name__)
