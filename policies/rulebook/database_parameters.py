"""A rule on what a PostgreSQL database writes down: sign-ins, waits and slow statements.

TLS, and whether a parameter can be applied at all, is ``rds-force-ssl``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .database import PARAMETER_GROUP
from .resource import Context, Resource
from .rule import Level, ResourceRule, Rule, Severity
from .values import number, show

#: What tells who came and went, and who waited for whom.
_SWITCHES = ("log_connections", "log_disconnections", "log_lock_waits")

_OFF = ("", "off", "false", "no")

#: Milliseconds after which a statement is slow: the run book's answer takes two seconds (``004_… Key Metrics``).
_SLOW = 2000

_STATEMENTS, _PLANS = "log_min_duration_statement", "auto_explain.log_min_duration"

#: What RDS loads where nothing is said.
_LOADED = "pg_stat_statements"

#: Extensions that a parameter of theirs is of no use without.
_EXTENSIONS = ("auto_explain", "pg_stat_statements", "pgaudit", "pg_cron")

#: RDS's own default never goes beyond it, whatever the memory.
_MOST_CONNECTIONS = 5000


def _written_down(group: Resource, _: Context) -> Iterator[str]:
    if not str(group.section("family")).startswith("postgres"):
        return
    values = {
        group.section("parameters", index, "name"): group.section("parameters", index, "value")
        for index in range(len(group.items("parameters")))
    }
    for name in _SWITCHES:
        if not _is_on(values.get(name)):
            yield f"The parameter group leaves {name} {show(values.get(name))}."
    loaded = {one.strip() for one in str(values.get("shared_preload_libraries") or _LOADED).split(",")}
    yield from _unloaded(values, loaded)
    # Whether statements are logged at all is `rds-force-ssl`.
    for name in (_STATEMENTS, *((_PLANS,) if "auto_explain" in loaded else ())):
        limit = number(values.get(name))
        if limit is not None and limit > _SLOW:
            yield f"The parameter group logs statements from {show(limit)} ms on ({name}); {_SLOW} are slow."
    if "auto_explain" in loaded and (number(values.get(_PLANS, -1)) or 0) < 0:
        yield f"auto_explain is loaded and explains nothing: {_PLANS} is {show(values.get(_PLANS))}."
    most = number(values.get("max_connections"))
    if most is None:
        yield "max_connections is no number, so nobody can tell when 80 % of the connections are taken."
    elif most > _MOST_CONNECTIONS:
        yield f"The database takes {show(most)} connections; beyond {_MOST_CONNECTIONS} it runs out of memory first."


def _unloaded(values: Mapping[Any, Any], loaded: set[str]) -> Iterator[str]:
    for extension in _EXTENSIONS:
        if extension not in loaded and any(str(name).startswith(f"{extension}.") for name in values):
            yield f"Parameters of {extension} do nothing: shared_preload_libraries does not load it."


def _is_on(value: Any) -> bool:
    """A switch is 1 or a word for it; from PostgreSQL 18 on ``log_connections`` is a list of stages."""
    as_number = number(value)
    if as_number is not None:
        return as_number == 1
    return value is not None and str(value).lower() not in _OFF


WRITTEN_DOWN = ResourceRule(
    id="rds-writes-down",
    sentence="004_5ca73e3508d74ec8.txt Database Maintenance: Review slow query logs",
    title="The database writes down sign-ins, waits for locks and statements of two seconds, and counts connections.",
    why="After an incident nobody can tell who was in the database, and why it stood still.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP RDS.36", "NIST AU-12"),
    remedy="Set log_connections, log_disconnections and log_lock_waits to 1, log_min_duration_statement to 2000 ms or "
    "less, max_connections to a number, and load in shared_preload_libraries what other parameters belong to.",
    types=frozenset({PARAMETER_GROUP}),
    check=_written_down,
)

RULES: tuple[Rule, ...] = (WRITTEN_DOWN,)
