"""The function on stand-ins for AWS: what it stops and starts, and what it does where something goes wrong."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from functions.common.calendar import Period
from functions.common.plain import to_plain
from functions.schedule import fleet, handler
from functions.schedule.env import Configuration, ScheduleEnv
from functions.schedule.handler import UnfinishedError, World, act

IMAGE = "ami-12c6146b"
HOME, RECOVERY = "us-east-1", "us-west-2"
OWNED = {"Project": "platform", "Environment": "staging"}
OFFICE = {"office": Period(zone="UTC", days=(0, 1, 2, 3, 4), start=480, stop=1080)}
DAY, NIGHT = datetime(2026, 1, 5, 12, tzinfo=UTC), datetime(2026, 1, 5, 22, tzinfo=UTC)
SWEEP, STOP, START = {"do": "sweep"}, {"do": "stop", "period": "office"}, {"do": "start", "period": "office"}


def tags(**more):
    return [{"Key": key, "Value": value} for key, value in {**OWNED, "Schedule": "office", **more}.items()]


def error(code, operation="Any"):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


class Stage:
    """The function's world: a clock that its sleeps move on, and the lines it writes."""

    def __init__(self, clients, seconds=900.0):
        self.now, self.slept, self.seconds, self.lines = NIGHT, 0.0, seconds, []
        self.env = ScheduleEnv(
            configuration="/platform/staging/schedule/configuration",
            dead_letters="",
            function="platform-staging-schedule",
            regions=(HOME, RECOVERY),
            namespace="platform-staging-schedule",
            project=OWNED["Project"],
            environment=OWNED["Environment"],
        )
        self.world = World(
            clients=clients,
            now=lambda: self.now,
            sleep=self._sleep,
            remaining=lambda: self.seconds - self.slept,
            write=self.lines.append,
        )

    def _sleep(self, seconds):
        self.slept += seconds

    def run(self, event):
        return act(event, self.env, self.world)

    def written(self):
        return [json.loads(line) for line in self.lines]


class Account:
    """moto's AWS, with clients that can be told to fail."""

    def __init__(self):
        self.invoked, self.faults, self._clients = [], {}, {}

    def __call__(self, service, region=None):
        return self._made(service, region or HOME)

    def _made(self, service, region):
        if service == "lambda":
            return SimpleNamespace(invoke=lambda **call: self.invoked.append(call))
        if (service, region) not in self._clients:
            made = boto3.client(service, region_name=region)
            made.meta.events.register("before-call", self._meet)
            self._clients[service, region] = made
        return self._clients[service, region]

    def _meet(self, model, **_):
        fault = self.faults.get(model.name)
        if fault is not None:
            raise fault


@pytest.fixture
def account():
    with mock_aws():
        made = Account()
        made("ssm").put_parameter(
            Name="/platform/staging/schedule/configuration",
            Type="String",
            Value=json.dumps(to_plain(Configuration(periods=OFFICE))),
        )
        yield made


@pytest.fixture
def stage(account):
    made = Stage(account)
    url = account("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
    made.env = ScheduleEnv(**{name: getattr(made.env, name) for name in made.env.__slots__} | {"dead_letters": url})
    return made


def instance(account, region=HOME, marks=None):
    ec2 = account("ec2", region)
    kinds = [{"ResourceType": "instance", "Tags": tags() if marks is None else marks}]
    made = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=kinds)
    return made["Instances"][0]["InstanceId"]


def state(account, identifier, region=HOME):
    found = account("ec2", region).describe_instances(InstanceIds=[identifier])
    return found["Reservations"][0]["Instances"][0]["State"]["Name"]


def database(account, name="db", region=HOME, **more):
    account("rds", region).create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        MasterUsername="platform",
        MasterUserPassword="opensesame",
        AllocatedStorage=20,
        Tags=tags(),
        **more,
    )


def status(account, name="db", region=HOME):
    return account("rds", region).describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DBInstanceStatus"]


def group(account, sizes="1:2"):
    ec2, scaling = account("ec2"), account("autoscaling")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    scaling.create_launch_configuration(LaunchConfigurationName="web", ImageId=IMAGE, InstanceType="t3.small")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="web",
        LaunchConfigurationName="web",
        MinSize=1,
        MaxSize=2,
        DesiredCapacity=2,
        VPCZoneIdentifier=subnet,
        Tags=[
            # The mark of the schedule on an instance would have it stopped, and so replaced.
            {**tag, "PropagateAtLaunch": True, "ResourceId": "web", "ResourceType": "auto-scaling-group"}
            for tag in tags(ScheduleSizes=sizes)
        ],
    )


