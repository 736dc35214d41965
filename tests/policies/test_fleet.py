"""How machines come, where they stand and how they go: one change is one sentence."""

from __future__ import annotations

import pytest

from policies.rulebook import fleet
from policies.rulebook.fleet import METRICS
from policies.rulebook.governance import REQUIRED_TAGS
from policies.rulebook.rule import Level, ResourceRule, Severity

from .bags import ABSENT, UNKNOWN, altered, faults, not_evaluated, resource, stack_faults
from .estate import Ref, estate

RULES = {rule.id: rule for rule in fleet.RULES}
INSTANCE = "aws:ec2/instance:Instance"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
GROUP = "aws:autoscaling/group:Group"


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in fleet.RULES] == [
        ("ec2-address-fits-subnet", Severity.MEDIUM, Level.MANDATORY),
        ("ec2-template-version", Severity.MEDIUM, Level.MANDATORY),
        ("ec2-volumes-leave", Severity.LOW, Level.MANDATORY),
        ("ec2-made-tagged", Severity.MEDIUM, Level.MANDATORY),
        ("asg-replaces-the-dead", Severity.MEDIUM, Level.MANDATORY_IN_PROD),
        ("asg-reports", Severity.LOW, Level.ADVISORY),
    ]


# Where they stand

HOST = {"vpcSecurityGroupIds": [Ref("bastion-group")], "tags": {"Role": "bastion"}}


def placed(**props):
    changes = {"associatePublicIpAddress": True, **HOST, **props}
    return stack_faults(RULES["ec2-address-fits-subnet"], *estate({"bastion": changes}))


def test_a_public_address_in_a_public_subnet_fits():
    assert placed() == []
    assert placed(subnetId=Ref("app-a"), associatePublicIpAddress=False) == []


@pytest.mark.parametrize(
    ("props", "said"),
    [
        ({"subnetId": ABSENT}, "The instance stands in no subnet of the stack."),
        ({"subnetId": Ref("app-a")}, "The instance gets a public address in app-a, which is not public."),
        ({"associatePublicIpAddress": False},
         "The instance gets no public address in public-a, which has no other way out."),
        ({"associatePublicIpAddress": ABSENT},
         "The instance leaves it to the subnet whether it gets a public address."),
    ],
)  # fmt: skip
def test_an_address_that_does_not_fit_is_named(props, said):
    assert placed(**props) == [(said, "bastion")]


def test_an_interface_says_where_its_machine_stands():
    assert placed(subnetId=ABSENT, primaryNetworkInterface={"networkInterfaceId": "eni-1"}) == []


def test_others_that_leave_it_to_the_subnet_have_a_rule_of_their_own():
    assert placed(associatePublicIpAddress=ABSENT, tags={}) == []


def test_an_unknown_address_is_not_judged():
    unknown = estate({"bastion": {**HOST, "associatePublicIpAddress": UNKNOWN}})
    assert not_evaluated(RULES["ec2-address-fits-subnet"], *unknown)[0] == []


# What they start from


def following(version, prop="launchTemplate"):
    named = {"id": Ref("template"), **({} if version is ABSENT else {"version": version})}
    value = {"launchTemplate": {"launchTemplateSpecification": named}} if prop == "mixedInstancesPolicy" else named
    changes = {
        "template": {"latestVersion": 3},
        "machines": {"launchTemplate": ABSENT, "vpcZoneIdentifiers": [Ref("app-a")], prop: value},
    }
    return estate(changes)


@pytest.mark.parametrize("prop", ["launchTemplate", "mixedInstancesPolicy"])
@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("3", None),
        ("2", "It follows version 2 of template; the newest is 3."),
        (ABSENT, "It names no version of template, so a change of the template replaces nothing that runs."),
        ("$Latest",
         "It names the version $Latest of template, so a change of the template replaces nothing that runs."),
    ],
)  # fmt: skip
def test_a_group_follows_the_newest_version(prop, version, said):
    found = stack_faults(RULES["ec2-template-version"], *following(version, prop))
    assert found == ([(said, "machines")] if said else [])


def test_an_unknown_version_is_not_judged():
    assert not_evaluated(RULES["ec2-template-version"], *following(UNKNOWN))[0] == []


# Volumes and tags


