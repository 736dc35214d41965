"""What the bastion declares in each mode."""

import base64
import json
from ipaddress import IPv4Network

import pulumi
import pytest

from components._keys import Home
from components.bastion import Bastion, BastionArgs
from runbook.preview.capture import capture
from settings.naming import Labels

INSTANCE, TEMPLATE = "aws:ec2/instance:Instance", "aws:ec2/launchTemplate:LaunchTemplate"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
EIP = "aws:ec2/eip:Eip"
LOGS_KEY = "arn:aws:kms:eu-west-1:210987654321:key/11111111-2222-3333-4444-555555555555"
MODES = ("ssh", "both", "ssm")
IMDS = {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1}


def bastion(mode="ssm", **changes):
    given = {
        "home": Home(partition="aws", account_id="210987654321", region="eu-west-1"),
        "mode": mode,
        "admin_cidrs": (IPv4Network("198.51.100.0/28"), IPv4Network("203.0.113.8/32")),
        "key_name": "admin",
        "instance_class": "t4g.nano",
        "vpc_id": "vpc-1",
        "public_subnet_id": "subnet-public",
        "app_subnet_id": "subnet-app",
        "logs_key_arn": LOGS_KEY,
        "session_log_retention_days": 365,
        "protect": True,
    }
    args = BastionArgs(**(given | changes))
    labels = Labels(project="learning-platform", environment="prod", owner="platform", cost_center="lp")

    def program():
        made = Bastion("bastion", args, labels=labels)
        for way, line in made.connect.items():
            pulumi.export(way, line)
        pulumi.export("tunnel", made.tunnel(pulumi.Output.from_input("db.example.internal"), 5433))

    return capture(program, stack="prod", config={"aws:region": "eu-west-1"})


@pytest.fixture(scope="module")
def graphs():
    return {mode: bastion(mode) for mode in MODES}


def ways(graph, type_):
    return {(r.name, r.inputs["cidrIpv4"], r.inputs["fromPort"], r.inputs["toPort"]) for r in graph.of(type_)}


@pytest.mark.parametrize("mode", ["ssh", "both"])
def test_ssh_is_open_to_each_administrator_s_range_and_to_nobody_else(graphs, mode):
    assert ways(graphs[mode], INGRESS) == {
        ("bastion-ssh-198.51.100.0-28", "198.51.100.0/28", 22, 22),
        ("bastion-ssh-203.0.113.8-32", "203.0.113.8/32", 22, 22),
    }


def test_with_session_manager_in_its_place_nothing_is_open(graphs):
    assert graphs["ssm"].of(INGRESS) == ()


@pytest.mark.parametrize("mode", MODES)
def test_the_only_way_out_is_https(graphs, mode):
    assert ways(graphs[mode], EGRESS) == {("bastion-https", "0.0.0.0/0", 443, 443)}


@pytest.mark.parametrize("mode", MODES)
def test_rules_are_described_and_stand_apart_from_the_group(graphs, mode):
    graph = graphs[mode]
    group = graph.one("aws:ec2/securityGroup:SecurityGroup")
    assert {"ingress", "egress"} & set(group.inputs) == set()
    rules = graph.of(INGRESS, EGRESS)
    assert all(rule.inputs["description"] for rule in rules)
    assert {(rule.inputs["securityGroupId"], rule.inputs["ipProtocol"]) for rule in rules} == {(group.id, "tcp")}


@pytest.mark.parametrize(
    ("mode", "subnet", "outside"),
    [("ssh", "subnet-public", True), ("both", "subnet-public", True), ("ssm", "subnet-app", False)],
)
def test_only_a_bastion_that_takes_ssh_stands_outside(graphs, mode, subnet, outside):
    graph = graphs[mode]
    instance = graph.one(INSTANCE)
    assert (instance.inputs["subnetId"], instance.inputs["associatePublicIpAddress"]) == (subnet, outside)
    assert [address.inputs["instance"] for address in graph.of(EIP)] == ([instance.id] if outside else [])
    assert instance.inputs["vpcSecurityGroupIds"] == [graph.one("aws:ec2/securityGroup:SecurityGroup").id]


