"""Rules for what Systems Manager does on machines again and again: by whom it is run, on what, and how often."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .cron import WEEK, ScheduleError, longest_gap
from .links import sources, targets
from .patching import ASSOCIATION, GROUP, TASK, machine_tags
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .scaling import names_group
from .systems_manager import DOCUMENT, INSTANCE
from .values import is_true_of_any, listed, show

PARAMETER = "aws:ssm/parameter:Parameter"

_OF_AWS = re.compile(r"(AWS|Amazon)\w*-\w+")

#: Documents that do something when somebody runs them; a calendar and session preferences are read.
_RUN = ("Command", "Automation")

#: Tags that together say whose machines are meant, where nothing that only the stack has is named.
_WHOSE = ("Project", "Environment", "Service")

_GROUP_KEY = "tag:aws:autoscaling:groupName"


def _whole(stack: Stack) -> Iterator[Fault]:
    def judge(association: Resource) -> Iterator[Fault]:
        said = (_document(stack, association), _schedule(association), _targets(stack, association))
        return (Fault(sentence, association.urn) for sentences in said for sentence in sentences)

    return each(stack.of(ASSOCIATION), judge)


def _document(stack: Stack, association: Resource) -> Iterator[str]:
    documents = targets(stack, association, "name", DOCUMENT)
    if not documents:
        name = association.section("name")
        if not _OF_AWS.fullmatch(str(name)):
            yield f"The association runs {show(name)}, which is neither AWS's nor declared in this stack."
        return
    given = association.section("parameters")
    named = set(given) if isinstance(given, Mapping) else set()
    takes = _parameters(documents[0])
    if strange := sorted(named - set(takes)):
        yield f"The association gives {listed(strange)}, which its document does not take; AWS refuses that."
    if missing := sorted(key for key, said in takes.items() if "default" not in said and key not in named):
        yield f"The association does not give {listed(missing)}, which its document needs."


def _parameters(document: Resource) -> Mapping[str, Mapping[str, Any]]:
    try:
        body = json.loads(str(document.section("content")))
    except ValueError:
        return {}
    found = body.get("parameters") if isinstance(body, dict) else None
    return {key: said for key, said in (found or {}).items() if isinstance(said, dict)}


def _schedule(association: Resource) -> Iterator[str]:
    schedule = association.section("scheduleExpression")
    if not schedule:
        yield "The association runs once: it has no schedule, so what changes on the machine stays changed."
    else:
        try:
            gap = longest_gap(str(schedule))
        except ScheduleError as error:
            yield f"The association has a schedule that AWS refuses: {error}."
        else:
            if gap > WEEK:
                yield f"The association runs too rarely ({show(schedule)}); once a week is the least."
    if association.section("complianceSeverity") in (None, "", "UNSPECIFIED"):
        yield "How bad it is where the association fails is not said, so compliance reports pass over it."


def _targets(stack: Stack, association: Resource) -> Iterator[str]:
    keys = [str(association.section("targets", index, "key")) for index in range(len(association.items("targets")))]
    if not keys:
        if not association.section("instanceId"):
            yield "The association has no target, so it runs nowhere."
        return
    if any(key.startswith("resource-groups:") for key in keys):
        return
    tags = {key.removeprefix("tag:") for key in keys if key.startswith("tag:")}
    own = "InstanceIds" in keys or _GROUP_KEY in keys or "PatchGroup" in tags
    if not own and (unsaid := [tag for tag in _WHOSE if tag not in tags]):
        yield f"The association also means machines of others: its targets do not say {listed(unsaid)}."
    machines = stack.of(INSTANCE, GROUP)
    if not is_true_of_any(machines, lambda machine: _is_meant(stack, association, machine)):
        yield "The association means no machine of this stack."


def _is_meant(stack: Stack, association: Resource, machine: Resource) -> bool:
    """Whether a machine meets all targets: Systems Manager joins them with and, and the values of one with or."""
    return all(_meets(stack, association, index, machine) for index in range(len(association.items("targets"))))


def _meets(stack: Stack, association: Resource, index: int, machine: Resource) -> bool:
    key = str(association.section("targets", index, "key"))
    places = range(len(association.items("targets", index, "values")))
    if key == _GROUP_KEY:
        path = ("targets", index, "values")
        return machine.type == GROUP and is_true_of_any(
            places, lambda at: names_group(stack, machine, association, *path, at)
        )
    if key == "InstanceIds":
        return any(hit.urn == machine.urn for hit in targets(stack, association, "targets", INSTANCE))
    wanted = [association.section("targets", index, "values", at) for at in places]
    has = machine_tags(machine)
    return key == "tag-key" or has.get(key.removeprefix("tag:")) in wanted


def _used(stack: Stack) -> Iterator[Fault]:
    needed = stack.shared(_needed)

    def judge(document: Resource) -> Iterator[Fault]:
        if document.section("documentType") not in _RUN or document.urn in needed:
            return
        if not sources(stack, document, "name", ASSOCIATION) and not sources(stack, document, "taskArn", TASK):
            yield Fault("Nothing runs the document: no association, task, document or entry names it.", document.urn)

    return each(stack.of(DOCUMENT), judge)


def _needed(stack: Stack) -> frozenset[str]:
    """URNs of what others are made from."""
    return frozenset(urn for one in stack.resources for urns in one.property_dependencies.values() for urn in urns)


WHOLE = StackRule(
    id="ssm-association-whole",
    sentence="001_62c8c82a6a764433.txt §3: AWS Systems Manager: For automating the patching process.",
    title="Associations run weekly or more often on machines of the stack, with what their documents need.",
    why="One that means nobody, or runs once, looks as good in the console as one that works.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP SSM.3", "NIST CM-2", "NIST CM-6"),
    remedy="Set schedule_expression, compliance_severity, parameters, and targets by instance, group or the tags "
    "Project, Environment and Service.",
    types=frozenset({ASSOCIATION, DOCUMENT, INSTANCE, GROUP}),
    check=_whole,
)

USED = StackRule(
    id="ssm-document-used",
    sentence="001_62c8c82a6a764433.txt §3: AWS Systems Manager: For automating the patching process.",
    title="Documents that do something are run by an association, a task or an operation.",
    why="What nothing runs is not done, however well it is written.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CM-2",),
    remedy="Declare an aws.ssm.Association or aws.ssm.MaintenanceWindowTask of it, or put its name into the inventory.",
    types=frozenset({DOCUMENT, ASSOCIATION, TASK, PARAMETER}),
    check=_used,
)

RULES: tuple[Rule, ...] = (WHOLE, USED)
