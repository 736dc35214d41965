"""Who can reach the database, over security groups, ACLs and routes together; and whether its clients really can."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from policies.rulebook.reachability import CLIENTS_CONNECTED, REACHABILITY, Path, who_can_reach
from policies.rulebook.resource import Context, Stack

from .bags import ABSENT, UNKNOWN, UnknownValueError, not_evaluated, stack_faults
from .estate import ANYWHERE, APP, DATA, EGRESS_RULE, INGRESS_RULE, LEGACY_RULE, PUBLIC, Ref, estate, line

both_modes = pytest.mark.parametrize("preview", [False, True], ids=["known", "in a real preview"])

ROUTE = "aws:ec2/route:Route"
ACL_RULE = "aws:ec2/networkAclRule:NetworkAclRule"

#: All four locks between the internet and the database, open. Each test shuts one.
WIDE_OPEN = {
    "database": {"publiclyAccessible": True},
    "data-app": {"cidrIpv4": ANYWHERE, "referencedSecurityGroupId": ABSENT},
    "data-acl": {
        "ingress": [line(100, ANYWHERE, 5432)],
        "egress": [line(100, ANYWHERE, 1024, 65535)],
    },
    "data-a-in-table": {"routeTableId": Ref("public-table")},
}

THE_PATH = (
    "internet (0.0.0.0/0) -> internet gateway gateway -> subnet data-a (route table public-table) -> "
    "ACL data-acl rule 100 (allow tcp 5432 0.0.0.0/0) -> group data-group rule data-app -> database database:5432"
)


def paths(resources):
    stack = Stack(resources=tuple(resources), context=Context())
    (database,) = [resource for resource in resources if resource.name == "database"]
    return who_can_reach(stack, database)


def clients(resources):
    return {path.client for path in paths(resources)}


@both_modes
def test_the_estates_database_is_reached_by_the_machines_and_the_bastion(preview):
    resources = estate(preview=preview)
    assert clients(resources) == {"app", "bastion"}
    assert [str(path) for path in paths(resources) if path.client == "bastion"] == [
        "group bastion-group -> subnet public-a -> ACL data-acl rule 110 (allow tcp 5432 10.20.0.0/18) -> "
        f"subnet data-{zone} -> group data-group rule data-bastion -> database database:5432"
        for zone in "ab"
    ]


@both_modes
def test_the_internet_reaches_a_database_whose_locks_are_all_open(preview):
    resources = estate(WIDE_OPEN, preview=preview)
    assert (f"The internet can reach the database: {THE_PATH}.", "database") in stack_faults(REACHABILITY, *resources)
    assert "internet" in clients(resources)


@both_modes
@pytest.mark.parametrize(
    "shut",
    [
        {"database": {"publiclyAccessible": False}},
        {"database": {"publiclyAccessible": ABSENT}},
        {"data-app": {"cidrIpv4": "10.0.0.0/8"}},
        {"data-app": {"fromPort": 443, "toPort": 443, "cidrIpv4": ANYWHERE}},
        {"data-app": {"ipProtocol": "udp", "cidrIpv4": ANYWHERE}},
        {"data-acl": {**WIDE_OPEN["data-acl"], "ingress": [line(100, "10.0.0.0/8", 5432)]}},
        {"data-acl": {**WIDE_OPEN["data-acl"], "ingress": []}},
        {
            "data-acl": {
                **WIDE_OPEN["data-acl"],
                "ingress": [line(90, ANYWHERE, 5432, action="deny"), line(100, ANYWHERE, 5432)],
            }
        },
        # Requests come in, but no reply gets out.
        {"data-acl": {**WIDE_OPEN["data-acl"], "egress": [line(100, "10.0.0.0/8", 1024, 65535)]}},
        # One half of the world may come in, only the other half is answered.
        {
            "data-acl": {
                "ingress": [line(100, "0.0.0.0/1", 5432)],
                "egress": [line(100, "128.0.0.0/1", 1024, 65535)],
            }
        },
        {"data-a-in-table": {"routeTableId": Ref("data-table")}},
        {"public-out": {"gatewayId": ABSENT, "natGatewayId": Ref("nat")}},
        {"public-out": {"destinationCidrBlock": "10.0.0.0/8"}},
    ],
)
def test_one_lock_that_is_shut_keeps_the_internet_out(shut, preview):
    assert "internet" not in clients(estate({**WIDE_OPEN, **shut}, preview=preview))


@pytest.mark.parametrize(
    ("door", "text"),
    [
        ({"cidrIpv4": "198.51.100.0/24"}, "198.51.100.0/24"),
        ({"cidrIpv4": "0.0.0.0/1"}, "0.0.0.0/1"),
        ({"cidrIpv4": ANYWHERE, "ipProtocol": "-1"}, "0.0.0.0/0"),
        ({"cidrIpv4": ANYWHERE, "fromPort": 5000, "toPort": 6000}, "0.0.0.0/0"),
        ({"cidrIpv4": ABSENT, "prefixListId": "pl-of-others"}, "a prefix list of others"),
        ({"cidrIpv4": ABSENT, "prefixListId": Ref("offices")}, "192.0.2.0/24 of prefix list offices"),
    ],
)
def test_any_part_of_the_internet_is_the_internet(door, text):
    lists = {"offices": ("aws:ec2/managedPrefixList:ManagedPrefixList", {"entries": [{"cidr": "192.0.2.0/24"}]})}
    resources = estate({**WIDE_OPEN, "data-app": {"referencedSecurityGroupId": ABSENT, **door}}, extra=lists)
    assert {path.hops[0] for path in paths(resources) if path.client == "internet"} == {f"internet ({text})"}


def test_the_internet_comes_by_ipv6_as_well():
    resources = estate(
        {
            "database": {"publiclyAccessible": True},
            "data-app": {"cidrIpv6": "::/0"},
            "data-acl": {
                "ingress": [line(100, ABSENT, 5432, ipv6CidrBlock="::/0", cidrBlock=None)],
                "egress": [line(100, ABSENT, 1024, 65535, ipv6CidrBlock="::/0", cidrBlock=None)],
            },
            "data-a-in-table": {"routeTableId": Ref("public-table")},
            "public-out": {"destinationCidrBlock": ABSENT, "destinationIpv6CidrBlock": "::/0"},
        }
    )
    assert "internet" in clients(resources)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(
            {"data-open": (LEGACY_RULE, {
                "securityGroupId": Ref("data-group"), "type": "ingress", "protocol": "6", "fromPort": 5432,
                "toPort": 5432, "cidrBlocks": [ANYWHERE]})},
            id="older resource",
        ),
        pytest.param(
            {"data-open": (INGRESS_RULE, {
                "securityGroupId": Ref("data-group"), "ipProtocol": "-1", "cidrIpv4": ANYWHERE})},
            id="newer resource",
        ),
    ],
)  # fmt: skip
@both_modes
def test_every_way_of_writing_the_door_is_seen(rule, preview):
    changes = {**WIDE_OPEN, "data-app": {}}
    assert "internet" not in clients(estate(changes, preview=preview))
    assert "internet" in clients(estate(changes, extra=rule, preview=preview))


def test_an_inline_door_is_seen():
    door = {"protocol": "tcp", "fromPort": 5432, "toPort": 5432, "cidrBlocks": [ANYWHERE]}
    resources = estate({**WIDE_OPEN, "data-app": {}, "data-group": {"ingress": [door]}})
    assert "group data-group rule data-group ingress[0]" in {hop for path in paths(resources) for hop in path.hops}


@both_modes
def test_acl_lines_of_their_own_and_associations_are_seen(preview):
    def own(number, egress, first, last):
        return ACL_RULE, {
            "networkAclId": Ref("spare"),
            "ruleNumber": number,
            "ruleAction": "allow",
            "protocol": "-1" if egress else "tcp",
            "egress": egress,
            "fromPort": first,
            "toPort": last,
            "cidrBlock": ANYWHERE,
        }

    extra = {
        "spare": ("aws:ec2/networkAcl:NetworkAcl", {"vpcId": Ref("main")}),
        "spare-in": own(100, False, 5432, 5432),
        "spare-out": own(100, True, 0, 0),
        "a-in-spare": (
            "aws:ec2/networkAclAssociation:NetworkAclAssociation",
            {"subnetId": Ref("data-a"), "networkAclId": Ref("spare")},
        ),
    }
    changes = {**WIDE_OPEN, "data-acl": {"subnetIds": [Ref("data-b")]}}
    resources = estate(changes, extra=extra, preview=preview)
    assert "ACL spare rule 100 (allow tcp 5432 0.0.0.0/0)" in {hop for path in paths(resources) for hop in path.hops}


def test_a_subnet_in_no_acl_is_filtered_by_nothing():
    changes = {**WIDE_OPEN}
    del changes["data-acl"]
    assert "internet" not in clients(estate(changes))
    assert "internet" in clients(estate(changes, without=["data-acl"]))


def test_an_adopted_default_acl_filters_what_is_in_no_other():
    changes = {**WIDE_OPEN}
    del changes["data-acl"]
    adopted = {"defaultNetworkAclId": Ref("main", "defaultNetworkAclId")}
    extra = {"adopted": ("aws:ec2/defaultNetworkAcl:DefaultNetworkAcl", adopted)}
    assert "internet" not in clients(estate(changes, without=["data-acl"], extra=extra))


@both_modes
def test_a_client_that_is_open_to_the_world_is_a_stepping_stone(preview):
    changed = estate({"bastion-ssh": {"cidrIpv4": ANYWHERE}}, preview=preview)
    hops = "internet (0.0.0.0/0) -> group bastion-group rule bastion-ssh -> database database:5432"
    assert stack_faults(REACHABILITY, *changed) == [
        (f"A client of the database is open to the world (tcp 22): {hops}.", "bastion-ssh")
    ]


def test_an_open_group_that_cannot_reach_the_database_is_none():
    opened = {"bastion-ssh": {"cidrIpv4": ANYWHERE}}
    assert stack_faults(REACHABILITY, *estate(opened, without=["data-bastion"])) == []
    assert stack_faults(REACHABILITY, *estate(opened, without=["bastion-database"])) == []
    assert stack_faults(REACHABILITY, *estate(opened, without=["bastion"])) == []


def test_the_edge_is_no_client_unless_it_is_admitted():
    assert stack_faults(REACHABILITY, *estate()) == []
    door = {"securityGroupId": Ref("data-group"), "ipProtocol": "-1", "referencedSecurityGroupId": Ref("edge-group")}
    out = {"securityGroupId": Ref("edge-group"), "ipProtocol": "-1", "cidrIpv4": DATA}
    extra = {"data-edge": (INGRESS_RULE, door), "edge-data": (EGRESS_RULE, out)}
    assert {name for _, name in stack_faults(REACHABILITY, *estate(extra=extra))} == {"edge-https", "edge-http"}


@both_modes
@pytest.mark.parametrize(
    "shut",
    [
        {"app-acl": {"egress": [line(100, ANYWHERE, 443)]}},
        {"app-acl": {"ingress": [line(100, PUBLIC, 8080)]}},
        {"data-acl": {"ingress": [line(110, PUBLIC, 5432)]}},
        {"data-acl": {"egress": [line(110, PUBLIC, 1024, 65535)]}},
        {"app-database": {"fromPort": 5433, "toPort": 5433}},
        # Requests go to one half of the database's subnets, replies come from the other only.
        {
            "app-acl": {
                "egress": [line(100, "10.20.128.0/21", 5432)],
                "ingress": [line(100, "10.20.136.0/21", 1024, 65535)],
            }
        },
    ],
)
def test_a_lock_on_a_clients_side_keeps_it_out(shut, preview):
    changes = {"places": {"subnetIds": [Ref("data-a")]}, **shut}
    assert clients(estate(changes, preview=preview)) == {"bastion"}


OTHER_VPC = {
    "other": ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.20.0.0/16"}),
    "other-a": ("aws:ec2/subnet:Subnet", {"vpcId": Ref("other"), "cidrBlock": "10.20.64.0/20"}),
}


@both_modes
def test_the_same_addresses_in_another_vpc_are_no_clients(preview):
    admitted = {"data-app": {"cidrIpv4": "10.20.64.0/20", "referencedSecurityGroupId": ABSENT}}
    assert clients(estate(admitted, extra=OTHER_VPC, preview=preview)) == {"bastion", "subnet app-a"}
    moved = {"machines": {"vpcZoneIdentifiers": [Ref("other-a")]}}
    assert clients(estate(moved, extra=OTHER_VPC, preview=preview)) == {"bastion"}


def test_an_admitted_range_admits_the_subnets_in_it():
    changed = estate({"data-app": {"cidrIpv4": "10.20.64.0/20", "referencedSecurityGroupId": ABSENT}})
    assert clients(changed) == {"bastion", "subnet app-a"}


def test_a_group_that_names_itself_is_its_own_client_where_something_else_has_it():
    door = {"data-self": (LEGACY_RULE, {
        "securityGroupId": Ref("data-group"), "type": "ingress", "protocol": "-1", "self": True})}  # fmt: skip
    out = {"data-out": (LEGACY_RULE, {
        "securityGroupId": Ref("data-group"), "type": "egress", "protocol": "-1", "self": True})}  # fmt: skip
    assert "data" not in clients(estate(extra=door | out))
    inside = {"helper": ("aws:ec2/instance:Instance", {
        "vpcSecurityGroupIds": [Ref("data-group")], "subnetId": Ref("data-a")})}  # fmt: skip
    assert "data" in clients(estate(extra=door | out | inside))


@pytest.mark.parametrize(
    ("token", "props"),
    [
        ("aws:lambda/function:Function", {
            "vpcConfig": {"subnetIds": [Ref("app-a")], "securityGroupIds": [Ref("app-group")]}}),
        ("aws:ecs/service:Service", {
            "networkConfiguration": {"subnets": [Ref("app-a")], "securityGroups": [Ref("app-group")]}}),
        ("aws:ec2/networkInterface:NetworkInterface", {
            "subnetId": Ref("app-a"), "securityGroups": [Ref("app-group")]}),
    ],
)  # fmt: skip
@both_modes
def test_whatever_has_the_group_is_a_client(token, props, preview):
    without = ["machines"]
    assert clients(estate(without=without, preview=preview)) == {"bastion"}
    resources = estate(without=without, extra={"x": (token, props)}, preview=preview)
    assert clients(resources) == {"app", "bastion"}


@pytest.mark.parametrize(
    ("tags", "label"), [({"Tier": "app"}, "app"), ({"Role": "worker"}, "worker"), (ABSENT, "app-group")]
)
def test_a_client_is_called_by_its_tier_its_role_or_its_name(tags, label):
    assert clients(estate({"app-group": {"tags": tags}})) == {label, "bastion"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"dbSubnetGroupName": ABSENT},
            "The database is in no subnet group of this stack, so who can reach it cannot be known.",
        ),
        (
            {"vpcSecurityGroupIds": [Ref("data-group"), "sg-of-others"]},
            "Security group sg-of-others is not declared here, so whom it admits cannot be known.",
        ),
    ],
)
def test_what_cannot_be_proved_is_a_finding(change, sentence):
    assert stack_faults(REACHABILITY, *estate({"database": change})) == [(sentence, "database")]


def test_a_replica_stands_where_its_source_stands():
    replica = ("aws:rds/instance:Instance", {
        "replicateSourceDb": Ref("database", "identifier"), "vpcSecurityGroupIds": [Ref("data-group")]})  # fmt: skip
    resources = estate(extra={"replica": replica})
    assert stack_faults(REACHABILITY, *resources) == []
    stack = Stack(resources=resources, context=Context())
    (database,) = [resource for resource in resources if resource.name == "replica"]
    assert {path.client for path in who_can_reach(stack, database)} == {"app", "bastion"}


@pytest.mark.parametrize(
    "change",
    [
        {"database": {"publiclyAccessible": UNKNOWN}},
        {"database": {"port": UNKNOWN}},
        {"data-app": {"fromPort": UNKNOWN}},
        {"data-a": {"cidrBlock": UNKNOWN}},
        {"data-acl": {"ingress": [line(100, UNKNOWN, 5432)]}},
    ],
)
@pytest.mark.parametrize("rule", [REACHABILITY, CLIENTS_CONNECTED], ids=lambda rule: rule.id)
def test_an_unknown_lock_is_not_evaluated(rule, change):
    if rule is CLIENTS_CONNECTED and "publiclyAccessible" in change.get("database", {}):
        assert stack_faults(rule, *estate(change)) == []
        return
    with pytest.raises(UnknownValueError):
        stack_faults(rule, *estate(change))


def test_an_unknown_door_does_not_hide_an_open_one():
    changed = estate({**WIDE_OPEN, "data-bastion": {"fromPort": UNKNOWN}})
    said, _ = not_evaluated(REACHABILITY, *changed)
    assert (f"The internet can reach the database: {THE_PATH}.", "database") in said


# Clients that are admitted and cannot connect

REFUSED = "Group app-group is admitted to the database but cannot connect: "


@both_modes
@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        (
            {"data-acl": {"ingress": [line(110, PUBLIC, 5432)]}},
            [f"ACL data-acl refuses inbound tcp 5432 from 10.20.{block}.0/20." for block in (64, 80)],
        ),
        (
            {"data-acl": {"egress": [line(100, APP, 32768, 65535), line(110, PUBLIC, 1024, 65535)]}},
            [
                f"ACL data-acl refuses outbound the replies (tcp 1024-65535) to 10.20.{block}.0/20."
                for block in (64, 80)
            ],
        ),
        (
            {"app-acl": {"egress": [line(100, ANYWHERE, 443)]}},
            [f"ACL app-acl refuses outbound tcp 5432 to 10.20.{block}.0/20." for block in (128, 144)],
        ),
        (
            {"app-acl": {"ingress": [line(100, PUBLIC, 8080)]}},
            [
                f"ACL app-acl refuses inbound the replies (tcp 1024-65535) from 10.20.{block}.0/20."
                for block in (128, 144)
            ],
        ),
        (
            {
                "data-acl": {
                    "ingress": [
                        line(50, "10.20.64.0/24", 5432, action="deny"),
                        line(100, APP, 5432),
                        line(110, PUBLIC, 5432),
                    ]
                }
            },
            ["ACL data-acl refuses inbound tcp 5432 from 10.20.64.0/20 by rule 50 (deny tcp 5432 10.20.64.0/24)."],
        ),
        (
            {"app-database": {"fromPort": 5433, "toPort": 5433}},
            ["none of its outbound rules covers tcp 5432 to group data-group."],
        ),
    ],
)
def test_the_lock_that_stops_a_client_is_named(changes, sentences, preview):
    said = stack_faults(CLIENTS_CONNECTED, *estate(changes, preview=preview))
    assert sorted(said) == sorted((f"{REFUSED}{sentence}", "database") for sentence in sentences)


@both_modes
def test_every_client_of_the_estate_is_connected(preview):
    assert stack_faults(CLIENTS_CONNECTED, *estate(preview=preview)) == []


@both_modes
def test_a_group_that_sends_and_is_not_admitted_is_named(preview):
    assert stack_faults(CLIENTS_CONNECTED, *estate(without=["data-app"], preview=preview)) == [
        ("Group app-group may send to port 5432 of the database, which does not admit it.", "app-database")
    ]


def test_a_group_that_an_admitted_range_may_hold_is_not_turned_away():
    changed = estate({"data-app": {"cidrIpv4": "10.20.0.0/16", "referencedSecurityGroupId": ABSENT}})
    assert stack_faults(CLIENTS_CONNECTED, *changed) == []


def test_a_reply_range_may_leave_out_remote_desktop():
    split = [line(100, APP, 1024, 3388), line(105, APP, 3390, 65535), line(110, PUBLIC, 1024, 65535)]
    assert stack_faults(CLIENTS_CONNECTED, *estate({"data-acl": {"egress": split}})) == []


def test_a_client_in_the_databases_own_subnet_passes_no_acl():
    changes = {"machines": {"vpcZoneIdentifiers": [Ref("data-a")]}, "places": {"subnetIds": [Ref("data-a")]}}
    shut = {"data-acl": {"ingress": [line(110, PUBLIC, 5432)], "egress": [line(110, PUBLIC, 1024, 65535)]}}
    assert stack_faults(CLIENTS_CONNECTED, *estate({**changes, **shut})) == []


@pytest.mark.parametrize(
    "change",
    [
        {"database": {"vpcSecurityGroupIds": ABSENT}},
        {"database": {"port": 6543}},
        {"data-app": {"ipProtocol": "udp"}, "data-bastion": {"ipProtocol": "udp"}},
    ],
)
@both_modes
def test_a_database_that_admits_nobody_is_named(change, preview):
    port = change.get("database", {}).get("port", 5432)
    assert stack_faults(CLIENTS_CONNECTED, *estate(change, preview=preview)) == [
        (f"No security group admits anyone to port {port} of the database.", "database")
    ]


def test_an_admitted_group_that_nothing_has_yet_is_no_fault():
    assert stack_faults(CLIENTS_CONNECTED, *estate(without=["machines", "template"])) == []


# Properties

OPENINGS = {
    "a door": {"data-world": (INGRESS_RULE, {
        "securityGroupId": Ref("data-group"), "ipProtocol": "-1", "cidrIpv4": ANYWHERE})},
    "a door for the edge": {"data-edge": (INGRESS_RULE, {
        "securityGroupId": Ref("data-group"), "ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432,
        "referencedSecurityGroupId": Ref("edge-group")})},
    "a way out of the edge": {"edge-out": (EGRESS_RULE, {
        "securityGroupId": Ref("edge-group"), "ipProtocol": "-1", "cidrIpv4": ANYWHERE})},
    "a route": {"data-out": (ROUTE, {
        "routeTableId": Ref("data-table"), "destinationCidrBlock": ANYWHERE, "gatewayId": Ref("gateway")})},
    **{
        f"a line of {acl} {'out' if egress else 'in'}": {
            f"{acl}-{egress}": (ACL_RULE, {
                "networkAclId": Ref(acl), "ruleNumber": 1, "ruleAction": "allow", "protocol": "-1",
                "egress": egress, "cidrBlock": ANYWHERE})
        }
        for acl in ("public-acl", "app-acl", "data-acl")
        for egress in (False, True)
    },
}  # fmt: skip


def opened(names, **options):
    extra = {name: declaration for opening in names for name, declaration in OPENINGS[opening].items()}
    return estate({"database": {"publiclyAccessible": True}}, extra=extra, **options)


def ends(found: tuple[Path, ...]):
    """Who comes from where; which line or rule lets it through may change."""
    return {(path.client, path.source) for path in found}


openings = st.sets(st.sampled_from(sorted(OPENINGS)))
# Each example builds whole networks, and a busy machine must not fail it.
unhurried = settings(deadline=None, max_examples=60)


@unhurried
@given(openings, openings)
def test_opening_anything_never_takes_a_way_away(some, more):
    assert ends(paths(opened(some))) <= ends(paths(opened(some | more)))


@unhurried
@given(openings)
def test_a_real_preview_sees_the_same_ways(some):
    assert paths(opened(some)) == paths(opened(some, preview=True))


EVERY_LOCK = {"a door", "a route", "a line of data-acl in", "a line of data-acl out"}


@unhurried
@given(openings)
@example(EVERY_LOCK)
@example(set(OPENINGS))
def test_the_internet_comes_in_exactly_where_every_lock_is_open(some):
    assert ("internet" in {path.client for path in paths(opened(some))}) == (some >= EVERY_LOCK)
