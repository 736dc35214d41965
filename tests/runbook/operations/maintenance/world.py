"""A stack with a maintenance page in the stand-in for AWS, and the internet in front of it."""

# ruff: noqa: ARG002, N803 - arguments as the API names them

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import boto3
from botocore.exceptions import ClientError

from functions.maintenance_off import script
from runbook.operations import aws
from runbook.operations.journal import Journal
from runbook.operations.maintenance import alarms, status
from runbook.operations.maintenance.changeover import CLIENTS, SCHEDULE, Changeover
from runbook.operations.maintenance.entry import entry
from runbook.operations.maintenance.record import Records
from runbook.operations.maintenance.switch import switch
from runbook.operations.maintenance.web import Answer
from runbook.operations.procedure import run
from runbook.operations.restore.moments import stamp
from runbook.operations.site import Site
from settings.changes import ChangeSettings
from settings.maintenance import MaintenanceSettings, ServerSettings
from tests.runbook.operations.fakes.backup_jobs import attach, error

ACCOUNT, REGION, ZONE = "123456789012", "us-east-1", "America/Detroit"
START = datetime(2026, 11, 22, 7, 0, 30, tzinfo=UTC)
UNTIL = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
WHO = f"arn:aws:iam::{ACCOUNT}:user/ana"
PREFIX = "learning-platform-staging-"
MODES = ("listener-rule", "elastic-ip", "dns")
WORKSPACE = f"https://aps-workspaces.{REGION}.amazonaws.com/workspaces/ws-1/"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:low"


def site(mode="listener-rule", server="i-0a1b2c3d4e5f60718", *, prometheus=False):
    needed = {
        "listener-rule": {},
        "elastic-ip": {"allocation_id": "eipalloc-0a1b2c3d"},
        "dns": {"address": "198.51.100.7", "zone_id": "Z02961348DK7TB4XNQ5SE"},
    }[mode]
    behind = ServerSettings(instance_id=server, host="prime.example.com", health_path="/up", **needed)
    return Site(
        project="learning-platform",
        settings=SimpleNamespace(
            environment="staging",
            region=REGION,
            recovery_region="us-west-2",
            account=SimpleNamespace(id=ACCOUNT, partition="aws"),
            ownership=SimpleNamespace(owner="platform", cost_center="CC-1"),
            changes=ChangeSettings(time_zone=ZONE),
            maintenance=MaintenanceSettings(
                enabled=True, mode=mode, server=None if mode == "listener-rule" else behind
            ),
            prometheus=SimpleNamespace(enabled=prometheus),
            thresholds=SimpleNamespace(edge=SimpleNamespace(certificate_days=30)),
            web=SimpleNamespace(health_path="/health", domain=SimpleNamespace(host="app.example.com")),
        ),
    )


def alarm(name, *dimensions, metrics=()):
    def plain(pairs):
        return [{"Name": key, "Value": value} for key, value in pairs]

    return {
        "AlarmName": f"{PREFIX}{name}",
        "StateValue": "OK",
        "Dimensions": plain(dimensions),
        "Metrics": [
            {"Id": "e", "Expression": "m0 / 2"},
            *(
                {
                    "Id": f"m{number}",
                    "MetricStat": {"Metric": {"Dimensions": plain([pair])}, "Period": 60, "Stat": "Sum"},
                }
                for number, pair in enumerate(metrics)
            ),
        ]
        if metrics
        else [],
    }


