"""How many connections a class takes, and what the database logs."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.database import plan

memories = st.fractions(min_value=Fraction(1, 2), max_value=4096, max_denominator=8).map(float)


@pytest.mark.parametrize(
    ("memory_gib", "connections"),
    [(1, 112), (2, 225), (4, 450), (8, 901), (16, 1802), (32, 3604), (64, 5000), (768, 5000)],
)
def test_connections_follow_from_memory_as_rds_counts_them(memory_gib, connections):
    assert plan.max_connections(memory_gib) == connections


@given(smaller=memories, larger=memories)
def test_more_memory_never_means_fewer_connections(smaller, larger):
    smaller, larger = sorted((smaller, larger))
    assert 6 <= plan.max_connections(smaller) <= plan.max_connections(larger) <= 5000


@given(connections=st.integers(7, 5000))
def test_a_byte_less_than_a_connection_needs_is_a_connection_less(connections):
    memory = connections * 9531392
    assert plan.max_connections(memory / 2**30) == connections
    assert plan.max_connections((memory - 1) / 2**30) == connections - 1


@given(memory_gib=memories, override=st.integers(6, 262143))
def test_an_override_is_the_number(memory_gib, override):
    assert plan.max_connections(memory_gib, override) == override


@pytest.mark.parametrize("override", [-1, 0, 5, 262144])
def test_an_override_that_postgresql_would_not_start_with_is_refused(override):
    with pytest.raises(ValueError, match=rf"max_connections is {override}; it lies between 6 and 262143\."):
        plan.max_connections(8, override)


@pytest.mark.parametrize("memory_gib", [0, -2.0, float("nan")])
def test_memory_that_no_class_has_is_refused(memory_gib):
    with pytest.raises(ValueError, match=r"The memory of the database's class is .* GiB"):
        plan.max_connections(memory_gib)


@given(major=st.integers(10, 99), minor=st.none() | st.integers(0, 99))
def test_the_family_is_that_of_the_major_version(major, minor):
    version = str(major) if minor is None else f"{major}.{minor}"
    assert plan.family(version) == f"postgres{major}"


@pytest.mark.parametrize("wrong", ["", "17.", "seventeen", "9.6", "17.4-R1", "postgres17", " 17", "17.4.1"])
def test_what_is_no_version_is_refused_with_an_example(wrong):
    with pytest.raises(ValueError, match="is no version of PostgreSQL; give a major version such as 17"):
        plan.family(wrong)


def test_the_parameters_are_these():
    wanted = plan.parameters(connections=225, slow_query_ms=750)
    assert {(p.name, p.value, p.applies) for p in wanted} == {
        ("auto_explain.log_min_duration", "750", "immediate"),
        ("log_connections", "1", "immediate"),
        ("log_disconnections", "1", "immediate"),
        ("log_lock_waits", "1", "immediate"),
        ("log_min_duration_statement", "750", "immediate"),
        ("max_connections", "225", "pending-reboot"),
        ("pg_stat_statements.track", "all", "immediate"),
        ("rds.force_ssl", "1", "pending-reboot"),
        ("shared_preload_libraries", "pg_stat_statements,auto_explain", "pending-reboot"),
    }
    assert len({p.name for p in wanted}) == len(wanted)


@given(connections=st.integers(6, 5000), slow=st.integers(0, 60000))
def test_static_parameters_wait_for_a_reboot_because_rds_refuses_anything_else(connections, slow):
    static = {"max_connections", "shared_preload_libraries"}
    waiting = {p.name for p in plan.parameters(connections=connections, slow_query_ms=slow) if p.applies != "immediate"}
    assert static <= waiting


@pytest.mark.parametrize(("insights", "days"), [("standard", 7), ("advanced", 465)])
def test_insights_are_kept_as_their_mode_requires(insights, days):
    assert plan.insights_retention_days(insights) == days
    assert days in (7, 731) or days % 31 == 0


def test_logs_go_where_rds_writes_them():
    assert plan.log_paths("lp-prod-db") == {
        "postgresql": "/aws/rds/instance/lp-prod-db/postgresql",
        "upgrade": "/aws/rds/instance/lp-prod-db/upgrade",
    }


def test_every_category_of_events_is_one_that_rds_has_for_instances():
    known = {
        *("availability", "backtrack", "backup", "configuration change", "creation", "deletion", "failover"),
        *("failure", "low storage", "maintenance", "notification", "read replica", "recovery", "restoration"),
        *("security", "security patching"),
    }
    assert set(plan.EVENT_CATEGORIES) <= known
    assert {"failover", "failure", "low storage", "maintenance", "configuration change"} <= set(plan.EVENT_CATEGORIES)
