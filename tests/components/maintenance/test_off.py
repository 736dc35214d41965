"""What takes the page off the air: the step of the Automation document, against AWS as moto plays it."""

import boto3
import pytest
from moto import mock_aws

from components.maintenance import plan
from functions.escalate import decide as escalation
from functions.maintenance_off import script


@pytest.fixture(autouse=True)
def account(monkeypatch):
    for key, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(key, value)
    with mock_aws():
        yield


class Balanced:
    """A load balancer whose listener forwards to ``site``; ``page`` stands ready."""

    def __init__(self):
        self.elb, self.ec2 = boto3.client("elbv2"), boto3.client("ec2")
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        zones = {"us-east-1a": "10.0.0.0/24", "us-east-1b": "10.0.1.0/24"}
        subnets = [
            self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
            for zone, cidr in zones.items()
        ]
        balancer = self.elb.create_load_balancer(Name="web", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
        self.site, self.page = (
            self.elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0][
                "TargetGroupArn"
            ]
            for name in ("site", "page")
        )
        self.listener = self.elb.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[self.to(self.site)]
        )["Listeners"][0]["ListenerArn"]
        self.instance = self.ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0][
            "InstanceId"
        ]

    @staticmethod
    def to(group):
        return {"Type": "forward", "TargetGroupArn": group}

    def heal(self):
        self.elb.register_targets(TargetGroupArn=self.site, Targets=[{"Id": self.instance}])

    def switch(self, priority=plan.SWITCH_PRIORITY, group=None):
        made = self.elb.create_rule(
            ListenerArn=self.listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
            Actions=[self.to(group or self.page)],
        )
        return made["Rules"][0]["RuleArn"]

    def priorities(self):
        return {rule["Priority"] for rule in self.elb.describe_rules(ListenerArn=self.listener)["Rules"]}

    def off(self, **more):
        event = {"listener": self.listener, "page": self.page, "site": self.site, "priority": plan.SWITCH_PRIORITY}
        return script.off({"mode": "listener-rule", **event, **more}, None)["result"]


@pytest.fixture
def balanced():
    return Balanced()


class TestNews:
    @pytest.fixture
    def heard(self):
        """What the topic's queue gets; the e-mail's text has no other way out of the stand-in."""
        sns, sqs = boto3.client("sns"), boto3.client("sqs")
        queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = sns.create_topic(Name="low")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        said = {"topic": topic, "url": "https://app.example.com/"}
        return said, lambda: [one["Body"] for one in sqs.receive_message(QueueUrl=queue).get("Messages", ())]

    def test_an_end_by_itself_is_told_as_news_that_the_escalation_posts(self, balanced, heard):
        said, bodies = heard
        balanced.heal()
        balanced.switch()
        balanced.off(announce="true", **said)
        (body,) = bodies()
        assert escalation.read(body, {said["topic"]: "low"}) == escalation.Announcement(
            "Maintenance is over\nResolved: https://app.example.com/ is back after maintenance; "
            "the page went off by itself at its end."
        )

    def test_a_person_s_own_end_is_told_by_their_command_alone(self, balanced, heard):
        said, bodies = heard
        balanced.heal()
        balanced.switch()
        balanced.off(announce="false", **said)
        assert bodies() == []

    def test_a_page_that_stays_is_no_end(self, balanced, heard):
        said, bodies = heard
        balanced.switch()
        with pytest.raises(RuntimeError):
            balanced.off(announce="true", **said)
        assert bodies() == []


def test_the_rule_goes_once_the_site_is_well(balanced):
    balanced.heal()
    balanced.switch()
    assert balanced.off() == "The rule that led to the page is gone."
    assert balanced.priorities() == {"default"}


def test_a_second_run_finds_nothing_to_do(balanced):
    balanced.heal()
    balanced.switch()
    balanced.off()
    assert balanced.off() == "The listener has no rule that leads to the page."


def test_the_page_stays_while_no_server_of_the_site_is_healthy(balanced):
    balanced.switch()
    with pytest.raises(RuntimeError) as caught:
        balanced.off()
    assert str(caught.value) == (
        "The page stays: none of the site's 0 servers is healthy. Repair the site, or run this again with Force=true."
    )
    assert balanced.priorities() == {"1", "default"}


