"""The rules on patching: a whole system passes, and whatever is taken out of it is named."""

import json
from datetime import date

import pytest

from policies.rulebook.patching import RULES
from policies.rulebook.resource import Context
from tests.policies.bags import ABSENT, UNKNOWN, not_evaluated, stack_faults
from tests.policies.declared import Ref, declared

TODAY = date(2026, 11, 21)
PROD = Context(environment="prod", today=TODAY, staging_install_window="wed:14:00-wed:17:00")
STAGING = Context(environment="staging", today=TODAY)

BY_ID = {rule.id: rule for rule in RULES}

RUN_ROLE = "arn:aws:any:eu-west-1:123456789012:run"


def content(*groups):
    installs = [{"DocumentName": "AWS-RunPatchBaselineWithHooks", "Values": [group]} for group in groups]
    return json.dumps({"assumeRole": RUN_ROLE, "mainSteps": installs})


def allow(action, resource, **condition):
    extra = {"Condition": {"StringEquals": condition}} if condition else {}
    return {"Effect": "Allow", "Action": [action], "Resource": [resource], **extra}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def role(name):
    return {
        name: ("aws:iam/role:Role", {}),
        f"{name}-policy": (
            "aws:iam/rolePolicy:RolePolicy",
            {
                "role": Ref(name, "name"),
                "policy": policy(
                    allow("ssm:StartAutomationExecution", "arn:aws:ssm:eu-west-1:123456789012:document/patching"),
                    allow(
                        "ssm:SendCommand",
                        "arn:aws:ec2:eu-west-1:123456789012:instance/*",
                        **{"ssm:resourceTag/PatchGroup": "hosts"},
                    ),
                ),
            },
        ),
    }


def approval(**how):
    filters = [
        {"key": "PRODUCT", "values": ["*"]},
        {"key": "CLASSIFICATION", "values": ["Security"]},
        {"key": "SEVERITY", "values": ["Critical", "Important", "Medium", "Low"]},
    ]
    return {"patchFilters": filters, "complianceLevel": "HIGH", **how}


BUGFIXES = {
    "patchFilters": [{"key": "CLASSIFICATION", "values": ["Bugfix"]}],
    "complianceLevel": "LOW",
    "approveUntilDate": "2026-11-10",
}


SYSTEM = {
    "baseline": (
        "aws:ssm/patchBaseline:PatchBaseline",
        {"operatingSystem": "AMAZON_LINUX_2023", "approvalRules": [approval(approveUntilDate="2026-11-10"), BUGFIXES]},
    ),
    "group": ("aws:ssm/patchGroup:PatchGroup", {"baselineId": Ref("baseline"), "patchGroup": "hosts"}),
    "bastion": ("aws:ec2/instance:Instance", {"tags": {"PatchGroup": "hosts"}}),
    "template": ("aws:ec2/launchTemplate:LaunchTemplate", {"imageId": "ami-0a1b2c3d4e5f60718"}),
    "servers": (
        "aws:autoscaling/group:Group",
        {
            "launchTemplate": {"id": Ref("template")},
            "tags": [{"key": "PatchGroup", "value": "hosts", "propagateAtLaunch": True}],
        },
    ),
    "scan": (
        "aws:ssm/association:Association",
        {
            "name": "AWS-RunPatchBaseline",
            "parameters": {"Operation": "Scan"},
            "scheduleExpression": "cron(30 12 ? * * *)",
            "targets": [{"key": "tag:PatchGroup", "values": ["hosts"]}],
        },
    ),
    "document": ("aws:ssm/document:Document", {"name": "patching", "content": content("hosts")}),
    "window": (
        "aws:ssm/maintenanceWindow:MaintenanceWindow",
        {"schedule": "cron(0 3 ? * SUN *)", "duration": 3, "cutoff": 1},
    ),
    **role("starting"),
    **role("run"),
    "task": (
        "aws:ssm/maintenanceWindowTask:MaintenanceWindowTask",
        {
            "windowId": Ref("window"),
            "taskType": "AUTOMATION",
            "taskArn": Ref("document", "name"),
            "serviceRoleArn": Ref("starting", "arn"),
        },
    ),
    "database": (
        "aws:rds/instance:Instance",
        {"backupWindow": "06:00-07:00", "maintenanceWindow": "sun:08:00-sun:09:00"},
    ),
    "backups": ("aws:backup/plan:Plan", {"rules": [{"ruleName": "weekly", "schedule": "cron(0 2 ? * SUN *)"}]}),
}


