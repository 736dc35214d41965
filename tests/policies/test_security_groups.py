"""The rules for security groups: one change to a bag that is right, and the exact words for it."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from policies.rulebook.resource import Context
from policies.rulebook.security_groups import (
    DATABASE_FROM_GROUPS,
    DATABASE_STAYS_INSIDE,
    DEFAULT_GROUP_EMPTY,
    DESCRIBED,
    NO_WORLD_ADMIN,
    NO_WORLD_DATA_PORTS,
    ONE_STYLE,
    SSH_FROM_ADMINS,
    WORLD_ONLY_WEB,
)

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults
from .estate import ANYWHERE, EGRESS_RULE, INGRESS_RULE, LEGACY_RULE, Ref, estate

GROUP = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"

#: The same rule in each way of writing it, open to one range; the source is what a test changes.
SHAPES = [
    pytest.param(
        lambda first, last, cidr, protocol="tcp": resource(
            GROUP,
            "g",
            {
                "description": "A group of tests",
                "ingress": [
                    {
                        "protocol": protocol,
                        "fromPort": first,
                        "toPort": last,
                        "description": "Letting tests in",
                        ("ipv6CidrBlocks" if ":" in cidr else "cidrBlocks"): [cidr],
                    }
                ],
            },
        ),
        id="inline",
    ),
    pytest.param(
        lambda first, last, cidr, protocol="tcp": resource(
            LEGACY_RULE,
            "g",
            {
                "type": "ingress",
                "protocol": protocol,
                "fromPort": first,
                "toPort": last,
                ("ipv6CidrBlocks" if ":" in cidr else "cidrBlocks"): [cidr],
            },
        ),
        id="older resource",
    ),
    pytest.param(
        lambda first, last, cidr, protocol="tcp": resource(
            INGRESS_RULE,
            "g",
            {
                "ipProtocol": protocol,
                "fromPort": first,
                "toPort": last,
                ("cidrIpv6" if ":" in cidr else "cidrIpv4"): cidr,
            },
        ),
        id="newer resource",
    ),
    pytest.param(
        lambda first, last, cidr, protocol="tcp": resource(
            DEFAULT_GROUP,
            "g",
            {
                "ingress": [
                    {
                        "protocol": protocol,
                        "fromPort": first,
                        "toPort": last,
                        ("ipv6CidrBlocks" if ":" in cidr else "cidrBlocks"): [cidr],
                    }
                ]
            },
        ),
        id="default group",
    ),
]

RULE = {
    "securityGroupId": "sg-of-others",
    "ipProtocol": "tcp",
    "fromPort": 22,
    "toPort": 22,
    "cidrIpv4": "198.51.100.0/24",
    "description": "SSH of the administrators",
}


@pytest.mark.parametrize("open_to", SHAPES)
class TestWorldOnAdminPorts:
    @pytest.mark.parametrize(
        ("first", "last", "cidr", "sentence"),
        [
            (22, 22, "0.0.0.0/0", "Port 22 is open to 0.0.0.0/0."),
            (3389, 3389, "::/0", "Port 3389 is open to ::/0."),
            (20, 25, "0.0.0.0/0", "Port 22 is open to 0.0.0.0/0 (tcp 20-25)."),
            (0, 65535, "0.0.0.0/0", "Ports 22, 3389 are open to 0.0.0.0/0 (tcp 0-65535)."),
            ("22", "22", "64.0.0.0/2", "Port 22 is open to 64.0.0.0/2."),
        ],
    )
    def test_a_port_of_administrators_open_to_the_world_is_named(self, open_to, first, last, cidr, sentence):
        assert faults(NO_WORLD_ADMIN, open_to(first, last, cidr)) == [sentence]

    @pytest.mark.parametrize(
        ("protocol", "sentence"),
        [
            ("-1", "Every port, 22 among them, is open to 0.0.0.0/0."),
            ("all", "Every port, 22 among them, is open to 0.0.0.0/0."),
            ("udp", "Port 22 is open to 0.0.0.0/0 (udp 22)."),
            (6, "Port 22 is open to 0.0.0.0/0."),
        ],
    )
    def test_protocols_that_carry_it_count(self, open_to, protocol, sentence):
        assert faults(NO_WORLD_ADMIN, open_to(22, 22, "0.0.0.0/0", protocol)) == [sentence]

    @pytest.mark.parametrize(
        ("first", "last", "cidr", "protocol"),
        [
            (443, 443, "0.0.0.0/0", "tcp"),
            (22, 22, "198.51.100.0/24", "tcp"),
            (22, 22, "10.0.0.0/8", "tcp"),
            (22, 22, "2001:db8::/48", "tcp"),
            (23, 3388, "0.0.0.0/0", "tcp"),
            (8, 0, "0.0.0.0/0", "icmp"),
        ],
    )
    def test_anything_else_passes(self, open_to, first, last, cidr, protocol):
        assert faults(NO_WORLD_ADMIN, open_to(first, last, cidr, protocol)) == []

    def test_an_unset_port_is_every_port(self, open_to):
        sentence = "Ports 22, 3389 are open to 0.0.0.0/0 (tcp 0-65535)."
        assert faults(NO_WORLD_ADMIN, open_to(None, None, "0.0.0.0/0")) == [sentence]

    def test_an_unknown_port_is_not_evaluated(self, open_to):
        with pytest.raises(UnknownValueError):
            faults(NO_WORLD_ADMIN, open_to(UNKNOWN, 22, "0.0.0.0/0"))


def test_two_halves_of_the_world_are_the_world():
    halves = {"type": "ingress", "protocol": "tcp", "fromPort": 22, "toPort": 22}
    rule = resource(LEGACY_RULE, "g", {**halves, "cidrBlocks": ["0.0.0.0/1", "128.0.0.0/1"]})
    assert faults(NO_WORLD_ADMIN, rule) == ["Port 22 is open to 0.0.0.0/1 and 128.0.0.0/1."]


def test_an_unknown_rule_does_not_hide_its_neighbour():
    group = resource(
        GROUP,
        "g",
        {
            "ingress": [
                {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": [UNKNOWN]},
                {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": [ANYWHERE]},
            ]
        },
    )
    said, _ = not_evaluated(NO_WORLD_ADMIN, group)
    assert said == [("Port 22 is open to 0.0.0.0/0.", "g")]


def test_the_way_out_is_no_way_in():
    outbound = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": [ANYWHERE]}
    assert faults(NO_WORLD_ADMIN, resource(GROUP, "g", {"egress": [outbound]})) == []
    assert faults(NO_WORLD_ADMIN, resource(LEGACY_RULE, "g", {"type": "egress", **outbound})) == []


@pytest.mark.parametrize("open_to", SHAPES)
class TestWorldOnDataPorts:
    @pytest.mark.parametrize("port", [5432, 3306, 1433, 6379, 9200, 27017, 9090, 3000, 9100, 8080, 445])
    def test_each_data_port_open_to_the_world_is_named(self, open_to, port):
        assert faults(NO_WORLD_DATA_PORTS, open_to(port, port, "::/0")) == [f"Port {port} is open to ::/0."]

    def test_a_wide_range_names_the_ports_it_holds(self, open_to):
        sentence = "Ports 5432, 3306 are open to 0.0.0.0/0 (tcp 3100-5500)."
        assert faults(NO_WORLD_DATA_PORTS, open_to(3100, 5500, "0.0.0.0/0")) == [sentence]

    def test_all_traffic_holds_them_all(self, open_to):
        sentence = "Every port, 5432 among them, is open to 0.0.0.0/0."
        assert faults(NO_WORLD_DATA_PORTS, open_to(0, 0, "0.0.0.0/0", "-1")) == [sentence]

    @pytest.mark.parametrize(("port", "cidr"), [(443, "0.0.0.0/0"), (5432, "10.0.0.0/16"), (22, "0.0.0.0/0")])
    def test_other_ports_and_narrower_sources_pass(self, open_to, port, cidr):
        assert faults(NO_WORLD_DATA_PORTS, open_to(port, port, cidr)) == []

    def test_an_unknown_protocol_is_not_evaluated(self, open_to):
        with pytest.raises(UnknownValueError):
            faults(NO_WORLD_DATA_PORTS, open_to(5432, 5432, "0.0.0.0/0", UNKNOWN))


class TestWorldOnlyOnTheWeb:
    @pytest.mark.parametrize("preview", [False, True])
    def test_the_estate_passes(self, preview):
        assert stack_faults(WORLD_ONLY_WEB, *estate(preview=preview)) == []

    @pytest.mark.parametrize("preview", [False, True])
    @pytest.mark.parametrize(
        ("name", "change", "sentence"),
        [
            (
                "edge-https",
                {"fromPort": 8443, "toPort": 8443},
                "Port 8443 is open to 0.0.0.0/0; only ports 80 and 443 may be.",
            ),
            (
                "edge-https",
                {"fromPort": 80, "toPort": 443},
                "Port range 80-443 is open to 0.0.0.0/0; only ports 80 and 443 may be.",
            ),
            (
                "edge-https",
                {"ipProtocol": "-1"},
                "Every port is open to 0.0.0.0/0; only ports 80 and 443 may be.",
            ),
            (
                "edge-https",
                {"ipProtocol": "udp"},
                "Protocol udp 443 is open to 0.0.0.0/0; only ports 80 and 443 may be.",
            ),
            (
                "edge-https",
                {"securityGroupId": Ref("app-group")},
                "Port 443 is open to 0.0.0.0/0 in group app-group, "
                "which is tagged neither Tier=edge nor Role=maintenance.",
            ),
        ],
    )
    def test_each_change_is_named(self, preview, name, change, sentence):
        assert stack_faults(WORLD_ONLY_WEB, *estate({name: change}, preview=preview)) == [(sentence, name)]

    def test_a_group_of_others_may_not_be_open(self):
        changed = {"edge-https": {"securityGroupId": Ref("of-others")}}
        sentence = "Port 443 is open to 0.0.0.0/0 in a group that this stack does not declare."
        assert stack_faults(WORLD_ONLY_WEB, *estate(changed)) == [(sentence, "edge-https")]
        assert not_evaluated(WORLD_ONLY_WEB, *estate(changed, preview=True))[0] == []

    @pytest.mark.parametrize("tags", [{"Tier": "edge"}, {"Tier": "Edge"}, {"Role": "maintenance"}])
    def test_either_tag_makes_it_right(self, tags):
        assert stack_faults(WORLD_ONLY_WEB, *estate({"edge-group": {"tags": tags}})) == []

    @pytest.mark.parametrize("tags", [ABSENT, {}, {"Tier": "app"}])
    def test_a_group_without_the_tag_may_not_be_open(self, tags):
        why = "in group edge-group, which is tagged neither Tier=edge nor Role=maintenance"
        assert stack_faults(WORLD_ONLY_WEB, *estate({"edge-group": {"tags": tags}})) == [
            (f"Port 443 is open to 0.0.0.0/0 {why}.", "edge-https"),
            (f"Port 80 is open to 0.0.0.0/0 {why}.", "edge-http"),
        ]

    def test_inline_rules_are_judged_by_their_own_group(self):
        inline = {"protocol": "tcp", "fromPort": 443, "toPort": 443, "ipv6CidrBlocks": ["::/0"]}
        why = "which is tagged neither Tier=edge nor Role=maintenance"
        assert stack_faults(WORLD_ONLY_WEB, *estate({"app-group": {"ingress": [inline]}})) == [
            (f"Port 443 is open to ::/0 in group app-group, {why}.", "app-group")
        ]

    def test_an_unknown_tag_is_not_evaluated_and_hides_nothing(self):
        changed = estate({"edge-group": {"tags": {"Tier": UNKNOWN}}, "app-edge": {"cidrIpv4": "0.0.0.0/0"}})
        said, unknown = not_evaluated(WORLD_ONLY_WEB, *changed)
        assert [name for _, name in said] == ["app-edge", "app-edge"]
        assert unknown.urns == tuple(r.urn for r in changed if r.name in ("edge-https", "edge-http"))
        assert unknown.message == (
            "string value at .edge-https.tags.Tier can't be known during preview (nor can edge-http be judged)"
        )


class TestSshFromAdministrators:
    ADMINS = Context(admin_cidrs=(IPv4Network("198.51.100.0/24"), IPv4Network("203.0.113.0/25")))

    def judged(self, context=None, **changes):
        return faults(SSH_FROM_ADMINS, resource(INGRESS_RULE, "g", altered(RULE, **changes)), context or self.ADMINS)

    @pytest.mark.parametrize("cidr", ["198.51.100.0/24", "198.51.100.7/32", "203.0.113.0/26"])
    def test_the_administrators_ranges_pass(self, cidr):
        assert self.judged(cidrIpv4=cidr) == []

    @pytest.mark.parametrize("cidr", ["192.0.2.0/24", "203.0.113.0/24", "10.0.0.0/24"])
    def test_any_other_range_is_named_with_the_right_ones(self, cidr):
        right = "198.51.100.0/24 and 203.0.113.0/25"
        assert self.judged(cidrIpv4=cidr) == [
            f"Port 22 is open to {cidr}, which is outside the administrators' ranges ({right})."
        ]

    @pytest.mark.parametrize("cidr", ["198.51.100.0/23", "10.0.0.0/16", "0.0.0.0/0"])
    def test_a_range_wider_than_24_is_named_for_its_width(self, cidr):
        wide = IPv4Network(cidr, strict=False)
        assert self.judged(cidrIpv4=cidr) == [f"Port 22 is open to {wide}, which is wider than /24."]

    def test_without_administrators_only_the_width_is_judged(self):
        assert self.judged(Context(), cidrIpv4="192.0.2.0/24") == []
        assert self.judged(Context(), cidrIpv4="192.0.0.0/16") == [
            "Port 22 is open to 192.0.0.0/16, which is wider than /24."
        ]

    def test_ipv6_is_no_range_of_theirs(self):
        assert self.judged(cidrIpv4=None, cidrIpv6="2001:db8::/64") == [
            "Port 22 is open to 2001:db8::/64, which is outside the administrators' ranges "
            "(198.51.100.0/24 and 203.0.113.0/25)."
        ]
        assert self.judged(Context(), cidrIpv4=None, cidrIpv6="2001:db8::/32") == [
            "Port 22 is open to 2001:db8::/32, which is wider than /48."
        ]

    def test_a_prefix_list_cannot_be_compared(self):
        assert self.judged(cidrIpv4=None, prefixListId="pl-1") == [
            "Port 22 is open to a prefix list; name the administrators' ranges instead."
        ]

    def test_a_group_as_the_source_is_no_range(self):
        assert self.judged(cidrIpv4=None, referencedSecurityGroupId=UNKNOWN) == []

    def test_all_traffic_holds_port_22(self):
        assert self.judged(ipProtocol="-1", cidrIpv4="10.0.0.0/16") == [
            "Port 22 is open to 10.0.0.0/16, which is wider than /24."
        ]

    @pytest.mark.parametrize("change", [{"fromPort": 443, "toPort": 443}, {"ipProtocol": "udp"}])
    def test_other_traffic_is_not_judged(self, change):
        assert self.judged(cidrIpv4="10.0.0.0/8", **change) == []

    def test_an_unset_port_is_every_port(self):
        assert self.judged(cidrIpv4="10.0.0.0/16", fromPort=ABSENT, toPort=ABSENT) == [
            "Port 22 is open to 10.0.0.0/16, which is wider than /24."
        ]

    def test_an_unknown_range_is_not_evaluated(self):
        with pytest.raises(UnknownValueError):
            self.judged(cidrIpv4=UNKNOWN)


class TestDatabaseAdmitsGroups:
    @pytest.mark.parametrize("preview", [False, True])
    @pytest.mark.parametrize(
        "change",
        [
            {"cidrIpv4": "10.20.64.0/18"},
            {"cidrIpv4": "10.20.64.0/18", "ipProtocol": "-1"},
            {"cidrIpv4": "10.20.64.0/18", "fromPort": 5000, "toPort": 6000},
        ],
    )
    def test_a_range_on_the_databases_port_is_named(self, preview, change):
        changed = estate({"data-app": {"referencedSecurityGroupId": ABSENT, **change}}, preview=preview)
        sentence = "Database port 5432 admits 10.20.64.0/18; name a security group instead."
        assert stack_faults(DATABASE_FROM_GROUPS, *changed) == [(sentence, "data-app")]

    @pytest.mark.parametrize("preview", [False, True])
    def test_the_port_is_the_databases_own(self, preview):
        changed = estate(
            {"database": {"port": 6543}, "data-app": {"cidrIpv4": "10.0.0.0/8", "fromPort": 6543, "toPort": 6543}},
            preview=preview,
        )
        sentence = "Database port 6543 admits 10.0.0.0/8; name a security group instead."
        assert stack_faults(DATABASE_FROM_GROUPS, *changed) == [(sentence, "data-app")]

    @pytest.mark.parametrize(
        ("engine", "port"), [("mysql", 3306), ("oracle-ee", 1521), ("sqlserver-web", 1433), (ABSENT, 5432)]
    )
    def test_an_unset_port_is_that_of_the_engine(self, engine, port):
        change = {"cidrIpv4": "10.0.0.0/8", "fromPort": port, "toPort": port}
        changed = estate({"database": {"port": ABSENT, "engine": engine}, "data-app": change})
        sentence = f"Database port {port} admits 10.0.0.0/8; name a security group instead."
        assert stack_faults(DATABASE_FROM_GROUPS, *changed) == [(sentence, "data-app")]

    def test_a_prefix_list_is_an_address_range_too(self):
        lists = {"offices": ("aws:ec2/managedPrefixList:ManagedPrefixList", {"entries": [{"cidr": "192.0.2.0/24"}]})}
        changed = estate({"data-app": {"prefixListId": Ref("offices")}}, extra=lists)
        assert stack_faults(DATABASE_FROM_GROUPS, *changed) == [
            (
                "Database port 5432 admits 192.0.2.0/24 of prefix list offices; name a security group instead.",
                "data-app",
            )
        ]
        assert stack_faults(DATABASE_FROM_GROUPS, *estate({"data-app": {"prefixListId": "pl-1"}})) == [
            ("Database port 5432 admits a prefix list of others; name a security group instead.", "data-app")
        ]

    def test_a_group_of_the_data_tier_is_held_to_it_before_a_database_has_it(self):
        changed = estate({"data-app": {"cidrIpv4": "10.0.0.0/8"}}, without=["database"])
        sentence = "Database port 5432 admits 10.0.0.0/8; name a security group instead."
        assert stack_faults(DATABASE_FROM_GROUPS, *changed) == [(sentence, "data-app")]

    def test_a_group_is_the_databases_by_use_as_well_as_by_tag(self):
        changed = estate({"data-app": {"cidrIpv4": "10.0.0.0/8"}, "data-group": {"tags": ABSENT}})
        assert [name for _, name in stack_faults(DATABASE_FROM_GROUPS, *changed)] == ["data-app"]

    def test_ranges_on_other_ports_and_other_groups_pass(self):
        changed = estate({"data-app": {"cidrIpv4": "10.0.0.0/8", "fromPort": 443, "toPort": 443}})
        assert stack_faults(DATABASE_FROM_GROUPS, *changed) == []

    def test_an_unknown_port_is_not_evaluated(self):
        with pytest.raises(UnknownValueError):
            stack_faults(DATABASE_FROM_GROUPS, *estate({"database": {"port": UNKNOWN}}))


WAY_OUT = {"securityGroupId": Ref("data-group"), "ipProtocol": "-1", "cidrIpv4": ANYWHERE}


class TestDatabaseStaysInside:
    @pytest.mark.parametrize("preview", [False, True])
    @pytest.mark.parametrize(
        ("type_", "props", "what"),
        [
            (EGRESS_RULE, WAY_OUT, "all traffic"),
            (EGRESS_RULE, {**WAY_OUT, "ipProtocol": "tcp", "fromPort": 443, "toPort": 443}, "tcp 443"),
            (
                LEGACY_RULE,
                {
                    "securityGroupId": Ref("data-group"),
                    "type": "egress",
                    "protocol": "tcp",
                    "fromPort": 443,
                    "toPort": 443,
                    "cidrBlocks": [ANYWHERE],
                },
                "tcp 443",
            ),
        ],
    )
    def test_a_way_out_to_the_world_is_named(self, preview, type_, props, what):
        changed = estate(extra={"data-out": (type_, props)}, preview=preview)
        sentence = f"Database group data-group lets {what} out to 0.0.0.0/0."
        assert stack_faults(DATABASE_STAYS_INSIDE, *changed) == [(sentence, "data-out")]

    def test_an_inline_way_out_is_named(self):
        out = {"protocol": "-1", "fromPort": 0, "toPort": 0, "ipv6CidrBlocks": ["::/0"]}
        assert stack_faults(DATABASE_STAYS_INSIDE, *estate({"data-group": {"egress": [out]}})) == [
            ("Database group data-group lets all traffic out to ::/0.", "data-group")
        ]

    def test_no_rule_at_all_passes_because_the_provider_removes_that_of_aws(self):
        assert stack_faults(DATABASE_STAYS_INSIDE, *estate()) == []

    @pytest.mark.parametrize("change", [{"cidrIpv4": "10.20.0.0/16"}, {"securityGroupId": Ref("app-group")}])
    def test_the_vpc_and_other_groups_pass(self, change):
        changed = estate(extra={"data-out": (EGRESS_RULE, {**WAY_OUT, **change})})
        assert stack_faults(DATABASE_STAYS_INSIDE, *changed) == []

    def test_an_unknown_target_is_not_evaluated(self):
        changed = estate(extra={"data-out": (EGRESS_RULE, {**WAY_OUT, "cidrIpv4": UNKNOWN})})
        with pytest.raises(UnknownValueError):
            stack_faults(DATABASE_STAYS_INSIDE, *changed)


DESCRIBED_GROUP = {
    "description": "The load balancer",
    "ingress": [{"description": "HTTPS from browsers", "protocol": "tcp", "fromPort": 443, "toPort": 443}],
}


class TestDescribed:
    def test_a_group_and_a_rule_with_words_pass(self):
        assert faults(DESCRIBED, resource(GROUP, "g", DESCRIBED_GROUP)) == []
        assert faults(DESCRIBED, resource(INGRESS_RULE, "g", RULE)) == []

    @pytest.mark.parametrize("words", [ABSENT, None, "", "group", "Managed by Pulumi", "Managed by Terraform"])
    def test_a_group_without_words_is_named(self, words):
        assert faults(DESCRIBED, resource(GROUP, "g", altered(DESCRIBED_GROUP, description=words))) == [
            "The group has no description that says what it is for."
        ]

    @pytest.mark.parametrize("words", [ABSENT, None, "", "https"])
    def test_a_rule_without_words_is_named(self, words):
        inline = altered(DESCRIBED_GROUP, "ingress", 0, "description", to=words)
        assert faults(DESCRIBED, resource(GROUP, "g", inline)) == [
            "The rule ingress[0] has no description that says what it is for."
        ]
        for type_ in (INGRESS_RULE, EGRESS_RULE, LEGACY_RULE):
            assert faults(DESCRIBED, resource(type_, "g", altered(RULE, description=words))) == [
                "The rule has no description that says what it is for."
            ]

    def test_an_unknown_description_is_not_evaluated(self):
        with pytest.raises(UnknownValueError):
            faults(DESCRIBED, resource(INGRESS_RULE, "g", altered(RULE, description=UNKNOWN)))


INLINE = {"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/8"]}


class TestOneStyle:
    @pytest.mark.parametrize("block", ["ingress", "egress"])
    def test_inline_rules_beside_rules_of_their_own_are_named(self, block):
        changed = estate({"edge-group": {block: [INLINE]}})
        names = "edge-https, edge-http, edge-app"
        assert {name for _, name in stack_faults(ONE_STYLE, *changed)} == {"edge-group"}
        ((sentence, _),) = stack_faults(ONE_STYLE, *changed)
        assert sentence.startswith("The group has inline rules and is also managed by ")
        assert set(sentence.removesuffix(".").rpartition("by ")[2].split(", ")) == set(names.split(", "))

    def test_either_style_alone_passes(self):
        assert stack_faults(ONE_STYLE, *estate()) == []
        alone = resource(GROUP, "alone", {"ingress": [INLINE]})
        assert stack_faults(ONE_STYLE, *estate(), alone) == []

    @pytest.mark.parametrize("preview", [False, True])
    def test_the_copy_that_a_refresh_leaves_is_no_second_style(self, preview):
        copy = {"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": [ANYWHERE], "self": False}
        assert stack_faults(ONE_STYLE, *estate({"edge-group": {"ingress": [copy]}}, preview=preview)) == []

    def test_a_rule_between_groups_may_be_the_copy_of_one_whose_group_is_unknown(self):
        between = {"protocol": "tcp", "fromPort": 8080, "toPort": 8080, "securityGroups": ["sg-1"]}
        changed = {"edge-group": {"egress": [between]}, "edge-app": {"referencedSecurityGroupId": UNKNOWN}}
        with pytest.raises(UnknownValueError):
            stack_faults(ONE_STYLE, *estate(changed))

    def test_an_unknown_inline_rule_is_not_evaluated(self):
        with pytest.raises(UnknownValueError):
            stack_faults(ONE_STYLE, *estate({"edge-group": {"ingress": [{**INLINE, "protocol": UNKNOWN}]}}))


@pytest.mark.parametrize("preview", [False, True])
class TestDefaultGroupEmpty:
    def test_an_adopted_group_without_rules_passes(self, preview):
        assert stack_faults(DEFAULT_GROUP_EMPTY, *estate(preview=preview)) == []

    @pytest.mark.parametrize("vpc", ["aws:ec2/vpc:Vpc", "aws:ec2/defaultVpc:DefaultVpc"])
    def test_a_vpc_that_does_not_adopt_it_is_named(self, preview, vpc):
        changed = estate(without=["main", "default"], extra={"main": (vpc, {})}, preview=preview)
        assert stack_faults(DEFAULT_GROUP_EMPTY, *changed) == [
            ("The VPC does not adopt its default security group, so AWS's own rules hold in it.", "main")
        ]

    @pytest.mark.parametrize("block", ["ingress", "egress"])
    def test_an_inline_rule_is_named(self, preview, block):
        changed = estate({"default": {block: [{"protocol": "-1", "self": True}]}}, preview=preview)
        assert stack_faults(DEFAULT_GROUP_EMPTY, *changed) == [
            (f"The default security group has a rule: default {block}[0].", "default")
        ]

    @pytest.mark.parametrize("group", [Ref("default"), Ref("main", "defaultSecurityGroupId")])
    def test_a_rule_of_its_own_is_named(self, preview, group):
        rule = {"securityGroupId": group, "ipProtocol": "-1", "cidrIpv4": "10.0.0.0/8"}
        (fault,) = stack_faults(DEFAULT_GROUP_EMPTY, *estate(extra={"late": (INGRESS_RULE, rule)}, preview=preview))
        assert fault[0] == "The default security group has a rule: late."

    def test_unknown_rules_are_not_evaluated(self, preview):
        with pytest.raises(UnknownValueError):
            stack_faults(DEFAULT_GROUP_EMPTY, *estate({"default": {"ingress": UNKNOWN}}, preview=preview))
