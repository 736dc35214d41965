"""The scripts of a patch run, against AWS as moto plays it."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from components.patching import plan
from functions.patching import steps

GROUP, RUN = "learning-platform-staging-hosts", "0b1c2d3e-0000-4000-8000-000000000001"


@pytest.fixture(autouse=True)
def account(monkeypatch):
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(key, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self, states):
        self.now, self.states, self.slept = 0.0, list(states), []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.slept.append(seconds)

    def describe_target_health(self, **asked):
        assert asked == {"TargetGroupArn": "arn:targets"}
        states = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"TargetHealthDescriptions": [{"TargetHealth": {"State": state}} for state in states]}


def look(monkeypatch, *states, seconds=60):
    clock = Clock(states)
    monkeypatch.setattr(steps, "time", clock)
    real = boto3.client
    monkeypatch.setattr(steps.boto3, "client", lambda name, **more: clock if name == "elbv2" else real(name, **more))
    event = {"targets": "arn:targets", "seconds": seconds, "group": "learning-platform-staging-servers"}
    return steps.well(event, None), clock


def test_a_site_whose_servers_are_all_healthy_is_well_at_once(monkeypatch):
    found, clock = look(monkeypatch, ["healthy", "healthy"])
    assert (found, clock.slept) == ({"healthy": 2, "images": []}, [])


def test_a_server_that_is_taken_out_does_not_count(monkeypatch):
    assert look(monkeypatch, ["draining", "healthy"])[0] == {"healthy": 1, "images": []}


def test_a_server_that_comes_up_is_waited_for(monkeypatch):
    found, clock = look(monkeypatch, ["initial"], ["unhealthy", "healthy"], ["healthy", "healthy"])
    assert (found, clock.slept) == ({"healthy": 2, "images": []}, [15, 15])


@pytest.mark.parametrize(
    ("states", "counted"), [([], "0 of 0"), (["draining"], "0 of 0"), (["healthy", "unhealthy"], "1 of 2")]
)
def test_a_site_that_does_not_get_well_ends_the_run(monkeypatch, states, counted):
    with pytest.raises(RuntimeError, match=f"The site is not well: {counted} servers are healthy"):
        look(monkeypatch, states)


def test_the_images_that_servers_run_are_noted_each_once(monkeypatch):
    ec2 = boto3.client("ec2")
    servers = [machine(ec2, "learning-platform-staging-servers") for _ in range(2)]
    image = ec2.describe_instances(InstanceIds=servers)["Reservations"][0]["Instances"][0]["ImageId"]
    assert look(monkeypatch, ["healthy"])[0]["images"] == [image]


def machine(ec2, group=GROUP):
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    tags = [{"Key": "PatchGroup", "Value": group}]
    instance = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}]
    )["Instances"][0]
    return instance["InstanceId"]


def kept(ec2):
    """(instance, run) of each snapshot that a run took."""
    found = ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "tag:Patching", "Values": [GROUP]}])
    tags = [{tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in found["Snapshots"]]
    return sorted((one["Instance"], one["PatchRun"]) for one in tags)


def keep(run=RUN, days=14):
    return steps.keep({"group": GROUP, "run": run, "days": days}, None)["snapshots"]


def test_running_machines_of_the_group_and_no_others_are_kept():
    ec2 = boto3.client("ec2")
    mine, stopped = machine(ec2), machine(ec2)
    machine(ec2, "learning-platform-staging-servers")
    ec2.stop_instances(InstanceIds=[stopped])
    assert len(keep()) == 1
    assert kept(ec2) == [(mine, RUN)]


def test_a_second_attempt_of_the_same_run_takes_no_second_snapshot():
    ec2 = boto3.client("ec2")
    machine(ec2)
    assert keep() == keep()
    assert len(kept(ec2)) == 1


def test_a_second_attempt_takes_what_the_first_did_not_reach(monkeypatch):
    ec2 = boto3.client("ec2")
    machines = {machine(ec2), machine(ec2)}
    real, calls = boto3.client, []

    class Refusing:
        """EC2 refuses the second snapshot of the first attempt."""

        def __init__(self, client):
            self._client = client

        def __getattr__(self, name):
            return getattr(self._client, name)

        def create_snapshots(self, **asked):
            calls.append(asked)
            if len(calls) == 2:
                raise ClientError({"Error": {"Code": "RequestLimitExceeded", "Message": "no"}}, "CreateSnapshots")
            return self._client.create_snapshots(**asked)

    monkeypatch.setattr(steps.boto3, "client", lambda *a, **k: Refusing(real(*a, **k)))
    with pytest.raises(ClientError):
        keep()
    assert len(keep()) == 2
    assert {instance for instance, _ in kept(ec2)} == machines
    assert len(calls) == 3


def test_snapshots_go_when_their_time_is_over_and_not_before(monkeypatch):
    ec2 = boto3.client("ec2")
    host = machine(ec2)
    keep("first")

    class Later(datetime):
        days = 0

        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=cls.days)

    monkeypatch.setattr(steps, "datetime", Later)
    Later.days = 7
    keep("second")
    assert kept(ec2) == [(host, "first"), (host, "second")]
    Later.days = 15
    keep("third")
    assert kept(ec2) == [(host, "third")]


def test_snapshots_of_others_stay():
    ec2 = boto3.client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    others = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    keep(days=-1)
    assert ec2.describe_snapshots(SnapshotIds=[others])["Snapshots"]


def test_the_document_holds_the_script_as_it_is_tested():
    document = plan.install_document(
        plan.Run(
            calendar="c",
            groups={"hosts": "h", "servers": "s"},
            target_group_arn="t",
            scaling_group="g",
            log_group="l",
            restart="r",
            check="k",
            role_arn="a",
            replace=False,
        )
    )

    scripts = {step["inputs"]["Script"] for step in json.loads(document)["mainSteps"] if "Script" in step["inputs"]}
    assert scripts == {Path(steps.__file__).read_text(encoding="utf-8")}
    assert "{{" not in scripts.pop()
