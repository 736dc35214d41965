"""The rules by what asks for them."""

from dataclasses import replace

import pytest

from policies.rulebook import RULES
from runbook.audit.report.matrix import FRAMEWORKS, Demand, by_demand, controls, demands, framework
from runbook.audit.report.model import Status

from . import examples


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("000_b5.txt §6: restrict access.", [Demand("000_b5.txt", "§6", "restrict access")]),
        ("003_72.txt Patching & Updates: 80: and 443", [Demand("003_72.txt", "Patching & Updates", "80: and 443")]),
        ("002_3d.txt: Record retention policies", [Demand("002_3d.txt", "", "Record retention policies")]),
        (
            "001_62.txt §2: AWS Glacier; 002_3d.txt §4.1: Feature flags",
            [Demand("001_62.txt", "§2", "AWS Glacier"), Demand("002_3d.txt", "§4.1", "Feature flags")],
        ),
        ("002_3d.txt §10: Approval; Risk", [Demand("002_3d.txt", "§10", "Approval; Risk")]),
        ("Somebody said so", [Demand("", "", "Somebody said so")]),
    ],
)
def test_a_rule_s_sentence_is_read_as_file_section_and_quotation(sentence, expected):
    assert list(demands(replace(examples.OPEN, sentence=sentence))) == expected


def test_every_rule_of_the_rulebook_names_a_run_book():
    assert [rule.id for rule in RULES for demand in demands(rule) if not demand.book] == []


def test_demands_stand_in_the_order_of_books_and_sections_and_a_rule_under_each_of_its_own():
    met = [
        (each.demand.book[:3], each.demand.section, [rule.id for rule in each.rules])
        for each in by_demand(examples.RULES)
    ]
    assert met == [
        ("000", "6", ["net-open", "ecs-idle"]),
        ("000", "6", ["rds-zones"]),
        ("002", "§7.1", ["gov-tags"]),
        ("002", "§10", ["rds-zones"]),
        ("004", "Security Review", ["mon-seen"]),
    ]


def test_controls_stand_by_framework_and_number_with_the_worst_status_of_their_rules():
    found = [(each.framework, each.name, each.statuses["staging"]) for each in controls(examples.report())]
    assert found == [
        ("CIS 5.0", "2.2.4", Status.WAIVED),
        ("FSBP", "ECS.1", Status.NOT_APPLICABLE),
        ("FSBP", "RDS.5", Status.WAIVED),
        ("NIST", "AC-6(2)", Status.NOT_EVALUATED),
        ("NIST", "CM-8", Status.FAIL),
        ("NIST", "CP-10", Status.WAIVED),
        ("NIST", "SC-7", Status.FAIL),
        ("NIST", "SI-4", Status.NOT_EVALUATED),
        ("Other sources", "CIS 5.3", Status.FAIL),
        ("Other sources", "Checkov CKV_AWS_1", Status.FAIL),
    ]


def test_every_benchmark_that_the_rulebook_names_is_known():
    benchmarks = {framework(control)[0] for rule in RULES for control in rule.controls}
    assert benchmarks - {"Other sources"} == set(FRAMEWORKS)
    others = {c for rule in RULES for c in rule.controls if framework(c)[0] == "Other sources"}
    assert not [control for control in others if control.startswith(("CIS", "FSBP", "NIST"))]
