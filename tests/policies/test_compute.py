"""The rules for machines and Auto Scaling groups: one change of a compliant bag breaks one rule, in one sentence."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from policies.rulebook import compute
from policies.rulebook.resource import SECRET, Context
from policies.rulebook.rule import Level, ResourceRule, Severity

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

INSTANCE = "aws:ec2/instance:Instance"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
VOLUME = "aws:ebs/volume:Volume"
GROUP = "aws:autoscaling/group:Group"
CONFIGURATION = "aws:ec2/launchConfiguration:LaunchConfiguration"
DEFAULT_ENCRYPTION = "aws:ebs/encryptionByDefault:EncryptionByDefault"

BAGS = {
    INSTANCE: {
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
        "rootBlockDevice": {"encrypted": True},
        "ebsBlockDevices": [{"deviceName": "/dev/sdf", "encrypted": True}],
        "associatePublicIpAddress": False,
        "iamInstanceProfile": "app",
        "monitoring": True,
        "userData": "#!/bin/bash\ndnf install -y nginx\n",
    },
    TEMPLATE: {
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
        "blockDeviceMappings": [
            {"deviceName": "/dev/xvda", "ebs": {"encrypted": "true"}},
            {"deviceName": "/dev/sdf", "ebs": {"encrypted": "true"}},
        ],
        "networkInterfaces": [{"associatePublicIpAddress": "false"}],
        "iamInstanceProfile": {"name": "app"},
        "monitoring": {"enabled": True},
        "userData": base64.b64encode(b"#!/bin/bash\ndnf install -y nginx\n").decode(),
    },
    VOLUME: {"encrypted": True},
    GROUP: {
        "minSize": 1,
        "maxSize": 2,
        "launchTemplate": {"id": "lt-1"},
        "targetGroupArns": ["arn:aws:elasticloadbalancing:…"],
        "healthCheckType": "ELB",
    },
}

#: type, path, value, rule that breaks, what it says
CHANGES = [
    (INSTANCE, ("metadataOptions",), ABSENT, {
        "ec2-imdsv2": "The instance's metadata service takes requests without a token: httpTokens is unset.",
        "ec2-imds-hop-limit": "The instance sets no hop limit for metadata, so the image does, to 2; 1 is demanded.",
    }),
    (INSTANCE, ("metadataOptions", "httpTokens"), "optional", {
        "ec2-imdsv2": "The instance's metadata service takes requests without a token: httpTokens is optional.",
    }),
    (TEMPLATE, ("metadataOptions", "httpTokens"), ABSENT, {
        "ec2-imdsv2": "The launch template's metadata service takes requests without a token: httpTokens is unset.",
    }),
    (TEMPLATE, ("metadataOptions", "httpPutResponseHopLimit"), 2, {
        "ec2-imds-hop-limit": "The launch template lets metadata travel 2 hops; 1 is demanded.",
    }),
    (INSTANCE, ("metadataOptions", "httpPutResponseHopLimit"), "odd", {
        "ec2-imds-hop-limit": "The instance lets metadata travel odd hops; 1 is demanded.",
    }),
    (INSTANCE, ("rootBlockDevice",), ABSENT, {"ec2-ebs-encrypted": "The instance's root volume is not encrypted."}),
    (INSTANCE, ("rootBlockDevice", "encrypted"), False, {
        "ec2-ebs-encrypted": "The instance's root volume is not encrypted.",
    }),
    (INSTANCE, ("ebsBlockDevices", 0, "encrypted"), ABSENT, {
        "ec2-ebs-encrypted": "The instance's volume /dev/sdf is not encrypted.",
    }),
    (TEMPLATE, ("blockDeviceMappings", 0, "ebs", "encrypted"), "false", {
        "ec2-ebs-encrypted": "The launch template's volume /dev/xvda is not encrypted.",
    }),
    (TEMPLATE, ("blockDeviceMappings", 1, "ebs"), ABSENT, {
        "ec2-ebs-encrypted": "The launch template's volume /dev/sdf is not encrypted.",
    }),
    (TEMPLATE, ("blockDeviceMappings",), ABSENT, {
        "ec2-ebs-encrypted": "The launch template maps no root volume (/dev/xvda or /dev/sda1), so the image decides "
        "whether it is encrypted.",
    }),
    (TEMPLATE, ("blockDeviceMappings", 0, "deviceName"), "/dev/sdb", {
        "ec2-ebs-encrypted": "The launch template maps no root volume (/dev/xvda or /dev/sda1), so the image decides "
        "whether it is encrypted.",
    }),
    (VOLUME, ("encrypted",), ABSENT, {"ec2-ebs-encrypted": "The volume is not encrypted."}),
    (VOLUME, ("encrypted",), False, {"ec2-ebs-encrypted": "The volume is not encrypted."}),
    (INSTANCE, ("associatePublicIpAddress",), True, {"ec2-no-public-ip": "The instance gets a public address."}),
    (INSTANCE, ("associatePublicIpAddress",), ABSENT, {
        "ec2-no-public-ip": "The instance leaves it to the subnet whether it gets a public address.",
    }),
    (TEMPLATE, ("networkInterfaces", 0, "associatePublicIpAddress"), "true", {
        "ec2-no-public-ip": "The launch template gets a public address.",
    }),
    (TEMPLATE, ("networkInterfaces", 0, "associatePublicIpAddress"), ABSENT, {
        "ec2-no-public-ip": "The launch template leaves it to the subnet whether it gets a public address.",
    }),
    (TEMPLATE, ("networkInterfaces",), ABSENT, {
        "ec2-no-public-ip": "The launch template leaves it to the subnet whether it gets a public address.",
    }),
    (INSTANCE, ("iamInstanceProfile",), ABSENT, {"ec2-instance-profile": "The instance has no instance profile."}),
    (TEMPLATE, ("iamInstanceProfile",), ABSENT, {
        "ec2-instance-profile": "The launch template has no instance profile.",
    }),
    (TEMPLATE, ("iamInstanceProfile",), {}, {"ec2-instance-profile": "The launch template has no instance profile."}),
    (INSTANCE, ("keyName",), "laptop", {
        "ec2-key-pair-scope": "The instance takes the key pair laptop but is neither bastion nor maintenance.",
    }),
    (TEMPLATE, ("keyName",), "laptop", {
        "ec2-key-pair-scope": "The launch template takes the key pair laptop but is neither bastion nor maintenance.",
    }),
    (INSTANCE, ("monitoring",), ABSENT, {
        "ec2-detailed-monitoring": "The instance reports every five minutes; every minute is demanded.",
    }),
    (TEMPLATE, ("monitoring", "enabled"), False, {
        "ec2-detailed-monitoring": "The launch template reports every five minutes; every minute is demanded.",
    }),
    (INSTANCE, ("metadataOptions", "httpEndpoint"), "disabled", {
        "ec2-instance-profile": "The instance's metadata service is off, so nothing on it can use its role.",
    }),
    (INSTANCE, ("userData",), "#!/bin/bash\nexport DB_PASSWORD=hunter2\n", {
        "ec2-no-secret-in-user-data": "The instance's user data holds a password, token or secret with its value in "
        "line 2.",
    }),
    (GROUP, ("minSize",), 0, {"asg-bounds": "The group may shrink to 0 instances; the run book demands 1."}),
    (GROUP, ("minSize",), ABSENT, {"asg-bounds": "The group's minimum size is unset; the run book demands 1."}),
    (GROUP, ("maxSize",), 3, {"asg-bounds": "The group may grow to 3 instances; the run book allows 2."}),
    (GROUP, ("maxSize",), ABSENT, {"asg-bounds": "The group's maximum size is unset; the run book allows 2."}),
    (GROUP, ("maxSize",), "many", {"asg-bounds": "The group's maximum size is many; the run book allows 2."}),
    (GROUP, ("launchTemplate",), ABSENT, {"asg-launch-template": "The group has no launch template."}),
    (GROUP, ("launchConfiguration",), "old", {
        "asg-launch-template": "The group starts its instances from a launch configuration.",
    }),
    (GROUP, ("healthCheckType",), "EC2", {
        "asg-elb-health-check": "The group is behind a load balancer but replaces instances by EC2's own status checks "
        "only; ELB is demanded.",
    }),
    (GROUP, ("healthCheckType",), ABSENT, {
        "asg-elb-health-check": "The group is behind a load balancer but replaces instances by EC2's own status checks "
        "only; ELB is demanded.",
    }),
    (GROUP, ("healthCheckType",), "EBS", {
        "asg-elb-health-check": "The group is behind a load balancer but replaces instances by EBS only; ELB is "
        "demanded.",
    }),
]  # fmt: skip

#: rule, type, a property it reads
READS = [
    ("ec2-imdsv2", INSTANCE, ("metadataOptions", "httpTokens")),
    ("ec2-imds-hop-limit", TEMPLATE, ("metadataOptions",)),
    ("ec2-ebs-encrypted", INSTANCE, ("rootBlockDevice", "encrypted")),
    ("ec2-ebs-encrypted", TEMPLATE, ("blockDeviceMappings", 1, "ebs", "encrypted")),
    ("ec2-ebs-encrypted", VOLUME, ("encrypted",)),
    ("ec2-no-public-ip", INSTANCE, ("associatePublicIpAddress",)),
    ("ec2-no-public-ip", TEMPLATE, ("networkInterfaces",)),
    ("ec2-instance-profile", INSTANCE, ("iamInstanceProfile",)),
    ("ec2-instance-profile", TEMPLATE, ("iamInstanceProfile", "name")),
    ("ec2-no-secret-in-user-data", TEMPLATE, ("userData",)),
    ("ec2-key-pair-scope", INSTANCE, ("keyName",)),
    ("ec2-detailed-monitoring", TEMPLATE, ("monitoring", "enabled")),
    ("asg-bounds", GROUP, ("maxSize",)),
    ("asg-launch-template", GROUP, ("launchTemplate",)),
    ("asg-elb-health-check", GROUP, ("healthCheckType",)),
    ("asg-elb-health-check", GROUP, ("targetGroupArns",)),
]

RULES = {rule.id: rule for rule in compute.RULES}


def broken(judged):
    """id -> sentences of every resource rule of the section that ``judged`` breaks."""
    applying = [rule for rule in compute.RULES if isinstance(rule, ResourceRule) and judged.type in rule.types]
    return {rule.id: said for rule in applying if (said := faults(rule, judged))}


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in compute.RULES] == [
        ("ec2-imdsv2", Severity.HIGH, Level.MANDATORY),
        ("ec2-imds-hop-limit", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
        ("ec2-ebs-encrypted", Severity.HIGH, Level.MANDATORY),
        ("ec2-ebs-default-encryption", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
        ("ec2-no-public-ip", Severity.HIGH, Level.MANDATORY),
        ("ec2-instance-profile", Severity.MEDIUM, Level.MANDATORY),
        ("ec2-ssm-managed", Severity.HIGH, Level.MANDATORY),
        ("ec2-no-secret-in-user-data", Severity.CRITICAL, Level.MANDATORY),
        ("ec2-key-pair-scope", Severity.MEDIUM, Level.ADVISORY),
        ("ec2-detailed-monitoring", Severity.LOW, Level.ADVISORY),
        ("asg-bounds", Severity.HIGH, Level.MANDATORY),
        ("asg-scales-on-cpu-and-memory", Severity.HIGH, Level.MANDATORY),
        ("asg-memory-metric-is-fed", Severity.HIGH, Level.MANDATORY),
        ("asg-launch-template", Severity.MEDIUM, Level.MANDATORY),
        ("asg-elb-health-check", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
    ]


@pytest.mark.parametrize("token", BAGS)
def test_a_compliant_resource_breaks_no_rule(token):
    assert broken(resource(token, "it", BAGS[token])) == {}


@pytest.mark.parametrize(("token", "path", "value", "said"), CHANGES)
def test_one_change_breaks_one_rule(token, path, value, said):
    changed = resource(token, "it", altered(BAGS[token], *path, to=value))
    assert broken(changed) == {rule: [sentence] for rule, sentence in said.items()}


@pytest.mark.parametrize(("rule", "token", "path"), READS)
def test_an_unknown_value_is_not_judged(rule, token, path):
    with pytest.raises(UnknownValueError):
        faults(RULES[rule], resource(token, "it", altered(BAGS[token], *path, to=UNKNOWN)))


def test_a_launch_configuration_is_a_fault_in_itself():
    said = ["A launch configuration is declared; AWS adds nothing to them any more."]
    assert broken(resource(CONFIGURATION, "old", {})) == {"asg-launch-template": said}


@pytest.mark.parametrize("role", ["bastion", "maintenance"])
@pytest.mark.parametrize(
    "tags", [{"tags": "own"}, {"tagSpecifications": "instance"}], ids=["own tags", "tags of its instances"]
)
def test_the_bastion_and_the_maintenance_machine_may_be_reached(role, tags):
    said = {"tags": {"Role": role}}
    if "tagSpecifications" in tags:
        volume = {"resourceType": "volume", "tags": {"Role": "data"}}
        said = {"tagSpecifications": [volume, {"resourceType": "instance", "tags": {"Role": role}}]}
    open_ = {"networkInterfaces": [{"associatePublicIpAddress": "true"}], "keyName": "laptop"}
    assert broken(resource(TEMPLATE, "it", altered(BAGS[TEMPLATE], **open_, **said))) == {}


def test_a_volume_s_tags_do_not_make_a_template_a_bastion():
    specified = {"tagSpecifications": [{"resourceType": "volume", "tags": {"Role": "bastion"}}], "keyName": "laptop"}
    assert set(broken(resource(TEMPLATE, "it", altered(BAGS[TEMPLATE], **specified)))) == {"ec2-key-pair-scope"}


@pytest.mark.parametrize("tags", [{}, {"Role": "web"}])
def test_no_other_role_may(tags):
    changed = altered(BAGS[INSTANCE], associatePublicIpAddress=True, keyName="laptop", tags=tags)
    assert set(broken(resource(INSTANCE, "it", changed))) == {"ec2-no-public-ip", "ec2-key-pair-scope"}


def test_machines_with_containers_take_a_second_hop():
    changed = altered(BAGS[INSTANCE], "metadataOptions", "httpPutResponseHopLimit", to=2, tags={"Role": "containers"})
    assert broken(resource(INSTANCE, "it", changed)) == {}


def test_an_instance_of_a_template_leaves_its_disk_to_it_but_repeats_the_rest():
    said = broken(resource(INSTANCE, "it", {"launchTemplate": {"id": "lt-1"}}))
    assert set(said) == {
        "ec2-imdsv2",
        "ec2-imds-hop-limit",
        "ec2-no-public-ip",
        "ec2-instance-profile",
        "ec2-detailed-monitoring",
    }


def test_an_instance_of_a_template_may_not_open_its_disk_again():
    changed = altered(BAGS[INSTANCE], launchTemplate={"id": "lt-1"}, rootBlockDevice={"volumeSize": 20})
    said = ["The instance's root volume is not encrypted."]
    assert broken(resource(INSTANCE, "it", changed)) == {"ec2-ebs-encrypted": said}


@pytest.mark.parametrize("mapping", [{"virtualName": "ephemeral0"}, {"noDevice": "true"}])
def test_a_device_that_is_no_ebs_volume_needs_no_encryption(mapping):
    mappings = [*BAGS[TEMPLATE]["blockDeviceMappings"], {"deviceName": "/dev/sdc", **mapping}]
    assert broken(resource(TEMPLATE, "it", altered(BAGS[TEMPLATE], blockDeviceMappings=mappings))) == {}


@pytest.mark.parametrize(
    "given", [{"networkInterfaces": [{"deviceIndex": 0}]}, {"primaryNetworkInterface": {"networkInterfaceId": "eni-1"}}]
)
def test_an_instance_that_is_given_its_interface_gets_no_address(given):
    changed = altered(BAGS[INSTANCE], **{"associatePublicIpAddress": ABSENT, **given})
    assert broken(resource(INSTANCE, "it", changed)) == {}


def test_a_template_that_is_given_its_interface_gets_no_address():
    changed = altered(BAGS[TEMPLATE], networkInterfaces=[{"networkInterfaceId": "eni-1"}])
    assert broken(resource(TEMPLATE, "it", changed)) == {}


def test_a_profile_may_be_named_by_its_arn():
    changed = altered(BAGS[TEMPLATE], iamInstanceProfile={"arn": "arn:aws:iam::123456789012:instance-profile/app"})
    assert broken(resource(TEMPLATE, "it", changed)) == {}


def test_a_group_without_a_load_balancer_needs_no_health_check_of_one():
    changed = altered(BAGS[GROUP], healthCheckType=ABSENT, targetGroupArns=ABSENT)
    assert broken(resource(GROUP, "it", changed)) == {}


def test_mixed_instances_have_a_launch_template_too():
    policy = {"launchTemplate": {"launchTemplateSpecification": {"launchTemplateId": "lt-1"}}}
    changed = altered(BAGS[GROUP], launchTemplate=ABSENT, mixedInstancesPolicy=policy)
    assert broken(resource(GROUP, "it", changed)) == {}


SCRIPT = "#!/bin/bash\n\nexport GITHUB=ghp_0123456789abcdefghijABCDEFGHIJ012345\n"


@pytest.mark.parametrize(
    "form",
    [
        lambda script: script,
        lambda script: base64.b64encode(script.encode()).decode(),
        lambda script: base64.encodebytes(script.encode()).decode(),
        lambda script: base64.b64encode(gzip.compress(script.encode())).decode(),
    ],
    ids=["plain", "base64", "base64 in lines", "gzip"],
)
@pytest.mark.parametrize("prop", ["userData", "userDataBase64"])
def test_user_data_is_read_in_every_form(form, prop):
    changed = altered(altered(BAGS[INSTANCE], userData=ABSENT), **{prop: form(SCRIPT)})
    said = ["The instance's user data holds a GitHub token in line 3."]
    assert broken(resource(INSTANCE, "it", changed)) == {"ec2-no-secret-in-user-data": said}


def test_each_secret_in_user_data_is_told_and_none_is_quoted():
    script = "#!/bin/bash\naws configure set x AKIAIOSFODNN7EXAMPLE\necho token=hunter22\n"
    said = faults(RULES["ec2-no-secret-in-user-data"], resource(TEMPLATE, "it", {"userData": script}))
    assert said == [
        "The launch template's user data holds an AWS access key in line 2.",
        "The launch template's user data holds a password, token or secret with its value in line 3.",
    ]


ENCRYPTS = RULES["ec2-ebs-default-encryption"]
TWO_REGIONS = Context(regions=("eu-west-1", "eu-central-1"))


def setting(name, **props):
    return resource(DEFAULT_ENCRYPTION, name, props)


def test_volumes_are_encrypted_by_default_in_both_regions():
    settings = setting("first"), setting("second", enabled=True, region="eu-central-1")
    assert stack_faults(ENCRYPTS, *settings, context=TWO_REGIONS) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([], ["New volumes in eu-west-1 are not encrypted by default.",
              "New volumes in eu-central-1 are not encrypted by default."]),
        ([{}], ["New volumes in eu-central-1 are not encrypted by default."]),
        ([{"region": "eu-central-1"}], ["New volumes in eu-west-1 are not encrypted by default."]),
        ([{}, {"region": "us-east-1"}], ["New volumes in eu-central-1 are not encrypted by default."]),
        ([{}, {"region": "eu-central-1", "enabled": "no"}],
         ["Encryption of new volumes by default is declared and switched off.",
          "New volumes in eu-central-1 are not encrypted by default."]),
        ([{"enabled": False}, {"region": "eu-central-1"}],
         ["Encryption of new volumes by default is declared and switched off.",
          "New volumes in eu-west-1 are not encrypted by default."]),
    ],
)  # fmt: skip
def test_a_region_without_it_is_named(settings, said):
    declared_ = [setting(f"setting-{number}", **props) for number, props in enumerate(settings)]
    assert [sentence for sentence, _ in stack_faults(ENCRYPTS, *declared_, context=TWO_REGIONS)] == said


def test_a_stack_of_unnamed_regions_still_needs_the_setting():
    assert stack_faults(ENCRYPTS) == [("New volumes are not encrypted by default: no setting declares it.", None)]
    assert stack_faults(ENCRYPTS, setting("here")) == []


def test_a_setting_that_is_not_known_yet_is_not_judged():
    with pytest.raises(UnknownValueError):
        stack_faults(ENCRYPTS, setting("here", enabled=UNKNOWN), context=TWO_REGIONS)


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions, **more):
    return {"Effect": "Allow", "Action": actions, "Resource": "*", **more}


PUT_METRICS = allow(["cloudwatch:PutMetricData"], Condition={"StringEquals": {"cloudwatch:namespace": "CWAgent"}})
AGENT_CONFIG = {
    "metrics": {
        "namespace": "CWAgent",
        "append_dimensions": {"AutoScalingGroupName": "${aws:AutoScalingGroupName}"},
        "aggregation_dimensions": [["AutoScalingGroupName"]],
        "metrics_collected": {"mem": {"measurement": ["mem_used_percent"]}},
    }
}
INSTALL = {
    "action": "aws:configurePackage",
    "name": "install",
    "inputs": {"name": "AmazonCloudWatchAgent", "action": "Install"},
}
CONFIGURE = {
    "action": "aws:runShellScript",
    "name": "configure",
    "inputs": {"runCommand": ["amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c 'ssm:{{ configuration }}'"]},
}
MANAGED_CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
AGENT_SERVER = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
TRACKING = ("targetTrackingConfiguration",)
CUSTOM = (*TRACKING, "customizedMetricSpecification")

FLEET = {
    "role": ("aws:iam/role:Role", {}),
    "core": (ATTACHMENT, {"role": Ref("role", "name"), "policyArn": MANAGED_CORE}),
    "metrics": ("aws:iam/rolePolicy:RolePolicy", {"role": Ref("role", "name"), "policy": document(PUT_METRICS)}),
    "profile": ("aws:iam/instanceProfile:InstanceProfile", {"role": Ref("role", "name")}),
    "template": (TEMPLATE, {"iamInstanceProfile": {"arn": Ref("profile", "arn")}}),
    "group": (GROUP, {"launchTemplate": {"id": Ref("template"), "version": "1"}}),
    "cpu": (
        "aws:autoscaling/policy:Policy",
        {
            "autoscalingGroupName": Ref("group", "name"),
            "policyType": "TargetTrackingScaling",
            "targetTrackingConfiguration": {
                "targetValue": 70,
                "predefinedMetricSpecification": {"predefinedMetricType": "ASGAverageCPUUtilization"},
            },
        },
    ),
    "memory": (
        "aws:autoscaling/policy:Policy",
        {
            "autoscalingGroupName": Ref("group", "name"),
            "policyType": "TargetTrackingScaling",
            "targetTrackingConfiguration": {
                "targetValue": 75,
                "customizedMetricSpecification": {
                    "namespace": "CWAgent",
                    "metricName": "mem_used_percent",
                    "statistic": "Average",
                    "metricDimensions": [{"name": "AutoScalingGroupName", "value": Ref("group", "name")}],
                },
            },
        },
    ),
    "config": ("aws:ssm/parameter:Parameter", {"insecureValue": json.dumps(AGENT_CONFIG)}),
    "document": ("aws:ssm/document:Document", {"content": json.dumps({"mainSteps": [INSTALL, CONFIGURE]})}),
    "agent": (
        "aws:ssm/association:Association",
        {
            "name": Ref("document", "name"),
            "parameters": {"configuration": Ref("config", "name")},
            "targets": [{"key": "tag:aws:autoscaling:groupName", "values": [Ref("group", "name")]}],
        },
    ),
    "bastion": (
        INSTANCE,
        {"launchTemplate": {"id": Ref("template"), "version": "1"}, "iamInstanceProfile": Ref("profile", "name")},
    ),
}

GROUP_IS = {"name": "AutoScalingGroupName", "value": Ref("group", "name")}

STACK_RULES = ("ec2-ssm-managed", "asg-scales-on-cpu-and-memory", "asg-memory-metric-is-fed")


def said_of(*changes, **options):
    """id -> (sentence, name) of the rules that read the fleet as a whole."""
    resources = declared(FLEET, *changes, **options)
    return {rule: said for rule in STACK_RULES if (said := stack_faults(RULES[rule], *resources))}


def config(*path, to):
    return ("config", ("insecureValue",), json.dumps(altered(AGENT_CONFIG, *path, to=to)))


def unscaled(sentence, name="group"):
    return {"asg-scales-on-cpu-and-memory": [(sentence, name)]}


def granted(*statements):
    return ("metrics", ("policy",), document(*statements))


def shell(command):
    return {"action": "aws:runShellScript", "name": "run", "inputs": {"runCommand": [command]}}


def steps(*inputs):
    return ("document", ("content",), json.dumps({"mainSteps": list(inputs)}))


def measured(*measurement):
    return config("metrics", "metrics_collected", "mem", "measurement", to=list(measurement))


def put_where(operator, namespace):
    return {**PUT_METRICS, "Condition": {operator: {"cloudwatch:namespace": namespace}}}


NO_CPU = unscaled("The group does not scale on CPU: no target-tracking policy follows it.")
NO_MEMORY = unscaled("The group does not scale on memory: no target-tracking policy follows it.")
NO_CHAIN = "has no profile with a role that the stack declares."
NO_ROLE = (f"Nothing may send the memory metric: the group's launch template {NO_CHAIN}", "group")
NOT_MEASURED = ("The agent's configuration does not collect mem_used_percent.", "config")
OTHERS_CORE = "arn:aws:iam::123456789012:policy/AmazonSSMManagedInstanceCore"
NO_INSTALL = ("No association installs the CloudWatch agent on the group's instances.", "group")
NO_CONFIGURATION = ("No association gives the group's CloudWatch agent a configuration.", "group")
MAY_NOT_PUT = {"asg-memory-metric-is-fed": [("The role role may not put metrics into the namespace CWAgent.", "group")]}


def unfed(*said):
    return {"asg-memory-metric-is-fed": list(said)}


def unmanaged(*names):
    nouns = {"template": "launch template", "bastion": "instance"}
    sentence = "Systems Manager cannot manage the {}: its role role lacks AmazonSSMManagedInstanceCore."
    return {"ec2-ssm-managed": [(sentence.format(nouns[name]), name) for name in names]}


@pytest.mark.parametrize("preview", [False, True])
def test_a_whole_chain_breaks_no_rule(preview):
    assert said_of(preview=preview) == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("cpu", ("policyType",), "StepScaling"), NO_CPU),
        (("cpu", ("policyType",), ABSENT), NO_CPU),
        (("cpu", ("enabled",), False), NO_CPU),
        (("cpu", (*TRACKING, "predefinedMetricSpecification"), ABSENT), NO_CPU),
        (
            ("cpu", (*TRACKING, "predefinedMetricSpecification", "predefinedMetricType"), "ALBRequestCountPerTarget"),
            NO_CPU,
        ),
        (("cpu", ("autoscalingGroupName",), "another"), NO_CPU),
        (("memory", ("enabled",), False), NO_MEMORY),
        (("memory", (*CUSTOM, "metricName"), "disk_used_percent"), NO_MEMORY),
        (("memory", (*CUSTOM, "metricDimensions", 0, "name"), "InstanceId"), NO_MEMORY),
        (("memory", (*CUSTOM, "metricDimensions", 0, "value"), "another"), NO_MEMORY),
        (("memory", (*CUSTOM, "metricDimensions"), ABSENT), NO_MEMORY),
        (("memory", (*CUSTOM, "metricDimensions"), [GROUP_IS, {"name": "device", "value": "x"}]), NO_MEMORY),
        (("memory", (*CUSTOM, "statistic"), "Minimum"), NO_MEMORY),
        (("memory", ("autoscalingGroupName",), "another"), NO_MEMORY),
        (
            ("memory", (*CUSTOM, "namespace"), "Elsewhere"),
            NO_MEMORY
            | unfed(
                ("The role role may not put metrics into the namespace Elsewhere.", "group"),
                ("The agent writes into the namespace CWAgent; the memory policy reads Elsewhere.", "config"),
            ),
        ),
        (
            ("cpu", (*TRACKING, "targetValue"), 95),
            unscaled("The CPU policy aims at 95 percent; the run book scales up above 80.", "cpu"),
        ),
        (
            ("memory", (*TRACKING, "targetValue"), ABSENT),
            unscaled("The memory policy aims at unset percent; the run book scales up above 85.", "memory"),
        ),
        (granted(allow("cloudwatch:GetMetricData")), MAY_NOT_PUT),
        (granted({**PUT_METRICS, "Effect": "Deny"}, PUT_METRICS), {}),
        (granted(allow("*"), {**allow("cloudwatch:*"), "Effect": "Deny"}), MAY_NOT_PUT),
        (("metrics", ("policy",), "no JSON"), MAY_NOT_PUT),
        (granted(put_where("StringEquals", "Other")), MAY_NOT_PUT),
        (granted(put_where("StringEquals", "CWAgent"), put_where("StringEquals", "Other")), {}),
        (granted({**put_where("StringEquals", "CWAgent"), "Effect": "Deny"}), MAY_NOT_PUT),
        (granted({**PUT_METRICS, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}), {}),
        (granted({**PUT_METRICS, "Condition": {"NumericEquals": {"cloudwatch:namespace": "1"}}}), {}),
        (granted(put_where("StringNotEquals", "CWAgent")), MAY_NOT_PUT),
        (granted(put_where("StringLike", "CW*")), {}),
        (("metrics", ("role",), "another"), MAY_NOT_PUT),
        (steps(CONFIGURE), unfed(NO_INSTALL)),
        (steps(altered(INSTALL, "inputs", "name", to="AmazonSSMAgent"), CONFIGURE), unfed(NO_INSTALL)),
        (steps(shell("dnf install -y amazon-cloudwatch-agent"), CONFIGURE), {}),
        (steps(shell("dnf install -y collectd"), CONFIGURE), unfed(NO_INSTALL)),
        (steps(shell("dnf remove -y amazon-cloudwatch-agent"), CONFIGURE), unfed(NO_INSTALL)),
        (steps(INSTALL, shell("amazon-cloudwatch-agent-ctl -a fetch-config -c file:/a.json")), unfed(NO_CONFIGURATION)),
        (steps(INSTALL, shell("collectd -c ssm:{{ configuration }}")), unfed(NO_CONFIGURATION)),
        (steps(INSTALL), unfed(NO_CONFIGURATION)),
        (steps(altered(INSTALL, "inputs", "action", to="Uninstall"), CONFIGURE), unfed(NO_INSTALL)),
        (("document", ("content",), "steps: none"), unfed(NO_INSTALL, NO_CONFIGURATION)),
        (("agent", ("targets",), [{"key": "InstanceIds", "values": ["*"]}]), unfed(NO_INSTALL, NO_CONFIGURATION)),
        (("agent", ("targets", 0, "values", 0), "another"), unfed(NO_INSTALL, NO_CONFIGURATION)),
        (("agent", ("targets", 0, "key"), "tag:Name"), unfed(NO_INSTALL, NO_CONFIGURATION)),
        (("agent", ("targets",), ABSENT), unfed(NO_INSTALL, NO_CONFIGURATION)),
        (("agent", ("parameters",), ABSENT), unfed(NO_CONFIGURATION)),
        (("agent", ("parameters", "configuration"), "/another"), unfed(NO_CONFIGURATION)),
        (
            ("config", ("insecureValue",), SECRET),
            unfed(
                ("The agent's configuration is kept as a secret, so nobody can judge it; use insecure_value.", "config")
            ),
        ),
        (("config", ("insecureValue",), "{"), unfed(("The agent's configuration collects no metrics.", "config"))),
        (
            config("metrics", "namespace", to="Other"),
            unfed(("The agent writes into the namespace Other; the memory policy reads CWAgent.", "config")),
        ),
        (config("metrics", "namespace", to=ABSENT), {}),
        (config("metrics", "metrics_collected", "mem", to=ABSENT), unfed(NOT_MEASURED)),
        (measured("mem_used"), unfed(NOT_MEASURED)),
        (measured("used_percent"), {}),
        (measured({"name": "mem_used_percent"}), {}),
        (measured({"name": "mem_used_percent", "rename": "m"}), unfed(NOT_MEASURED)),
        (
            config("metrics", "aggregation_dimensions", to=[["InstanceId"]]),
            unfed(("The agent's configuration does not sum metrics up by AutoScalingGroupName.", "config")),
        ),
        (
            config("metrics", "append_dimensions", to={"InstanceId": "${aws:InstanceId}"}),
            unfed(
                ("The agent's configuration does not add the dimension AutoScalingGroupName to its metrics.", "config")
            ),
        ),
        (("core", ("policyArn",), "arn:aws:iam::aws:policy/ReadOnlyAccess"), unmanaged("bastion", "template")),
        (("core", ("policyArn",), OTHERS_CORE), unmanaged("bastion", "template")),
        (("core", ("role",), "another"), unmanaged("bastion", "template")),
    ],
)
def test_one_change_breaks_the_chain_in_one_place(change, said):
    assert said_of(change) == said


@pytest.mark.parametrize(
    ("without", "said"),
    [
        ("cpu", NO_CPU),
        ("memory", NO_MEMORY),
        ("metrics", MAY_NOT_PUT),
        ("agent", unfed(NO_INSTALL, NO_CONFIGURATION)),
        ("config", unfed(NO_CONFIGURATION)),
        ("document", unfed(NO_INSTALL, NO_CONFIGURATION)),
        ("core", unmanaged("bastion", "template")),
        (
            "profile",
            unfed(NO_ROLE)
            | {
                "ec2-ssm-managed": [
                    (f"Systems Manager cannot manage the instance: it {NO_CHAIN}", "bastion"),
                    (f"Systems Manager cannot manage the launch template: it {NO_CHAIN}", "template"),
                ]
            },
        ),
    ],
)
def test_a_missing_link_is_named(without, said):
    assert said_of(without=[without]) == said


def test_an_instance_without_a_profile_has_its_template_s():
    assert said_of(("bastion", ("iamInstanceProfile",), ABSENT)) == {}


def test_a_profile_of_others_takes_the_place_of_the_template_s():
    assert said_of(("bastion", ("iamInstanceProfile",), "others")) == {
        "ec2-ssm-managed": [(f"Systems Manager cannot manage the instance: it {NO_CHAIN}", "bastion")]
    }


def test_an_own_policy_may_stand_in_for_the_managed_one():
    actions = ["ssm:UpdateInstanceInformation", "ssmmessages:*"]
    own = ("aws:iam/rolePolicy:RolePolicy", {"role": Ref("role", "name"), "policy": document(allow(actions))})
    assert said_of(without=["core"], extra={"own": own}) == {}
    part = ("aws:iam/rolePolicy:RolePolicy", {"role": Ref("role", "name"), "policy": document(allow(actions[:1]))})
    assert said_of(without=["core"], extra={"own": part}) == unmanaged("bastion", "template")


@pytest.mark.parametrize(
    "extra",
    [
        {"server": (ATTACHMENT, {"role": Ref("role", "name"), "policyArn": AGENT_SERVER})},
        {
            "server": (
                "aws:iam/policyAttachment:PolicyAttachment",
                {"roles": [Ref("role", "name")], "policyArn": AGENT_SERVER},
            )
        },
        {
            "own": ("aws:iam/policy:Policy", {"policy": document(PUT_METRICS)}),
            "server": (ATTACHMENT, {"role": Ref("role", "name"), "policyArn": Ref("own", "arn")}),
        },
    ],
    ids=["managed", "managed and shared", "customer's"],
)
def test_the_permission_may_come_from_an_attached_policy(extra):
    assert said_of(without=["metrics"], extra=extra) == {}
    assert said_of(without=["metrics"], extra=extra, preview=True) == {}


@pytest.mark.parametrize(
    ("prop", "value"),
    [
        ("inlinePolicies", [{"name": "metrics", "policy": document(PUT_METRICS)}]),
        ("managedPolicyArns", [AGENT_SERVER]),
    ],
)
def test_the_permission_may_stand_at_the_role(prop, value):
    assert said_of(("role", (prop,), value), without=["metrics"]) == {}


def test_aws_s_own_documents_do_as_well():
    targets = [{"key": "tag:aws:autoscaling:groupName", "values": [Ref("group", "name")]}]
    install = {"name": "AWS-ConfigureAWSPackage", "parameters": {"action": "Install", "name": "AmazonCloudWatchAgent"}}
    given = {"optionalConfigurationSource": "ssm", "optionalConfigurationLocation": Ref("config", "name")}
    configure = {"name": "AmazonCloudWatch-ManageAgent", "parameters": {"action": "configure", **given}}
    token = "aws:ssm/association:Association"
    for wrong in (
        {**install, "parameters": {"action": "Uninstall", "name": "AmazonCloudWatchAgent"}},
        {**install, "parameters": {"action": "Install", "name": "AmazonSSMAgent"}},
        {**install, "name": "AWS-RunShellScript"},
    ):
        runs = {"install": wrong, "configure": configure}
        extra = {name: (token, {**run, "targets": targets}) for name, run in runs.items()}
        assert said_of(without=["agent", "document"], extra=extra) == unfed(NO_INSTALL)
    both = {
        "install": (token, {**install, "targets": targets}),
        "configure": (token, {**configure, "targets": targets}),
    }
    assert said_of(without=["agent", "document"], extra=both) == {}
    assert said_of(without=["agent", "document"], extra={"install": both["install"]}) == unfed(NO_CONFIGURATION)
    assert said_of(without=["agent", "document"], extra={"configure": both["configure"]}) == unfed(NO_INSTALL)


@pytest.mark.parametrize(("package", "said"), [("amazon-cloudwatch-agent", {}), ("nginx", unfed(NO_INSTALL))])
def test_the_agent_may_be_installed_at_the_first_boot(package, said):
    script = base64.b64encode(f"#!/bin/bash\ndnf install -y {package}\n".encode()).decode()
    assert said_of(("template", ("userData",), script), steps(CONFIGURE)) == said


def test_the_configuration_may_be_the_parameter_s_value():
    without = ("config", ("insecureValue",), ABSENT)
    assert said_of(without, ("config", ("value",), json.dumps(AGENT_CONFIG))) == {}
    assert said_of(without) == unfed(("The agent's configuration collects no metrics.", "config"))


def test_a_policy_that_is_still_to_be_made_is_none_of_aws():
    own = {
        "own": ("aws:iam/policy:Policy", {"policy": document(allow("s3:GetObject"))}),
        "attached": (ATTACHMENT, {"role": Ref("role", "name"), "policyArn": Ref("own", "arn")}),
    }
    assert said_of(without=["core"], extra=own, preview=True) == unmanaged("bastion", "template")


def test_a_group_that_does_not_scale_on_memory_needs_no_agent():
    assert said_of(without=["memory", "agent", "config", "metrics"]) == NO_MEMORY


def test_cpu_may_be_a_metric_of_one_s_own():
    metric = {
        "namespace": "AWS/EC2",
        "metricName": "CPUUtilization",
        "statistic": "Average",
        "metricDimensions": [{"name": "AutoScalingGroupName", "value": Ref("group", "name")}],
    }
    tracking = {"targetValue": 70, "customizedMetricSpecification": metric}
    assert said_of(("cpu", TRACKING, tracking)) == {}
    for wrong in ({"namespace": "x"}, {"metricName": "x"}, {"metricDimensions": []}):
        changed = tracking | {"customizedMetricSpecification": {**metric, **wrong}}
        assert said_of(("cpu", TRACKING, changed)) == NO_CPU


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("ec2-ssm-managed", ("core", ("policyArn",), UNKNOWN)),
        ("asg-scales-on-cpu-and-memory", ("cpu", ("policyType",), UNKNOWN)),
        ("asg-memory-metric-is-fed", ("metrics", ("policy",), UNKNOWN)),
        ("asg-memory-metric-is-fed", ("document", ("content",), UNKNOWN)),
        ("asg-memory-metric-is-fed", ("config", ("insecureValue",), UNKNOWN)),
    ],
)
def test_an_unknown_link_is_not_judged(rule, change):
    said, _ = not_evaluated(RULES[rule], *declared(FLEET, change))
    assert said == []


def test_an_unknown_link_hides_no_missing_one():
    said, _ = not_evaluated(
        RULES["asg-memory-metric-is-fed"], *declared(FLEET, ("metrics", ("policy",), UNKNOWN), without=["agent"])
    )
    assert said == [NO_INSTALL, NO_CONFIGURATION]