@pytest.mark.parametrize(("mode", "key_name"), [("ssh", "admin"), ("both", "admin"), ("ssm", None)])
def test_the_key_pair_is_there_as_long_as_ssh_is(graphs, mode, key_name):
    graph = graphs[mode]
    assert graph.one(TEMPLATE).inputs.get("keyName") == key_name
    assert "keyName" not in graph.one(INSTANCE).inputs


def test_the_image_is_looked_up_at_launch_by_the_processor_of_the_class(graphs):
    template = graphs["ssm"].one(TEMPLATE)
    assert (template.inputs["imageId"], template.inputs["instanceType"]) == (
        "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
        "t4g.nano",
    )
    other = bastion(instance_class="t3.micro").one(TEMPLATE)
    assert other.inputs["imageId"].endswith("-x86_64")


@pytest.mark.parametrize("mode", MODES)
def test_the_provider_never_has_to_look_the_image_up(graphs, mode):
    """It does so for an instance with an image or a root disk of its own, and cannot resolve a parameter's name."""
    assert {"ami", "rootBlockDevice", "ebsBlockDevices"} & set(graphs[mode].one(INSTANCE).inputs) == set()


@pytest.mark.parametrize("mode", MODES)
def test_security_groups_are_named_in_one_place_only(graphs, mode):
    template = graphs[mode].one(TEMPLATE)
    assert {"vpcSecurityGroupIds", "securityGroupNames", "networkInterfaces"} & set(template.inputs) == set()


def test_a_change_of_the_template_replaces_the_instance(graphs):
    graph = graphs["both"]
    instance, template = graph.one(INSTANCE), graph.one(TEMPLATE)
    assert instance.inputs["launchTemplate"] == {
        "id": template.id,
        "version": str(template.outputs["latestVersion"]),
    }
    assert template.urn in instance.property_dependencies["launchTemplate"]


def test_metadata_needs_a_token_and_stays_on_the_machine(graphs):
    graph = graphs["ssh"]
    assert graph.one(INSTANCE).inputs["metadataOptions"] == IMDS
    assert graph.one(TEMPLATE).inputs["metadataOptions"] == IMDS


def test_the_disk_is_encrypted_and_goes_with_the_machine(graphs):
    assert graphs["ssm"].one(TEMPLATE).inputs["blockDeviceMappings"] == [
        {
            "deviceName": "/dev/xvda",
            "ebs": {"encrypted": "true", "volumeType": "gp3", "volumeSize": 10, "deleteOnTermination": "true"},
        }
    ]


def test_instance_and_template_are_marked_as_the_bastion(graphs):
    graph = graphs["both"]
    template = graph.one(TEMPLATE)
    marked = [graph.one(INSTANCE).inputs["tags"], template.inputs["tags"]]
    marked += [entry["tags"] for entry in template.inputs["tagSpecifications"]]
    assert {(tags["Role"], tags["Name"]) for tags in marked} == {("bastion", "learning-platform-prod-bastion")}
    assert {entry["resourceType"] for entry in template.inputs["tagSpecifications"]} == {
        "instance",
        "network-interface",
        "volume",
    }
    group = graph.one("aws:ec2/securityGroup:SecurityGroup").inputs["tags"]
    assert (group["Role"], group["Tier"]) == ("bastion", "bastion")


@pytest.mark.parametrize("mode", MODES)
def test_systems_manager_manages_it_in_every_mode(graphs, mode):
    graph = graphs[mode]
    role = graph.one("aws:iam/role:Role")
    profile = graph.one("aws:iam/instanceProfile:InstanceProfile")
    attachment = graph.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    assert attachment.inputs == {
        "role": role.outputs["name"],
        "policyArn": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
    }
    assert profile.inputs["role"] == role.outputs["name"]
    assert graph.one(INSTANCE).inputs["iamInstanceProfile"] == profile.outputs["name"]
    assert graph.one(TEMPLATE).inputs["iamInstanceProfile"] == {"name": profile.outputs["name"]}


