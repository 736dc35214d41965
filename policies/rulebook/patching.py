"""Rules on patching: every machine has a baseline, is looked at daily and patched weekly, and prod comes last."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any

from . import documents, windows
from .cron import DAY, WEEK, ScheduleError, longest_gap
from .links import GRANTS, ROLE, sources, statements_of, targets, template_of
from .resource import Resource, Stack, is_list, is_true
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .systems_manager import DOCUMENT, INSTANCE
from .values import is_false, is_true_of_any, listed, number, show

ASSOCIATION = "aws:ssm/association:Association"
BASELINE = "aws:ssm/patchBaseline:PatchBaseline"
DATABASE = "aws:rds/instance:Instance"
GROUP = "aws:autoscaling/group:Group"
PATCH_GROUP = "aws:ssm/patchGroup:PatchGroup"
PLAN = "aws:backup/plan:Plan"
TASK = "aws:ssm/maintenanceWindowTask:MaintenanceWindowTask"
WINDOW = "aws:ssm/maintenanceWindow:MaintenanceWindow"

TAG, SPACED_TAG = "PatchGroup", "Patch Group"

PATCHING_DOCUMENTS = ("AWS-RunPatchBaseline", "AWS-RunPatchBaselineWithHooks")

#: What is approved of Amazon Linux: security patches of every severity and, as by AWS's own baseline, bugfixes.
_AT_LEAST = {
    **{
        f"security patches of severity {severity}": {"CLASSIFICATION": "Security", "SEVERITY": severity}
        for severity in ("Critical", "Important", "Medium", "Low")
    },
    "bugfixes": {"CLASSIFICATION": "Bugfix"},
}

#: Days after its release in which AWS's own baseline approves a patch.
MOST_DAYS = 7

#: Days that staging runs patches before prod does.
SOAK_DAYS = 3

_WEEKDAYS = {name: position for position, name in enumerate(("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"))}

_CRON = re.compile(r"cron\((\d{1,2}) (\d{1,2}) (\S+) \S+ (\S+) \S+\)")


# Baselines


def _baselines(stack: Stack) -> Iterator[Fault]:
    baselines = tuple(stack.of(BASELINE))
    if not baselines and any(stack.of(INSTANCE, GROUP)):
        yield Fault("The stack declares no patch baseline, so AWS's own approves patches alike in all environments.")
    yield from each(baselines, lambda baseline: _baseline(stack, baseline))


def _baseline(stack: Stack, baseline: Resource) -> Iterator[Fault]:
    yield from (Fault(said, baseline.urn) for said in _approvals(baseline))
    if not sources(stack, baseline, "baselineId", PATCH_GROUP):
        yield Fault("No patch group uses the baseline.", baseline.urn)


def _approvals(baseline: Resource) -> Iterator[str]:
    system = baseline.section("operatingSystem")
    rules = range(len(baseline.items("approvalRules")))
    if system is None:
        yield "The baseline is for Windows: operatingSystem is unset."
    if not is_true_of_any(rules, partial(_approves, baseline, wanted={"CLASSIFICATION": "Security"})):
        yield "The baseline approves no security patches."
    elif str(system).startswith("AMAZON_LINUX"):
        product = "".join(part.title() for part in str(system).split("_"))
        for what, wanted in _AT_LEAST.items():
            if not is_true_of_any(rules, partial(_approves, baseline, wanted={"PRODUCT": product, **wanted})):
                yield f"The baseline approves no {what}."
    for index in rules:
        yield from _approval_rule(baseline, index)


def _approval_rule(baseline: Resource, index: int) -> Iterator[str]:
    rule = ("approvalRules", index)
    if baseline.section(*rule, "complianceLevel") in (None, "", "UNSPECIFIED"):
        yield f"Rule {index + 1} of the baseline names no level, so no report counts a patch that is missing."
    if baseline.section(*rule, "approveUntilDate") in (None, ""):
        days = number(baseline.section(*rule, "approveAfterDays"))
        if days is None:
            yield f"Rule {index + 1} of the baseline says not when it approves a patch; AWS refuses that."
        elif days > MOST_DAYS:
            yield f"Rule {index + 1} of the baseline waits {show(days)} days; AWS's own waits {MOST_DAYS}."


def _approves(baseline: Resource, rule: int, *, wanted: Mapping[str, str]) -> bool:
    """Whether an approval rule takes patches of the ``wanted`` kind: what it has no filter for, it takes all of."""
    filters = range(len(baseline.items("approvalRules", rule, "patchFilters")))
    for index in filters:
        here = ("approvalRules", rule, "patchFilters", index)
        value = wanted.get(str(baseline.section(*here, "key")))
        values = {str(one) for one in baseline.items(*here, "values")}
        if not values or (value is not None and not {value, "*"} & values):
            return False
    return True


def _grouped(stack: Stack) -> Iterator[Fault]:
    groups = {str(group.section("patchGroup")) for group in stack.of(PATCH_GROUP)}

    def judge(machine: Resource) -> Iterator[Fault]:
        noun = "machines of the group are" if machine.type == GROUP else "machine is"
        tags = machine_tags(machine)
        group = tags.get(TAG)
        if group is None and tags.get(SPACED_TAG) is not None:
            yield Fault(f"The tag {SPACED_TAG!r} cannot be shown in instance metadata; the tag is {TAG}.", machine.urn)
        elif group is None:
            yield Fault(f"The {noun} in no patch group: there is no tag {TAG}.", machine.urn)
        elif group not in groups:
            yield Fault(f"The {noun} in the patch group {show(group)}, which has no baseline here.", machine.urn)

    def group(one: Resource) -> Iterator[Fault]:
        if not targets(stack, one, "baselineId", BASELINE):
            name = show(one.section("patchGroup"))
            yield Fault(f"The patch group {name} has no baseline of this stack.", one.urn)

    yield from through((each(stack.of(INSTANCE, GROUP), judge), each(stack.of(PATCH_GROUP), group)), iter)


def machine_tags(machine: Resource) -> Mapping[str, Any]:
    """Those of an instance, or those that a group gives its instances."""
    if machine.type == INSTANCE:
        return machine.tags
    count = len(machine.items("tags"))
    return {
        str(machine.section("tags", index, "key")): machine.section("tags", index, "value")
        for index in range(count)
        if not is_false(machine.section("tags", index, "propagateAtLaunch"))
    }


# Prod comes last


def _staging_first(stack: Stack) -> Iterator[Fault]:
    if stack.context.environment != "prod":
        return
    yield from through(
        (
            each(stack.of(BASELINE), lambda baseline: _approved_by_date(stack, baseline)),
            each(stack.of(GROUP), lambda group: _image_chosen(stack, group)),
            each(stack.of(WINDOW), lambda window: _window_follows(stack, window)),
        ),
        iter,
    )


def _approved_by_date(stack: Stack, baseline: Resource) -> Iterator[Fault]:
    latest = stack.context.today - timedelta(SOAK_DAYS) if stack.context.today > date.min else date.min
    if baseline.items("approvedPatches"):
        yield Fault("The baseline approves patches by name, whether staging has run them or not.", baseline.urn)
    for index in range(len(baseline.items("approvalRules"))):
        until = baseline.section("approvalRules", index, "approveUntilDate")
        days = number(baseline.section("approvalRules", index, "approveAfterDays"))
        if until in (None, ""):
            yield Fault(
                f"The baseline approves patches {_when(days)}, whether staging has run them or not.", baseline.urn
            )
            continue
        try:
            day = date.fromisoformat(str(until))
        except ValueError:
            yield Fault(f"The baseline approves patches until {show(until)}, which is no day.", baseline.urn)
            continue
        if day > latest:
            yield Fault(
                f"The baseline approves patches until {day}; staging cannot have run those for {SOAK_DAYS} days.",
                baseline.urn,
            )


def _when(days: float | None) -> str:
    if not days:
        return "at once"
    return f"{show(days)} days after their release"


def _image_chosen(stack: Stack, group: Resource) -> Iterator[Fault]:
    for template in template_of(stack, group):
        image = template.section("imageId")
        if image is None or str(image).startswith("resolve:ssm:"):
            yield Fault("Servers start from the newest image, whether staging has run it or not.", group.urn)


def _window_follows(stack: Stack, window: Resource) -> Iterator[Fault]:
    text = stack.context.staging_install_window
    before = windows.weekly(text) if text else None
    if before is None or not _installs(stack, window):
        return
    for start in _starts(str(window.section("schedule"))):
        days = (start - before.start - before.length) % WEEK / DAY
        if days < SOAK_DAYS:
            yield Fault(
                f"Patches are installed {days:.1f} days after staging's window; {SOAK_DAYS} are demanded.", window.urn
            )


# Daily and weekly


def _scanned(stack: Stack) -> Iterator[Fault]:
    looks = [one for one in stack.of(ASSOCIATION) if one.section("name") in PATCHING_DOCUMENTS]

    def look(one: Resource) -> Iterator[Fault]:
        gap, trouble = _gap(one.section("scheduleExpression"))
        if gap > DAY:
            yield Fault(f"The look for missing patches {trouble}; a daily one is demanded.", one.urn)
        operation = _operation(one)
        if operation != "Scan":
            yield Fault(
                f"The association shall only look for patches, Scan; its operation is {show(operation)}.", one.urn
            )

    def group(one: Resource) -> Iterator[Fault]:
        name = str(one.section("patchGroup"))

        def covers(look: Resource) -> bool:
            return (
                name in _targeted(look)
                and _gap(look.section("scheduleExpression"))[0] <= DAY
                and _operation(look) in ("Scan", "Install")
            )

        if not is_true_of_any(looks, covers):
            yield Fault(f"Nothing looks daily for missing patches on the machines of {name}.", one.urn)

    yield from through((each(looks, look), each(stack.of(PATCH_GROUP), group)), iter)


def _gap(schedule: Any) -> tuple[float, str]:
    """Minutes between two runs at the longest, and how a sentence says it."""
    try:
        gap = longest_gap(str(schedule or ""))
    except ScheduleError as error:
        return float("inf"), f"has a schedule that AWS refuses: {error}"
    return gap, f"happens every {show(gap / DAY)} days at worst" if gap < float("inf") else "comes to an end"


def _operation(look: Resource) -> Any:
    """The parameter is a text, or a list of one."""
    return next(iter(look.items("parameters", "Operation")), None)


def _targeted(look: Resource) -> set[str]:
    return {
        str(value)
        for index in range(len(look.items("targets")))
        if look.section("targets", index, "key") == f"tag:{TAG}"
        for value in look.items("targets", index, "values")
    }


def _installed(stack: Stack) -> Iterator[Fault]:
    def window(one: Resource) -> Iterator[Fault]:
        if not any(_installs(stack, one)):
            return
        gap, trouble = _gap(one.section("schedule"))
        if is_false(one.section("enabled")):
            yield Fault("The window that installs patches is disabled.", one.urn)
        elif gap > WEEK:
            yield Fault(f"The installation of patches {trouble}; a weekly one is demanded.", one.urn)
        yield from (Fault(said, one.urn) for said in _room(one))

    def group(one: Resource) -> Iterator[Fault]:
        name = str(one.section("patchGroup"))

        def covers(window: Resource) -> bool:
            return (
                any(f'"{name}"' in text for text in _installs(stack, window))
                and not is_false(window.section("enabled"))
                and _gap(window.section("schedule"))[0] <= WEEK
            )

        if not is_true_of_any(stack.of(WINDOW), covers):
            yield Fault(f"Nothing installs patches weekly on the machines of {name}.", one.urn)

    yield from through((each(stack.of(WINDOW), window), each(stack.of(PATCH_GROUP), group)), iter)


def _room(window: Resource) -> Iterator[str]:
    """Whether patches can begin in a window, and end in it. Hours."""
    duration, cutoff = number(window.section("duration")) or 0, number(window.section("cutoff")) or 0
    if not 0 < cutoff < duration:
        yield (
            f"The window of {show(duration)} hours takes on work until {show(cutoff)} hours before its end; "
            "there must be an hour to begin and one to end in."
        )
    if is_true(window.section("allowUnassociatedTargets")):
        yield "The window also takes machines that nobody registered with it."


def _installs(stack: Stack, window: Resource) -> Iterator[str]:
    """What a window's tasks install patches by, as text: a document's content, or the task's own targets."""
    for task in sources(stack, window, "windowId", TASK):
        if task.section("taskArn") in PATCHING_DOCUMENTS:
            yield json.dumps([str(value) for target in task.items("targets") for value in _leaves(target)])
        for document in targets(stack, task, "taskArn", DOCUMENT):
            content = str(document.section("content"))
            if any(name in content for name in PATCHING_DOCUMENTS):
                yield content


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key in value:
            yield from _leaves(value[key])
    elif is_list(value):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


