"""What the web tier decides."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.web import plan
from settings.instance_classes import EC2_MEMORY_GIB
from settings.naming import Labels

#: WCUs that a web ACL may use before AWS charges more for each request.
BASIC_CAPACITY = 1500

#: WCUs of a rate limit by address.
RATE_LIMIT_CAPACITY = 2

PARAMETER = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"


@pytest.mark.parametrize(("instance_class", "processor"), [("t3.small", "x86_64"), ("t4g.small", "arm64")])
def test_the_image_is_the_newest_for_the_processor_of_the_class(instance_class, processor):
    assert plan.image_reference(instance_class, None) == PARAMETER + processor


@given(st.sampled_from(sorted(EC2_MEMORY_GIB)))
def test_a_pinned_image_is_taken_whatever_the_class(instance_class):
    assert plan.image_reference(instance_class, "ami-0abc") == "ami-0abc"


@given(st.sampled_from(sorted(EC2_MEMORY_GIB)), st.none() | st.from_regex("ami-[0-9a-f]{17}", fullmatch=True))
def test_only_a_pinned_image_can_be_rolled_back(instance_class, image_id):
    assert plan.rolls_back(plan.image_reference(instance_class, image_id)) == (image_id is not None)


@given(st.floats(1, 100), st.floats(1, 100))
def test_the_group_scales_on_cpu_and_memory_each_near_its_own_target(cpu, memory):
    targets = plan.scaling_targets(cpu_percent=cpu, memory_percent=memory)
    assert {(t.purpose, t.percent, t.predefined) for t in targets} == {
        ("cpu", cpu, "ASGAverageCPUUtilization"),
        ("memory", memory, None),
    }


def test_the_agent_collects_memory_disk_and_swap_by_group():
    metrics = plan.agent_config(application_log_group="a", system_log_group="s")["metrics"]
    assert {plugin: taken["measurement"] for plugin, taken in metrics["metrics_collected"].items()} == {
        "mem": ["mem_used_percent"],
        "disk": ["used_percent"],
        "swap": ["swap_used_percent"],
    }
    assert metrics["aggregation_dimensions"] == [["AutoScalingGroupName"]]
    assert metrics["append_dimensions"] == {
        "AutoScalingGroupName": "${aws:AutoScalingGroupName}",
        "InstanceId": "${aws:InstanceId}",
    }


def test_the_disk_metric_is_of_one_file_system_so_that_the_group_does_not_mix_them():
    metrics = plan.agent_config(application_log_group="a", system_log_group="s")["metrics"]
    assert metrics["metrics_collected"]["disk"]["resources"] == ["/"]


def test_each_log_goes_to_its_own_group_and_each_instance_to_its_own_stream():
    files = plan.agent_config(application_log_group="a", system_log_group="s")["logs"]["logs_collected"]["files"]
    assert {(f["file_path"], f["log_group_name"], f["log_stream_name"]) for f in files["collect_list"]} == {
        ("/var/log/platform/application.log", "a", "{instance_id}"),
        ("/var/log/platform-system/system.log", "s", "{instance_id}"),
    }


def test_the_document_installs_the_agent_before_it_configures_it():
    steps = plan.agent_document()["mainSteps"]
    assert [(step["action"], step["inputs"].get("name")) for step in steps] == [
        ("aws:configurePackage", "AmazonCloudWatchAgent"),
        ("aws:runShellScript", None),
    ]


@given(
    project=st.from_regex("[a-z][a-z0-9-]{0,20}", fullmatch=True),
    environment=st.sampled_from(["dev", "staging", "prod"]),
    name=st.from_regex("[a-z][a-z0-9-]{0,10}", fullmatch=True),
)
def test_the_document_takes_the_name_of_every_parameter_a_stack_may_write(project, environment, name):
    labels = Labels(project=project, environment=environment, owner="o", cost_center="c")
    pattern = plan.agent_document()["parameters"]["configuration"]["allowedPattern"]
    assert re.search(pattern, labels.path(name, "cloudwatch-agent"))


@pytest.mark.parametrize("value", ["/a'; reboot; '", "/a $(reboot)", "/a\nreboot", "a", "", "/a`b`", "/a|b", "/a&b"])
def test_the_document_takes_nothing_that_a_shell_would_read(value):
    pattern = plan.agent_document()["parameters"]["configuration"]["allowedPattern"]
    assert re.search(pattern, value) is None


def test_the_firewall_asks_four_managed_groups_and_only_counts_large_bodies():
    assert {(group.name, group.counted) for group in plan.MANAGED_GROUPS} == {
        ("AWSManagedRulesAmazonIpReputationList", ()),
        ("AWSManagedRulesKnownBadInputsRuleSet", ()),
        ("AWSManagedRulesCommonRuleSet", ("SizeRestrictions_BODY",)),
        ("AWSManagedRulesSQLiRuleSet", ()),
    }


def test_no_two_rules_of_the_firewall_share_a_priority():
    priorities = [0, *(group.priority for group in plan.MANAGED_GROUPS)]
    assert len(set(priorities)) == len(priorities)


def test_the_firewall_fits_into_the_capacity_at_the_basic_price():
    assert sum(group.capacity for group in plan.MANAGED_GROUPS) + RATE_LIMIT_CAPACITY <= BASIC_CAPACITY
