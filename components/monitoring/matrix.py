"""The alarm matrix: which alarms a stack has, as a pure function of its thresholds and of what there is.

Sources: ``004_… Key Metrics to Monitor``, ``001_… §1``, ``000_… §2``, and AWS's recommended alarms for each resource
type. An alarm is a line here and nowhere else: CloudWatch's alarms, the dashboard and Prometheus's rules are made from
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .._told import RESPONSE_MINUTES, answer
from .facts import Balancer, Container, Database, Facts, Function, Group, Queue, burstable, processors
from .rows import database, network, runtime, servers, site
from .rows.lines import CRITICAL_RESPONSE, DATABASE_DOWN, SERVICE_DOWN
from .spec import (
    AlarmSpec,
    Comparison,
    CompositeSpec,
    Dimension,
    Matrix,
    Metric,
    PromQL,
    Reference,
    Statistic,
    description,
)

if TYPE_CHECKING:
    from settings.thresholds import ThresholdSettings

__all__ = [
    "RESPONSE_MINUTES",
    "AlarmSpec",
    "Balancer",
    "Comparison",
    "CompositeSpec",
    "Container",
    "Database",
    "Dimension",
    "Facts",
    "Function",
    "Group",
    "Matrix",
    "Metric",
    "PromQL",
    "Queue",
    "Reference",
    "Statistic",
    "answer",
    "burstable",
    "description",
    "plan_matrix",
    "processors",
]

_ROWS: tuple[Callable[[ThresholdSettings, Facts], Iterator[AlarmSpec]], ...] = (
    servers.rows,
    site.rows,
    database.rows,
    network.rows,
    runtime.rows,
)


def plan_matrix(thresholds: ThresholdSettings, facts: Facts) -> Matrix:
    """Every alarm of a stack.

    Raises ValueError where two resources have one reference, so that two alarms would have one key, and for CloudFront
    outside us-east-1, where its metrics are.
    """
    alarms = tuple(alarm for rows in _ROWS for alarm in rows(thresholds, facts))
    keys = [alarm.key for alarm in alarms]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"Two alarms are called {key!r}. Give each resource a reference of its own.")
    return Matrix(alarms=alarms, composites=tuple(_composites(alarms)))


def _composites(alarms: tuple[AlarmSpec, ...]) -> Iterator[CompositeSpec]:
    fed = {alarm.feeds for alarm in alarms}
    if DATABASE_DOWN in fed:
        yield CompositeSpec(
            key=DATABASE_DOWN,
            title="The database is down",
            alarms=tuple(alarm.key for alarm in alarms if alarm.feeds == DATABASE_DOWN),
            severity="critical",
            run_book=CRITICAL_RESPONSE,
            impact="Nobody can learn or teach: every page that reads data fails.",
            first_action="Look at the instance's status and last events in RDS, and restore it if it is lost.",
        )
    if SERVICE_DOWN in fed:
        yield CompositeSpec(
            key=SERVICE_DOWN,
            title="The site is down",
            alarms=tuple(alarm.key for alarm in alarms if alarm.feeds == SERVICE_DOWN),
            # One outage pages once, and by its cause.
            behind=DATABASE_DOWN if DATABASE_DOWN in fed else None,
            severity="critical",
            run_book=CRITICAL_RESPONSE,
            impact="Users get errors or nothing at all.",
            first_action="Look at the targets' health and its reasons, then at what was deployed last.",
        )