# Times


def _apart(stack: Stack) -> Iterator[Fault]:
    busy = [*_of_databases(stack), *_of_backups(stack)]

    def judge(window: Resource) -> Iterator[Fault]:
        hours = number(window.section("duration"))
        if hours is None or not any(_installs(stack, window)):
            return
        spans = [windows.Window(start, round(hours * 60)) for start in _starts(str(window.section("schedule")))]
        for what, span in busy:
            if any(span.meets(own) for own in spans):
                yield Fault(f"Patches are installed during {what}.", window.urn)

    yield from each(stack.of(WINDOW), judge)


def _of_databases(stack: Stack) -> Iterator[tuple[str, windows.Window]]:
    for database in stack.of(DATABASE):
        backup, maintenance = database.section("backupWindow"), database.section("maintenanceWindow")
        for span in windows.daily(str(backup)) or ():
            yield f"the backup window of {database.name}, {backup}", span
        weekly = windows.weekly(str(maintenance))
        if weekly is not None:
            yield f"the maintenance window of {database.name}, {maintenance}", weekly


def _of_backups(stack: Stack) -> Iterator[tuple[str, windows.Window]]:
    """A backup's beginning: AWS Backup may take its time after it, which no window is known of."""
    for plan in stack.of(PLAN):
        for index in range(len(plan.items("rules"))):
            schedule = plan.section("rules", index, "schedule")
            name = show(plan.section("rules", index, "ruleName"))
            for start in _starts(str(schedule)):
                yield f"the backup {name}, {schedule}", windows.Window(start, 1)