def said(rule, *changes, context=PROD, **more):
    return stack_faults(BY_ID[rule], *declared(SYSTEM, *changes, **more), context=context)


def unjudged(rule, *changes):
    return not_evaluated(BY_ID[rule], *declared(SYSTEM, *changes), context=PROD)[0]


def approvals(*rules):
    return "baseline", ("approvalRules",), list(rules)


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == [
        "patch-baselines",
        "patch-machines-grouped",
        "patch-staging-first",
        "patch-scanned-daily",
        "patch-installed-weekly",
        "patch-windows-apart",
        "patch-role-scoped",
    ]


@pytest.mark.parametrize("rule", sorted(BY_ID))
@pytest.mark.parametrize("context", [PROD, STAGING], ids=["prod", "staging"])
def test_a_whole_system_passes(rule, context):
    assert said(rule, context=context) == []


@pytest.mark.parametrize("rule", sorted(BY_ID))
def test_a_stack_without_machines_has_nothing_to_patch(rule):
    assert stack_faults(BY_ID[rule], context=PROD) == []


# patch-baselines


def test_machines_without_a_baseline_get_that_of_aws():
    without = ["baseline", "group"]
    assert said("patch-baselines", without=without) == [
        ("The stack declares no patch baseline, so AWS's own approves patches alike in all environments.", None)
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ([("baseline", ("operatingSystem",), ABSENT)], "The baseline is for Windows: operatingSystem is unset."),
        ([approvals()], "The baseline approves no security patches."),
        ([("baseline", ("approvalRules",), ABSENT)], "The baseline approves no security patches."),
        (
            [("baseline", ("approvalRules", 0, "patchFilters", 1, "values"), ["Bugfix"])],
            "The baseline approves no security patches.",
        ),
        (
            [("baseline", ("approvalRules", 0, "patchFilters", 1, "values"), [])],
            "The baseline approves no security patches.",
        ),
    ],
)
def test_a_baseline_that_approves_too_little_is_named(changes, sentence):
    assert said("patch-baselines", *changes) == [(sentence, "baseline")]


FILTERS = ("approvalRules", 0, "patchFilters")
SEVERITIES = ["Critical", "Important", "Medium", "Low"]


@pytest.mark.parametrize(
    ("path", "values", "missing"),
    [
        ((*FILTERS, 2, "values"), ["Important", "Medium", "Low"], ["Critical"]),
        ((*FILTERS, 2, "values"), ["None"], SEVERITIES),
        ((*FILTERS, 0, "values"), ["AmazonLinux2"], SEVERITIES),
    ],
)
def test_security_patches_of_every_severity_are_approved(path, values, missing):
    assert said("patch-baselines", ("baseline", path, values)) == [
        (f"The baseline approves no security patches of severity {severity}.", "baseline") for severity in missing
    ]


def test_what_a_rule_has_no_filter_for_it_approves_all_of():
    assert said("patch-baselines", ("baseline", FILTERS, [])) == []


NO_WAIT = ("baseline", ("approvalRules", 1, "approveUntilDate"), ABSENT)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ([("baseline", ("approvalRules", 1), approval(approveUntilDate="2026-11-10"))],
         "The baseline approves no bugfixes."),
        ([("baseline", ("approvalRules", 1, "complianceLevel"), ABSENT)],
         "Rule 2 of the baseline names no level, so no report counts a patch that is missing."),
        ([("baseline", ("approvalRules", 0, "complianceLevel"), "UNSPECIFIED")],
         "Rule 1 of the baseline names no level, so no report counts a patch that is missing."),
        ([NO_WAIT], "Rule 2 of the baseline says not when it approves a patch; AWS refuses that."),
        ([NO_WAIT, ("baseline", ("approvalRules", 1, "approveAfterDays"), 8)],
         "Rule 2 of the baseline waits 8 days; AWS's own waits 7."),
    ],
)  # fmt: skip
def test_a_rule_of_a_baseline_says_all_that_it_must(changes, sentence):
    assert said("patch-baselines", *changes) == [(sentence, "baseline")]


