"""Names that fit: short enough, distinct, and the same every time."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from settings.naming import REQUIRED_TAGS, Labels, fit

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=120)
LIMITS = st.integers(9, 80)
LABELS = Labels(project="learning-platform", environment="prod", owner="team", cost_center="LP-1")


@given(NAMES, LIMITS)
def test_a_name_is_never_longer_than_its_limit(name, limit):
    assert len(fit(name, limit)) <= limit


@given(NAMES, LIMITS)
def test_a_name_that_fits_is_left_alone(name, limit):
    assume(len(name) <= limit)
    assert fit(name, limit) == name


@given(NAMES, LIMITS)
def test_fitting_twice_changes_nothing(name, limit):
    once = fit(name, limit)
    assert fit(once, limit) == once


@given(NAMES, NAMES, NAMES, LIMITS)
def test_distinct_names_stay_distinct(head, one, two, limit):
    assume(one != two)
    assert fit(head + one, limit) != fit(head + two, limit)


@given(st.text("abc-", min_size=81, max_size=120), LIMITS)
def test_a_shortened_name_begins_like_the_whole_and_ends_in_a_hash(name, limit):
    head, _, digest = fit(name, limit).rpartition("-")
    assert name.startswith(head)
    assert not head.endswith("-")
    assert re.fullmatch("[0-9a-f]{7}", digest)


def test_the_hash_is_the_same_on_every_machine():
    assert fit("learning-platform-staging-database", 20) == "learning-pla-6afd3c2"


@given(st.integers(-5, 8))
def test_a_limit_without_room_for_a_hash_is_refused(limit):
    with pytest.raises(ValueError, match=f"A name limit of {limit} leaves no room"):
        fit("name", limit)


def test_a_physical_name_begins_with_project_and_environment():
    assert LABELS.physical("database", "events") == "learning-platform-prod-database-events"


@given(st.lists(NAMES, min_size=1, max_size=3), LIMITS)
def test_a_physical_name_fits(parts, limit):
    assert len(LABELS.physical(*parts, limit=limit)) <= limit


def test_a_path_begins_with_project_and_environment():
    assert LABELS.path("inventory", "web") == "/learning-platform/prod/inventory/web"


def test_tags_hold_the_required_ones_and_any_others():
    tags = LABELS.tags(service="database", runbook="000_b5883a9168e66709.txt 3", backup="weekly", Name="x")
    assert tags == {
        "Backup": "weekly",
        "CostCenter": "LP-1",
        "Environment": "prod",
        "Name": "x",
        "Owner": "team",
        "Project": "learning-platform",
        "RunbookRef": "000_b5883a9168e66709.txt 3",
        "Service": "database",
    }
    assert set(REQUIRED_TAGS) <= tags.keys()


@pytest.mark.parametrize("value", ["000_… §3", "a&b", "[secret]", "x" * 257])
def test_a_tag_that_aws_refuses_is_refused_before(value):
    with pytest.raises(ValueError, match="Tag RunbookRef is "):
        LABELS.tags(service="database", runbook=value)