def _starts(schedule: str) -> tuple[int, ...]:
    """Minutes of the week, from Monday 00:00, at which a plain cron schedule may begin; none where it is not plain.

    A day of the month may be any day of the week.
    """
    match = _CRON.fullmatch(schedule)
    if match is None:
        return ()
    minute, hour, _, weekday = match.groups()
    named = [_WEEKDAYS[part] for part in weekday.upper().split(",") if part in _WEEKDAYS]
    days = named or (range(7) if weekday in ("*", "?") else ())
    return tuple(day * DAY + int(hour) * 60 + int(minute) for day in days)


# Roles


_REACHING = ("ssm:SendCommand", "ssm:StartAutomationExecution")


def _scoped(stack: Stack) -> Iterator[Fault]:
    def judge(task: Resource) -> Iterator[Fault]:
        roles = targets(stack, task, "serviceRoleArn", ROLE)
        if task.section("serviceRoleArn") is None:
            yield Fault("The task names no role, so it runs with all that Systems Manager may do.", task.urn)
        runners = [
            role
            for document in targets(stack, task, "taskArn", DOCUMENT)
            for role in stack.with_id(_assumed(document), ROLE)
        ]
        for role in (*roles, *runners):
            wide = sorted({action for action in _REACHING if _reaches_all(stack, role, action)})
            if wide:
                yield Fault(f"Its role {role.name} may use {listed(wide)} on everything.", task.urn)

    yield from each(stack.of(TASK), judge)


