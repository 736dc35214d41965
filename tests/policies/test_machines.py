"""Security groups of machines, and the maintenance machine's shape and doors."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from policies.rulebook import machines
from policies.rulebook.compute import INSTANCE
from policies.rulebook.firewall import GROUP, INGRESS_RULE
from policies.rulebook.links import TEMPLATE
from policies.rulebook.resource import Context
from policies.rulebook.rule import Level, Severity

from .bags import ABSENT, UNKNOWN, not_evaluated, resource, stack_faults
from .declared import Ref, declared

RULES = {rule.id: rule for rule in machines.RULES}
ADMINS = Context(admin_cidrs=(IPv4Network("198.51.100.0/28"), IPv4Network("203.0.113.0/28")))


def door(port, cidr, **more):
    return INGRESS_RULE, {
        "securityGroupId": Ref("group"),
        "ipProtocol": "tcp",
        "fromPort": port,
        "toPort": port,
        **({"cidrIpv4": cidr} if cidr else {}),
        **more,
    }


STACK = {
    "group": (GROUP, {"description": "The page"}),
    "template": (TEMPLATE, {"imageId": "resolve:ssm:/aws/service/al2023", "instanceType": "t3.nano"}),
    "machine": (
        INSTANCE,
        {
            "launchTemplate": {"id": Ref("template")},
            "vpcSecurityGroupIds": [Ref("group")],
            "tags": {"Role": "maintenance"},
        },
    ),
    "http": door(80, "0.0.0.0/0"),
    "https": door(443, "0.0.0.0/0"),
    "ssh-a": door(22, "198.51.100.0/28"),
    "ssh-b": door(22, "203.0.113.0/28"),
}


def said(rule, *changes, stack=STACK, **options):
    return stack_faults(RULES[rule], *declared(stack, *changes, **options), context=ADMINS)


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in machines.RULES] == [
        ("ec2-has-security-group", Severity.HIGH, Level.MANDATORY),
        ("maint-instance-shape", Severity.LOW, Level.ADVISORY),
        ("maint-ingress-exact", Severity.HIGH, Level.MANDATORY),
    ]


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("rule", sorted(RULES))
def test_the_run_book_s_machine_passes(rule, preview):
    assert said(rule, preview=preview) == []


# Groups

INSTANCE_OPEN = "The instance names no security group, so it gets its VPC's default one."
TEMPLATE_OPEN = "The launch template names no security group, so machines get the default one."


@pytest.mark.parametrize(
    ("token", "bag", "expected"),
    [
        (INSTANCE, {"vpcSecurityGroupIds": ["sg-1"]}, []),
        (INSTANCE, {"vpcSecurityGroupIds": [UNKNOWN]}, []),
        (INSTANCE, {"primaryNetworkInterface": {"networkInterfaceId": "eni-1"}}, []),
        (INSTANCE, {"vpcSecurityGroupIds": []}, [INSTANCE_OPEN]),
        (INSTANCE, {}, [INSTANCE_OPEN]),
        (TEMPLATE, {"vpcSecurityGroupIds": ["sg-1"]}, []),
        (TEMPLATE, {"networkInterfaces": [{"securityGroups": ["sg-1"]}]}, []),
        (TEMPLATE, {"networkInterfaces": [{"networkInterfaceId": "eni-1"}]}, []),
        (TEMPLATE, {"networkInterfaces": [{"securityGroups": ["sg-1"]}, {"deviceIndex": 1}]}, [TEMPLATE_OPEN]),
        (TEMPLATE, {}, [TEMPLATE_OPEN]),
    ],
)
def test_a_machine_without_a_group_is_named(token, bag, expected):
    found = stack_faults(RULES["ec2-has-security-group"], *declared({"it": (token, bag)}))
    assert found == [(sentence, "it") for sentence in expected]


def test_an_instance_may_have_its_template_s_groups():
    stack = {
        "template": (TEMPLATE, {"vpcSecurityGroupIds": ["sg-1"]}),
        "machine": (INSTANCE, {"launchTemplate": {"id": Ref("template")}}),
    }
    assert said("ec2-has-security-group", stack=stack) == []
    assert said("ec2-has-security-group", ("template", ("vpcSecurityGroupIds",), ABSENT), stack=stack) == [
        (INSTANCE_OPEN, "machine")
    ]


def test_unknown_groups_are_no_pass():
    judged = declared({"it": (TEMPLATE, {"networkInterfaces": UNKNOWN})})
    assert not_evaluated(RULES["ec2-has-security-group"], *judged)[0] == []


# Shape


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("template", ("instanceType",), "t3.large"),
         ["The maintenance machine is a t3.large; a t3.nano is good enough."]),
        (("template", ("instanceType",), ABSENT),
         ["The maintenance machine is of no named class; a t3.nano is good enough."]),
        (("machine", ("instanceType",), "t3.micro"),
         ["The maintenance machine is a t3.micro; a t3.nano is good enough."]),
        (("template", ("imageId",), "ami-1"),
         ["The maintenance machine's image is ami-1; Amazon Linux 2023 is demanded."]),
        (("template", ("imageId",), ABSENT),
         ["The maintenance machine's image is unset; Amazon Linux 2023 is demanded."]),
        (("machine", ("ami",), "ami-of-al2023-when-made"), []),
        (("machine", ("tags", "Role"), "bastion"), []),
    ],
)  # fmt: skip
def test_a_machine_of_another_shape_is_named(change, expected):
    assert said("maint-instance-shape", change) == [(sentence, "machine") for sentence in expected]


def test_an_unknown_image_is_no_pass():
    judged = declared(STACK, ("template", ("imageId",), UNKNOWN))
    assert not_evaluated(RULES["maint-instance-shape"], *judged)[0] == []


# Doors


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("http", "Visitors do not reach port 80 of the maintenance machine."),
        ("https", "Visitors do not reach port 443 of the maintenance machine."),
        ("ssh-a", "Administrators in 198.51.100.0/28 do not reach port 22 of the maintenance machine."),
        ("ssh-b", "Administrators in 203.0.113.0/28 do not reach port 22 of the maintenance machine."),
    ],
)
@pytest.mark.parametrize("preview", [False, True])
def test_a_door_that_is_gone_is_missed(gone, sentence, preview):
    assert said("maint-ingress-exact", without=[gone], preview=preview) == [(sentence, "machine")]


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (door(8080, "0.0.0.0/0"), "0.0.0.0/0 in by tcp 8080"),
        (door(22, "192.0.2.0/24"), "192.0.2.0/24 in by tcp 22"),
        (door(20, "198.51.100.0/28", toPort=22), "198.51.100.0/28 in by tcp 20-22"),
        (door(0, "198.51.100.0/28", ipProtocol="-1"), "198.51.100.0/28 in by all traffic"),
        (door(443, None, referencedSecurityGroupId="sg-1"), "a group or a prefix list in by tcp 443"),
        (door(8080, None, referencedSecurityGroupId="sg-1"), "a group or a prefix list in by tcp 8080"),
    ],
)
def test_a_door_too_many_is_named(more, what):
    assert said("maint-ingress-exact", extra={"more": more}) == [(f"The maintenance machine lets {what}.", "more")]


@pytest.mark.parametrize("more", [door(443, None, cidrIpv6="::/0"), door(80, "192.0.2.0/24")])
def test_all_visitors_are_visitors(more):
    assert said("maint-ingress-exact", extra={"more": more}) == []


def test_where_no_administrator_is_known_nobody_is_one():
    judged = declared(STACK, without=["ssh-b"])
    assert stack_faults(RULES["maint-ingress-exact"], *judged) == [
        ("The maintenance machine lets 198.51.100.0/28 in by tcp 22.", "ssh-a")
    ]


def test_a_machine_without_a_group_has_no_doors_that_anyone_knows():
    assert said("maint-ingress-exact", ("machine", ("vpcSecurityGroupIds",), ABSENT)) == [
        ("The maintenance machine has no security group of the stack.", "machine")
    ]


def test_another_machine_has_other_doors():
    assert said("maint-ingress-exact", ("machine", ("tags", "Role"), "bastion"), without=["http"]) == []


def test_an_unknown_port_is_no_pass():
    judged = declared(STACK, ("http", ("fromPort",), UNKNOWN))
    assert not_evaluated(RULES["maint-ingress-exact"], *judged, context=ADMINS)[0] == []


BALANCER = "aws:lb/loadBalancer:LoadBalancer"


@pytest.mark.parametrize(
    ("props", "said"),
    [
        ({}, "The load balancer names no security group, so it gets its VPC's default one."),
        ({"securityGroups": []}, "The load balancer names no security group, so it gets its VPC's default one."),
        ({"loadBalancerType": "network"}, "The load balancer names no security group, so it lets everybody in."),
        ({"loadBalancerType": "gateway"}, None),
        ({"securityGroups": ["sg-1"]}, None),
    ],
)
def test_a_load_balancer_names_its_groups(props, said):
    found = stack_faults(machines.HAS_GROUP, resource(BALANCER, "it", props))
    assert found == ([(said, "it")] if said else [])


def test_a_load_balancer_of_unknown_groups_is_not_judged():
    assert not_evaluated(machines.HAS_GROUP, resource(BALANCER, "it", {"securityGroups": UNKNOWN}))[0] == []
