"""The saved queries: which there are, and what their expressions find in lines of each log."""

import re

import pytest

from components._keys import Home
from components.log_queries import LogQueries, LogQueriesArgs, plan_queries, render
from components.network.plan import FLOW_FIELDS
from runbook.preview.capture import capture
from settings.naming import Labels

QUESTIONS = {question.key: question for question in plan_queries(FLOW_FIELDS)}

LOGS = {
    "application": {"errors", "errors-over-time", "server-errors-by-path"},
    "system": {"system-errors"},
    "database": {"slow-queries", "database-errors", "database-sign-ins"},
    "flow": {"rejected-connections", "rejected-ports", "network-traffic"},
    "firewall": {"blocked-requests"},
    "trail": {
        "denied-calls",
        "trail-errors",
        "console-sign-ins",
        "shell-sessions",
        "root-use",
        "changes-by-principal",
        "network-changes",
    },
}


def queries(*logs):
    args = LogQueriesArgs(
        home=Home(partition="aws", account_id="210987654321", region="eu-west-1"),
        log_groups={log: f"/learning-platform/staging/{log}" for log in logs},
        flow_fields=FLOW_FIELDS,
        topic_arns={"medium": "arn:aws:sns:eu-west-1:210987654321:medium"},
    )
    labels = Labels(project="learning-platform", environment="staging", owner="platform", cost_center="lp")
    return capture(lambda: LogQueries("logs", args, labels=labels) and None)


def test_every_question_of_the_run_books_has_a_query_of_its_own():
    asked = {}
    for question in QUESTIONS.values():
        asked.setdefault(question.log, set()).add(question.key)
    assert asked == LOGS
    assert all(re.match(r"00[0-4]_… ", question.runbook) for question in QUESTIONS.values())


def test_the_queries_of_a_stack_are_in_its_folder_and_about_its_logs():
    graph = queries(*LOGS)
    found = {
        r.inputs["name"]: r.inputs["logGroupNames"] for r in graph.of("aws:cloudwatch/queryDefinition:QueryDefinition")
    }
    assert found == {
        f"learning-platform/staging/{key}": [f"/learning-platform/staging/{log}"]
        for log, keys in LOGS.items()
        for key in keys
    }
    names = graph.one("learning-platform:log-queries:LogQueries").outputs["queryNames"]
    assert names == {name.rpartition("/")[2]: name for name in found}


def test_questions_to_a_log_that_is_not_there_are_left_out():
    graph = queries("flow", "trail")
    names = {r.name.removeprefix("logs-") for r in graph.of("aws:cloudwatch/queryDefinition:QueryDefinition")}
    assert names == LOGS["flow"] | LOGS["trail"]
    assert [r.name for r in graph.of("aws:cloudwatch/logAnomalyDetector:LogAnomalyDetector")] == [
        "logs-trail-anomalies"
    ]


def test_what_is_odd_in_the_application_and_the_trail_is_told():
    graph = queries(*LOGS)
    detectors = graph.of("aws:cloudwatch/logAnomalyDetector:LogAnomalyDetector")
    assert {
        (d.inputs["detectorName"], d.inputs["evaluationFrequency"], *d.inputs["logGroupArnLists"]) for d in detectors
    } == {
        (
            f"learning-platform-staging-{log}-anomalies",
            frequency,
            f"arn:aws:logs:eu-west-1:210987654321:log-group:/learning-platform/staging/{log}",
        )
        for log, frequency in (("application", "FIVE_MIN"), ("trail", "FIFTEEN_MIN"))
    }
    alarms = {a.name: a.inputs for a in graph.of("aws:cloudwatch/metricAlarm:MetricAlarm")}
    assert set(alarms) == {"logs-application-anomalies", "logs-trail-anomalies"}
    assert alarms["logs-trail-anomalies"]["dimensions"] == {
        "LogAnomalyDetector": "learning-platform-staging-trail-anomalies",
        "LogAnomalyPriority": "HIGH",
    }
    assert alarms["logs-trail-anomalies"]["alarmActions"] == ["arn:aws:sns:eu-west-1:210987654321:medium"]


def test_a_query_explains_itself():
    assert render(QUESTIONS["trail-errors"]).splitlines()[:2] == [
        "# Which calls failed (004_… Security Review)",
        "# Time range: 7 days",
    ]