def _assumed(document: Resource) -> Any:
    try:
        content = json.loads(str(document.section("content")))
    except ValueError:
        return None
    return content.get("assumeRole") if isinstance(content, dict) else None


def _reaches_all(stack: Stack, role: Resource, action: str) -> bool:
    """Whether a statement names no document, or every machine without a condition on its tags."""
    for statement in statements_of(stack, role):
        if not statement.allows or not statement.speaks_of(action):
            continue
        if statement.not_resources or any(documents.is_everything(one) for one in statement.resources):
            return True
        machines = any(one.endswith(("instance/*", "managed-instance/*")) for one in statement.resources)
        if machines and not any("resourcetag/" in condition.key for condition in statement.conditions):
            return True
    return False


_RUN_BOOK = "001_62c8c82a6a764433.txt §3"

BASELINES = StackRule(
    id="patch-baselines",
    sentence=f"{_RUN_BOOK}: Operating system",
    title="The environment has a patch baseline of its own, with a group that uses it.",
    why="AWS's default baseline approves patches a week after their release, in prod as in staging; what a baseline "
    "leaves out is never installed.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP SSM.2", "NIST SI-2"),
    remedy="Declare aws.ssm.PatchBaseline with operating_system and a rule for CLASSIFICATION Security, and "
    "aws.ssm.PatchGroup.",
    types=frozenset({BASELINE, PATCH_GROUP, INSTANCE, GROUP}),
    check=_baselines,
)