@pytest.mark.parametrize(
    ("token", "props", "said"),
    [
        (TEMPLATE, {"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"deleteOnTermination": "true"}}]}, []),
        (TEMPLATE, {"blockDeviceMappings": [{"deviceName": "/dev/sdb", "noDevice": ""}]}, []),
        (TEMPLATE, {"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"encrypted": "true"}}]},
         ["The launch template's volume /dev/xvda stays when the machine goes."]),
        (TEMPLATE, {"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"deleteOnTermination": "false"}}]},
         ["The launch template's volume /dev/xvda stays when the machine goes."]),
        (INSTANCE, {"rootBlockDevice": {}, "ebsBlockDevices": [{"deviceName": "/dev/sdb"}]}, []),
        (INSTANCE, {"rootBlockDevice": {"deleteOnTermination": False}},
         ["The instance's root volume stays when the machine goes."]),
        (INSTANCE, {"ebsBlockDevices": [{"deviceName": "/dev/sdb", "deleteOnTermination": False}]},
         ["The instance's volume /dev/sdb stays when the machine goes."]),
    ],
)  # fmt: skip
def test_volumes_go_with_their_machine(token, props, said):
    assert faults(RULES["ec2-volumes-leave"], resource(token, "it", props)) == said


TAGS = dict.fromkeys(REQUIRED_TAGS, "it")
TAGGED = {
    "tags": {**TAGS, "Role": "bastion"},
    "tagSpecifications": [
        {"resourceType": kind, "tags": {**TAGS, "Role": "bastion"}}
        for kind in ("instance", "volume", "network-interface")
    ],
}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("tags", "Name"), "other", []),
        (("tagSpecifications", 1, "tags", "Backup"), ABSENT,
         ["The launch template gives each volume that it makes no tag Backup."]),
        (("tagSpecifications", 1, "tags", "Backup"), "weekly",
         ["The launch template's own Backup differs from that of each volume that it makes."]),
        (("tagSpecifications", 0, "tags", "Role"), ABSENT,
         ["The launch template's own Role differs from that of each instance that it makes."]),
        (("tagSpecifications", 2, "resourceType"), "spot-instances-request",
         ["The launch template gives each network-interface that it makes no tags Project, Environment, Owner, "
          "Service, CostCenter, Backup and RunbookRef."]),
    ],
)  # fmt: skip
def test_what_a_template_makes_is_tagged(path, value, said):
    assert faults(RULES["ec2-made-tagged"], resource(TEMPLATE, "it", altered(TAGGED, *path, to=value))) == said


def test_a_template_without_tags_for_what_it_makes_is_named_for_each():
    said = faults(RULES["ec2-made-tagged"], resource(TEMPLATE, "it", altered(TAGGED, tagSpecifications=ABSENT)))
    assert [sentence.split(" that it makes")[0] for sentence in said] == [
        f"The launch template gives each {kind}" for kind in ("instance", "volume", "network-interface")
    ]


# How they go

MACHINES = {
    "healthCheckGracePeriod": 300,
    "defaultInstanceWarmup": 300,
    "instanceMaintenancePolicy": {"minHealthyPercentage": 100, "maxHealthyPercentage": 200},
    "instanceRefresh": {"strategy": "Rolling", "preferences": {"minHealthyPercentage": 100, "autoRollback": True}},
    "enabledMetrics": list(METRICS),
}


def replaced(*path, to=ABSENT, image="ami-1"):
    changed = altered(MACHINES, *path, to=to) if path else MACHINES
    return estate({"machines": changed, "template": {"imageId": image}})


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("healthCheckGracePeriod",), ABSENT, None),
        (("healthCheckGracePeriod",), 901,
         "The group lets a dead machine be for 901 seconds; 900 are the most."),
        (("healthCheckGracePeriod",), 150,
         "The group judges a machine after 150 seconds, which is ready after 300: it replaces one after the other."),
        (("suspendedProcesses",), ["AZRebalance", "ReplaceUnhealthy", "Launch"],
         "The group has suspended Launch and ReplaceUnhealthy."),
        (("suspendedProcesses",), ["AZRebalance"], None),
        (("instanceRefresh",), ABSENT,
         "The group does not replace its machines when their template changes: it has no instance refresh."),
        (("instanceRefresh", "preferences", "autoRollback"), ABSENT,
         "The group goes on with a template by which machines do not get well: nothing rolls it back."),
        (("instanceRefresh", "preferences", "minHealthyPercentage"), 50,
         "The group falls to 50 percent while machines are replaced; 90 is the least."),
        (("instanceMaintenancePolicy", "minHealthyPercentage"), 50,
         "The group falls to 50 percent while machines are replaced; 90 is the least."),
        (("instanceMaintenancePolicy",), ABSENT, None),
    ],
)  # fmt: skip
def test_a_group_replaces_its_machines(path, value, said):
    found = stack_faults(RULES["asg-replaces-the-dead"], *replaced(*path, to=value))
    assert found == ([(said, "machines")] if said else [])


def test_an_image_that_a_parameter_names_cannot_be_gone_back_to():
    resources = replaced("instanceRefresh", "preferences", "autoRollback", image="resolve:ssm:/aws/service/it")
    assert stack_faults(RULES["asg-replaces-the-dead"], *resources) == []


def test_an_unknown_grace_is_not_judged():
    assert not_evaluated(RULES["asg-replaces-the-dead"], *replaced("healthCheckGracePeriod", to=UNKNOWN))[0] == []


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_that_is_not_reported_is_missed(metric):
    group = resource(GROUP, "it", {"enabledMetrics": [other for other in METRICS if other != metric]})
    assert faults(RULES["asg-reports"], group) == [f"The group does not report {metric}."]


def test_a_group_that_reports_all_passes_and_one_that_says_nothing_does_not():
    assert faults(RULES["asg-reports"], resource(GROUP, "it", {"enabledMetrics": list(METRICS)})) == []
    (said,) = faults(RULES["asg-reports"], resource(GROUP, "it", {}))
    assert said.startswith("The group does not report GroupMinSize, GroupMaxSize,")


@pytest.mark.parametrize(
    ("rule", "token", "props"),
    [
        ("ec2-volumes-leave", INSTANCE, {"rootBlockDevice": {"deleteOnTermination": UNKNOWN}}),
        ("ec2-made-tagged", TEMPLATE, {"tagSpecifications": UNKNOWN}),
        ("asg-reports", GROUP, {"enabledMetrics": UNKNOWN}),
    ],
)
def test_an_unknown_property_is_no_pass(rule, token, props):
    assert isinstance(RULES[rule], ResourceRule)
    assert not_evaluated(RULES[rule], resource(token, "it", props))[0] == []