class Ssm:
    """Commands, executions and the change calendar; parameters are moto's."""

    def __init__(self, world):
        self.world = world
        self.closed = []  # (begin, end)
        self.commands, self.executions = [], []
        self.fate = "Success"
        self.off_fails = ""

    def get_calendar_state(self, CalendarNames, AtTime=None):
        assert CalendarNames == ["staging-changes"]
        at = datetime.fromisoformat(AtTime) if AtTime else self.world.now()
        edges = sorted(edge for time in self.closed for edge in time if edge > at)
        is_closed = any(begin <= at < end for begin, end in self.closed)
        return {
            "State": "CLOSED" if is_closed else "OPEN",
            "AtTime": stamp(at),
            **({"NextTransitionTime": stamp(edges[0])} if edges else {}),
        }

    def send_command(self, **asked):
        command = {
            "CommandId": f"{len(self.commands):036}",
            "DocumentName": asked["DocumentName"],
            "InstanceIds": asked["InstanceIds"],
            "Parameters": asked["Parameters"],
            "RequestedDateTime": self.world.now() + timedelta(microseconds=len(self.commands)),
            "Status": "Pending",
        }
        self.commands.append(command)
        return {"Command": {"CommandId": command["CommandId"]}}

    def list_commands(self, InstanceId, Filters, NextToken=None):
        assert Filters == [{"key": "DocumentName", "value": "staging-until"}]
        answer = {"Commands": [dict(one) for one in self.commands if InstanceId in one["InstanceIds"]]}
        for one in self.commands:
            if one["Status"] == "Pending":
                one["Status"] = self.fate
                if self.fate == "Success":
                    (self.world.shown,) = one["Parameters"]["until"]
        return answer

    def start_automation_execution(self, DocumentName, Parameters=None):
        assert DocumentName == "staging-off"
        number = f"{len(self.executions):036}"
        self.executions.append(
            {
                "AutomationExecutionId": number,
                "AutomationExecutionStatus": "InProgress",
                "force": (Parameters or {}).get("Force", ["false"])[0],
            }
        )
        return {"AutomationExecutionId": number}

    def describe_automation_executions(self, Filters, NextToken=None):
        asked = {one["Key"]: one["Values"] for one in Filters}
        assert asked["DocumentNamePrefix"] == ["staging-off"]
        found = [one for one in self.executions if one["AutomationExecutionStatus"] in asked["ExecutionStatus"]]
        answer = {
            "AutomationExecutionMetadataList": [
                {key: one[key] for key in ("AutomationExecutionId", "AutomationExecutionStatus")} for one in found
            ]
        }
        for one in found:
            self.carry_out(one)
        return answer

    def carry_out(self, execution):
        """What the document does: the real script, on the same account."""
        failure = self.off_fails
        if not failure:
            try:
                script.off({**self.world.off_input(), "force": execution["force"]}, None)
            except RuntimeError as error:
                failure = str(error)
        execution["AutomationExecutionStatus"] = "Failed" if failure else "Success"
        if failure:
            execution["FailureMessage"] = f"Step fails when it is Execute. Traceback\nRuntimeError: {failure}\nmore"

    def get_automation_execution(self, AutomationExecutionId):
        (one,) = (one for one in self.executions if one["AutomationExecutionId"] == AutomationExecutionId)
        return {"AutomationExecution": {key: value for key, value in one.items() if key != "force"}}


class CloudWatch:
    """Alarms, described in pages, and mute rules, whose status follows the clock."""

    def __init__(self, world):
        self.world, self.rule, self.puts = world, None, 0
        self.alarms, self.composites = [], []

    def describe_alarms(self, AlarmTypes, AlarmNames=None, AlarmNamePrefix="", StateValue=None, NextToken=None):
        assert sorted(AlarmTypes) == ["CompositeAlarm", "MetricAlarm"]
        found = [
            one
            for one in (*self.alarms, *self.composites)
            if (AlarmNames is None or one["AlarmName"] in AlarmNames)
            and one["AlarmName"].startswith(AlarmNamePrefix)
            and StateValue in (None, one["StateValue"])
        ]
        start = int(NextToken or 0)
        shown = found[start : start + 3]
        more = {"NextToken": str(start + 3)} if start + 3 < len(found) else {}
        return {
            "MetricAlarms": [one for one in shown if "AlarmRule" not in one],
            "CompositeAlarms": [one for one in shown if "AlarmRule" in one],
            **more,
        }

    def put_alarm_mute_rule(self, **asked):
        assert asked["MuteTargets"]["AlarmNames"], "this would mute the whole account"
        self.puts += 1
        self.rule = asked

    def get_alarm_mute_rule(self, AlarmMuteRuleName):
        if self.rule is None:
            raise error("ResourceNotFoundException", operation="GetAlarmMuteRule")
        expression = self.rule["Rule"]["Schedule"]["Expression"]
        begins = datetime.strptime(expression, "at(%Y-%m-%dT%H:%M)").replace(tzinfo=UTC)
        now, ends = self.world.now(), self.rule["ExpireDate"]
        state = "EXPIRED" if now >= ends else "ACTIVE" if now >= begins else "SCHEDULED"
        return {key: value for key, value in self.rule.items() if key != "Tags"} | {"Status": state}

    def delete_alarm_mute_rule(self, AlarmMuteRuleName):
        self.rule = None

    def get_metric_statistics(self, **_asked):
        return {"Datapoints": []}


