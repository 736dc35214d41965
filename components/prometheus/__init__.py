"""Prometheus and Grafana: metrics kept, judged and shown beside CloudWatch (``001_… §1``)."""

from .alerting import Alerting, AlertingArgs
from .component import Prometheus, PrometheusArgs
from .plan import Panel, PrometheusRule, panels_of, rules_of
from .quiet import intervals
from .viewer import Grafana, GrafanaArgs, topic_name

__all__ = [
    "Alerting",
    "AlertingArgs",
    "Grafana",
    "GrafanaArgs",
    "Panel",
    "Prometheus",
    "PrometheusArgs",
    "PrometheusRule",
    "intervals",
    "panels_of",
    "rules_of",
    "topic_name",
]
