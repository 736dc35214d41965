"""The rule on what a PostgreSQL database writes down."""

import pytest

from policies.rulebook.database_parameters import RULES, WRITTEN_DOWN
from tests.policies.bags import ABSENT, UNKNOWN, faults, not_evaluated, resource

GROUP = "aws:rds/parameterGroup:ParameterGroup"
PARAMETERS = {
    "auto_explain.log_min_duration": "1000",
    "log_connections": "1",
    "log_disconnections": "1",
    "log_lock_waits": "1",
    "log_min_duration_statement": "1000",
    "max_connections": "901",
    "pg_stat_statements.track": "all",
    "shared_preload_libraries": "pg_stat_statements,auto_explain",
}


def group(family="postgres17", **changes):
    values = {**PARAMETERS, **{name.replace("__", "."): value for name, value in changes.items()}}
    given = [{"name": name, "value": value} for name, value in values.items() if value is not ABSENT]
    return resource(GROUP, "it", {"family": family, "parameters": given})


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["rds-writes-down"]


def test_a_database_that_writes_everything_down_passes():
    assert faults(WRITTEN_DOWN, group()) == []


def left(name, value):
    return f"The parameter group leaves {name} {value}."


def slow(name, value):
    return f"The parameter group logs statements from {value} ms on ({name}); 2000 are slow."


EXPLAINS = "auto_explain.log_min_duration"
NO_NUMBER = "max_connections is no number, so nobody can tell when 80 % of the connections are taken."


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({"log_connections": "0"}, [left("log_connections", 0)]),
        ({"log_connections": ABSENT}, [left("log_connections", "unset")]),
        ({"log_connections": "on"}, []),
        ({"log_connections": "receipt,authentication"}, []),
        ({"log_disconnections": "off"}, [left("log_disconnections", "off")]),
        ({"log_lock_waits": "10"}, [left("log_lock_waits", 10)]),
        ({"log_min_duration_statement": "2000"}, []),
        ({"log_min_duration_statement": "2001"}, [slow("log_min_duration_statement", 2001)]),
        ({"log_min_duration_statement": ABSENT}, []),
        ({"auto_explain__log_min_duration": "10000"}, [slow(EXPLAINS, 10000)]),
        (
            {"auto_explain__log_min_duration": ABSENT},
            [f"auto_explain is loaded and explains nothing: {EXPLAINS} is unset."],
        ),
        (
            {"auto_explain__log_min_duration": "-1"},
            [f"auto_explain is loaded and explains nothing: {EXPLAINS} is -1."],
        ),
        (
            {"shared_preload_libraries": ABSENT},
            ["Parameters of auto_explain do nothing: shared_preload_libraries does not load it."],
        ),
        (
            {"shared_preload_libraries": "auto_explain"},
            ["Parameters of pg_stat_statements do nothing: shared_preload_libraries does not load it."],
        ),
        ({"max_connections": "5000"}, []),
        (
            {"max_connections": "9010"},
            ["The database takes 9010 connections; beyond 5000 it runs out of memory first."],
        ),
        ({"max_connections": ABSENT}, [NO_NUMBER]),
        ({"max_connections": "LEAST({DBInstanceClassMemory/9531392},5000)"}, [NO_NUMBER]),
    ],
)
def test_a_parameter_that_writes_nothing_down_is_named(changes, sentences):
    assert faults(WRITTEN_DOWN, group(**changes)) == sentences


def test_other_engines_are_not_judged():
    assert faults(WRITTEN_DOWN, resource(GROUP, "it", {"family": "mysql8.4"})) == []


@pytest.mark.parametrize("bag", [{"family": UNKNOWN}, {"family": "postgres17", "parameters": UNKNOWN}])
def test_an_unknown_group_is_not_judged(bag):
    assert not_evaluated(WRITTEN_DOWN, resource(GROUP, "it", bag))[0] == []