def sizes(account):
    (found,) = account("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return found["MinSize"], found["MaxSize"], found["DesiredCapacity"]


def letters(account, stage):
    found = account("sqs").receive_message(
        QueueUrl=stage.env.dead_letters, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return [(one["Body"], one["MessageAttributes"]["Reason"]["StringValue"]) for one in found.get("Messages", ())]


def test_the_night_stops_everything_in_every_region_and_the_day_brings_it_back(account, stage):
    near, far = instance(account), instance(account, RECOVERY)
    database(account)
    group(account)
    assert stage.run(STOP) == {"seen": 4, "started": 0, "stopped": 4, "waiting": 0, "failed": 0, "cut": False}
    assert (state(account, near), state(account, far, RECOVERY)) == ("stopped", "stopped")
    assert (status(account), sizes(account)) == ("stopped", (0, 0, 0))
    stage.now = DAY
    assert stage.run(START) == {"seen": 4, "started": 4, "stopped": 0, "waiting": 0, "failed": 0, "cut": False}
    assert (state(account, near), state(account, far, RECOVERY)) == ("running", "running")
    assert (status(account), sizes(account)) == ("available", (1, 2, 1))


@pytest.mark.parametrize("event", [STOP, START, SWEEP])
def test_an_event_that_comes_again_or_late_does_what_the_calendar_says(account, stage, event):
    made = instance(account)
    group(account)
    for _ in range(3):
        stage.run(event)
        assert (state(account, made), sizes(account)) == ("stopped", (0, 0, 0))
    stage.now = DAY
    for _ in range(3):
        stage.run(event)
        assert (state(account, made), sizes(account)) == ("running", (1, 2, 1))


def test_a_group_keeps_its_sizes_through_any_number_of_stops(account, stage):
    group(account, sizes="2:4")
    for _ in range(2):
        stage.now = NIGHT
        stage.run(STOP)
        stage.run(STOP)
        stage.now = DAY
        stage.run(START)
        assert sizes(account) == (2, 4, 2)


def test_new_sizes_leave_a_running_group_as_many_instances_as_they_allow(account, stage):
    group(account, sizes="1:4")
    stage.now = DAY
    stage.run(SWEEP)
    assert sizes(account) == (1, 4, 2)


def test_the_instances_of_a_group_are_the_group_s(account, stage):
    group(account)
    stage.now = DAY
    stage.run(SWEEP)
    ids = account("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]
    account("ec2").stop_instances(InstanceIds=[ids[0]["InstanceId"]])
    assert stage.run(SWEEP)["seen"] == 1
    assert state(account, ids[0]["InstanceId"]) == "stopped"


@pytest.mark.parametrize(
    "marks",
    [
        [{"Key": "Name", "Value": "x"}],
        tags(Project="other"),
        tags(Environment="prod"),
        [{"Key": "Schedule", "Value": "office"}],
    ],
)
def test_what_is_not_the_stack_s_is_not_touched(account, stage, marks):
    made = instance(account, marks=marks)
    assert stage.run(STOP)["seen"] == 0
    assert state(account, made) == "running"


def test_a_database_that_rds_starts_after_seven_days_is_stopped_again(account, stage):
    database(account)
    other = instance(account)
    event = {
        "detail-type": "RDS DB Instance Event",
        "region": HOME,
        "detail": {"EventID": "RDS-EVENT-0154", "SourceIdentifier": "db"},
    }
    assert stage.run(event)["stopped"] == 1
    assert status(account) == "stopped"
    assert state(account, other) == "running"
    account("rds").start_db_instance(DBInstanceIdentifier="db")
    stage.now = DAY
    assert stage.run(event)["stopped"] == 0


def test_what_is_busy_waits_for_the_next_sweep(account, stage):
    database(account)
    account.faults["StopDBInstance"] = error("InvalidDBInstanceState")
    assert stage.run(STOP)["waiting"] == 1
    account.faults.clear()
    assert stage.run(SWEEP)["stopped"] == 1


def test_a_failure_is_raised_after_everything_else_was_done(account, stage):
    database(account)
    made = instance(account)
    group(account)
    account.faults["StopDBInstance"] = error("KMSKeyNotAccessibleFault")
    with pytest.raises(UnfinishedError) as raised:
        stage.run(STOP)
    assert str(raised.value) == "1 not as the calendar says: database db in us-east-1: KMSKeyNotAccessibleFault."
    assert (state(account, made), sizes(account)) == ("stopped", (0, 0, 0))


def test_a_region_that_does_not_answer_keeps_no_other_from_being_stopped(account, stage):
    made = instance(account)
    broken = account("rds", RECOVERY)

    def clients(service, region=None):
        if (service, region) == ("rds", RECOVERY):
            return SimpleNamespace(get_paginator=lambda _: (_ for _ in ()).throw(error("AccessDenied")))
        return account(service, region)

    assert broken is not None
    stage.world = World(**{name: getattr(stage.world, name) for name in stage.world.__slots__} | {"clients": clients})
    with pytest.raises(UnfinishedError, match="every database in us-west-2: ClientError"):
        stage.run(STOP)
    assert state(account, made) == "stopped"


def test_a_sweep_counts_what_is_unsettled_instead_of_raising(account, stage):
    instance(account)
    account.faults["StopInstances"] = error("UnauthorizedOperation")
    assert stage.run(SWEEP)["failed"] == 1
    assert stage.written()[-1]["unsettled"] == 1
    account.faults.clear()
    stage.run(SWEEP)
    stage.run(SWEEP)
    assert stage.written()[-1] == {
        "summary": {"failed": 0, "seen": 1, "started": 0, "stopped": 0, "waiting": 0},
        "unsettled": 0,
    }


def test_a_sweep_writes_the_hours_saved_as_a_metric(account, stage):
    instance(account)
    stage.run(STOP)
    assert stage.lines == []
    stage.run(SWEEP)
    assert stage.written()[0] == {
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Dimensions": [["Period", "Kind"]],
                    "Metrics": [{"Name": "StoppedHours", "Unit": "None"}],
                    "Namespace": "platform-staging-schedule",
                }
            ],
            "Timestamp": int(NIGHT.timestamp() * 1000),
        },
        "Kind": "instance",
        "Period": "office",
        "StoppedHours": 0.25,
    }


