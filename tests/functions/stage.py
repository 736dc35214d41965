"""The whole chain in one process: the real functions and the real state machine on stand-ins for AWS, with one clock.

DynamoDB, SQS, SES, Secrets Manager and CloudWatch are moto's; Slack, the texts and the calls are recorded here.
"""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from components.escalation import machine, plan
from functions.acknowledge import handler as acknowledge
from functions.acknowledge.env import AcknowledgeEnv
from functions.common.records import Records
from functions.escalate import handler as escalate
from functions.escalate.env import EscalateEnv
from functions.notify import handler as notify
from functions.notify.env import NotifyEnv
from settings.escalation import EscalationSettings
from tests.support.states import Clock, StepFunctions

REGION = "us-east-1"
ACCOUNT = "123456789012"

#: A Monday, 10:30 in Detroit: Ana's week, and Ben is next.
START = datetime(2025, 1, 6, 15, 30, tzinfo=UTC)

TOPICS = {
    f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts-{severity}": severity for severity in ("critical", "high", "medium", "low")
}

MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:escalation"

WEBHOOK = "https://hooks.slack.com/services/T000/B000/opensesame"

SETTINGS: dict[str, Any] = {
    "time_zone": "America/Detroit",
    "contacts": {
        "ana": {"name": "Ana Diaz", "email": "ana@learning.example", "phone": "+15125550142"},
        "ben": {"name": "Ben Ito", "email": "ben@learning.example", "phone": "+15125550143"},
        "cleo": {"name": "Cleo Ray", "email": "cleo@learning.example", "phone": "+15125550144"},
    },
    "rotation": {"first_hand_over": "2025-01-06T09:00", "order": ["ana", "ben", "cleo"]},
    "channels": {
        "slack_webhook_secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:slack-AbCdEf",
        "email_sender": "oncall@learning.example",
        "email_identity": f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/learning.example",
        "sms_number": f"arn:aws:sms-voice:{REGION}:{ACCOUNT}:phone-number/phone-1",
        "voice_number": f"arn:aws:sms-voice:{REGION}:{ACCOUNT}:phone-number/phone-2",
    },
    "rungs": {"repeats": 2},
}


def settings(**changes: Any) -> EscalationSettings:
    """The settings of the tests; ``changes`` replace whole keys at the top."""
    return EscalationSettings.model_validate({**SETTINGS, **changes})


def throttled(operation: str = "Any") -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, operation)


def denied(operation: str = "Any") -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)