def test_a_week_is_not_too_long():
    assert said("patch-baselines", NO_WAIT, ("baseline", ("approvalRules", 1, "approveAfterDays"), 7)) == []


def test_a_star_approves_security_patches_too():
    assert said("patch-baselines", ("baseline", ("approvalRules", 0, "patchFilters", 1, "values"), ["*"])) == []


def test_a_baseline_that_no_group_uses_is_named():
    assert said("patch-baselines", without=["group"]) == [("No patch group uses the baseline.", "baseline")]


def test_a_baseline_of_unknown_rules_is_not_judged():
    assert unjudged("patch-baselines", ("baseline", ("approvalRules", 0, "patchFilters", 1, "values"), UNKNOWN)) == []


# patch-machines-grouped


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("bastion", ("tags",), ABSENT),
            ("The machine is in no patch group: there is no tag PatchGroup.", "bastion"),
        ),
        (
            ("bastion", ("tags",), {"Patch Group": "hosts"}),
            ("The tag 'Patch Group' cannot be shown in instance metadata; the tag is PatchGroup.", "bastion"),
        ),
        (
            ("bastion", ("tags", "PatchGroup"), "other"),
            ("The machine is in the patch group other, which has no baseline here.", "bastion"),
        ),
        (
            ("servers", ("tags", 0, "propagateAtLaunch"), False),
            ("The machines of the group are in no patch group: there is no tag PatchGroup.", "servers"),
        ),
        (
            ("servers", ("tags",), ABSENT),
            ("The machines of the group are in no patch group: there is no tag PatchGroup.", "servers"),
        ),
    ],
)
def test_a_machine_outside_of_all_groups_is_named(change, expected):
    assert said("patch-machines-grouped", change) == [expected]


def test_a_patch_group_has_a_baseline_of_the_stack():
    expected = [("The patch group hosts has no baseline of this stack.", "group")]
    assert said("patch-machines-grouped", ("group", ("baselineId",), "pb-0123456789abcdef0")) == expected
    assert said("patch-machines-grouped", ("group", ("baselineId",), ABSENT)) == expected


def test_a_machine_of_an_unknown_group_is_not_judged_and_others_are():
    changes = [("bastion", ("tags", "PatchGroup"), UNKNOWN), ("servers", ("tags", 0, "value"), "other")]
    assert unjudged("patch-machines-grouped", *changes) == [
        ("The machines of the group are in the patch group other, which has no baseline here.", "servers")
    ]


# patch-staging-first


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({}, "The baseline approves patches at once, whether staging has run them or not."),
        ({"approveAfterDays": 0}, "The baseline approves patches at once, whether staging has run them or not."),
        (
            {"approveAfterDays": 14},
            "The baseline approves patches 14 days after their release, whether staging has run them or not.",
        ),
        ({"approveUntilDate": "soon"}, "The baseline approves patches until soon, which is no day."),
        (
            {"approveUntilDate": "2026-11-19"},
            "The baseline approves patches until 2026-11-19; staging cannot have run those for 3 days.",
        ),
    ],
)
def test_prod_approves_only_what_staging_can_have_run(how, sentence):
    assert said("patch-staging-first", approvals(approval(**how))) == [(sentence, "baseline")]
    assert said("patch-staging-first", approvals(approval(**how)), context=STAGING) == []


def test_the_newest_day_that_staging_can_have_run_passes():
    assert said("patch-staging-first", approvals(approval(approveUntilDate="2026-11-18"))) == []


def test_patches_by_name_go_around_the_date():
    assert said("patch-staging-first", ("baseline", ("approvedPatches",), ["nginx*"])) == [
        ("The baseline approves patches by name, whether staging has run them or not.", "baseline")
    ]


@pytest.mark.parametrize("image", [ABSENT, "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023"])
def test_prod_s_servers_start_from_an_image_that_was_chosen(image):
    assert said("patch-staging-first", ("template", ("imageId",), image)) == [
        ("Servers start from the newest image, whether staging has run it or not.", "servers")
    ]