def test_a_flow_log_without_the_fields_that_are_asked_for_is_refused():
    with pytest.raises(ValueError, match=r"have no action, dstport; add the fields to its format"):
        plan_queries(["srcaddr", "dstaddr", "bytes"])


def test_records_of_the_flow_log_are_parsed_in_their_own_order():
    text = QUESTIONS["rejected-connections"].text
    stars, names = re.match(r'parse @message "([* ]+)" as (.+)', text).groups()
    assert len(stars.split()) == len(FLOW_FIELDS)
    assert names.split(", ") == [field.replace("-", "_") for field in FLOW_FIELDS]


def found(key, line):
    """What the parse expressions of a query find in a line; None where the first finds nothing."""
    values = {"@message": line}
    for source, expression in re.findall(r"parse (\S+) /(.*)/", QUESTIONS[key].text):
        match = re.search(expression.replace("(?<", "(?P<"), values[source])
        if match is None:
            return None
        values |= match.groupdict()
    return {name: value for name, value in values.items() if name != "@message"}


@pytest.mark.parametrize(
    ("key", "line", "values"),
    [
        (
            "server-errors-by-path",
            '10.20.1.7 - - [21/Nov/2026 07:22:11] "GET /courses/7?page=2 HTTP/1.1" 503 -',
            {"method": "GET", "target": "/courses/7?page=2", "status": "503", "path": "/courses/7"},
        ),
        (
            "server-errors-by-path",
            '10.20.1.7 - ann [21/Nov/2026:07:22:11 +0000] "POST /login HTTP/2.0" 500 312 "-" "Mozilla/5.0"',
            {"method": "POST", "target": "/login", "status": "500", "path": "/login"},
        ),
        ("server-errors-by-path", "INFO started", None),
        (
            "slow-queries",
            "2026-11-21 07:22:11 UTC:10.20.64.5(55432):app@platform:[912]:LOG:  duration: 2310.112 ms  "
            "statement: SELECT * FROM marks",
            {"milliseconds": "2310.112", "statement": "SELECT * FROM marks"},
        ),
        (
            "slow-queries",
            "2026-11-21 07:22:11 UTC:10.20.64.5(55432):app@platform:[912]:LOG:  duration: 1001.5 ms  "
            "execute <unnamed>: UPDATE marks SET mark = $1",
            {"milliseconds": "1001.5", "statement": "UPDATE marks SET mark = $1"},
        ),
        (
            "slow-queries",
            "2026-11-21 07:22:11 UTC:10.20.64.5(55432):app@platform:[912]:LOG:  duration: 2310.112 ms  plan:",
            None,
        ),
        (
            "database-sign-ins",
            "2026-11-21 07:22:11 UTC:10.20.64.5(55432):app@platform:[912]:LOG:  connection authorized: user=app",
            {"address": "10.20.64.5", "user": "app", "database": "platform"},
        ),
    ],
)
def test_the_expressions_find_what_they_ask_for(key, line, values):
    assert found(key, line) == values


def filtered(key, line):
    """Whether the first ``@message like`` of a query holds for a line."""
    expression = re.search(r"@message like /(.*)/", QUESTIONS[key].text)[1]
    return re.search(expression, line) is not None


@pytest.mark.parametrize(
    ("key", "line", "hit"),
    [
        ("errors", "2026-11-21 ERROR payment failed", True),
        ("errors", "Traceback (most recent call last):", True),
        ("errors", "INFO no error", False),
        ("system-errors", "Nov 21 kernel: Out of memory: Killed process 1", True),
        ("system-errors", "Nov 21 systemd: Started session", False),
        ("database-errors", "…:ERROR:  duplicate key value violates unique constraint", True),
        ("database-errors", "…:LOG:  checkpoint complete", False),
    ],
)
def test_lines_that_are_looked_for(key, line, hit):
    assert filtered(key, line) is hit


def test_no_query_holds_what_the_language_does_not_know():
    commands = {"fields", "filter", "limit", "parse", "sort", "stats"}
    for question in QUESTIONS.values():
        lines = question.text.split("\n")
        assert {line.removeprefix("| ").split()[0] for line in lines} <= commands, question.key
        assert [line.startswith("| ") for line in lines] == [False] + [True] * (len(lines) - 1), question.key
        assert len(render(question)) <= 10_000
