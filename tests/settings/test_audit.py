"""What the settings of the audit trail refuse, and how they say so."""

import pytest
from pydantic import ValidationError

from settings.audit import AuditSettings, broken_rules

GOOD = {"trail": {"lock_mode": "compliance"}}


def faults(environment="prod", **sections):
    settings = AuditSettings.model_validate({**GOOD, **sections})
    return [(fault.path, fault.wrong, fault.way_out) for fault in broken_rules(settings, environment)]


def test_the_defaults_are_right_outside_prod():
    assert faults("dev", trail={}) == []
    assert faults("staging", trail={}) == []


def test_prod_asks_for_a_year_that_nobody_can_shorten():
    assert faults() == []
    assert faults(trail={"lock_mode": "governance", "lock_days": 90, "log_retention_days": 180}) == [
        (("audit", "trail", "log_retention_days"), "is less than a year", "Write 365 or more."),
        (("audit", "trail", "lock_days"), "is less than a year", "Write 365 or more."),
        (("audit", "trail", "lock_mode"), "lets the lock be lifted", "Write compliance."),
    ]


def test_days_agree_with_one_another():
    assert faults("dev", trail={"archive_days": 90, "expire_days": 179, "lock_days": 180}) == [
        (
            ("audit", "trail", "expire_days"),
            "is less than 90 days after archive_days, 90",
            "Write 180 or more.",
        ),
        (("audit", "trail", "lock_days"), "is more than expire_days, 179", "Write 179 or less."),
    ]
    assert faults("dev", trail={"archive_days": 90, "expire_days": 180, "lock_days": 180}) == []


def role(name):
    return f"arn:aws:iam::390711364485:role/{name}"


def test_more_exclusions_than_a_filter_holds_are_told_with_their_length():
    quiet = {"deployment": [role(f"{letter}" * 60) for letter in "abcd"]}
    ((path, wrong, way_out),) = faults(quiet=quiet)
    assert path == ("audit", "quiet")
    assert wrong == "names more than a filter holds: deployment and services take 545 characters"
    assert way_out == "Name fewer, or give roles shorter names."


def test_scanners_count_for_the_filter_that_leaves_them_out():
    quiet = {"deployment": [role("a" * 60)] * 3, "scanners": [role("b" * 60)] * 4}
    assert [fault[1] for fault in faults(quiet=quiet)] == [
        "names more than a filter holds: deployment, scanners and services take 926 characters"
    ]
    assert faults(quiet={"deployment": [role("deploy")], "scanners": [role("scan")] * 4}) == []


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"quiet": {"deployment": ["deploy"]}}, "is no ARN of a role or user"),
        ({"quiet": {"deployment": [role("*")]}}, "is no ARN of a role or user"),
        ({"quiet": {"scanners": ["arn:aws:sts::390711364485:assumed-role/x/y"]}}, "is no ARN of a role or user"),
        ({"quiet": {"services": ["config"]}}, "is no service that may be left out"),
        ({"quiet": {"services": ["cloudformation.amazonaws.com"]}}, "is no service that may be left out"),
        ({"quiet": {"services": ['x" || $.a = "amazonaws.com']}}, "is no service that may be left out"),
        ({"trail": {"lock_mode": "none"}}, "governance"),
        ({"trail": {"log_retention_days": 364}}, "is a retention that CloudWatch Logs does not know"),
        ({"trail": {"lock": 1}}, "Extra inputs"),
        ({"trial": {}}, "Extra inputs"),
    ],
)
def test_values_that_aws_or_the_filters_would_not_take(sections, told):
    with pytest.raises(ValidationError, match=told):
        AuditSettings.model_validate(sections)


def test_every_setting_says_what_it_means():
    def fields(schema):
        for section in schema["$defs"].values():
            yield from section["properties"].items()
        yield from schema["properties"].items()

    assert [name for name, field in fields(AuditSettings.model_json_schema()) if not field.get("description")] == []