GROUPED = StackRule(
    id="patch-machines-grouped",
    sentence=f"{_RUN_BOOK}: Operating system; {_RUN_BOOK}: Application server",
    title="Every machine is in a patch group that has a baseline.",
    why="A machine without the tag is judged by the account's default baseline, and nothing is installed on it.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP SSM.2", "NIST SI-2", "NIST CM-8"),
    remedy=f"Tag the machine, or the group with propagate_at_launch, with {TAG} and a group of the stack.",
    types=frozenset({INSTANCE, GROUP, PATCH_GROUP, BASELINE}),
    check=_grouped,
)

STAGING_FIRST = StackRule(
    id="patch-staging-first",
    sentence=f"{_RUN_BOOK}: test the patches in a staging environment before deploying them to production",
    title=f"Prod gets only patches and images that staging has run for {SOAK_DAYS} days.",
    why="A patch that breaks the platform breaks it where users are.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST CM-3", "NIST SI-2"),
    remedy="Set patching.approve_until and web.image_id (`runbook patch promote` moves them on), and an install window "
    f"{SOAK_DAYS} days after staging's.",
    types=frozenset({BASELINE, WINDOW, GROUP, TASK, DOCUMENT}),
    check=_staging_first,
)

SCANNED = StackRule(
    id="patch-scanned-daily",
    sentence="004_5ca73e3508d74ec8.txt Weekly Checklist: Check for available security patches and updates",
    title="Missing patches are looked for, and only looked for, every day on every machine.",
    why="Nobody knows how open a machine is that is looked at when it is patched.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP SSM.2", "NIST RA-5", "NIST SI-2"),
    remedy=f"Declare aws.ssm.Association of AWS-RunPatchBaseline with a daily schedule and targets tag:{TAG}.",
    types=frozenset({ASSOCIATION, PATCH_GROUP}),
    check=_scanned,
)

INSTALLED = StackRule(
    id="patch-installed-weekly",
    sentence=f"{_RUN_BOOK}: AWS Systems Manager: For automating the patching process",
    title="Patches are installed every week on every machine.",
    why="What is approved and not installed protects nothing.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP SSM.2", "NIST SI-2"),
    remedy="Declare aws.ssm.MaintenanceWindow with a weekly schedule and a task that installs for each patch group.",
    types=frozenset({WINDOW, TASK, DOCUMENT, PATCH_GROUP}),
    check=_installed,
)

APART = StackRule(
    id="patch-windows-apart",
    sentence="002_3d1abe7e242e6afd.txt §10: Implementation windows",
    title="Patches are not installed while the database is backed up or maintained.",
    why="A restart in a backup makes both slower and either doubtful.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CM-3", "NIST CP-9"),
    remedy="Choose another patching.install_window.",
    types=frozenset({WINDOW, TASK, DOCUMENT, DATABASE, PLAN}),
    check=_apart,
)

SCOPED = StackRule(
    id="patch-role-scoped",
    sentence="002_3d1abe7e242e6afd.txt §2: IAM role assignments and rotations",
    title="What installs patches reaches the environment's machines alone.",
    why="A role that commands every machine is a way to all of them.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AC-6",),
    remedy=f"Set service_role_arn; name documents in its statements, and machines by ssm:resourceTag/{TAG}.",
    types=frozenset({TASK, DOCUMENT, *GRANTS}),
    check=_scoped,
)

RULES: tuple[Rule, ...] = (BASELINES, GROUPED, STAGING_FIRST, SCANNED, INSTALLED, APART, SCOPED)