def test_its_role_may_log_and_decrypt_sessions_and_nothing_more(graphs):
    graph = graphs["ssm"]
    key, group = graph.one("aws:kms/key:Key"), graph.one("aws:cloudwatch/logGroup:LogGroup")
    policy = json.loads(graph.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    allowed = {(action, arn) for s in policy["Statement"] for action in s["Action"] for arn in s["Resource"]}
    arn = group.outputs["arn"]
    assert allowed == {
        ("kms:Decrypt", key.outputs["arn"]),
        *((f"logs:{action}", arn) for action in ("CreateLogStream", "DescribeLogStreams", "PutLogEvents")),
        *((f"logs:{action}", f"{arn}:*") for action in ("CreateLogStream", "DescribeLogStreams", "PutLogEvents")),
        ("logs:DescribeLogGroups", "*"),
    }


@pytest.mark.parametrize("mode", MODES)
def test_sessions_are_kept_in_an_encrypted_group_under_a_key_of_their_own(graphs, mode):
    graph = graphs[mode]
    document, group = graph.one("aws:ssm/document:Document"), graph.one("aws:cloudwatch/logGroup:LogGroup")
    said = json.loads(document.inputs["content"])["inputs"]
    assert (document.inputs["name"], document.inputs["documentType"]) == ("SSM-SessionManagerRunShell", "Session")
    assert said["cloudWatchLogGroupName"] == group.inputs["name"] == "/learning-platform/prod/bastion/sessions"
    assert said["kmsKeyId"] == graph.one("aws:kms/key:Key").outputs["keyId"]
    assert (group.inputs["retentionInDays"], group.inputs["kmsKeyId"]) == (365, LOGS_KEY)


def test_the_first_boot_is_handed_over_in_base64(graphs):
    script = base64.b64decode(graphs["ssm"].one(TEMPLATE).inputs["userData"]).decode()
    assert script.startswith("#!/bin/bash\n")


def test_each_mode_says_its_ways_in_as_one_line(graphs):
    machine = {mode: graphs[mode].one(INSTANCE).id for mode in MODES}
    public = {mode: graphs[mode].one(EIP).outputs["publicIp"] for mode in ("ssh", "both")}
    ssm = {mode: f"aws ssm start-session --region eu-west-1 --target {machine[mode]}" for mode in MODES}
    forward = " --document-name AWS-StartPortForwardingSessionToRemoteHost --parameters "
    parameters = 'host="db.example.internal",portNumber="5433",localPortNumber="15432"'
    assert {mode: graphs[mode].exports for mode in MODES} == {
        "ssh": {
            "ssh": f"ssh -i admin.pem ec2-user@{public['ssh']}",
            "tunnel": f"ssh -i admin.pem -N -L 15432:db.example.internal:5433 ec2-user@{public['ssh']}",
        },
        "both": {
            "ssh": f"ssh -i admin.pem ec2-user@{public['both']}",
            "ssm": ssm["both"],
            "tunnel": f"{ssm['both']}{forward}{parameters}",
        },
        "ssm": {"ssm": ssm["ssm"], "tunnel": f"{ssm['ssm']}{forward}{parameters}"},
    }


def test_the_component_hands_over_what_others_connect_to(graphs):
    graph = graphs["both"]
    assert graph.one("learning-platform:bastion:Bastion").outputs == {
        "securityGroupId": graph.one("aws:ec2/securityGroup:SecurityGroup").id,
        "instanceId": graph.one(INSTANCE).id,
        "sessionLogGroup": "/learning-platform/prod/bastion/sessions",
        "connect": {way: graph.exports[way] for way in ("ssh", "ssm")},
    }


@pytest.mark.parametrize("protect", [True, False])
def test_of_a_machine_without_data_only_the_key_is_protected(protect):
    graph = bastion(protect=protect)
    assert {r.name for r in graph.resources if r.protect} == ({"bastion-sessions"} if protect else set())


def test_moving_from_one_mode_to_another_renames_nothing(graphs):
    common = {r.urn for r in graphs["ssm"].resources}
    assert common < {r.urn for r in graphs["both"].resources} == {r.urn for r in graphs["ssh"].resources}


def test_everything_is_a_child_of_the_component_and_carries_its_tags(graphs):
    graph = graphs["both"]
    own = [r for r in graph.resources if r.custom and not r.type.startswith("pulumi:")]
    assert {r.parent for r in own} == {graph.one("learning-platform:bastion:Bastion").urn}
    tagged = [r.inputs["tags"] for r in own if "tags" in r.inputs]
    assert {(tags["Environment"], tags["Service"], tags["RunbookRef"]) for tags in tagged} == {
        ("prod", "bastion", "000_b5883a9168e66709.txt 1")
    }
