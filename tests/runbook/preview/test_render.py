"""What a person sees of a preview."""

import pytest

from runbook.console import PLAIN, drawn
from runbook.preview import render
from runbook.preview.graph import Fidelity
from runbook.words import percent, short_type
from tests.runbook.graphs import graph, printed, resource, small, stack

STAND_INS = "What AWS makes up (ids, ARNs, endpoints) has a stand-in, which a real preview does not have."


def test_a_terminal_gets_the_whole_tree_with_signs_and_one_row_for_each_type():
    assert printed(render.tree(small().resources[1:], drawn(80))) == [
        "shop-staging",
        "├─ kms.Key  logs (protected)",
        "└─ Network  network",
        "   ├─ ec2.Subnet \u00d72  network-a, network-b",
        "   ├─ ec2.Vpc        network (protected)",
        "   └─ Tier  data",
        "      └─ rds.SubnetGroup  data",
    ]


def test_a_pipe_gets_a_line_for_each_resource_and_no_signs():
    assert printed(render.tree(small().resources[1:], PLAIN)) == [
        "shop-staging",
        "  kms.Key  logs (protected)",
        "  Network  network",
        "    ec2.Subnet  network-a",
        "    ec2.Subnet  network-b",
        "    ec2.Vpc     network (protected)",
        "    Tier  data",
        "      rds.SubnetGroup  data",
    ]


def test_rows_that_are_too_long_go_on_below_their_names():
    subnets = [resource("aws:ec2/subnet:Subnet", f"network-data-{zone}") for zone in "abcd"]
    assert printed(render.tree([stack(), *subnets], drawn(52))) == [
        "shop-staging",
        "└─ ec2.Subnet \u00d74  network-data-a, network-data-b,",
        "                  network-data-c, network-data-d",
    ]


def test_a_type_that_is_wider_than_the_column_still_stands_apart_from_its_name():
    long = resource("aws:s3/x:BucketServerSideEncryptionConfiguration", "logs")
    assert printed(render.tree([stack(), long, resource("aws:s3/bucket:Bucket", "logs")], PLAIN))[1:] == [
        f"  {'s3.Bucket':<36}  logs",
        "  s3.BucketServerSideEncryptionConfiguration  logs",
    ]


def test_the_margin_of_a_row_that_goes_on_keeps_the_line_of_the_tree():
    several = [resource("aws:ec2/subnet:Subnet", f"network-data-{zone}") for zone in "ab"]
    lines = printed(render.tree([stack(), *several, resource("aws:ec2/vpc:Vpc", "network")], drawn(40)))
    assert lines[1:] == [
        "├─ ec2.Subnet \u00d72  network-data-a,",
        "│                 network-data-b",
        "└─ ec2.Vpc        network",
    ]


def test_the_order_of_the_tree_does_not_depend_on_the_order_of_registration():
    orphan = resource("aws:ec2/vpc:Vpc", "v", "urn:pulumi:staging::shop::gone::x")
    resources = (*small().resources[1:], orphan)
    assert printed(render.tree(resources[::-1], PLAIN)) == printed(render.tree(resources, PLAIN))


def test_a_resource_whose_parent_is_not_shown_is_shown_all_the_same():
    orphan = resource("aws:ec2/vpc:Vpc", "v", "urn:pulumi:staging::shop::gone::x")
    assert printed(render.tree([orphan], PLAIN)) == ["ec2.Vpc  v"]


def test_counts_put_the_most_frequent_type_first_and_leave_components_out():
    assert printed(render.counts(small().resources[1:], PLAIN)) == [
        "By type",
        "   2  ec2.Subnet",
        "   1  ec2.Vpc",
        "   1  kms.Key",
        "   1  rds.SubnetGroup",
    ]


def test_counts_fill_the_width_of_a_terminal_column_by_column():
    assert printed(render.counts(small().resources[1:], drawn(50))) == [
        "By type",
        "   2  ec2.Subnet          1  kms.Key",
        "   1  ec2.Vpc             1  rds.SubnetGroup",
    ]


def test_fidelity_names_what_is_unknown():
    assert printed(render.fidelity(small(), PLAIN)) == [
        f"Fidelity  33.3 % of 3 property values known. {STAND_INS}",
        "Unknown before a deployment:",
        "  network.vpcId (Network)",
        "  gone#x",
    ]


def test_fidelity_of_a_known_graph_is_one_line():
    assert printed(render.fidelity(graph(), PLAIN)) == [f"Fidelity  100 % of 10 property values known. {STAND_INS}"]


def test_a_long_list_of_unknown_values_ends_with_how_many_more_there_are():
    unknown = tuple(f"u{number}#p" for number in range(1500))
    lines = printed(render.fidelity(graph(fidelity=Fidelity(500, 2000, unknown)), PLAIN))
    assert lines[0] == f"Fidelity  25.0 % of 2,000 property values known. {STAND_INS}"
    assert lines[-1] == "  and 1,488 more"
    assert len(lines) == 15


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(10, 10, "100 %"), (1999, 2000, "99.9 %"), (99999, 100000, "99.9 %"), (0, 7, "0.0 %"), (0, 0, "100 %")],
)
def test_only_the_whole_is_a_hundred_percent(part, whole, text):
    assert percent(part, whole) == text


def test_messages_of_the_program_name_the_resource_they_are_about():
    assert printed(render.messages(small(), PLAIN)) == [
        "",
        "Messages of the program",
        "  warning  logs: The name is long.",
    ]


def test_the_engines_own_provider_is_shown_nowhere():
    page = "\n".join(printed(render.lines(small(), PLAIN)))
    assert page.splitlines()[0] == "Preview of staging (shop), offline: 5 resources in 2 components"
    assert "default_7_51_1" not in page


def test_an_explicit_provider_is_printed():
    named = resource("pulumi:providers:aws", "recovery")
    assert printed(render.tree([stack(), named], PLAIN)) == ["shop-staging", "  provider aws  recovery"]


@pytest.mark.parametrize(
    ("token", "name"),
    [
        ("aws:ec2/subnet:Subnet", "ec2.Subnet"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "vpc.SecurityGroupIngressRule"),
        ("learning-platform:network:Network", "Network"),
        ("random:index/randomPet:RandomPet", "random.RandomPet"),
        ("pulumi:pulumi:Stack", "Stack"),
        ("pulumi:providers:aws", "provider aws"),
    ],
)
def test_types_are_shown_as_the_program_writes_them(token, name):
    assert short_type(token) == name
