"""Who points to whom, and what a role may do: look-ups that several stack rules share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from . import documents
from .resource import Resource, Stack, is_list, is_mapping
from .values import either, is_true_of_any

ROLE = "aws:iam/role:Role"
PROFILE = "aws:iam/instanceProfile:InstanceProfile"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
POLICY = "aws:iam/policy:Policy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
SHARED_ATTACHMENT = "aws:iam/policyAttachment:PolicyAttachment"

#: All that says what a role may do.
GRANTS = frozenset({ROLE, ROLE_POLICY, POLICY, ATTACHMENT, SHARED_ATTACHMENT})

_IDENTITIES = ("id", "arn", "name", "bucket")


def targets(stack: Stack, resource: Resource, prop: str, *types: str) -> tuple[Resource, ...]:
    """The resources of ``types`` that ``resource.prop`` points to.

    A dependency alone is not enough where the value is known: it must carry the target's id, ARN or name. A literal
    such as ``default.postgres17`` therefore points to nothing that the stack declares.
    """
    if stack.by_urn.get(resource.urn) is not resource:
        return _targets(stack, resource, prop, types)
    found = stack.shared(_found_before)
    key = (resource.urn, prop, types)
    if key not in found:
        found[key] = _targets(stack, resource, prop, types)
    return found[key]


def _found_before(_stack: Stack) -> dict[tuple[str, str, tuple[str, ...]], tuple[Resource, ...]]:
    """What ``targets`` found, by URN, property and types: rules ask the same of each pair of resources."""
    return {}


def _targets(stack: Stack, resource: Resource, prop: str, types: tuple[str, ...]) -> tuple[Resource, ...]:
    found = stack.referenced(resource, prop, *types)
    values = list(_leaves(resource, prop))
    if None in values:
        return found
    return tuple(hit for hit in found if _carries([value for value in values if value is not None], hit))


def sources(stack: Stack, target: Resource, prop: str, *types: str) -> tuple[Resource, ...]:
    """The resources of ``types`` whose ``prop`` points to ``target``."""
    return tuple(
        source
        for source in stack.referring(target, prop, *types)
        if any(hit.urn == target.urn for hit in targets(stack, source, prop, target.type))
    )


def template_of(stack: Stack, holder: Resource) -> tuple[Resource, ...]:
    """The launch templates an instance or a group starts from."""
    return targets(stack, holder, "launchTemplate", TEMPLATE) or targets(
        stack, holder, "mixedInstancesPolicy", TEMPLATE
    )


def role_of(stack: Stack, holder: Resource) -> Resource | None:
    """The role of an instance or a launch template through its instance profile.

    An instance without a profile of its own has its launch template's. None where the chain ends before a role.
    """
    holders = (holder, *template_of(stack, holder))
    for link in holders:
        for profile in targets(stack, link, "iamInstanceProfile", PROFILE):
            for role in targets(stack, profile, "role", ROLE):
                return role
    return None


def attachments_of(stack: Stack, role: Resource) -> tuple[Resource, ...]:
    """What attaches a policy to ``role``."""
    return (*sources(stack, role, "role", ATTACHMENT), *sources(stack, role, "roles", SHARED_ATTACHMENT))


def carries_managed_policy(stack: Stack, role: Resource, *names: str) -> bool:
    """Whether one of AWS's managed policies called ``names`` is attached to ``role``."""

    def names_one(arn: Any) -> bool:
        return isinstance(arn, str) and arn.rsplit("/", 1)[-1] in names and ":iam::aws:policy/" in arn

    def attaches(attachment: Resource) -> bool:
        # The ARN of a policy that is still to be made is unknown, but no policy of AWS.
        return not targets(stack, attachment, "policyArn", POLICY) and names_one(attachment.section("policyArn"))

    def stands_at(index: int) -> bool:
        return names_one(role.section("managedPolicyArns", index))

    own = range(len(role.items("managedPolicyArns")))
    return either(
        lambda: is_true_of_any(attachments_of(stack, role), attaches),
        lambda: is_true_of_any(own, stands_at),
    )


def statements_of(stack: Stack, role: Resource) -> Iterator[documents.Statement]:
    """The statements of every policy of ``role`` that the stack declares; unreadable documents grant nothing."""
    for holder, path in _policies_of(stack, role):
        try:
            yield from documents.read(holder.section(*path))
        except documents.DocumentError:
            continue


def may(stack: Stack, role: Resource, action: str, **values: str) -> bool:
    """Whether a statement of ``role`` allows ``action`` on some resource, and none denies it everywhere.

    ``values``: condition key (``namespace`` for any ``…:namespace``) -> the value that the request will carry.
    Other conditions are taken as met.
    """
    allowed = False
    for statement in statements_of(stack, role):
        if not statement.speaks_of(action):
            continue
        if not statement.allows and not statement.conditions:
            return False
        allowed = allowed or (statement.allows and _agrees(statement, values))
    return allowed


def can(stack: Stack, role: Resource, managed: tuple[str, ...], *actions: str, **values: str) -> bool:
    """Whether ``role`` carries one of AWS's ``managed`` policies or, in statements of its own, may do ``actions``."""
    return either(
        lambda: carries_managed_policy(stack, role, *managed),
        lambda: all(may(stack, role, action, **values) for action in actions),
    )


def _agrees(statement: documents.Statement, values: dict[str, str]) -> bool:
    for condition in statement.conditions:
        value = values.get(condition.key.rpartition(":")[2])
        if value is None or not condition.operator.startswith("string"):
            continue
        hit = any(documents.matches(pattern, value) for pattern in condition.values)
        if hit == ("not" in condition.operator):
            return False
    return True


def _policies_of(stack: Stack, role: Resource) -> Iterator[tuple[Resource, tuple[str | int, ...]]]:
    for policy in sources(stack, role, "role", ROLE_POLICY):
        yield policy, ("policy",)
    for attachment in attachments_of(stack, role):
        for policy in targets(stack, attachment, "policyArn", POLICY):
            yield policy, ("policy",)
    for index in range(len(role.items("inlinePolicies"))):
        yield role, ("inlinePolicies", index, "policy")


def _leaves(resource: Resource, prop: str) -> Iterator[str | None]:
    """The texts in a property; None for each that is unknown."""
    steps: list[tuple[Any, Any]] = [(resource.props, prop)]
    while steps:
        holder, key = steps.pop()
        try:
            value = holder[key]
        except KeyError:
            continue
        except UnknownValueError:
            yield None
            continue
        if isinstance(value, str):
            yield value
        elif is_mapping(value):
            steps.extend((value, inner) for inner in value)
        elif is_list(value):
            steps.extend((value, index) for index in range(len(value)))


def _carries(values: list[str], hit: Resource) -> bool:
    """Whether one of ``values`` is made from ``hit``: holds its identity or is one of its outputs."""
    own: list[str] = []
    for key in _IDENTITIES:
        own.extend(value for value in _leaves(hit, key) if value)
    if not own:
        return True
    if any(identity in value for identity in own for value in values):
        return True
    outputs = {value for prop in hit.props for value in _leaves(hit, prop)}
    return any(value in outputs for value in values)
