"""Associations: whom they mean, what they run and how often; one change is one sentence."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import associations
from policies.rulebook.rule import Level, Severity

from .bags import ABSENT, UNKNOWN, not_evaluated, stack_faults
from .declared import Ref, declared

RULES = {rule.id: rule for rule in associations.RULES}
WHOLE, USED = RULES["ssm-association-whole"], RULES["ssm-document-used"]

ASSOCIATION = "aws:ssm/association:Association"
DOCUMENT = "aws:ssm/document:Document"
TAGS = {"Project": "it", "Environment": "prod", "Service": "web"}


def association(name, *targets, **more):
    return ASSOCIATION, {
        "name": name,
        "targets": [{"key": key, "values": values} for key, values in targets],
        "scheduleExpression": "rate(1 day)",
        "complianceSeverity": "HIGH",
        **more,
    }


STACK = {
    "host": ("aws:ec2/instance:Instance", {"tags": {"PatchGroup": "hosts"}}),
    "machines": (
        "aws:autoscaling/group:Group",
        {
            "name": "machines-1",
            "tags": [{"key": key, "value": value, "propagateAtLaunch": True} for key, value in TAGS.items()],
        },
    ),
    "document": (
        DOCUMENT,
        {
            "name": "it-agent",
            "documentType": "Command",
            "content": json.dumps({"parameters": {"config": {"type": "String"}, "mode": {"default": "x"}}}),
        },
    ),
    "agent": association(
        Ref("document", "name"), ("tag:aws:autoscaling:groupName", [Ref("machines", "name")]),
        parameters={"config": "/it/agent"},
    ),
    "scan": association("AWS-RunPatchBaseline", ("tag:PatchGroup", ["hosts"])),
    "page": association("AWS-RunShellScript", ("InstanceIds", [Ref("host")])),
    "files": association("AWS-RunShellScript", *((f"tag:{key}", [value]) for key, value in TAGS.items())),
}  # fmt: skip


def said(*changes, rule=WHOLE, **options):
    return stack_faults(rule, *declared(STACK, *changes, **options))


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in associations.RULES] == [
        ("ssm-association-whole", Severity.MEDIUM, Level.MANDATORY),
        ("ssm-document-used", Severity.MEDIUM, Level.MANDATORY),
    ]


@pytest.mark.parametrize("rule", [WHOLE, USED], ids=["whole", "used"])
@pytest.mark.parametrize("preview", [False, True])
def test_whole_associations_pass(rule, preview):
    assert said(rule=rule, preview=preview) == []


NOBODY = "The association means no machine of this stack."
ONCE = "The association runs once: it has no schedule, so what changes on the machine stays changed."
UNSAID = "How bad it is where the association fails is not said, so compliance reports pass over it."


@pytest.mark.parametrize(
    ("name", "path", "value", "sentence"),
    [
        ("agent", ("name",), "it-other",
         "The association runs it-other, which is neither AWS's nor declared in this stack."),
        ("agent", ("parameters",), ABSENT, "The association does not give config, which its document needs."),
        ("agent", ("parameters", "revision"), "1",
         "The association gives revision, which its document does not take; AWS refuses that."),
        ("scan", ("scheduleExpression",), ABSENT, ONCE),
        ("scan", ("scheduleExpression",), "rate(365 days)",
         "The association runs too rarely (rate(365 days)); once a week is the least."),
        ("scan", ("scheduleExpression",), "daily",
         "The association has a schedule that AWS refuses: it is neither cron(…) nor rate(…)."),
        ("scan", ("complianceSeverity",), ABSENT, UNSAID),
        ("scan", ("complianceSeverity",), "UNSPECIFIED", UNSAID),
        ("scan", ("targets",), ABSENT, "The association has no target, so it runs nowhere."),
        ("scan", ("targets",), [], "The association has no target, so it runs nowhere."),
        ("scan", ("targets", 0, "values"), [], NOBODY),
        ("scan", ("targets", 0, "values"), ["others"], NOBODY),
        ("page", ("targets", 0, "values"), ["i-00000000000000000"], NOBODY),
        ("agent", ("targets", 0, "values"), ["others"], NOBODY),
        ("files", ("targets", 2, "values"), ["database"], NOBODY),
        ("files", ("targets", 1), {"key": "tag:Project", "values": ["it"]},
         "The association also means machines of others: its targets do not say Environment."),
    ],
)  # fmt: skip
def test_one_change_is_named(name, path, value, sentence):
    assert said((name, path, value)) == [(sentence, name)]


def test_a_resource_group_says_for_itself_whom_it_means():
    group = [{"key": "resource-groups:Name", "values": ["servers"]}]
    assert said(("scan", ("targets",), group)) == []


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("scan", ("scheduleExpression",)),
        ("scan", ("complianceSeverity",)),
        ("scan", ("targets", 0, "values")),
        ("document", ("content",)),
    ],
)
def test_an_unknown_value_is_no_pass(name, path):
    assert not_evaluated(WHOLE, *declared(STACK, (name, path, UNKNOWN)))[0] == []


IDLE = [("Nothing runs the document: no association, task, document or entry names it.", "document")]


def test_a_document_that_nothing_runs_is_named():
    assert said(rule=USED, without=["agent"]) == IDLE
    unknown = declared(STACK, ("document", ("documentType",), UNKNOWN), without=["agent"])
    assert not_evaluated(USED, *unknown)[0] == []


@pytest.mark.parametrize("kind", ["Session", "ChangeCalendar", ABSENT])
def test_what_is_only_read_needs_nobody_to_run_it(kind):
    assert said(("document", ("documentType",), kind), rule=USED, without=["agent"]) == []


@pytest.mark.parametrize(
    "user",
    [
        ("aws:ssm/parameter:Parameter", {"insecureValue": Ref("document", "name", before="{", after="}")}),
        ("aws:ssm/maintenanceWindowTask:MaintenanceWindowTask", {"taskArn": "it-agent"}),
    ],
    ids=["an entry of the inventory", "a task"],
)
def test_others_may_run_it(user):
    assert said(rule=USED, without=["agent"], extra={"user": user}) == []