class Silences:
    """Alert manager's list."""

    def __init__(self, world):
        self.world, self.made, self.puts, self.refuses = world, {}, 0, False
        self.calls, self.killed_at = 0, None

    def _count(self):
        self.calls += 1
        if self.calls == self.killed_at:
            raise KeyboardInterrupt

    def list_silences(self):
        self._count()
        now = self.world.now()
        state = {True: {"state": "active"}, False: {"state": "expired"}}
        return [
            {**one, "id": name, "status": state[datetime.fromisoformat(one["endsAt"]) > now]}
            for name, one in self.made.items()
        ]

    def put_silence(self, **asked):
        self._count()
        if self.refuses:
            raise error("AccessDeniedException", operation="PutAlertManagerSilences")
        self.puts += 1
        name = asked.pop("id", None)
        if name is not None:
            self.made[name]["endsAt"] = stamp(self.world.now())
        self.made[f"silence-{self.puts}"] = asked

    def delete_silence(self, identifier):
        self._count()
        self.made[identifier]["endsAt"] = stamp(self.world.now())


class Sns:
    def __init__(self):
        self.published, self.refuses = [], False

    def publish(self, **asked):
        if self.refuses:
            raise error("AuthorizationErrorException", operation="Publish")
        self.published.append(asked)
        return {"MessageId": "m"}


