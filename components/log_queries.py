"""Log analysis: a saved query for every question of the run books, and what CloudWatch itself finds odd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from settings.naming import Labels
from settings.severity import Severity

from ._base import Component
from ._keys import Home

#: ``application``: the platform's log, access lines among them; ``system``: the servers' journals; ``database``: of
#: PostgreSQL; ``flow``: of the VPC; ``firewall``: of WAF; ``trail``: of CloudTrail.
Log = Literal["application", "system", "database", "flow", "firewall", "trail"]

#: How often a log is looked through, by how fast it grows.
_Frequency = Literal["FIVE_MIN", "FIFTEEN_MIN"]
_ODD: Mapping[Log, _Frequency] = {"application": "FIVE_MIN", "trail": "FIFTEEN_MIN"}

#: Days after which CloudWatch takes what it found odd as usual.
_VISIBLE_DAYS = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of the run books.

    ``span``: of time that it is asked over, which a saved query cannot hold; ``text``: in Logs Insights' own language.
    """

    key: str
    log: Log
    asks: str
    runbook: str
    span: str
    text: str


def plan_queries(flow_fields: Sequence[str]) -> tuple[Question, ...]:
    """Every question. ``flow_fields``: what a record of the flow log holds, in its order (``srcaddr``, ``action``, …).

    Raises ValueError when the records lack a field that a question is about.
    """
    missing = sorted({"action", "bytes", "dstaddr", "dstport", "srcaddr"} - set(flow_fields))
    if missing:
        raise ValueError(f"The flow log's records have no {', '.join(missing)}; add the fields to its format.")
    return (*_QUESTIONS, *_flow_questions(flow_fields))


def render(question: Question) -> str:
    """The query with what it is for and the time to choose as comments, so that it explains itself in the console."""
    return f"# {question.asks} ({question.runbook})\n# Time range: {question.span}\n{question.text}"


@dataclass(frozen=True, kw_only=True, slots=True)
class LogQueriesArgs:
    """``log_groups``: log -> name of its group; questions to a log that is not there are left out.

    ``flow_fields``: the format of the flow log. ``topic_arns``: severity -> topic.
    """

    home: Home
    log_groups: Mapping[Log, pulumi.Input[str]]
    flow_fields: Sequence[str]
    topic_arns: Mapping[Severity, pulumi.Input[str]]


