"""What runs by itself: functions, queues, workflows, schedules, topics, backups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..facts import Facts, Function, Queue, alert_topic
from ..spec import AlarmSpec, Reference
from .lines import CLOUDWATCH, FIVE_MINUTES, MINUTE, QUIET, alarm, series

if TYPE_CHECKING:
    from settings.thresholds import ThresholdSettings


def rows(thresholds: ThresholdSettings, facts: Facts) -> Iterator[AlarmSpec]:
    """What runs by itself, and the topics that tell of everything."""
    for function in facts.functions:
        yield from _function(thresholds, function)
    for queue in facts.queues:
        yield from _queue(thresholds, queue)
    yield from map(_topic, facts.topics)
    for machine in facts.machines:
        yield from _machine(machine)
    yield from map(_table, facts.tables)
    yield from map(_schedules, facts.schedules)
    yield from map(_rule, facts.rules)
    yield from map(_vault, facts.vaults)


def _function(thresholds: ThresholdSettings, function: Function) -> Iterator[AlarmSpec]:
    common: dict[str, Any] = {
        "kind": "functions",
        "subject": function.ref,
        "silence": QUIET,
        "severity": "medium",
        "run_book": CLOUDWATCH,
        "comparison": ">",
        "period": FIVE_MINUTES,
    }
    for purpose, metric, title in (("errors", "Errors", "fails"), ("throttles", "Throttles", "is held back")):
        if metric not in function.watched:
            yield alarm(
                f"{function.ref}-{purpose}",
                series("AWS/Lambda", metric, "Sum", {"FunctionName": function.ref}),
                panel=metric,
                title=f"The function {function.ref} {title}",
                threshold=0.0,
                setting=None,
                unit="Runs",
                impact="What it should do is late or does not happen.",
                first_action="Look into its log, then at what lies in its dead-letter queue.",
                **common,
            )
    if "Duration" not in function.watched:
        yield alarm(
            f"{function.ref}-duration",
            series("AWS/Lambda", "Duration", "Maximum", {"FunctionName": function.ref}),
            panel="Duration",
            title=f"The function {function.ref} nearly runs out of time",
            threshold=thresholds.runtime.duration_percent * function.timeout_seconds * 10,
            setting="runtime.duration_percent",
            unit="Milliseconds",
            impact="A run that takes longer is cut off half-way.",
            first_action="Find in its log what it waits for; then raise its timeout or its memory.",
            **common,
        )


def _queue(thresholds: ThresholdSettings, queue: Queue) -> Iterator[AlarmSpec]:
    common: dict[str, Any] = {
        "kind": "queues",
        "subject": queue.ref,
        "silence": ("notBreaching", "A queue that nobody uses has no value."),
        "run_book": CLOUDWATCH,
        "comparison": ">",
    }
    if queue.dead_letters and "ApproximateNumberOfMessagesVisible" not in queue.watched:
        yield alarm(
            f"{queue.ref}-visible",
            series("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", {"QueueName": queue.ref}),
            panel="Dead letters",
            title=f"A message lies in {queue.ref}",
            threshold=0.0,
            setting=None,
            unit="Messages",
            period=MINUTE,
            severity="high",
            impact="Something that should have happened did not.",
            first_action="Read the message, mend what refused it, and send it again.",
            **common,
        )
    elif not queue.dead_letters and "ApproximateAgeOfOldestMessage" not in queue.watched:
        yield alarm(
            f"{queue.ref}-age",
            series("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", {"QueueName": queue.ref}),
            panel="Oldest message",
            title=f"Messages wait in {queue.ref}",
            threshold=float(thresholds.runtime.queue_seconds),
            setting="runtime.queue_seconds",
            unit="Seconds",
            period=MINUTE,
            severity="medium",
            impact="What they ask for is late.",
            first_action="Look at the log of whoever reads the queue.",
            **common,
        )


def _topic(topic: Reference) -> AlarmSpec:
    return _counted(
        f"{topic}-failed",
        topic,
        "alerts",
        "AWS/SNS",
        ("NumberOfNotificationsFailed",),
        "TopicName",
        panel="Alerts that failed",
        # Whoever tells of a broken topic cannot be that topic.
        severity="critical" if topic == alert_topic("high") else "high",
        run_book="004_… Alert Escalation",
        title=f"Messages of {topic} do not arrive",
        unit="Messages",
        impact="Somebody who should be called is not.",
        first_action="Look at the topic's subscriptions and the delivery status of each.",
    )


def _table(table: Reference) -> AlarmSpec:
    return _counted(
        f"{table}-throttles",
        table,
        "tables",
        "AWS/DynamoDB",
        ("ReadThrottleEvents", "WriteThrottleEvents"),
        "TableName",
        panel="Throttled requests",
        severity="medium",
        title=f"The table {table} holds back reads or writes",
        unit="Requests",
        impact="Whoever reads or writes it waits, or fails.",
        first_action="Look for a key that is read far more than others, then at the account's limits.",
    )


def _schedules(group: Reference) -> AlarmSpec:
    return _counted(
        f"{group}-dropped",
        group,
        "schedules",
        "AWS/Scheduler",
        (
            "InvocationDroppedCount",
            "InvocationThrottleCount",
            "InvocationsFailedToBeSentToDeadLetterCount",
            "TargetErrorCount",
            "TargetErrorThrottledCount",
        ),
        "ScheduleGroup",
        panel="Schedules that failed",
        severity="high",
        run_book="003_… Schedulers",
        title=f"Schedules of {group} do not do their work",
        unit="Runs",
        impact="Something did not start or stop when it should.",
        first_action="Do by hand what was missed, then see in the dead-letter queue why.",
    )


def _rule(rule: Reference) -> AlarmSpec:
    return _counted(
        f"{rule}-failed",
        rule,
        "events",
        "AWS/Events",
        ("FailedInvocations",),
        "RuleName",
        panel="Events that failed",
        severity="high",
        title=f"Events of {rule} do not reach their target",
        unit="Events",
        impact="What they should set off does not happen.",
        first_action="Look at the target's permissions, then at the rule's dead-letter queue.",
    )


def _vault(vault: Reference) -> AlarmSpec:
    return _counted(
        f"{vault}-failed",
        vault,
        "backups",
        "AWS/Backup",
        ("NumberOfBackupJobsFailed", "NumberOfBackupJobsExpired", "NumberOfCopyJobsFailed"),
        "BackupVaultName",
        panel="Backups that failed",
        severity="high",
        run_book="000_… §4 Backup and Restore",
        title=f"A backup into {vault} failed",
        unit="Jobs",
        impact="If data is lost now, more of it is lost than agreed.",
        first_action="Read in AWS Backup why, and start the backup again.",
    )


def _machine(machine: Reference) -> Iterator[AlarmSpec]:
    for purpose, metric, title in (
        ("failed", "ExecutionsFailed", "fails"),
        ("timed-out", "ExecutionsTimedOut", "takes too long"),
        ("aborted", "ExecutionsAborted", "was stopped by hand"),
        ("throttled", "ExecutionThrottled", "is held back"),
    ):
        yield _counted(
            f"{machine}-{purpose}",
            machine,
            "workflows",
            "AWS/States",
            (metric,),
            "StateMachineArn",
            panel="Workflows that failed",
            severity="medium",
            title=f"The workflow {machine} {title}",
            unit="Executions",
            impact="What it should do is not done to its end.",
            first_action="Open the execution in Step Functions and go on by hand from where it ended.",
        )


def _counted(
    purpose: str,
    subject: Reference,
    kind: str,
    namespace: str,
    names: tuple[str, ...],
    dimension: str,
    *,
    run_book: str = CLOUDWATCH,
    **fields: Any,
) -> AlarmSpec:
    """An alarm that rings as soon as one of ``names`` counts anything in five minutes."""
    keys = [f"m{place}" for place in range(1, len(names) + 1)]
    metrics = (
        series(namespace, name, "Sum", {dimension: subject}, key=key) for key, name in zip(keys, names, strict=True)
    )
    return alarm(
        purpose,
        *metrics,
        expression=" + ".join(f"FILL({m}, 0)" for m in keys) if len(keys) > 1 else None,
        subject=subject,
        kind=kind,
        comparison=">",
        threshold=0.0,
        setting=None,
        period=FIVE_MINUTES,
        silence=QUIET,
        run_book=run_book,
        **fields,
    )
