"""The escalation component: declares what ``plan`` decides."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

from functions.acknowledge.env import AcknowledgeEnv
from functions.escalate.env import EscalateEnv, Severity
from functions.notify.env import NotifyEnv
from settings.naming import Labels

from .. import iam
from .._base import Component
from .._dead_letters import TWO_WEEKS
from .._keys import Home, customer_key, log_group
from . import grants, machine, plan

_ROOT = Path(__file__).parents[2]

_FUNCTIONS = ("acknowledge", "escalate", "notify")

_QUEUES = ("inbox", "dead-letters")


@dataclass(frozen=True, kw_only=True, slots=True)
class EscalationArgs:
    """``topic_arns``: the topic of each severity, to which alarms publish when they ring."""

    home: Home
    chain: plan.Chain
    topic_arns: Mapping[Severity, pulumi.Input[str]]
    logs_key_arn: pulumi.Input[str]
    protect: bool


@dataclass(frozen=True, slots=True)
class _Role:
    """A role and what it may do: whoever needs the one needs the other first."""

    role: aws.iam.Role
    policy: aws.iam.RolePolicy


class Escalation(Component):
    """A state machine per ringing alarm that calls people, rung by rung, until somebody answers.

    A topic hands each ring to the inbox queue, EventBridge each alarm that clears. The escalate function reads the
    inbox and starts or ends escalations, of which an alarm has one at a time; the notify function sends a rung; the
    acknowledge function takes an answer, from a command with IAM's leave or from a text message. The table holds the
    record of every step. What nobody understands lies in the dead-letter queue, and alarms watch all of it.

    The numbers, the sender's address and the Slack webhook exist before. For answers by text, the number's two-way
    channel has to be ``replies_topic_arn``.
    """

    TYPE = "learning-platform:escalation:Escalation"
    SERVICE = "escalation"
    RUNBOOK = "004_5ca73e3508d74ec8.txt Alert Escalation"

    state_machine_arn: pulumi.Output[str]
    table_name: pulumi.Output[str]
    acknowledge_function: pulumi.Output[str]
    #: function -> its name
    function_names: Mapping[str, pulumi.Output[str]]
    #: function -> seconds that a run may take
    function_seconds: Mapping[str, int]
    dead_letters_url: pulumi.Output[str]
    #: Where the number that texts come from has to send its answers; None where answers are not taken.
    replies_topic_arn: pulumi.Output[str] | None
    replies_topic_name: pulumi.Output[str] | None

    def __init__(
        self, name: str, args: EscalationArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._args = args
        self._key = self._create_key(args)
        self._table = self._create_table(args)
        self._dead_letters = self._create_dead_letters()
        self._inbox = self._create_inbox()
        self._rule = self._create_rule()
        self._replies = self._create_replies(args)
        self._policies = self._create_queue_policies(args)
        self._groups = {function: self._create_group(function, args) for function in _FUNCTIONS}
        self._roles = {function: self._create_role(function, args) for function in _FUNCTIONS}
        self._functions = {function: self._create_function(function, args) for function in _FUNCTIONS}
        self._machine = self._create_machine(args)
        self._create_deliveries(args)
        self._create_alarms(args)
        self.state_machine_arn = self._machine.arn
        self.table_name = self._table.name
        self.acknowledge_function = self._functions["acknowledge"].name
        self.function_names = {function: made.name for function, made in self._functions.items()}
        self.function_seconds = {function: _seconds(function) for function in _FUNCTIONS}
        self.dead_letters_url = self._dead_letters.url
        self.replies_topic_arn = self._replies.arn if self._replies else None
        self.replies_topic_name = self._replies.name if self._replies else None
        self.register_outputs(
            {
                "stateMachineArn": self.state_machine_arn,
                "tableName": self.table_name,
                "acknowledgeFunction": self.acknowledge_function,
                "deadLettersUrl": self.dead_letters_url,
                "repliesTopicArn": self.replies_topic_arn,
            }
        )

    # Names that are known before what bears them exists

    def _queue_name(self, queue: str) -> str:
        return self.labels.physical("escalation", queue, limit=80)

    def _queue_arn(self, queue: str) -> str:
        return self._args.home.arn("sqs", self._queue_name(queue))

    @property
    def _machine_name(self) -> str:
        return self.labels.physical("escalation", limit=80)

    @property
    def _machine_arn(self) -> str:
        return self._args.home.arn("states", f"stateMachine:{self._machine_name}")

    # What keeps state

    def _create_key(self, args: EscalationArgs) -> aws.kms.Key:
        queues = [self._queue_arn(queue) for queue in _QUEUES]
        users = grants.key_users(args.home, queues, takes_replies=args.chain.channels.takes_replies)
        return customer_key(self, self.name, "Encrypts who was called and why", args.home, *users, protect=args.protect)

    def _create_table(self, args: EscalationArgs) -> aws.dynamodb.Table:
        return aws.dynamodb.Table(
            self.name,
            billing_mode="PAY_PER_REQUEST",
            hash_key="alarm",
            range_key="entry",
            attributes=[{"name": name, "type": "S"} for name in ("alarm", "code", "entry")],
            global_secondary_indexes=[
                {
                    "name": "by-code",
                    "hash_key": "code",
                    "projection_type": "KEYS_ONLY",
                }
            ],
            ttl={"enabled": True, "attribute_name": "expires"},
            point_in_time_recovery={"enabled": True},
            server_side_encryption={"enabled": True, "kms_key_arn": self._key.arn},
            deletion_protection_enabled=args.protect,
            tags=self.tags(self.name),
            opts=self.child(protect=args.protect),
        )

    def _create_dead_letters(self) -> aws.sqs.Queue:
        return aws.sqs.Queue(
            f"{self.name}-dead-letters",
            name=self._queue_name("dead-letters"),
            kms_master_key_id=self._key.arn,
            message_retention_seconds=TWO_WEEKS,
            tags=self.tags(f"{self.name}-dead-letters"),
            opts=self.child(),
        )

    def _create_inbox(self) -> aws.sqs.Queue:
        """Rings and ends on their way in; what cannot be worked on goes to the dead letters."""
        name = f"{self.name}-inbox"
        redrive = self._dead_letters.arn.apply(
            lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": plan.RECEIVES}, sort_keys=True)
        )
        inbox = aws.sqs.Queue(
            name,
            name=self._queue_name("inbox"),
            kms_master_key_id=self._key.arn,
            visibility_timeout_seconds=plan.VISIBILITY,
            message_retention_seconds=TWO_WEEKS,
            redrive_policy=redrive,
            tags=self.tags(name),
            opts=self.child(),
        )
        aws.sqs.RedriveAllowPolicy(
            name,
            queue_url=self._dead_letters.url,
            redrive_allow_policy=inbox.arn.apply(
                lambda arn: json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [arn]}, sort_keys=True)
            ),
            opts=self.child(),
        )
        return inbox

    # What brings events in

    def _create_rule(self) -> aws.cloudwatch.EventRule:
        return aws.cloudwatch.EventRule(
            self.name,
            description="Alarms that have cleared",
            event_pattern=plan.event_pattern(),
            tags=self.tags(self.name),
            opts=self.child(),
        )

    def _create_replies(self, args: EscalationArgs) -> aws.sns.Topic | None:
        """The topic that text messages from people arrive on."""
        if not args.chain.channels.takes_replies:
            return None
        name = f"{self.name}-replies"
        topic = aws.sns.Topic(
            name,
            display_name=f"{self.labels.environment} replies",
            kms_master_key_id=self._key.arn,
            signature_version=2,
            tags=self.tags(name),
            opts=self.child(),
        )
        aws.sns.TopicPolicy(name, arn=topic.arn, policy=grants.replies(topic.arn, args.home), opts=self.child())
        return topic

    def _create_queue_policies(self, args: EscalationArgs) -> list[pulumi.Resource]:
        """Who may put messages where: the topics and the rule into the inbox, and what fails of them to the dead."""
        topics = list(args.topic_arns.values())
        replies = [self._replies.arn] if self._replies else []
        return [
            aws.sqs.QueuePolicy(
                f"{self.name}-{queue}",
                queue_url=resource.url,
                policy=grants.queue(resource.arn, senders, self._rule.arn),
                opts=self.child(),
            )
            for queue, resource, senders in (
                ("inbox", self._inbox, topics),
                ("dead-letters", self._dead_letters, [*topics, *replies]),
            )
        ]

    def _create_deliveries(self, args: EscalationArgs) -> None:
        """Joins what brings events in to what takes them; each with the dead letters behind it."""
        dead: pulumi.Output[str] = self._dead_letters.arn.apply(
            lambda arn: json.dumps({"deadLetterTargetArn": arn}, sort_keys=True)
        )
        for severity, topic_arn in args.topic_arns.items():
            aws.sns.TopicSubscription(
                f"{self.name}-{severity}",
                topic=topic_arn,
                protocol="sqs",
                endpoint=self._inbox.arn,
                redrive_policy=dead,
                # Without the queues' policies the first rings would be lost.
                opts=self.child(depends_on=self._policies),
            )
        aws.cloudwatch.EventTarget(
            self.name,
            rule=self._rule.name,
            arn=self._inbox.arn,
            dead_letter_config={"arn": self._dead_letters.arn},
            retry_policy={"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 20},
            opts=self.child(depends_on=self._policies),
        )
        aws.lambda_.EventSourceMapping(
            f"{self.name}-inbox",
            event_source_arn=self._inbox.arn,
            function_name=self._functions["escalate"].arn,
            # One by one: a message that fails holds up no other.
            batch_size=1,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config={"maximum_concurrency": plan.inbox_concurrency(args.chain.reserved_concurrency)},
            tags=self.tags(f"{self.name}-inbox"),
            opts=self.child(),
        )
        if self._replies:
            self._deliver_replies(self._replies, dead)

    def _deliver_replies(self, topic: aws.sns.Topic, dead: pulumi.Output[str]) -> None:
        name = f"{self.name}-replies"
        permission = aws.lambda_.Permission(
            name,
            action="lambda:InvokeFunction",
            function=self._functions["acknowledge"].name,
            principal="sns.amazonaws.com",
            source_arn=topic.arn,
            opts=self.child(),
        )
        aws.sns.TopicSubscription(
            name,
            topic=topic.arn,
            protocol="lambda",
            endpoint=self._functions["acknowledge"].arn,
            redrive_policy=dead,
            opts=self.child(depends_on=[*self._policies, permission]),
        )

    # What works

    def _create_group(self, function: str, args: EscalationArgs) -> aws.cloudwatch.LogGroup:
        return log_group(
            self,
            f"{self.name}-{function}",
            self.labels.path("escalation", function),
            retention_days=args.chain.log_retention_days,
            key_arn=args.logs_key_arn,
        )

    def _create_role(self, function: str, args: EscalationArgs) -> _Role:
        places = grants.Places(
            table=self._table.arn,
            inbox=self._inbox.arn,
            dead_letters=self._dead_letters.arn,
            key=self._key.arn,
            machine=self._machine_arn,
            notify=args.home.arn("lambda", f"function:{self._function_name('notify')}"),
        )
        own = {
            "acknowledge": grants.acknowledge(places),
            "escalate": grants.escalate(places),
            "notify": grants.notify(args.chain.channels),
        }
        # Lambda sends no account along when it takes a role on, so the trust can name none.
        return self._role(
            function,
            f"The {function} function of the escalation",
            iam.trust("lambda.amazonaws.com"),
            [*grants.shared(places, self._groups[function].arn), *own[function]],
        )

    def _role(self, purpose: str, description: str, trust: str, statements: list[iam.Statement]) -> _Role:
        name = f"{self.name}-{purpose}"
        role = aws.iam.Role(
            name, description=description, assume_role_policy=trust, tags=self.tags(name), opts=self.child()
        )
        policy = aws.iam.RolePolicy(name, role=role.name, policy=iam.document(*statements), opts=self.child())
        return _Role(role, policy)

    def _create_function(self, function: str, args: EscalationArgs) -> aws.lambda_.Function:
        name = f"{self.name}-{function}"
        return aws.lambda_.Function(
            name,
            name=self._function_name(function),
            description=f"Escalation: {function}",
            role=self._roles[function].role.arn,
            runtime="python3.13",
            architectures=["arm64"],
            handler=f"functions.{function}.handler.handler",
            code=_package(function),
            timeout=_seconds(function),
            memory_size=256,
            reserved_concurrent_executions=args.chain.reserved_concurrency,
            environment={"variables": self._variables(function, args).apply(partial(plan.fitting, function))},
            kms_key_arn=self._key.arn,
            dead_letter_config={"target_arn": self._dead_letters.arn},
            tracing_config={"mode": "Active"},
            logging_config={
                "log_format": "JSON",
                "application_log_level": "INFO",
                "log_group": self._groups[function].name,
            },
            tags=self.tags(name),
            # Lambda looks at once whether the role may reach the dead letters.
            opts=self.child(depends_on=[self._roles[function].policy]),
        )

    def _function_name(self, function: str) -> str:
        return self.labels.physical("escalation", function, limit=64)

    def _variables(self, function: str, args: EscalationArgs) -> pulumi.Output[dict[str, str]]:
        system = f"{self.labels.project} {self.labels.environment}"
        made: dict[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
            "acknowledge": partial(_acknowledge_variables, args.chain),
            "escalate": partial(
                _escalate_variables, args.chain, machine_arn=self._machine_arn, notify=self._function_name("notify")
            ),
            "notify": partial(_notify_variables, args.chain, system=system),
        }
        known: pulumi.Output[Mapping[str, Any]] = pulumi.Output.from_input(
            {"table": self._table.name, "dead_letters": self._dead_letters.url, "topics": dict(args.topic_arns)}
        )
        return known.apply(made[function])

    def _create_machine(self, args: EscalationArgs) -> aws.sfn.StateMachine:
        name = f"{self.name}-machine"
        group = log_group(
            self,
            name,
            # The prefix spares the policy that CloudWatch Logs would write for each state machine.
            f"/aws/vendedlogs/states/{self._machine_name}",
            retention_days=args.chain.log_retention_days,
            key_arn=args.logs_key_arn,
        )
        arns = pulumi.Output.all(
            notify=self._functions["notify"].arn,
            escalate=self._functions["escalate"].arn,
        )
        role = self._role(
            "machine",
            "The escalation's state machine",
            iam.trust(
                "states.amazonaws.com",
                account_id=args.home.account_id,
                source_arn=args.home.arn("states", "stateMachine:*"),
            ),
            grants.machine([self._functions[function].arn for function in ("escalate", "notify")]),
        )
        return aws.sfn.StateMachine(
            name,
            name=self._machine_name,
            type="STANDARD",
            role_arn=role.role.arn,
            definition=arns.apply(
                lambda made: machine.definition(
                    args.chain.rungs,
                    machine.Functions(notify=made["notify"], escalate=made["escalate"]),
                    partition=args.home.partition,
                    acknowledged_hours=args.chain.acknowledged_hours,
                )
            ),
            logging_configuration={
                "level": "ALL",
                "include_execution_data": True,
                "log_destination": pulumi.Output.concat(group.arn, ":*"),
            },
            tracing_configuration={"enabled": True},
            tags=self.tags(name),
            # Step Functions looks at once whether the role may deliver logs.
            opts=self.child(depends_on=[role.policy]),
        )

    def _create_alarms(self, args: EscalationArgs) -> None:
        """Alarms on the escalation itself. Their topic has an e-mail address too, which needs nothing of this."""
        dimensions: dict[str, tuple[str, pulumi.Input[str]]] = {
            "machine": ("StateMachineArn", self._machine.arn),
            "inbox": ("QueueName", self._inbox.name),
            "dead-letters": ("QueueName", self._dead_letters.name),
            **{function: ("FunctionName", resource.name) for function, resource in self._functions.items()},
        }
        topic = args.topic_arns["critical"]
        for alarm in plan.own_alarms(_FUNCTIONS):
            name = f"{self.name}-{alarm.purpose}"
            key, value = dimensions[alarm.watches]
            aws.cloudwatch.MetricAlarm(
                name,
                name=self.labels.physical("escalation", alarm.purpose, limit=255),
                alarm_description=alarm.description,
                namespace=alarm.namespace,
                metric_name=alarm.metric,
                dimensions={key: value},
                statistic=alarm.statistic,
                period=60,
                evaluation_periods=1,
                comparison_operator="GreaterThanThreshold",
                threshold=alarm.threshold,
                # These metrics exist only while something happens.
                treat_missing_data="notBreaching",
                alarm_actions=[topic],
                ok_actions=[topic],
                tags=self.tags(name, Severity="critical"),
                opts=self.child(),
            )


def _package(function: str) -> pulumi.Archive:
    """A function's code: sources by their path in the project, and nothing that a run leaves behind."""
    return pulumi.AssetArchive({path: pulumi.FileAsset(path) for path in plan.files(_ROOT, function)})


