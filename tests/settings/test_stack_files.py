"""The three stacks of the project, as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from settings.load import check, ranges_of_other_stacks, schema

ROOT = Path(__file__).parents[2]
STACKS = ("dev", "staging", "prod")


@pytest.fixture(scope="module")
def stacks():
    return {stack: check(stack, ROOT) for stack in STACKS}


def test_each_stack_is_right_and_is_its_own_environment(stacks):
    assert {stack: settings.environment for stack, settings in stacks.items()} == {stack: stack for stack in STACKS}


@pytest.mark.parametrize(
    "value",
    [
        lambda settings: settings.account.id,
        lambda settings: settings.network.cidr,
        lambda settings: settings.network.recovery_cidr,
        lambda settings: settings.web.domain.zone_id,
        lambda settings: settings.web.domain.host,
        lambda settings: settings.ownership.cost_center,
        lambda settings: settings.alerts_email,
        lambda settings: settings.database.instance_class,
        lambda settings: settings.database.backup_window,
        lambda settings: settings.database.maintenance_window,
    ],
)
def test_no_two_stacks_share_what_must_differ(stacks, value):
    assert len({value(settings) for settings in stacks.values()}) == len(STACKS)


def test_the_ranges_of_all_stacks_are_disjoint():
    own = ranges_of_other_stacks("none", ROOT)
    names = sorted(own)
    assert len(names) == 2 * len(STACKS)
    pairs = [(one, two) for one in names for two in names if one < two]
    assert [(one, two) for one, two in pairs if own[one].overlaps(own[two])] == []


def test_all_stacks_keep_their_backups_for_four_weeks_in_two_regions(stacks):
    facts = {
        (settings.database.backup_retention_days, settings.region, settings.recovery_region)
        for settings in stacks.values()
    }
    assert facts == {(28, "us-east-1", "us-west-2")}


def test_only_prod_has_three_zones_and_a_way_out_in_each(stacks):
    assert {stack: (len(each.network.zones), each.network.nat) for stack, each in stacks.items()} == {
        "dev": (2, "one"),
        "staging": (2, "one"),
        "prod": (3, "per-zone"),
    }


def test_minor_versions_come_to_prod_last(stacks):
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    order = [days.index(stacks[stack].database.maintenance_window[:3]) for stack in STACKS]
    assert order == sorted(order)


@pytest.mark.parametrize("stack", STACKS)
def test_a_file_names_its_schema_in_its_first_line(stack):
    first = (ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=settings/learning-platform.schema.json"
    assert (ROOT / first.rpartition("=")[2]).is_file()


@pytest.mark.parametrize("stack", STACKS)
def test_a_file_is_right_to_its_schema(stack):
    import jsonschema

    jsonschema.Draft7Validator(schema()).validate(yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text("utf-8")))


@pytest.mark.parametrize("stack", STACKS)
def test_a_file_holds_no_placeholder_of_the_documentation(stack):
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    assert [word for word in ("example.com", "123456789012", "555-01") if word in text] == []