def test_prod_s_window_is_three_days_after_staging_s():
    assert said("patch-staging-first", ("window", ("schedule",), "cron(0 14 ? * SAT *)")) == [
        ("Patches are installed 2.9 days after staging's window; 3 are demanded.", "window")
    ]
    assert said("patch-staging-first", ("window", ("schedule",), "cron(0 17 ? * SAT *)")) == []


def test_without_staging_s_window_only_the_dates_are_judged():
    context = Context(environment="prod", today=TODAY)
    assert said("patch-staging-first", ("window", ("schedule",), "cron(0 14 ? * THU *)"), context=context) == []


def test_an_unknown_date_is_not_judged_and_the_image_is():
    changes = [approvals(approval(approveUntilDate=UNKNOWN)), ("template", ("imageId",), ABSENT)]
    assert unjudged("patch-staging-first", *changes) == [
        ("Servers start from the newest image, whether staging has run it or not.", "servers")
    ]


# patch-scanned-daily


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ("rate(2 days)", "The look for missing patches happens every 2 days at worst; a daily one is demanded."),
        (
            ABSENT,
            "The look for missing patches has a schedule that AWS refuses: it is neither cron(…) nor rate(…); "
            "a daily one is demanded.",
        ),
    ],
)
def test_a_look_that_is_not_daily_is_named(schedule, sentence):
    assert said("patch-scanned-daily", ("scan", ("scheduleExpression",), schedule)) == [
        (sentence, "scan"),
        ("Nothing looks daily for missing patches on the machines of hosts.", "group"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        ("scan", ("targets", 0, "values"), ["other"]),
        ("scan", ("targets", 0, "key"), "tag:Patch Group"),
        ("scan", ("targets",), ABSENT),
        ("scan", ("name",), "AWS-GatherSoftwareInventory"),
    ],
)
def test_a_group_that_nothing_looks_at_is_named(change):
    assert said("patch-scanned-daily", change) == [
        ("Nothing looks daily for missing patches on the machines of hosts.", "group")
    ]


ODD = "The association shall only look for patches, Scan; its operation is {}."


def test_a_look_is_only_a_look():
    assert said("patch-scanned-daily", ("scan", ("parameters", "Operation"), "Install")) == [
        (ODD.format("Install"), "scan")
    ]
    assert said("patch-scanned-daily", ("scan", ("parameters",), ABSENT)) == [
        (ODD.format("unset"), "scan"),
        ("Nothing looks daily for missing patches on the machines of hosts.", "group"),
    ]


def test_an_unknown_operation_is_not_judged():
    assert unjudged("patch-scanned-daily", ("scan", ("parameters", "Operation"), UNKNOWN)) == []


@pytest.mark.parametrize(
    ("changes", "hours"),
    [
        ([("window", ("cutoff",), 0)], (3, 0)),
        ([("window", ("cutoff",), ABSENT)], (3, 0)),
        ([("window", ("cutoff",), 3)], (3, 3)),
        ([("window", ("duration",), 1)], (1, 1)),
    ],
)
def test_a_window_has_room_to_begin_and_to_end(changes, hours):
    duration, cutoff = hours
    assert said("patch-installed-weekly", *changes) == [
        (
            f"The window of {duration} hours takes on work until {cutoff} hours before its end; "
            "there must be an hour to begin and one to end in.",
            "window",
        )
    ]


def test_a_window_is_for_registered_machines():
    assert said("patch-installed-weekly", ("window", ("allowUnassociatedTargets",), True)) == [
        ("The window also takes machines that nobody registered with it.", "window")
    ]
    assert said("patch-installed-weekly", ("window", ("allowUnassociatedTargets",), False)) == []


def test_a_window_of_unknown_length_is_not_judged():
    assert unjudged("patch-installed-weekly", ("window", ("duration",), UNKNOWN)) == []


def test_a_look_at_unknown_machines_is_not_judged():
    assert unjudged("patch-scanned-daily", ("scan", ("targets", 0, "values"), UNKNOWN)) == []