def test_by_force_the_page_goes_all_the_same(balanced):
    balanced.switch()
    balanced.off(force="true")
    assert balanced.priorities() == {"default"}


def test_other_rules_stay(balanced):
    balanced.heal()
    balanced.switch(plan.PREVIEW_PRIORITY)
    balanced.switch(group=balanced.site)
    assert balanced.off() == "The listener has no rule that leads to the page."
    assert balanced.priorities() == {"1", "2", "default"}


def test_a_rule_that_somebody_deletes_meanwhile_is_no_failure(balanced, monkeypatch):
    balanced.heal()
    rule = balanced.switch()
    seen = iter([[rule], []])
    monkeypatch.setattr(script, "_switches", lambda *_: next(seen))
    balanced.elb.delete_rule(RuleArn=rule)
    assert balanced.off() == "The rule that led to the page is gone."


def test_a_rule_that_does_not_go_is_told(balanced, monkeypatch):
    balanced.heal()
    rule = balanced.switch()
    monkeypatch.setattr(script, "_switches", lambda *_: [rule])
    with pytest.raises(RuntimeError, match="still there; delete it by hand"):
        balanced.off()


class Moved:
    """A server's address, on the machine with the page."""

    def __init__(self):
        self.ec2 = boto3.client("ec2")
        made = self.ec2.run_instances(ImageId="ami-12c6146b", MinCount=2, MaxCount=2)["Instances"]
        self.server, self.page = (one["InstanceId"] for one in made)
        self.allocation = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        self.ec2.associate_address(AllocationId=self.allocation, InstanceId=self.page)

    def holder(self):
        return self.ec2.describe_addresses(AllocationIds=[self.allocation])["Addresses"][0]["InstanceId"]

    def off(self, **more):
        event = {"mode": "elastic-ip", "allocation": self.allocation, "server": self.server}
        return script.off({**event, **more}, None)["result"]


@pytest.fixture
def moved():
    return Moved()


def test_the_address_goes_back_to_the_server(moved):
    assert moved.off() == "The address is the server's again."
    assert moved.holder() == moved.server
    assert moved.off() == "The address is the server's already."


def test_the_address_stays_while_the_server_does_not_run(moved):
    moved.ec2.stop_instances(InstanceIds=[moved.server])
    with pytest.raises(RuntimeError, match=rf"^The page stays: the server {moved.server} is not running"):
        moved.off()
    assert moved.holder() == moved.page
    moved.off(force="true")
    assert moved.holder() == moved.server


def test_an_address_that_does_not_move_is_told(moved, monkeypatch):
    monkeypatch.setattr(script, "_holder", lambda *_: moved.page)
    with pytest.raises(
        RuntimeError, match=rf"^The address is {moved.page}'s, not the server's; associate it by hand\.$"
    ):
        moved.off()


class Held:
    """A name that leads to the page because its health check is held."""

    def __init__(self):
        self.dns = boto3.client("route53")
        config = {"Type": "HTTPS", "IPAddress": "198.51.100.7", "Port": 443, "ResourcePath": "/"}
        self.check = self.dns.create_health_check(CallerReference="one", HealthCheckConfig=config)["HealthCheck"]["Id"]
        self.dns.update_health_check(HealthCheckId=self.check, Disabled=True, Inverted=True)

    def state(self):
        found = self.dns.get_health_check(HealthCheckId=self.check)["HealthCheck"]["HealthCheckConfig"]
        return found["Disabled"], found["Inverted"]

    def off(self):
        return script.off({"mode": "dns", "check": self.check}, None)["result"]


def test_the_health_check_decides_again():
    held = Held()
    assert held.state() == (True, True)
    assert held.off() == held.off() == "The health check decides again where the name leads."
    assert held.state() == (False, False)


def test_a_check_that_is_still_held_is_told(monkeypatch):
    held = Held()
    client = boto3.client("route53")
    client.update_health_check = lambda **_: None
    monkeypatch.setattr(script.boto3, "client", lambda *_, **__: client)
    with pytest.raises(RuntimeError, match="still held"):
        held.off()
