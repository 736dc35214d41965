"""The alarm matrix: which alarms there are, at what they ring, and that AWS would take each of them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.monitoring import facts, matrix
from components.monitoring.rows.database import connections_limit, share
from settings.instance_classes import RDS_MEMORY_GIB
from settings.severity import SEVERITIES
from settings.thresholds import ThresholdSettings

from .estate import EVERYTHING

GIB = 1024**3
DEFAULTS = ThresholdSettings()

STAGING = facts.Facts(
    region="us-east-1",
    group=facts.Group(least=1, most=2),
    balancer=facts.Balancer(),
    database=facts.Database(max_connections=450, storage_gib=50, memory_gib=4.0, processors=2, burstable=True),
    hosts=("bastion",),
    gateways=("nat-us-east-1a",),
    certificates=("certificate",),
    firewalls=("firewall",),
    topics=("alerts-critical", "alerts-high", "alerts-medium", "alerts-low"),
    rejects="learning-platform-staging-network",
    errors="learning-platform-staging-application",
)
PROD = replace(
    STAGING,
    database=facts.Database(max_connections=901, storage_gib=100, memory_gib=8.0, processors=2, burstable=False),
    gateways=("nat-us-east-1a", "nat-us-east-1b", "nat-us-east-1c"),
)

IN_BOTH = {
    "group-cpu",
    "group-memory",
    "group-memory-missing",
    "group-disk",
    "group-network-in",
    "group-network-out",
    "group-in-service",
    "group-capacity",
    "group-full",
    "group-status",
    "balancer-response-time",
    "balancer-error-rate",
    "balancer-outage",
    "balancer-rejected",
    "target-group-unhealthy",
    "target-group-healthy",
    "database-cpu",
    "database-memory",
    "database-connections",
    "database-storage",
    "database-storage-exhausted",
    "database-silent",
    "database-read-latency",
    "database-write-latency",
    "database-load",
    "database-queue",
    "database-io-balance",
    "database-byte-balance",
    "database-transaction-ids",
    "bastion-status",
    "bastion-cpu",
    "nat-us-east-1a-ports",
    "nat-us-east-1a-drops",
    "network-rejects",
    "certificate-expiry",
    "firewall-blocked",
    "application-errors",
    "alerts-critical-failed",
    "alerts-high-failed",
    "alerts-medium-failed",
    "alerts-low-failed",
}


def planned(there=PROD, **changes):
    return {alarm.key: alarm for alarm in matrix.plan_matrix(DEFAULTS.model_copy(update=changes), there).alarms}


def test_staging_has_these_alarms_and_no_others():
    assert set(planned(STAGING)) == IN_BOTH | {"database-credits"}


def test_prod_has_these_alarms_and_no_others():
    more = {f"nat-us-east-1{zone}-{purpose}" for zone in "bc" for purpose in ("ports", "drops")}
    assert set(planned(PROD)) == IN_BOTH | more


def test_what_a_stack_does_not_have_is_not_watched():
    assert planned(facts.Facts(region="us-east-1")) == {}


def test_a_group_that_cannot_grow_is_not_told_to():
    assert "group-full" not in planned(replace(PROD, group=facts.Group(least=1, most=1)))


#: The run book's table (004_… Key Metrics to Monitor, 004_… Morning Health Check): alarm -> metric, comparison,
#: threshold, seconds.
RUN_BOOK = {
    "group-cpu": ("CPUUtilization", ">", 80.0, 300),
    "group-memory": ("mem_used_percent", ">", 85.0, 300),
    "group-disk": ("disk_used_percent", ">", 80.0, 300),
    "database-cpu": ("CPUUtilization", ">", 80.0, 300),
    "database-connections": ("DatabaseConnections", ">", 720.0, 300),
    "database-storage": ("FreeStorageSpace", "<", 20.0 * GIB, 300),
    "balancer-response-time": ("TargetResponseTime", ">", 2.0, 300),
    "balancer-error-rate": ("HTTPCode_Target_5XX_Count", ">", 5.0, 300),
    "application-errors": ("ApplicationErrors", ">=", 10.0, 3600),
}


@pytest.mark.parametrize("key", RUN_BOOK)
def test_alarms_ring_at_the_run_books_thresholds(key):
    alarm = planned()[key]
    assert (alarm.metrics[0].name, alarm.comparison, alarm.threshold, alarm.window) == RUN_BOOK[key]


def test_the_error_rate_is_the_share_of_all_requests_that_fail_for_whatever_reason():
    alarm = planned()["balancer-error-rate"]
    assert {metric.id: metric.name for metric in alarm.metrics} == {
        "target": "HTTPCode_Target_5XX_Count",
        "edge": "HTTPCode_ELB_5XX_Count",
        "requests": "RequestCount",
    }

    def rate(**counts):
        names = {"FILL": lambda value, _: value, "IF": lambda yes, one, other: one if yes else other, "MAX": max}
        try:
            return eval(alarm.expression, names, counts)  # noqa: S307 - a formula of the matrix
        except ZeroDivisionError:
            return None

    assert rate(target=50, edge=0, requests=1000) == 5
    assert rate(target=40, edge=20, requests=1000) == 6
    assert rate(target=0, edge=300, requests=0) == 100  # nobody to send them to
    assert rate(target=0, edge=300, requests=300) == 100  # nobody answers in time
    assert rate(target=2, edge=0, requests=2) == 100


def test_a_single_failure_is_no_rate():
    assert planned()["balancer-error-rate"].expression.startswith("IF((FILL(target, 0) + FILL(edge, 0)) > 1, ")


@pytest.mark.parametrize(
    ("setting", "value", "rings"),
    [
        ("cpu_percent", 60.0, {"group-cpu": 60.0, "database-cpu": 60.0, "bastion-cpu": 60.0}),
        ("memory_percent", 70.0, {"group-memory": 70.0}),
        ("connections_percent", 50.0, {"database-connections": 450.0}),
        ("response_seconds", 0.5, {"balancer-response-time": 0.5}),
        ("error_percent", 1.0, {"balancer-error-rate": 1.0}),
        ("disk_free_percent", 30.0, {"group-disk": 70.0, "database-storage": 30.0 * GIB}),
        ("errors_per_hour", 5, {"application-errors": 5.0}),
    ],
)
def test_a_setting_moves_its_own_alarms_and_no_others(setting, value, rings):
    before, after = planned(), planned(**{setting: value})
    moved = {key: alarm.threshold for key, alarm in after.items() if alarm.threshold != before[key].threshold}
    assert moved == rings
    assert {alarm.setting for alarm in after.values() if alarm.key in rings} == {setting}


def test_minutes_are_a_setting_too():
    after = planned(sustained_minutes=2)
    assert {key for key, alarm in after.items() if alarm.window != planned()[key].window} == {
        "group-cpu",
        "group-memory",
        "database-cpu",
        "bastion-cpu",
        "balancer-error-rate",
    }
    assert {after[key].window for key in ("group-cpu", "group-memory", "balancer-error-rate")} == {120}


def every_setting(model, path=()):
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, (int, float)):
            yield ".".join((*path, name))
        else:
            yield from every_setting(value, (*path, name))


#: Settings that are no threshold of their own: how long, and what another one is measured against.
NO_THRESHOLD = {"sustained_minutes", "edge.certificate_lifetime_days"}


def test_every_threshold_of_the_settings_is_that_of_an_alarm():
    used = {alarm.setting for alarm in planned(EVERYTHING_COUNTED).values()} - {None}
    assert used == set(every_setting(DEFAULTS)) - NO_THRESHOLD


EVERYTHING_COUNTED = replace(EVERYTHING, errors="learning-platform-prod-application", topics=STAGING.topics)
EVERY_ALARM = tuple(planned(EVERYTHING_COUNTED).values())
COMPOSITES = matrix.plan_matrix(DEFAULTS, EVERYTHING_COUNTED).composites


@pytest.mark.parametrize("alarm", EVERY_ALARM, ids=lambda alarm: alarm.key)
def test_cloudwatch_takes_the_alarm(alarm):
    ids = [metric.id for metric in alarm.metrics]
    assert alarm.period % 60 == 0
    assert alarm.window <= 86_400
    assert 1 <= alarm.datapoints <= alarm.evaluation_periods
    assert len(set(ids)) == len(ids) <= 9
    assert all(re.fullmatch(r"[a-z][A-Za-z0-9_]*", id_) for id_ in ids)
    assert all(len(metric.dimensions) <= 30 for metric in alarm.metrics)
    assert len(matrix.description(alarm).encode()) <= 1024
    assert (alarm.threshold is None) == (alarm.band is not None)
    if alarm.expression is None:
        assert len(ids) == 1
    else:
        assert set(re.findall(r"\b[a-z]\w*", alarm.expression)) == set(ids)


@pytest.mark.parametrize("alarm", EVERY_ALARM, ids=lambda alarm: alarm.key)
def test_silence_has_a_meaning_and_a_reason(alarm):
    assert alarm.missing != "missing"
    assert re.fullmatch(r"[A-Z].{20,}\.", alarm.because)


def test_silence_rings_where_something_ought_to_speak():
    assert {alarm.key for alarm in EVERY_ALARM if alarm.missing == "breaching"} == {
        "group-memory-missing",
        "group-in-service",
        "target-group-healthy",
        "database-silent",
        "backend-tasks",
    }


@pytest.mark.parametrize("alarm", [*EVERY_ALARM, *COMPOSITES], ids=lambda alarm: alarm.key)
def test_an_alarm_says_how_bad_how_soon_where_to_read_and_what_to_do_first(alarm):
    title, *lines = matrix.description(alarm).split("\n")
    assert re.fullmatch(r"[A-Z].+[^.]\.", title)
    assert [line.partition(": ")[0] for line in lines] == ["Severity", "Impact", "Run book", "First action"]
    assert all(re.fullmatch(r"[A-Z].+\.", line.partition(": ")[2]) for line in (lines[1], lines[3]))
    assert re.match(r"Run book: 00[0-4]_… ", lines[2])


def test_the_response_times_are_the_run_books():
    assert [matrix.answer(severity) for severity in SEVERITIES] == [
        "within 15 minutes",
        "within 1 hour",
        "within 4 hours",
        "on the next business day",
    ]


def test_a_response_time_of_the_settings_stands_in_the_description():
    alarm = planned()["group-cpu"]
    minutes = {**matrix.RESPONSE_MINUTES, "high": 45}
    assert "Severity: high, respond within 45 minutes" in matrix.description(alarm, minutes)


def test_only_an_outage_is_critical_and_its_parts_leave_the_page_to_it():
    found = matrix.plan_matrix(DEFAULTS, PROD)
    assert {(c.key, c.severity, c.behind, c.alarms) for c in found.composites} == {
        ("database-down", "critical", None, ("database-storage-exhausted", "database-silent")),
        ("service-down", "critical", "database-down", ("balancer-outage", "target-group-healthy")),
    }
    parts = {alarm.key: alarm.severity for alarm in found.alarms if alarm.feeds}
    assert parts == dict.fromkeys(
        ("balancer-outage", "target-group-healthy", "database-storage-exhausted", "database-silent"), "low"
    )
    # A topic that is broken cannot tell of itself.
    assert [alarm.key for alarm in found.alarms if alarm.severity == "critical"] == ["alerts-high-failed"]


def test_a_part_of_an_outage_speaks_with_the_voice_of_the_outage():
    found = matrix.plan_matrix(DEFAULTS, PROD)
    by_key = {alarm.key: alarm for alarm in found.alarms}
    assert found.voice(by_key["target-group-healthy"]).key == "service-down"
    assert found.voice(by_key["group-cpu"]).key == "group-cpu"


def test_without_a_database_the_service_stands_behind_nothing():
    found = matrix.plan_matrix(DEFAULTS, replace(PROD, database=None))
    assert [(composite.key, composite.behind) for composite in found.composites] == [("service-down", None)]


def test_prometheus_is_told_the_same_of_what_the_servers_and_the_probe_send():
    assert {alarm.key: alarm.prometheus.value for alarm in planned().values() if alarm.prometheus} == {
        "group-cpu": 'avg(cpu_usage_active{cpu="cpu-total"})',
        "group-memory": 'avg(mem_used_percent{InstanceId!=""})',
        "group-disk": 'max(disk_used_percent{InstanceId!=""})',
        "balancer-response-time": "avg(avg_over_time(probe_duration_seconds[5m]))",
        "balancer-error-rate": "100 * (1 - avg(avg_over_time(probe_success[5m])))",
        "target-group-healthy": "max(probe_success)",
        "certificate-expiry": "min(probe_ssl_earliest_cert_expiry - time()) / 86400",
    }


@pytest.mark.parametrize("alarm", EVERY_ALARM, ids=lambda alarm: alarm.key)
def test_what_prometheus_is_not_told_has_a_reason(alarm):
    assert (alarm.prometheus is None) == bool(alarm.not_in_prometheus)
    assert alarm.prometheus is None or alarm.comparison != "outside"


@given(percent=st.floats(10, 80), connections=st.integers(6, 262_143))
def test_more_connections_than_the_share_ring_and_no_fewer(percent, connections):
    limit = connections_limit(percent, connections)
    assert limit <= percent * connections / 100 < limit + 1


def test_80_percent_of_the_connections_is_rounded_down():
    assert [connections_limit(80.0, most) for most in (901, 450, 6)] == [720, 360, 4]


@given(percent=st.floats(1, 80), gib=st.integers(20, 65_536))
def test_free_storage_is_whole_bytes_of_the_share(percent, gib):
    found = share(percent, gib)
    assert found.is_integer()
    assert found <= percent / 100 * gib * GIB * (1 + 1e-12)
    assert found + 1 > percent / 100 * gib * GIB * (1 - 1e-12)


@given(
    least=st.integers(1, 5),
    more=st.integers(0, 5),
    storage=st.integers(20, 65_536),
    connections=st.integers(6, 262_143),
    free=st.floats(20, 80),
)
def test_whatever_there_is_keys_are_unique_and_a_warning_comes_before_the_outage(
    least, more, storage, connections, free
):
    there = replace(
        PROD,
        group=facts.Group(least=least, most=least + more),
        database=replace(PROD.database, storage_gib=storage, max_connections=connections),
    )
    found = matrix.plan_matrix(DEFAULTS.model_copy(update={"disk_free_percent": free}), there).alarms
    by_key = {alarm.key: alarm for alarm in found}
    assert len(by_key) == len(found)
    assert by_key["database-storage-exhausted"].threshold < by_key["database-storage"].threshold
    assert by_key["database-connections"].threshold < connections
    assert by_key["group-in-service"].threshold == least


def test_one_more_gateway_changes_no_other_alarm():
    before, after = planned(STAGING), planned(replace(STAGING, gateways=PROD.gateways))
    assert {key: after[key] for key in before} == before


def test_two_resources_of_one_reference_are_refused():
    twice = replace(PROD, hosts=("bastion", "bastion"))
    with pytest.raises(ValueError, match=r"Two alarms are called 'bastion-status'\. Give each resource a reference"):
        matrix.plan_matrix(DEFAULTS, twice)


def test_cloudfront_is_watched_where_its_metrics_are():
    assert "frontend-error-rate" in planned(replace(PROD, distributions=("frontend",)))
    with pytest.raises(
        ValueError, match="CloudFront's metrics are in us-east-1, and an alarm there cannot tell a topic"
    ):
        planned(replace(PROD, distributions=("frontend",), region="eu-west-1"))


def test_what_the_owner_watches_is_not_watched_twice():
    owned = facts.Function(ref="notify", timeout_seconds=60, watched=frozenset({"Errors", "Throttles"}))
    queue = facts.Queue(ref="inbox", watched=frozenset({"ApproximateAgeOfOldestMessage"}))
    there = facts.Facts(region="us-east-1", functions=(owned,), queues=(queue,))
    assert set(planned(there)) == {"notify-duration"}


def test_a_function_is_slow_at_four_fifths_of_its_timeout():
    assert planned(EVERYTHING)["notify-duration"].threshold == 48_000


@pytest.mark.parametrize(
    ("instance_class", "expected"),
    [("db.t4g.micro", 2), ("db.m7g.large", 2), ("db.t3.xlarge", 4), ("db.r6i.2xlarge", 8), ("db.m8g.48xlarge", 192)],
)
def test_processors_follow_from_the_class(instance_class, expected):
    assert facts.processors(instance_class) == expected


def test_every_class_that_a_stack_may_name_has_processors():
    # General-purpose classes have 4 GiB for each, memory classes 8, and small burstable ones at least two.
    for instance_class, memory in RDS_MEMORY_GIB.items():
        per_processor = 8 if instance_class.startswith("db.r") else 4
        assert facts.processors(instance_class) == max(2, memory / per_processor)


def test_only_the_t_families_earn_credits():
    assert {name.split(".")[1] for name in RDS_MEMORY_GIB if facts.burstable(name)} == {"t3", "t4g"}