# patch-installed-weekly


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("window", ("enabled",), False), "The window that installs patches is disabled."),
        (
            ("window", ("schedule",), "cron(0 3 1 * ? *)"),
            "The installation of patches happens every 31 days at worst; a weekly one is demanded.",
        ),
    ],
)
def test_a_window_that_does_not_come_every_week_is_named(change, sentence):
    assert said("patch-installed-weekly", change) == [
        (sentence, "window"),
        ("Nothing installs patches weekly on the machines of hosts.", "group"),
    ]


@pytest.mark.parametrize(
    ("changes", "without"),
    [
        ([("document", ("content",), content("others"))], []),
        ([("document", ("content",), "{}")], []),
        ([], ["task"]),
        ([], ["window", "task"]),
    ],
)
def test_a_group_that_nothing_is_installed_on_is_named(changes, without):
    assert said("patch-installed-weekly", *changes, without=without) == [
        ("Nothing installs patches weekly on the machines of hosts.", "group")
    ]


def test_a_command_of_aws_s_own_installs_on_its_targets():
    changes = [
        ("task", ("taskArn",), "AWS-RunPatchBaseline"),
        ("task", ("targets",), [{"key": "tag:PatchGroup", "values": ["hosts"]}]),
    ]
    assert said("patch-installed-weekly", *changes) == []


def test_unknown_schedules_are_not_judged():
    assert unjudged("patch-installed-weekly", ("window", ("schedule",), UNKNOWN)) == []
    assert unjudged("patch-scanned-daily", ("scan", ("scheduleExpression",), UNKNOWN)) == []


# patch-windows-apart


@pytest.mark.parametrize(
    ("schedule", "sentences"),
    [
        ("cron(0 3 ? * SUN *)", []),
        ("cron(0 9 ? * SUN *)", []),
        ("cron(30 3 ? * WED *)", ["the backup window of database, 06:00-07:00"]),
        ("cron(0 7 ? * SUN *)", ["the maintenance window of database, sun:08:00-sun:09:00"]),
        ("cron(0 0 ? * SUN *)", ["the backup weekly, cron(0 2 ? * SUN *)"]),
    ],
)
def test_a_window_in_which_something_else_happens_is_named(schedule, sentences):
    assert said("patch-windows-apart", ("window", ("schedule",), schedule)) == [
        (f"Patches are installed during {one}.", "window") for one in sentences
    ]


def test_a_backup_on_a_day_of_the_month_may_meet_any_week():
    changes = [
        ("backups", ("rules", 0, "schedule"), "cron(0 4 1 * ? *)"),
        ("window", ("schedule",), "cron(0 3 ? * TUE *)"),
    ]
    assert said("patch-windows-apart", *changes) == [
        ("Patches are installed during the backup weekly, cron(0 4 1 * ? *).", "window")
    ]


def test_unset_windows_of_the_database_are_judged_elsewhere():
    changes = [("database", ("backupWindow",), ABSENT), ("database", ("maintenanceWindow",), ABSENT)]
    assert said("patch-windows-apart", *changes) == []


def test_an_unknown_backup_window_is_not_judged():
    assert unjudged("patch-windows-apart", ("database", ("backupWindow",), UNKNOWN)) == []


# patch-role-scoped


def test_a_task_without_a_role_is_named():
    assert said("patch-role-scoped", ("task", ("serviceRoleArn",), ABSENT)) == [
        ("The task names no role, so it runs with all that Systems Manager may do.", "task")
    ]


@pytest.mark.parametrize("name", ["starting", "run"])
@pytest.mark.parametrize(
    ("statement", "wide"),
    [
        (allow("ssm:StartAutomationExecution", "*"), "ssm:StartAutomationExecution"),
        (allow("ssm:*", "*"), "ssm:SendCommand and ssm:StartAutomationExecution"),
        (allow("ssm:SendCommand", "arn:aws:ec2:eu-west-1:123456789012:instance/*"), "ssm:SendCommand"),
    ],
)
def test_a_role_that_reaches_every_machine_is_named(name, statement, wide):
    assert said("patch-role-scoped", (f"{name}-policy", ("policy",), policy(statement))) == [
        (f"Its role {name} may use {wide} on everything.", "task")
    ]


def test_a_role_of_unknown_rights_is_not_judged():
    assert unjudged("patch-role-scoped", ("starting-policy", ("policy",), UNKNOWN)) == []
