"""The tables of regions and instance classes, against independent sources."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files

import botocore.session
import pytest

from settings.instance_classes import EC2_MEMORY_GIB, RDS_MEMORY_GIB, architecture
from settings.regions import REGIONS


@pytest.fixture(scope="module")
def instance_types():
    """AWS's own description of each EC2 instance type, as moto ships it."""
    packed = files("moto.ec2").joinpath("resources/instance_types.json.gz").read_bytes()
    return json.loads(gzip.decompress(packed))


def test_each_region_is_known_to_the_aws_sdk_in_its_partition():
    session = botocore.session.Session()
    partitions = {name: region.partition for name, region in REGIONS.items()}
    assert partitions == {name: session.get_partition_for_region(name) for name in REGIONS}


def test_no_region_that_runs_the_platform_today_is_left_out():
    session = botocore.session.Session()
    offered = {
        region
        for partition in ("aws", "aws-us-gov", "aws-cn")
        for region in session.get_available_regions("rds", partition_name=partition)
    }
    assert offered - REGIONS.keys() == set()


def test_a_region_has_at_least_two_zones_and_no_letter_twice():
    assert all(len(set(region.letters)) == len(region.letters) >= 2 for region in REGIONS.values())


@pytest.mark.parametrize(
    ("region", "letters"),
    [("us-east-1", "abcdef"), ("us-west-2", "abcd"), ("ca-central-1", "abd"), ("eu-west-1", "abc")],
)
def test_a_region_has_its_zones(region, letters):
    assert REGIONS[region].letters == letters


def test_memory_of_ec2_classes_is_what_aws_says(instance_types):
    assert {name: instance_types[name]["MemoryInfo"]["SizeInMiB"] / 1024 for name in EC2_MEMORY_GIB} == EC2_MEMORY_GIB


def test_memory_of_rds_classes_is_that_of_the_ec2_class_below(instance_types):
    below = {
        name: instance_types[name.removeprefix("db.")]["MemoryInfo"]["SizeInMiB"] / 1024 for name in RDS_MEMORY_GIB
    }
    assert below == RDS_MEMORY_GIB


def test_each_family_is_complete_but_for_bare_metal(instance_types):
    families = {name.partition(".")[0] for name in EC2_MEMORY_GIB}
    offered = {name for name in instance_types if name.partition(".")[0] in families and "metal" not in name}
    assert offered == EC2_MEMORY_GIB.keys()


def test_architecture_is_what_aws_says(instance_types):
    offered = {name: instance_types[name]["ProcessorInfo"]["SupportedArchitectures"] for name in EC2_MEMORY_GIB}
    assert {name: [architecture(name)] for name in EC2_MEMORY_GIB} == offered


@pytest.mark.parametrize(
    ("name", "gib"), [("db.t4g.micro", 1), ("db.t3.large", 8), ("db.m7g.large", 8), ("db.r6g.xlarge", 32)]
)
def test_classes_of_the_run_books_and_of_the_stacks_are_known(name, gib):
    assert RDS_MEMORY_GIB[name] == gib