class World:
    """The account and the internet. ``sick``: the site does not answer; ``hidden``: the page does not show outside."""

    def __init__(self, mode="listener-rule", *, prometheus=False):
        self.mode, self.elapsed, self.prometheus = mode, 0.0, prometheus
        self.shown, self.sick, self.hidden = "", False, False
        self.ssm, self.cloudwatch, self.sns = Ssm(self), CloudWatch(self), Sns()
        self.clients = aws.clients(REGION, None, *CLIENTS)
        self._build()
        self.site = site(mode, self.server, prometheus=prometheus)
        self.silences = Silences(self)
        if prometheus:
            self.clients["alertmanager"] = self.silences
        self.inventory = self._inventory()
        self._declare_alarms()
        for name, service in (("ssm", self.ssm), ("cloudwatch", self.cloudwatch), ("sns", self.sns)):
            attach(self.clients[name], service)

    def _build(self):
        ec2 = self.clients["ec2"]
        made = ec2.run_instances(ImageId="ami-12c6146b", MinCount=2, MaxCount=2)["Instances"]
        self.server, self.machine = (one["InstanceId"] for one in made)
        self.allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
        ec2.associate_address(AllocationId=self.allocation, InstanceId=self.server)
        self._balance(ec2)
        config = {"Type": "HTTPS", "IPAddress": "198.51.100.7", "Port": 443, "ResourcePath": "/"}
        made = self.clients["route53"].create_health_check(CallerReference="one", HealthCheckConfig=config)
        self.check = made["HealthCheck"]["Id"]
        self.clients["scheduler"].create_schedule_group(Name="staging")

    def _balance(self, ec2):
        elb = self.clients["elbv2"]
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
            for zone, cidr in {"us-east-1a": "10.0.0.0/24", "us-east-1b": "10.0.1.0/24"}.items()
        ]
        balancer = elb.create_load_balancer(Name="web", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
        self.site_group, self.page_group = (
            elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
            for name in ("site", "page")
        )
        for group, instance in ((self.site_group, self.server), (self.page_group, self.machine)):
            elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
        self.listener = elb.create_listener(
            LoadBalancerArn=balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.site_group}],
        )["Listeners"][0]["ListenerArn"]

    def _inventory(self):
        behind = self.mode == "listener-rule"
        host = "app.example.com" if behind else "prime.example.com"
        places = {
            "listener-rule": {
                "listenerArn": self.listener,
                "liveTargetGroupArn": self.site_group,
                "targetGroupArn": self.page_group,
            },
            "elastic-ip": {"allocationId": self.allocation},
            "dns": {"healthCheckId": self.check, "zoneId": "Z02961348DK7TB4XNQ5SE"},
        }[self.mode]
        return {
            "alerts": {"topicArns": {"low": TOPIC}},
            "maintenance": {
                "mode": self.mode,
                "instanceId": self.machine,
                "host": host,
                "url": f"https://{host}/",
                "healthPath": "/.maintenance/health",
                "priority": 1,
                "muteRule": "staging-mute",
                "offDocument": "staging-off",
                "untilDocument": "staging-until",
                "scheduleGroup": "staging",
                "scheduleRoleArn": f"arn:aws:iam::{ACCOUNT}:role/maintenance-scheduler-1",
                "deadLetterArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:letters",
                "bucket": None,
                "documents": {},
                "serverInstanceId": None if behind else self.server,
                "calendar": "staging-changes",
                **places,
            },
            "monitoring": {"alarmPrefix": PREFIX},
            **({"prometheus": {"endpoint": WORKSPACE}} if self.prometheus else {}),
            "web": {
                "autoScalingGroup": "web",
                "certificateArn": "none",
                "loadBalancerDimension": "app/web/1",
                "targetGroupDimension": "targetgroup/site/1",
            },
        }

    def _declare_alarms(self):
        page = self.page_group.rpartition(":")[2]
        self.cloudwatch.alarms = [
            alarm("balancer-rejected", ("LoadBalancer", "app/web/1")),
            alarm("balancer-error-rate", metrics=[("LoadBalancer", "app/web/1")]),
            alarm("group-cpu", ("AutoScalingGroupName", "web")),
            alarm("page-missing", ("LoadBalancer", "app/web/1"), ("TargetGroup", page)),
            alarm("database-cpu", ("DBInstanceIdentifier", "db")),
            alarm("server-status", ("InstanceId", self.server)),
        ]
        self.cloudwatch.composites = [
            {"AlarmName": f"{PREFIX}{name}", "StateValue": "OK", "AlarmRule": f'ALARM("{PREFIX}{child}")'}
            for name, child in (("service-down", "group-cpu"), ("database-down", "database-cpu"))
        ]

    # What the tests do with it.

    def now(self):
        return START + timedelta(seconds=self.elapsed)

    def wait(self, seconds):
        self.elapsed += seconds

    def off_input(self):
        return {
            "mode": self.mode,
            "listener": self.listener,
            "page": self.page_group,
            "site": self.site_group,
            "priority": 1,
            "allocation": self.allocation,
            "server": self.server,
            "check": self.check,
        }

    @property
    def entry(self):
        return entry(self.site, self.inventory.__getitem__)

    @property
    def records(self):
        return Records(self.clients["ssm"], self.entry.record)

    def position(self):
        return switch(self.entry, self.clients).look().position

    def schedules(self):
        found = self.clients["scheduler"].list_schedules(GroupName="staging")["Schedules"]
        assert [one["Name"] for one in found] in ([], [SCHEDULE])
        return [
            self.clients["scheduler"].get_schedule(GroupName="staging", Name=one["Name"])["ScheduleExpression"]
            for one in found
        ]

    def fetch(self, url, address):
        """What the internet, or the machine itself, answers."""
        path = url.partition(".example.com")[2]
        on = self.position() == "page"
        page = Answer(
            status=503,
            headers={"retry-after": "soon"},
            body=f'<time datetime="{self.shown}">' if self.shown else "<p>",
        )
        if path == "/.maintenance/health":
            return Answer(status=200, body="ok")
        if path == "/.maintenance":
            return page
        assert address is None
        if on and not self.hidden:
            return page
        return Answer(status=502) if self.sick else Answer(status=200)

    def changeover(self, who=WHO):
        return Changeover(entry=self.entry, clients=self.clients, who=who, fetch=self.fetch, now=self.now)

    def journal(self, folder):
        return Journal(folder, "maintenance", environment="staging", account=ACCOUNT, who=WHO)

    def how(self):
        return {"pause": self.wait, "clock": lambda: self.elapsed}

    def on(self, folder, until=UNTIL, override="", who=WHO):
        changeover = self.changeover(who)
        return changeover, run(changeover.on(until, override), self.clients, self.journal(folder), **self.how())

    def off(self, folder, *, force=False):
        changeover = self.changeover()
        return run(changeover.off(force=force), self.clients, self.journal(folder), **self.how())

    def status(self):
        return status.read(self.entry, self.clients, self.fetch, self.now())

    def troubles(self):
        return status.troubles(self.status())

    def muted(self):
        mute = alarms.read(self.clients["cloudwatch"], "staging-mute")
        return sorted(name.removeprefix(PREFIX) for name in mute.alarms) if mute else []

    def silenced(self):
        """Names of the alerts that are silenced, and until when."""
        return [
            (sorted(one["matchers"][0]["value"].replace("\\", "").replace(PREFIX, "").split("|")), one["endsAt"])
            for one in self.silences.list_silences()
            if one["status"]["state"] == "active"
        ]

    def notices(self):
        return [one["Subject"] for one in self.sns.published]

    def texts(self):
        return [json.loads(one["Message"])["default"] for one in self.sns.published]

    def reset(self):
        """As it was at first."""
        script.off({**self.off_input(), "force": "true"}, None)
        self.records.delete()
        self.elapsed, self.shown = 0.0, ""
        self.cloudwatch.rule, self.cloudwatch.puts = None, 0
        self.silences.made, self.silences.puts = {}, 0
        self.ssm.commands, self.ssm.executions, self.sns.published = [], [], []
        with suppress(ClientError):
            self.clients["scheduler"].delete_schedule(GroupName="staging", Name=SCHEDULE)


def client(name):
    return boto3.client(name, region_name=REGION)