def _acknowledge_variables(chain: plan.Chain, made: Mapping[str, Any]) -> dict[str, str]:
    return AcknowledgeEnv(
        table=made["table"],
        retention_days=chain.record_retention_days,
        dead_letters=made["dead_letters"],
        contacts=chain.roster.contacts,
    ).variables()


def _escalate_variables(chain: plan.Chain, made: Mapping[str, Any], *, machine_arn: str, notify: str) -> dict[str, str]:
    return EscalateEnv(
        table=made["table"],
        retention_days=chain.record_retention_days,
        machine_arn=machine_arn,
        dead_letters=made["dead_letters"],
        notify=notify,
        topics={arn: severity for severity, arn in made["topics"].items()},
        rungs=chain.moments,
        patience_minutes=chain.patience_minutes,
        respond_minutes=chain.respond_minutes,
        office=chain.office,
        office_severities=chain.office_severities,
        acknowledged_hours=chain.acknowledged_hours,
    ).variables()


def _notify_variables(chain: plan.Chain, made: Mapping[str, Any], *, system: str) -> dict[str, str]:
    channels = chain.channels
    return NotifyEnv(
        table=made["table"],
        retention_days=chain.record_retention_days,
        system=system,
        roster=chain.roster,
        slack_secret=channels.slack_secret,
        slack_channel=channels.slack_channel,
        sender=channels.sender,
        sms_identity=channels.sms_number,
        voice_identity=channels.voice_number,
        takes_replies=channels.takes_replies,
    ).variables()


def _seconds(function: str) -> int:
    return plan.SEND_SECONDS if function == "notify" else plan.STEP_SECONDS