@pytest.mark.parametrize("event", [{"do": "dance"}, [1], None, "stop"])
def test_an_event_that_nobody_understands_is_kept_with_the_reason(account, stage, event):
    made = instance(account)
    reason = stage.run(event)["buried"]
    assert letters(account, stage) == [(json.dumps(event), reason)]
    assert state(account, made) == "running"


def test_a_configuration_that_cannot_be_read_stops_nothing(account, stage):
    made = instance(account)
    account("ssm").put_parameter(Name=stage.env.configuration, Type="String", Value="{}", Overwrite=True)
    with pytest.raises(KeyError):
        stage.run(STOP)
    assert state(account, made) == "running"


# At scale


class Crowd:
    """EC2 with many instances: pages, calls that fail as a whole, and what each costs."""

    def __init__(self, count, bad=None):
        self.states = {f"i-{number:017x}": "running" for number in range(count)}
        self.bad, self.calls, self.invoked, self.busy = bad or {}, [], [], 0

    def __call__(self, service, _region=None):
        return {
            "ec2": self,
            "lambda": SimpleNamespace(invoke=lambda **call: self.invoked.append(json.loads(call["Payload"]))),
            "ssm": SimpleNamespace(
                get_parameter=lambda **_: {"Parameter": {"Value": json.dumps(to_plain(Configuration(periods=OFFICE)))}}
            ),
        }.get(service) or SimpleNamespace(
            get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: [{"DBInstances": [], "AutoScalingGroups": []}])
        )

    def get_paginator(self, _name):
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, **_):
        ids = sorted(self.states)
        for first in range(0, len(ids), 1000):
            yield {
                "Reservations": [
                    {
                        "Instances": [
                            {"InstanceId": one, "State": {"Name": self.states[one]}, "Tags": tags()}
                            for one in ids[first : first + 1000]
                        ]
                    }
                ]
            }

    def _move(self, ids, to):
        self.calls.append(len(ids))
        if self.busy:
            self.busy -= 1
            raise error("RequestLimitExceeded")
        wrong = [self.bad[one] for one in ids if one in self.bad]
        if wrong:
            raise error(wrong[0])
        for one in ids:
            self.states[one] = to

    def stop_instances(self, InstanceIds):  # noqa: N803 - boto3's name
        self._move(InstanceIds, "stopped")

    def start_instances(self, InstanceIds):  # noqa: N803 - boto3's name
        self._move(InstanceIds, "running")