class LogQueries(Component):
    """Saved queries under ``project/environment/`` in the Logs Insights console, and anomaly detection with alarms."""

    TYPE = "learning-platform:log-queries:LogQueries"
    SERVICE = "log-analysis"
    RUNBOOK = "004_5ca73e3508d74ec8.txt Log Analysis Procedures"

    #: question -> name of the saved query
    query_names: Mapping[str, pulumi.Output[str]]

    def __init__(
        self, name: str, args: LogQueriesArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self.query_names = {
            question.key: self._create_query(question, args.log_groups[question.log])
            for question in plan_queries(args.flow_fields)
            if question.log in args.log_groups
        }
        for log, frequency in _ODD.items():
            if log in args.log_groups:
                self._create_detector(log, frequency, args)
        self.register_outputs({"queryNames": self.query_names})

    def _create_query(self, question: Question, log_group: pulumi.Input[str]) -> pulumi.Output[str]:
        return aws.cloudwatch.QueryDefinition(
            f"{self.name}-{question.key}",
            # The console shows what stands before a slash as a folder.
            name=f"{self.labels.project}/{self.labels.environment}/{question.key}",
            log_group_names=[log_group],
            query_string=render(question),
            opts=self.child(),
        ).name

    def _create_detector(self, log: Log, frequency: _Frequency, args: LogQueriesArgs) -> None:
        """Lines of a new shape, or many more of a known one. Only what CloudWatch takes for grave is told."""
        name = f"{self.name}-{log}-anomalies"
        detector = aws.cloudwatch.LogAnomalyDetector(
            name,
            detector_name=self.labels.physical(log, "anomalies"),
            log_group_arn_lists=[pulumi.Output.concat(args.home.arn("logs", "log-group:"), args.log_groups[log])],
            evaluation_frequency=frequency,
            anomaly_visibility_time=_VISIBLE_DAYS,
            enabled=True,
            tags=self.tags(name),
            opts=self.child(),
        )
        aws.cloudwatch.MetricAlarm(
            name,
            name=self.labels.physical(log, "anomalies", limit=255),
            alarm_description=f"The {log} log says something it never said before.\n"
            "Severity: medium, respond within 4 hours\n"
            "Impact: Something new happens: a fault, or an intruder.\n"
            "Run book: 001_… §4\n"
            "First action: Read it in the console under Log Anomalies; suppress what is harmless.",
            namespace="AWS/Logs",
            metric_name="AnomalyCount",
            dimensions={"LogAnomalyDetector": detector.detector_name.apply(str), "LogAnomalyPriority": "HIGH"},
            statistic="Sum",
            period=300,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            # The metric is there while there is something odd, and only then.
            treat_missing_data="notBreaching",
            alarm_actions=[args.topic_arns["medium"]],
            tags=self.tags(name, Severity="medium"),
            opts=self.child(),
        )


def _flow_questions(fields: Sequence[str]) -> tuple[Question, ...]:
    names = [field.replace("-", "_") for field in fields]
    # Insights knows the fields of AWS's own format alone.
    parse = f'parse @message "{" ".join("*" for _ in names)}" as {", ".join(names)}'
    return (
        Question(
            key="rejected-connections",
            log="flow",
            asks="Which addresses were refused, and on which ports",
            runbook="004_… Infrastructure Logs",
            span="1 hour",
            text=f'{parse}\n| filter action = "REJECT"\n'
            "| stats count(*) as refused, count_distinct(dstport) as ports by srcaddr\n| sort refused desc\n| limit 50",
        ),
        Question(
            key="rejected-ports",
            log="flow",
            asks="Which of our addresses and ports refused most",
            runbook="000_… §6 Security Groups",
            span="1 hour",
            text=f'{parse}\n| filter action = "REJECT"\n'
            "| stats count(*) as refused by dstaddr, dstport\n| sort refused desc\n| limit 50",
        ),
        Question(
            key="network-traffic",
            log="flow",
            asks="Who moves most data",
            runbook="001_… §1 (Network traffic)",
            span="1 day",
            text=f'{parse}\n| filter action = "ACCEPT"\n'
            "| stats sum(bytes) / 1048576 as mebibytes by srcaddr, dstaddr\n| sort mebibytes desc\n| limit 50",
        ),
    )


#: An access line in the common log format, as the stand-in and most servers write it.
_ACCESS_LINE = (
    r'parse @message /"(?<method>[A-Z]+) (?<target>[^ "]+)[^"]*" (?<status>[0-9]{3})/'
    "\n"
    r"| parse target /^(?<path>[^?]*)/"
)

_QUESTIONS: tuple[Question, ...] = (
    Question(
        key="errors",
        log="application",
        asks="What went wrong; ten or more in an hour is too many",
        runbook="004_… Morning Health Check",
        span="1 hour",
        text="fields @timestamp, @logStream, @message\n| filter @message like /ERROR|CRITICAL|FATAL|Traceback/\n"
        "| sort @timestamp desc\n| limit 200",
    ),
    Question(
        key="errors-over-time",
        log="application",
        asks="Since when it goes wrong",
        runbook="001_… §4 (Check the application logs for errors)",
        span="1 day",
        text="filter @message like /ERROR|CRITICAL|FATAL|Traceback/\n| stats count(*) as errors by bin(5m)",
    ),
    Question(
        key="server-errors-by-path",
        log="application",
        asks="Which pages answer with 5xx; the load balancer's own log is in its bucket",
        runbook="004_… Key Metrics to Monitor (Error Rate)",
        span="1 hour",
        text=f"{_ACCESS_LINE}\n| filter status >= 500\n"
        "| stats count(*) as failures, max(@timestamp) as last by path, status\n| sort failures desc\n| limit 50",
    ),
    Question(
        key="system-errors",
        log="system",
        asks="What the servers' services complain of",
        runbook="000_… §7 Log Analysis",
        span="1 hour",
        text="fields @timestamp, @logStream, @message\n"
        "| filter @message like /(?i)(error|failed|out of memory|segfault|no space left)/\n"
        "| sort @timestamp desc\n| limit 200",
    ),
    Question(
        key="slow-queries",
        log="database",
        asks="Which statements take longest",
        runbook="004_… Routine Maintenance (Review slow query logs)",
        span="1 day",
        text=r"parse @message /duration: (?<milliseconds>[0-9.]+) ms\s+(?:statement|execute [^:]*): (?<statement>.*)/"
        "\n| filter ispresent(milliseconds)\n"
        "| stats count(*) as times, avg(milliseconds) as mean, max(milliseconds) as slowest by statement\n"
        "| sort slowest desc\n| limit 50",
    ),
    Question(
        key="database-errors",
        log="database",
        asks="What the database refused or lost",
        runbook="000_… §7 Log Analysis",
        span="1 hour",
        text="fields @timestamp, @message\n| filter @message like /ERROR:|FATAL:|PANIC:|deadlock detected/\n"
        "| sort @timestamp desc\n| limit 200",
    ),
    Question(
        key="database-sign-ins",
        log="database",
        asks="Who connected to the database, and from where",
        runbook="000_… §3 (Avoid direct access to the RDS instance from outside the VPC)",
        span="1 day",
        text=r"parse @message /:(?<address>[0-9a-f.:]+)\([0-9]+\):(?<user>[^@]+)@(?<database>[^:]+):/"
        "\n| filter @message like /connection authorized/\n"
        "| stats count(*) as connections, max(@timestamp) as last by user, database, address\n"
        "| sort connections desc",
    ),
    Question(
        key="blocked-requests",
        log="firewall",
        asks="What the firewall blocks, by rule, path and address",
        runbook="002_… §7.3 (WAF rule sets)",
        span="1 hour",
        text='filter action = "BLOCK"\n'
        "| stats count(*) as requests"
        " by terminatingRuleId, httpRequest.uri, httpRequest.clientIp, httpRequest.country\n"
        "| sort requests desc\n| limit 50",
    ),
    Question(
        key="denied-calls",
        log="trail",
        asks="Whom AWS refused what",
        runbook="000_… §7 (unauthorized access attempts)",
        span="1 day",
        text="filter errorCode like /UnauthorizedOperation|AccessDenied/\n"
        "| stats count(*) as calls, count_distinct(eventName) as kinds, max(@timestamp) as last"
        " by userIdentity.arn, sourceIPAddress, eventSource, errorCode\n"
        "| sort calls desc\n| limit 100",
    ),
    Question(
        key="trail-errors",
        log="trail",
        asks="Which calls failed",
        runbook="004_… Security Review",
        span="7 days",
        text="filter ispresent(errorCode)\n"
        "| stats count(*) as calls, count_distinct(userIdentity.arn) as principals"
        " by eventSource, eventName, errorCode\n"
        "| sort calls desc\n| limit 100",
    ),
    Question(
        key="console-sign-ins",
        log="trail",
        asks="Who signed in to the console, with which factors, and who failed",
        runbook="004_… Security Review",
        span="7 days",
        text='filter eventName = "ConsoleLogin"\n'
        "| stats count(*) as sign_ins, max(@timestamp) as last by userIdentity.type, userIdentity.arn,"
        " sourceIPAddress, additionalEventData.MFAUsed, responseElements.ConsoleLogin\n"
        "| sort last desc",
    ),
    Question(
        key="shell-sessions",
        log="trail",
        asks="Who opened a shell or a tunnel on which machine",
        runbook="000_… §1",
        span="7 days",
        text='filter eventSource = "ssm.amazonaws.com" and eventName in ["StartSession", "ResumeSession"]\n'
        "| fields @timestamp, userIdentity.arn, requestParameters.target, requestParameters.documentName, errorCode\n"
        "| sort @timestamp desc\n| limit 200",
    ),
    Question(
        key="root-use",
        log="trail",
        asks="What the root user did",
        runbook="000_… §7 CloudTrail",
        span="90 days",
        text='filter userIdentity.type = "Root" and not ispresent(userIdentity.invokedBy)\n'
        "| fields @timestamp, eventSource, eventName, sourceIPAddress, errorCode\n| sort @timestamp desc\n| limit 200",
    ),
    Question(
        key="changes-by-principal",
        log="trail",
        asks="Who changed what",
        runbook="001_… §4 (Check the audit logs for suspicious activity)",
        span="1 day",
        text="filter readOnly = 0\n"
        "| stats count(*) as calls, max(@timestamp) as last by userIdentity.arn, eventSource, eventName\n"
        "| sort calls desc\n| limit 100",
    ),
    Question(
        key="network-changes",
        log="trail",
        asks="Who changed security groups, ACLs, routes or gateways",
        runbook="000_… §6 (Review and update security group rules)",
        span="7 days",
        text='filter eventSource = "ec2.amazonaws.com" and readOnly = 0\n'
        "| filter eventName like /SecurityGroup|NetworkAcl|Route|Gateway|Vpc/\n"
        "| fields @timestamp, userIdentity.arn, eventName, requestParameters.groupId, errorCode\n"
        "| sort @timestamp desc\n| limit 200",
    ),
)
