"""The rules as policies of a pack, as the Pulumi CLI asks for them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, cast

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyComplianceFramework,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceRemediation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy import Severity as PolicySeverity
from pulumi_policy.proxy import UnknownValueError

from . import waiver_rules
from .remedies import REMEDIES, Remedy, made
from .resource import Context, Resource, Stack
from .rule import Fault, ResourceRule, Rule, StackRule

#: First words of a control's id -> the framework's own name. A control with a version writes it next: ``CIS 5.0 5.3``.
_FRAMEWORKS = {
    "CIS": "CIS AWS Foundations Benchmark",
    "FSBP": "AWS Foundational Security Best Practices",
    "NIST": "NIST SP 800-53 Revision 5",
}


def policies(rules: Iterable[Rule], context: Context, remedies: Iterable[Remedy] = REMEDIES) -> list[Policy]:
    """One policy for each rule, with the enforcement that its level means in the context's environment.

    What is waived is no violation; where anything is, one more policy, which only advises, tells of it. A remedy is
    used where the CLI's configuration sets the level of its policy to ``remediate``; that of a rule on whole stacks
    is a policy of its own, which is off otherwise.
    """
    rules = tuple(rules)
    told = (*rules, waiver_rules.waived(rules)) if any(context.waivers.of(context.environment)) else rules
    by_rule = {remedy.rule.id: remedy for remedy in remedies}
    return [
        *(_policy(rule, context, by_rule.get(rule.id)) for rule in told),
        *(
            _remedy_alone(by_rule[rule.id], context)
            for rule in rules
            if isinstance(rule, StackRule) and rule.id in by_rule
        ),
    ]


def _policy(rule: Rule, context: Context, remedy: Remedy | None) -> Policy:
    mandatory = rule.level.is_mandatory(context.environment)
    level = EnforcementLevel.MANDATORY if mandatory else EnforcementLevel.ADVISORY
    description = f"{rule.title} [{rule.sentence}]"
    severity = PolicySeverity(rule.severity.value)
    framework, tags = _framework(rule.controls), list(rule.controls)
    match rule:
        case ResourceRule():
            return ResourceValidationPolicy(
                name=rule.id,
                description=description,
                validate=_resource_check(rule, context),
                remediate=_remediation(remedy, context) if remedy else None,
                config_schema=_schema(remedy),
                enforcement_level=level,
                display_name=rule.title,
                severity=severity,
                framework=framework,
                tags=tags,
                remediation_steps=rule.remedy,
            )
        case StackRule():
            return StackValidationPolicy(
                name=rule.id,
                description=description,
                validate=_stack_check(rule, context),
                enforcement_level=level,
                display_name=rule.title,
                severity=severity,
                framework=framework,
                tags=tags,
                remediation_steps=rule.remedy,
            )
        case _:
            raise TypeError(f"{rule.id} is a {type(rule).__name__}; a rule is a ResourceRule or a StackRule.")


def _remedy_alone(remedy: Remedy, context: Context) -> Policy:
    return ResourceValidationPolicy(
        name=remedy.name,
        description=f"Mends what {remedy.rule.id} finds: {remedy.rule.title}",
        remediate=_remediation(remedy, context),
        config_schema=_schema(remedy),
        enforcement_level=EnforcementLevel.DISABLED,
        severity=PolicySeverity(remedy.rule.severity.value),
        remediation_steps=remedy.rule.remedy,
    )


def _schema(remedy: Remedy | None) -> PolicyConfigSchema | None:
    if remedy is None or not remedy.options:
        return None
    return PolicyConfigSchema({name: dict(schema) for name, schema in remedy.options.items()})


def _framework(controls: Sequence[str]) -> PolicyComplianceFramework | None:
    """The framework of the first control; the SDK takes one only, so that the tags carry them all."""
    if not controls:
        return None
    family, _, reference = controls[0].partition(" ")
    version, dot, rest = reference.partition(" ")
    if dot and re.fullmatch(r"\d+\.\d+", version):
        return PolicyComplianceFramework(_FRAMEWORKS.get(family, family), version=version, reference=rest)
    return PolicyComplianceFramework(_FRAMEWORKS.get(family, family), reference=reference)


def _resource_check(rule: ResourceRule, context: Context) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def check(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if rule.types and args.resource_type not in rule.types:
            return
        resource = _judged(args)
        if context.waivers.covering(rule.id, resource, context.environment, context.today) is None:
            _report((Fault(sentence) for sentence in rule.judge(resource, context)), report)

    return check


def _remediation(remedy: Remedy, context: Context) -> ResourceRemediation:
    """Mends a resource that no waiver leaves as it is, and says so on standard error, which the CLI shows.

    A remedy that fails changes nothing: the rule, which is mandatory then, still tells what is wrong.
    """

    def remediate(args: ResourceValidationArgs) -> Mapping[str, Any] | None:
        if args.resource_type not in remedy.types:
            return None
        resource = _judged(args)
        if context.waivers.covering(remedy.rule.id, resource, context.environment, context.today) is not None:
            return None
        try:
            changes = tuple(remedy.changes(resource, args.get_config()))
        except UnknownValueError:
            raise
        except Exception as error:  # noqa: BLE001 - the CLI would end the whole run
            _say(f"{remedy.rule.id} failed to mend {resource.urn} with {type(error).__name__}; nothing was changed.")
            return None
        if not changes:
            return None
        made(changes, cast("MutableMapping[str, Any]", args.props))
        for change in changes:
            _say(f"{remedy.rule.id} mends {resource.urn}: {change.told()}.")
        return args.props

    # The SDK takes what is at hand as well as what is awaited; its type knows the latter only.
    return cast("ResourceRemediation", remediate)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _stack_check(rule: StackRule, context: Context) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def check(args: StackValidationArgs, report: ReportViolation) -> None:
        stack = Stack(resources=tuple(map(_resource, args.resources)), context=context)
        _report((fault for fault in rule.judge(stack) if waiver_rules.cover(rule, fault, stack) is None), report)

    return check


def _judged(args: ResourceValidationArgs) -> Resource:
    return Resource(
        urn=args.urn,
        type=args.resource_type,
        name=args.name,
        props=args.props,
        parent=args.opts.parent,
        protect=args.opts.protect,
    )


def _resource(given: PolicyResource) -> Resource:
    return Resource(
        urn=given.urn,
        type=given.resource_type,
        name=given.name,
        props=given.props,
        parent=given.parent.urn if given.parent else None,
        protect=given.opts.protect,
        dependencies=tuple(dependency.urn for dependency in given.dependencies),
        property_dependencies={
            prop: tuple(dependency.urn for dependency in dependencies)
            for prop, dependencies in given.property_dependencies.items()
        },
    )


def _report(faults: Iterable[Fault], report: ReportViolation) -> None:
    """Hands each fault over. A rule that fails is a finding: the CLI would end the whole run, and ending is no answer.

    The error's own words are left out because they may quote a value.
    """
    try:
        for fault in faults:
            report(fault.sentence, fault.urn)
    except UnknownValueError:
        raise
    except Exception as error:  # noqa: BLE001 - a defect of a rule must show as one
        report(f"The rule itself failed with {type(error).__name__}; this is a defect of the rule.", None)