def crowded(crowd, **more):
    made = Stage(crowd, **more)
    made.env = ScheduleEnv(**{name: getattr(made.env, name) for name in made.env.__slots__} | {"regions": (HOME,)})
    return made


def test_ten_thousand_instances_are_stopped_in_one_run_at_the_pace_that_ec2_allows():
    crowd = Crowd(10_000)
    stage = crowded(crowd)
    assert stage.run(STOP)["stopped"] == 10_000
    assert set(crowd.states.values()) == {"stopped"}
    assert crowd.calls == [fleet.BATCH] * 200
    # A thousand at once, twenty a second after that.
    assert stage.slept == pytest.approx(9_000 / 20)


def test_ten_thousand_are_started_by_runs_that_each_hand_on_the_rest():
    crowd = Crowd(10_000)
    crowd.states = dict.fromkeys(crowd.states, "stopped")
    event, runs = START, 0
    while event:
        stage = crowded(crowd)
        stage.now = DAY
        stage.run(event)
        assert stage.slept <= 900 - handler.RESERVE
        runs += 1
        event = crowd.invoked.pop() if crowd.invoked else None
    assert set(crowd.states.values()) == {"running"}
    assert runs == 5


def test_one_bad_instance_among_ten_thousand_costs_a_few_calls_and_stops_all_others():
    bad = {"i-" + f"{4711:017x}": "UnsupportedOperation", "i-" + f"{12:017x}": "InvalidInstanceID.NotFound"}
    crowd = Crowd(10_000, bad)
    with pytest.raises(UnfinishedError) as raised:
        crowded(crowd).run(STOP)
    assert str(raised.value) == (
        "1 not as the calendar says: instance i-00000000000001267 in us-east-1: UnsupportedOperation."
    )
    assert [one for one, found in crowd.states.items() if found == "running"] == sorted(bad)
    assert len(crowd.calls) <= 200 + 2 * 13


def test_a_state_that_has_changed_meanwhile_is_looked_at_again():
    crowd = Crowd(3, {"i-" + f"{1:017x}": "IncorrectInstanceState"})
    assert crowded(crowd).run(STOP) == {
        "seen": 3,
        "started": 0,
        "stopped": 2,
        "waiting": 1,
        "failed": 0,
        "cut": False,
    }


def test_a_run_without_time_hands_on_before_it_has_done_anything():
    crowd = Crowd(10)
    stage = crowded(crowd, seconds=handler.RESERVE)
    assert stage.run(STOP)["cut"] is True
    assert crowd.calls == []
    assert crowd.invoked == [
        {
            "do": "continue",
            "kinds": ["database", "instance", "group"],
            "periods": ["office"],
            "regions": [],
            "round": 1,
        }
    ]


def test_a_chain_of_runs_ends_with_an_error_and_not_never():
    stage = crowded(Crowd(10), seconds=handler.RESERVE)
    event = {"do": "continue", "kinds": ["instance"], "periods": [], "regions": [], "round": 12}
    with pytest.raises(UnfinishedError, match="after 12 further runs"):
        stage.run(event)


def test_ec2_that_is_too_busy_after_all_attempts_is_asked_no_more_often_and_forgets_nothing():
    crowd = Crowd(100)
    crowd.busy = 1
    with pytest.raises(UnfinishedError, match="RequestLimitExceeded"):
        crowded(crowd).run(STOP)
    assert crowd.calls == [50, 50]
    assert crowded(crowd).run(STOP)["stopped"] == 50


def test_the_entry_point_reads_its_environment_and_the_time_that_is_left(monkeypatch):
    crowd = Crowd(2)
    stage = crowded(crowd)
    for name, value in stage.env.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(handler, "_client", crowd)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)
    assert handler.handler(SWEEP, context)["seen"] == 2