@cache
def _session() -> Any:
    """One session for all stages: it keeps the service models that it has read."""
    return boto3.Session(region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")


@dataclass(frozen=True, slots=True)
class Sent:
    """What went out: after how many minutes, through which channel, to whom, and with which words."""

    minutes: float
    channel: str
    to: str
    text: str


class Answer:
    """An answer of Slack's."""

    status = 200

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Faults:
    """What goes wrong with a channel: called before each attempt; it may spend time and raise."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.of: dict[str, Callable[[], None]] = {}

    def meet(self, channel: str) -> None:
        self.of.get(channel, lambda: None)()

    def fails(self, channel: str, error: Exception, *, times: int = 10**6, seconds: float = 0.0) -> None:
        """``channel`` raises ``error``, so often, each time after ``seconds``."""
        left = [times]

        def fault() -> None:
            self.clock.spend(seconds)
            if left[0] > 0:
                left[0] -= 1
                raise error

        self.of[channel] = fault

    def is_slow(self, channel: str, seconds: float) -> None:
        self.of[channel] = lambda: self.clock.spend(seconds)


class Functions:
    """In place of Lambda: what is asked for without waiting is done at once."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def invoke(self, **asked: Any) -> dict[str, Any]:
        assert (asked["FunctionName"], asked["InvocationType"]) == ("notify", "Event")
        notify.act(json.loads(asked["Payload"]), self._stage.notify_env, self._stage.notify_world)
        return {"StatusCode": 202}


class Slack:
    """In place of urllib's opener."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.statuses: list[int] = []

    def open(self, request: Any, *, timeout: float) -> Answer:
        assert request.full_url == WEBHOOK
        assert timeout <= 5
        self._stage.faults.meet("slack")
        if self.statuses:
            status = self.statuses.pop(0)
            if status != 200:
                raise urllib.error.HTTPError(request.full_url, status, "no", {}, BytesIO())
        self._stage.note("slack", "channel", json.loads(request.data)["text"])
        return Answer()


class Voice:
    """In place of the client of AWS End User Messaging, which moto lacks."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def send_text_message(self, **call: Any) -> dict[str, str]:
        self._stage.faults.meet("sms")
        assert call["OriginationIdentity"] == SETTINGS["channels"]["sms_number"]
        return self._take("sms", call)

    def send_voice_message(self, **call: Any) -> dict[str, str]:
        self._stage.faults.meet("phone")
        assert call["OriginationIdentity"] == SETTINGS["channels"]["voice_number"]
        return self._take("phone", call)

    def _take(self, channel: str, call: Mapping[str, Any]) -> dict[str, str]:
        self._stage.note(channel, call["DestinationPhoneNumber"], call["MessageBody"])
        return {"MessageId": f"{channel}-{len(self._stage.sent)}"}


class Mail:
    """SES with a note of what went out and when."""

    def __init__(self, stage: Stage, client: Any) -> None:
        self._stage, self._client = stage, client

    def send_email(self, **call: Any) -> Any:
        self._stage.faults.meet("email")
        answer = self._client.send_email(**call)
        text = call["Content"]["Simple"]["Body"]["Text"]["Data"]
        self._stage.note("email", call["Destination"]["ToAddresses"][0], text)
        return answer


class Faulty:
    """A client some of whose calls go wrong: ``faults.of["dynamodb.update_item"]`` and so on."""

    def __init__(self, name: str, inner: Any, faults: Faults) -> None:
        self._name, self._inner, self._faults = name, inner, faults

    def __getattr__(self, call: str) -> Any:
        inner = getattr(self._inner, call)

        def meet(*arguments: Any, **named: Any) -> Any:
            self._faults.meet(self._name)
            self._faults.meet(f"{self._name}.{call}")
            return inner(*arguments, **named)

        return meet


class Stage:
    """Everything in place at ``START``. ``ring`` and ``clear`` are what CloudWatch does, ``run`` lets time pass."""

    def __init__(self, configured: EscalationSettings, now: datetime = START) -> None:
        self.started = now
        self.clock = Clock(now)
        self.faults = Faults(self.clock)
        self.chain = plan.chain(configured)
        self.sent: list[Sent] = []
        self.codes = iter(f"{number:06d}" for number in range(482713, 500000))
        self._make_aws()
        self.slack = Slack(self)
        self.records = Records(self.table, timedelta(days=self.chain.record_retention_days))
        self.states = StepFunctions(
            MACHINE,
            machine.definition(
                self.chain.rungs,
                machine.Functions(notify="notify", escalate="escalate"),
                partition="aws",
                acknowledged_hours=self.chain.acknowledged_hours,
            ),
            {
                "notify": lambda event: notify.act(event, self.notify_env, self.notify_world),
                "escalate": lambda event: escalate.act(event, self.escalate_env, self.escalate_world),
            },
            self.clock,
        )
        self._make_worlds()

    def _make_aws(self) -> None:
        dynamodb: Any = _session().resource("dynamodb")
        table = dynamodb.create_table(
            TableName="escalations",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "alarm", "KeyType": "HASH"},
                {"AttributeName": "entry", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("alarm", "code", "entry")],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-code",
                    "KeySchema": [{"AttributeName": "code", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )
        self.table = Faulty("dynamodb", table, self.faults)
        self.sqs: Any = _session().client("sqs")
        self.dead_letters = self.sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        secrets: Any = _session().client("secretsmanager")
        self.secret = secrets.create_secret(Name="slack", SecretString=WEBHOOK)["ARN"]
        self.secrets = Faulty("secrets", secrets, self.faults)
        ses: Any = _session().client("sesv2")
        ses.create_email_identity(EmailIdentity="learning.example")
        self.mail = Mail(self, ses)
        self.cloudwatch: Any = _session().client("cloudwatch")

    def _make_worlds(self) -> None:
        chain, states = self.chain, Faulty("states", self.states, self.faults)
        sqs = Faulty("sqs", self.sqs, self.faults)
        self.notify_env = NotifyEnv(
            table="escalations",
            retention_days=400,
            system="learning-platform prod",
            roster=chain.roster,
            slack_secret=self.secret,
            slack_channel="#alerts",
            sender=chain.channels.sender,
            sms_identity=chain.channels.sms_number,
            voice_identity=chain.channels.voice_number,
            takes_replies=chain.channels.takes_replies,
        )
        self.notify_world = notify.World(
            records=self.records,
            secrets=self.secrets,
            ses=self.mail,
            voice=Voice(self),
            opener=self.slack,
            now=self.clock.now,
            sleep=self.clock.spend,
        )
        self.escalate_env = EscalateEnv(
            table="escalations",
            retention_days=400,
            machine_arn=MACHINE,
            dead_letters=self.dead_letters,
            notify="notify",
            topics=TOPICS,
            rungs=chain.moments,
            patience_minutes=chain.patience_minutes,
            respond_minutes=chain.respond_minutes,
            office=chain.office,
            office_severities=chain.office_severities,
            acknowledged_hours=chain.acknowledged_hours,
        )
        self.escalate_world = escalate.World(
            records=self.records,
            states=states,
            sqs=sqs,
            cloudwatch=Faulty("cloudwatch", self.cloudwatch, self.faults),
            functions=Faulty("lambda", Functions(self), self.faults),
            now=self.clock.now,
            sleep=self.clock.spend,
            draw=lambda: next(self.codes),
        )
        self.acknowledge_env = AcknowledgeEnv(
            table="escalations", retention_days=400, dead_letters=self.dead_letters, contacts=chain.roster.contacts
        )
        self.acknowledge_world = acknowledge.World(
            records=self.records, states=states, sqs=sqs, now=self.clock.now, sleep=self.clock.spend
        )

    # What happens

    def note(self, channel: str, to: str, text: str) -> None:
        minutes = (self.clock.now() - self.started).total_seconds() / 60
        self.sent.append(Sent(minutes, channel, to, text))

    def run(self, minutes: float) -> None:
        """Lets time pass until so many minutes after the start."""
        self.clock.run(self.started + timedelta(minutes=minutes))

    def at(self, minutes: float, do: Callable[[], object]) -> None:
        self.clock.at(self.started + timedelta(minutes=minutes), lambda: (do(), None)[1])

    def deliver(self, *bodies: str) -> list[str]:
        """Gives messages to the inbox's function; the ids of those that stay in the queue."""
        records = [{"messageId": str(position), "body": body} for position, body in enumerate(bodies)]
        answer = escalate.act({"Records": records}, self.escalate_env, self.escalate_world)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def ring(self, alarm: str = "web-5xx", severity: str = "critical", minutes: float | None = None) -> list[str]:
        moment = self.clock.now() if minutes is None else self.started + timedelta(minutes=minutes)
        return self.deliver(notification(alarm, severity, moment))

    def clear(self, alarm: str = "web-5xx", minutes: float | None = None) -> list[str]:
        moment = self.clock.now() if minutes is None else self.started + timedelta(minutes=minutes)
        return self.deliver(state_change(alarm, "OK", moment))

    def acknowledge(self, alarm: str = "web-5xx", by: str = "Ana Diaz") -> Mapping[str, Any]:
        return acknowledge.act({"alarm": alarm, "by": by}, self.acknowledge_env, self.acknowledge_world)

    def reply(self, text: str, sender: str = "+15125550142") -> Mapping[str, Any]:
        message = json.dumps({"originationNumber": sender, "messageBody": text, "inboundMessageId": "1"})
        event = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": message}}]}
        return acknowledge.act(event, self.acknowledge_env, self.acknowledge_world)

    # What there is to see

    @property
    def rungs(self) -> list[tuple[int, str, str]]:
        """What went out, by the whole minute; notices of how it went on are left out."""
        return [(int(s.minutes), s.channel, s.to) for s in self.sent if "INCIDENT" in s.text or s.channel != "slack"]

    @property
    def notices(self) -> list[tuple[int, str]]:
        """The first words of what the channel was told apart from the rungs."""
        return [
            (int(s.minutes), s.text.partition(" - ")[0].split(" ", 1)[1])
            for s in self.sent
            if s.channel == "slack" and "INCIDENT" not in s.text
        ]

    @property
    def statuses(self) -> list[str]:
        return [execution.status for execution in self.states.executions.values()]

    def steps(self, alarm: str = "web-5xx") -> list[str]:
        """What the record says of all escalations of the alarm, in order."""
        found = [step for name in self.states.executions for step in self.records.steps(alarm, name)]
        return [str(step["what"]) for step in found]

    def buried(self) -> list[tuple[str, str]]:
        """Body and reason of the dead letters."""
        found = self.sqs.receive_message(
            QueueUrl=self.dead_letters, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            (message["Body"], message["MessageAttributes"]["Reason"]["StringValue"])
            for message in found.get("Messages", ())
        ]


def notification(alarm: str, severity: str, moment: datetime, state: str = "ALARM", **changes: Any) -> str:
    """An alarm's message as SNS puts it into the queue."""
    message = {
        "AlarmName": alarm,
        "AlarmDescription": "More than 5% of requests fail.\nImpact: Users see errors\n"
        "Run book: 004_… Key Metrics to Monitor\nFirst action: Investigate application errors",
        "AWSAccountId": ACCOUNT,
        "NewStateValue": state,
        "NewStateReason": "Threshold Crossed: 1 datapoint [7.1] was greater than the threshold (5.0).",
        "StateChangeTime": stamp(moment),
        "Region": "US East (N. Virginia)",
        "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{alarm}",
        "OldStateValue": "OK",
        **changes,
    }
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "8a1c",
            "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts-{severity}",
            "Message": json.dumps(message),
        }
    )


def state_change(alarm: str, state: str, moment: datetime) -> str:
    """An alarm's change of state as EventBridge puts it into the queue."""
    return json.dumps(
        {
            "version": "0",
            "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch",
            "resources": [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{alarm}"],
            "detail": {
                "alarmName": alarm,
                "state": {"value": state, "timestamp": stamp(moment), "reason": "no"},
                "previousState": {"value": "ALARM"},
            },
        }
    )


def stamp(moment: datetime) -> str:
    """A moment as CloudWatch writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


@contextmanager
def stage(now: datetime = START, **changes: Any) -> Iterator[Stage]:
    """A stage of its own; nothing leaves the process."""
    with mock_aws():
        yield Stage(settings(**changes), now)
