"""What each part of the escalation may do, and who may send to its queues and topics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from .. import iam
from .._keys import Home
from .plan import Channels


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """ARNs of what the functions work on."""

    table: pulumi.Input[str]
    inbox: pulumi.Input[str]
    dead_letters: pulumi.Input[str]
    key: pulumi.Input[str]
    machine: str
    notify: str


def shared(places: Places, log_group_arn: pulumi.Input[str]) -> list[iam.Statement]:
    """What every function may: log, trace, use the key, bury a message, keep the record."""
    return [
        iam.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [pulumi.Output.concat(log_group_arn, ":*")]),
        # Traces belong to no resource.
        iam.allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"], sid="Trace"),
        iam.allow(["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"], [places.key], sid="UseKey"),
        iam.allow(["sqs:SendMessage"], [places.dead_letters], sid="BuryLetters"),
        iam.allow(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], [places.table], sid="KeepRecords"),
    ]


def acknowledge(places: Places) -> list[iam.Statement]:
    """Find an escalation by its code, and wake its execution."""
    return [
        iam.allow(["dynamodb:Query"], [pulumi.Output.concat(places.table, "/index/by-code")], sid="FindByCode"),
        iam.allow(["states:SendTaskSuccess"], [places.machine], sid="WakeMachine"),
    ]


def escalate(places: Places) -> list[iam.Statement]:
    """Read the inbox, start and wake executions, see whether they and their alarms are alive, and announce the rest."""
    executions = f"{places.machine.replace(':stateMachine:', ':execution:')}:*"
    return [
        iam.allow(
            ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], [places.inbox], sid="ReadInbox"
        ),
        iam.allow(["states:SendTaskSuccess", "states:StartExecution"], [places.machine], sid="RunMachine"),
        iam.allow(["states:DescribeExecution"], [executions], sid="SeeExecutions"),
        iam.allow(["lambda:InvokeFunction"], [places.notify], sid="Announce"),
        # Composite alarms are shown only to those who may see all.
        iam.allow(["cloudwatch:DescribeAlarms"], ["*"], sid="SeeAlarms"),
    ]


def notify(channels: Channels) -> list[iam.Statement]:
    """Send through the channels, from their own address and numbers alone."""
    webhook = iam.allow(["secretsmanager:GetSecretValue"], [channels.slack_secret], sid="ReadWebhook")
    key = [iam.allow(["kms:Decrypt"], [channels.slack_key], sid="DecryptWebhook")] if channels.slack_key else []
    mail = iam.allow(
        ["ses:SendEmail"],
        [channels.email_identity],
        sid="SendEmail",
        condition={"StringEquals": {"ses:FromAddress": channels.sender}},
    )
    text = iam.allow(["sms-voice:SendTextMessage"], [channels.sms_number], sid="SendTexts")
    call = iam.allow(["sms-voice:SendVoiceMessage"], [channels.voice_number], sid="CallPeople")
    return [webhook, *key, mail, text, call]


def machine(functions: Sequence[pulumi.Input[str]]) -> list[iam.Statement]:
    """Call the functions, trace and log. Neither traces nor the delivery of logs has a resource to be named."""
    trace = ["GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments"]
    deliver = [
        "CreateLogDelivery",
        "DeleteLogDelivery",
        "DescribeLogGroups",
        "DescribeResourcePolicies",
        "GetLogDelivery",
        "ListLogDeliveries",
        "PutResourcePolicy",
        "UpdateLogDelivery",
    ]
    return [
        iam.allow(["lambda:InvokeFunction"], functions, sid="CallFunctions"),
        iam.allow([f"xray:{action}" for action in trace], ["*"], sid="Trace"),
        iam.allow([f"logs:{action}" for action in deliver], ["*"], sid="DeliverLogs"),
    ]


def numbers_only(home: Home) -> dict[str, dict[str, str]]:
    """The condition that lets in only what a telephone number of the account received."""
    return {
        "StringEquals": {"aws:SourceAccount": home.account_id},
        "ArnLike": {"aws:SourceArn": home.arn("sms-voice", "*")},
    }


def key_users(home: Home, queue_arns: Sequence[str], *, takes_replies: bool) -> list[iam.Statement]:
    """The services that write to the queues, and to the topic of replies.

    What is encrypted says whose it is: EventBridge sends no account along when it writes to a queue.
    """
    use = ["kms:Decrypt", "kms:GenerateDataKey*"]
    own_queues = {"StringEquals": {"kms:EncryptionContext:aws:sqs:arn": list(queue_arns)}}
    replies = iam.allow_service(
        "sms-voice.amazonaws.com", use, ["*"], sid="RepliesArrive", condition=numbers_only(home)
    )
    return [
        iam.allow_service("events.amazonaws.com", use, ["*"], sid="EventsSend", condition=own_queues),
        iam.allow_service("sns.amazonaws.com", use, ["*"], sid="TopicsSend", condition=own_queues),
        *([replies] if takes_replies else []),
    ]


def queue(
    queue_arn: pulumi.Input[str], topics: Sequence[pulumi.Input[str]], rule_arn: pulumi.Input[str]
) -> pulumi.Output[str]:
    """A queue's policy: only these topics and this rule put messages in."""

    def may_send(service: str, sid: str, sources: Sequence[pulumi.Input[str]]) -> iam.Statement:
        condition = {"ArnEquals": {"aws:SourceArn": list(sources)}}
        return iam.allow_service(
            f"{service}.amazonaws.com", ["sqs:SendMessage"], [queue_arn], sid=sid, condition=condition
        )

    return iam.document(
        iam.deny_insecure("sqs:*", queue_arn),
        may_send("events", "EventsSend", [rule_arn]),
        may_send("sns", "TopicsSend", topics),
    )


def replies(topic_arn: pulumi.Input[str], home: Home) -> pulumi.Output[str]:
    """The policy of the topic of replies: only a telephone number of the account publishes."""
    arrive = iam.allow_service(
        "sms-voice.amazonaws.com", ["sns:Publish"], [topic_arn], sid="RepliesArrive", condition=numbers_only(home)
    )
    return iam.document(iam.deny_insecure("sns:Publish", topic_arn), arrive)
